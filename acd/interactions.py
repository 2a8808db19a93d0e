"""One customer request: where it is, since when it waits, whom it has. Mutable, private to the engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from acd.events import Attributes
from acd.matching import Choices, Needs, Terms
from acd.model import CallbackRules, Outcome, Reason, Requirement, Stage, VisitOutcome
from acd.ranking import RankKey

#: Fields that are computed from the rest and so stand in no snapshot.
DERIVED = {"derived": True}

NO_RANK: RankKey = (0, 0, "")
NO_TERMS = Terms((), (), ())

#: Who prefers more agents than these is not heard.
MOST_PREFERRED = 20


@dataclass(frozen=True, slots=True)
class OpenOffer:
    """A phone that rings for an interaction, and why this agent's."""

    offer_id: str
    agent_id: str
    reason: Reason | None


@dataclass(slots=True)
class Interaction:
    """`queue` and `priority` belong to the present visit; `priority` is what the flow asked for, without the
    queue's own. `visits`, `offers` and `adoptions` count from the beginning and make the ids.
    `ring` and `raised`: how many rings of the queue were reached and steps of priority taken in this visit.
    `preferred`: agents who alone may until `preferred_until`, which is 0 when that is over. `terms`: who may now.
    `left_by`: how the last visit ended (an overflow's cause, else the outcome). `chain`: the queues since the flow
    asked: the one asked for first, the present one last. `wait_until`: when the flow wants them back, 0 for never;
    `looked_at`: when time-outs were looked at last. `leave_at`: when the next time-out is due, 0 for none. `step_at`:
    when time takes the next step, 0 for never. `offer_id` names the offer or talk in progress, `agent_id` who holds it,
    `served_by` who talked last. `wrapping`: of media other than voice, whose wrap-ups of it may run. `beside`: the
    further offers that were made together with that one and are open; their phones ring at the same time.
    `steps_since`: from when rings and steps count, if that is before this visit; else 0.

    `callback_number`: of a promise to call back that is open, else empty; with `callback`, the rules under which it was
    made at `promised_at`; `attempts`: calls begun; `not_before`: when the next may be, 0 for any time; `on_line`: the
    customer has answered and waits like any caller; `carried`: what the call that keeps the promise takes up.
    `is_promised_visit`: a promise entered the queue, not a caller. `number`: the caller's as promises name it; empty:
    `caller` is. `transferred_to`: with whom the flow had them talk outside the queues
    since they last asked for an agent. `served_in`: the queue of the last talk. `recordings`: how often they were asked
    whether they may be recorded; `recording`: the one that runs, or empty.
    """

    id: str
    caller: str
    dialled: str
    flow: str
    medium: str
    arrived_at: int
    gap: bool
    stage: Stage = Stage.IN_FLOW
    attached: bool = True
    queue: str = ""
    priority: int = 0
    requirements: tuple[Requirement, ...] = ()
    attributes: Attributes = ()
    first_asked_at: int | None = None
    entered_at: int = 0
    visits: int = 0
    visit_id: str = ""
    offers: int = 0
    offer_id: str = ""
    offered_at: int = 0
    adoptions: int = 0
    wrapping: tuple[str, ...] = ()
    talk_started_at: int = 0
    agent_id: str = ""
    served_by: str = ""
    reason: Reason | None = None
    ring: int = 0
    raised: int = 0
    preferred: tuple[str, ...] = ()
    preferred_until: int = 0
    beside: tuple[OpenOffer, ...] = ()
    left_by: str = ""
    chain: tuple[str, ...] = ()
    wait_until: int = 0
    looked_at: int = 0
    steps_since: int = 0
    callback_number: str = ""
    callback: CallbackRules | None = None
    promised_at: int = 0
    attempts: int = 0
    not_before: int = 0
    on_line: bool = False
    is_promised_visit: bool = False
    carried: str = ""
    number: str = ""
    transferred_to: str = ""
    served_in: str = ""
    recordings: int = 0
    recording: str = ""
    rank: RankKey = field(default=NO_RANK, metadata=DERIVED)
    terms: Terms = field(default=NO_TERMS, metadata=DERIVED)
    step_at: int = field(default=0, metadata=DERIVED)
    leave_at: int = field(default=0, metadata=DERIVED)

    @property
    def needs(self) -> Needs:
        """The skills that are asked for now, all of them."""
        return self.terms.needs

    @property
    def choices(self) -> Choices:
        """The groups of skills of which one is asked for now."""
        return self.terms.choices

    @property
    def is_waiting(self) -> bool:
        """In a queue: not yet talking, whether a phone rings for them or not."""
        return self.stage is Stage.QUEUED or self.stage is Stage.OFFERED

    @property
    def is_offerable(self) -> bool:
        """Waiting, no phone rings for them yet, and in our hands or to be called back now."""
        if self.stage is not Stage.QUEUED:
            return False
        return not self.not_before if self.is_promised else self.attached

    @property
    def is_promised(self) -> bool:
        """To be called back, and not on the line: nobody need be there."""
        return self.callback_number != "" and not self.on_line

    @property
    def lapses_at(self) -> int:
        """When the promise has lasted too long."""
        return self.promised_at + (self.callback or CallbackRules()).lasts_us

    @property
    def callback_at(self) -> int:
        """When time changes something for a promise that waits: it may be called, or lapses. 0 for never."""
        if self.stage is not Stage.QUEUED or not self.is_promised:
            return 0
        return min(self.not_before or self.lapses_at, self.lapses_at)

    @property
    def open_offers(self) -> tuple[OpenOffer, ...]:
        """All phones that ring for it, the one that `offer_id` names first."""
        if self.stage is not Stage.OFFERED:
            return ()
        return (OpenOffer(self.offer_id, self.agent_id, self.reason), *self.beside)

    def offered_to(self, offer_id: str) -> str:
        """Whose phone rings by this offer; empty when it is not open."""
        if self.stage is not Stage.OFFERED:
            return ""
        if self.offer_id == offer_id:
            return self.agent_id
        return next((each.agent_id for each in self.beside if each.offer_id == offer_id), "")

    def put_down(self, offer_id: str) -> None:
        """This offer is open no more; where it was the first, the next takes its place."""
        if self.offer_id != offer_id:
            self.beside = tuple(each for each in self.beside if each.offer_id != offer_id)
        elif self.beside:
            first, *rest = self.beside
            self.offer_id, self.agent_id, self.reason, self.beside = (
                first.offer_id,
                first.agent_id,
                first.reason,
                tuple(rest),
            )
        else:
            self.offer_id, self.reason = "", None


