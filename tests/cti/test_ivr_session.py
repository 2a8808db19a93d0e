"""A call's conversation, from the AGI socket to the engine: its flow, coming back, hanging up at any point."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from acd.commands import InteractionClosed
from acd.events import ClockReached, InteractionQueued, PhoneChanged
from acd.model import Phone, Stage
from screenpop.model import PastInteraction
from tests.cti.conversations import MENU, QUEUE, C, one_call, serve, submitted
from tests.fakes.call import FakeCall
from tests.fakes.clock import settle
from tests.fakes.reception import EPOCH, Reception

pytestmark = pytest.mark.usefixtures("short_lags")


async def test_a_customer_who_is_found_is_known_to_the_flow(tmp_path: Path) -> None:
    nodes = """
  door:
    - lookup: { account: "42" }
      found: yes-we-know
  yes-we-know:
    - say: Hello {customer.name}
"""
    async with Reception(tmp_path, nodes) as reception:
        reception.directory.customers["account", "42"] = [{"name": "Zoe"}]
        async with reception.call() as call:
            await call.playing("Hello Zoe")
            assert reception.directory.asked == [(C, "number", "+4930123456"), (C, "account", "42")]


async def test_where_the_flow_stands_is_written_on_the_channel_before_the_caller_is_waited_for(tmp_path: Path) -> None:
    async with one_call(tmp_path, MENU) as (_, call):
        await call.playing("Press one or two")
        flow, node, variables = orjson.loads(call.variables["CALLYARD_STATE"])
        assert (flow, node.partition(":")[0]) == ("main", "door")
        assert variables["caller"] == "+4930123456"
        assert variables["interaction_id"] == C


# --- coming back -------------------------------------------------------------------------------------------------


async def test_a_caller_who_comes_back_keeps_their_place_and_is_not_queued_twice(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        call.end_agi()
        await call.over()
        view = reception.view()
        assert view is not None
        assert (view.stage, view.attached) == (Stage.QUEUED, False)
        await call.leave_agi()
        await call.enter()
        await call.logged("music default", 2)
        view = reception.view()
        assert view is not None
        assert (view.stage, view.attached, view.position) == (Stage.QUEUED, True, 1)
        assert len(submitted(reception, InteractionQueued)) == 1


async def test_a_caller_who_comes_back_has_not_to_wait_all_over_again(tmp_path: Path) -> None:
    nodes = QUEUE.replace("    - queue: billing\n", "    - queue: billing\n      max_wait: 30s\n")
    async with one_call(tmp_path, nodes) as (reception, call):
        await call.logged("music default")
        call.end_agi()
        await call.over()
        await call.leave_agi()
        reception.board.office.clock.advance(seconds=4)
        reception.dispatcher.submit(PhoneChanged("maria", Phone.FREE))
        for _ in range(7):
            reception.board.office.clock.advance(seconds=4)
            reception.dispatcher.submit(ClockReached())
        await call.enter()
        await call.playing("Nobody came")


async def test_a_caller_who_was_in_a_menu_is_asked_again_and_can_still_be_queued(tmp_path: Path) -> None:
    nodes = "\n  door:\n    - menu: Press one\n      keys: { 1: line }\n      wait: 60s\n" + QUEUE.replace(
        "door", "line"
    )
    async with one_call(tmp_path, nodes) as (reception, call):
        await call.playing("Press one")
        call.end_agi()
        await call.over()
        await call.leave_agi()
        await call.enter()
        await call.playing("Press one", 2)
        call.press("1")
        await call.logged("music default")
        view = reception.view()
        assert view is not None
        assert view.stage is Stage.QUEUED


async def test_a_caller_whose_talk_ended_while_we_were_away_goes_on_in_the_flow(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        reception.board.dial(C, "m")
        reception.board.bridge("b", "m", C)
        call.end_agi()
        await call.over()
        await call.leave_agi()
        reception.board.unbridge("b", "m", C)
        reception.board.hang_up("m")
        await call.enter()
        await call.playing("Thank you")
        assert len(submitted(reception, InteractionQueued)) == 1


async def test_a_caller_who_comes_back_while_a_phone_rings_hears_music_until_it_is_decided(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        reception.board.dial(C, "m")
        call.end_agi()
        await call.over()
        await call.leave_agi()
        await call.enter()
        await call.logged("music default", 2)
        view = reception.view()
        assert view is not None
        assert view.stage in (Stage.QUEUED, Stage.OFFERED)


# --- hanging up --------------------------------------------------------------------------------------------------

EVERYTHING = """
  door:
    - answer
    - say: Welcome
    - lookup: { number: $caller }
    - menu: Press one
      keys: { 1: line }
  line:
    - queue: billing
      announcement: Please wait
      announce_every: 60s
      then: thanks
  thanks:
    - say: Thank you
    - hangup
"""

AWAIT_POINTS = (
    "renewed",
    "answered",
    "play Welcome",
    "state saved",
    "play Press-one",
    "music default",
    "music stopped",
    "play Please-wait",
    "dial /1",
    "play Thank-you",
    "done, cause 16",
)


@pytest.mark.parametrize("point", AWAIT_POINTS)
async def test_a_caller_may_hang_up_at_any_point(
    tmp_path: Path, point: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with one_call(tmp_path, EVERYTHING, ends_at=point) as (reception, call):
        following = asyncio.create_task(_follow_everything(reception, call))
        await call.logged(point)
        await call.over()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await settle()
        assert reception.arrivals.counts["session_failed"] == 0
        assert "Traceback" not in capsys.readouterr().out
        assert reception.view() is None, "AMI told of the hang-up: the interaction is closed"
        assert len(reception.board.office.every(InteractionClosed)) == 1
        assert reception.board.exchange.session(C) is None


async def _follow_everything(reception: Reception, call: FakeCall) -> None:
    """Do what brings a call from one end of the flow to the other."""
    await call.playing("Welcome")
    call.end_prompt()
    await call.playing("Press one")
    call.press("1")
    await call.playing("Please wait")
    reception.board.office.sign_in("maria")
    await serve(reception, call)
    call.end_dial(f"{C}/1|ANSWER|16|3")
    await call.playing("Thank you")
    call.end_prompt()


@pytest.mark.parametrize("point", AWAIT_POINTS[:-1])
async def test_a_session_may_end_at_any_point_while_the_caller_lives(tmp_path: Path, point: str) -> None:
    async with one_call(tmp_path, EVERYTHING) as (reception, call):
        following = asyncio.create_task(_follow_everything(reception, call))
        await call.logged(point)
        call.end_agi()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await call.over()
        assert reception.arrivals.counts["session_failed"] == 0
        view = reception.view()
        assert view is not None, "the caller lives"
        assert not view.attached
        assert reception.board.exchange.session(C) is None


async def test_what_was_before_is_known_from_the_first_step_also_after_a_restart(tmp_path: Path) -> None:
    nodes = """
  door:
    - if: history.last_outcome == "abandoned_in_queue" && history.calls_today == 1
      then: [say: "Welcome back {history.last_queue}"]
    - menu: Press one or two
      keys: { 1: door }
"""
    async with Reception(tmp_path, nodes) as reception:
        at = int(EPOCH.timestamp() * 1e6) - 60_000_000
        reception.directory.past = [
            PastInteraction(interaction_id="old", at=at, queue="sales", outcome="abandoned_in_queue")
        ]
        async with reception.call() as call:
            await call.playing("Welcome back sales")
            call.end_prompt()
            await call.playing("Press one or two")
            _, _, variables = orjson.loads(call.variables["CALLYARD_STATE"])
            assert variables["history.last_queue"] == "sales"
