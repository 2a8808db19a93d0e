"""What the engine answers: orders to carry out, and facts to record and to show.

An order must be carried out on the world (ring this phone). A fact is already true once it is returned;
records are written and screens refreshed from facts, and from nothing else. Ids make every fact idempotent.
"""

from __future__ import annotations

from dataclasses import dataclass

from acd.events import Attributes
from acd.model import (
    AgentState,
    CallbackState,
    Desktop,
    MoveState,
    OfferOutcome,
    Outcome,
    Phone,
    Presence,
    Reason,
    Stage,
    VisitOutcome,
)

# --- orders ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OfferInteraction:
    """Show the pop to this agent, then ring their phone; the engine expires it at `expires_at`.

    `offer_id` is `<interaction_id>/<n>` with n counting the interaction's offers from 1.
    `expires_at` allows `ring_us` of ringing. `together`: the offers of this interaction made at once, this one
    included; their phones ring at the same time. `callback_number`: the customer is called first, under this number,
    and the phone rung once `CallbackAnswered` was told; until then the agent is held, at most until `expires_at`.
    """

    offer_id: str
    interaction_id: str
    agent_id: str
    queue: str
    offered_at: int
    expires_at: int
    reason: Reason
    together: tuple[str, ...] = ()
    callback_number: str = ""


@dataclass(frozen=True, slots=True)
class WithdrawOffer:
    """Stop ringing this agent; the offer is already closed (`OfferClosed` comes with it)."""

    offer_id: str
    interaction_id: str
    agent_id: str
    outcome: OfferOutcome


# --- facts ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InteractionOpened:
    interaction_id: str
    caller: str
    dialled: str
    flow: str
    medium: str
    arrived_at: int
    gap: bool


@dataclass(frozen=True, slots=True)
class InteractionClosed:
    """`short`: an abandon sooner than the queue's short-abandon limit. `agent_id`: who served last, or empty."""

    interaction_id: str
    outcome: Outcome
    detail: str
    short: bool
    agent_id: str
    closed_at: int
    gap: bool


@dataclass(frozen=True, slots=True)
class VisitOpened:
    """`visit_id` is `<interaction_id>#<n>`. `position`: place in this queue's order on entry, from 1.

    `expected_wait_us`: the estimator's mean, with `expected_most_us` not exceeded by nine of ten; 0 if it says nothing.
    `regained`: the abandoned interaction whose place this is. `callback_number`: of a promise; empty for a caller.
    """

    visit_id: str
    interaction_id: str
    queue: str
    priority: int
    first_asked_at: int
    entered_at: int
    position: int
    attributes: Attributes
    expected_wait_us: int = 0
    expected_most_us: int = 0
    regained: str = ""
    callback_number: str = ""


@dataclass(frozen=True, slots=True)
class VisitClosed:
    """`cause`: of an overflow (`OverflowCause`), else empty."""

    visit_id: str
    interaction_id: str
    queue: str
    outcome: VisitOutcome
    agent_id: str
    entered_at: int
    closed_at: int
    cause: str = ""


@dataclass(frozen=True, slots=True)
class VisitStepped:
    """More agents may, or the place is better: `ring` reached, effective `priority`, whether preferred agents alone
    may still. `cause`: `time`, or `nobody` who is signed in could have taken them."""

    visit_id: str
    interaction_id: str
    queue: str
    cause: str
    ring: int
    priority: int
    preferring: bool
    stepped_at: int


@dataclass(frozen=True, slots=True)
class CallbackChanged:
    """A promise to call back, as it is now. `attempts`: calls begun; `not_before`: when the next may be, 0 for any
    time. `detail`: of the last attempt, or why it ended."""

    interaction_id: str
    queue: str
    number: str
    state: CallbackState
    attempts: int
    not_before: int
    promised_at: int
    changed_at: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AgentMoveChanged:
    """A temporary move, as it is now."""

    move_id: str
    agent_id: str
    add: tuple[str, ...]
    remove: tuple[str, ...]
    from_at: int
    until_at: int
    state: MoveState
    by: str
    reason: str
    changed_at: int


