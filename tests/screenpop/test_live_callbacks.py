"""What an agent sees while the customer is called back, and from when on it is a call like any."""

from __future__ import annotations

from dataclasses import replace

from acd.events import (
    CallbackAnswered,
    CallbackFailed,
    CallerLeft,
    ConfigurationChanged,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
)
from acd.model import CallbackRules, Configuration
from acd.snapshot import agent_view
from screenpop.db.store import Store
from tests.screenpop.office import QUEUES, Desktop, Office, office


async def called(opened: Office) -> Desktop:
    """Maria is held for Anna, who is being called."""
    rules = tuple(replace(queue, callback=CallbackRules(reserve_us=50_000_000)) for queue in QUEUES)
    opened.desk.submit(ConfigurationChanged(Configuration(rules, tuple(await opened.people.profiles()))))
    desktop = await opened.sit_down("maria")
    await opened.make_ready("maria", desktop)
    opened.desk.submit(InteractionArrived("i1", "030901820", "+49301234567", "main"))
    await opened.directory.match_caller("i1", "030901820")
    opened.desk.submit(InteractionQueued("i1", "billing", callback_number="+4930901820"))
    opened.desk.submit(CallerLeft("i1"))
    return desktop


async def test_the_pop_says_that_they_are_being_called_until_they_have_answered(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        desktop = await called(opened)
        work = (await desktop.until("offer"))["work"]
        assert (work["stage"], work["calling_back"], work["customer"]["name"]) == ("offered", True, "Anna Acht")
        assert work["deadline"] == work["since"] + 50_000_000
        opened.desk.submit(CallbackAnswered("i1/1"))
        now = opened.desk.now()
        ringing = (await desktop.until("work"))["work"]
        held = agent_view(opened.desk.engine, "maria")
        assert held is not None
        assert (ringing["stage"], ringing["calling_back"], ringing["since"]) == ("offered", False, now)
        assert ringing["deadline"] == held.deadline == now + QUEUES[0].ring_us
        opened.desk.submit(OfferAccepted("i1/1"))
        talking = (await desktop.until("work"))["work"]
        assert (talking["stage"], talking["calling_back"]) == ("talking", False)


async def test_they_are_not_reached_and_the_pop_goes(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        desktop = await called(opened)
        await desktop.until("offer")
        opened.desk.submit(CallbackFailed("i1/1", "busy"))
        ended = await desktop.until("offer_ended")
        assert (ended["offer_id"], ended["outcome"], ended["detail"]) == ("i1/1", "withdrawn", "busy")
        assert opened.live.work_of("maria") is None


async def test_a_server_that_starts_meanwhile_says_the_same(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        await called(opened)
        opened.live._streams["maria"].work = None  # as after a start: only the engine knows
        again = await (await opened.desktop(await opened.client("maria"))).next()
        assert (again["work"]["stage"], again["work"]["calling_back"]) == ("offered", True)
        opened.live._streams["maria"].work = None
        opened.desk.submit(CallbackAnswered("i1/1"))
        once_more = await (await opened.desktop(await opened.client("maria"))).next()
        assert (once_more["work"]["stage"], once_more["work"]["calling_back"]) == ("offered", False)


async def test_others_hear_nothing_of_it(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        await called(opened)
        await opened.sit_down("jonas")
        opened.desk.submit(CallbackAnswered("i1/1"))
        assert opened.live.work_of("jonas") is None
