"""Carrying offers out: the pop first, then the ring; and taking both back.

The phone rings when the agent's desktop has said that the pop is shown, or after the pop wait (150 ms), whichever
is first; a pop that was not shown by then is counted late. Phones that ring together wait for all their pops. Who
answered is not decided here: bridges say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from acd.commands import OfferInteraction, Order, WithdrawOffer
from acd.events import InteractionAttached, InteractionDetached, OfferFailed
from acd.model import VOICE
from acd.snapshot import InteractionView
from cti.callbacks import Callbacks
from cti.calls import Calls
from cti.dispatcher import Dispatcher
from cti.eager import begun
from cti.ivr_session import IvrSession
from cti.node import Node
from cti.ports import Desktops

log = structlog.get_logger(__name__)

#: So long after a phone of several has begun to ring, or ended, the others' legs must be there.
SILENT_LEG_S = 1.0

Showing = Coroutine[Any, Any, bool] | None


class Offers:
    """Carries `OfferInteraction` and `WithdrawOffer` out. One task per offer until its ring has begun."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        calls: Calls,
        desktops: Desktops,
        node_of: Callable[[str], Node | None],
        session_of: Callable[[str], IvrSession | None],
        apply_changes: Callable[..., None],
        callbacks: Callbacks,
        *,
        pop_wait_s: float = 0.15,
    ) -> None:
        self._dispatcher = dispatcher
        self._calls = calls
        self._desktops = desktops
        self._node_of = node_of
        self._session_of = session_of
        self._apply_changes = apply_changes
        self._callbacks = callbacks
        self._pop_wait_s = pop_wait_s
        self._rounds: dict[str, list[tuple[OfferInteraction, Showing]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def carry_out(self, order: Order) -> None:
        if isinstance(order, OfferInteraction):
            self._present(order)
        else:
            self._withdraw(order)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _present(self, offer: OfferInteraction) -> None:
        """Send the pop within this turn of the loop; a task waits for it and for those made together with it, and
        rings."""
        session = self._session_of(offer.interaction_id)
        view = self._dispatcher.interaction(offer.interaction_id)
        if view is not None and view.medium == VOICE:
            self._make_way(offer.agent_id)
        if offer.callback_number and view is not None:
            self._start(self._call_when_shown(offer, self._begin_to_show(offer, view)))
            return
        if view is not None and view.medium != VOICE:
            # Nothing rings: the desktop accepts.
            self._start(self._count_shown(offer, self._begin_to_show(offer, view)))
            return
        if view is None or session is None:
            # Nobody of ours speaks with the caller: take the offer back, which is not the agent's fault.
            if offer.together[:1] in ((), (offer.offer_id,)):
                log.info("offer.nobody_there", offer_id=offer.offer_id)
                self._dispatcher.submit(InteractionDetached(offer.interaction_id))
            return
        session.cut_prompt()
        shown = self._rounds.setdefault(offer.interaction_id, [])
        shown.append((offer, self._begin_to_show(offer, view)))
        if offer.together[-1:] in ((), (offer.offer_id,)):
            self._start(self._ring_when_shown(offer.interaction_id, self._rounds.pop(offer.interaction_id)))

    def _make_way(self, agent_id: str) -> None:
        """A call comes: what else was being offered to this agent goes back in line, through no fault of theirs."""
        for each in self._dispatcher.open_offers():
            view = self._dispatcher.interaction(each.interaction_id) if each.agent_id == agent_id else None
            if view is not None and view.medium != VOICE:
                self._dispatcher.submit(InteractionDetached(each.interaction_id))
                self._dispatcher.submit(InteractionAttached(each.interaction_id))

    def _begin_to_show(self, offer: OfferInteraction, view: InteractionView) -> Showing:
        try:
            return begun(self._desktops.show_offer(offer, view))
        except Exception:  # a screen that cannot be drawn must not keep a phone from ringing
            log.exception("offer.pop_failed", offer_id=offer.offer_id)
            return None

    async def _ring_when_shown(self, interaction_id: str, shown: list[tuple[OfferInteraction, Showing]]) -> None:
        waits = [self._count_shown(*each) for each in shown]
        await (waits[0] if len(waits) == 1 else asyncio.gather(*waits))
        session = self._session_of(interaction_id)
        offers = tuple(offer for offer, _ in shown if self._dispatcher.is_open(offer.offer_id))
        if session is not None and offers:
            session.ring(offers)

    async def _call_when_shown(self, offer: OfferInteraction, showing: Showing) -> None:
        await self._count_shown(offer, showing)
        if self._dispatcher.is_open(offer.offer_id):
            self._callbacks.begin(offer)

    async def _count_shown(self, offer: OfferInteraction, showing: Showing) -> None:
        if await self._is_shown(offer, showing):
            self._dispatcher.tally.pops_shown += 1
        else:
            self._dispatcher.tally.pop_late += 1
            log.warning("offer.pop_late", offer_id=offer.offer_id, agent_id=offer.agent_id)

    async def _is_shown(self, offer: OfferInteraction, showing: Showing) -> bool:
        if showing is None:
            return False
        try:
            async with asyncio.timeout(self._pop_wait_s):
                return await showing
        except TimeoutError:
            return False
        except Exception:  # as above
            log.exception("offer.pop_failed", offer_id=offer.offer_id)
            return False

    def _withdraw(self, order: WithdrawOffer) -> None:
        if self._callbacks.withdraw(order.offer_id):
            return
        session = self._session_of(order.interaction_id)
        if session is not None:
            session.withdraw(order.offer_id)
        leg = self._calls.leg_channel(order.interaction_id, order.agent_id)
        self._apply_changes(self._calls.disown_leg(order.interaction_id, order.agent_id))
        if leg is not None:
            self.hang_up(*leg)

    def watch_legs(self, interaction_id: str) -> None:
        """A leg began or ended: of phones that ring together, see in a moment which do not."""
        if len(self._dispatcher.open_offers_of(interaction_id)) > 1:
            self._start(self._fail_silent_legs(interaction_id))

    async def _fail_silent_legs(self, interaction_id: str) -> None:
        """While one phone of several rings, the Dial goes on without those that could not be rung, and does not say
        so before its end. When it ends, somebody answers or the caller goes, all legs go, one after the other: so only
        one that is silent for some time has failed."""
        await asyncio.sleep(SILENT_LEG_S)
        silent = self._silent(interaction_id)
        await asyncio.sleep(SILENT_LEG_S)
        for offer_id in self._silent(interaction_id):
            if offer_id in silent:
                self._dispatcher.submit(OfferFailed(offer_id, "phone: does not ring"))

    def _silent(self, interaction_id: str) -> list[str]:
        """Open offers without a leg, while another has one."""
        offers = self._dispatcher.open_offers_of(interaction_id)
        silent = [each.offer_id for each in offers if not self._calls.leg_channel(interaction_id, each.agent_id)]
        return silent if len(silent) < len(offers) else []

    def hang_up(self, node_name: str, channel: str) -> None:
        node = self._node_of(node_name)
        if node is not None:
            self._start(node.try_hang_up(channel))

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._callbacks.close()
