"""Python's garbage collector, set for a process with much state that lives long.

Counting references frees nearly everything here; the collector only finds cycles. Looking through all that 5,000
agents and as many callers are made of takes it 0.1 s, in which no call is heard.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: Young objects are looked at after so many more of them (Python's own: 700, 10, 10).
THRESHOLDS = (20_000, 20, 50)


def settle() -> None:
    """Call it once everything is there: what has been made so far is not looked through any more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


@contextmanager
def paused() -> Iterator[None]:
    """No collection meanwhile: for work that makes very much at once and throws it away."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
