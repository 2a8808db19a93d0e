"""A call's conversation, from the AGI socket to the engine, against a scripted Asterisk.

One list of what a caller may do, kept together to be checked off: hence more than 400 lines.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from acd.commands import InteractionClosed, OfferClosed, TalkClosed, VisitClosed, VisitOpened
from acd.events import InteractionQueued, OfferRejected, PhoneChanged, TalkEnded
from acd.model import OfferOutcome, Outcome, Phone, Stage, VisitOutcome
from cti import arrivals as arrivals_module
from cti import ivr_session as session_module
from cti.journal import read_segment, segment_paths
from tests.fakes.call import FakeCall
from tests.fakes.clock import settle
from tests.fakes.reception import Reception

C = "lab1-1.1"

MENU = """
  door:
    - answer
    - menu: Press one or two
      keys: { 1: one, 2: two }
      wait: 20ms
      retries: 1
      invalid: That is no choice
      otherwise: none
  one:
    - say: You chose one
    - hangup
  two:
    - say: You chose two
    - hangup
  none:
    - say: You chose nothing
    - hangup
"""

QUEUE = """
  door:
    - queue: billing
      timed_out: gone
      closed: gone
      then: thanks
  gone:
    - say: Nobody came
    - hangup
  thanks:
    - say: Thank you
    - hangup
"""


@pytest.fixture(autouse=True)
def short_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long AMI may lag is a constant of seconds; here it does not lag."""
    monkeypatch.setattr(session_module, "LEG_LAG_S", 0.05)
    monkeypatch.setattr(session_module, "FIRST_ANNOUNCEMENT_S", 0.02)
    monkeypatch.setattr(arrivals_module, "HANGUP_LAG_S", 0.2)


@asynccontextmanager
async def one_call(tmp_path: Path, nodes: str, **options: object) -> AsyncIterator[tuple[Reception, FakeCall]]:
    """A reception with this flow, and one caller in it."""
    mine = {name: options.pop(name) for name in ("prompts_end", "variables", "ends_at") if name in options}
    async with (
        Reception(tmp_path, nodes, **options) as reception,  # type: ignore[arg-type]
        reception.call(**mine) as call,  # type: ignore[arg-type]
    ):
        yield reception, call


def outcome(reception: Reception) -> tuple[Outcome, str]:
    closed = reception.board.office.last(InteractionClosed)
    return closed.outcome, closed.detail


# --- menus and digits -----------------------------------------------------------------------------------------


async def test_a_key_pressed_during_the_prompt_cuts_it_and_chooses(tmp_path: Path) -> None:
    async with one_call(tmp_path, MENU) as (reception, call):
        await call.playing("Press one or two")
        call.press("2")
        await call.playing("You chose two")
        call.end_prompt()
        await call.over()
        assert call.heard() == [
            "answered", "play Press-one-or-two", "cut", "play You-chose-two", "done, cause 16",
        ]  # fmt: skip
        assert outcome(reception) == (Outcome.SELF_SERVED, "normal")
        assert reception.story == [(C, "chose 2 two at menu door")]


async def test_a_key_pressed_before_the_prompt_is_not_lost_and_the_prompt_is_not_played(tmp_path: Path) -> None:
    nodes = MENU.replace("    - answer\n", "    - answer\n    - say: Welcome\n", 1)
    async with one_call(tmp_path, nodes) as (_, call):
        await call.playing("Welcome")
        call.press("1")
        assert call.is_playing, "what may not be barged into is heard to its end"
        call.end_prompt()
        await call.playing("You chose one")
        assert "play Press-one-or-two" not in call.log


async def test_keys_typed_ahead_serve_one_menu_after_the_other(tmp_path: Path) -> None:
    nodes = """
  door:
    - menu: First
      keys: { 1: second }
  second:
    - menu: Second
      keys: { 2: end }
  end:
    - say: Here
"""
    async with one_call(tmp_path, nodes) as (_, call):
        await call.playing("First")
        call.press("12")
        await call.playing("Here")
        assert "play Second" not in call.log


async def test_a_wrong_key_is_told_and_asked_again_and_then_the_way_out_is_taken(tmp_path: Path) -> None:
    async with one_call(tmp_path, MENU) as (_, call):
        await call.playing("Press one or two")
        call.press("9")
        await call.playing("That is no choice")
        call.end_prompt()
        await call.playing("Press one or two", 2)
        call.press("8")
        await call.playing("You chose nothing")


