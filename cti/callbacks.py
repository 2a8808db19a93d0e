"""Calling customers back: the promise, as a flow makes it, and the calls that keep it.

An offer that names a callback number is carried out here. The agent sees the pop, then the customer is called by
Originate. The channel's uniqueid is made from the offer's id, so that one offer never makes two calls, whatever is
lost or repeated, and a restarted server finds the call. Who answers comes into our AGI (`cti.called_back`). Every end
before that is told as `CallbackFailed`, with Asterisk's cause in a word.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from acd.commands import CallbackChanged, Command, OfferClosed, OfferInteraction
from acd.events import Attributes, CallbackFailed, InteractionQueued
from acd.model import CallbackState, OfferOutcome, Requirement, Stage
from acd.snapshot import InteractionView
from cti.ami_events import ChannelEvent, ChannelHungUp, ChannelStateChanged
from cti.calls import Calls
from cti.dispatcher import Dispatcher
from cti.errors import AmiActionError, CtiError
from cti.node import Node, OutgoingCall
from cti.outbound import Outbound, Refused, is_dialable

log = structlog.get_logger(__name__)

#: Stands in the uniqueid of every call of ours to a customer.
MARK = "-callback."
CONTEXT = "callyard-callback"
#: So long a call that was ended, and a caller who has just asked, may take to be gone before the next is begun.
QUIET_S = 10.0
#: So long after its Originate a channel must be there.
BEGUN_S = 2.0
_LOOK_EVERY_S = 0.1
#: What a cause (Q.850) says of a customer who was not reached.
_CAUSES = {
    1: "no_such_number", 17: "busy", 18: "no_answer", 19: "no_answer", 21: "declined", 27: "unreachable",
    28: "no_such_number", 34: "congestion", 38: "congestion", 41: "congestion", 42: "congestion", 44: "congestion",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Promised:
    """The customer will be called back under `number` (E.164); their place stays theirs, they may hang up."""

    number: str


def promise(
    dispatcher: Dispatcher,
    view: InteractionView | None,
    queue: str,
    number: str,
    outbound: Outbound,
    *,
    priority: int = 0,
    requirements: tuple[Requirement, ...] = (),
    attributes: Attributes = (),
    carried: str = "",
) -> Promised | Refused:
    """Promise the caller of `view` to call them back for `queue` under `number`, as typed or as the network gave it.

    `carried`: where the flow stands (`CallState.pack`), so that the call back goes on behind its queue step.
    Who waits in that queue keeps place, priority and requirements; who comes from the flow gets those given here. The
    flow goes on (and should say goodbye): its end and the caller's hang-up no longer end the interaction. Nothing has
    changed when it answers Refused.
    """
    if view is None or view.stage is Stage.TALKING:
        return Refused("not_waiting")
    checked = outbound.check(number)
    if isinstance(checked, Refused):
        return checked
    dispatcher.submit(
        InteractionQueued(view.id, queue, priority, requirements, attributes, callback_number=checked, carried=carried)
    )
    now = dispatcher.interaction(view.id)
    kept = now is not None and now.is_promised and (now.queue, now.callback_number) == (queue, checked)
    return Promised(checked) if kept else Refused("no_callback")


def channel_id(node: str, offer_id: str) -> str:
    """The uniqueid of the call that this offer makes. Behind the node's name there is no further `-`."""
    return f"{node}{MARK}{re.sub('[^0-9A-Za-z]', '.', offer_id)}"


def is_callback(uniqueid: str) -> bool:
    """Whether this is a call of ours to a customer."""
    return MARK in uniqueid


@dataclass(frozen=True, slots=True)
class Line:
    """How customers of a queue are called: by which trunk, under which number, for how long it rings."""

    trunk: str
    caller_id: str
    ring_s: float


