"""The agents' screens: who sees what, from facts. Everything here runs on the event loop and never waits.

What does not belong here: what a desktop may ask for (`screenpop.wishes`), sockets (`screenpop.routes.desktop`),
numbering and sending (`screenpop.streams`).

Longer than other files, because an agent's stream is one state: pop, talk, totals and sockets follow each other in it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from acd import commands
from acd.commands import Fact, OfferInteraction
from acd.events import DesktopChanged
from acd.model import VOICE, AgentState, CallbackState, Desktop, OfferOutcome, Stage
from acd.snapshot import AgentView, Board, InteractionView
from screenpop.auth import Session, Sessions
from screenpop.customers import CustomerDirectory
from screenpop.messages import (
    AgentMessage,
    AgentNow,
    EmergenciesMessage,
    Emergency,
    Me,
    OfferEndedMessage,
    OfferMessage,
    QueueTotals,
    ServerMessage,
    SignedOutMessage,
    SnapshotMessage,
    Work,
    WorkMessage,
)
from screenpop.model import Person, Role
from screenpop.ports import Desk
from screenpop.settings import WebSettings
from screenpop.streams import Send, Stream, Tab
from screenpop.text import storable
from screenpop.totals import Totals
from screenpop.work import last_queue, offered_work, recorded_work, with_match, work_in_hand

log = structlog.get_logger(__name__)

_OFFERS_REMEMBERED = 4_096


class Live:
    """Every agent's stream of messages. `open` it with the desk before the first socket comes; what is published
    before that is not lost: the first snapshot is taken from the board.

    `totals_s`: queue totals go out at most this often. `settle_s`: so long after a start may desktops that were
    there before take to come back. `sessions_s`: sessions ended by another process are noticed this often.
    """

    def __init__(
        self,
        directory: CustomerDirectory,
        settings: WebSettings,
        *,
        totals_s: float = 1.0,
        settle_s: float = 5.0,
        sessions_s: float = 5.0,
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._settle_s = settle_s
        self._sessions_s = sessions_s
        self._opened: Desk | None = None
        self._streams: dict[str, Stream] = {}
        self._people: dict[str, Person] = {}
        self._shown: dict[str, tuple[str, asyncio.Future[bool]]] = {}
        self._ended_offers: OrderedDict[str, None] = OrderedDict()
        #: Agent → what they deal with that is no call: a call may cover it for a while.
        self._besides: dict[str, set[str]] = {}
        self._totals = Totals(settings.queue_titles, totals_s, self._send_totals)
        self._emergencies: tuple[Emergency, ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()
        directory.changed = self._match_changed

    @asynccontextmanager
    async def open(self, desk: Desk, sessions: Sessions) -> AsyncIterator[None]:
        """Serve desktops until left; then every socket is dropped."""
        self._opened = desk
        sessions.ended = self.end_sessions
        now = desk.board()
        self._totals.see(now)
        for each in now.interactions:
            if each.medium != VOICE and each.stage is Stage.TALKING:
                self._besides.setdefault(each.agent_id, set()).add(each.id)
        self.start(self._watch_sessions(sessions))
        self.start(self._settle())
        try:
            yield
        finally:
            for tab in self._tabs():
                tab.drop("server_stops")
            self._totals.stop()
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # --- what telephony says --------------------------------------------------------------------------

    async def show_offer(self, offer: OfferInteraction, interaction: InteractionView) -> bool:
        """Send the pop at once; return True once a desktop says that it is shown, False if none is connected."""
        if offer.offer_id in self._ended_offers:
            return False
        stream = self._stream(offer.agent_id)
        if interaction.medium != VOICE and self._directory.kept(interaction.id) is None:
            self.start(self._directory.recall(interaction.id, interaction.caller))  # left before the server started
        stream.work = offered_work(
            offer,
            interaction,
            self._directory.kept(interaction.id),
            self._directory.plan,
            self._totals.title(offer.queue),
        )
        shown: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._shown[offer.offer_id] = (offer.agent_id, shown)
        try:
            stream.push(OfferMessage(work=stream.work))
            if not stream.tabs:
                return False
            return await shown
        finally:
            if self._shown.get(offer.offer_id) == (offer.agent_id, shown):
                del self._shown[offer.offer_id]

    def publish(self, facts: Sequence[Fact], now: int) -> None:
        """Tell every screen what is now true. Never waits, never raises."""
        for fact in facts:
            try:
                self._publish(fact)
            except Exception:
                log.exception("fact not shown", fact=type(fact).__name__)

    def _publish(self, fact: Fact) -> None:
        match fact:
            case commands.AgentChanged():
                self._agent_changed(fact)
            case commands.QueueChanged():
                self._totals.change(fact)
            case commands.OfferClosed():
                self._offer_closed(fact)
            case commands.CallbackChanged(state=CallbackState.ANSWERED):
                self._customer_answered(fact)
            case commands.TalkOpened():
                self._talk_opened(fact)
            case commands.TalkClosed():
                self._talk_closed(fact)
            case commands.WrapUpClosed():
                self._put_down(fact.agent_id, fact.interaction_id)
            case commands.InteractionClosed():
                self._directory.forget(fact.interaction_id)
            case _:
                pass

    def _agent_changed(self, fact: commands.AgentChanged) -> None:
        stream = self._streams.get(fact.agent_id)
        if stream is None:
            return
        stream.push(AgentMessage.of(fact))
        work = stream.work
        if work is None or work.stage != "wrap_up" or fact.state is not AgentState.WRAP_UP:
            return
        if work.interaction_id == fact.interaction_id and work.deadline != fact.deadline:
            self.set_work(fact.agent_id, work.model_copy(update={"deadline": fact.deadline}))

    def _offer_closed(self, fact: commands.OfferClosed) -> None:
        self._ended_offers[fact.offer_id] = None
        if len(self._ended_offers) > _OFFERS_REMEMBERED:
            self._ended_offers.popitem(last=False)
        stream = self._streams.get(fact.agent_id)
        if stream is None:
            return
        if fact.outcome is not OfferOutcome.ACCEPTED:
            if stream.work is not None and stream.work.offer_id == fact.offer_id:
                stream.work = None
            _, shown = self._shown.get(fact.offer_id, ("", None))
            if shown is not None and not shown.done():
                shown.set_result(False)
        stream.push(OfferEndedMessage(offer_id=fact.offer_id, outcome=fact.outcome, detail=storable(fact.detail)))
        if stream.work is None and (besides := self._held_besides(fact.agent_id)) is not None:
            self.set_work(fact.agent_id, besides)

    def _customer_answered(self, fact: commands.CallbackChanged) -> None:
        """Who was called back is on the line: the phone of the agent held for them rings from now on."""
        for agent_id, stream in self._streams.items():
            work = stream.work
            if work is not None and work.interaction_id == fact.interaction_id and work.calling_back:
                held = next((each for each in self._desk.board().agents if each.id == agent_id), None)
                deadline = held.deadline if held is not None else 0
                update = {"calling_back": False, "since": fact.changed_at, "deadline": deadline}
                self.set_work(agent_id, work.model_copy(update=update))
                return

    def _talk_opened(self, fact: commands.TalkOpened) -> None:
        stream = self._stream(fact.agent_id)
        work = stream.work
        if work is not None and work.interaction_id == fact.interaction_id:
            update = {"stage": "talking", "since": fact.started_at, "deadline": 0, "calling_back": False}
            if work.medium != VOICE:
                self._besides.setdefault(fact.agent_id, set()).add(work.interaction_id)
            self.set_work(fact.agent_id, work.model_copy(update=update))
        elif self._opened is not None:
            self.set_work(fact.agent_id, self._take_up(self._desk.board(), fact.agent_id))

    def _held_besides(self, agent_id: str) -> Work | None:
        """What is no call and waited while a call was in hand."""
        if not self._besides.get(agent_id):
            return None
        board = self._desk.board()
        agent = next((each for each in board.agents if each.id == agent_id), None)
        return self._take_up(board, agent_id) if agent is not None and agent.state is AgentState.TALKING else None

    def _talk_closed(self, fact: commands.TalkClosed) -> None:
        self._besides.get(fact.agent_id, set()).discard(fact.interaction_id)
        stream = self._streams.get(fact.agent_id)
        if stream is None or stream.work is None or stream.work.interaction_id != fact.interaction_id:
            return
        if fact.wrap_up_until:
            update = {"stage": "wrap_up", "since": fact.ended_at, "deadline": fact.wrap_up_until}
            self.set_work(fact.agent_id, stream.work.model_copy(update=update))
        else:
            self._put_down(fact.agent_id, fact.interaction_id)

    def _put_down(self, agent_id: str, interaction_id: str) -> None:
        stream = self._streams.get(agent_id)
        if stream is not None and stream.work is not None and stream.work.interaction_id == interaction_id:
            self.set_work(agent_id, self._held_besides(agent_id))

    # --- the site's words -----------------------------------------------------------------------------

    @property
    def settings(self) -> WebSettings:
        """The site's words for screens, as they are now."""
        return self._settings

    def use(self, settings: WebSettings) -> None:
        """Other words for screens: every desktop gets a snapshot with them, also those that come back later."""
        if settings == self._settings:
            return
        self._settings = settings
        self._totals.name(settings.queue_titles)
        for agent_id, stream in self._streams.items():
            stream.begin_anew()
            for tab in list(stream.tabs):
                stream.send_to(tab, self._snapshot(stream, self._people[agent_id]))

    # --- queue totals ---------------------------------------------------------------------------------

    def totals_now(self, person: Person) -> tuple[QueueTotals, ...]:
        """Totals of the queues that this person sees."""
        self._totals.see(self._desk.board())
        return self._totals.of(person)

    def _send_totals(self) -> None:
        bodies: dict[tuple[str, ...], str] = {}
        for agent_id, stream in self._streams.items():
            if stream.tabs:
                queues = self._totals.seen_by(self._people[agent_id])
                if queues not in bodies:
                    bodies[queues] = self._totals.body(queues)
                stream.push_body(bodies[queues])

    # --- emergencies ----------------------------------------------------------------------------------

    def show_emergencies(self, emergencies: Sequence[Emergency]) -> None:
        """Everybody sees what holds now of what concerns them."""
        self._emergencies = tuple(emergencies)
        for agent_id, stream in self._streams.items():
            if person := self._people.get(agent_id):
                stream.push(EmergenciesMessage(emergencies=self.emergencies_for(person)))

    def emergencies_for(self, person: Person) -> tuple[Emergency, ...]:
        return tuple(each for each in self._emergencies if each.concerns(person, person.queues))

    # --- sockets --------------------------------------------------------------------------------------

    def join(self, session: Session, send: Send, *, stream: str = "", after: int = 0) -> Tab:
        """A socket of somebody signed in: what it missed after message `after` of `stream`, or all that is now."""
        person = session.person
        self._people[person.username] = person
        joined = self._stream(person.username)
        tab = Tab(session, send)
        if joined.can_resume(stream, after):
            joined.resume(tab, after)
            joined.tabs.append(tab)
            joined.push_body(self._totals.body(self._totals.seen_by(person)))
        else:
            joined.send_to(tab, self._snapshot(joined, person))
            joined.tabs.append(tab)
        if len(joined.tabs) == 1 and Role.AGENT in person.roles:
            try:
                self._desk.submit(DesktopChanged(person.username, Desktop.THERE))
            except BaseException:
                joined.tabs.remove(tab)
                raise
        return tab

    def is_there(self, agent_id: str) -> bool:
        """Whether a desktop of this agent is connected now."""
        stream = self._streams.get(agent_id)
        return stream is not None and bool(stream.tabs)

    def leave(self, tab: Tab) -> None:
        """The socket has gone."""
        tab.drop("gone")
        person = tab.session.person
        left = self._streams[person.username]
        if tab not in left.tabs:
            return
        left.tabs.remove(tab)
        if left.tabs:
            return
        for agent_id, shown in list(self._shown.values()):
            if agent_id == person.username and not shown.done():
                shown.set_result(False)
        if Role.AGENT in person.roles:
            self._desk.submit(DesktopChanged(person.username, Desktop.GONE))

    def end_sessions(self, ids: Collection[str], reason: str) -> None:
        """Close the sockets of these sessions, now."""
        for tab in self._tabs():
            if tab.session.id in ids and not tab.over.done():
                self._streams[tab.session.person.username].send_to(tab, SignedOutMessage(reason=reason), after=1)
                tab.drop(f"signed_out:{reason}")

    def _snapshot(self, stream: Stream, person: Person) -> SnapshotMessage:
        board = self._desk.board()
        self._totals.see(board)
        view = next((agent for agent in board.agents if agent.id == person.username), None)
        if stream.work is None:
            stream.work = self._take_up(board, person.username)
        return SnapshotMessage(
            stream=stream.id,
            me=Me(
                id=person.username,
                name=person.name,
                extension=person.extension,
                roles=tuple(str(role) for role in person.roles),
                queues=self._totals.seen_by(person),
            ),
            agent=None if view is None else AgentNow.of(view),
            work=stream.work,
            queues=self._totals.of(person),
            reasons=self._settings.reasons,
            dispositions=self._settings.dispositions,
            emergencies=self.emergencies_for(person),
        )

    # --- in hand --------------------------------------------------------------------------------------

    def work_of(self, agent_id: str) -> Work | None:
        """What this agent has in hand."""
        stream = self._streams.get(agent_id)
        return stream.work if stream else None

    def set_work(self, agent_id: str, work: Work | None) -> None:
        """Change what this agent has in hand, and tell them."""
        stream = self._stream(agent_id)
        stream.work = work
        stream.push(WorkMessage(work=work))

    def tell(self, agent_id: str, message: ServerMessage) -> None:
        """Send a message to every tab of this agent."""
        self._stream(agent_id).push(message)

    def is_shown(self, agent_id: str, offer_id: str) -> None:
        """This agent's desktop shows the pop; a late, doubled or foreign word changes nothing."""
        offered_to, shown = self._shown.get(offer_id, ("", None))
        if offered_to == agent_id and shown is not None and not shown.done():
            shown.set_result(True)

    def _match_changed(self, interaction_id: str) -> None:
        match = self._directory.kept(interaction_id)
        for agent_id, stream in self._streams.items():
            if match is not None and stream.work is not None and stream.work.interaction_id == interaction_id:
                self.set_work(agent_id, with_match(stream.work, match))

    def _take_up(self, board: Board, agent_id: str) -> Work | None:
        """What an agent has held since before the server started; what is not in memory is looked up and follows."""
        agent = next((each for each in board.agents if each.id == agent_id), None)
        if agent is None or not agent.interaction_id:
            return None
        if agent.state is AgentState.WRAP_UP:
            self.start(self._take_up_wrap_up(agent))
            return None
        found = next((each for each in board.interactions if each.id == agent.interaction_id), None)
        view = found.held_by(agent_id) if found is not None else None
        if view is None:
            return None
        match = self._directory.kept(view.id)
        if match is None:
            self.start(self._directory.recall(view.id, view.caller))
        talks = view.stage is Stage.TALKING
        return work_in_hand(
            view,
            "talking" if talks else "offered",
            view.talk_started_at if talks else view.offered_at,
            agent.deadline,
            match,
            self._directory.plan,
            self._totals.title(view.queue),
        )

    async def _take_up_wrap_up(self, agent: AgentView) -> None:
        """The call is over and gone from memory: what is known of it stands in the records."""
        found = await self._directory.recorded(agent.interaction_id)
        stream = self._stream(agent.id)
        if found is None or stream.work is not None:
            return
        recorded, match = found
        self.set_work(
            agent.id,
            recorded_work(recorded, agent, match, self._totals.title(last_queue(recorded))),
        )

    # --- in the background ----------------------------------------------------------------------------

    async def _watch_sessions(self, sessions: Sessions) -> None:
        while True:
            await asyncio.sleep(self._sessions_s)
            ids = {tab.session.id for tab in self._tabs()}
            try:
                self.end_sessions(await sessions.gone(ids), "ended")
            except (SQLAlchemyError, OSError) as error:
                log.warning("sessions not checked", why=str(error)[:300])

    async def _settle(self) -> None:
        """Say which desktops that were there before the start have not come back."""
        await asyncio.sleep(self._settle_s)
        for agent in self._desk.board().agents:
            stream = self._streams.get(agent.id)
            if agent.desktop is Desktop.THERE and (stream is None or not stream.tabs):
                self._desk.submit(DesktopChanged(agent.id, Desktop.GONE))

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background; it ends with this."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- odds -----------------------------------------------------------------------------------------

    @property
    def _desk(self) -> Desk:
        assert self._opened is not None, "Live.open comes first"
        return self._opened

    @property
    def connected(self) -> int:
        """How many sockets there are."""
        return len(self._tabs())

    def _tabs(self) -> list[Tab]:
        return [tab for stream in self._streams.values() for tab in stream.tabs]

    def _stream(self, agent_id: str) -> Stream:
        stream = self._streams.get(agent_id)
        if stream is None:
            stream = self._streams[agent_id] = Stream(self._now)
        return stream

    def _now(self) -> int:
        return self._desk.now()
