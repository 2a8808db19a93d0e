"""After every gap the world is read again: at start, when a link comes back, when the process was stopped for a while.

The order is always the same. Routing pauses. The channels of the node are read with our variables; the difference to
what we believed is told as events marked `gap`. What the engine believes of calls is held against it. Callers who
came and went meanwhile are imported from Asterisk's own records. Then routing goes on, once the callers who live are
back in our hands (they come by themselves within 1.5 s) and the desktops that were there have come back, or after
`settle_s`, whichever is first: so that nobody is served before somebody who waited longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum

import structlog

from acd.events import (
    CallerLeft,
    DesktopChanged,
    InteractionDetached,
    RoutingPaused,
    RoutingResumed,
    TalkEnded,
)
from acd.model import VOICE, Desktop, Presence, Stage
from acd.snapshot import InteractionView
from cti.dispatcher import Dispatcher
from cti.errors import CtiError
from cti.exchange import Exchange
from cti.node import Node

log = structlog.get_logger(__name__)

SETTLE_S = 4.0
RETRY_S = 1.0


class WhyNot(StrEnum):
    """Why calls are not routed: the words of `GET /api/health`."""

    STARTING = "starting"
    READING = "reading"
    LINK_DOWN = "link_down"
    JOURNAL = "journal"
    DATABASE = "database"


class Recovery:
    """Keeps the picture true. One reading at a time; a gap that comes meanwhile makes another follow."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        exchange: Exchange,
        is_desktop_there: Callable[[str], bool],
        import_gap: Callable[[Node], Awaitable[None]],
        prepare_node: Callable[[Node], Awaitable[None]],
        *,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._dispatcher = dispatcher
        self._exchange = exchange
        self._is_desktop_there = is_desktop_there
        self._import_gap = import_gap
        self._prepare_node = prepare_node
        self._settle_s = settle_s
        self._wanted = asyncio.Event()
        self._why_not: set[str] = {WhyNot.STARTING}
        self.world_known = asyncio.Event()

    @property
    def why_not(self) -> tuple[str, ...]:
        """Why nobody is offered calls now; empty when routing goes on."""
        refused = {WhyNot.JOURNAL} if self._dispatcher.journal_refuses else set[str]()
        return tuple(str(word) for word in sorted(self._why_not | refused))

    def pause(self, why: WhyNot) -> None:
        """Stop offering until the world has been read again."""
        self._why_not.add(why)
        self._dispatcher.submit(RoutingPaused(str(why)))

    def link_lost(self, node: str, reason: str) -> None:
        log.warning("link.lost", node=node, reason=reason)
        self.pause(WhyNot.LINK_DOWN)

    def read_again(self) -> None:
        """Read the world as soon as possible (a link came up, the process was stopped)."""
        self._exchange.hold_events()
        self._why_not.add(WhyNot.READING)
        self._wanted.set()

    async def run(self) -> None:
        """Read the world whenever asked; until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                for node in self._exchange.nodes.values():
                    await self._read(node)
                self._dispatcher.release_deadlines()
                self.world_known.set()
                for node in self._exchange.nodes.values():
                    await self._import_gap(node)
                self._close_the_gone()
                await self._settle()
            except CtiError as error:
                log.warning("recovery.failed", error=str(error))
                await asyncio.sleep(RETRY_S)
                if all(node.link.is_up for node in self._exchange.nodes.values()):
                    self._wanted.set()

    async def _read(self, node: Node) -> None:
        self.pause(WhyNot.READING)
        self._exchange.hold_events()
        try:
            await self._prepare_node(node)
            states = await node.read_device_states(self._exchange.devices())
            found = await node.read_channels()
            # Nothing is awaited from here on: what is read last is believed at once.
            found += self._exchange.unseen(node.name, found)
            self._exchange.tell_all(self._exchange.calls.reconcile(node.name, found), gap=True)
            self._exchange.take_device_states(states)
            self._exchange.retell_phones()
            self._compare()
        finally:
            if not self._exchange.release_events():
                self.read_again()
        log.info("recovery.world_read", node=node.name, channels=len(found))

    def _compare(self) -> None:
        """Hold what the engine believes of callers who live against what there is."""
        calls = self._exchange.calls
        for view in self._dispatcher.board().interactions:
            if not calls.is_alive(view.id):
                continue
            if view.stage is Stage.TALKING and not calls.is_talking(view.id, view.agent_id):
                self._dispatcher.submit(TalkEnded(view.id, view.agent_id, gap=True))
            elif self._exchange.session(view.id) is None and not self._is_ringing(view):
                self._dispatcher.submit(InteractionDetached(view.id))
        for interaction_id, agent_id in calls.talks():
            self._exchange.adopt_talk(interaction_id, agent_id)
        self._exchange.stop_stray_ringing()

    def _close_the_gone(self) -> None:
        """Once all nodes are read and what callers left is imported: whoever is not there any more has hung up. Who is
        to be called back need not be there; a call to them that is not there has failed."""
        for view in self._dispatcher.board().interactions:
            if view.medium == VOICE and not self._exchange.calls.is_alive(view.id) and not view.is_promised:
                self._dispatcher.submit(CallerLeft(view.id, gap=True))
        self._exchange.callbacks.fail_lost()

    def _is_ringing(self, view: InteractionView) -> bool:
        """A phone that rings for an offer goes on ringing without our AGI."""
        agents = (view.agent_id, *(each.agent_id for each in view.beside))
        return any(agent_id and self._exchange.calls.leg_channel(view.id, agent_id) for agent_id in agents)

    async def _settle(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._settle_s
        while loop.time() < until and not self._wanted.is_set() and not self._is_settled():  # noqa: ASYNC110  # many sources, bounded
            await asyncio.sleep(0.05)
        if self._wanted.is_set() or not all(node.link.is_up for node in self._exchange.nodes.values()):
            return
        self._note_lost_desktops()
        self._why_not.clear()
        self._dispatcher.submit(RoutingResumed())
        log.info("recovery.routing_resumed")

    def _note_lost_desktops(self) -> None:
        """Nobody is offered a call on a screen that was there before and is not."""
        for agent in self._dispatcher.board().agents:
            if agent.desktop is Desktop.THERE and not self._is_desktop_there(agent.id):
                self._dispatcher.submit(DesktopChanged(agent.id, Desktop.GONE))

    def _is_settled(self) -> bool:
        board = self._dispatcher.board()
        alive = set(self._exchange.calls.callers())
        callers_back = all(
            view.stage is Stage.TALKING
            or view.is_promised
            or view.id not in alive
            or (view.attached and self._exchange.session(view.id) is not None)  # one that has only begun is not enough
            or self._is_ringing(view)
            or self._exchange.calls.is_given(view.id)  # they talk to somebody else, and come back by themselves
            for view in board.interactions
        )
        desktops_back = all(
            self._is_desktop_there(agent.id)
            for agent in board.agents
            if agent.desktop is Desktop.THERE and agent.presence is not Presence.LOGGED_OUT
        )
        return callers_back and desktops_back
