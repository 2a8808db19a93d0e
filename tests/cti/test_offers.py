"""Offers: the pop goes out before the phone rings, and what is taken back does not ring."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from acd.commands import OfferClosed, OfferInteraction, WithdrawOffer
from acd.events import CallerLeft, OfferRejected
from acd.model import OfferOutcome, Stage
from tests.fakes.clock import settle
from tests.fakes.switchboard import Switchboard

Open = Callable[..., Switchboard]


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[Open]:
    """Opens a switchboard at which maria is ready."""
    opened: list[Switchboard] = []

    def open_one(**options: float) -> Switchboard:
        made = Switchboard(tmp_path, **options)  # type: ignore[arg-type]
        opened.append(made)
        made.office.sign_in("maria")
        return made

    yield open_one
    for made in opened:
        await made.close()


async def rung(switchboard: Switchboard, interaction_id: str = "c") -> None:
    async with asyncio.timeout(5):
        await switchboard.sessions[interaction_id].rung.wait()


async def test_the_pop_goes_out_before_the_phone_rings_and_a_prompt_is_cut(board: Open) -> None:
    switchboard = board()
    switchboard.queue("c")
    assert switchboard.desktops.log == [("cut", ""), ("pop", "c/1")], "both leave in the turn of the decision"
    await rung(switchboard)
    assert switchboard.desktops.log[2:] == [("ring", "c/1")]
    assert (switchboard.dispatcher.tally.pops_shown, switchboard.dispatcher.tally.pop_late) == (1, 0)


async def test_the_phone_waits_for_the_pop(board: Open) -> None:
    switchboard = board()
    switchboard.desktops.holds_pops = True
    session = switchboard.queue("c")
    await settle()
    assert not session.rung.is_set()
    switchboard.desktops.show()
    await rung(switchboard)
    assert switchboard.dispatcher.tally.pops_shown == 1


async def test_a_pop_that_is_not_shown_in_time_is_late_and_the_phone_rings_all_the_same(board: Open) -> None:
    switchboard = board(pop_wait_s=0.01)
    switchboard.desktops.holds_pops = True
    switchboard.queue("c")
    await rung(switchboard)
    assert (switchboard.dispatcher.tally.pops_shown, switchboard.dispatcher.tally.pop_late) == (0, 1)


@pytest.mark.parametrize("fault", ["nobody there", "broken at once"])
async def test_without_a_screen_the_phone_rings_at_once_and_the_pop_counts_late(board: Open, fault: str) -> None:
    switchboard = board()
    switchboard.desktops.is_there = False
    switchboard.desktops.fails = fault == "broken at once"
    switchboard.queue("c")
    await rung(switchboard)
    assert switchboard.dispatcher.tally.pop_late == 1


async def test_an_offer_withdrawn_before_its_pop_is_shown_does_not_ring(board: Open) -> None:
    switchboard = board()
    switchboard.desktops.holds_pops = True
    session = switchboard.queue("c")
    switchboard.dispatcher.submit(OfferRejected("c/1"))
    switchboard.desktops.show()
    await settle()
    assert session.told == [("cut", ""), ("pop", "c/1"), ("withdraw", "c/1")]
    assert not session.rung.is_set()
    assert switchboard.link.named("Hangup") == []


async def test_a_withdrawn_leg_that_rings_is_hung_up_and_its_phone_is_used_until_it_ends(board: Open) -> None:
    switchboard = board()
    switchboard.queue("c")
    await rung(switchboard)
    switchboard.dial("c", "m")
    switchboard.dispatcher.submit(OfferRejected("c/1"))
    assert await switchboard.link.asked("Hangup") == {"Channel": "PJSIP/2001-m", "Cause": "16"}
    assert switchboard.exchange.calls.is_used("maria")
    switchboard.hang_up("m")
    assert not switchboard.exchange.calls.is_used("maria")
    assert [closed.outcome for closed in switchboard.office.every(OfferClosed)] == [OfferOutcome.REJECTED]


async def test_an_offer_withdrawn_between_our_dial_and_its_ringing_is_hung_up_when_it_rings(board: Open) -> None:
    switchboard = board()
    switchboard.queue("c")
    await rung(switchboard)
    switchboard.dispatcher.submit(OfferRejected("c/1"))
    await settle()
    assert switchboard.link.named("Hangup") == []
    switchboard.dial("c", "m")
    assert (await switchboard.link.asked("Hangup"))["Channel"] == "PJSIP/2001-m"


async def test_an_offer_of_a_caller_without_a_session_is_taken_back(board: Open) -> None:
    switchboard = board()
    switchboard.office.call("c")
    await settle()
    assert [type(order) for order in switchboard.office.every(OfferInteraction)] == [OfferInteraction]
    closed = switchboard.office.last(OfferClosed)
    assert closed.outcome is OfferOutcome.WITHDRAWN
    view = switchboard.dispatcher.interaction("c")
    assert view is not None
    assert (view.stage, view.attached) == (Stage.QUEUED, False)
    assert switchboard.desktops.pops == []


async def test_a_ring_goes_to_the_session_that_the_call_has_now(board: Open) -> None:
    switchboard = board()
    switchboard.desktops.holds_pops = True
    old = switchboard.queue("c")
    new = switchboard.arrive("c")
    switchboard.desktops.show()
    async with asyncio.timeout(5):
        await new.rung.wait()
    assert not old.rung.is_set()


async def test_closing_ends_offers_that_wait_for_their_pop(board: Open) -> None:
    switchboard = board()
    switchboard.desktops.holds_pops = True
    session = switchboard.queue("c")
    await settle()
    await switchboard.exchange.offers.close()
    switchboard.desktops.show()
    await settle()
    assert not session.rung.is_set()


async def test_a_leg_is_hung_up_when_the_caller_goes(board: Open) -> None:
    """Asterisk does so by itself; that we ask too does no harm."""
    switchboard = board()
    switchboard.queue("c")
    await rung(switchboard)
    switchboard.dial("c", "m")
    switchboard.dispatcher.submit(CallerLeft("c"))
    await switchboard.link.asked("Hangup")
    assert switchboard.office.last(WithdrawOffer).outcome is OfferOutcome.WITHDRAWN