async def test_no_key_in_time(tmp_path: Path) -> None:
    async with one_call(tmp_path, MENU, prompts_end=True) as (_, call):
        await call.playing("You chose nothing")
        assert call.log.count("play Press-one-or-two") == 2


COLLECT = """
  door:
    - collect: Your number
      into: account
      digits: 2-4
      end: hash
      wait: 20ms
      between: 20ms
      barge_in: BARGE
      retries: 0
      otherwise: none
    - say: Thanks {account:digits}
    - hangup
  none:
    - say: Nothing
"""


@pytest.mark.parametrize(
    ("pressed", "said"),
    [("12#", "Thanks 1 2"), ("123#9", "Thanks 1 2 3"), ("1234#", "Thanks 1 2 3 4"), ("1#", "Nothing"), ("#", "Nothing"),
     ("12", "Thanks 1 2"), ("1", "Nothing"), ("", "Nothing")],
)  # fmt: skip
async def test_digits_are_read_to_the_terminator_the_limit_or_the_pause(
    tmp_path: Path, pressed: str, said: str
) -> None:
    async with one_call(tmp_path, COLLECT.replace("BARGE", "true")) as (_, call):
        await call.playing("Your number")
        call.press(pressed)
        if not pressed:
            call.end_prompt()
        await call.playing(said)


async def test_a_prompt_that_is_not_to_be_cut_plays_on_while_digits_are_kept(tmp_path: Path) -> None:
    async with one_call(tmp_path, COLLECT.replace("BARGE", "false")) as (_, call):
        await call.playing("Your number")
        call.press("77#")
        await settle()
        assert call.is_playing
        call.end_prompt()
        await call.playing("Thanks 7 7")
        assert "cut" not in call.log


async def test_digits_come_from_ami_only(tmp_path: Path) -> None:
    """STREAM FILE may say which digit it heard: it is heard a second time then."""
    async with one_call(tmp_path, COLLECT.replace("BARGE", "true")) as (_, call):
        await call.playing("Your number")
        call._prompt_over.set_result("200 result=55 endpos=100")  # type: ignore[union-attr]
        call.press("42#")
        await call.playing("Thanks 4 2")


async def test_more_digits_than_anybody_dials_are_forgotten(tmp_path: Path) -> None:
    async with one_call(tmp_path, MENU) as (_, call):
        await call.playing("Press one or two")
        call.press("1" * 500)
        await call.playing("You chose one")


async def test_a_prompt_that_cannot_be_rendered_is_left_out(tmp_path: Path) -> None:
    async with Reception(tmp_path, MENU) as reception:
        reception.sounds.missing.add("Press one or two")
        async with reception.call() as call:
            await call.playing("You chose nothing")
            call.end_prompt()
            await call.over()
            assert outcome(reception)[0] is Outcome.SELF_SERVED


async def test_before_the_call_is_answered_prompts_are_early_media(tmp_path: Path) -> None:
    async with one_call(tmp_path, "\n  door:\n    - say: Hello\n    - refuse: busy\n") as (reception, call):
        await call.playing("Hello")
        assert "early media" in call.log
        call.end_prompt()
        await call.over()
        assert call.heard() == ["play Hello", "done, cause 17"]
        assert outcome(reception) == (Outcome.REFUSED, "main door:1")


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


# --- the queue ------------------------------------------------------------------------------------------------


def submitted(reception: Reception, *kinds: type[object]) -> list[object]:
    folder = reception.board.office.journal._folder
    entries = [entry.event for path in segment_paths(folder) for entry in read_segment(path).entries]
    return [event for event in entries if isinstance(event, kinds)]


async def serve(reception: Reception, call: FakeCall, talk: bool = True) -> None:
    """Maria is rung, answers, talks and hangs up; the Dial returns."""
    board = reception.board
    await call.logged("dial /1")
    board.dial(call.id, "m")
    if talk:
        board.bridge("b", "m", call.id)
        assert reception.view() is None or reception.view().stage is Stage.TALKING  # type: ignore[union-attr]
        board.unbridge("b", "m", call.id)
    board.hang_up("m")


