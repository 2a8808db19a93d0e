"""A call centre without telephony for the desktop's tests: the real engine, the real web side, no Asterisk.

A test plays what Asterisk would tell (a call arrives, the phone is picked up, the call ends); people do the rest in
the browser. Only the wire to Asterisk is missing here.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from acd.commands import AgentChanged, Command, OfferInteraction, WithdrawOffer, WrapUpClosed
from acd.engine import Engine
from acd.events import (
    ClockReached,
    Event,
    InteractionArrived,
    InteractionAttached,
    InteractionQueued,
    OfferAccepted,
    PhoneChanged,
    PresenceChosen,
    TalkEnded,
)
from acd.model import AgentProfile, Configuration, Phone, Presence, QueueRules
from acd.snapshot import Board, board, interaction_view
from cti.press import Press
from cti.publish_command import keep_attempt
from cti.publishing import Published, Publisher
from cti.site_flows import SiteFlows
from cti.sounds import SoundCache, SoundError
from cti.versions import Versions
from ivr.loader import load_site
from ivr.site import Site
from lab.web import ROOT
from screenpop.app import create_app
from screenpop.audit import AuditLog
from screenpop.customers import CustomerDirectory
from screenpop.db import customers
from screenpop.db.migrate import migrate
from screenpop.db.records import Records
from screenpop.db.store import Store
from screenpop.entries import Entry
from screenpop.footfall import Footfall
from screenpop.live import Live
from screenpop.model import Customer, Role
from screenpop.numbers import NumberPlan
from screenpop.people import People
from screenpop.server import Server, listen
from screenpop.settings import Choice, WebSettings

PASSWORD = "correct horse 7"
WAIT_S = 10.0
_ORDERS = (OfferInteraction, WithdrawOffer)
_MOST_FACTS = 10_000

QUEUES = (
    QueueRules("billing", title="Billing", ring_us=30_000_000, wrap_up_us=60_000_000, wrap_up_most_us=100_000_000),
    QueueRules("support", title="Technical help", ring_us=30_000_000, wrap_up_us=60_000_000),
)
MARIA = AgentProfile("maria", name="Maria Alvarez", queues=("billing", "support"))
#: Colleagues, off duty until somebody says otherwise.
BEN = AgentProfile("ben", name="Ben Okafor", queues=("billing",))
WEI = AgentProfile("wei", name="Wei Zhang", queues=("billing", "support"))
REASONS = (Choice(code="lunch", title="Lunch"), Choice(code="training", title="Training"))
DISPOSITIONS = (
    Choice(code="solved", title="Solved"),
    Choice(code="follow_up", title="Follow-up needed"),
    Choice(code="wrong_number", title="Wrong number"),
)
CUSTOMERS = (
    Customer(
        id="C1001",
        name="Amelia Hart",
        company="Hart Interiors",
        account="100201",
        language="en",
        vip=True,
        note="Prefers to be called back after 15:00",
        numbers=("+442079460101",),
    ),
    Customer(id="C1009", name="Emma Schulz", company="Familie Schulz", numbers=("+492214710101",)),
    Customer(id="C1010", name="Paul Schulz", company="Familie Schulz", numbers=("+492214710101",)),
)


class Clock:
    """The machine's time, which a test may move on."""

    def __init__(self, ahead_us: int) -> None:
        self.ahead_us = ahead_us

    def now(self) -> int:
        return time.time_ns() // 1_000 + self.ahead_us


