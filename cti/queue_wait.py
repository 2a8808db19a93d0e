"""A caller's wait for an agent: joining the queue, music and announcements, the ring, and how it came out.

It decides nothing about agents: it asks the engine for one, rings when told, and learns from facts how the offer, the
talk and the visit ended.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import structlog

from acd.commands import (
    Fact,
    InteractionClosed,
    OfferClosed,
    OfferInteraction,
    TalkClosed,
    TalkOpened,
    VisitClosed,
    VisitOpened,
)
from acd.events import (
    Attributes,
    InteractionAttached,
    InteractionDetached,
    InteractionQueued,
    OfferAccepted,
    OfferFailed,
    TalkEnded,
)
from acd.model import OverflowCause, Requirement, Stage, VisitOutcome
from acd.snapshot import InteractionView
from cti.callback_talk import CallbackTalk
from cti.fastagi import AgiConversation
from cti.handset import Handset
from cti.node import Node
from cti.session_ports import SessionPorts
from ivr.steps import LAST, Enqueue, Instruction, Promise, QueueEnded, Result, Waiting
from ivr.waiting import Seen, Told, begin, resume, say

log = structlog.get_logger(__name__)

#: How long the AMI side may lag behind the end of a Dial before an offer without a leg counts as failed.
LEG_LAG_S = 1.0
#: How the engine says that a visit ended (`InteractionView.left_by`) → the flow's way out; anything else is `closed`.
EXITS: Mapping[str, str] = {
    VisitOutcome.ANSWERED: "served",
    OverflowCause.TIMED_OUT: "timed_out",
    OverflowCause.FULL: "full",
    OverflowCause.LONG_WAIT: "long_wait",
    OverflowCause.FEW_SIGNED_IN: "nobody",
    OverflowCause.FEW_READY: "nobody",
}
#: Under this name the caller's name goes along, in the flow's variables and to the pop.
CALLER_NAME = "caller_name"


class Waits(Protocol):
    """What a flow says of waiting (`ivr.interpreter.Execution`)."""

    def waiting_in(self, queue: str) -> Waiting:
        """Raises KeyError for a queue that is not known."""
        ...

    def promise(self, wish: Promise) -> Generator[Instruction, Result, bool]: ...


class QueueWait:
    """One call's waits, one after the other."""

    def __init__(
        self, ports: SessionPorts, conversation: AgiConversation, node: Node, interaction_id: str, handset: Handset,
        lost_us: int = 0, on_talk: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """`lost_us`: how long the caller has waited for a server that was away; so much sooner they have asked.
        `on_talk`: the flow has talked with the caller about calling them back."""
        self.interaction_id = interaction_id
        self._handset = handset
        self._ports = ports
        self._agi = conversation
        self._node = node
        self._wake = asyncio.Event()
        self._rings: deque[Sequence[OfferInteraction]] = deque()
        self._has_joined = True
        self._is_served_told = False
        self._has_talked = False
        self.callback_talk = CallbackTalk(ports, interaction_id, handset, lambda: bool(self._rings))
        self._key = ""
        self._wants_callback = False
        self._lost_us = lost_us
        self._on_talk = on_talk

    @property
    def is_wanted(self) -> bool:
        """Whether an agent's phone is to ring, or the caller has pressed the key: what plays is to end."""
        return bool(self._rings) or self._wants_callback

    def press(self, digit: str) -> None:
        """The caller pressed a key: perhaps the one that leads to a callback."""
        if digit == self._key:
            self._key, self._wants_callback = "", True
            self._handset.cut_prompt()
            self._tell_news()

    def ring(self, offers: Sequence[OfferInteraction]) -> None:
        """The pops are shown: ring these agents' phones at the same time."""
        self._rings.append(offers)
        self._handset.cut_prompt()  # once more: what was cut when the pop went out may not have begun to play then
        self._tell_news()

    def withdraw(self, offer_id: str) -> None:
        """Do not ring any more, if it has not begun."""
        kept = (tuple(offer for offer in offers if offer.offer_id != offer_id) for offers in self._rings)
        self._rings = deque(offers for offers in kept if offers)
        self._tell_news()

    def notice(self, fact: Fact) -> None:
        """Something of this interaction became true."""
        self._has_joined |= isinstance(fact, VisitOpened | VisitClosed)
        self._has_talked |= isinstance(fact, TalkOpened)
        if isinstance(fact, VisitOpened | VisitClosed | OfferClosed | TalkOpened | TalkClosed | InteractionClosed):
            self._tell_news()

    def _tell_news(self) -> None:
        self._wake.set()
        self._handset.ring_bell()

    async def run(self, step: Enqueue, flow: Waits, caller_name: str, *, is_resumed: bool) -> QueueEnded:
        """Wait until an agent has talked to the caller, or the wait has ended otherwise. Who is resumed may have been
        served meanwhile. `flow` says how they wait in a queue to which they are moved, and how they are promised."""
        if self._was_called_back():
            step = replace(step, max_wait_s=0.0)  # who was called by us is not sent away
        ended = self._result() if is_resumed else None
        if ended is not None and self._has_left():
            return ended
        await self._join(step, caller_name)
        told = await self._told(step.waiting) if is_resumed else begin(step.waiting, self._now())
        try:
            return await self._wait(step.waiting, flow, told)
        finally:
            self._key, self._wants_callback = "", False  # which mean something only while they wait

    async def forget_served(self) -> None:
        """Take off the call who served it in a wait that we have seen end: in a later one it would count again.

        It counts only for a call that waits (`cti.arrivals`), so it goes before the next wait, and is not worth a
        command for a call that ends.
        """
        if self._is_served_told:
            self._is_served_told = False
            await self._agi.set_variable("CALLYARD_SERVED", "")

    async def _wait(self, waiting: Waiting, flow: Waits, told: Told) -> QueueEnded:
        while True:
            ended = self._result()
            if ended is not None:
                await self._handset.stop_music()
                self._handset.forget_digits()  # what was pressed during the talk was not meant for the flow
                return ended
            await self.forget_served()
            if self._rings:
                await self._ring(self._rings.popleft())
                continue
            seen = self._seen()
            if seen is not None and seen.queue != waiting.queue:
                waiting = self._waiting_elsewhere(seen.queue, waiting, flow)
                told = begin(waiting, self._now())
            self._key = waiting.offer.key if waiting.offer is not None and seen is not None else ""
            if self._wants_callback:
                self._key, self._wants_callback = "", False
                try:
                    await self.callback_talk.lead(flow.promise(Promise(waiting.queue, "")))
                finally:
                    self._on_talk()
                continue
            if seen is not None and self._now() >= told.due_at:
                told = await self._say(waiting, told, seen)
                continue
            await self._handset.start_music(waiting.music)
            await self._handset.renew(share=1.0)
            await self._wait_for_news(self._patience(told.due_at))

    def _patience(self, due_at: float) -> float:
        wait_s = min(self._ports.renew_every_s, due_at - self._now())
        # While a phone rings a wait that is over already must not spin: look again in a second.
        return max(wait_s, 0.05 if self._stage() is Stage.QUEUED else 1.0)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # --- what they are told ------------------------------------------------------------------------------

    async def _say(self, waiting: Waiting, told: Told, seen: Seen) -> Told:
        """Say what is due; the call carries what was told, for a session that takes it up."""
        began = self._now()
        prompts, told = say(waiting, told, seen, began)
        if prompts:
            if waiting.tells:
                await self._agi.set_variable("CALLYARD_TOLD", told.pack())
            await self._handset.play(prompts, barge_in=False)
        return told.after(self._now() - began)

    async def _told(self, waiting: Waiting) -> Told:
        carried = await self._agi.get_variable("CALLYARD_TOLD") if waiting.tells else None
        return resume(waiting, carried or "", self._now())

    def _seen(self) -> Seen | None:
        """What may be told now; None while the caller does not wait in a queue."""
        if self._stage() is not Stage.QUEUED:
            return None
        view = self._ports.dispatcher.interaction(self.interaction_id)
        if view is None:
            return None
        queue = self._ports.dispatcher.queue(view.queue)
        return Seen(view.queue, view.position, view.expected_wait_us, queue.agents_signed_in if queue else 0)

    def _waiting_elsewhere(self, queue: str, waiting: Waiting, flow: Waits) -> Waiting:
        """The queue was changed under the caller; one that the call's files do not know changes nothing for them."""
        try:
            return flow.waiting_in(queue)
        except KeyError:
            log.warning("queue_wait.unknown_queue", interaction_id=self.interaction_id, queue=queue)
            return replace(waiting, queue=queue, offer=None)

    # --- joining, and how it came out --------------------------------------------------------------------

    async def _wait_for_news(self, wait_s: float) -> None:
        if not self._wake.is_set():
            await self._handset.wait(self._wake, wait_s)
        self._wake.clear()

    async def _join(self, step: Enqueue, caller_name: str) -> None:
        if self._stage() is not Stage.IN_FLOW:
            return
        preferred = await self._preferred(step.preferred)
        await self.forget_served()
        self._has_joined = False
        self._ports.dispatcher.submit(
            InteractionQueued(
                self.interaction_id,
                step.queue,
                step.priority,
                (*(Requirement(skill, level) for skill, level in step.skills), *map(_choice, step.any_skill)),
                _with_caller_name(step.attributes, caller_name),
                preferred=preferred,
                preferred_us=round(step.preferred_s * 1_000_000) if preferred else 0,
                max_wait_us=round(step.max_wait_s * 1_000_000),
                first_asked_at=self._ports.dispatcher.now() - self._lost_us if self._lost_us else None,
            )
        )

    async def _preferred(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """The agents' ids, each once, with who helped this customer last where the flow asks for them."""
        if LAST not in wanted:
            return wanted
        last = await self._ports.directory.last_agent(self.interaction_id)
        return tuple(dict.fromkeys(agent for each in wanted if (agent := last if each == LAST else each)))

    def _was_called_back(self) -> bool:
        view = self._ports.dispatcher.interaction(self.interaction_id)
        return view is not None and view.callback_number != ""

    def _stage(self) -> Stage | None:
        return self._ports.dispatcher.stage(self.interaction_id)

    def _result(self) -> QueueEnded | None:
        """How the wait ended, once it has; None while it goes on."""
        stage = self._stage()
        if self._ports.dispatcher.is_promised(self.interaction_id):
            return QueueEnded("promised")
        if stage not in (Stage.IN_FLOW, None):
            return None
        view = self._ports.dispatcher.interaction(self.interaction_id)
        if view is None:
            return QueueEnded("closed")
        outcome = EXITS.get(_left_by(view), "closed") if self._has_joined else "closed"
        return QueueEnded(outcome, view.served_by if outcome == "served" else "")

    def _has_left(self) -> bool:
        """Whether the wait that is taken up ended while nobody of ours was there."""
        view = self._ports.dispatcher.interaction(self.interaction_id)
        return view is not None and _left_by(view) in EXITS

    async def _ring(self, wanted: Sequence[OfferInteraction]) -> None:
        """One Dial for all of them."""
        offers = self._still_open(wanted)
        if not offers:
            return
        dial = "&".join(self._ports.dial_string(offer.agent_id, self._node.name) for offer in offers)
        seconds = max(1, (offers[0].expires_at - offers[0].offered_at) // 1_000_000 + 10)
        numbers = "&".join(offer.offer_id.rpartition("/")[2] for offer in offers)
        agents = "&".join(offer.agent_id for offer in offers)
        made = f"{offers[0].interaction_id}/{numbers}"
        self._has_talked = False
        await self._agi.gosub("callyard-dial", "s", "1", dial, str(seconds), made, agents)
        self._handset.take_back()
        self._is_served_told = True
        await self._settle(offers)

    def _still_open(self, offers: Sequence[OfferInteraction]) -> list[OfferInteraction]:
        return [offer for offer in offers if self._ports.dispatcher.is_open(offer.offer_id)]

    async def _settle(self, offers: Sequence[OfferInteraction]) -> None:
        """The Dial is over: wait until AMI has told how, since its return decides nothing."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LEG_LAG_S
        while loop.time() < until:
            if not self._still_open(offers) and self._stage() is not Stage.TALKING:
                break
            self._wake.clear()
            await self._handset.wait(self._wake, until - loop.time(), renews=False)
        if self._still_open(offers) or not self._has_talked:
            answered, _, result = (await self._agi.get_variable("CALLYARD_RESULT") or "").partition("|")
            if self._still_open(offers):
                self._give_up(offers, answered, result)
            elif result.startswith("ANSWER|"):
                self._recall_talk(offers, answered)

    def _recall_talk(self, offers: Sequence[OfferInteraction], answered: str) -> None:
        """A talk that nobody heard of, for an offer that has ended meanwhile: the process was stopped, and the offer
        came due before the Dial could say that it had been answered. They have been served all the same."""
        offer = next((each for each in offers if each.offer_id == answered), None)
        if offer is not None and self._ports.dispatcher.recall_talk(self.interaction_id, offer.agent_id):
            log.info("session.talk_recalled", interaction_id=self.interaction_id, offer_id=answered)

    def _give_up(self, offers: Sequence[OfferInteraction], answered: str, result: str) -> None:
        """AMI has told nothing of this Dial. One that says ANSWER was a talk whose events are lost in a gap."""
        log.info("session.offer_untold", interaction_id=self.interaction_id, result=result)
        for offer in self._still_open(offers):
            if result.startswith("ANSWER|") and offer.offer_id == answered:
                self._ports.dispatcher.submit(OfferAccepted(offer.offer_id))
                self._ports.dispatcher.submit(TalkEnded(offer.interaction_id, offer.agent_id, gap=True))
        left = self._still_open(offers)
        if left and result.startswith("ANSWER|"):
            # Whoever answered had just been let go; these phones stopped for it, which is nobody's fault.
            self._ports.dispatcher.submit(InteractionDetached(self.interaction_id))
            self._ports.dispatcher.submit(InteractionAttached(self.interaction_id))
        else:
            for offer in left:
                self._ports.dispatcher.submit(OfferFailed(offer.offer_id, result))


def _left_by(view: InteractionView) -> str:
    """How the last visit ended; of one that ended before that was kept only a talk is known."""
    return view.left_by or (VisitOutcome.ANSWERED if view.served_by else "")


def _choice(skills: tuple[tuple[str, int], ...]) -> Requirement:
    (skill, level), *others = skills
    return Requirement(skill, level, tuple(others))


def _with_caller_name(attributes: Attributes, name: str) -> Attributes:
    """What the network says of the caller's name goes to the pop: often all that is known of a new caller."""
    return (*attributes, (CALLER_NAME, name)) if name else attributes
