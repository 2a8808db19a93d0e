"""The composition root: owns the event loop and is the only place that wires parts together.

What is wired is wired here, for the server and for commands: hence more than 400 lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from acd.commands import Command, OfferInteraction
from acd.eligibility import compare_stored, tell
from acd.engine import Engine
from acd.errors import AcdError
from acd.events import ConfigurationChanged, Event, RoutingPaused
from acd.model import AgentProfile, Configuration
from acd.snapshot import Board, restore
from cti import collector
from cti.alarms import Alarms, Sight
from cti.ami import AmiLink, AmiSettings
from cti.arrivals import Arrivals
from cti.clock import Clock, utc
from cti.configuration import (
    callback_line,
    engine_configuration,
    phones_for_asterisk,
    trunks,
)
from cti.departure import leave_within
from cti.dispatcher import Dispatcher, facts_of
from cti.doctor import examine
from cti.door import Door
from cti.errors import CtiError
from cti.exchange import Exchange
from cti.failsafe import prepare_failsafe_sounds, write_failsafe
from cti.fastagi import AgiLimits, AgiServer
from cti.findings import Finding
from cti.gaps import GapImport
from cti.inquiry import JournalInquiry
from cti.journal import Entry, Journal, Segment, replay
from cti.left_messages import collect, watch_messages
from cti.logs import set_up_logs
from cti.loop_lag import LoopLag, Spread
from cti.messages import Messages
from cti.metrics import Metrics, Sources
from cti.node import Node
from cti.outbound import outbound_of
from cti.place import SitePlace
from cti.press import Press
from cti.provisioning import NodeSettings, Provisioned, Trunk, render
from cti.publish_command import examine_site, keep_attempt
from cti.publishing import Published, Publisher, Way, watch_files
from cti.recordings import Recordings
from cti.recovery import Recovery
from cti.retention import keep_retention
from cti.service_manager import ServiceManager
from cti.session_ports import SessionPorts
from cti.settings import AmiNode, Settings
from cti.site_flows import SiteFlows
from cti.sounds import SoundCache, SoundError, site_sound, sound_cache
from cti.standing_offers import follow_offers, open_offers
from cti.story import Story
from cti.text_messages import WebhookTexts
from cti.transfers import Reach, TrunkLine
from cti.version_calls import VersionCalls
from cti.versions import Versions
from cti.watchdog import LoopWatchdog
from cti.webhooks import Webhooks
from ivr.errors import SiteError
from ivr.loader import load_site
from ivr.prompts import text_prompt
from ivr.site import Site, texts
from screenpop.app import create_app, own_version
from screenpop.audit import AuditLog
from screenpop.blocks import Blocks, BlocksHeeded
from screenpop.customers import CustomerDirectory
from screenpop.db.availability import open_when_available, trouble_of
from screenpop.db.migrate import migrate, migrate_or_trust, newest_revision, revision_of
from screenpop.db.records import Records
from screenpop.db.store import Store
from screenpop.emergencies import Emergencies
from screenpop.flow_numbers import flow_numbers, told
from screenpop.footfall import Footfall
from screenpop.last_known import LastKnown
from screenpop.live import Live
from screenpop.measures import Measures
from screenpop.moves import Moves, MovesHeeded
from screenpop.numbers import NumberPlan
from screenpop.orders import OrderBook, Standing
from screenpop.people import People
from screenpop.pins import PinLimits, Pins
from screenpop.server import Server as WebServer
from screenpop.server import listen
from screenpop.settings import Choice, WebSettings

log = structlog.get_logger(__name__)
#: Rows of a replay that may wait for the database before the replay waits for it.
MOST_REPLAYED_ROWS = 20_000
#: How soon a running server heeds what a command made live.
HEED_EVERY_S = 1.0
#: How long a server that is told to end takes at most: what is not written by then stands in the journal, and calls
#: stay in Asterisk.
LEAVE_S = 1.6
#: Who published, where nobody is known by name: SIGHUP, and `callyard serve --watch`.
BY_SIGNAL, BY_WATCH = ("reload", Way.SIGNAL), ("watch", Way.WATCH)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SiteSounds:
    """Prompts of a site: its own recordings, and texts rendered into the cache."""

    def __init__(self, cache: SoundCache, site: Callable[[], Site]) -> None:
        self._cache = cache
        self._site = site

    async def path(self, text: str, language: str) -> Path:
        return await self._cache.path(text, language)

    def recorded(self, sound: str) -> Path:
        return site_sound(self._site().folder, sound)

    def of(self, site: Site) -> SiteSounds:
        return SiteSounds(self._cache, lambda: site)


class Server:
    """Everything that runs in one process. `run` serves until told to stop; calls stay in Asterisk when it ends."""

    def __init__(
        self,
        settings: Settings,
        *,
        tell_story: Callable[[str], None] | None = None,
        flow_time: Callable[[], datetime] | None = None,
        watches: bool = False,
        manager: ServiceManager | None = None,
    ) -> None:
        """`flow_time`: what flows take for now, for tests of them as real calls; routing keeps its own clock.
        `watches`: every change of the working files is published. `manager`: is told how it goes."""
        self.settings = settings
        self._watches = watches
        self._manager = manager or ServiceManager({})
        self._versions = Versions(settings.versions_dir, lambda: Clock().now(), kept=settings.keep_versions)
        self.published = Published(self._versions)
        self._version_calls = VersionCalls(settings.versions_dir)
        self._flow_time = flow_time
        self.ready = asyncio.Event()
        self.web_port = 0
        self.agi_port = 0
        self._tell_story = tell_story or (lambda line: None)
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._reading = asyncio.Lock()
        self._reload_by = BY_SIGNAL
        self._lag, self._sync = LoopLag(), Spread()

    def stop(self) -> None:
        self._stop.set()

    def reload(self) -> None:
        """Publish the working files and read people again, soon; calls in progress finish on what they began with."""
        self._reload_by = BY_SIGNAL
        self._reload.set()

    def _files_changed(self) -> None:
        self._reload_by = BY_WATCH
        self._reload.set()

    async def run(self) -> None:
        """Serve until `stop`. Raises for what makes serving impossible: site errors, a locked journal, no database."""
        async with AsyncExitStack() as stack:
            has_served = any(self.settings.journal_dir.glob("*"))
            opened = await open_when_available(self._open_stores, waits=has_served, stop=self._stop)
            stack.push_async_callback(opened.aclose)
            self._open_telephony(stack)
            collector.settle()
            await self._serve(stack)

    async def _open_stores(self, stack: AsyncExitStack) -> None:
        await self._open_data(stack)
        await self._open_engine(stack)

    async def _open_data(self, stack: AsyncExitStack) -> None:
        settings = self.settings
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        known = LastKnown(settings.data_dir / "last_known.json")
        await stack.enter_async_context(known)
        await migrate_or_trust(settings.database_url, known)
        self._clock = Clock()
        self._store = Store(settings.database_url)
        stack.push_async_callback(self._store.close)
        self._people = People(self._store, known=known)
        self._sounds = sound_cache(settings)
        stack.push_async_callback(self._sounds.close)
        self._publisher = Publisher(
            self._versions,
            settings.site_dir,
            self._sounds,
            examine=self._examine,
            tell=partial(keep_attempt, AuditLog(self._store, self._clock.now)),
        )
        self.site = await self._first_site()
        self._profiles = await self._people.profiles()
        self._phones = await self._people.phones()
        self._configuration = engine_configuration(self.site, self._profiles, settings.seed)
        self._records = await stack.enter_async_context(Records(self._store, known=known, leave_s=LEAVE_S / 2))
        plan = NumberPlan(self.site.settings.country, frozenset(phone.extension for phone in self._phones.values()))
        pins = Pins(self._clock.now, self._pin_limits)
        self._directory = await stack.enter_async_context(
            CustomerDirectory(self._store, plan, self._records, pins=pins)
        )
        self._footfall = await stack.enter_async_context(Footfall(self._store, self._clock.now, leave_s=LEAVE_S / 4))
        self._web_settings = web_settings(settings, self.site)
        self._live = Live(self._directory, self._web_settings)

    async def _first_site(self) -> Site:
        """What was published last; on a fresh installation the working files become the first version, once they can
        be heard."""
        if self._versions.live() is None:
            log.info("version.first", site=str(self.settings.site_dir))
            await self._publisher.publish("callyard", "first start", way=Way.START)
        found = await asyncio.to_thread(self.published.current)
        assert found is not None
        site, number = found
        self.published.in_force(number)
        return site

    async def _examine(self, site: Site) -> None:
        """Raises CtiError for files that contradict who works here."""
        await examine_site(site, self._people, self.settings.seed)

    async def _open_engine(self, stack: AsyncExitStack) -> None:
        journal = self._journal = Journal(
            self.settings.journal_dir,
            sync_every_s=self.settings.journal.fsync_ms / 1000,
            keep_segments=self.settings.journal.keep_segments,
        )
        journal.on_synced = self._sync.note
        stack.callback(journal.close)
        segment = journal.open()
        engine, offers = await self._rebuild(segment)
        journal.begin_segment(engine, self._clock.now())
        self.dispatcher = Dispatcher(
            engine,
            journal,
            self._clock,
            self._records,
            self._live,
            bytes_per_segment=self.settings.journal.segment_mb << 20,
            stall_us=round(self.settings.limits.paused_s * 1_000_000),
        )
        self.dispatcher.restore_offers(offers)
        self.dispatcher.hold_deadlines()
        self.dispatcher.submit(RoutingPaused("starting"))
        if engine.configuration != self._configuration:
            self.dispatcher.submit(ConfigurationChanged(self._configuration))

    async def _rebuild(self, segment: Segment | None) -> tuple[Engine, list[OfferInteraction]]:
        """The engine as the journal left it, with the open offers; facts not yet in the tables are written."""
        if segment is None:
            return Engine(self._configuration, self._clock.now()), []
        written = await self._records.resume(self._journal.position)
        for older in self._journal.earlier_segments(segment, written):
            for entry, _, commands in replay(older):
                await self._keep_again(entry, commands, written)
        engine = restore(dict(segment.state))
        offers = {offer.offer_id: offer for offer in open_offers(engine)}
        for entry, engine, commands in replay(segment):  # noqa: B007  # the last engine is the result
            follow_offers(offers, commands)
            await self._keep_again(entry, commands, written)
            if entry is not None:
                self._clock.raise_floor(entry.now)
        self._clock.raise_floor(engine.now)  # also when nothing has been written since the segment was begun
        log.info("journal.replayed", segment=segment.path.name, position=self._journal.position, written=written)
        return engine, list(offers.values())

    async def _keep_again(self, entry: Entry | None, commands: Sequence[Command], written: int) -> None:
        if entry is None or entry.position <= written:
            return
        self._records.keep(entry.position, facts_of(commands))
        if self._records.backlog > MOST_REPLAYED_ROWS and not self._records.trouble:
            await self._records.flush()

    def _open_telephony(self, stack: AsyncExitStack) -> None:
        settings = self.settings
        self._nodes = {ami.name: self._node(ami) for ami in settings.ami}
        exchange = self.exchange = Exchange(
            self.dispatcher, self._live, self._nodes, pop_wait_s=settings.pop_wait_ms / 1000
        )
        stack.push_async_callback(exchange.offers.close)
        self._assign_phones()
        exchange.callbacks.line_of = lambda queue: callback_line(self.site, queue)
        self._messages = Messages(settings.messages_dir)
        self._messages.make()
        gaps = GapImport(self.dispatcher, settings, exchange.calls.is_alive, self._collect_messages)
        stack.push_async_callback(gaps.close)
        exchange.on_refused = lambda name: gaps.gather(self._nodes[name])
        exchange.on_detached_gone = lambda change: gaps.settle(change.interaction_id, self._nodes[change.node])
        self.recovery = Recovery(self.dispatcher, exchange, self._live.is_there, gaps.import_from, self._push_phones)
        self.dispatcher.on_stall = self.recovery.read_again

    async def _collect_messages(self) -> None:
        """Before all nodes have been read nobody knows who is not there any more."""
        known, is_alive = self.recovery.world_known, self.exchange.calls.is_alive
        await collect(
            self.dispatcher, self._directory, self._messages, lambda call: not known.is_set() or is_alive(call)
        )

    def _assign_phones(self) -> None:
        self.exchange.assign_phones(
            {each.id: self._phones[each.id].extension for each in self._profiles if each.id in self._phones},
            fixed=(agent_id for agent_id, phone in self._phones.items() if phone.address),
        )

    async def _keep_current(self) -> None:
        """Publish the working files and read people again whenever asked; what is wrong is logged, replaces nothing."""
        while True:
            await self._reload.wait()
            self._reload.clear()
            by, way = self._reload_by
            self._manager.reloading()
            try:
                await self._publisher.publish(by, way=way)
                await self._read_again()
            except (SiteError, CtiError, AcdError, SQLAlchemyError) as error:
                log.error("reload.refused", error=str(error))
            finally:
                self._manager.ready()

    async def _keep_live(self) -> None:
        """Heed within a second what a command made live; what cannot be read is tried again, and logged once."""
        told = ""
        while True:
            await asyncio.sleep(HEED_EVERY_S)
            try:
                if self.published.has_changed():
                    await self._read_again()
                await self._version_calls.write(self.published.calls)
                told = ""
            except (SiteError, CtiError, AcdError, SQLAlchemyError, OSError) as error:
                if str(error) != told:
                    log.error("version.refused", error=str(error))
                told = str(error)

    async def _read_again(self) -> None:
        async with self._reading:
            await self._read_published()

    async def _read_published(self) -> None:
        found = await asyncio.to_thread(self.published.current)
        assert found is not None  # there was one at the start
        site, number = found
        profiles, phones = await self._people.profiles(), await self._people.phones()
        configuration = engine_configuration(site, profiles, self.settings.seed)
        changed = configuration != self._configuration
        if changed:
            await self._tell_changes(configuration)
        self.site, self._profiles, self._phones = site, profiles, phones
        self.published.in_force(number)
        if changed:
            self._configuration = configuration
            self.dispatcher.submit(ConfigurationChanged(configuration))
            self._measures.tell_again()
            self._moves_heeded.tell_again(self._clock.now())
        self._live.use(web_settings(self.settings, site))
        self._assign_phones()
        self.recovery.read_again()  # gives Asterisk the phones, and the engine their states
        await self._prepare_sounds()
        self.published.forget_old()
        log.info("reload.done", site=site.version[:12], version=number, agents=len(profiles))

    async def _tell_changes(self, configuration: Configuration) -> None:
        """Log for whom something changes. Raises AcdError for rules that contradict themselves."""
        comparison = await asyncio.to_thread(compare_stored, self.dispatcher.state(), configuration)
        names = {profile.id: profile.name for profile in configuration.agents}
        log.info("reload.changes", told=tell(comparison, {**self._names(), **names}))

    def _node(self, ami: AmiNode) -> Node:
        name = ami.name
        link = AmiLink(
            AmiSettings(node=name, host=ami.host, port=ami.port, username=ami.username, secret=ami.read_secret()),
            on_event=lambda event: self.exchange.take(event),
            on_up=lambda: self.recovery.read_again(),
            on_down=lambda reason: self.recovery.link_lost(name, reason),
        )
        return Node(name, link)

    async def _push_phones(self, node: Node) -> None:
        await node.store_phones(phones_for_asterisk(self._phones))

    async def _serve(self, stack: AsyncExitStack) -> None:
        settings = self.settings
        sounds = self._sounds
        recordings = Recordings(settings.recordings_dir)
        recordings.make()
        stack.push_async_callback(recordings.close)
        story = Story(self._tell_story, self._names)
        self.dispatcher.watch(story.watch)
        watch_messages(self.dispatcher)
        webhooks = Webhooks(lambda: self.settings.site_dir)
        stack.callback(webhooks.close)
        text_messages = WebhookTexts(webhooks, lambda: self.site)
        stack.push_async_callback(text_messages.close)
        ports = SessionPorts(
            dispatcher=self.dispatcher,
            directory=self._directory,
            sounds=SiteSounds(sounds, lambda: self.site),
            story=story,
            dial_string=self.exchange.dial_string,
            messages=self._messages,
            recordings=recordings,
            utc=self._flow_time or (lambda: _EPOCH + timedelta(microseconds=self._clock.now())),
            outbound=lambda: outbound_of(self.site),
            reach=self._reach,
            webhooks=webhooks,
            text_messages=text_messages,
            give=self.exchange.calls.give,
            footfall=self._footfall,
            version_of=self.published.key,
            dead_man_s=settings.limits.dead_man_s,
            renew_every_s=settings.limits.dead_man_renew_s,
        )
        await stack.enter_async_context(self._version_calls.serving())
        standing, measures, switch = await self._open_orders(sounds)
        moves = await self._open_moves(standing)
        blocks, door = await self._open_door(standing)
        arrivals = Arrivals(
            lambda: self.site,
            ports,
            self.dispatcher,
            self.exchange,
            self.recovery.world_known,
            measures=measures,
            door=door,
            find_version=self.published.find,
            in_version=self.published.calls,
        )
        agi = AgiServer(arrivals.take, limits=AgiLimits(conversations=settings.limits.agi_sessions))
        self.agi_port = await agi.start(settings.agi_host, settings.agi_port)
        stack.push_async_callback(agi.stop, 0.5)
        alarms = Alarms(lambda: self.site, self._sight(), webhooks, lambda: self.settings.site_dir)
        desk = ServerDesk(self.dispatcher, self.recovery, self._nodes, self._records, measures, alarms)
        app = create_app(
            desk,
            self._directory,
            self._live,
            self._store,
            self._web_settings,
            inquiry=JournalInquiry(settings.journal_dir),
            switch=switch,
            moves=moves,
            blocks=blocks,
            flows=SiteFlows(lambda: self.site, self._clock.now),
            footfall=self._footfall,
            publishing=Press(self._publisher, self.published, self._read_again),
            exposition=self._metrics(agi, arrivals, door, webhooks),
        )
        days = settings.retention
        kept = {settings.messages_dir: days.messages_days, settings.recordings_dir: days.recordings_days}
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self.dispatcher.keep_time(), name="time"),
                tasks.create_task(self._lag.run(), name="lag"),
                tasks.create_task(alarms.run(), name="alarms"),
                tasks.create_task(self._manager.keep_told(self._status_line), name="service manager"),
                tasks.create_task(self._journal.keep_synced(), name="journal"),
                tasks.create_task(self.recovery.run(), name="recovery"),
                tasks.create_task(self._prepare_sounds(), name="sounds"),
                tasks.create_task(self._keep_current(), name="reload"),
                tasks.create_task(self._keep_live(), name="versions"),
                *(
                    [tasks.create_task(watch_files(settings.site_dir, self._files_changed), name="watch")]
                    if self._watches
                    else []
                ),
                tasks.create_task(standing.run(), name="orders"),
                tasks.create_task(keep_retention(kept, lambda: self._clock.now() / 1e6), name="retention"),
                *(tasks.create_task(node.link.run(), name=f"ami {node.name}") for node in self._nodes.values()),
            ]
            with LoopWatchdog(asyncio.get_running_loop(), settings.limits.loop_stuck_s):
                async with self._web(app):
                    self.ready.set()
                    log.info("server.ready", web_port=self.web_port, agi_port=self.agi_port)
                    self._manager.ready()
                    await self._stop.wait()
                    self._manager.stopping()
            for task in running:
                task.cancel()

    def _metrics(self, agi: AgiServer, arrivals: Arrivals, door: Door, webhooks: Webhooks) -> Metrics:
        sources = Sources(
            dispatcher=self.dispatcher,
            exchange=self.exchange,
            why_not=lambda: self.recovery.why_not,
            nodes=self._nodes,
            agi=agi,
            agi_sessions_most=self.settings.limits.agi_sessions,
            arrivals=arrivals,
            door=door,
            webhooks=webhooks,
            records=self._records,
            journal=self._journal,
            sync=self._sync,
            lag=self._lag,
            data_dir=self.settings.data_dir,
            version=own_version(),
            site_version=lambda: self.published.number,
        )
        return Metrics(sources, self.settings.metrics.read_token())

    def _sight(self) -> Sight:
        return Sight(
            self.dispatcher,
            lambda: self.recovery.why_not,
            self._nodes,
            self._records,
            partial(trouble_of, self._store),
            self.settings.data_dir,
        )

    def _status_line(self) -> str:
        """For `systemctl status`."""
        why_not = self.recovery.why_not
        waiting = sum(queue.waiting for queue in self.dispatcher.queues())
        return f"not routing: {', '.join(why_not)}" if why_not else f"routing; {waiting} callers wait"

    def _reach(self) -> Reach:
        """Whom flows may give callers to, as site and people are now."""
        return Reach(
            outbound_of(self.site),
            tuple(TrunkLine(each.name, each.caller_id or "", each.max_calls) for each in self.site.trunks.values()),
            {person: phone.extension for person, phone in self._phones.items()},
        )

    async def _open_orders(self, sounds: SoundCache) -> tuple[Standing, Measures, Emergencies]:
        """What was ordered before the first caller comes, and whoever may order more."""
        book = OrderBook(self._store, self._clock.now)
        standing = Standing(book, self._clock.now)
        measures = self._measures = Measures(
            self.dispatcher.submit,
            self._clock.now,
            closed=[view.id for view in self.dispatcher.board().queues if view.is_closed],
            show=self._live.show_emergencies,
        )
        standing.heed(measures.kinds, measures.heed)
        await standing.read()
        place = SitePlace(lambda: self.site, sounds)
        return standing, measures, Emergencies(book, place, self._clock.now, standing.read)

    async def _open_moves(self, standing: Standing) -> Moves:
        """The same for agents who are moved between queues for a while."""
        submit, now = self.dispatcher.submit, self._clock.now
        heeded = self._moves_heeded = MovesHeeded(submit, self.dispatcher.board, lambda: standing.trouble)
        standing.heed(Moves.kinds, heeded.heed)
        await standing.read()
        return Moves(OrderBook(self._store, now), self._people, lambda: self.site.queues, now, standing.read)

    async def _open_door(self, standing: Standing) -> tuple[Blocks, Door]:
        """The same for callers who are not let in."""
        now = self._clock.now
        heeded = BlocksHeeded(now)
        standing.heed(Blocks.kinds, heeded.heed)
        await standing.read()
        book = OrderBook(self._store, now)
        door = Door(lambda: self.site, heeded, lambda: utc(now()))
        return Blocks(book, self._directory.plan, now, standing.read), door

    def _pin_limits(self) -> PinLimits:
        rules = self.site.settings.pins
        return PinLimits(rules.wrong_per_call, rules.wrong_per_hour)

    def _names(self) -> dict[str, str]:
        return {profile.id: profile.name for profile in self._profiles}

    async def _prepare_sounds(self) -> None:
        sounds = self._sounds
        prompts = [(prompt.text, prompt.language) for prompt in texts(self.site) if prompt.text]
        language = self.site.settings.default_language
        try:
            for error in await sounds.prepare(prompts):
                log.error("sounds.not_rendered", error=str(error))
            await prepare_failsafe_sounds(
                self.settings, sounds, language=language, message=self._failsafe_message(language)
            )
        except SoundError as error:
            log.error("sounds.not_rendered", error=str(error))
        except Exception:  # prompts are rendered again when they are played; no call may end for this
            log.exception("sounds.not_rendered")

    def _failsafe_message(self, language: str) -> str:
        prompt = text_prompt(self.site.settings.fail_safe.message, language, language, {})
        return prompt.text

    @contextlib.asynccontextmanager
    async def _web(self, app: FastAPI) -> AsyncIterator[None]:
        listening = listen(self.settings.web_host, self.settings.web_port)
        self.web_port = listening.getsockname()[1]
        server = WebServer(app)
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="web")
        try:
            await server.ready.wait()
            yield
        finally:
            server.should_exit = True
            await serving
            listening.close()


class ServerDesk:
    """The routing side as screens see it (screenpop.ports.Desk)."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        recovery: Recovery,
        nodes: Mapping[str, Node],
        records: Records,
        measures: Measures,
        alarms: Alarms,
    ) -> None:
        self._dispatcher = dispatcher
        self._recovery = recovery
        self._nodes = nodes
        self._records = records
        self._measures = measures
        self._alarms = alarms

    def submit(self, event: Event) -> None:
        self._dispatcher.submit(event)

    def board(self) -> Board:
        return self._dispatcher.board()

    def now(self) -> int:
        return self._dispatcher.now()

    def health(self) -> dict[str, object]:
        why_not = list(self._recovery.why_not)
        tally = self._dispatcher.tally
        return {
            "ready": not why_not,
            "why_not": why_not,
            "links": {name: "up" if node.link.is_up else "down" for name, node in self._nodes.items()},
            "records_waiting": self._records.backlog,
            "records_left_out": self._records.left_out,
            "records_refused": self._records.refused,
            "records_trouble": self._records.trouble,
            "offers": tally.offers,
            "pops_shown": tally.pops_shown,
            "pop_late": tally.pop_late,
            "counts": self._dispatcher.counts,
            "alarms": self._alarms.shown(),
            "emergencies": [
                {"id": each.id, "kind": each.kind, "target": each.target, "ends_at": each.ends_at}
                for each in self._measures.shown()
            ],
        }