class EngineDesk:
    """`screenpop.ports.Desk` on a real engine. What the dispatcher does with Asterisk, a test does by hand."""

    def __init__(self, live: Live, records: Records, clock: Clock) -> None:
        self._live = live
        self._records = records
        self._position = 0
        self._clock = clock
        self.engine = Engine(Configuration(queues=QUEUES, agents=(MARIA, BEN, WEI)), clock.now())
        self.facts: list[Command] = []
        self.shown: dict[str, asyncio.Task[bool]] = {}
        self.shown_in_us: dict[str, int] = {}
        self._news = asyncio.Event()

    def submit(self, event: Event) -> None:
        done = self.engine.handle(event, self.now())
        for command in done:
            if isinstance(command, OfferInteraction):
                self.shown[command.offer_id] = asyncio.create_task(self._show(command))
        facts = [command for command in done if not isinstance(command, _ORDERS)]
        self._position += 1
        self._records.keep(self._position, facts)
        self._live.publish(facts, self.now())
        self.facts = [*self.facts, *done][-_MOST_FACTS:]
        self._news.set()

    async def _show(self, offer: OfferInteraction) -> bool:
        view = interaction_view(self.engine, offer.interaction_id)
        assert view is not None
        sent_at = self.now()
        shown = await self._live.show_offer(offer, view)
        self.shown_in_us[offer.offer_id] = self.now() - sent_at
        return shown

    def board(self) -> Board:
        return board(self.engine)

    def now(self) -> int:
        return max(self._clock.now(), self.engine.now if hasattr(self, "engine") else 0)

    def health(self) -> dict[str, object]:
        return {"ready": True, "why_not": []}

    async def until(self, kind: type[Command], **fields: object) -> Command:
        """The first fact of this kind with these fields, also if it came before."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for fact in self.facts:
                    if isinstance(fact, kind) and all(getattr(fact, name) == value for name, value in fields.items()):
                        return fact
                self._news.clear()
                await self._news.wait()


class Voice(SoundCache):
    """Makes no sound; cannot say what is `refused`, and nothing before it `may`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.refused = ""
        self.may = asyncio.Event()
        self.may.set()

    async def prepare(self, prompts: Iterable[tuple[str, str]]) -> Sequence[SoundError]:
        await self.may.wait()
        return [SoundError(f"cannot say {text}") for text, _ in prompts if text == self.refused]


async def _publish(floor: Floor, publisher: Publisher) -> Press:
    """The example site as version 1, and the press that an admin's page asks."""
    await publisher.publish("callyard", "first start")

    async def go_on() -> None:
        found = floor.published.current()
        assert found is not None
        floor.site, number = found
        floor.published.in_force(number)

    await go_on()
    return Press(publisher, floor.published, go_on)


@dataclass
class Floor:
    """The running call centre: `address` is where the page is."""

    address: str
    desk: EngineDesk
    directory: CustomerDirectory
    live: Live
    records: Records
    clock: Clock
    footfall: Footfall
    #: Whose flows the page shows; a test may put another in its place.
    site: Site
    messages: Path
    #: The working files, a copy of the example site, and what publishes them.
    files: Path
    versions: Versions
    published: Published
    audit: AuditLog
    voice: Voice
    calls: list[str] = field(default_factory=list)

    async def call(
        self, caller: str, queue: str = "billing", priority: int = 0, *, looked_up: bool = True, **typed: str
    ) -> str:
        """A caller arrives and asks for an agent; the interaction's id. `looked_up`: who it is was found out first."""
        interaction_id = f"c0ffee-{len(self.calls) + 1:04}"
        self.calls.append(interaction_id)
        self.desk.submit(InteractionArrived(interaction_id, caller, dialled="+442079460000", flow="main"))
        if looked_up:
            await self.directory.match_caller(interaction_id, caller)
        self.desk.submit(InteractionAttached(interaction_id))
        self.desk.submit(InteractionQueued(interaction_id, queue, priority=priority, attributes=tuple(typed.items())))
        return interaction_id

    async def pop_shown(self, offer_id: str) -> bool:
        """Whether a desktop said that this pop is on its screen."""
        async with asyncio.timeout(WAIT_S):
            return await self.desk.shown[offer_id]

    def pick_up(self, interaction_id: str) -> None:
        self.desk.submit(OfferAccepted(f"{interaction_id}/1"))

    def hang_up(self, interaction_id: str, agent_id: str = "maria") -> None:
        self.desk.submit(TalkEnded(interaction_id, agent_id))

    def move_on(self, seconds: float) -> None:
        """Time passes for the server; what is due happens."""
        self.clock.ahead_us += round(seconds * 1_000_000)
        self.desk.submit(ClockReached())

    async def choose(self, presence: Presence, reason: str = "") -> None:
        self.desk.submit(PresenceChosen("maria", presence, reason))
        await self.desk.until(AgentChanged, agent_id="maria", presence=presence)

    async def wrapped_up(self, interaction_id: str) -> WrapUpClosed:
        closed = await self.desk.until(WrapUpClosed, interaction_id=interaction_id)
        assert isinstance(closed, WrapUpClosed)
        return closed

    def drop_connections(self) -> None:
        """Every socket breaks, as when a network does."""
        for stream in list(self.live._streams.values()):
            for tab in list(stream.tabs):
                tab.drop("gone")


