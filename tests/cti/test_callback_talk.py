"""A caller asks to be called back, from the key to the promise, against a scripted Asterisk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from acd.commands import InteractionClosed
from acd.events import ClockReached
from acd.model import CallbackRules, Configuration, Outcome
from ivr.callback_dialogue import OURS
from tests.acd.desk import SITE
from tests.cti.conversations import C
from tests.fakes.call import FakeCall
from tests.fakes.clock import settle
from tests.fakes.reception import Reception

pytestmark = pytest.mark.usefixtures("short_lags")

CALLING_BACK = replace(SITE, queues=(replace(SITE.queues[0], callback=CallbackRules()), *SITE.queues[1:]))
QUEUES = """
billing:
  title: Billing
  announcement: Please wait
  callback: { greeting: This is us., key: 1 }
tech: { title: Tech }
"""
TRUNKS = "carrier: { host: 192.0.2.7 }\n"
LINE = """
  door:
    - queue: billing
      promised: bye
  bye:
    - say: Goodbye
"""
OFFER, ASK, READ_BACK, PROMISED, REFUSED = (
    OURS[which]["en"] for which in ("offer", "ask", "read_back", "promised", "refused")
)


@asynccontextmanager
async def caller(
    folder: Path, nodes: str = LINE, *, number: str = "+4930123456", configuration: Configuration = CALLING_BACK
) -> AsyncIterator[tuple[Reception, FakeCall]]:
    async with (
        Reception(folder, nodes, configuration=configuration, queues=QUEUES, trunks=TRUNKS) as reception,
        reception.call(caller=number) as call,
    ):
        yield reception, call


def is_promised(reception: Reception, number: str = "+4930123456") -> bool:
    view = reception.view()
    return view is not None and view.is_promised and view.callback_number == number


async def test_a_key_leads_to_a_promise_and_the_caller_may_go(tmp_path: Path) -> None:
    async with caller(tmp_path) as (reception, call):
        await call.playing("Please wait")
        call.end_prompt()
        await call.playing(OFFER.format(key=1))
        call.press("1")
        await call.playing(PROMISED)
        assert is_promised(reception)
        call.end_prompt()
        await call.playing("Goodbye")
        call.end_prompt()
        await call.over()
        call.hang_up()
        assert is_promised(reception), "neither the flow's end nor the hang-up ends it"
        assert reception.board.office.every(InteractionClosed) == []
        assert reception.story == [(C, "is promised to be called back for billing")]


async def test_the_key_cuts_any_announcement_and_other_keys_do_not(tmp_path: Path) -> None:
    async with caller(tmp_path) as (_, call):
        await call.playing("Please wait")
        call.press("2")
        await settle()
        assert call.is_playing
        call.press("1")
        await call.playing(PROMISED)
        assert "cut" in call.log


async def test_the_key_works_while_music_plays(tmp_path: Path) -> None:
    async with caller(tmp_path) as (_, call):
        await call.logged("music default")
        call.press("1")
        await call.playing(PROMISED)


async def test_the_call_ends_with_the_promise_where_the_flow_says_nothing(tmp_path: Path) -> None:
    nodes = LINE.replace("      promised: bye\n", "      closed: bye\n")
    async with caller(tmp_path, nodes) as (_, call):
        await call.logged("music default")
        call.press("1")
        await call.playing(PROMISED)
        call.end_prompt()
        await call.over()
        assert call.log[-1] == "done, cause 16"


async def test_whose_number_is_withheld_types_one(tmp_path: Path) -> None:
    async with caller(tmp_path, number="") as (reception, call):
        await call.logged("music default")
        call.press("1")
        await call.playing(ASK)
        call.press("030654321#")
        await call.playing(READ_BACK.replace("{number:digits}", "0 3 0 6 5 4 3 2 1"))
        call.press("1")
        await call.playing(PROMISED)
        assert is_promised(reception, "+4930654321")


async def test_a_number_that_may_not_be_called_is_refused(tmp_path: Path) -> None:
    async with caller(tmp_path, number="") as (reception, call):
        await call.logged("music default")
        call.press("1")
        await call.playing(ASK)
        call.press("110#")
        await call.playing(READ_BACK.replace("{number:digits}", "1 1 0"))
        call.press("1")
        await call.playing(REFUSED)
        assert not is_promised(reception)
        call.end_prompt()
        await call.playing(ASK, 2)


async def test_an_agent_is_better_than_a_promise(tmp_path: Path) -> None:
    async with caller(tmp_path, number="") as (reception, call):
        await call.logged("music default")
        call.press("1")
        await call.playing(ASK)
        call.end_prompt()
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        assert not is_promised(reception)


async def test_who_says_nothing_goes_on_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.callback_dialogue.FIRST_S", 0.01)
    async with caller(tmp_path, number="") as (reception, call):
        await call.logged("music default")
        call.press("1")
        for count in (1, 2, 3):
            await call.playing(ASK, count)
            call.end_prompt()
        await call.playing("Please wait")
        view = reception.view()
        assert view is not None
        assert view.position == 1
        missed = [(what, how) for what, _, how in reception.footfall.told if what == "missed"]
        assert missed == [("missed", "timed out")] * 3, "told while they still wait"
        call.press("1")
        await call.playing(ASK, 4)


async def test_where_the_engine_calls_nobody_back_they_go_on_waiting(tmp_path: Path) -> None:
    async with caller(tmp_path, configuration=SITE) as (reception, call):
        await call.logged("music default")
        call.press("1")
        await call.playing("Please wait")
        assert not is_promised(reception)


async def test_a_promise_holds_for_who_comes_back_after_a_gap(tmp_path: Path) -> None:
    async with caller(tmp_path) as (_, call):
        await call.logged("music default")
        call.press("1")
        await call.playing(PROMISED)
        call.end_agi()
        await call.over()
        await call.leave_agi()
        await call.enter()
        await call.playing("Goodbye")


async def test_a_step_of_the_flow_promises_from_anywhere(tmp_path: Path) -> None:
    nodes = """
  door:
    - answer
    - callback: billing
      promised: bye
  bye:
    - say: Goodbye
