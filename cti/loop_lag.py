"""How late the event loop comes to what is due: measured all the time, for metrics and `callyard status`.

Ending a process whose loop does not turn at all is `cti.watchdog`'s.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Sequence

EVERY_S = 0.1
#: The worst is kept for so long at least, twice as long at most.
WORST_KEPT_S = 60.0
#: Upper bounds of the buckets, seconds.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Spread:
    """How often something took how long: counts below each of `bounds`, and the sum."""

    def __init__(self, bounds: Sequence[float] = BUCKETS) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.sum = 0.0

    def note(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.sum += seconds

    @property
    def count(self) -> int:
        return sum(self._counts)

    def buckets(self) -> list[tuple[str, int]]:
        """Upper bound → how many were at most that, as Prometheus writes them."""
        found, below = [], 0
        for bound, count in zip((*(str(each) for each in self._bounds), "+Inf"), self._counts, strict=True):
            below += count
            found.append((bound, below))
        return found


class LoopLag:
    """`run` it on the loop that is to be measured."""

    def __init__(self) -> None:
        self.spread = Spread()
        self._worst = self._worst_before = 0.0
        self._turned_at = 0.0

    @property
    def worst_s(self) -> float:
        """The worst of the last one to two minutes."""
        return max(self._worst, self._worst_before)

    def note(self, late_s: float, now_s: float) -> None:
        """At `now_s` (monotonic) the loop was so late."""
        self.spread.note(late_s)
        if now_s - self._turned_at >= WORST_KEPT_S:
            is_next = now_s - self._turned_at < 2 * WORST_KEPT_S
            self._worst_before, self._worst = (self._worst if is_next else 0.0), 0.0
            self._turned_at = now_s
        self._worst = max(self._worst, late_s)

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        self._turned_at = loop.time()
        while True:
            due = loop.time() + EVERY_S
            await asyncio.sleep(EVERY_S)
            now = loop.time()
            self.note(max(0.0, now - due), now)