@asynccontextmanager
async def open_floor(folder: Path, web_files: Path, *, ahead_us: int = 0) -> AsyncIterator[Floor]:
    """A call centre whose agent Maria (password `PASSWORD`) has a free phone; its clock starts `ahead_us` ahead."""
    url = f"sqlite:///{folder / 'callyard.db'}"
    await migrate(url)
    (folder / "messages").mkdir()
    store = Store(url)
    try:
        await _fill(store)
        async with (
            Records(store) as records,
            CustomerDirectory(store, NumberPlan("GB"), records) as directory,
            Footfall(store, Clock(ahead_us).now, interval_s=0.05) as footfall,
        ):
            settings = WebSettings(
                web_files=web_files,
                messages_dir=folder / "messages",
                reasons=REASONS,
                dispositions=DISPOSITIONS,
                queue_titles={rules.id: rules.title for rules in QUEUES},
            )
            live, clock = Live(directory, settings, settle_s=3600), Clock(ahead_us)
            desk = EngineDesk(live, records, clock)
            files = folder / "site"
            await asyncio.to_thread(shutil.copytree, ROOT / "site", files)
            listening = listen("127.0.0.1", 0)
            versions, voice, audit = Versions(folder / "versions", desk.now), Voice(folder), AuditLog(store, desk.now)
            floor = Floor(
                f"http://127.0.0.1:{listening.getsockname()[1]}", desk, directory, live, records, clock, footfall,
                load_site(ROOT / "site"), folder / "messages", files, versions, Published(versions), audit, voice,
            )  # fmt: skip
            publisher = Publisher(versions, files, voice, tell=partial(keep_attempt, audit))
            flows, press = SiteFlows(lambda: floor.site, desk.now), await _publish(floor, publisher)
            server = Server(
                create_app(desk, directory, live, store, settings, flows=flows, footfall=footfall, publishing=press)
            )
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                async with asyncio.timeout(WAIT_S):
                    await server.ready.wait()
                desk.submit(PhoneChanged("maria", Phone.FREE))
                yield floor
            finally:
                server.should_exit = True
                await asyncio.gather(serving, *desk.shown.values(), return_exceptions=True)
                listening.close()
    finally:
        await store.close()


async def _fill(store: Store) -> None:
    people = People(store)
    for agent, extension in ((MARIA, "1001"), (BEN, "1002"), (WEI, "1003")):
        await people.add(Entry(agent.id, agent.name, extension=extension, phone="sip", queues=agent.queues))
    await people.add(Entry("susi", "Susi Berg", roles=(Role.SUPERVISOR,)))
    await people.add(Entry("ada", "Ada Novak", roles=(Role.ADMIN,)))
    for username in ("maria", "susi", "ada"):
        await people.set_password(username, PASSWORD)
    async with store.write() as connection:
        await customers.put(store, connection, CUSTOMERS)