"""
    async with caller(tmp_path, nodes) as (reception, call):
        await call.playing(PROMISED)
        assert is_promised(reception)
        call.end_prompt()
        await call.playing("Goodbye")


@pytest.mark.parametrize("network_says", ["030123456", "4930123456", "+4930123456"])
async def test_who_was_promised_a_call_and_calls_again_keeps_their_place(tmp_path: Path, network_says: str) -> None:
    async with caller(tmp_path) as (reception, call):
        await call.logged("music default")
        call.press("1")
        await call.playing(PROMISED)
        call.hang_up()
        promised = reception.view()
        assert promised is not None
        async with reception.call(uniqueid="lab1-1.2", caller=network_says) as again:
            await again.logged("music default")
            (closed,) = reception.board.office.every(InteractionClosed)
            assert (closed.interaction_id, closed.outcome, closed.detail) == (C, Outcome.CALLED_IN, "lab1-1.2")
            view = reception.view("lab1-1.2")
            assert view is not None
            assert (view.caller, view.first_asked_at) == (network_says, promised.first_asked_at)


async def test_the_key_means_nothing_once_the_wait_is_over(tmp_path: Path) -> None:
    nodes = """
  door:
    - queue: billing
      timed_out: choose
      max_wait: 3s
  choose:
    - menu: Press one
      keys: { 1: bye }
  bye:
    - say: Goodbye
"""
    async with caller(tmp_path, nodes) as (reception, call):
        await call.logged("music default")
        reception.board.office.clock.advance(seconds=3)
        reception.dispatcher.submit(ClockReached())
        call.press("1")
        await call.playing("Press one")
        call.press("1")
        await call.playing("Goodbye")
        assert not is_promised(reception)
