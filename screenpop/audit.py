"""The audit: who did what, and when. Rows are only ever added; what adds one with a change of its own does so in that
change's transaction (`audit` in `screenpop.db.tables`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import insert, select

from screenpop.db.store import Store
from screenpop.db.tables import audit
from screenpop.text import storable

MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Deed:
    """A row. `at`: microseconds UTC; `subject`: what it was done to; `detail` differs from action to action."""

    id: int
    at: int
    actor: str
    action: str
    subject: str
    detail: Mapping[str, object]


class AuditLog:
    """The audit of one database. `now`: microseconds UTC."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now

    async def note(self, actor: str, action: str, subject: str, detail: Mapping[str, object]) -> None:
        """Add a row."""
        row = insert(audit).values(
            at=self._now(), actor=storable(actor), action=action, subject=storable(subject), detail=_storable(detail)
        )
        async with self._store.write() as connection:
            await connection.execute(row)

    async def read(self, *, before: int = 0, actor: str = "", action: str = "", most: int = MOST_ROWS) -> list[Deed]:
        """Newest first: `before` this id (0: from the newest), of this actor, of actions that begin so."""
        query = select(audit).order_by(audit.c.id.desc()).limit(most)
        if before:
            query = query.where(audit.c.id < before)
        if actor:
            query = query.where(audit.c.actor == actor)
        if action:
            query = query.where(audit.c.action.startswith(action, autoescape=True))
        async with self._store.read() as connection:
            return [Deed(**row._mapping) for row in await connection.execute(query)]


def _storable(value: object) -> object:
    match value:
        case str():
            return storable(value)
        case Mapping():
            return {key: _storable(each) for key, each in value.items()}
        case list() | tuple():
            return [_storable(each) for each in value]
        case _:
            return value
