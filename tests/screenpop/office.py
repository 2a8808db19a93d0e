"""A whole web side for a test: a real uvicorn on a free port, the real engine behind it, real WebSocket clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self

import httpx
from argon2 import PasswordHasher
from websockets.asyncio.client import ClientConnection, connect

from acd import commands
from acd.commands import OfferInteraction
from acd.engine import Engine
from acd.events import (
    ConfigurationChanged,
    Event,
    InteractionArrived,
    InteractionAttached,
    InteractionQueued,
    PhoneChanged,
)
from acd.model import Configuration, Phone, QueueRules
from acd.snapshot import Board, board, interaction_view
from screenpop.app import create_app
from screenpop.auth import COOKIE
from screenpop.blocks import Blocks
from screenpop.customers import CustomerDirectory
from screenpop.db import customers
from screenpop.db.records import Records
from screenpop.db.store import Store
from screenpop.emergencies import Emergencies
from screenpop.entries import Entry
from screenpop.live import Live
from screenpop.measures import Measures
from screenpop.model import Customer, Role
from screenpop.moves import Moves, MovesHeeded
from screenpop.numbers import NumberPlan
from screenpop.orders import OrderBook
from screenpop.orders import Standing as StandingOrders
from screenpop.people import People
from screenpop.ports import Flows, Inquiry, Publishing, Standing
from screenpop.server import Server, listen
from screenpop.settings import Choice, WebSettings

START = 1_700_000_000_000_000
PASSWORD = "correct horse 1"
#: As strong as it is fast: the tests sign in often.
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

PEOPLE = (
    Entry("maria", "Maria Ö'Neill", extension="2001", phone="sip", queues=("billing",)),
    Entry("jonas", "Jonas", extension="2002", phone="sip", queues=("billing", "support")),
    Entry("susi", "Susi", roles=(Role.SUPERVISOR,)),
    Entry("ada", "Ada", roles=(Role.ADMIN,)),
)
ANNA = Customer(id="c1", name="Anna Acht", company="Acht AG", account="4711", vip=True, numbers=("+4930901820",))
TWINS = tuple(Customer(id=f"t{n}", name=f"Twin {n}", numbers=("+4930901899",)) for n in (1, 2))
QUEUES = (
    QueueRules("billing", "Billing", wrap_up_us=10_000_000, wrap_up_most_us=45_000_000),
    QueueRules("support", "Support"),
)
SETTINGS = WebSettings(
    reasons=(Choice(code="lunch", title="Lunch"),),
    dispositions=(Choice(code="solved", title="Solved"),),
)


class RoutingDesk:
    """The real engine as the web side sees it, with the pop sent and its acknowledgement kept."""

    def __init__(self, configuration: Configuration, live: Live, records: Records) -> None:
        self.engine = Engine(configuration, START)
        self.events: list[Event] = []
        self.offers: list[OfferInteraction] = []
        self.shown: dict[str, asyncio.Task[bool]] = {}
        self.ready = True
        self._happened = asyncio.Event()
        self._live = live
        self._records = records
        self._now = START

    def submit(self, event: Event) -> None:
        self.events.append(event)
        self._now += 1_000
        self._happened.set()
        answered = self.engine.handle(event, self._now)
        facts: list[commands.Fact] = []
        for command in answered:
            if isinstance(command, OfferInteraction):
                view = interaction_view(self.engine, command.interaction_id)
                assert view is not None
                self.offers.append(command)
                self.shown[command.offer_id] = asyncio.create_task(self._live.show_offer(command, view))
            elif not isinstance(command, commands.WithdrawOffer):
                facts.append(command)
        self._records.keep(len(self.events), facts)
        self._live.publish(facts, self._now)

    async def until(self, event: Event) -> None:
        """Wait until this event has been submitted."""
        async with asyncio.timeout(10):
            while event not in self.events:
                self._happened.clear()
                await self._happened.wait()

    def board(self) -> Board:
        return board(self.engine)

    def now(self) -> int:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += round(seconds * 1_000_000)

    def health(self) -> dict[str, object]:
        return {"ready": self.ready, "why_not": [] if self.ready else ["asterisk"]}


class OfficePlace:
    """One number, two queues, English only; nothing is spoken."""

    def queues(self) -> Collection[str]:
        return tuple(queue.id for queue in QUEUES)

    def number(self, text: str) -> str | None:
        return text.removeprefix("+") if text == "+49301234567" else None

    def languages(self) -> Sequence[str]:
        return ("en",)

    async def speak(self, text: str, language: str) -> str:
        return ""


class Desktop:
    """A desktop as the page is one: keeps the last number, can come back."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seq = 0
        self.stream = ""

    async def next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), 10))
        if message["type"] == "snapshot":
            self.stream = message["stream"]
        elif message["type"] != "signed_out":
            assert message["seq"] == self.seq + 1, f"after {self.seq} came {message}"
        self.seq = message["seq"]
        return message

    async def until(self, kind: str, **fields: object) -> dict[str, Any]:
        """The next message of this type with these fields."""
        for _ in range(500):
            message = await self.next()
            if message["type"] == kind and all(message.get(name) == value for name, value in fields.items()):
                return message
        raise AssertionError(f"no {kind} {fields} among 500 messages")

    async def send(self, kind: str, **fields: object) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))


