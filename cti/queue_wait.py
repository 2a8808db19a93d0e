"""A caller's wait for an agent: joining the queue, music and announcements, the ring, and how it came out.

It decides nothing about agents: it asks the engine for one, rings when told, and learns from facts how the offer, the
talk and the visit ended.
"""

from __future__ import annotations

import asyncio
from collections import deque

import structlog

from acd.commands import Fact, InteractionClosed, OfferClosed, OfferInteraction, TalkClosed, TalkOpened, VisitClosed
from acd.events import Attributes, InteractionQueued, OfferAccepted, OfferFailed, QueueLeft, TalkEnded
from acd.model import Requirement, Stage, VisitOutcome
from cti.fastagi import AgiConversation
from cti.handset import Handset
from cti.node import Node
from cti.session_ports import SessionPorts
from ivr.steps import Enqueue, QueueEnded

log = structlog.get_logger(__name__)

#: How long the AMI side may lag behind the end of a Dial before an offer without a leg counts as failed.
LEG_LAG_S = 1.0
#: How long a caller hears music before the first announcement.
FIRST_ANNOUNCEMENT_S = 1.0
#: Under this name the caller's name goes along, in the flow's variables and to the pop.
CALLER_NAME = "caller_name"


class QueueWait:
    """One call's waits, one after the other."""

    def __init__(
        self, ports: SessionPorts, conversation: AgiConversation, node: Node, interaction_id: str, handset: Handset
    ) -> None:
        self.interaction_id = interaction_id
        self._handset = handset
        self._ports = ports
        self._agi = conversation
        self._node = node
        self._wake = asyncio.Event()
        self._rings: deque[OfferInteraction] = deque()

    @property
    def is_wanted(self) -> bool:
        """Whether an agent's phone is to ring."""
        return bool(self._rings)

    def ring(self, offer: OfferInteraction) -> None:
        """The pop is shown: ring this agent's phone."""
        self._rings.append(offer)
        self._handset.cut_prompt()  # once more: what was cut when the pop went out may not have begun to play then
        self._tell_news()

    def withdraw(self, offer_id: str) -> None:
        """Do not ring any more, if it has not begun."""
        self._rings = deque(offer for offer in self._rings if offer.offer_id != offer_id)
        self._tell_news()

    def notice(self, fact: Fact) -> None:
        """Something of this interaction became true."""
        if isinstance(fact, VisitClosed | OfferClosed | TalkOpened | TalkClosed | InteractionClosed):
            self._tell_news()

    def _tell_news(self) -> None:
        self._wake.set()
        self._handset.ring_bell()

    async def run(self, step: Enqueue, caller_name: str, *, is_resumed: bool) -> QueueEnded:
        """Wait until an agent has talked to the caller, or the wait has ended otherwise. Who is resumed may have been
        served meanwhile."""
        ended = self._queue_result() if is_resumed else None
        if ended is not None and ended.agent:
            return ended
        self._join_queue(step, caller_name)
        loop = asyncio.get_running_loop()
        joined_at = loop.time() - self._waited_s()
        announced_at = loop.time() - (step.announce_every_s - FIRST_ANNOUNCEMENT_S if step.announcement else 0.0)
        while True:
            ended = self._queue_result()
            if ended is not None:
                self._handset.forget_digits()  # what was pressed during the talk was not meant for the flow
                return ended
            if self._rings:
                await self._ring(self._rings.popleft())
                continue
            now = loop.time()
            stage = self._stage()
            if step.max_wait_s and now - joined_at >= step.max_wait_s and stage is Stage.QUEUED:
                self._ports.dispatcher.submit(QueueLeft(self.interaction_id, VisitOutcome.OVERFLOWED))
                await self._handset.stop_music()
                self._handset.forget_digits()
                return QueueEnded("timed_out")
            if step.announcement and now - announced_at >= step.announce_every_s > 0 and stage is Stage.QUEUED:
                await self._handset.play(step.announcement, barge_in=False)
                announced_at = loop.time()
                continue
            await self._handset.start_music(step.music)
            await self._handset.renew(share=1.0)
            await self._wait_for_news(self._patience(step, now, joined_at, announced_at))

    def _patience(self, step: Enqueue, now: float, joined_at: float, announced_at: float) -> float:
        waits = [self._ports.renew_every_s]
        if step.max_wait_s:
            waits.append(joined_at + step.max_wait_s - now)
        if step.announcement and step.announce_every_s > 0:
            waits.append(announced_at + step.announce_every_s - now)
        # While a phone rings a wait that is over already must not spin: look again in a second.
        return max(min(waits), 0.05 if self._stage() is Stage.QUEUED else 1.0)

    async def _wait_for_news(self, wait_s: float) -> None:
        if not self._wake.is_set():
            await self._handset.wait(self._wake, wait_s)
        self._wake.clear()

    def _waited_s(self) -> float:
        """How long this visit has lasted already: a caller who was away does not wait all over again."""
        view = self._ports.dispatcher.interaction(self.interaction_id)
        if view is None or not view.entered_at:
            return 0.0
        return max(0, self._ports.dispatcher.now() - view.entered_at) / 1_000_000

    def _join_queue(self, step: Enqueue, caller_name: str) -> None:
        if self._stage() is not Stage.IN_FLOW:
            return
        self._ports.dispatcher.submit(
            InteractionQueued(
                self.interaction_id,
                step.queue,
                step.priority,
                tuple(Requirement(skill, level) for skill, level in step.skills),
                _with_caller_name(step.attributes, caller_name),
            )
        )

    def _stage(self) -> Stage | None:
        view = self._ports.dispatcher.interaction(self.interaction_id)
        return None if view is None else view.stage

    def _queue_result(self) -> QueueEnded | None:
        """Served, once an agent has talked to the caller and no longer does; None while it goes on."""
        view = self._ports.dispatcher.interaction(self.interaction_id)
        if view is None:
            return QueueEnded("closed")
        if view.stage is Stage.IN_FLOW:
            return QueueEnded("served", view.served_by) if view.served_by else QueueEnded("closed")
        return None

    async def _ring(self, offer: OfferInteraction) -> None:
        if not self._ports.dispatcher.is_open(offer.offer_id):
            return
        dial = self._ports.dial_string(offer.agent_id, self._node.name)
        seconds = max(1, (offer.expires_at - offer.offered_at) // 1_000_000 + 10)
        await self._agi.gosub("callyard-dial", "s", "1", dial, str(seconds), offer.offer_id, offer.agent_id)
        self._handset.take_back()
        await self._settle(offer)
        await self._agi.set_variable("CALLYARD_SERVED", "")

    async def _settle(self, offer: OfferInteraction) -> None:
        """The Dial is over: wait until AMI has told how, since its return decides nothing."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LEG_LAG_S
        while loop.time() < until:
            if not self._ports.dispatcher.is_open(offer.offer_id) and self._stage() is not Stage.TALKING:
                return
            self._wake.clear()
            await self._handset.wait(self._wake, until - loop.time(), renews=False)
        if self._ports.dispatcher.is_open(offer.offer_id):
            result = (await self._agi.get_variable("CALLYARD_RESULT") or "").partition("|")[2]
            self._give_up(offer, result)

    def _give_up(self, offer: OfferInteraction, result: str) -> None:
        """AMI has told nothing of this Dial. One that says ANSWER was a talk whose events are lost in a gap."""
        log.info("session.offer_untold", interaction_id=self.interaction_id, result=result)
        if not self._ports.dispatcher.is_open(offer.offer_id):
            return
        if result.startswith("ANSWER|"):
            self._ports.dispatcher.submit(OfferAccepted(offer.offer_id))
            self._ports.dispatcher.submit(TalkEnded(offer.interaction_id, offer.agent_id, gap=True))
        else:
            self._ports.dispatcher.submit(OfferFailed(offer.offer_id, result))


def _with_caller_name(attributes: Attributes, name: str) -> Attributes:
    """What the network says of the caller's name goes to the pop: often all that is known of a new caller."""
    return (*attributes, (CALLER_NAME, name)) if name else attributes
