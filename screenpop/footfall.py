"""Counts what callers do at the steps of flows: how many stand where now, and sums that are written behind.

Sums are gathered in memory and added to the tables once a second, in one transaction with the number of the batch: a
batch whose writing was told to have failed, but had not, is not added twice. What a crash loses is what was counted
since the last batch, a second at most while the database is there; stopping the server loses nothing. How many stand
where is known in memory only: after a start callers are counted again as soon as their call is taken up.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.engine import Connection

from screenpop.db.availability import why_of
from screenpop.db.flow_numbers import QUARTER_US, VERSION_SIGNS, Key, Sums, add
from screenpop.db.records import blames_the_row
from screenpop.db.store import Store

log = structlog.get_logger(__name__)

#: A step of a flow: version of the files, flow, address.
Spot = tuple[str, str, str]
#: So many sums (steps times quarters of an hour) wait for a database that is away; further ones are left out.
CAPACITY = 200_000


class Footfall:
    """Use as a context: leaving writes what is left, for at most `leave_s`."""

    def __init__(
        self,
        store: Store,
        now: Callable[[], int],
        *,
        capacity: int = CAPACITY,
        interval_s: float = 1.0,
        longest_pause_s: float = 10.0,
        leave_s: float = 10.0,
    ) -> None:
        self._store = store
        self._now = now
        self._capacity = capacity
        self._interval_s = interval_s
        self._longest_pause_s = longest_pause_s
        self._leave_s = leave_s
        self._writer = secrets.token_hex(16)
        self._number = 0
        self._sums: dict[Key, Sums] = {}
        self._standing: Counter[tuple[str, str]] = Counter()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._written = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._is_writing = False
        #: Happenings that were not counted because the database was away for too long, or refused them.
        self.left_out = 0
        #: What the database said last, while it is away; empty when it is there.
        self.trouble = ""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="footfall")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        try:
            async with asyncio.timeout(self._leave_s):
                await self.flush()
        except TimeoutError:
            log.error("numbers of flows not written at the end", sums=len(self._sums), why=self.trouble)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def flush(self) -> None:
        """Wait until everything counted so far is written (for ever, while the database is away)."""
        self._hurry.set()
        async with self._written:
            await self._written.wait_for(lambda: not self._sums and not self._is_writing)

    def standing(self) -> Mapping[tuple[str, str], int]:
        """Flow and step → how many callers are there now."""
        return +self._standing

    # --- counting -------------------------------------------------------------------------------------

    def move(self, before: Spot | None, after: Spot | None) -> None:
        """A caller stands elsewhere; None: in no flow."""
        if before is not None:
            self._standing[before[1:]] -= 1
            if self._standing[before[1:]] <= 0:
                del self._standing[before[1:]]
        if after is not None:
            self._standing[after[1:]] += 1

    def enter(self, spot: Spot, at: int) -> None:
        """The call came to a step."""
        if sums := self._at(spot, at):
            sums.entered += 1

    def leave(self, spot: Spot, at: int, way: str, stayed_us: int) -> None:
        """It left the step by this way, after so long."""
        if sums := self._at(spot, at):
            sums.left += 1
            sums.stayed_us += stayed_us
            sums.ways[way] = sums.ways.get(way, 0) + 1

    def miss(self, spot: Spot, at: int, *, timed_out: bool) -> None:
        """No key in time, or another than was asked for."""
        if sums := self._at(spot, at):
            sums.timed_out += timed_out
            sums.invalid += not timed_out

    def hang_up(self, spot: Spot, at: int, stayed_us: int) -> None:
        """The caller ended the call here."""
        if sums := self._at(spot, at):
            sums.hung_up += 1
            sums.stayed_us += stayed_us

    def _at(self, spot: Spot, at: int) -> Sums | None:
        version, flow, step = spot
        key = (flow, at - at % QUARTER_US, version[:VERSION_SIGNS], step)
        sums = self._sums.get(key)
        if sums is None:
            if len(self._sums) >= self._capacity:
                self.left_out += 1
                return None
            sums = self._sums[key] = Sums()
        self._wake.set()
        return sums

    # --- writing --------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await self._let_more_come()
            self._wake.clear()
            self._hurry.clear()
            if self._sums:
                self._is_writing = True
                batch, self._sums = self._sums, {}
                self._number += 1
                await self._write_until_done(batch)
                self._is_writing = False
            async with self._written:
                self._written.notify_all()

    async def _let_more_come(self) -> None:
        try:
            async with asyncio.timeout(self._interval_s):
                await self._hurry.wait()
        except TimeoutError:
            pass

    async def _write_until_done(self, batch: Mapping[Key, Sums]) -> None:
        number, pause_s = self._number, self._interval_s

        def put(connection: Connection) -> None:
            add(self._store, connection, self._writer, number, self._now(), batch)

        while True:
            try:
                async with asyncio.timeout(30):
                    await self._store.change(put)
            except Exception as error:  # noqa: BLE001  # whatever it is, the writer goes on
                self.trouble = why_of(error)
                if blames_the_row(error):
                    self.left_out += len(batch)
                    log.error("numbers of flows refused", sums=len(batch), why=self.trouble)
                    return
                log.warning("numbers of flows not written, trying again", why=self.trouble, pause_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self._longest_pause_s)
            else:
                self.trouble = ""
                return