async def test_a_caller_waits_with_music_is_rung_through_and_goes_on_in_the_flow(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await serve(reception, call)
        call.end_dial(f"{C}/1|ANSWER|16|3")
        await call.playing("Thank you")
        call.end_prompt()
        await call.over()
        assert call.heard() == ["answered", "music default", "dial /1", "play Thank-you", "done, cause 16"]
        assert outcome(reception) == (Outcome.SERVED, "normal")
        assert [visit.outcome for visit in reception.board.office.every(VisitClosed)] == [VisitOutcome.ANSWERED]


async def test_the_pop_is_shown_before_the_phone_rings(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.desktops.holds_pops = True
        reception.board.office.sign_in("maria")
        await reception.board.desktops.popped()
        await settle()
        assert "dial /1" not in call.log
        reception.board.desktops.show()
        await call.logged("dial /1")


async def test_an_offer_withdrawn_before_the_ring_is_not_dialled(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.desktops.holds_pops = True
        reception.board.office.sign_in("maria")
        await reception.board.desktops.popped()
        reception.dispatcher.submit(OfferRejected(f"{C}/1"))
        reception.board.desktops.show()
        reception.board.office.sign_in("jon")
        await call.logged("dial /2")
        assert "dial /1" not in call.log


async def test_after_a_phone_that_is_busy_the_caller_hears_music_and_keeps_their_place(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        reception.board.dial(C, "m")
        reception.board.hang_up("m", 17)
        call.end_dial(f"{C}/1|BUSY|17|")
        await call.logged("music default", 2)
        assert [closed.outcome for closed in reception.board.office.every(OfferClosed)] == [OfferOutcome.REJECTED]
        view = reception.view()
        assert view is not None
        assert view.stage is Stage.QUEUED
        assert len(reception.board.office.every(VisitOpened)) == 1


async def test_a_dial_that_ends_without_any_leg_fails_the_offer(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        call.end_dial(f"{C}/1|CHANUNAVAIL|0|")
        await call.logged("music default", 2)
        [closed] = reception.board.office.every(OfferClosed)
        assert (closed.outcome, closed.detail) == (OfferOutcome.FAILED, "CHANUNAVAIL|0|")


async def test_a_talk_of_which_ami_told_nothing_is_a_talk_all_the_same(tmp_path: Path) -> None:
    """The link was down from the ring to the end: only the Dial's own result knows."""
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        call.end_dial(f"{C}/1|ANSWER|16|3")
        await call.playing("Thank you")
        assert submitted(reception, TalkEnded) == [TalkEnded(C, "maria", gap=True)]
        assert [closed.outcome for closed in reception.board.office.every(OfferClosed)] == [OfferOutcome.ACCEPTED]


async def test_the_flow_goes_on_only_when_ami_has_told_of_the_end_of_the_talk(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        reception.board.dial(C, "m")
        reception.board.bridge("b", "m", C)
        call.end_dial(f"{C}/1|ANSWER|16|3")
        await settle()
        assert "play Thank-you" not in call.log
        reception.board.unbridge("b", "m", C)
        await call.playing("Thank you")
        assert len(reception.board.office.every(TalkClosed)) == 1


ANNOUNCED = QUEUE.replace(
    "    - queue: billing\n", "    - queue: billing\n      announcement: Please wait\n      announce_every: 60s\n"
)


async def test_an_announcement_is_cut_when_the_phone_is_to_ring(tmp_path: Path) -> None:
    async with one_call(tmp_path, ANNOUNCED) as (reception, call):
        await call.playing("Please wait")
        assert "music stopped" in call.log
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        assert call.heard()[-2:] == ["cut", "dial /1"]


async def test_a_cut_that_came_too_soon_is_made_again_when_the_phone_is_to_ring(tmp_path: Path) -> None:
    """The announcement had been asked for, but did not play yet when the pop went out."""
    async with one_call(tmp_path, ANNOUNCED) as (reception, call):
        await call.playing("Please wait")
        reception.board.desktops.holds_pops = True
        listening, reception.board.link.on_action = reception.board.link.on_action, lambda action, headers: None
        reception.board.office.sign_in("maria")
        await reception.board.link.asked("ControlPlayback")
        assert call.is_playing
        reception.board.link.on_action = listening
        reception.board.desktops.show()
        await call.logged("dial /1")


async def test_an_announcement_comes_again_after_its_pause(tmp_path: Path) -> None:
    nodes = ANNOUNCED.replace("60s", "100ms")
    async with one_call(tmp_path, nodes, prompts_end=True) as (_, call):
        await call.playing("Please wait", 3)
        await call.logged("music default", 3)


async def test_who_has_waited_long_enough_leaves_the_queue(tmp_path: Path) -> None:
    nodes = QUEUE.replace("    - queue: billing\n", "    - queue: billing\n      max_wait: 60ms\n")
    async with one_call(tmp_path, nodes, prompts_end=True) as (reception, call):
        await call.logged("music default")
        call.press("5")
        await call.playing("Nobody came")
        await call.over()
        assert "music stopped" in call.log
        assert [visit.outcome for visit in reception.board.office.every(VisitClosed)] == [VisitOutcome.OVERFLOWED]
        assert outcome(reception)[0] is Outcome.SELF_SERVED


async def test_a_call_that_is_offered_is_not_taken_out_of_the_queue(tmp_path: Path) -> None:
    nodes = QUEUE.replace("    - queue: billing\n", "    - queue: billing\n      max_wait: 1ms\n")
    async with Reception(tmp_path, nodes) as reception:
        reception.board.desktops.holds_pops = True
        reception.board.office.sign_in("maria")
        async with reception.call() as call:
            await call.logged("music default")
            reception.board.office.clock.advance(seconds=1)
            call.press("1")
            await settle()
            reception.board.desktops.show()
            await call.logged("dial /1")
            assert "play Nobody-came" not in call.log


async def test_keys_pressed_to_the_agent_are_not_meant_for_the_next_menu(tmp_path: Path) -> None:
    nodes = QUEUE.replace(
        "  thanks:\n    - say: Thank you\n    - hangup\n",
        "  thanks:\n    - menu: How was it\n      keys: { 5: gone }\n      wait: 20ms\n      retries: 0\n",
    )
    async with one_call(tmp_path, nodes) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        reception.board.dial(C, "m")
        reception.board.bridge("b", "m", C)
        call.press("5")
        reception.board.unbridge("b", "m", C)
        call.end_dial(f"{C}/1|ANSWER|16|3")
        await call.playing("How was it")


async def test_a_second_queue_is_a_second_visit(tmp_path: Path) -> None:
    nodes = QUEUE.replace("    - say: Thank you\n    - hangup\n", "    - queue: tech\n")
    async with one_call(tmp_path, nodes) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await serve(reception, call)
        call.end_dial(f"{C}/1|ANSWER|16|3")
        await call.logged("music default", 2)
        assert [visit.queue for visit in reception.board.office.every(VisitOpened)] == ["billing", "tech"]


# --- the dead man's switch ---------------------------------------------------------------------------------------


async def test_the_switch_is_renewed_while_the_caller_waits_and_never_while_a_dial_runs(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE, renew_every_s=0.02) as (reception, call):
        await call.logged("renewed", 4)
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        reception.board.dial(C, "m")
        reception.board.bridge("b", "m", C)
        count = call.log.count("renewed")
        await asyncio.wait_for(asyncio.shield(_three_renewals()), 5)
        assert call.log.count("renewed") == count
        reception.board.unbridge("b", "m", C)
        reception.board.hang_up("m")
        call.end_dial(f"{C}/1|ANSWER|16|3")
        await call.playing("Thank you")
        assert not call.is_renewed_while_dialling
        await call.logged("renewed", count + 3)


async def _three_renewals() -> None:
    """As long as three renewals would take."""
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_later(0.06, passed.set_result, None)
    await passed


async def test_the_switch_is_renewed_over_ami_while_a_long_prompt_plays(tmp_path: Path) -> None:
    async with one_call(tmp_path, "\n  door:\n    - say: Long\n", renew_every_s=0.02) as (reception, call):
        await call.playing("Long")
        asked = await reception.board.link.asked("Setvar", 3)
        assert asked == {"Channel": call.channel, "Variable": "TIMEOUT(absolute)", "Value": "60"}
        assert call.is_playing


async def test_the_switch_is_renewed_while_digits_are_waited_for(tmp_path: Path) -> None:
    nodes = MENU.replace("wait: 20ms", "wait: 60s")
    async with one_call(tmp_path, nodes, renew_every_s=0.02, prompts_end=True) as (_, call):
        await call.logged("renewed", 4)
        call.press("1")
        await call.playing("You chose one")


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
            reception.dispatcher.submit(PhoneChanged("maria", Phone.FREE))
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