def web_settings(settings: Settings, site: Site) -> WebSettings:
    return WebSettings(
        origins=settings.web_origins,
        secure_cookie=settings.cookie_secure,
        messages_dir=settings.messages_dir,
        recordings_dir=settings.recordings_dir,
        queue_titles={queue.id: queue.title for queue in site.queues.values()},
        reasons=tuple(Choice(code=each.code, title=each.title) for each in site.reasons.not_ready),
        dispositions=tuple(Choice(code=each.code, title=each.title) for each in site.reasons.dispositions),
    )


async def serve_until_stopped(
    settings: Settings,
    *,
    tell_story: Callable[[str], None] | None = None,
    flow_time: Callable[[], datetime] | None = None,
    watches: bool = False,
) -> None:
    """Run a server until SIGTERM or SIGINT; SIGHUP publishes the working files and reads people again."""
    set_up_logs(settings.log)
    server = Server(settings, tell_story=tell_story, flow_time=flow_time, watches=watches, manager=ServiceManager())
    loop = asyncio.get_running_loop()

    def stop() -> None:
        leave_within(LEAVE_S)
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, server.reload)
    await server.run()


@contextlib.asynccontextmanager
async def with_store(settings: Settings) -> AsyncIterator[tuple[Store, People, NumberPlan]]:
    """The database for a command: migrated, with the people and the site's way of writing numbers."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    site = load_site(settings.site_dir)
    await migrate(settings.database_url)
    store = Store(settings.database_url)
    try:
        people = People(store, queues=site.queues, skills=site.skills)
        phones = await people.phones()
        yield store, people, NumberPlan(site.settings.country, frozenset(each.extension for each in phones.values()))
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def with_emergencies(settings: Settings) -> AsyncIterator[tuple[Emergencies, Site]]:
    """The emergency switch for a command; the server, if it runs, heeds it within a second."""
    async with with_store(settings) as (store, _, _plan):
        site = load_site(settings.site_dir)
        sounds = sound_cache(settings)
        try:
            now = Clock().now
            yield Emergencies(OrderBook(store, now), SitePlace(lambda: site, sounds), now), site
        finally:
            await sounds.close()


@contextlib.asynccontextmanager
async def with_moves(settings: Settings) -> AsyncIterator[tuple[Moves, Site]]:
    """Moves of agents for a command; the server, if it runs, heeds them within a second."""
    async with with_store(settings) as (store, people, _plan):
        site, now = load_site(settings.site_dir), Clock().now
        yield Moves(OrderBook(store, now), people, lambda: site.queues, now), site


@contextlib.asynccontextmanager
async def with_blocks(settings: Settings) -> AsyncIterator[tuple[Blocks, Site]]:
    """Blocked callers for a command; the server, if it runs, heeds them within a second."""
    async with with_store(settings) as (store, _people, plan):
        now = Clock().now
        yield Blocks(OrderBook(store, now), plan, now), load_site(settings.site_dir)


async def told_numbers(settings: Settings, flow: str, hours: int, version: str) -> tuple[Sequence[str], Sequence[str]]:
    """The site's flows, and what callers did in one of them, in lines."""
    async with with_store(settings) as (store, _, _plan):
        now = Clock().now()
        since_at = now - hours * 3_600_000_000
        found = await store.look(lambda connection: flow_numbers(connection, flow, since_at, now + 1, version))
        return tuple(load_site(settings.site_dir).flows), told(found)