class Callbacks:
    """Carries out the offers that call a customer back. One task per call until it is known to have begun."""

    def __init__(
        self, dispatcher: Dispatcher, calls: Calls, nodes: Mapping[str, Node], *, quiet_s: float = QUIET_S,
        begun_s: float = BEGUN_S,
    ) -> None:  # fmt: skip
        self._dispatcher = dispatcher
        self._calls = calls
        self._nodes = nodes
        self._quiet_s = quiet_s
        self._begun_s = begun_s
        self._calling = {offer.offer_id: offer for offer in dispatcher.open_offers() if offer.callback_number}
        self._beginning: set[str] = set()
        self._answered: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.line_of: Callable[[str], Line | None] = lambda queue: None
        dispatcher.watch(self._watch)

    # --- beginning and ending calls ----------------------------------------------------------------------

    def begin(self, offer: OfferInteraction) -> None:
        """Call the customer of this offer."""
        self._calling[offer.offer_id] = offer
        self._beginning.add(offer.offer_id)
        self._start(self._begin(offer))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self, offer: OfferInteraction) -> None:
        try:
            if not await self._is_quiet(offer):
                self._fail(offer.offer_id, "still_on_line")
            elif self._dispatcher.is_open(offer.offer_id):
                await self._call(offer)
        finally:
            self._beginning.discard(offer.offer_id)

    async def _is_quiet(self, offer: OfferInteraction) -> bool:
        """Whether nobody of this interaction is on the line any more: neither the caller who asked, nor the customer
        of a call that was ended."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._quiet_s
        while self._is_on_line(offer):  # many sources, bounded
            if loop.time() >= until:
                return False
            await asyncio.sleep(_LOOK_EVERY_S)
        return True

    def _is_on_line(self, offer: OfferInteraction) -> bool:
        interaction_id, _, number = offer.offer_id.rpartition("/")
        earlier = (f"{interaction_id}/{before}" for before in range(1, int(number)))
        return self._calls.is_alive(interaction_id) or any(self.is_alive(each) for each in earlier)

    async def _call(self, offer: OfferInteraction) -> None:
        node, line = self._node(), self.line_of(offer.queue)
        view = self._dispatcher.interaction(offer.interaction_id)
        if node is None or line is None or view is None or not is_dialable(offer.callback_number):
            log.error("callback.no_line", offer_id=offer.offer_id, queue=offer.queue)
            self._fail(offer.offer_id, "no_line")
            return
        uniqueid = channel_id(node.name, offer.offer_id)
        try:
            await node.originate(
                OutgoingCall(
                    channel_id=uniqueid,
                    interaction_id=offer.interaction_id,
                    number=offer.callback_number,
                    trunk=line.trunk,
                    caller_id=line.caller_id or re.sub("[^0-9+]", "", view.dialled),
                    ring_s=line.ring_s,
                    context=CONTEXT,
                    variables={
                        "CALLYARD_CALLBACK": offer.offer_id,
                        "CALLYARD_CUSTOMER": offer.callback_number,
                        "CALLYARD_NUMBER": re.sub("[^0-9A-Za-z+*#]", "", view.dialled),
                    },
                )
            )
        except AmiActionError as error:
            log.warning("callback.refused", offer_id=offer.offer_id, error=str(error))
            self._fail(offer.offer_id, "refused")
            return
        except CtiError as error:
            # Perhaps it was begun: the reading after the gap shows, and never is a second one made.
            log.warning("callback.unsure", offer_id=offer.offer_id, error=str(error))
            return
        await asyncio.sleep(self._begun_s)
        if self._is_calling(offer.offer_id) and not await node.has_channel(uniqueid, uniqueid):
            self._fail(offer.offer_id, "failed")

    def _node(self) -> Node | None:
        return next((node for node in self._nodes.values() if node.link.is_up), None)

    def withdraw(self, offer_id: str) -> bool:
        """Hang the customer up if this offer called them and they are not on the line yet."""
        if self._calling.pop(offer_id, None) is None:
            return False
        for node in self._nodes.values():
            self._start(node.try_hang_up(channel_id(node.name, offer_id)))
        return True

    # --- what is known of them -----------------------------------------------------------------------------

    def is_alive(self, offer_id: str) -> bool:
        """Whether the call of this offer lives, on any node."""
        return any(self._calls.has_channel(name, channel_id(name, offer_id)) for name in self._nodes)

    def lost(self) -> tuple[str, ...]:
        """Offers whose customer should be being called, and is not. Ask once the world has been read."""
        return tuple(each for each in self._calling if each not in self._beginning and not self.is_alive(each))

    def fail_lost(self) -> None:
        """Calls that ended, or were never begun, while nobody of ours looked."""
        for offer_id in self.lost():
            self._fail(offer_id, "gap")

    def hear(self, event: ChannelEvent) -> None:
        """What Asterisk tells of these calls."""
        if isinstance(event, ChannelStateChanged) and is_callback(event.uniqueid) and event.state == "Up":
            self._answered.add(event.uniqueid)
        elif isinstance(event, ChannelHungUp) and is_callback(event.uniqueid):
            was_answered = event.uniqueid in self._answered
            self._answered.discard(event.uniqueid)
            for offer_id in list(self._calling):
                if channel_id(event.node, offer_id) == event.uniqueid:
                    self._fail(offer_id, "left" if was_answered else _CAUSES.get(event.cause, "no_answer"))

    def _fail(self, offer_id: str, detail: str) -> None:
        if self._is_calling(offer_id):
            self._dispatcher.submit(CallbackFailed(offer_id, detail))

    def _is_calling(self, offer_id: str) -> bool:
        return offer_id in self._calling and self._dispatcher.is_open(offer_id)

    def _watch(self, commands: Sequence[Command], now: int) -> None:
        for command in commands:
            if isinstance(command, CallbackChanged) and command.state is CallbackState.ANSWERED:
                for offer in [each for each in self._calling.values() if each.interaction_id == command.interaction_id]:
                    del self._calling[offer.offer_id]
            elif isinstance(command, OfferClosed) and command.outcome is OfferOutcome.ACCEPTED:
                self._calling.pop(command.offer_id, None)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