class Office:
    def __init__(
        self,
        port: int,
        desk: RoutingDesk,
        live: Live,
        directory: CustomerDirectory,
        people: People,
        records: Records,
        standing: StandingOrders,
    ) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.host = f"127.0.0.1:{port}"
        self.desk = desk
        self.live = live
        self.directory = directory
        self.people = people
        self.records = records
        self.standing = standing
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def client(self, username: str = "", **headers: str) -> httpx.AsyncClient:
        """A browser's REST side, signed in as `username` if given."""
        client = await self._stack.enter_async_context(
            httpx.AsyncClient(base_url=self.address, headers={"X-Callyard": "1", **headers}, trust_env=False)
        )
        if username:
            answer = await client.post("/api/session", json={"username": username, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
        return client

    async def desktop(
        self,
        client: httpx.AsyncClient,
        resume: Desktop | None = None,
        *,
        origin: str | None = None,
        **options: Any,
    ) -> Desktop:
        query = f"?stream={resume.stream}&after={resume.seq}" if resume else ""
        token = client.cookies.get(COOKIE)
        headers = {"Cookie": f"{COOKIE}={token}"} if token else {}
        socket = await self._stack.enter_async_context(
            connect(
                f"ws://{self.host}/api/desk{query}",
                origin=origin or self.address,  # type: ignore[arg-type]
                additional_headers=headers,
                proxy=None,
                **options,
            )
        )
        opened = Desktop(socket)
        if resume:
            opened.seq, opened.stream = resume.seq, resume.stream
        return opened

    async def sit_down(self, username: str) -> Desktop:
        """Sign in, connect, read the snapshot."""
        desktop = await self.desktop(await self.client(username))
        assert (await desktop.next())["type"] == "snapshot"
        return desktop

    async def make_ready(self, username: str, desktop: Desktop) -> None:
        self.desk.submit(PhoneChanged(username, Phone.FREE))
        await desktop.send("presence", presence="ready")
        await desktop.until("agent", state="ready")

    async def call(self, interaction_id: str, number: str, queue: str = "billing", **typed: str) -> None:
        """A caller arrives, is looked up, and asks for an agent."""
        self.desk.submit(InteractionArrived(interaction_id, number, "+49301234567", "main"))
        self.desk.submit(InteractionAttached(interaction_id))
        await self.directory.match_caller(interaction_id, number)
        self.desk.submit(InteractionQueued(interaction_id, queue, attributes=tuple(typed.items())))


@asynccontextmanager
async def office(
    store: Store,
    settings: WebSettings = SETTINGS,
    *,
    known: Iterable[Customer] = (ANNA, *TWINS),
    inquiry: Inquiry | None = None,
    flows: Flows | None = None,
    footfall: Standing | None = None,
    publishing: Publishing | None = None,
    **live_options: Any,
) -> AsyncIterator[Office]:
    """Open the web side on `store`, filled with PEOPLE (all with PASSWORD) and the `known` customers."""
    people = People(store, hasher=HASHER)
    for entry in PEOPLE:
        await people.add(entry)
        await people.set_password(entry.username, PASSWORD)
    async with store.write() as connection:
        await customers.put(store, connection, list(known))
    profiles = await people.profiles()
    plan = NumberPlan("DE")
    options = {"totals_s": 0.0, **live_options}
    async with Records(store, interval_s=0.01) as records, CustomerDirectory(store, plan, records) as directory:
        live = Live(directory, settings, **options)
        desk = RoutingDesk(Configuration(QUEUES, ()), live, records)
        desk.engine.handle(ConfigurationChanged(Configuration(QUEUES, tuple(profiles))), START)
        book = OrderBook(store, desk.now)
        standing = StandingOrders(book, desk.now)
        measures = Measures(lambda event: None, desk.now, show=live.show_emergencies)
        standing.heed(Moves.kinds, MovesHeeded(desk.submit, desk.board).heed)
        standing.heed(measures.kinds, measures.heed)
        switch = Emergencies(book, OfficePlace(), desk.now, standing.read)
        moves = Moves(book, people, lambda: [queue.id for queue in QUEUES], desk.now, standing.read)
        blocks = Blocks(book, plan, desk.now, standing.read)
        app = create_app(
            desk, directory, live, store, settings, people, inquiry, switch, moves, blocks, flows, footfall, publishing
        )
        server = Server(app)
        listening = listen("127.0.0.1", 0)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            await asyncio.wait_for(server.ready.wait(), 10)
            async with Office(listening.getsockname()[1], desk, live, directory, people, records, standing) as opened:
                yield opened
        finally:
            server.should_exit = True
            await asyncio.wait_for(serving, 10)
            for task in desk.shown.values():
                task.cancel()
            await asyncio.gather(*desk.shown.values(), return_exceptions=True)
            listening.close()
