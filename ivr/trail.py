"""What happens to a call in its flows, step by step, as plain values without times: for who counts it.

A step that goes through another flow is left when the call comes back from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Ways out that no file names: the next step follows, the start of another flow, back from a flow, the call ends.
NEXT, FLOW, RETURN, END = "next", "flow", "return", "end"


@dataclass(frozen=True, slots=True)
class Entered:
    """The call comes to a step; `again`: it was there when another process had it."""

    flow: str
    step: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """The call leaves a step, by the keys in the file that name the way out (`keys.1`), or one of the words above."""

    flow: str
    step: str
    way: str


@dataclass(frozen=True, slots=True)
class Missed:
    """The caller was asked for keys and pressed none in time, or others than were wanted."""

    flow: str
    step: str
    timed_out: bool


Happening = Entered | Left | Missed


def spelled(way: Iterable[str]) -> str:
    """A way out as one word."""
    return ".".join(way)
