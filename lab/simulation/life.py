"""One life of the server in the simulation: its own dispatcher, exchange, journal and recovery, on virtual time.

What a flow does between Asterisk and engine is played by `Line`, as `cti.arrivals` and `cti.queue_wait` do it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from acd.commands import Fact, OfferInteraction, TalkOpened
from acd.engine import Engine
from acd.events import (
    DesktopChanged,
    FlowEnded,
    InteractionArrived,
    InteractionAttached,
    InteractionQueued,
    OfferAccepted,
    OfferFailed,
    PresenceChosen,
    RoutingPaused,
    TalkEnded,
    WrapUpEnded,
)
from acd.model import AgentState, Configuration, Desktop, Outcome, Presence, Stage
from acd.snapshot import InteractionView, agent_view, restore
from cti.ami_messages import AmiEvent, AmiReply, Headers
from cti.clock import Clock
from cti.dispatcher import Dispatcher
from cti.errors import AmiActionError, AmiUnavailableError
from cti.exchange import Exchange
from cti.ivr_session import IvrSession
from cti.journal import Journal, replay
from cti.node import Node
from cti.queue_wait import LEG_LAG_S
from cti.recovery import Recovery
from cti.standing_offers import follow_offers, open_offers
from lab.simulation.switch import NODE, Caller, Switch
from lab.simulation.virtual_loop import VirtualLoop

START_US = 1_800_000_000_000_000
QUEUE = "billing"
_WORLD_S = 5.0
_TALK_LAG_S = 5.0
_OK = ("Response", "Success")


class VirtualClock(Clock):
    """The world's clock, in microseconds since the epoch."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._floor = 0

    def now(self) -> int:
        self._floor = max(self._floor, START_US + round(self._now_s() * 1e6))
        return self._floor

    def raise_floor(self, at: int) -> None:
        self._floor = max(self._floor, at)

    async def sleep_until(self, at: int) -> None:
        await asyncio.sleep(max(0.0, (at - self.now()) / 1e6))


class _Link:
    """AMI as `cti.node.Node` uses it: answers late, and not at all while it is down."""

    def __init__(self, switch: Switch, chance: random.Random) -> None:
        self._switch = switch
        self._chance = chance
        self.is_up = True

    async def act(self, action: str, headers: Mapping[str, Any] | None = None, *, timeout_s: float = 5.0) -> AmiReply:
        headers = headers or {}
        await self._travel(action)
        value = ""
        if action == "Hangup" and not self._switch.hang_up_channel(str(headers.get("Channel", ""))):
            raise AmiActionError("no such channel", action=action, reason="No such channel")
        if action == "Getvar":
            value = self._switch.phone(str(headers.get("Variable", "")).rpartition("/")[2].rstrip(")"))
        await self._travel(action)
        return AmiReply(True, "Done", Headers([_OK, ("Value", value)]))

    async def collect(
        self, action: str, headers: Mapping[str, Any] | None = None, *, timeout_s: float = 10.0
    ) -> tuple[AmiEvent, ...]:
        await self._travel(action)
        rows = self._switch.rows() if action == "Status" else []
        await self._travel(action)
        return tuple(AmiEvent(NODE, row[0][1], Headers(row)) for row in rows)

    async def _travel(self, action: str) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, 0.02))
        if not self.is_up:
            raise AmiUnavailableError(NODE, f"link is down, {action} was not sent")


class _Records:
    """Facts are judged from the journal; nothing is kept."""

    def keep(self, position: int, facts: Sequence[Fact]) -> None: ...

    async def flush(self) -> None: ...