@dataclass(frozen=True, slots=True)
class QueueClosureChanged:
    """Whether the queue is closed now, by whom and until when (0: until opened)."""

    queue: str
    is_closed: bool
    until_at: int
    by: str
    reason: str
    changed_at: int


@dataclass(frozen=True, slots=True)
class OfferClosed:
    offer_id: str
    visit_id: str
    interaction_id: str
    agent_id: str
    queue: str
    outcome: OfferOutcome
    detail: str
    offered_at: int
    closed_at: int


@dataclass(frozen=True, slots=True)
class TalkOpened:
    """`talk_id` is the offer's id, or `<interaction_id>/adopted-<n>` for a talk found after a gap."""

    talk_id: str
    interaction_id: str
    agent_id: str
    queue: str
    started_at: int


@dataclass(frozen=True, slots=True)
class TalkClosed:
    """The bridge ended. `wrap_up_until` is 0 when there is no wrap-up."""

    talk_id: str
    interaction_id: str
    agent_id: str
    queue: str
    started_at: int
    ended_at: int
    wrap_up_until: int
    gap: bool


@dataclass(frozen=True, slots=True)
class RecordingOpened:
    """`recording_id` is `<interaction_id>/<n>`. `consent`: yes, no or notice; `file` is empty where nothing is
    recorded, for the consent or for `trouble`. `queue` and `agent_id`: who served last before it, or empty."""

    recording_id: str
    interaction_id: str
    consent: str
    file: str
    trouble: str
    queue: str
    agent_id: str
    started_at: int


@dataclass(frozen=True, slots=True)
class RecordingClosed:
    """`detail`: what went wrong, or empty."""

    recording_id: str
    interaction_id: str
    detail: str
    ended_at: int


@dataclass(frozen=True, slots=True)
class SurveyAnswerKept:
    """`answer_id` is `<interaction_id>/<survey>/<question>`. `queue` and `agent_id`: who served last, or empty."""

    answer_id: str
    interaction_id: str
    survey: str
    question: str
    value: str
    queue: str
    agent_id: str
    answered_at: int


@dataclass(frozen=True, slots=True)
class WrapUpClosed:
    talk_id: str
    interaction_id: str
    agent_id: str
    disposition: str
    note: str
    started_at: int
    ended_at: int
    timed_out: bool


@dataclass(frozen=True, slots=True)
class AgentIntervalClosed:
    """A tile of the agent's day: these tile it without gap or overlap. `interval_id` is `<agent_id>@<from_at>`
    (with a running suffix `.2`, `.3` … where several begin in the same microsecond)."""

    interval_id: str
    agent_id: str
    state: AgentState
    reason: str
    from_at: int
    to_at: int


@dataclass(frozen=True, slots=True)
class AgentChanged:
    """What a screen shows of an agent now. `interaction_id`: the one held first, or empty. `latest`: how late
    `deadline` may become when the agent extends the wrap-up; 0 when there is none."""

    agent_id: str
    state: AgentState
    reason: str
    since: int
    presence: Presence
    presence_reason: str
    phone: Phone
    desktop: Desktop
    interaction_id: str
    deadline: int
    latest: int = 0


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """Totals of a queue now: waiting (queued and offered), the oldest's first-asked time (0: none), agents by state,
    and whether it is closed: nobody joins. `promised`: those of the waiting who are not on the line, but to be called
    back."""

    queue: str
    waiting: int
    oldest_asked_at: int
    agents_ready: int
    agents_signed_in: int
    is_closed: bool = False
    promised: int = 0


@dataclass(frozen=True, slots=True)
class StageChanged:
    interaction_id: str
    stage: Stage
    queue: str
    agent_id: str


Order = OfferInteraction | WithdrawOffer
Fact = (
    InteractionOpened
    | InteractionClosed
    | VisitOpened
    | VisitClosed
    | VisitStepped
    | CallbackChanged
    | AgentMoveChanged
    | QueueClosureChanged
    | OfferClosed
    | TalkOpened
    | TalkClosed
    | WrapUpClosed
    | RecordingOpened
    | RecordingClosed
    | SurveyAnswerKept
    | AgentIntervalClosed
    | AgentChanged
    | QueueChanged
    | StageChanged
)
Command = Order | Fact
