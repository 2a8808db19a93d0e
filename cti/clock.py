"""The one place that reads the clock.

`now` everywhere is integer microseconds UTC: wall time at start, advanced by a clock that never runs back and
counts a suspended machine, never below a floor (the last journal entry). So an NTP step or a changed wall clock
moves no deadline and reorders no event; the price is that a correction shows only after a restart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = 1_000_000
# asyncio sleeps on a clock that stands still while the machine is suspended; waking now and then bounds the lag.
_LONGEST_SLEEP_S = 60.0


def utc(now: int) -> datetime:
    """Return the instant `now` (microseconds UTC) as an aware datetime."""
    return _EPOCH + timedelta(microseconds=now)


def _steady_ns() -> int:
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


class Clock:
    """`now()` in microseconds UTC; never runs back."""

    def __init__(
        self,
        floor: int = 0,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        steady_ns: Callable[[], int] = _steady_ns,
    ) -> None:
        self._steady_ns = steady_ns
        self._started_ns = steady_ns()
        self._base_us = wall_ns() // 1000
        self._last = 0
        self.raise_floor(floor)

    def now(self) -> int:
        """Return microseconds since the epoch, UTC; equal to or above every value returned before."""
        self._last = max(self._last, self._base_us + (self._steady_ns() - self._started_ns) // 1000)
        return self._last

    def raise_floor(self, at: int) -> None:
        """Never be below `at` from now on; from a raised floor time goes on at its normal speed."""
        behind = at - self.now()
        if behind > 0:
            self._base_us += behind

    async def sleep_until(self, at: int) -> None:
        """Return when `now()` has reached `at`; at once (but after one turn of the loop) if it has."""
        while (remaining := at - self.now()) > 0:  # noqa: ASYNC110 - what is awaited is time itself
            await asyncio.sleep(min(remaining / _US, _LONGEST_SLEEP_S))
        await asyncio.sleep(0)
