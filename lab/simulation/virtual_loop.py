"""An event loop whose time is the world's: nothing waits, and between two turns anything may happen to the process.

Whoever sleeps in the loop wakes when the world's clock has come so far. The world does its own events between the
turns, and may end the loop by raising (`Crash`): what ran in it is then gone, as with `kill -9`.
"""

from __future__ import annotations

import asyncio
import selectors
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

#: The loop has nothing to do before so long; the world is asked again then.
_LONGEST_S = 1.0


class Crash(BaseException):
    """The process is gone. No task may catch it."""


class _WorldSelector(selectors._BaseSelectorImpl):
    """Waits by letting the world go on. Files are never ready: whatever the loop has of its own is not looked at."""

    def __init__(self, pass_time: Callable[[float], None]) -> None:
        super().__init__()
        self._pass_time = pass_time

    def select(self, timeout: float | None = None) -> list[Any]:
        self._pass_time(_LONGEST_S if timeout is None else max(0.0, min(timeout, _LONGEST_S)))
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`now_s`: the world's clock. `pass_time`: let the world go on for at most so long; may raise Crash."""

    def __init__(self, now_s: Callable[[], float], pass_time: Callable[[float], None]) -> None:
        self._now_s = now_s
        super().__init__(_WorldSelector(pass_time))
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._now_s()

    def drop(self) -> None:
        """Forget everything that was going on, without letting any of it go on."""
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine = task.get_coro()
            with suppress(BaseException), warnings.catch_warnings():  # nobody hears what it says as it goes
                warnings.simplefilter("ignore", RuntimeWarning)
                if coroutine is not None:
                    coroutine.close()
        self._ready.clear()  # type: ignore[attr-defined]
        self._scheduled.clear()  # type: ignore[attr-defined]
        self.close()
