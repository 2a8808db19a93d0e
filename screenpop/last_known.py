"""What the server must know when its database does not answer: people, their phones, and who is signed in.

Kept in memory and in a file that only its owner may read. Nothing here is newer than the database: as soon as that
answers, it is asked. Passwords are not kept, so nobody new signs in meanwhile; whoever is signed in stays so until
their session ends by time.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import structlog

from screenpop.model import Person, PersonPhone

log = structlog.get_logger(__name__)

MOST_SESSIONS_KNOWN = 10_000
_SAVE_EVERY_S = 1.0
#: The journal's position moves with every call; the file need not follow each.
_POSITION_STEP = 200


class LastKnown:
    """Read from `file` when made; None keeps to memory. As a context it is saved every second, and at the end.

    A file that cannot be read counts as none, and is logged.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._people: dict[str, Person] = {}
        self._phones: dict[str, PersonPhone] = {}
        self._sessions: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._position = 0
        self._revision = ""
        self._changed = False
        self._has_failed = False
        self._task: asyncio.Task[None] | None = None
        if file is not None:
            self._read(file)

    # --- asking --------------------------------------------------------------------------------------------

    @property
    def people(self) -> Sequence[Person]:
        """By username; empty when nothing is known."""
        return list(self._people.values())

    @property
    def phones(self) -> Mapping[str, PersonPhone]:
        """By username."""
        return self._phones

    @property
    def position(self) -> int:
        """A position of the journal up to which everything is in the tables; may be far behind."""
        return self._position

    @property
    def revision(self) -> str:
        """The revision that the tables were at; empty when nothing is known."""
        return self._revision

    def person(self, username: str) -> Person | None:
        return self._people.get(username)

    def session(self, session_id: str) -> tuple[str, int] | None:
        """Username and end of a session."""
        return self._sessions.get(session_id)

    # --- keeping -------------------------------------------------------------------------------------------

    def keep_people(self, people: Iterable[Person]) -> None:
        """These and no others."""
        self._people = self._note(self._people, {each.username: each for each in people})

    def keep_person(self, username: str, person: Person | None) -> None:
        """What was found under this name."""
        if person is None:
            self._changed |= self._people.pop(username, None) is not None
        elif self._people.get(username) != person:
            self._people[username] = person
            self._changed = True

    def keep_phones(self, phones: Mapping[str, PersonPhone]) -> None:
        """These and no others."""
        self._phones = self._note(self._phones, dict(phones))

    def keep_session(self, session_id: str, username: str, expires_at: int) -> None:
        """Somebody is signed in; the session not seen for longest is forgotten when there are too many."""
        known = (username, expires_at)
        if self._sessions.get(session_id) != known:
            self._sessions[session_id] = known
            self._changed = True
        self._sessions.move_to_end(session_id)
        while len(self._sessions) > MOST_SESSIONS_KNOWN:
            self._sessions.popitem(last=False)

    def forget_sessions(self, ids: Iterable[str]) -> None:
        """They have ended."""
        for session_id in ids:
            self._changed |= self._sessions.pop(session_id, None) is not None

    def keep_position(self, position: int, *, is_sure: bool = False) -> None:
        """Everything up to here is in the tables; `is_sure`: also when it goes back (another journal)."""
        if is_sure or position >= self._position + _POSITION_STEP:
            self._changed |= position != self._position
            self._position = position

    def keep_revision(self, revision: str) -> None:
        self._changed |= revision != self._revision
        self._revision = revision

    def _note(self, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        self._changed |= before != after
        return after

    # --- the file ------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_saved(), name="last known")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.save()

    async def _keep_saved(self) -> None:
        while True:
            await self.save()
            await asyncio.sleep(_SAVE_EVERY_S)

    async def save(self) -> None:
        """Write the file if something has changed. Never raises: a disk that is full is logged once."""
        if self._changed and self._file is not None:
            self._changed = False
            await asyncio.to_thread(self._replace, self._file, self._encoded())

    def _encoded(self) -> bytes:
        return orjson.dumps(
            {
                "people": [each.model_dump(mode="json") for each in self._people.values()],
                "phones": {name: [p.extension, p.kind, p.secret, p.address] for name, p in self._phones.items()},
                "sessions": [[key, *known] for key, known in self._sessions.items()],
                "position": self._position,
                "revision": self._revision,
            }
        )

    def _replace(self, file: Path, data: bytes) -> None:
        new = file.with_name(f"{file.name}.new")
        try:
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            new.replace(file)
            self._has_failed = False
        except OSError as error:
            self._changed = True
            if not self._has_failed:
                log.error("last_known.not_saved", file=str(file), why=str(error)[:200])
            self._has_failed = True

    def _read(self, file: Path) -> None:
        try:
            found = orjson.loads(file.read_bytes())
            people = [Person.model_validate(each) for each in found["people"]]
            phones = {str(name): PersonPhone(*map(str, fields)) for name, fields in found["phones"].items()}
            sessions = OrderedDict((str(key), (str(name), int(end))) for key, name, end in found["sessions"])
            position, revision = int(found["position"]), str(found["revision"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.error("last_known.unreadable", file=str(file), why=f"{type(error).__name__}: {error}"[:200])
            return
        self._people = {each.username: each for each in people}
        self._phones, self._sessions, self._position, self._revision = phones, sessions, position, revision
