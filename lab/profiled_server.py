"""The server with a sampler in it: `python -m lab.profiled_server serve`, as `callyard serve`.

Again and again, by the processor time that goes by, the main thread's stack is looked at; the time that this thread
took since the last look goes to the part that it is in (`lab.profile_parts`), calls into the kernel included. So the
parts are told without slowing every call of a function down, as a tracing profiler does. SIGUSR1 begins anew,
SIGUSR2 writes the milliseconds to the file that LAB_PROFILE names.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

import orjson

from cti.cli import app
from lab.profile_parts import part_of

#: The watchdog of the server has the other timer (ITIMER_PROF).
_TIMER, _SIGNAL = signal.ITIMER_VIRTUAL, signal.SIGVTALRM
INTERVAL_S = 0.001
_DEPTH = 60


class Sampler:
    """Milliseconds by part, by innermost function, and by every function that was on the stack."""

    def __init__(self) -> None:
        self.parts: defaultdict[str, float] = defaultdict(float)
        self.inner: defaultdict[str, float] = defaultdict(float)
        self.within: defaultdict[str, float] = defaultdict(float)
        self._spent_s = time.thread_time()

    def begin_anew(self, number: int, frame: FrameType | None) -> None:
        self.parts.clear()
        self.inner.clear()
        self.within.clear()

    def take(self, number: int, frame: FrameType | None) -> None:
        """One look; where another thread spent the time there is nothing to tell."""
        now_s = time.thread_time()
        spent_ms, self._spent_s = (now_s - self._spent_s) * 1e3, now_s
        names: list[tuple[str, str]] = []
        while frame is not None and len(names) < _DEPTH:
            names.append((str(frame.f_globals.get("__name__", "")), frame.f_code.co_qualname))
            frame = frame.f_back
        self.parts[part_of([module for module, _ in names])] += spent_ms
        functions = [f"{module}:{function}" for module, function in names]
        self.inner[functions[0]] += spent_ms
        for function in set(functions):
            self.within[function] += spent_ms

    def write(self, number: int, frame: FrameType | None) -> None:
        """Whole at once, so that whoever waits for the file can read it."""
        found = {
            "parts": _largest(self.parts, 40),
            "inner": _largest(self.inner, 80),
            "within": _largest(self.within, 200),
        }
        path = Path(os.environ["LAB_PROFILE"])
        new = path.with_suffix(".new")
        new.write_bytes(orjson.dumps(found))
        new.rename(path)


def _largest(times: dict[str, float], most: int) -> dict[str, float]:
    return dict(sorted(times.items(), key=lambda pair: -pair[1])[:most])


def main() -> None:
    sampler = Sampler()
    signal.signal(signal.SIGUSR1, sampler.begin_anew)
    signal.signal(signal.SIGUSR2, sampler.write)
    signal.signal(_SIGNAL, sampler.take)
    signal.setitimer(_TIMER, INTERVAL_S, INTERVAL_S)
    app(sys.argv[1:])


if __name__ == "__main__":
    main()
