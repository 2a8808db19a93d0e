"""Who works here: names, roles, phones, queues, skills and passwords."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Column, Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from acd.model import AgentProfile
from screenpop.csv_file import Faults, ImportResult, read_rows
from screenpop.db.availability import AWAY, why_of
from screenpop.db.store import Store
from screenpop.db.tables import person, person_capacity, person_queue, person_queue_level, person_skill, session
from screenpop.entries import COLUMNS, OPTIONAL_COLUMNS, VOICE, Entry, check_doubles, check_entry, entry_of
from screenpop.errors import InvalidRequestError, NotFoundError, PasswordTooWeakError
from screenpop.last_known import LastKnown
from screenpop.model import Person, PersonPhone, Role

log = structlog.get_logger(__name__)

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 256


class People:
    """The table of people. Phone secrets are made here, never given; passwords are kept as argon2id only.

    `queues` and `skills`: the names that the site's files know; nobody is written with others. None: not checked.
    `known`: what answers while the database is away.
    """

    def __init__(
        self,
        store: Store,
        *,
        hasher: PasswordHasher | None = None,
        queues: Collection[str] | None = None,
        skills: Collection[str] | None = None,
        known: LastKnown | None = None,
    ) -> None:
        self._store = store
        self.known = known or LastKnown()
        self._hasher = hasher or PasswordHasher()
        self._known_names = (("queues", queues), ("skills", skills))
        self._nobody = ""
        # Each hash takes a core for a tenth of a second and 64 MiB.
        self._hashing = asyncio.Semaphore(2)

    # --- who there is ---------------------------------------------------------------------------------

    async def find(self, username: str) -> Person | None:
        """None for a name that nobody has; as last known while the database is away."""
        try:
            async with self._store.read() as connection:
                people = await _people(connection, person.c.username == username)
        except AWAY:
            known = self.known.person(username)
            if known is None:
                raise
            return known
        found = people[0] if people else None
        self.known.keep_person(username, found)
        return found

    async def everybody(self) -> list[Person]:
        """All people, by username; as last known while the database is away."""
        try:
            async with self._store.read() as connection:
                people = await _people(connection, None)
        except AWAY as error:
            if not self.known.people:
                raise
            log.warning("people.as_last_known", why=why_of(error))
            return sorted(self.known.people, key=lambda each: each.username)
        self.known.keep_people(people)
        return people

    async def profiles(self) -> Sequence[AgentProfile]:
        """Everybody with the role agent, as the engine knows them."""
        return [
            AgentProfile(
                id=each.username,
                name=each.name,
                queues=each.queues,
                skills=each.skills,
                weight=each.weight,
                queue_levels=each.levels,
                capacity=tuple({VOICE: 1, **dict(each.capacity)}.items()),
            )
            for each in await self.everybody()
            if Role.AGENT in each.roles
        ]

    async def phones(self) -> Mapping[str, PersonPhone]:
        """Agent id → phone, for everybody who has an extension; as last known while the database is away."""
        try:
            phones = await self._read_phones()
        except AWAY:
            if not self.known.people:
                raise
            return self.known.phones
        self.known.keep_phones(phones)
        return phones

    async def _read_phones(self) -> dict[str, PersonPhone]:
        columns = (person.c.username, person.c.extension, person.c.phone_kind, person.c.phone_secret)
        async with self._store.read() as connection:
            found = await connection.execute(
                select(*columns, person.c.phone_address).where(person.c.extension != "").order_by(person.c.username)
            )
            return {
                row.username: PersonPhone(row.extension, row.phone_kind, row.phone_secret, row.phone_address)
                for row in found
            }

    # --- changing -------------------------------------------------------------------------------------

    async def add(self, entry: Entry) -> None:
        """Add a person, who cannot sign in until they have a password.

        Raises ImportFileError with every fault when the entry cannot be, InvalidRequestError for a name that is taken.
        """
        faults = Faults("people")
        check_entry(entry, 1, faults)
        self._check_names(entry, 1, faults)
        faults.raise_if_any()
        async with self._store.write() as connection:
            if await _known(connection, [entry.username]):
                raise InvalidRequestError(f"username {entry.username!r}: expected a new one, this one is taken")
            await self._check_extensions(connection, [(1, entry)], faults)
            faults.raise_if_any()
            await self._put(connection, [entry])

    async def import_people(self, path: Path) -> ImportResult:
        """Write the people of a CSV file with the columns `COLUMNS`; what is several is separated by `;`.

        A person with a known username is changed, keeping password and phone secret; others stay. All or
        nothing: ImportFileError lists every fault.
        """
        faults = Faults(str(path))
        rows = await asyncio.to_thread(read_rows, path, COLUMNS, ("username", "name"), faults, OPTIONAL_COLUMNS)
        entries = [(row.line, entry_of(row, faults)) for row in rows]
        check_doubles(entries, faults)
        for line, entry in entries:
            self._check_names(entry, line, faults)
        faults.raise_if_any()
        async with self._store.write() as connection:
            await self._check_extensions(connection, entries, faults)
            faults.raise_if_any()
            known = await _known(connection, [entry.username for _, entry in entries])
            await self._put(connection, [entry for _, entry in entries])
        return ImportResult(len(entries) - len(known), len(known))

    def _check_names(self, entry: Entry, line: int, faults: Faults) -> None:
        """Queues and skills are rules, and rules are files: a person may have only what these name."""
        levelled = tuple(queue for queue, _ in entry.levels)
        given = {"queues": (*entry.queues, *levelled), "skills": tuple(skill for skill, _ in entry.skills)}
        for column, known in self._known_names:
            for name in dict.fromkeys(given[column]) if known is not None else ():
                if name not in (known or ()):
                    expected = ", ".join(sorted(known or ())) or "none: the site has none"
                    faults.add(line, f"{column}: expected one of {expected}, got {name[:80]!r}")

    async def set_password(self, username: str, password: str) -> None:
        """Set a password and end the person's sessions.

        Raises NotFoundError for an unknown name and PasswordTooWeakError for one shorter than
        `SHORTEST_PASSWORD` or longer than `LONGEST_PASSWORD` characters.
        """
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise PasswordTooWeakError(
                f"password: expected {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters, got {len(password)}"
            )
        hashed = await self._hash(password)
        async with self._store.write() as connection:
            changed = await connection.execute(
                update(person).where(person.c.username == username).values(password_hash=hashed)
            )
            if changed.rowcount == 0:
                raise NotFoundError(f"username {username!r}: expected one that exists")
            await connection.execute(delete(session).where(session.c.username == username))

    async def check_password(self, username: str, password: str) -> Person | None:
        """The person whose password this is, or None. Takes as long for an unknown name as for a known one."""
        async with self._store.read() as connection:
            hashed = await connection.scalar(select(person.c.password_hash).where(person.c.username == username))
        fits = await self._verify(hashed, password)
        if hashed is None or not fits:
            return None
        if self._hasher.check_needs_rehash(hashed):
            await self._strengthen(username, hashed, password)
        return await self.find(username)

    # --- passwords ------------------------------------------------------------------------------------

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, password.encode("utf-8", "replace"))

    async def _verify(self, hashed: str | None, password: str) -> bool:
        if not self._nobody:
            self._nobody = await self._hash(secrets.token_urlsafe(32))
        async with self._hashing:
            try:
                return await asyncio.to_thread(
                    self._hasher.verify, hashed or self._nobody, password.encode("utf-8", "replace")
                )
            except (VerificationError, InvalidHashError):
                return False

    async def _strengthen(self, username: str, old: str, password: str) -> None:
        hashed = await self._hash(password)
        async with self._store.write() as connection:
            unchanged = (person.c.username == username) & (person.c.password_hash == old)
            await connection.execute(update(person).where(unchanged).values(password_hash=hashed))

    # --- writing --------------------------------------------------------------------------------------

    async def _check_extensions(
        self, connection: AsyncConnection, entries: Sequence[tuple[int, Entry]], faults: Faults
    ) -> None:
        found = await connection.execute(select(person.c.username, person.c.extension).where(person.c.extension != ""))
        changing = {entry.username for _, entry in entries}
        owners = {row.extension: row.username for row in found if row.username not in changing}
        for line, entry in entries:
            if not entry.extension:
                continue
            owner = owners.setdefault(entry.extension, entry.username)
            if owner != entry.username:
                faults.add(line, f"extension: {entry.extension} belongs to {owner} already")

    async def _put(self, connection: AsyncConnection, entries: Sequence[Entry]) -> None:
        usernames = [entry.username for entry in entries]
        found = await connection.execute(
            select(person.c.username, person.c.phone_secret).where(person.c.username.in_(usernames))
        )
        known: dict[str, str] = {row.username: row.phone_secret for row in found}
        rows = [_row(entry, known.get(entry.username) or secrets.token_urlsafe(18)) for entry in entries]
        await self._store.upsert(connection, person, ("username",), rows)
        for table in (person_queue, person_skill, person_queue_level, person_capacity):
            await connection.execute(delete(table).where(table.c.username.in_(usernames)))
        queues = [
            {"username": entry.username, "queue": queue, "place": place}
            for entry in entries
            for place, queue in enumerate(entry.queues)
        ]
        skills = [
            {"username": entry.username, "skill": skill, "level": level}
            for entry in entries
            for skill, level in entry.skills
        ]
        await self._store.upsert(connection, person_queue, ("username", "queue"), queues)
        await self._store.upsert(connection, person_skill, ("username", "skill"), skills)
        levels = [
            {"username": entry.username, "queue": queue, "level": level}
            for entry in entries
            for queue, level in entry.levels
        ]
        capacity = [
            {"username": entry.username, "medium": medium, "most": most}
            for entry in entries
            for medium, most in entry.capacity
        ]
        await self._store.upsert(connection, person_queue_level, ("username", "queue"), levels)
        await self._store.upsert(connection, person_capacity, ("username", "medium"), capacity)


def _row(entry: Entry, secret: str) -> dict[str, Any]:
    return {
        "username": entry.username,
        "name": entry.name,
        "roles": [str(role) for role in entry.roles],
        "extension": entry.extension,
        "phone_kind": entry.phone,
        "phone_secret": secret if entry.extension else "",
        "phone_address": entry.address,
        "weight": entry.weight,
    }


async def _known(connection: AsyncConnection, usernames: list[str]) -> set[str]:
    return set(await connection.scalars(select(person.c.username).where(person.c.username.in_(usernames))))


async def _people(connection: AsyncConnection, condition: Any) -> list[Person]:
    columns = (person.c.username, person.c.name, person.c.roles, person.c.extension, person.c.weight)
    chosen = select(*columns).order_by(person.c.username)
    queues = select(person_queue.c.username, person_queue.c.queue).order_by(person_queue.c.place)
    skills = _pairs_of(person_skill.c.username, person_skill.c.skill, person_skill.c.level)
    level = person_queue_level.c
    levels = _pairs_of(level.username, level.queue, level.level)
    most = person_capacity.c
    capacity = _pairs_of(most.username, most.medium, most.most)
    if condition is not None:
        whose = select(person.c.username).where(condition)
        chosen = chosen.where(condition)
        queues = queues.where(person_queue.c.username.in_(whose))
        skills = skills.where(person_skill.c.username.in_(whose))
        levels = levels.where(level.username.in_(whose))
        capacity = capacity.where(most.username.in_(whose))
    rows = (await connection.execute(chosen)).all()
    queues_of: dict[str, list[str]] = {row.username: [] for row in rows}
    for username, queue in await connection.execute(queues):
        queues_of[username].append(queue)
    skills_of, levels_of, capacity_of = [await _pairs(connection, query) for query in (skills, levels, capacity)]
    return [
        Person(
            username=row.username,
            name=row.name,
            roles=tuple(Role(role) for role in row.roles),
            extension=row.extension,
            queues=tuple(queues_of[row.username]),
            skills=skills_of.get(row.username, ()),
            weight=row.weight,
            levels=levels_of.get(row.username, ()),
            capacity=capacity_of.get(row.username, ()),
        )
        for row in rows
    ]


def _pairs_of(username: Column[Any], name: Column[Any], number: Column[Any]) -> Select[Any]:
    return select(username, name, number).order_by(name)


async def _pairs(connection: AsyncConnection, query: Select[Any]) -> dict[str, tuple[tuple[str, int], ...]]:
    """By person their (name, number) pairs, by name."""
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    for username, name, number in await connection.execute(query):
        found[username] = (*found.get(username, ()), (name, number))
    return found
