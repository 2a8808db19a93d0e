"""The tables of what happened, written behind from the engine's facts.

`keep` only puts rows into a bounded list; one writer takes them out in batches, at most `interval_s` after the
first, and writes each batch with the journal position it reaches in one transaction. Every fact sets its own
columns of the row with its id, so facts may come doubled and in any order; of a callback, whose facts set the same
columns, the latest stays.

Overflow: when the list is full (the database has been away for long) the oldest rows stay and the new ones are
left out, counted and logged. From then on the stored position stays before the first entry left out
(`missing_from`), so that the journal can be replayed from `written_position()` and nothing is lost for good.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import structlog
from sqlalchemy import Connection, Insert, Table, case, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import CompileError, DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from acd import commands
from acd.commands import Fact
from screenpop.db import tables
from screenpop.db.availability import AWAY, why_of
from screenpop.db.store import Store
from screenpop.last_known import LastKnown
from screenpop.text import storable

log = structlog.get_logger(__name__)

_NAME = "records"
#: Fact → its table and, where they differ, the columns of its fields. A fact that is not here is not recorded.
_PLACES: dict[type, tuple[Table, Mapping[str, str]]] = {
    commands.InteractionOpened: (tables.interaction, {"interaction_id": "id", "gap": "arrived_in_gap"}),
    commands.InteractionClosed: (tables.interaction, {"interaction_id": "id", "gap": "closed_in_gap"}),
    commands.VisitOpened: (tables.queue_visit, {"visit_id": "id"}),
    commands.VisitClosed: (tables.queue_visit, {"visit_id": "id"}),
    commands.OfferClosed: (tables.offer, {"offer_id": "id"}),
    commands.TalkOpened: (tables.talk, {"talk_id": "id"}),
    commands.TalkClosed: (tables.talk, {"talk_id": "id", "gap": "ended_in_gap"}),
    commands.WrapUpClosed: (
        tables.talk,
        {
            "talk_id": "id",
            "started_at": "wrap_up_started_at",
            "ended_at": "wrap_up_ended_at",
            "timed_out": "wrap_up_timed_out",
        },
    ),
    commands.CallbackChanged: (tables.callback, {}),
    commands.RecordingOpened: (tables.recording, {"recording_id": "id"}),
    commands.RecordingClosed: (tables.recording, {"recording_id": "id"}),
    commands.SurveyAnswerKept: (tables.survey_answer, {"answer_id": "id"}),
    commands.AgentIntervalClosed: (tables.agent_interval, {"interval_id": "id"}),
}

Row = tuple[Table, dict[str, Any]]


def _columns(fact: Any, names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((each.name, names.get(each.name, each.name)) for each in fields(fact))


#: Fact → its table and (field, column) pairs: looked up for every fact, so worked out once.
_COLUMNS = {fact: (table, _columns(fact, names)) for fact, (table, names) in _PLACES.items()}


def row_of(fact: Fact) -> Row | None:
    """The table and columns that `fact` sets, or None when it is only for screens."""
    place = _COLUMNS.get(type(fact))
    if place is None:
        return None
    table, columns = place
    return table, {column: _value(getattr(fact, field)) for field, column in columns}


def _value(value: object) -> object:
    if isinstance(value, str):
        return storable(str(value))
    if isinstance(value, tuple | list):
        return [_value(item) for item in value]
    return value


@dataclass(slots=True)
class _Entry:
    position: int | None
    rows: list[Row]


class Records:
    """Takes facts and writes them behind. Use as a context: leaving writes what is left, for at most `leave_s`."""

    def __init__(
        self,
        store: Store,
        *,
        capacity: int = 100_000,
        interval_s: float = 0.2,
        longest_pause_s: float = 10.0,
        leave_s: float = 10.0,
        known: LastKnown | None = None,
    ) -> None:
        """`known`: where the written position is kept for a start without the database."""
        self._store = store
        self._known = known or LastKnown()
        self._capacity = capacity
        self._interval_s = interval_s
        self._longest_pause_s = longest_pause_s
        self._leave_s = leave_s
        self._entries: deque[_Entry] = deque()
        self._size = 0
        self._taken = 0
        self._written = 0
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        #: Position of the first journal entry left out, or None.
        self.missing_from: int | None = None
        #: Rows left out because the list was full, and rows that the database refused for what they say.
        self.left_out = 0
        self.refused = 0
        #: What the database said last, while it is away; empty when it is there.
        self.trouble = ""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="records")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        try:
            async with asyncio.timeout(self._leave_s):
                await self.flush()
        except TimeoutError:
            log.error("records not written at the end", rows=self.backlog, why=self.trouble)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def backlog(self) -> int:
        """Rows taken and not yet written."""
        return self._size

    def keep(self, position: int, facts: Sequence[Fact]) -> None:
        """Take the facts of journal entry `position`. Never waits, never raises."""
        self._take(position, [row for row in map(row_of, facts) if row is not None])

    def keep_customer(self, interaction_id: str, caller_number: str, customer_id: str | None, how: str) -> None:
        """Take who an interaction is with; `how` is matched, looked_up or chosen (empty when nobody was found)."""
        row = {
            "id": interaction_id,
            "caller_number": caller_number,
            "customer_id": customer_id,
            "customer_how": how,
        }
        self._take(None, [(tables.interaction, row)])

    async def flush(self) -> None:
        """Wait until everything taken so far is written (for ever, while the database is away)."""
        if self._written >= self._taken:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((self._taken, waiter))
        self._hurry.set()
        await waiter

    async def written_position(self) -> int:
        """The journal position up to which everything is in the tables; 0 when nothing is."""
        async with self._store.read() as connection:
            position = await connection.scalar(select(tables.journal_position.c.position))
        return int(position or 0)

    async def resume(self, journal_position: int) -> int:
        """The position after which this journal, now at `journal_position`, has to be replayed into the tables.

        A stored position beyond it is that of another journal (the old one was lost or put away): it is set back,
        so that nothing of the new one is taken for written. While the database is away it is the last known one, which
        may be far behind: rows that are there already are written once more, and stay as they are.
        """
        try:
            written = await self.written_position()
        except AWAY as error:
            self.trouble = why_of(error)
            return min(self._known.position, journal_position)
        if written <= journal_position:
            self._known.keep_position(written, is_sure=True)
            return written
        log.warning("another journal than the records were written from", written=written, journal=journal_position)
        async with self._store.write() as connection:
            await connection.execute(update(tables.journal_position).values(position=journal_position))
        self._known.keep_position(journal_position, is_sure=True)
        return journal_position

    # --- taking ---------------------------------------------------------------------------------------

    def _take(self, position: int | None, rows: list[Row]) -> None:
        if self._size + len(rows) > self._capacity:
            self._leave_out(position, len(rows))
            return
        if not rows and self._entries and not self._entries[-1].rows:
            self._entries[-1].position = position
        else:
            self._entries.append(_Entry(position, rows))
            self._taken += 1
        self._size += len(rows)
        self._wake.set()

    def _leave_out(self, position: int | None, count: int) -> None:
        self.left_out += count
        if self.missing_from is None and position is not None:
            self.missing_from = position
            log.error("records full, new ones left out", position=position, rows=self._size, why=self.trouble)

    # --- writing --------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await self._let_more_come()
            self._wake.clear()
            while self._entries:
                batch = self._next_batch()
                await self._write_until_done(batch)
                self._written += len(batch)
                self._size -= sum(len(entry.rows) for entry in batch)
                self._tell_waiters()
            self._hurry.clear()

    async def _let_more_come(self) -> None:
        try:
            async with asyncio.timeout(self._interval_s):
                await self._hurry.wait()
        except TimeoutError:
            pass

    def _next_batch(self, most: int = 2_000) -> list[_Entry]:
        batch: list[_Entry] = []
        rows = 0
        while self._entries and (not batch or rows + len(self._entries[0].rows) <= most):
            entry = self._entries.popleft()
            rows += len(entry.rows)
            batch.append(entry)
        return batch

    def _tell_waiters(self) -> None:
        done = [waiter for target, waiter in self._waiters if target <= self._written]
        self._waiters = [(target, waiter) for target, waiter in self._waiters if target > self._written]
        for waiter in done:
            if not waiter.done():
                waiter.set_result(None)

    async def _write_until_done(self, batch: list[_Entry]) -> None:
        rows = list(itertools.chain.from_iterable(entry.rows for entry in batch))
        position = self._reached(batch)
        pause_s = self._interval_s
        while True:
            try:
                async with asyncio.timeout(30):
                    await self._write(rows, position)
            except Exception as error:  # noqa: BLE001  # whatever it is, the writer goes on
                if blames_the_row(error):
                    rows = await self._write_one_by_one(rows)
                    continue
                self.trouble = why_of(error)
                log.warning("records not written, trying again", why=self.trouble, pause_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self._longest_pause_s)
            else:
                self.trouble = ""
                if position is not None:
                    self._known.keep_position(position)
                return

    def _reached(self, batch: list[_Entry]) -> int | None:
        positions = [entry.position for entry in batch if entry.position is not None]
        if self.missing_from is not None:
            positions = [position for position in positions if position < self.missing_from]
        return max(positions, default=None)

    async def _write(self, rows: Sequence[Row], position: int | None) -> None:
        groups: defaultdict[tuple[Table, tuple[str, ...]], list[dict[str, Any]]] = defaultdict(list)
        for table, columns in rows:
            groups[table, tuple(columns)].append(columns)

        def put(connection: Connection) -> None:
            for (table, _), alike in groups.items():
                self._store.put(connection, table, table.primary_key.columns.keys(), alike)
            if position is not None:
                connection.execute(_further(self._store.is_sqlite), {"name": _NAME, "position": position})

        await self._store.change(put)

    async def _write_one_by_one(self, rows: Sequence[Row]) -> list[Row]:
        """Write each row by itself and drop those that the database refuses; return those still to write."""
        for place, row in enumerate(rows):
            try:
                await self._write([row], None)
            except Exception as error:  # noqa: BLE001  # as above
                if not blames_the_row(error):
                    return list(rows[place:])
                self.refused += 1
                log.error("record refused", table=row[0].name, id=_id_of(row), why=why_of(error))
        return []


@lru_cache(maxsize=2)
def _further(is_sqlite: bool) -> Insert:
    # A replay starts before the stored position; it must not move it back.
    table = tables.journal_position
    insert = sqlite.insert(table) if is_sqlite else postgresql.insert(table)
    further = case((insert.excluded.position > table.c.position, insert.excluded.position), else_=table.c.position)
    return insert.on_conflict_do_update(index_elements=["name"], set_={"position": further})


def blames_the_row(error: Exception) -> bool:
    """Whether the row cannot be written at all; else the database is away, and the row waits for it."""
    if isinstance(error, DataError | IntegrityError | CompileError):
        return True
    if isinstance(error, SQLAlchemyError):
        return isinstance(error, StatementError) and not isinstance(error, DBAPIError)
    return not isinstance(error, OSError | TimeoutError)


def _id_of(row: Row) -> Any:
    table, columns = row
    (key,) = table.primary_key.columns.keys()
    return columns[key]
