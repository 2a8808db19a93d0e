"""What a caller hears and presses, from the AGI socket, against a scripted Asterisk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from acd.model import Outcome
from tests.cti.conversations import MENU, QUEUE, C, one_call, outcome
from tests.fakes.clock import settle
from tests.fakes.reception import Reception

pytestmark = pytest.mark.usefixtures("short_lags")


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


# --- music before the answer -------------------------------------------------------------------------------


EARLY = """
  door:
    - early: One moment
      music: jazz
      for: 30ms
    - say: Here
"""


async def test_early_music_plays_for_its_time_and_the_call_is_not_answered(tmp_path: Path) -> None:
    async with one_call(tmp_path, EARLY) as (_, call):
        await call.playing("One moment")
        call.end_prompt()
        await call.playing("Here")
        assert call.heard() == ["play One-moment", "music jazz", "music stopped", "play Here"]
        assert call.log.index("early media") < call.log.index("music jazz")
        assert "answered" not in call.log


async def test_who_hangs_up_during_early_music_is_gone_at_once(tmp_path: Path) -> None:
    async with one_call(tmp_path, EARLY.replace("30ms", "1h")) as (reception, call):
        await call.playing("One moment")
        call.end_prompt()
        await call.logged("music jazz")
        call.hang_up()
        await call.over()
        assert outcome(reception)[0] is Outcome.ABANDONED_IN_FLOW


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_recording_is_heard_and_once_it_has_gone_the_rendered_text(tmp_path: Path, is_there: bool) -> None:
    recording = tmp_path / "site" / "sounds" / "prompts" / "en" / "hello.wav"
    recording.parent.mkdir(parents=True)
    recording.write_bytes(b"RIFF")
    nodes = "  door:\n    - menu: First\n      keys: { 1: continue }\n    - say: { prompt: hello }\n"
    async with one_call(tmp_path, nodes, prompts="hello: Good morning\n") as (reception, call):
        await call.playing("First")
        if not is_there:
            reception.sounds.missing.add("prompts/en/hello")
        call.press("1")
        await call.playing("hello" if is_there else "Good-morning")
