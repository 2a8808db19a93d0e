"""The words of the decision: states, outcomes, configuration.

What belongs here: frozen values and enumerations that every other module of `acd` shares.
What does not: anything that changes, and anything of Asterisk (dial strings, channels, nodes).

Instants and durations are integer microseconds (`_at`: since the epoch, UTC; `_us`: a length).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Presence(StrEnum):
    """What a person chose, or what a rule chose for them (no answer, desktop lost)."""

    LOGGED_OUT = "logged_out"
    NOT_READY = "not_ready"
    READY = "ready"


class Phone(StrEnum):
    """An agent's phone as Asterisk sees it; `BUSY` means busy with something that is not ours."""

    FREE = "free"
    BUSY = "busy"
    GONE = "gone"


class Desktop(StrEnum):
    """Whether at least one browser of the agent is connected."""

    THERE = "there"
    GONE = "gone"


class AssignmentState(StrEnum):
    """The life of one interaction in one agent's hands."""

    OFFERED = "offered"
    CONNECTED = "connected"
    WRAP_UP = "wrap_up"


class AgentState(StrEnum):
    """The one word that a supervisor sees; a pure function of presence, phone, desktop and assignments."""

    LOGGED_OUT = "logged_out"
    NOT_READY = "not_ready"
    READY = "ready"
    RESERVED = "reserved"
    TALKING = "talking"
    WRAP_UP = "wrap_up"
    PHONE_BUSY = "phone_busy"
    PHONE_GONE = "phone_gone"
    DESKTOP_GONE = "desktop_gone"


#: The medium of telephone calls; it needs the agent's phone, and whoever holds one is offered nothing else.
VOICE = "voice"


class Stage(StrEnum):
    """Where an open interaction is."""

    IN_FLOW = "in_flow"
    QUEUED = "queued"
    OFFERED = "offered"
    TALKING = "talking"


class Outcome(StrEnum):
    """How an interaction ended: exactly one of these."""

    SERVED = "served"
    SELF_SERVED = "self_served"
    VOICEMAIL = "voicemail"
    ABANDONED_IN_FLOW = "abandoned_in_flow"
    ABANDONED_IN_QUEUE = "abandoned_in_queue"
    ABANDONED_RINGING = "abandoned_ringing"
    CALLBACK_FAILED = "callback_failed"
    CALLED_IN = "called_in"
    TRANSFERRED_OUT = "transferred_out"
    REFUSED = "refused"
    LOST = "lost"


class VisitOutcome(StrEnum):
    """How one visit to a queue ended: exactly one of these."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    OVERFLOWED = "overflowed"
    CALLBACK = "callback"
    WITHDRAWN = "withdrawn"
    LOST = "lost"


class OfferOutcome(StrEnum):
    """How one offer ended: exactly one of these."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"


#: Not-ready reasons that the system sets itself; a site's own reasons stand in its files.
REASON_NO_ANSWER = "no_answer"
REASON_REJECTED = "rejected"
REASON_PHONE_FAILED = "phone_failed"
REASON_DESKTOP_LOST = "desktop_lost"

#: Why an offer was withdrawn from those whose phones rang together with the one who answered.
ANSWERED_BY_COLLEAGUE = "answered_by_colleague"


class Strategy(StrEnum):
    """Which of the agents who may take an interaction gets it (`acd.strategies` has the keys)."""

    LONGEST_IDLE = "longest_idle"
    FEWEST_HANDLED = "fewest_handled"
    LEAST_OCCUPIED = "least_occupied"
    ROUND_ROBIN = "round_robin"
    LINEAR = "linear"
    RANDOM = "random"
    WEIGHTED_RANDOM = "weighted_random"
    BEST_SKILL_FIRST = "best_skill_first"
    RING_ALL = "ring_all"


class Estimator(StrEnum):
    """How a queue's expected wait is worked out (`acd.estimators` has the formulas)."""

    PATIENCE = "patience"
    STAFFING = "staffing"
    HEAD_OF_LINE = "head_of_line"


class OverflowCause(StrEnum):
    """Why a queue gave somebody away; the words of `VisitClosed.cause`."""

    TIMED_OUT = "timed_out"
    FULL = "full"
    LONG_WAIT = "long_wait"
    FEW_SIGNED_IN = "few_signed_in"
    FEW_READY = "few_ready"
    CLOSED = "closed"


class CallbackState(StrEnum):
    """The life of a promise to call back."""

    PROMISED = "promised"
    CALLING = "calling"
    ANSWERED = "answered"
    KEPT = "kept"
    FAILED = "failed"
    CALLED_IN = "called_in"
    CANCELLED = "cancelled"


class MoveState(StrEnum):
    """The life of a temporary move of an agent between queues."""

    PLANNED = "planned"
    ACTIVE = "active"
    OVER = "over"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Requirement:
    """An interaction may only go to agents who have `skill` at `level` (1–10) or better, or one of `any_of` so."""

    skill: str
    level: int = 1
    any_of: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Ring:
    """From `after_us` in the queue on more agents may: of each skill in `levels` no more is asked than that level
    (0: nothing), and the agents of `queues` may too. What earlier rings gave stays."""

    after_us: int
    levels: tuple[tuple[str, int], ...] = ()
    queues: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PriorityStep:
    """From `after_us` in the queue on the effective priority is higher by `by`, added to earlier steps."""

    after_us: int
    by: int = 1


