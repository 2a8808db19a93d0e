"""The messages between server and desktop, as `docs/api.md` describes them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from acd.commands import AgentChanged
from acd.model import VOICE, AgentState, Desktop, OfferOutcome, Phone, Presence
from acd.snapshot import AgentView
from screenpop.customers import MatchWord
from screenpop.model import Customer, PastInteraction, Person, Value
from screenpop.numbers import CallerKind
from screenpop.orders import Order
from screenpop.settings import Choice

# --- what is shown --------------------------------------------------------------------------------------

WorkStage = Literal["offered", "talking", "wrap_up"]
Pairs = tuple[tuple[str, int | str], ...]


class Why(Value):
    """Why this agent got the call; pairs in ranking order."""

    rule: str
    key: Pairs = ()
    runner_up: str | None = None
    runner_up_key: Pairs = ()
    passed_over: tuple[tuple[str, int], ...] = ()


class Work(Value):
    """One interaction in an agent's hands: the pop. Instants are microseconds UTC, 0 for none.

    `caller_text` is the number as a person writes it, `since` when the stage began. `calling_back`: we promised them a
    call and are making it; the agent's phone rings once they have answered. `medium`: what is not `voice` is accepted
    and put down on the desktop; the recording of a `message` is `/api/messages/{interaction_id}.wav`.
    """

    interaction_id: str
    offer_id: str
    stage: WorkStage
    queue: str
    queue_title: str
    caller: str
    caller_text: str
    caller_kind: CallerKind
    dialled: str
    flow: str
    priority: int
    arrived_at: int
    first_asked_at: int
    since: int
    deadline: int
    attributes: dict[str, str]
    reason: Why | None
    match: MatchWord
    customer: Customer | None
    candidates: tuple[Customer, ...]
    history: tuple[PastInteraction, ...]
    calling_back: bool = False
    medium: str = VOICE


class Me(Value):
    id: str
    name: str
    extension: str
    roles: tuple[str, ...]
    queues: tuple[str, ...]


class AgentNow(Value):
    """My own state. `interaction_id` is empty, `deadline` and `latest` are 0 where there is none."""

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

    @classmethod
    def of(cls, agent: AgentChanged | AgentView) -> Self:
        return cls(
            state=agent.state,
            reason=agent.reason,
            since=agent.since,
            presence=agent.presence,
            presence_reason=agent.presence_reason,
            phone=agent.phone,
            desktop=agent.desktop,
            interaction_id=agent.interaction_id,
            deadline=agent.deadline,
            latest=agent.latest,
        )


class QueueTotals(Value):
    queue: str
    title: str
    waiting: int
    oldest_asked_at: int
    agents_ready: int
    agents_signed_in: int


class Emergency(Value):
    """An emergency order. `target`: a queue, or a number; empty: all numbers. Instants are microseconds UTC;
    `ends_at` 0: until it is ended; `ended_at` 0: not ended before its time."""

    id: int
    kind: Literal["close_queue", "close_number", "notice"]
    target: str
    texts: dict[str, str]
    keep_waiting: bool
    begins_at: int
    ends_at: int
    given_by: str
    reason: str
    given_at: int
    ended_by: str
    ended_at: int

    @classmethod
    def of(cls, order: Order) -> Self:
        detail = order.detail
        return cls.model_validate(
            {
                "texts": detail.get("texts") or {},
                "keep_waiting": bool(detail.get("keep_waiting")),
                **{name: getattr(order, name) for name in cls.model_fields if name not in ("texts", "keep_waiting")},
            }
        )

    def concerns(self, person: Person, queues: Collection[str]) -> bool:
        """Whether somebody who sees these queues is shown it."""
        return person.sees_everything or self.kind != "close_queue" or self.target in queues


# --- server → desktop (`seq` and `now` are put in front when a message is sent) ---------------------------


class SnapshotMessage(Value):
    type: Literal["snapshot"] = "snapshot"
    stream: str
    me: Me
    agent: AgentNow | None
    work: Work | None
    queues: tuple[QueueTotals, ...]
    reasons: tuple[Choice, ...]
    dispositions: tuple[Choice, ...]
    emergencies: tuple[Emergency, ...] = ()


class AgentMessage(AgentNow):
    type: Literal["agent"] = "agent"


class OfferMessage(Value):
    type: Literal["offer"] = "offer"
    work: Work


class OfferEndedMessage(Value):
    type: Literal["offer_ended"] = "offer_ended"
    offer_id: str
    outcome: OfferOutcome
    detail: str


class WorkMessage(Value):
    type: Literal["work"] = "work"
    work: Work | None


class QueuesMessage(Value):
    type: Literal["queues"] = "queues"
    queues: tuple[QueueTotals, ...]


class EmergenciesMessage(Value):
    type: Literal["emergencies"] = "emergencies"
    emergencies: tuple[Emergency, ...]


class ErrorMessage(Value):
    type: Literal["error"] = "error"
    code: str
    message: str
    reply_to: str | None


class SignedOutMessage(Value):
    type: Literal["signed_out"] = "signed_out"
    reason: str


ServerMessage = (
    SnapshotMessage
    | AgentMessage
    | OfferMessage
    | OfferEndedMessage
    | WorkMessage
    | QueuesMessage
    | EmergenciesMessage
    | ErrorMessage
    | SignedOutMessage
)

# --- desktop → server -----------------------------------------------------------------------------------

_Id = Annotated[str, Field(max_length=200)]


class DesktopMessage(BaseModel):
    """Fields that this version does not know are ignored: a newer page may send them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str | None = Field(default=None, max_length=100)


class Shown(DesktopMessage):
    type: Literal["shown"]
    offer_id: _Id


class PresenceWish(DesktopMessage):
    type: Literal["presence"]
    presence: Presence
    reason: str = Field(default="", max_length=64)


class Reject(DesktopMessage):
    type: Literal["reject"]
    offer_id: _Id


class Accept(DesktopMessage):
    """Take what is no call."""

    type: Literal["accept"]
    offer_id: _Id


class Done(DesktopMessage):
    """What is no call is dealt with: wrap-up begins."""

    type: Literal["done"]
    interaction_id: _Id


class Finish(DesktopMessage):
    type: Literal["finish"]
    interaction_id: _Id
    disposition: str = Field(default="", max_length=64)
    note: str = Field(default="", max_length=4000)


class MoreTime(DesktopMessage):
    """`until`: the end that is wanted, so that a message that comes twice asks for nothing more."""

    type: Literal["more_time"]
    interaction_id: _Id
    until: int = Field(ge=0, lt=2**62)


class ChooseCustomer(DesktopMessage):
    type: Literal["choose_customer"]
    interaction_id: _Id
    customer_id: str = Field(max_length=64)


class Seen(DesktopMessage):
    type: Literal["seen"]
    seq: int = Field(ge=0)


AnyDesktopMessage = Shown | PresenceWish | Accept | Reject | Done | Finish | MoreTime | ChooseCustomer | Seen
DESKTOP_MESSAGE: TypeAdapter[AnyDesktopMessage] = TypeAdapter(Annotated[AnyDesktopMessage, Field(discriminator="type")])
