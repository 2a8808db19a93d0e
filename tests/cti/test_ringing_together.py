"""Phones that ring together for one caller: all pops first, one Dial, and each leg an offer of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from acd.commands import OfferClosed, OfferInteraction, TalkOpened
from acd.events import (
    CallerLeft,
    DesktopChanged,
    InteractionDetached,
    OfferRejected,
    PresenceChosen,
    RoutingPaused,
    RoutingResumed,
    TalkEnded,
)
from acd.model import Configuration, Desktop, OfferOutcome, Presence, Stage, Strategy
from acd.why import RungTogether
from cti import offers as offers_module
from cti.replay import explain
from cti.standing_offers import open_offers
from tests.acd.desk import BILLING, JON, MARIA, TECH
from tests.cti.conversations import QUEUE, C, one_call, submitted
from tests.fakes.clock import settle
from tests.fakes.reception import Reception
from tests.fakes.switchboard import Switchboard

pytestmark = pytest.mark.usefixtures("short_lags")

TOGETHER = Configuration((replace(BILLING, strategy=Strategy.RING_ALL), TECH), (MARIA, JON))
LEGS = {"m": "2001", "j": "2002"}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers_module, "SILENT_LEG_S", 0.01)


def sign_in(board: Switchboard) -> None:
    """Maria first: she has been idle longest."""
    board.office.sign_in("maria")
    board.office.clock.advance(1)
    board.office.sign_in("jon")


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[Switchboard]:
    """A switchboard at which maria and jon are ready, and ring together."""
    made = Switchboard(tmp_path, configuration=TOGETHER)
    sign_in(made)
    yield made
    await made.close()


async def ringing(board: Switchboard, *legs: str) -> None:
    board.queue("c")
    async with asyncio.timeout(5):
        await board.sessions["c"].rung.wait()
    for leg in legs:
        board.dial("c", leg, LEGS[leg])


def outcomes(board: Switchboard) -> dict[str, OfferOutcome]:
    return {closed.agent_id: closed.outcome for closed in board.office.every(OfferClosed)}


async def until_over(board: Switchboard, agent_id: str) -> None:
    async with asyncio.timeout(5):
        while agent_id not in outcomes(board):  # noqa: ASYNC110  # bounded; the engine tells nobody but the table
            await asyncio.sleep(0)


# --- pops and the ring -----------------------------------------------------------------------------------


async def test_all_pops_go_out_in_one_turn_and_one_ring_follows(board: Switchboard) -> None:
    board.queue("c")
    assert board.desktops.log == [("cut", ""), ("pop", "c/1"), ("cut", ""), ("pop", "c/2")]
    async with asyncio.timeout(5):
        await board.sessions["c"].rung.wait()
    assert board.desktops.log[4:] == [("ring", "c/1 c/2")]
    assert board.dispatcher.tally.pops_shown == 2


async def test_the_ring_waits_for_the_last_pop(board: Switchboard) -> None:
    board.desktops.holds_pops = True
    session = board.queue("c")
    await settle()
    assert not session.rung.is_set()
    board.desktops.show()
    async with asyncio.timeout(5):
        await session.rung.wait()
    assert board.dispatcher.tally.pops_shown == 2


async def test_pops_that_are_not_shown_in_time_are_late_each_and_all_ring(tmp_path: Path) -> None:
    made = Switchboard(tmp_path, pop_wait_s=0.01, configuration=TOGETHER)
    sign_in(made)
    made.desktops.holds_pops = True
    await ringing(made)
    assert made.dispatcher.tally.pop_late == 2
    assert made.desktops.log[-1] == ("ring", "c/1 c/2")
    await made.close()


async def test_one_who_is_let_go_before_the_ring_does_not_ring(board: Switchboard) -> None:
    board.desktops.holds_pops = True
    session = board.queue("c")
    board.dispatcher.submit(PresenceChosen("maria", Presence.NOT_READY, "lunch"))
    board.desktops.show()
    async with asyncio.timeout(5):
        await session.rung.wait()
    assert session.told[-1] == ("ring", "c/2")


async def test_of_a_caller_without_a_session_all_offers_are_taken_back_at_once(board: Switchboard) -> None:
    board.office.call("c")
    await settle()
    assert outcomes(board) == {"maria": OfferOutcome.WITHDRAWN, "jon": OfferOutcome.WITHDRAWN}
    assert board.desktops.pops == []
    assert not [what for what in board.dispatcher.counts if what.startswith("InteractionDetached")]


# --- which of them -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("leg", "agent_id", "other"), [("m", "maria", "jon"), ("j", "jon", "maria")])
async def test_the_one_whose_bridge_it_is_has_the_caller(
    board: Switchboard, leg: str, agent_id: str, other: str
) -> None:
    await ringing(board, "m", "j")
    for cancelled in LEGS.keys() - {leg}:
        board.hang_up(cancelled, 26)  # answered elsewhere: before the bridge shows where
    board.bridge("b", leg, "c")
    assert outcomes(board) == {agent_id: OfferOutcome.ACCEPTED, other: OfferOutcome.WITHDRAWN}
    assert board.office.last(TalkOpened).agent_id == agent_id
    assert board.dispatcher.open_offers() == board.dispatcher.open_offers_of("c") == ()
    await asyncio.sleep(0.03)
    assert len(board.office.every(OfferClosed)) == 2


async def test_one_who_declines_at_the_phone_is_out_and_only_their_leg_ends(board: Switchboard) -> None:
    await ringing(board, "m", "j")
    board.hang_up("m", 21)
    assert outcomes(board) == {"maria": OfferOutcome.REJECTED}
    assert [offer.agent_id for offer in board.dispatcher.open_offers_of("c")] == ["jon"]
    assert board.link.named("Hangup") == []


async def test_one_who_declines_at_the_desktop_has_their_leg_alone_hung_up(board: Switchboard) -> None:
    await ringing(board, "m", "j")
    board.dispatcher.submit(OfferRejected("c/2"))
    assert await board.link.asked("Hangup") == {"Channel": "PJSIP/2002-j", "Cause": "16"}
    assert len(board.link.named("Hangup")) == 1


async def test_a_phone_that_does_not_ring_while_the_other_does_has_failed(board: Switchboard) -> None:
    await ringing(board, "j")
    await until_over(board, "maria")
    assert outcomes(board) == {"maria": OfferOutcome.FAILED}
    assert board.office.last(OfferClosed).detail == "phone: does not ring"


async def test_a_phone_that_rings_no_more_while_the_other_does_has_failed(board: Switchboard) -> None:
    await ringing(board, "m", "j")
    await asyncio.sleep(0.03)
    board.hang_up("m", 20)
    await until_over(board, "maria")
    assert outcomes(board) == {"maria": OfferOutcome.FAILED}


async def test_legs_that_go_because_the_caller_does_fail_nobody(board: Switchboard) -> None:
    await ringing(board, "m", "j")
    board.hang_up("m", 0)
    board.hang_up("j", 0)
    await asyncio.sleep(0.03)
    assert outcomes(board) == {}
    board.dispatcher.submit(CallerLeft("c"))
    assert set(outcomes(board).values()) == {OfferOutcome.WITHDRAWN}


async def test_a_leg_of_one_who_is_let_go_is_hung_up_and_the_other_rings_on(board: Switchboard) -> None:
    await ringing(board, "m", "j")
    board.dispatcher.submit(DesktopChanged("maria", Desktop.GONE))
    assert (await board.link.asked("Hangup"))["Channel"] == "PJSIP/2001-m"
    assert [offer.agent_id for offer in board.dispatcher.open_offers_of("c")] == ["jon"]


async def test_every_open_offer_is_found_in_a_restored_engine(board: Switchboard) -> None:
    await ringing(board)
    made = tuple(board.office.every(OfferInteraction))
    assert tuple(open_offers(board.dispatcher._engine)) == made
    board.dispatcher.restore_offers(made)
    assert board.dispatcher.open_offer("c", "jon") == made[1]


async def test_why_tells_of_the_one_who_answered_and_of_those_who_rang_too(board: Switchboard) -> None:
    await ringing(board, "m", "j")
    assert explain(board.office.journal._folder, "c").why.offer_id == "c/1"
    board.bridge("b", "j", "c")
    answer = explain(board.office.journal._folder, "c").why
    assert (answer.offer_id, answer.agent_id) == ("c/2", "jon")
    assert [each.obstacles for each in answer.agents if each.agent_id == "maria"] == [(RungTogether("c/1"),)]
    assert explain(board.office.journal._folder, "c/1").why.agent_id == "maria"


# --- the conversation --------------------------------------------------------------------------------------


def both_ready(reception: Reception) -> None:
    """Both become ready while nobody is offered anything, so that they ring together."""
    reception.dispatcher.submit(RoutingPaused("reading"))
    sign_in(reception.board)
    reception.dispatcher.submit(RoutingResumed())


async def test_one_dial_names_all_phones_with_their_offers(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE, configuration=TOGETHER) as (reception, call):
        await call.logged("music default")
        both_ready(reception)
        await call.logged("dial /1&2")
        assert call.dialled == ("PJSIP/2001&PJSIP/2002", "maria&jon")
        reception.board.dial(C, "m")
        reception.board.dial(C, "j", "2002")
        reception.board.bridge("b", "j", C)
        reception.board.unbridge("b", "j", C)
        reception.board.hang_up("j")
        call.end_dial(f"{C}/2|ANSWER|16|3")
        await call.playing("Thank you")
        assert reception.board.office.last(TalkOpened).agent_id == "jon"


async def test_a_talk_of_which_ami_told_nothing_was_with_the_one_whom_the_result_names(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE, configuration=TOGETHER) as (reception, call):
        await call.logged("music default")
        both_ready(reception)
        await call.logged("dial /1&2")
        call.end_dial(f"{C}/2|ANSWER|16|3")
        await call.playing("Thank you")
        assert submitted(reception, TalkEnded) == [TalkEnded(C, "jon", gap=True)]
        assert outcomes(reception.board) == {"maria": OfferOutcome.WITHDRAWN, "jon": OfferOutcome.ACCEPTED}


async def test_phones_that_stopped_for_one_who_had_just_been_let_go_are_withdrawn(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE, configuration=TOGETHER) as (reception, call):
        await call.logged("music default")
        both_ready(reception)
        await call.logged("dial /1&2")
        reception.dispatcher.submit(PresenceChosen("jon", Presence.NOT_READY, "lunch"))
        call.end_dial(f"{C}/2|ANSWER|16|0")
        await call.logged("dial /3")
        assert submitted(reception, InteractionDetached) == [InteractionDetached(C)]
        assert outcomes(reception.board) == {"maria": OfferOutcome.WITHDRAWN, "jon": OfferOutcome.WITHDRAWN}


async def test_when_no_phone_could_be_rung_all_have_failed(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE, configuration=TOGETHER) as (reception, call):
        await call.logged("music default")
        both_ready(reception)
        await call.logged("dial /1&2")
        call.end_dial(f"{C}/1&2|CHANUNAVAIL|0|")
        await call.logged("music default", 2)
        assert set(outcomes(reception.board).values()) == {OfferOutcome.FAILED}
        view = reception.view()
        assert view is not None
        assert view.stage is Stage.QUEUED
