"""A clock that stands still until a test advances it."""

from __future__ import annotations

import asyncio
import heapq
import itertools

from cti.clock import Clock

START = 1_700_000_000_000_000
"""Where a `FakeClock` begins: 2023-11-14 22:13:20 UTC."""


class FakeClock(Clock):
    """`now()` moves only by `advance`; sleepers wake in the order of their instants."""

    def __init__(self, start: int = START) -> None:
        self._now = start
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now(self) -> int:
        return self._now

    def raise_floor(self, at: int) -> None:
        self._now = max(self._now, at)

    @property
    def sleepers(self) -> int:
        """How many sleep now."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep_until(self, at: int) -> None:
        if at <= self._now:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (at, next(self._order), future))
        await future

    def advance(self, microseconds: int = 0, *, seconds: float = 0) -> None:
        """Move on and wake whoever is due; the woken run at the next turn of the loop (see `settle`)."""
        self._now += microseconds + round(seconds * 1_000_000)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)

    async def tick(self, microseconds: int = 0, *, seconds: float = 0) -> None:
        """`advance` in steps, stopping at each sleeper's instant so that it sees its own time, then settle."""
        await settle()
        until = self._now + microseconds + round(seconds * 1_000_000)
        while self._sleepers and self._sleepers[0][0] <= until:
            self.advance(max(0, self._sleepers[0][0] - self._now))
            await settle()
        self.advance(until - self._now)
        await settle()


async def settle(turns: int = 20) -> None:
    """Let the loop turn until tasks that need no outside event have run; a bounded number of turns."""
    for _ in range(turns):
        await asyncio.sleep(0)
