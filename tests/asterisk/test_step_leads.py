"""Steps that lead, as callers meet them: heard before the answer, by a value, through a sub-flow and back."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.hearing import Hearing, rendered
from lab.sip_call import SipCall
from tests.asterisk.world import Ears, Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

EARLY, LANGUAGE_ZH, LANGUAGE_EN, BUSY_LATER, ERRAND, PROMPT, BREATH = (f"+4989999984{at:02d}" for at in range(7))
NUMBERS = f"""
"{EARLY}": {{ flow: early-notice }}
"{LANGUAGE_ZH}": {{ flow: by-language, language: zh }}
"{LANGUAGE_EN}": {{ flow: by-language }}
"{BUSY_LATER}": {{ flow: busy-later }}
"{ERRAND}": {{ flow: errand }}
"{BREATH}": {{ flow: breath }}
"{PROMPT}": {{ flow: prompted, labels: {{ owed: "12.50" }} }}
"""
FLOWS = {
    "breath": """
start: door
nodes:
  door:
    - answer
    - menu: Welcome. For sales press one, for accounts press two.
      keys: { 1: [hangup], 2: accounts }
  accounts:
    - menu: To pay press one, to complain press two.
      keys: { 1: pay, 2: [hangup] }
  pay:
    - collect: Your six digits, please.
      into: account
      digits: 6
      end: none
    - say: "You pay for {account:digits}."
""",
    "early-notice": """
start: door
nodes:
  door:
    - early: This call is free of charge so far.
      music: default
      for: 2s
    - answer
    - say: Now it is not.
""",
    "by-language": """
start: door
nodes:
  door:
    - answer
    - switch: $language
      cases:
        zh: [say: { en: Chinese it is., zh: 您好 }]
      otherwise: [say: English it is.]
""",
    "busy-later": "start: door\nnodes:\n  door:\n    - answer\n    - hangup: busy\n",
    "errand": """
start: door
nodes:
  door:
    - answer
    - subflow: ask-twice
      with: { wish: apples }
      returns:
        plenty: [say: You want plenty of apples.]
      then: sorry
    - hangup
  sorry:
    - say: You want nothing.
""",
    "prompted": """
start: door
nodes:
  door:
    - answer
    - say: { prompt: spoken-by-a-voice }
    - say: { prompt: amount }
""",
    "ask-twice": """
start: door
nodes:
  door:
    - collect: "How many {wish}?"
      into: first
      digits: 1
      end: none
      wait: 20s
      otherwise: [return]
    - collect: "How many more {wish}?"
      into: second
      digits: 1
      end: none
      wait: 20s
      otherwise: [return]
    - if: int(first) + int(second) > 9
      then: [return: plenty]
""",
}


PROMPTS = """
spoken-by-a-voice: These words are rendered and should be replaced.
amount: You owe {owed:money}.
"""


def _site(folder: Path) -> Path:
    site = copy_site(folder)
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        file.write(NUMBERS)
    with (site / "prompts.yaml").open("a", encoding="utf-8") as file:
        file.write(PROMPTS)
    for name, text in FLOWS.items():
        (site / "flows" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("leads")
    site = _site(folder)
    recording = site / "sounds" / "prompts" / "en" / "spoken-by-a-voice.wav"
    recording.parent.mkdir(parents=True)
    shutil.copy(await rendered("A human being reads this to you.", "en"), recording)
    async with open_stage(folder / "world", site, people_with_phones=()) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage) -> AsyncIterator[None]:
    yield
    await stage.clear()


async def _dial(stage: Stage, number: str) -> tuple[SipCall, Hearing]:
    call = await stage.dial(number, stage.new_number())
    hearing = Hearing(call)
    async with asyncio.timeout(10):
        await call.media_up.wait()
    return call, hearing


async def test_a_notice_and_music_are_heard_before_the_call_is_answered(stage: Stage) -> None:
    call, hearing = await _dial(stage, EARLY)
    await hearing.hears("This call is free of charge so far.")
    ears = Ears(call)
    await eventually("a second of music", lambda: ears.loud > 50)
    assert call.answer_ns is None
    await hearing.hears("Now it is not.")
    assert call.answer_ns is not None


async def test_a_value_leads_each_caller_their_way(stage: Stage) -> None:
    for number, text, language in ((LANGUAGE_ZH, "您好", "zh"), (LANGUAGE_EN, "English it is.", "en")):
        _, hearing = await _dial(stage, number)
        await hearing.hears(text, language)


async def test_the_network_is_told_why_an_answered_call_ends(stage: Stage) -> None:
    async with stage.ami() as ami:
        since = len(ami.blocks)
        call, _ = await _dial(stage, BUSY_LATER)
        async with asyncio.timeout(10):
            await call.ended.wait()
        ended = await ami.event("Hangup", since=since)
    assert (ended["Cause"], call.ended_by) == ("17", "remote")
    assert await stage.outcome(await stage.arrived(call.caller_number)) == "self_served"


async def test_a_caller_comes_back_from_a_subflow_also_after_the_server_was_killed_in_it(stage: Stage) -> None:
    call, hearing = await _dial(stage, ERRAND)
    await hearing.hears("How many apples?")
    await call.media.press("7")
    await hearing.hears("How many more apples?")
    await stage.restart()
    await hearing.hears("How many more apples?")
    await call.media.press("8")
    await hearing.hears("You want plenty of apples.")
    async with asyncio.timeout(10):
        await call.ended.wait()
    assert await stage.outcome(await stage.arrived(call.caller_number)) == "self_served"


async def test_a_subflow_that_runs_off_its_end_comes_back_too(stage: Stage) -> None:
    call, hearing = await _dial(stage, ERRAND)
    await hearing.hears("How many apples?")
    await call.media.press("11")
    await hearing.hears("You want nothing.")


async def test_a_recording_is_heard_in_place_of_the_text_and_values_are_said_right(stage: Stage) -> None:
    _, hearing = await _dial(stage, PROMPT)
    await hearing.hears("A human being reads this to you.")
    await hearing.hears("You owe twelve euros and fifty cents.")


async def test_who_dials_everything_in_one_breath_during_the_first_word_gets_there(stage: Stage) -> None:
    call, hearing = await _dial(stage, BREATH)
    ears = Ears(call)
    await eventually("the first word", lambda: ears.loud > 3)
    await call.media.press("21123456")
    await hearing.hears("You pay for 1 2 3 4 5 6.")
    assert await stage.outcome(await stage.arrived(call.caller_number)) == "self_served"