class _Desktops:
    """Shows pops within a tenth of a second."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    async def show_offer(self, offer: OfferInteraction, interaction: InteractionView) -> bool:
        await asyncio.sleep(self._chance.uniform(0.0, 0.1))
        return True

    def publish(self, facts: Sequence[Fact], now: int) -> None: ...


class Line:
    """A call in our AGI, as the exchange sees it."""

    def __init__(self, life: Life, caller: Caller) -> None:
        self._life = life
        self._caller = caller
        self.interaction_id = caller.id
        self.place = (NODE, caller.id, caller.channel)
        self.is_over = False
        self.message = ""
        self._dialled: tuple[str, ...] = ()
        self._has_talked = False

    def ring(self, offers: Sequence[OfferInteraction]) -> None:
        self._life.later(self._life.chance.uniform(0.001, 0.03), lambda: self._dial(offers))

    def _dial(self, offers: Sequence[OfferInteraction]) -> None:
        if self.is_over:
            return
        self._dialled, self._has_talked = tuple(each.offer_id for each in offers), False
        extensions = self._life.extensions
        wanted = [(each.offer_id, each.agent_id, extensions[each.agent_id]) for each in offers]
        self._life.switch.dial(self._caller, wanted)
        if not self._caller.is_dialling:
            for each in offers:
                self._life.dispatcher.submit(OfferFailed(each.offer_id, "phone: busy"))

    def dial_over(self) -> None:
        """The Dial has ended: after a talk the flow goes on and ends the call."""
        if not self.is_over:
            self._life.start(self._settle(self._dialled))

    async def _settle(self, dialled: tuple[str, ...]) -> None:
        """As `QueueWait._settle`: AMI says how the Dial ended; where it is silent, its result does."""
        dispatcher, loop = self._life.dispatcher, asyncio.get_running_loop()
        until = loop.time() + LEG_LAG_S
        while loop.time() < until and (  # noqa: ASYNC110  # as asked
            self._open(dialled) or dispatcher.stage(self.interaction_id) is Stage.TALKING
        ):
            await asyncio.sleep(0.02)
        for offer in self._open(dialled):
            if self._caller.served_by == offer.agent_id:
                dispatcher.submit(OfferAccepted(offer.offer_id))
                dispatcher.submit(TalkEnded(offer.interaction_id, offer.agent_id, gap=True))
            else:
                dispatcher.submit(OfferFailed(offer.offer_id, "phone: no answer"))
        if self._caller.served_by and not self._has_talked:
            dispatcher.recall_talk(self.interaction_id, self._caller.served_by)
        if self._caller.served_by:
            await self._finish()

    def _open(self, dialled: tuple[str, ...]) -> list[OfferInteraction]:
        offers = self._life.dispatcher.open_offers_of(self.interaction_id)
        return [each for each in offers if each.offer_id in dialled]

    async def _finish(self) -> None:
        dispatcher, loop = self._life.dispatcher, asyncio.get_running_loop()
        until = loop.time() + _TALK_LAG_S
        while dispatcher.stage(self.interaction_id) is Stage.TALKING and loop.time() < until:  # noqa: ASYNC110  # as asked
            await asyncio.sleep(0.05)
        dispatcher.submit(FlowEnded(self.interaction_id, Outcome.SERVED, "normal"))
        await asyncio.sleep(0.005)
        self._life.switch.hang_up(self._caller)

    async def welcome(self) -> None:
        """As `Arrivals._welcome`, and the flow after it: it asks for an agent."""
        life, caller = self._life, self._caller
        with suppress(TimeoutError):
            async with asyncio.timeout(_WORLD_S):
                await life.recovery.world_known.wait()
        await asyncio.sleep(life.chance.uniform(0.0, 0.05))
        if self.is_over:
            return
        caller.lost_s += 0.0 if caller.away_since_s is None else life.loop.time() - caller.away_since_s
        caller.away_since_s = None
        life.exchange.enter(cast(IvrSession, self), NODE, caller.id, caller.channel)
        if life.dispatcher.stage(caller.id) is None:
            life.dispatcher.submit(InteractionArrived(caller.id, f"+4930{caller.id[1:]}", "100", "main"))
        else:
            if caller.served_by:
                life.dispatcher.recall_talk(caller.id, caller.served_by)
            life.dispatcher.submit(InteractionAttached(caller.id))
        await asyncio.sleep(life.chance.uniform(0.0, 0.4))
        if self.is_over:
            return
        if caller.served_by:
            await self._finish()
        elif life.dispatcher.stage(caller.id) is Stage.IN_FLOW:
            lost_us = round(caller.lost_s * 1e6)
            first = life.clock.now() - lost_us if lost_us else None
            life.dispatcher.submit(InteractionQueued(caller.id, QUEUE, first_asked_at=first))

    def press(self, digit: str) -> None: ...

    def cut_prompt(self) -> None: ...

    def withdraw(self, offer_id: str) -> None: ...

    def hand_over_message(self) -> None: ...

    def notice(self, fact: Fact) -> None:
        self._has_talked |= isinstance(fact, TalkOpened)


class Life:
    """From a start of the process to its crash."""

    def __init__(
        self,
        folder: Path,
        configuration: Configuration,
        extensions: Mapping[str, str],
        switch: Switch,
        chance: random.Random,
        now_s: Callable[[], float],
        pass_time: Callable[[float], None],
    ) -> None:
        self.switch = switch
        self.chance = chance
        self.extensions = extensions
        self.loop = VirtualLoop(now_s, pass_time)
        self.lines: dict[str, Line] = {}
        self.there: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.clock = VirtualClock(now_s)
        self.journal = Journal(folder)
        self.link = _Link(switch, chance)
        engine, offers = self._begin(configuration)
        self.engine = engine
        desktops = _Desktops(chance)
        self.dispatcher = Dispatcher(engine, self.journal, self.clock, _Records(), desktops)
        self.dispatcher.restore_offers(offers)
        self.dispatcher.hold_deadlines()
        self.dispatcher.submit(RoutingPaused("starting"))
        self.exchange = Exchange(self.dispatcher, desktops, {NODE: Node(NODE, cast(Any, self.link))})
        self.exchange.assign_phones(extensions, fixed=extensions)
        self.recovery = Recovery(
            self.dispatcher, self.exchange, self.there.__contains__, self._import_nothing, self._import_nothing
        )
        self.dispatcher.on_stall = self.recovery.read_again

    def _begin(self, configuration: Configuration) -> tuple[Engine, list[OfferInteraction]]:
        segment = self.journal.open()
        offers: dict[str, OfferInteraction] = {}
        if segment is None:
            engine = Engine(configuration, self.clock.now())
        else:
            engine = restore(dict(segment.state))
            offers = {offer.offer_id: offer for offer in open_offers(engine)}
            for entry, engine, commands in replay(segment):  # noqa: B007  # the last engine is the result
                follow_offers(offers, commands)
                if entry is not None:
                    self.clock.raise_floor(entry.now)
        self.clock.raise_floor(engine.now)
        self.journal.begin_segment(engine, self.clock.now())
        return engine, list(offers.values())

    async def _import_nothing(self, node: Node) -> None:
        """Nobody leaves anything with a fail-safe here, and phones are there."""

    # --- running ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until the world ends it: raises Crash, or whatever the server's own tasks raise."""
        self.loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self.recovery.read_again()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.dispatcher.keep_time())
            tasks.create_task(self.recovery.run())
            for agent in self.extensions:
                tasks.create_task(self._come_to_work(agent))

    async def _come_to_work(self, agent: str) -> None:
        await asyncio.sleep(self.chance.uniform(0.2, 2.5))
        self.there.add(agent)
        self.dispatcher.submit(DesktopChanged(agent, Desktop.THERE))
        while True:
            view = agent_view(self.engine, agent)
            assert view is not None
            if view.presence in (Presence.LOGGED_OUT, Presence.NOT_READY):
                self.dispatcher.submit(PresenceChosen(agent, Presence.READY))
            elif view.state is AgentState.WRAP_UP:
                self.dispatcher.submit(WrapUpEnded(agent, view.interaction_id, "solved", ""))
            await asyncio.sleep(self.chance.uniform(0.5, 2.0))

    def start(self, work: Any) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        self.loop.call_later(delay_s, act)

    def enter(self, caller: Caller) -> None:
        """A call comes into our AGI."""
        line = self.lines[caller.id] = Line(self, caller)
        self.start(line.welcome())

    def leave(self, caller: Caller) -> None:
        """The call's channel is gone, and its AGI session with it."""
        line = self.lines.pop(caller.id, None)
        if line is not None:
            line.is_over = True
            self.exchange.leave(cast(IvrSession, line))

    def hear(self, name: str, headers: Mapping[str, str]) -> None:
        self.exchange.take(AmiEvent(NODE, name, Headers([("Event", name), *headers.items()])))

    def drop(self) -> None:
        """The process is gone."""
        self.dispatcher.submit = lambda event: None  # type: ignore[method-assign]
        self.loop.drop()
        self.journal.close()
