"""The four service levels in use: what "80 % in 20 seconds" means depends on what happens to those who gave up.

Names and formulas as in Cisco's UCCX Historical Reports 7.0, p. 3-52. Of one day with 100 offered, 80 answered
(70 of them in time) and 20 abandoned (10 of them in time) they say 87.5, 80.0, 77.8 and 70.0 %. A figure without its
definition says nothing: always name it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tally:
    """Of those who asked: how many were answered and how many gave up, and how many of each in time."""

    answered: int
    answered_in_time: int
    abandoned: int
    abandoned_in_time: int

    @property
    def offered(self) -> int:
        return self.answered + self.abandoned


def only_handled(day: Tally) -> float:
    """Answered in time / answered: who gave up does not count at all."""
    return _share(day.answered_in_time, day.answered)


def positive_abandon(day: Tally) -> float:
    """(Answered + abandoned, both in time) / offered: giving up in time counts as a good answer."""
    return _share(day.answered_in_time + day.abandoned_in_time, day.offered)


def without_abandon(day: Tally) -> float:
    """Answered in time / (offered − abandoned in time): who gave up in time was never there."""
    return _share(day.answered_in_time, day.offered - day.abandoned_in_time)


def negative_abandon(day: Tally) -> float:
    """Answered in time / offered: everybody who gave up counts against. Never above the other three."""
    return _share(day.answered_in_time, day.offered)


Definition = Callable[[Tally], float]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