_ABANDONED = {
    Stage.QUEUED: Outcome.ABANDONED_IN_QUEUE,
    Stage.OFFERED: Outcome.ABANDONED_RINGING,
    Stage.TALKING: Outcome.SERVED,
}


def outcome_when_caller_left(interaction: Interaction) -> Outcome:
    """By stage; in the flow it depends on who talked to them before."""
    if interaction.stage is Stage.IN_FLOW:
        if interaction.transferred_to:
            return Outcome.TRANSFERRED_OUT
        return Outcome.SERVED if interaction.served_by else Outcome.ABANDONED_IN_FLOW
    return _ABANDONED[interaction.stage]


def outcome_when_flow_ended(interaction: Interaction, outcome: Outcome) -> Outcome:
    """As the flow says; but only an agent makes it `served`, and whom an agent served was not self-served. Whom the
    flow gave to somebody else, and did nothing more for, was transferred out."""
    if interaction.transferred_to and outcome in (Outcome.SELF_SERVED, Outcome.SERVED):
        return Outcome.TRANSFERRED_OUT
    if outcome is Outcome.SELF_SERVED and interaction.served_by:
        return Outcome.SERVED
    if outcome is Outcome.SERVED and not interaction.served_by:
        return Outcome.SELF_SERVED
    return outcome


_VISIT_OF = {
    Outcome.LOST: VisitOutcome.LOST,
    Outcome.ABANDONED_IN_FLOW: VisitOutcome.ABANDONED,
    Outcome.ABANDONED_IN_QUEUE: VisitOutcome.ABANDONED,
    Outcome.ABANDONED_RINGING: VisitOutcome.ABANDONED,
}


def visit_outcome(outcome: Outcome) -> VisitOutcome:
    """How a visit ends that the interaction's end cuts short."""
    return _VISIT_OF.get(outcome, VisitOutcome.WITHDRAWN)
