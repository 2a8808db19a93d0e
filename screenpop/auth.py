"""Signing in and out: opaque random tokens, kept as SHA-256 only, and revocable at once."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from screenpop.db.availability import AWAY
from screenpop.db.store import Store
from screenpop.db.tables import audit, session
from screenpop.entries import username_of
from screenpop.errors import NotSignedInError, SignInRefusedError, TooManyAttemptsError
from screenpop.model import Person
from screenpop.people import LONGEST_PASSWORD, People
from screenpop.text import storable

COOKIE = "callyard_session"
#: A person's sessions; a new one ends the oldest.
MOST_SESSIONS = 20
_TOKEN_BYTES = 32
_LONGEST_TOKEN = 100
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in. `id` is the token's SHA-256; the token itself is only in their cookie."""

    id: str
    person: Person
    expires_at: int


class RateLimit:
    """At most `attempts` in `window_s` for each key; attempts that succeed are given back.

    At most `keys` keys are remembered; the one not used for longest goes first.
    """

    def __init__(self, attempts: int, window_s: int, clock: Callable[[], int], *, keys: int = 10_000) -> None:
        self._attempts = attempts
        self._window_us = window_s * _US
        self._clock = clock
        self._keys = keys
        self._taken: OrderedDict[str, deque[int]] = OrderedDict()

    def take(self, key: str) -> None:
        """Count an attempt. Raises TooManyAttemptsError when there were too many."""
        now = self._clock()
        taken = self._taken.setdefault(key, deque(maxlen=self._attempts))
        self._taken.move_to_end(key)
        while taken and taken[0] <= now - self._window_us:
            taken.popleft()
        if len(taken) >= self._attempts:
            raise TooManyAttemptsError(max(1, -((now - taken[0] - self._window_us) // _US)))
        taken.append(now)
        while len(self._taken) > self._keys:
            self._taken.popitem(last=False)

    def give_back(self, key: str) -> None:
        """The last attempt succeeded: it does not count."""
        if taken := self._taken.get(key):
            taken.pop()

    def forget(self, key: str) -> None:
        """Forgive every attempt."""
        self._taken.pop(key, None)


class Sessions:
    """Who is signed in. `ended` is called with the ids of sessions that this process ends."""

    def __init__(
        self,
        store: Store,
        people: People,
        clock: Callable[[], int],
        *,
        hours: float = 12,
        attempts_per_name: int = 10,
        attempts_per_address: int = 50,
        window_s: int = 300,
        waiting: int = 32,
    ) -> None:
        self._store = store
        self._people = people
        self._clock = clock
        self._length_us = int(hours * 3600 * _US)
        self._names = RateLimit(attempts_per_name, window_s, clock)
        self._addresses = RateLimit(attempts_per_address, window_s, clock)
        self._room = asyncio.BoundedSemaphore(waiting)
        self._known = people.known
        self.ended: Callable[[Collection[str], str], None] = lambda ids, reason: None

    @property
    def length_s(self) -> int:
        return self._length_us // _US

    async def sign_in(self, username: str, password: str, address: str) -> tuple[str, Session]:
        """Return the new token and its session.

        Raises SignInRefusedError (same words and same time for an unknown name and a wrong password) and
        TooManyAttemptsError.
        """
        username = username_of(storable(username))[:64]
        self._names.take(username)
        self._addresses.take(address)
        if self._room.locked():
            raise TooManyAttemptsError(1)
        async with self._room:
            person = await self._people.check_password(username, password[: LONGEST_PASSWORD + 1])
        if person is None:
            await self._note("sign_in_refused", username, address)
            raise SignInRefusedError("The name or the password is wrong.")
        self._names.forget(username)
        self._addresses.give_back(address)
        return await self._open(person, address)

    async def find(self, token: str) -> Session:
        """The session of this token. Raises NotSignedInError when there is none, or no longer."""
        if token and len(token) <= _LONGEST_TOKEN:
            found = await self._row(_id_of(token))
            if found is not None and found.expires_at > self._clock():
                person = await self._people.find(found.username)
                if person is not None:
                    return Session(found.id, person, found.expires_at)
        raise NotSignedInError("Sign in first.")

    async def sign_out(self, ended: Session) -> None:
        """End this session now, everywhere."""
        await self._delete([ended.id])
        await self._note("sign_out", ended.person.username, "")
        self.ended([ended.id], "signed_out")

    async def revoke(self, username: str) -> None:
        """End every session of a person now."""
        async with self._store.read() as connection:
            ids = list(await connection.scalars(select(session.c.token_hash).where(session.c.username == username)))
        await self._delete(ids)
        await self._note("sessions_revoked", username, "")
        self.ended(ids, "revoked")

    async def gone(self, ids: Collection[str]) -> set[str]:
        """Which of these sessions have ended (also through another process)."""
        async with self._store.read() as connection:
            there = set(
                await connection.scalars(
                    select(session.c.token_hash).where(
                        session.c.token_hash.in_(list(ids)), session.c.expires_at > self._clock()
                    )
                )
            )
        gone = set(ids) - there
        self._known.forget_sessions(gone)
        return gone

    async def _open(self, person: Person, address: str) -> tuple[str, Session]:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        now = self._clock()
        opened = Session(_id_of(token), person, now + self._length_us)
        async with self._store.write() as connection:
            await connection.execute(delete(session).where(session.c.expires_at <= now))
            older = select(session.c.token_hash).where(session.c.username == person.username)
            older = older.order_by(session.c.created_at.desc()).offset(MOST_SESSIONS - 1).limit(1000)
            ids = list(await connection.scalars(older))
            await connection.execute(delete(session).where(session.c.token_hash.in_(ids)))
            await connection.execute(
                insert(session).values(
                    token_hash=opened.id,
                    username=person.username,
                    created_at=now,
                    expires_at=opened.expires_at,
                    address=address,
                )
            )
        self._known.forget_sessions(ids)
        self._known.keep_session(opened.id, person.username, opened.expires_at)
        await self._note("sign_in", person.username, address)
        return token, opened

    async def _row(self, session_id: str) -> _Row | None:
        """The session; as last known while the database is away, which then raises for one that nobody knows."""
        try:
            async with self._store.read() as connection:
                found = await connection.execute(
                    select(session.c.username, session.c.expires_at).where(session.c.token_hash == session_id)
                )
                row = found.first()
        except AWAY:
            known = self._known.session(session_id)
            if known is None:
                raise
            return _Row(session_id, *known)
        if row is None:
            self._known.forget_sessions([session_id])
            return None
        self._known.keep_session(session_id, row.username, row.expires_at)
        return _Row(session_id, row.username, row.expires_at)

    async def _delete(self, ids: Collection[str]) -> None:
        async with self._store.write() as connection:
            await connection.execute(delete(session).where(session.c.token_hash.in_(list(ids))))
        self._known.forget_sessions(ids)

    async def _note(self, action: str, username: str, address: str) -> None:
        async with self._store.write() as connection:
            await connection.execute(
                insert(audit).values(
                    at=self._clock(), actor=username, action=action, subject=username, detail={"address": address}
                )
            )


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    username: str
    expires_at: int


def _id_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