@dataclass(frozen=True, slots=True)
class Overflow:
    """When a queue gives somebody away: to another `queue`, where they keep their first-asked time, or, if that is
    empty, back to their flow.

    What is compared with `at` depends on `cause`: µs waited in this visit (TIMED_OUT), how many wait already (FULL),
    µs of expected wait (LONG_WAIT), agents signed in or ready, if there are fewer (FEW_SIGNED_IN, FEW_READY).
    `joining`, `waiting`: when it is looked at; TIMED_OUT only while waiting, FULL and FEW_READY only on joining.
    """

    cause: OverflowCause
    at: int
    queue: str = ""
    joining: bool = True
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class CallbackRules:
    """How promises to call back are kept: at most `attempts` calls, `every_us` apart, for `lasts_us` in all.

    `reserve_us`: how long an agent is held while the customer is being called, at most.
    """

    attempts: int = 3
    every_us: int = 300_000_000
    reserve_us: int = 60_000_000
    lasts_us: int = 86_400_000_000


@dataclass(frozen=True, slots=True)
class QueueRules:
    """A waiting line with its rules.

    `ring_us`: how long a phone may ring before the offer expires. `wrap_up_us`: time after the call; 0 for none.
    `short_abandon_us`: callers who leave sooner count as short abandons. `priority`: higher is served first.
    `wrap_up_most_us`: how long an agent may extend a wrap-up in all; 0: not at all.
    `strategy`: which of the agents who may gets an interaction. `relax` and `raise_priority`: rings and steps, each
    later than the one before. `ring_at_most`: how many phones `ring_all` rings at once. `medium`: of what is served
    here. `overflow`: looked at in this order. `callback`: None if nobody is called back. `regain_us`: who abandoned no
    longer ago than this and asks again gets the old place. `estimator` of the expected wait, from what was seen and,
    before anything was seen, `expected_handling_us` and `expected_patience_us` (0: unlimited).
    """

    id: str
    title: str = ""
    ring_us: int = 20_000_000
    wrap_up_us: int = 10_000_000
    short_abandon_us: int = 5_000_000
    priority: int = 0
    requirements: tuple[Requirement, ...] = ()
    strategy: Strategy = Strategy.LONGEST_IDLE
    relax: tuple[Ring, ...] = ()
    raise_priority: tuple[PriorityStep, ...] = ()
    wrap_up_most_us: int = 0
    ring_at_most: int = 5
    medium: str = "voice"
    overflow: tuple[Overflow, ...] = ()
    callback: CallbackRules | None = None
    regain_us: int = 0
    estimator: Estimator = Estimator.PATIENCE
    expected_handling_us: int = 180_000_000
    expected_patience_us: int = 0


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """A person who serves queues: which, and with which skills at which level (1–10).

    `weight` (1–10): their share where the queue draws by weight. `queue_levels`: (queue, level 1–10) pairs, also for
    queues that they may be moved to; agents of level 2 are asked when none of level 1 is ready, and so on; 1 where
    nothing is said. `capacity`: how many
    interactions of which medium at once.
    """

    id: str
    name: str = ""
    queues: tuple[str, ...] = ()
    skills: tuple[tuple[str, int], ...] = ()
    weight: int = 1
    queue_levels: tuple[tuple[str, int], ...] = ()
    capacity: tuple[tuple[str, int], ...] = (("voice", 1),)


@dataclass(frozen=True, slots=True)
class Move:
    """A temporary move of an agent: from `from_at` until `until_at` (0: until cancelled) they serve `add` too and
    `remove` not. `by`: who asked for it."""

    id: str
    add: tuple[str, ...]
    remove: tuple[str, ...]
    from_at: int
    until_at: int
    state: MoveState
    by: str = ""
    reason: str = ""

    @property
    def due_at(self) -> int:
        """When it begins or ends next, 0 for never."""
        return self.from_at if self.state is MoveState.PLANNED else self.until_at


@dataclass(frozen=True, slots=True)
class Configuration:
    """All rules that the engine decides by. Ids are unique; `seed` feeds every random choice.

    The order of `agents` is the agents' list that `linear` goes through.
    """

    queues: tuple[QueueRules, ...] = ()
    agents: tuple[AgentProfile, ...] = ()
    seed: int = 0
    desktop_grace_us: int = 60_000_000
    offer_without_desktop: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Why this agent got this interaction: the winner's key, the runner-up's, and how many were passed over.

    `key` and `runner_up_key` are (label, value) pairs in ranking order. `passed_over` counts the other agents of
    the queue by reason (for example `not_ready`, `talking`, `skill:billing`, `phone_gone`).
    """

    rule: str
    key: tuple[tuple[str, int | str], ...]
    runner_up: str | None = None
    runner_up_key: tuple[tuple[str, int | str], ...] = ()
    passed_over: tuple[tuple[str, int], ...] = field(default=())
