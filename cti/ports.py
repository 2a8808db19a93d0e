"""What `cti` needs of the side that people see and of the database, as Protocols; `cti.main` wires them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from acd.commands import Fact, OfferInteraction
from acd.model import AgentProfile
from acd.snapshot import InteractionView
from ivr.past_calls import PastCall


class CustomerMatch(Protocol):
    """What a look-up found. `values` are the fields of the record when `matches` is 1; `past`: earlier calls, newest
    first."""

    @property
    def matches(self) -> int: ...
    @property
    def values(self) -> Mapping[str, str]: ...
    @property
    def past(self) -> Sequence[PastCall]: ...
    @property
    def refused(self) -> str:
        """Why nobody is found although somebody fits: the PIN was `wrong`, or too many were: `blocked`."""
        ...


class Directory(Protocol):
    """Customers. A look-up that fails or takes too long answers 0 matches and is logged: a call goes on."""

    async def match_caller(self, interaction_id: str, number: str) -> CustomerMatch:
        """Find who calls from `number` (as Asterisk gave it; empty: withheld) and keep the result for the pop."""
        ...

    async def recall(self, interaction_id: str, number: str) -> None:
        """Find again what was known of an interaction before the server started anew, unless it is still known."""
        ...

    async def look_up(self, interaction_id: str, by: str, value: str, pin: str | None = None) -> CustomerMatch:
        """Find by a field (`number`, `account`); a single match replaces the kept result for the pop. With a `pin`
        only who has it is found."""
        ...

    def pass_on(self, interaction_id: str, to: str) -> None:
        """Who this interaction is with, the other is with too."""
        ...

    async def last_agent(self, interaction_id: str) -> str:
        """Who last talked to this interaction's customer, or to its caller's number; empty when nobody is known."""
        ...


class Desktops(Protocol):
    """The agents' screens."""

    async def show_offer(self, offer: OfferInteraction, interaction: InteractionView) -> bool:
        """Send the pop; return True once a desktop acknowledged that it is shown, False if none is connected.

        The caller bounds the wait; cancelling is harmless. The first step is run outside any task, so that the pop
        leaves at once: it must not enter `asyncio.timeout` or a task group before its first wait.
        """
        ...

    def publish(self, facts: Sequence[Fact], now: int) -> None:
        """Tell every screen what is now true. Never waits, never raises."""
        ...


class Records(Protocol):
    """The tables of interactions, visits, offers, talks and agent intervals, written behind."""

    def keep(self, position: int, facts: Sequence[Fact]) -> None:
        """Take facts of journal entry `position` for writing. Never waits; bounded; idempotent by id."""
        ...

    async def flush(self) -> None:
        """Wait until everything taken so far is written."""
        ...


#: A step of a flow: version of the files, flow, address.
Spot = tuple[str, str, str]


class Footfall(Protocol):
    """Counts what calls do at the steps of their flows. No call waits, none raises; `at`: microseconds UTC."""

    def move(self, before: Spot | None, after: Spot | None) -> None:
        """A caller stands elsewhere; None: in no flow that we carry out."""
        ...

    def enter(self, spot: Spot, at: int) -> None: ...

    def leave(self, spot: Spot, at: int, way: str, stayed_us: int) -> None: ...

    def miss(self, spot: Spot, at: int, *, timed_out: bool) -> None:
        """No key in time, or another than was asked for."""
        ...

    def hang_up(self, spot: Spot, at: int, stayed_us: int) -> None:
        """The caller ended the call here."""
        ...


@dataclass(frozen=True, slots=True)
class TextMessage:
    """A message to a number (E.164) that may be written to. `key` names it: of two with the same key one is sent."""

    key: str
    to: str
    text: str
    language: str
    interaction_id: str


class TextMessages(Protocol):
    """Who sends text messages."""

    async def send(self, message: TextMessage) -> bool:
        """Whether it was taken. Never raises for what the other side does; bounded in time."""
        ...


class Announced(Protocol):
    """What a caller hears because of an order. `texts`: by language, the default one among them; none: nothing."""

    @property
    def why(self) -> str:
        """The order, for the records."""
        ...

    @property
    def texts(self) -> Mapping[str, str]: ...


class Measures(Protocol):
    """What emergency orders mean for a new call. `numbers`: the dialled one and its rule, in canonical form."""

    def closed(self, numbers: Collection[str]) -> Announced | None:
        """Why calls to this number are not taken now; None: they are."""
        ...

    def notices(self, numbers: Collection[str]) -> Sequence[Announced]:
        """What is said first, in this order."""
        ...


class People(Protocol):
    """Who works here."""

    async def profiles(self) -> Sequence[AgentProfile]: ...

    async def phones(self) -> Mapping[str, PhoneRecord]:
        """Agent id → phone."""
        ...


class PhoneRecord(Protocol):
    """An agent's phone. `address` is a static SIP address, empty when the phone registers."""

    @property
    def extension(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def secret(self) -> str: ...
    @property
    def address(self) -> str: ...
