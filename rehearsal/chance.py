"""Chance: lengths of time, drawn from named streams so that two rehearsals can meet the same callers.

Every purpose (arrivals, handling, patience of each stream of callers) has a generator of its own, seeded by
scenario seed, replication and purpose. So changing a rule, or how one thing is drawn, leaves all other draws as
they were: *common random numbers*, which make the difference between two rules visible in few replications.

Lengths are drawn in whole microseconds; parameters are in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, log, sqrt
from random import Random
from typing import Protocol

from rehearsal.errors import RehearsalError

SECOND = 1_000_000


def stream(seed: int, *purpose: str | int) -> Random:
    """The generator for one purpose; the same in every process and on every machine."""
    return Random("/".join(str(part) for part in (seed, *purpose)))


class Lengths(Protocol):
    """A law by which lengths of time are drawn, in µs, without end or until a list is used up."""

    def draws(self, rng: Random) -> Iterator[int]: ...


def _positive(what: str, value: float) -> None:
    if not 0 < value < inf:
        raise RehearsalError(f"{what}: expected more than 0, got {value!r}")


@dataclass(frozen=True, slots=True)
class Exponential:
    """Memoryless, with this mean."""

    mean_s: float

    def __post_init__(self) -> None:
        _positive("Exponential.mean_s", self.mean_s)

    def draws(self, rng: Random) -> Iterator[int]:
        rate = 1 / (self.mean_s * SECOND)
        while True:
            yield round(rng.expovariate(rate))


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same; 0 is allowed."""

    length_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.length_s < inf:
            raise RehearsalError(f"Fixed.length_s: expected 0 or more, got {self.length_s!r}")

    def draws(self, rng: Random) -> Iterator[int]:
        length = round(self.length_s * SECOND)
        while True:
            yield length


@dataclass(frozen=True, slots=True)
class Lognormal:
    """What measured handling times mostly look like. `variation`: standard deviation over mean."""

    mean_s: float
    variation: float

    def __post_init__(self) -> None:
        _positive("Lognormal.mean_s", self.mean_s)
        _positive("Lognormal.variation", self.variation)

    def draws(self, rng: Random) -> Iterator[int]:
        variance = log(1 + self.variation**2)
        mu, sigma = log(self.mean_s) - variance / 2, sqrt(variance)
        while True:
            yield round(rng.lognormvariate(mu, sigma) * SECOND)


@dataclass(frozen=True, slots=True)
class Given:
    """These lengths in this order, in µs (a recorded day). Ends when they are used up."""

    lengths_us: tuple[int, ...]

    def __post_init__(self) -> None:
        for at, length in enumerate(self.lengths_us):
            if length < 0:
                raise RehearsalError(f"Given.lengths_us[{at}]: expected 0 or more, got {length}")

    def draws(self, rng: Random) -> Iterator[int]:
        return iter(self.lengths_us)
