"""What can happen: the engine's inputs. Everything here is journaled before it is acted on.

Late, doubled and inapplicable events are normal: the engine ignores and counts them. An id that cannot
exist (an unknown agent or queue in the current configuration) is ignored and counted too.
"""

from __future__ import annotations

from dataclasses import dataclass

from acd.model import Configuration, Desktop, Outcome, Phone, Presence, Requirement, VisitOutcome

Attributes = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ConfigurationChanged:
    """New rules. Nobody who talks is touched; names that vanish keep their open assignments to the end."""

    configuration: Configuration


@dataclass(frozen=True, slots=True)
class InteractionArrived:
    """A customer's request reached us. `caller`: as the network gave it, an extension, or empty when withheld.

    `arrived_at`: when that was, if it is told later (a gap); 0 means now. `number`: the caller's as promises to call
    back name it (E.164); empty: `caller` is compared with them.
    """

    interaction_id: str
    caller: str = ""
    dialled: str = ""
    flow: str = ""
    medium: str = "voice"
    gap: bool = False
    arrived_at: int = 0
    number: str = ""


@dataclass(frozen=True, slots=True)
class InteractionAttached:
    """The caller is in our hands again (their session talks to us): they may be offered."""

    interaction_id: str


@dataclass(frozen=True, slots=True)
class InteractionDetached:
    """The caller lives, but out of our hands (session lost, retrying): they keep their place, unoffered."""

    interaction_id: str


@dataclass(frozen=True, slots=True)
class InteractionQueued:
    """The flow asks for an agent. `first_asked_at` None means now; a re-queue keeps the first time by itself.

    `preferred`: agents (at most 20, best first) who alone may for `preferred_us`, and who lapse at once while none of
    them who could is signed in. `max_wait_us`: then back to the flow as timed out; 0: only the queue's rules.
    `callback_number`: not the caller waits, but our promise to call this number; who is waiting here already keeps
    their place. `carried`: what the call that keeps the promise takes up; the engine only keeps it.
    """

    interaction_id: str
    queue: str
    priority: int = 0
    requirements: tuple[Requirement, ...] = ()
    attributes: Attributes = ()
    first_asked_at: int | None = None
    preferred: tuple[str, ...] = ()
    preferred_us: int = 0
    max_wait_us: int = 0
    callback_number: str = ""
    carried: str = ""


@dataclass(frozen=True, slots=True)
class CallbackAnswered:
    """The customer whom this offer's callback called is on the line and wants to talk: ring the agent."""

    offer_id: str


@dataclass(frozen=True, slots=True)
class CallbackFailed:
    """This offer's callback reached nobody (`detail`: no_answer, busy, machine, left, failed …): try again later."""

    offer_id: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CallbackCancelled:
    """Nobody is to be called back any more. `by`: who said so."""

    interaction_id: str
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class QueueLeft:
    """The flow takes the interaction out of its queue (time-out, key, overflow)."""

    interaction_id: str
    outcome: VisitOutcome = VisitOutcome.WITHDRAWN


@dataclass(frozen=True, slots=True)
class CallerLeft:
    """The caller is gone (their channel hung up). The engine derives the outcome from the stage."""

    interaction_id: str
    gap: bool = False


@dataclass(frozen=True, slots=True)
class FlowEnded:
    """The flow ended the interaction by its own design, or it was refused, or lost by our fault."""

    interaction_id: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CallTransferred:
    """The flow gave the caller to somebody outside the queues, and they talk. `to`: a number or an extension."""

    interaction_id: str
    to: str


@dataclass(frozen=True, slots=True)
class ConsentTold:
    """The caller was asked whether the call may be recorded, or told that it is: the `number`th time of this call.

    `consent`: yes, no, or notice (told, not asked). `file`: what is recorded from now on; empty: nothing, for the
    consent or for `trouble`."""

    interaction_id: str
    number: int
    consent: str
    file: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class RecordingEnded:
    """The recording of this number runs no more. `detail`: why, if it went wrong."""

    interaction_id: str
    number: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SurveyAnswered:
    """The caller answered a question of a survey."""

    interaction_id: str
    survey: str
    question: str
    value: str


@dataclass(frozen=True, slots=True)
class OfferAccepted:
    """Caller and agent share a bridge (read from bridges only)."""

    offer_id: str


@dataclass(frozen=True, slots=True)
class OfferRejected:
    """The agent declined (desktop button, or the phone said busy or decline)."""

    offer_id: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class OfferFailed:
    """The phone could not be rung (not registered, unreachable). Not the agent's fault, yet they cannot serve."""

    offer_id: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionFound:
    """After a gap, bridges show this agent talking to this interaction: adopt it as connected."""

    interaction_id: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class TalkEnded:
    """Agent and caller no longer share a bridge."""

    interaction_id: str
    agent_id: str
    gap: bool = False


@dataclass(frozen=True, slots=True)
class WrapUpEnded:
    """The agent finished the work after the call."""

    agent_id: str
    interaction_id: str
    disposition: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class WrapUpExtended:
    """The agent asks for so much more time for the work after the call; the queue's `wrap_up_most_us` is the limit."""

    agent_id: str
    interaction_id: str
    by_us: int


@dataclass(frozen=True, slots=True)
class PresenceChosen:
    """The person chose a presence. During a talk it takes effect for new offers at once; the talk goes on."""

    agent_id: str
    presence: Presence
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AgentMoved:
    """From `from_at` until `until_at` (0: until cancelled) the agent serves `add` too and `remove` not. `move_id` is
    the asker's, unique; `by`: who asked."""

    move_id: str
    agent_id: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    from_at: int = 0
    until_at: int = 0
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AgentMoveCancelled:
    """The move is over, or will not begin."""

    move_id: str
    agent_id: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class QueueClosed:
    """Nobody joins the queue any more until `until_at` (0: until opened); who waits goes back to their flow, unless
    `keep_waiting`. A second closing replaces the first."""

    queue: str
    until_at: int = 0
    keep_waiting: bool = False
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class QueueOpened:
    """The queue takes callers again."""

    queue: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class PhoneChanged:
    agent_id: str
    phone: Phone


@dataclass(frozen=True, slots=True)
class DesktopChanged:
    agent_id: str
    desktop: Desktop


@dataclass(frozen=True, slots=True)
class RoutingPaused:
    """No new offers (link to Asterisk down, world being read again); everything else goes on."""

    reason: str


@dataclass(frozen=True, slots=True)
class RoutingResumed:
    """Offers go on."""


@dataclass(frozen=True, slots=True)
class ClockReached:
    """Time went by: expire what is due. The driver sends it at `Engine.next_due()`; early ones do no harm."""


Event = (
    ConfigurationChanged
    | InteractionArrived
    | InteractionAttached
    | InteractionDetached
    | InteractionQueued
    | CallbackAnswered
    | CallbackFailed
    | CallbackCancelled
    | QueueLeft
    | CallerLeft
    | FlowEnded
    | CallTransferred
    | ConsentTold
    | RecordingEnded
    | SurveyAnswered
    | OfferAccepted
    | OfferRejected
    | OfferFailed
    | ConnectionFound
    | TalkEnded
    | WrapUpEnded
    | WrapUpExtended
    | PresenceChosen
    | AgentMoved
    | AgentMoveCancelled
    | QueueClosed
    | QueueOpened
    | PhoneChanged
    | DesktopChanged
    | RoutingPaused
    | RoutingResumed
    | ClockReached
)
