"""What callers do at the steps of flows, as it is counted: ways out, time, hang-ups, coming back."""

from __future__ import annotations

from pathlib import Path

import pytest

from cti.footsteps import Footsteps
from ivr.trail import Entered, Happening, Left
from tests.cti.conversations import MENU, QUEUE, C, one_call, serve
from tests.fakes.clock import settle
from tests.fakes.footfall import FakeFootfall
from tests.fakes.reception import Reception

pytestmark = pytest.mark.usefixtures("short_lags")

PATIENT = MENU.replace("wait: 20ms", "wait: 60s")


async def test_ways_out_and_time_at_each_step(tmp_path: Path) -> None:
    async with one_call(tmp_path, PATIENT) as (reception, call):
        await call.playing("Press one or two")
        assert reception.footfall.standing == {"door:1": 1}
        assert reception.footfall.spots == {(reception.site.version, "main")}
        reception.board.office.clock.advance(seconds=3)
        call.press("2")
        await call.playing("You chose two")
        reception.board.office.clock.advance(seconds=2)
        call.end_prompt()
        await call.over()
        assert reception.footfall.told == [
            ("entered", "door:0", ""),
            ("left", "door:0", "next"),
            ("entered", "door:1", ""),
            ("left", "door:1", "keys.2"),
            ("entered", "two:0", ""),
            ("left", "two:0", "next"),
            ("entered", "two:1", ""),
            ("left", "two:1", "end"),
        ]
        assert reception.footfall.stayed == [("door:0", 0), ("door:1", 3_000_000), ("two:0", 2_000_000), ("two:1", 0)]
        assert reception.footfall.standing == {}


async def test_keys_that_are_missed(tmp_path: Path) -> None:
    async with one_call(tmp_path, MENU, prompts_end=True) as (reception, call):
        await call.over()
        missed = [told for told in reception.footfall.told if told[0] == "missed"]
        assert missed == [("missed", "door:1", "timed out")] * 2
        assert ("left", "door:1", "otherwise") in reception.footfall.told


async def test_a_hang_up_counts_where_the_caller_was(tmp_path: Path) -> None:
    async with one_call(tmp_path, PATIENT) as (reception, call):
        await call.playing("Press one or two")
        reception.board.office.clock.advance(seconds=5)
        call.hang_up()
        await call.over()
        await settle()
        assert reception.footfall.told[-1] == ("hung up", "door:1", "")
        assert reception.footfall.stayed[-1] == ("door:1", 5_000_000)
        assert reception.footfall.standing == {}


async def test_whoever_hangs_up_after_a_talk_has_come_to_what_the_step_is_for(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        reception.board.dial(C, "m")
        reception.board.bridge("b", "m", C)
        call.hang_up()
        await call.over()
        await settle()
        assert reception.footfall.told == [("entered", "door:0", ""), ("left", "door:0", "completed")]


async def test_a_flow_that_goes_on_without_its_caller_counts_nobody(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        reception.board.dial(C, "m")
        reception.board.bridge("b", "m", C)
        reception.board.unbridge("b", "m", C)
        call.end_agi()
        reception.board.hang_up("m")
        reception.board.hang_up(C)
        await call.over()
        await settle()
        assert reception.footfall.told == [("entered", "door:0", ""), ("left", "door:0", "completed")]
        assert reception.footfall.standing == {}


def test_what_a_flow_does_once_its_caller_is_gone_is_told_of_nobody() -> None:
    footfall = FakeFootfall()
    footsteps = Footsteps(footfall, "v", lambda: 0)
    footsteps.follow([Entered("main", "door:0")])
    happened: list[Happening] = [Left("main", "door:0", "then"), Entered("main", "thanks:0")]
    footsteps.follow(happened, gone=True)
    assert happened == []
    footsteps.end(None, None, is_promised=False)
    assert footfall.told == [("entered", "door:0", ""), ("hung up", "door:0", "")]
    footsteps.end(None, None, is_promised=False)
    assert len(footfall.told) == 2, "once only"


def test_who_was_promised_a_call_back_has_not_hung_up_in_vain() -> None:
    footfall = FakeFootfall()
    footsteps = Footsteps(footfall, "v", lambda: 0)
    footsteps.follow([Entered("main", "door:0")])
    footsteps.end(None, None, is_promised=True)
    assert footfall.told[-1] == ("left", "door:0", "completed")


async def test_the_step_is_left_by_its_own_way_when_the_agent_hangs_up(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await serve(reception, call)
        call.end_dial()
        await call.playing("Thank you")
        assert ("left", "door:0", "then") in reception.footfall.told


async def test_a_call_that_comes_back_does_not_enter_its_step_again(tmp_path: Path) -> None:
    async with one_call(tmp_path, PATIENT) as (reception, call):
        await call.playing("Press one or two")
        call.end_agi()
        await call.over()
        await call.leave_agi()
        await settle()
        assert [told for told in reception.footfall.told if told[0] == "hung up"] == []
        await call.enter()
        await call.playing("Press one or two", 2)
        assert reception.footfall.standing == {"door:1": 1}
        call.press("1")
        await call.playing("You chose one")
        assert [told for told in reception.footfall.told if told[1] == "door:1"] == [
            ("entered", "door:1", ""),
            ("left", "door:1", "keys.1"),
        ]


async def test_a_session_that_fails_leaves_nobody_standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Reception(tmp_path, PATIENT) as reception:

        async def fail(*_: object, **__: object) -> None:
            raise RuntimeError("broken on purpose")

        monkeypatch.setattr("cti.handset.Handset.read_digits", fail)
        async with reception.call() as call:
            await call.over()
            await settle()
            assert reception.footfall.standing == {}
            assert [told[0] for told in reception.footfall.told] == ["entered", "left", "entered"]
