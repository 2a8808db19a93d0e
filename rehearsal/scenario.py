"""What is rehearsed: rules, agents with their shifts, and streams of callers.

What does not belong here: how it is carried out (`rehearsal.day`), what came out (`rehearsal.tally`).
Instants are µs after the scenario's start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from acd.model import Configuration, Requirement
from rehearsal.arrivals import Arrivals
from rehearsal.chance import SECOND, Fixed, Lengths
from rehearsal.errors import RehearsalError

HOUR_US = 3600 * SECOND
FOR_EVER = 2**62


@dataclass(frozen=True, slots=True)
class Overflow:
    """Who still waits after `after_us` is queued again in `queue`; patience and first-asked time go on."""

    after_us: int
    queue: str


@dataclass(frozen=True, slots=True)
class Callers:
    """A stream of callers who are alike.

    `handling` is all that an answered caller costs an agent who works at pace 1: the talk and, when the queue
    has a wrap-up, `wrap_up_share` of it as work after the call, ended by the agent. With a share of 0 a queue's
    wrap-up runs for its full time, by the engine's clock, and comes on top of `handling`.
    `patience` None: they wait for ever.
    """

    name: str
    queue: str
    arrivals: Arrivals
    handling: Lengths
    patience: Lengths | None = None
    priority: int = 0
    requirements: tuple[Requirement, ...] = ()
    wrap_up_share: float = 0.0
    overflow: Overflow | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.wrap_up_share < 1:
            raise RehearsalError(f"Callers {self.name}: wrap_up_share: expected 0 to 1, got {self.wrap_up_share!r}")


@dataclass(frozen=True, slots=True)
class Shift:
    """An agent is ready from `from_us` until `until_us`; a talk then going on is finished first."""

    agent_id: str
    from_us: int = 0
    until_us: int = FOR_EVER


@dataclass(frozen=True, slots=True)
class Scenario:
    """One day to rehearse.

    Callers come in the first `length_us`; what they find counts when they come after `warm_up_us`. Then nobody
    comes any more, and those who are there are served or leave; who still waits `drain_us` later is sent away.
    `shifts` empty: every agent is ready all the time. `paces`: how long an agent takes, 1 being usual, 2 double.
    `ring`: how long agents let it ring. An agent who let it ring too long comes back after `return_us`.
    """

    configuration: Configuration
    callers: tuple[Callers, ...]
    length_us: int
    warm_up_us: int = 0
    drain_us: int = 24 * HOUR_US
    shifts: tuple[Shift, ...] = ()
    paces: Mapping[str, float] = field(default_factory=dict)
    ring: Lengths = field(default_factory=lambda: Fixed(0))
    return_us: int = 30 * SECOND
    seed: int = 1

    def __post_init__(self) -> None:
        queues = {rules.id for rules in self.configuration.queues}
        agents = {profile.id for profile in self.configuration.agents}
        names = [callers.name for callers in self.callers]
        if len(set(names)) != len(names):
            raise RehearsalError(f"Scenario.callers: expected every name once, got {names!r}")
        if not 0 <= self.warm_up_us < self.length_us:
            raise RehearsalError(f"Scenario.warm_up_us: expected 0 to {self.length_us}, got {self.warm_up_us}")
        for callers in self.callers:
            _known(f"callers {callers.name}: queue", callers.queue, queues)
            if callers.overflow is not None:
                _known(f"callers {callers.name}: overflow.queue", callers.overflow.queue, queues)
        for shift in self.shifts:
            _known("shifts: agent_id", shift.agent_id, agents)
            if not 0 <= shift.from_us < shift.until_us:
                raise RehearsalError(f"Scenario.shifts: {shift.agent_id}: expected from before until, got {shift!r}")
        for agent_id, pace in self.paces.items():
            _known("paces: agent", agent_id, agents)
            if not 0 < pace < inf:
                raise RehearsalError(f"Scenario.paces: {agent_id}: expected more than 0, got {pace!r}")


def _known(what: str, name: str, known: set[str]) -> None:
    if name not in known:
        raise RehearsalError(f"Scenario.{what}: expected one of {sorted(known)}, got {name!r}")
