"""The composition root: the parts join, serve and end; what a journal left is what the next server begins with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from pydantic import SecretStr

from acd.commands import Command, OfferClosed, OfferInteraction
from acd.engine import Engine
from acd.events import (
    DesktopChanged,
    InteractionArrived,
    InteractionQueued,
    OfferRejected,
    PhoneChanged,
    PresenceChosen,
)
from acd.model import Desktop, Phone, Presence, Stage
from cti.errors import CtiError
from cti.journal import JournalError
from cti.main import (
    Server,
    provision_asterisk,
    web_settings,
    with_emergencies,
    with_store,
)
from cti.provisioning import NodeSettings
from cti.settings import AmiNode, Settings
from cti.standing_offers import deadline_of, follow_offers, open_offers
from ivr.errors import SiteError
from screenpop.emergencies import Kind, Wanted
from screenpop.entries import Entry
from screenpop.settings import Choice
from tests.acd.desk import Desk
from tests.fakes.agi import AgiPeer, header
from tests.fakes.ami import FakeAmi
from tests.fakes.site import small_site, write_site

HELLO = "\n  door:\n    - answer\n    - queue: billing\n"


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAmi]:
    """An Asterisk without any channel."""
    async with FakeAmi() as ami:
        ami.answers["status"] = lambda action: action.list_of("Status", [], "StatusComplete")
        ami.answers["dbgettree"] = lambda action: [action.reply("Error", ("Message", "Database entry not found"))]
        yield ami


def settings_for(folder: Path, ami: FakeAmi | None) -> Settings:
    nodes = (AmiNode(name="lab1", port=ami.port, username=ami.username, secret=SecretStr(ami.secret)),) if ami else ()
    return Settings(data_dir=folder / "data", site_dir=folder / "site", web_port=0, agi_port=0, ami=nodes)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Server]:
    server = Server(settings)
    task = asyncio.create_task(server.run())
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if task.done():
        task.result()
    try:
        yield server
    finally:
        server.stop()
        async with asyncio.timeout(20):
            await task


async def health(server: Server) -> dict[str, object]:
    async with httpx.AsyncClient() as client:
        answer: dict[str, object] = (await client.get(f"http://127.0.0.1:{server.web_port}/api/health")).json()
        return answer


async def until_ready(server: Server) -> None:
    async with asyncio.timeout(10):
        while server.recovery.why_not:  # noqa: ASYNC110 - set by another task of the server under test
            await asyncio.sleep(0.01)


async def test_a_server_reads_the_world_and_is_ready(tmp_path: Path, asterisk: FakeAmi) -> None:
    write_site(tmp_path / "site", HELLO)
    async with serving(settings_for(tmp_path, asterisk)) as server:
        await asterisk.arrived("Status")
        await until_ready(server)
        found = await health(server)
        assert (found["ready"], found["why_not"], found["links"]) == (True, [], {"lab1": "up"})
        asterisk.drop()
        async with asyncio.timeout(10):
            while not server.recovery.why_not:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert set(server.recovery.why_not) <= {"link_down", "reading"}


async def test_a_caller_who_waits_is_there_again_after_the_next_start(tmp_path: Path, asterisk: FakeAmi) -> None:
    write_site(tmp_path / "site", HELLO)
    settings = settings_for(tmp_path, asterisk)
    async with serving(settings) as server:
        await until_ready(server)
        async with await AgiPeer.connect(server.agi_port, header(uniqueid="lab1-1.1")) as peer:
            peer.variables.update({"CALLYARD_INTERACTION": "lab1-1.1", "CALLYARD_NUMBER": "+4989100"})
            answering = asyncio.create_task(peer.serve())
            async with asyncio.timeout(10):
                while "CALLYARD_STATE" not in peer.variables or server.dispatcher.interaction("lab1-1.1") is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                while server.dispatcher.interaction("lab1-1.1").stage is not Stage.QUEUED:  # type: ignore[union-attr]  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            asked_at = server.dispatcher.interaction("lab1-1.1").first_asked_at  # type: ignore[union-attr]
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            server.stop()
    channel = [
        ("Channel", "PJSIP/trunk-1"),
        ("ChannelStateDesc", "Up"),
        ("Uniqueid", "lab1-1.1"),
        ("Linkedid", "lab1-1.1"),
        ("BridgeID", ""),
        ("Seconds", "5"),
        ("Variable", "CALLYARD_INTERACTION=lab1-1.1"),
    ]
    asterisk.answers["status"] = lambda action: action.list_of("Status", [channel], "StatusComplete")
    async with serving(settings) as server:
        await asyncio.wait_for(server.recovery.world_known.wait(), 10)
        view = server.dispatcher.interaction("lab1-1.1")
        assert view is not None
        assert (view.stage, view.first_asked_at, view.attached) == (Stage.QUEUED, asked_at, False)


async def test_what_makes_serving_impossible_is_raised(tmp_path: Path) -> None:
    write_site(tmp_path / "site", HELLO.replace("billing", "nowhere"))
    with pytest.raises(SiteError, match="nowhere"):
        await Server(settings_for(tmp_path, None)).run()
    write_site(tmp_path / "site", HELLO)
    async with serving(settings_for(tmp_path, None)):
        with pytest.raises(JournalError, match="another process"):
            await Server(settings_for(tmp_path, None)).run()


# --- what a journal left ------------------------------------------------------------------------------------------


def offered() -> tuple[Desk, OfferInteraction]:
    desk = Desk()
    desk.do(PhoneChanged("maria", Phone.FREE))
    desk.do(DesktopChanged("maria", Desktop.THERE))
    desk.do(PresenceChosen("maria", Presence.READY))
    desk.do(InteractionArrived("c"))
    [offer] = [each for each in desk.do(InteractionQueued("c", "billing")) if isinstance(each, OfferInteraction)]
    return desk, offer


def test_offers_that_are_open_are_found_in_the_engine() -> None:
    desk, offer = offered()
    [found] = open_offers(desk.engine)
    assert found == offer
    assert deadline_of(desk.engine, offer.agent_id, 0) == offer.expires_at
    desk.do(OfferRejected(offer.offer_id))
    assert open_offers(desk.engine) == []


def test_open_offers_are_followed_through_commands() -> None:
    offers: dict[str, OfferInteraction] = {}
    desk, offer = offered()
    follow_offers(offers, [offer])
    assert offers == {"c/1": offer}
    commands: tuple[Command, ...] = desk.do(OfferRejected("c/1"))
    assert any(isinstance(command, OfferClosed) for command in commands)
    follow_offers(offers, commands)
    assert offers == {}


def test_an_empty_engine_has_no_offers() -> None:
    assert open_offers(Engine(Desk().engine.configuration, 0)) == []


# --- what the web side is told --------------------------------------------------------------------------------------


def test_the_web_side_gets_the_sites_words(tmp_path: Path) -> None:
    site = small_site(tmp_path, HELLO)
    settings = Settings(data_dir=tmp_path, web_origins=("https://desk.example.com",), cookie_secure=True)
    made = web_settings(settings, site)
    assert (made.origins, made.secure_cookie) == (("https://desk.example.com",), True)
    assert made.queue_titles == {"billing": "Billing", "tech": "Tech"}
    assert Choice(code="break", title="Break") in made.reasons
    assert Choice(code="solved", title="Solved") in made.dispositions


def test_provisioning_puts_the_secret_where_the_settings_read_it(tmp_path: Path) -> None:
    write_site(tmp_path / "site", HELLO)
    file = tmp_path / "deep" / "er" / "ami.secret"
    settings = Settings(
        data_dir=tmp_path / "data", site_dir=tmp_path / "site", ami=(AmiNode(name="lab1", secret_file=file),)
    )
    node = NodeSettings(
        node="lab1",
        sip_port=5060,
        http_port=8088,
        ami_port=5038,
        agi_port=4573,
        rtp_first=10000,
        rtp_last=10100,
        country="DE",
    )
    made = provision_asterisk(settings, node, [], tmp_path / "asterisk")
    assert settings.ami[0].read_secret() == made.ami_secret
    assert issubclass(JournalError, CtiError)


# --- orders -------------------------------------------------------------------------------------------------------


async def test_what_a_command_orders_the_running_server_heeds(tmp_path: Path, asterisk: FakeAmi) -> None:
    write_site(tmp_path / "site", HELLO)
    settings = settings_for(tmp_path, asterisk)
    async with serving(settings) as server:
        await until_ready(server)
        async with with_emergencies(settings) as (emergencies, _site):
            [order] = await emergencies.give(Wanted(Kind.CLOSE_NUMBER, ("+4989100",)), "kim")
            await until_shown(server, order.id)
            async with await AgiPeer.connect(server.agi_port, header(uniqueid="lab1-1.1")) as peer:
                peer.variables.update({"CALLYARD_INTERACTION": "lab1-1.1", "CALLYARD_NUMBER": "+4989100"})
                async with asyncio.timeout(10):
                    await peer.serve()
                assert (peer.variables["CALLYARD_DONE"], peer.variables["CALLYARD_CAUSE"]) == ("1", "31")
            await emergencies.end(order.id, "kim")
            await until_shown(server)


async def test_a_server_begins_with_what_was_ordered_before(tmp_path: Path, asterisk: FakeAmi) -> None:
    write_site(tmp_path / "site", HELLO)
    settings = settings_for(tmp_path, asterisk)
    async with with_emergencies(settings) as (emergencies, _site):
        [order] = await emergencies.give(Wanted(Kind.NOTICE, texts={"en": "Hello"}), "kim")
    async with serving(settings) as server:
        found = (await health(server))["emergencies"]
        assert found == [{"id": order.id, "kind": "notice", "target": "", "ends_at": 0}]


async def test_a_queue_stays_closed_over_restarts_until_somebody_opens_it(tmp_path: Path, asterisk: FakeAmi) -> None:
    write_site(tmp_path / "site", HELLO)
    settings = settings_for(tmp_path, asterisk)

    def closed(server: Server) -> list[str]:
        return [view.id for view in server.dispatcher.board().queues if view.is_closed]

    async with serving(settings) as server, with_emergencies(settings) as (emergencies, _site):
        [order] = await emergencies.give(Wanted(Kind.CLOSE_QUEUE, ("billing",), reason="drill"), "kim")
        await until_shown(server, order.id)
        assert closed(server) == ["billing"]
    async with serving(settings) as server:
        assert closed(server) == ["billing"]
        write_site(tmp_path / "site", HELLO.replace("billing", "tech"), queues="tech: { title: Tech }\n")
        await reloaded(server, lambda: len(server.dispatcher.board().queues) == 1)
        write_site(tmp_path / "site", HELLO)
        await reloaded(server, lambda: len(server.dispatcher.board().queues) == 2)
        assert closed(server) == ["billing"], "also a queue that was away"
    async with with_emergencies(settings) as (emergencies, _site):
        await emergencies.end(order.id, "kim")
    async with serving(settings) as server:
        assert closed(server) == []


async def test_a_reload_brings_screens_the_sites_new_words(tmp_path: Path, asterisk: FakeAmi) -> None:
    write_site(tmp_path / "site", HELLO)
    async with serving(settings_for(tmp_path, asterisk)) as server:
        write_site(tmp_path / "site", HELLO, reasons="not_ready: { fire: Fire drill }\ndispositions: { sold: Sold }\n")
        fire = Choice(code="fire", title="Fire drill")
        await reloaded(server, lambda: server._live.settings.reasons == (fire,))
        assert server._live.settings.dispositions == (Choice(code="sold", title="Sold"),)


async def reloaded(server: Server, is_done: Callable[[], bool]) -> None:
    server.reload()
    async with asyncio.timeout(10):
        while not is_done():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def until_shown(server: Server, *ids: int) -> None:
    async with asyncio.timeout(10):
        while [each["id"] for each in (await health(server))["emergencies"]] != list(ids):  # type: ignore[attr-defined]  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_reload_says_for_whom_something_changes_and_refuses_what_contradicts_itself(
    asterisk: FakeAmi, tmp_path: Path
) -> None:
    write_site(tmp_path / "site", HELLO)
    with structlog.testing.capture_logs() as logs:
        async with serving(settings_for(tmp_path, asterisk)) as server:
            await until_ready(server)
            server.dispatcher.submit(InteractionArrived("c"))
            server.dispatcher.submit(InteractionQueued("c", "billing"))
            write_site(tmp_path / "site", HELLO, queues="billing: { title: Billing, priority: 2 }\n")
            server.reload()
            await logged(logs, "reload.done")
            async with with_store(server.settings) as (_, people, _plan):
                await people.add(Entry("kim", "Kim", queues=("billing",)))
            write_site(tmp_path / "site", HELLO, queues="sales: { title: Sales }\n", flow_main=FLOW_TO_SALES)
            server.reload()
            await logged(logs, "reload.refused")
            assert list(server.site.queues) == ["billing"]
    (changes,) = [each for each in logs if each["event"] == "reload.changes"]
    assert changes["told"] == [
        "queue tech: is no more",
        "1 wait, something changes for 1",
        "  c in billing: priority 0 → 2",
        "0 agents are signed in, 0 serve other queues or leave",
        "0 talk: nothing changes for them",
    ]


FLOW_TO_SALES = "title: Main\nstart: door\nnodes:\n  door:\n    - answer\n    - queue: sales\n"


async def logged(logs: list[MutableMapping[str, Any]], event: str) -> None:
    async with asyncio.timeout(20):
        while not [each for each in logs if each["event"] == event]:  # noqa: ASYNC110 - by another task of the server
            await asyncio.sleep(0.01)
