"""When callers come: given, at a constant rate, or along a curve of the day. Instants are µs after the start."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from random import Random
from typing import Protocol

from rehearsal.chance import SECOND
from rehearsal.errors import RehearsalError


class Arrivals(Protocol):
    """A process of arrivals."""

    def instants(self, rng: Random) -> Iterator[int]:
        """Instants in order, in µs after the start; may never end (the scenario's length ends it)."""
        ...


@dataclass(frozen=True, slots=True)
class GivenArrivals:
    """Callers come at these instants (a recorded day, or a scenario told by hand)."""

    instants_us: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.instants_us and self.instants_us[0] < 0:
            raise RehearsalError(f"GivenArrivals.instants_us[0]: expected 0 or later, got {self.instants_us[0]}")
        for at, (before, after) in enumerate(pairwise(self.instants_us), 1):
            if after < before:
                raise RehearsalError(f"GivenArrivals.instants_us[{at}]: expected at least {before}, got {after}")

    def instants(self, rng: Random) -> Iterator[int]:
        return iter(self.instants_us)


@dataclass(frozen=True, slots=True)
class Poisson:
    """Callers come independently of each other, `per_hour` on average."""

    per_hour: float

    def __post_init__(self) -> None:
        if not 0 < self.per_hour < inf:
            raise RehearsalError(f"Poisson.per_hour: expected more than 0, got {self.per_hour!r}")

    def instants(self, rng: Random) -> Iterator[int]:
        rate = self.per_hour / 3600 / SECOND
        at = 0.0
        while True:
            at += rng.expovariate(rate)
            yield round(at)


@dataclass(frozen=True, slots=True)
class RateCurve:
    """Independent callers at a rate that changes with the hour: `steps` are (from µs, calls per hour), the first
    from 0; the last holds for ever, and when it is 0 nobody comes any more.

    By thinning (Lewis and Shedler 1979): candidates come at the highest rate, each is kept with rate / highest.
    """

    steps: tuple[tuple[int, float], ...]

    def __post_init__(self) -> None:
        if not self.steps or self.steps[0][0] != 0:
            raise RehearsalError(f"RateCurve.steps: expected a first step from 0, got {self.steps[:1]!r}")
        for at, (before, after) in enumerate(pairwise(self.steps), 1):
            if after[0] <= before[0]:
                raise RehearsalError(f"RateCurve.steps[{at}]: expected later than {before[0]}, got {after[0]}")
        for at, (_, per_hour) in enumerate(self.steps):
            if not 0 <= per_hour < inf:
                raise RehearsalError(f"RateCurve.steps[{at}]: expected 0 calls per hour or more, got {per_hour!r}")

    def instants(self, rng: Random) -> Iterator[int]:
        starts = [start for start, _ in self.steps]
        highest = max(per_hour for _, per_hour in self.steps)
        last_start, last_rate = self.steps[-1]
        if highest == 0:
            return
        rate = highest / 3600 / SECOND
        at = 0.0
        while True:
            at += rng.expovariate(rate)
            if last_rate == 0 and at >= last_start:
                return
            if rng.random() * highest < self.steps[bisect_right(starts, at) - 1][1]:
                yield round(at)
