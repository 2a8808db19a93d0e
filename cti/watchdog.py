"""Ends the process when its event loop has not turned for too long.

A server that is alive and silent is worse for callers than a dead one: Asterisk waits for the silent one, and goes on
at once without the dead one. Journal and channels keep everything that matters, so a `SIGKILL` loses nothing.

Two guards. A thread counts its **own wake-ups** without a turn of the loop, not wall time: a stopped process
(SIGSTOP) or a suspended machine wakes it no more than the loop, and does not count. Code that never gives up the
interpreter's lock stops that thread as well; against it stands a timer of the process's CPU time, which the thread
winds up at every wake-up and which stands still while the process does.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import signal
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

_WAKE_UPS = 20
_LAST_WORDS_S = 3.0


class LoopWatchdog:
    """Calls `on_stuck` (default: say it with all stacks on stderr, then SIGKILL ourselves) from a thread of its own.

    `limit_s` counts while the process runs. Start it where the loop runs; `stop` it before the loop closes.
    With `guard_cpu` the process takes over SIGPROF and the CPU-time timer.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limit_s: float,
        on_stuck: Callable[[], None] | None = None,
        *,
        guard_cpu: bool = True,
    ) -> None:
        self._loop = loop
        self._limit_s = limit_s
        self._on_stuck = on_stuck or self._die
        self._guard_cpu = guard_cpu
        self._stopped = threading.Event()
        self._turned = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="loop watchdog", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to watch."""
        if self._guard_cpu:
            faulthandler.register(signal.SIGPROF, file=2, all_threads=True, chain=True)  # chained: the default ends us
            self._wind_up()
        self._thread.start()

    def stop(self) -> None:
        """Watch no more; a second call does nothing."""
        self._stopped.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)
        if self._guard_cpu:
            signal.setitimer(signal.ITIMER_PROF, 0)
            faulthandler.unregister(signal.SIGPROF)

    def _watch(self) -> None:
        missed = 0
        self._ask()
        while not self._stopped.wait(self._limit_s / _WAKE_UPS):
            self._wind_up()
            if self._turned.is_set():
                missed = 0
                self._ask()
                continue
            missed += 1
            if missed >= _WAKE_UPS:
                self._on_stuck()
                return

    def _ask(self) -> None:
        """Have the loop say that it turns; one question at a time, so that a stuck loop gathers no backlog."""
        self._turned.clear()
        with contextlib.suppress(RuntimeError):  # the loop is closed: `stop` is near
            self._loop.call_soon_threadsafe(self._turned.set)

    def _wind_up(self) -> None:
        # Threads that work outside the lock spend CPU time too, at most one second a second and core.
        if self._guard_cpu and not self._stopped.is_set():
            signal.setitimer(signal.ITIMER_PROF, self._limit_s * (os.cpu_count() or 1))

    def _die(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, _LAST_WORDS_S)  # SIGALRM ends us should stderr not take the words
        words = f"callyard: the event loop has not turned for {self._limit_s:g} s; ending the process\n"
        with contextlib.suppress(OSError):
            os.write(2, words.encode())
            faulthandler.dump_traceback(file=2, all_threads=True)
        os.kill(os.getpid(), signal.SIGKILL)
