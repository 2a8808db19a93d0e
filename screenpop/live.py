"""The agents' screens: pops and states out, wishes in. Everything here runs on the event loop and never waits.

What belongs here: which agent sees what, and what a desktop may ask for. Sockets are `screenpop.routes.desk`'s,
numbering and sending `screenpop.streams`'s.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, assert_never

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from acd import commands
from acd.commands import Fact, OfferInteraction
from acd.events import DesktopChanged, OfferRejected, PresenceChosen, WrapUpEnded
from acd.model import Desktop, OfferOutcome, Presence, Stage
from acd.snapshot import AgentView, Board, InteractionView
from screenpop.auth import Session, Sessions
from screenpop.customers import CustomerDirectory
from screenpop.errors import (
    DatabaseUnavailableError,
    ForbiddenError,
    InvalidRequestError,
    NotYoursError,
    ScreenpopError,
)
from screenpop.messages import (
    DESKTOP_MESSAGE,
    AgentMessage,
    AgentNow,
    AnyDesktopMessage,
    ChooseCustomer,
    ErrorMessage,
    Finish,
    Me,
    OfferEndedMessage,
    OfferMessage,
    PresenceWish,
    QueueTotals,
    Reject,
    Seen,
    Shown,
    SignedOutMessage,
    SnapshotMessage,
    Work,
    WorkMessage,
    WorkStage,
)
from screenpop.model import Person, Role
from screenpop.ports import Desk
from screenpop.settings import WebSettings
from screenpop.streams import Send, Stream, Tab
from screenpop.text import storable
from screenpop.work import offered_work, with_match, work_in_hand

log = structlog.get_logger(__name__)

_LONGEST_MESSAGE = 32 * 1024
_OFFERS_REMEMBERED = 4_096


class Live:
    """Every agent's stream of messages. `open` it with the desk before the first socket comes.

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
        self._totals_s = totals_s
        self._settle_s = settle_s
        self._sessions_s = sessions_s
        self._opened: Desk | None = None
        self._streams: dict[str, Stream] = {}
        self._people: dict[str, Person] = {}
        self._shown: dict[str, tuple[str, asyncio.Future[bool]]] = {}
        self._ended_offers: OrderedDict[str, None] = OrderedDict()
        self._totals: dict[str, QueueTotals] = {}
        self._totals_due: asyncio.TimerHandle | None = None
        self._totals_sent_at = float("-inf")
        self._tasks: set[asyncio.Task[None]] = set()
        directory.changed = self._match_changed

    @asynccontextmanager
    async def open(self, desk: Desk, sessions: Sessions) -> AsyncIterator[None]:
        """Serve desktops until left; then every socket is dropped."""
        self._opened = desk
        sessions.ended = self.end_sessions
        self._see(desk.board())
        self._start(self._watch_sessions(sessions))
        self._start(self._settle())
        try:
            yield
        finally:
            for tab in self._tabs():
                tab.drop("server_stops")
            if self._totals_due is not None:
                self._totals_due.cancel()
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
        stream.work = offered_work(
            offer,
            interaction,
            self._directory.kept(interaction.id),
            self._directory.plan,
            self._title(offer.queue),
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
                self._queue_changed(fact)
            case commands.OfferClosed():
                self._offer_closed(fact)
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
        if stream := self._streams.get(fact.agent_id):
            stream.push(AgentMessage(**agent_now(fact).model_dump()))

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
            self._answer_shown(fact.offer_id, False)
        stream.push(OfferEndedMessage(offer_id=fact.offer_id, outcome=fact.outcome, detail=storable(fact.detail)))

    def _talk_opened(self, fact: commands.TalkOpened) -> None:
        stream = self._stream(fact.agent_id)
        work = stream.work
        if work is not None and work.interaction_id == fact.interaction_id:
            update = {"stage": "talking", "since": fact.started_at, "deadline": 0}
            self._set_work(stream, work.model_copy(update=update))
        else:
            self._set_work(stream, self._work_from(self._desk.board(), fact.agent_id, fact.interaction_id))

    def _talk_closed(self, fact: commands.TalkClosed) -> None:
        stream = self._streams.get(fact.agent_id)
        if stream is None or stream.work is None or stream.work.interaction_id != fact.interaction_id:
            return
        if fact.wrap_up_until:
            update = {"stage": "wrap_up", "since": fact.ended_at, "deadline": fact.wrap_up_until}
            self._set_work(stream, stream.work.model_copy(update=update))
        else:
            self._set_work(stream, None)

    def _put_down(self, agent_id: str, interaction_id: str) -> None:
        stream = self._streams.get(agent_id)
        if stream is not None and stream.work is not None and stream.work.interaction_id == interaction_id:
            self._set_work(stream, None)

    # --- queue totals ---------------------------------------------------------------------------------

    def _queue_changed(self, fact: commands.QueueChanged) -> None:
        self._totals[fact.queue] = QueueTotals(
            queue=fact.queue,
            title=self._title(fact.queue),
            waiting=fact.waiting,
            oldest_asked_at=fact.oldest_asked_at,
            agents_ready=fact.agents_ready,
            agents_signed_in=fact.agents_signed_in,
        )
        if self._totals_due is None:
            loop = asyncio.get_running_loop()
            due = max(loop.time(), self._totals_sent_at + self._totals_s)
            self._totals_due = loop.call_at(due, self._send_totals)

    def _send_totals(self) -> None:
        self._totals_due = None
        self._totals_sent_at = asyncio.get_running_loop().time()
        encoded = {queue: totals.model_dump_json() for queue, totals in self._totals.items()}
        bodies: dict[tuple[str, ...], str] = {}
        for agent_id, stream in self._streams.items():
            if stream.tabs:
                queues = self._queues_of(self._people[agent_id])
                if queues not in bodies:
                    bodies[queues] = _queues_body(encoded[queue] for queue in queues if queue in encoded)
                stream.push_body(bodies[queues])

    def _queues_of(self, person: Person) -> tuple[str, ...]:
        return tuple(self._totals) if person.sees_everything else person.queues

    def _totals_for(self, person: Person) -> tuple[QueueTotals, ...]:
        return tuple(self._totals[queue] for queue in self._queues_of(person) if queue in self._totals)

    def totals_now(self, person: Person) -> tuple[QueueTotals, ...]:
        """Totals of the queues that this person sees."""
        self._see(self._desk.board())
        return self._totals_for(person)

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
            totals = (each.model_dump_json() for each in self._totals_for(person))
            joined.push_body(_queues_body(totals))
        else:
            joined.send_to(tab, self._snapshot(joined, person))
            joined.tabs.append(tab)
        if len(joined.tabs) == 1 and Role.AGENT in person.roles:
            self._desk.submit(DesktopChanged(person.username, Desktop.THERE))
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
        self._see(board)
        view = next((agent for agent in board.agents if agent.id == person.username), None)
        if stream.work is None and view is not None and view.interaction_id:
            stream.work = self._work_from(board, view.id, view.interaction_id)
        return SnapshotMessage(
            stream=stream.id,
            me=Me(
                id=person.username,
                name=person.name,
                extension=person.extension,
                roles=tuple(str(role) for role in person.roles),
                queues=self._queues_of(person),
            ),
            agent=None if view is None else agent_now(view),
            work=stream.work,
            queues=self._totals_for(person),
            reasons=self._settings.reasons,
            dispositions=self._settings.dispositions,
        )

    # --- what a desktop says --------------------------------------------------------------------------

    def hear(self, tab: Tab, text: str) -> None:
        """Do what a desktop asks, or tell it why not."""
        reply_to: str | None = None
        try:
            message = _parsed(text)
            reply_to = message.id
            self._obey(tab, message)
        except ScreenpopError as error:
            self._refuse(tab, error, reply_to)

    def _refuse(self, tab: Tab, error: ScreenpopError, reply_to: str | None) -> None:
        refusal = ErrorMessage(code=error.code, message=storable(str(error)), reply_to=reply_to)
        self._streams[tab.session.person.username].push(refusal)

    def _obey(self, tab: Tab, message: AnyDesktopMessage) -> None:
        person = tab.session.person
        match message:
            case Shown():
                agent_id, _ = self._shown.get(message.offer_id, ("", None))
                if agent_id == person.username:
                    self._answer_shown(message.offer_id, True)
            case Seen():
                tab.seen = message.seq
            case PresenceWish():
                self.choose_presence(person, message.presence, message.reason)
            case Reject():
                self._held(person, offer_id=message.offer_id, stage="offered")
                self._desk.submit(OfferRejected(message.offer_id, "agent"))
            case Finish():
                self._held(person, interaction_id=message.interaction_id, stage="wrap_up")
                self._check_code("disposition", message.disposition, self._dispositions)
                self._desk.submit(
                    WrapUpEnded(person.username, message.interaction_id, message.disposition, storable(message.note))
                )
            case ChooseCustomer():
                work = self._held(person, interaction_id=message.interaction_id)
                self._start(self._choose_customer(tab, work, message))
            case _:
                assert_never(message)

    def choose_presence(self, person: Person, presence: Presence, reason: str) -> None:
        """A person's own presence. Raises ForbiddenError for somebody who is no agent, InvalidRequestError for an
        unknown reason."""
        if Role.AGENT not in person.roles:
            raise ForbiddenError(f"{person.username} has no presence: expected the role agent")
        if presence is Presence.NOT_READY:
            self._check_code("reason", reason, self._reasons)
        else:
            reason = ""
        self._desk.submit(PresenceChosen(person.username, presence, reason))

    def _held(self, person: Person, *, offer_id: str = "", interaction_id: str = "", stage: str = "") -> Work:
        work = self._stream(person.username).work
        asked = offer_id or interaction_id
        if work is None or asked != (work.offer_id if offer_id else work.interaction_id):
            raise NotYoursError(f"{asked!r}: expected what you have in hand, this you have not or no longer")
        if stage and work.stage != stage:
            raise NotYoursError(f"{asked!r}: expected it {stage.replace('_', '-')}, it is {work.stage}")
        return work

    def _check_code(self, what: str, code: str, known: frozenset[str]) -> None:
        if code and code not in known:
            raise InvalidRequestError(f"{what}: expected one of {', '.join(sorted(known)) or 'none'}, got {code!r}")

    @property
    def _reasons(self) -> frozenset[str]:
        return frozenset(choice.code for choice in self._settings.reasons)

    @property
    def _dispositions(self) -> frozenset[str]:
        return frozenset(choice.code for choice in self._settings.dispositions)

    async def _choose_customer(self, tab: Tab, work: Work, message: ChooseCustomer) -> None:
        try:
            match = await self._directory.choose(work.interaction_id, storable(message.customer_id), work.caller)
        except ScreenpopError as error:
            self._refuse(tab, error, message.id)
            return
        except (SQLAlchemyError, OSError) as error:
            log.warning("customer not chosen", interaction_id=work.interaction_id, why=str(error)[:300])
            self._refuse(tab, DatabaseUnavailableError("The database does not answer; try again."), message.id)
            return
        stream = self._streams[tab.session.person.username]
        if stream.work is not None and stream.work.interaction_id == work.interaction_id:
            self._set_work(stream, with_match(stream.work, match))

    # --- in hand --------------------------------------------------------------------------------------

    def _set_work(self, stream: Stream, work: Work | None) -> None:
        stream.work = work
        stream.push(WorkMessage(work=work))

    def _match_changed(self, interaction_id: str) -> None:
        match = self._directory.kept(interaction_id)
        for stream in self._streams.values():
            if match is not None and stream.work is not None and stream.work.interaction_id == interaction_id:
                self._set_work(stream, with_match(stream.work, match))

    def _work_from(self, board: Board, agent_id: str, interaction_id: str) -> Work | None:
        """What an agent holds, after the server started anew; who calls is looked up again."""
        view = next((each for each in board.interactions if each.id == interaction_id), None)
        if view is None or view.agent_id != agent_id:
            return None
        match = self._directory.kept(interaction_id)
        if match is None:
            self._start(self._directory.recall(interaction_id, view.caller))
        talks = view.stage is Stage.TALKING
        since = view.talk_started_at if talks else view.offered_at
        stage: WorkStage = "talking" if talks else "offered"
        return work_in_hand(view, stage, since, match, self._directory.plan, self._title(view.queue))

    def _answer_shown(self, offer_id: str, is_shown: bool) -> None:
        _, shown = self._shown.get(offer_id, ("", None))
        if shown is not None and not shown.done():
            shown.set_result(is_shown)

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

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
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

    def _title(self, queue: str) -> str:
        known = self._totals.get(queue)
        return self._settings.queue_titles.get(queue) or (known.title if known else "") or queue

    def _see(self, board: Board) -> None:
        """Take the totals and titles of queues from the board."""
        for view in board.queues:
            title = self._settings.queue_titles.get(view.id) or view.title or view.id
            self._totals[view.id] = QueueTotals(
                queue=view.id,
                title=title,
                waiting=view.waiting,
                oldest_asked_at=view.oldest_asked_at,
                agents_ready=view.agents_ready,
                agents_signed_in=view.agents_signed_in,
            )


def agent_now(agent: commands.AgentChanged | AgentView) -> AgentNow:
    """What screens show of an agent, from a fact or from the board."""
    return AgentNow(
        state=agent.state,
        reason=agent.reason,
        since=agent.since,
        presence=agent.presence,
        presence_reason=agent.presence_reason,
        phone=agent.phone,
        desktop=agent.desktop,
        interaction_id=agent.interaction_id,
        deadline=agent.deadline,
    )


def _queues_body(encoded: Any) -> str:
    return f'{{"type":"queues","queues":[{",".join(encoded)}]}}'


def _parsed(text: str) -> AnyDesktopMessage:
    if len(text) > _LONGEST_MESSAGE:
        raise InvalidRequestError(f"message: expected at most {_LONGEST_MESSAGE} characters, got {len(text)}")
    try:
        return DESKTOP_MESSAGE.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise InvalidRequestError(f"{where}: {first['msg']}") from None