async def people_as_they_are(settings: Settings) -> Sequence[AgentProfile] | None:
    """Everybody with the role agent, only read: None where there are no tables, or those of another version."""
    if not settings.data_dir.exists() and "sqlite" in settings.database_url:
        return None
    store = Store(settings.database_url)
    try:
        current, newest = await revision_of(store)
        return await People(store).profiles() if current == newest else None
    except (SQLAlchemyError, OSError) as error:
        raise CtiError(f"people cannot be read: {type(error).__name__}: {error}"[:300]) from error
    finally:
        await store.close()


def provision_node(settings: Settings, site: Site, node: NodeSettings, folder: Path) -> Provisioned:
    """Render one Asterisk's configuration with the site's trunks, and the fail-safe beside it."""
    return provision_asterisk(settings, node, trunks(site), folder)


def provision_asterisk(settings: Settings, node: NodeSettings, lines: Sequence[Trunk], folder: Path) -> Provisioned:
    """Render one Asterisk's configuration; AMI's secret also goes where the settings read it from."""
    site = load_site(settings.site_dir).settings
    made = render(
        replace(
            node,
            sounds_dir=settings.sounds_dir,
            spool_dir=settings.spool_dir,
            fallback=f"PJSIP/{site.fail_safe.extension}" if site.fail_safe.extension else node.fallback,
        ),
        lines,
        folder,
    )
    write_failsafe(settings, made.directory / "agi-bin", language=site.default_language, take=site.fail_safe.take)
    for ami in settings.ami:
        if ami.name == node.node and ami.secret_file is not None:
            ami.secret_file.parent.mkdir(parents=True, exist_ok=True)
            ami.secret_file.touch(mode=0o600)
            ami.secret_file.chmod(0o600)
            ami.secret_file.write_text(made.ami_secret + "\n", encoding="utf-8")
    return made


async def examine_installation(settings: Settings) -> Sequence[Finding]:
    """The doctor's findings, the database among them."""

    async def database() -> tuple[str | None, str | None]:
        if not settings.data_dir.exists() and "sqlite" in settings.database_url:
            return None, newest_revision()  # never started yet
        store = Store(settings.database_url)
        try:
            return await revision_of(store)
        finally:
            await store.close()

    return await examine(settings, database)
