"""Calls are recorded with consent on a real Asterisk, and callers answer surveys: judged by what is in the files.

The caller whistles another note in each part of the call, so that each part is told apart in the recording.
"""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.audio import FRAME, ToneDetector, encode, tone
from lab.phone import AGENT_TONE_HZ
from lab.sip_call import SipCall
from tests.asterisk.hearing import Hearing
from tests.asterisk.world import Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

ASKED, SURVEY = "+498999998340", "+498999998341"
BEFORE_HZ, AFTER_HZ, STOPPED_HZ = 700, 1300, 850
_FLOWS = {
    "asked": """
    - answer
    - record: ask
      text: May we record this call? For yes, press 1. For no, press 2.
      wait: 20s
    - say: Please wait.
    - queue: support
    - record: stop
    - menu: The recording has ended.
      keys: { 1: door }
      wait: 20s
""",
    "survey": """
    - answer
    - queue: support
    - survey: service
      questions:
        - { ask: Were you satisfied?, id: satisfaction, keys: 1-5 }
        - { ask: Would you call again?, id: again, keys: 1-2 }
      wait: 20s
      done: [say: Thank you for your answers., hangup]
""",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("recording")
    site = copy_site(folder, wrap_up="0s")
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        file.write(f'"{ASKED}": {{ flow: asked }}\n"{SURVEY}": {{ flow: survey }}\n')
    for name, steps in _FLOWS.items():
        (site / "flows" / f"{name}.yaml").write_text(f"start: door\nnodes:\n  door:{steps}", encoding="utf-8")
    async with open_stage(folder / "world", site, people_with_phones=("olga",)) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage) -> AsyncIterator[None]:
    yield
    if stage.world.process is None or stage.world.process.returncode is not None:
        await stage.world.start_server()
    recordings_of(stage).chmod(0o770)
    await stage.clear()


def recordings_of(stage: Stage) -> Path:
    return stage.world.folder / "data" / "recordings"


def whistle(call: SipCall, frequency: int) -> None:
    call.media._frames = tone(frequency)


def longest(file: Path, frequency: int) -> float:
    """For how many seconds at most the note stands out without a break."""
    with wave.open(str(file), "rb") as sound:
        assert sound.getframerate() == 8000
        content = sound.readframes(sound.getnframes())
    samples = memoryview(content).cast("h")
    detector, most = ToneDetector(frequency, share=0.3, frames=1), 0
    for at in range(0, len(samples) - FRAME, FRAME):
        detector.hears(bytes(encode(sample) for sample in samples[at : at + FRAME]))
        most = max(most, detector.run)
    return most * FRAME / 8000


async def asked(stage: Stage) -> tuple[SipCall, Hearing, str]:
    """A caller who is being asked, and has whistled for a while."""
    caller = stage.new_number()
    call = await stage.dial(ASKED, caller)
    whistle(call, BEFORE_HZ)
    hearing = Hearing(call)
    await hearing.hears("May we record this call? For yes, press 1. For no, press 2.")
    await asyncio.sleep(1.0)
    interaction_id = await stage.arrived(caller)
    assert not list(recordings_of(stage).glob(f"{interaction_id}*")), "nothing is recorded before consent"
    return call, hearing, interaction_id


async def test_what_was_said_before_consent_is_not_recorded_and_the_talk_is(stage: Stage) -> None:
    await stage.at_work("olga")
    call, hearing, interaction_id = await asked(stage)
    whistle(call, AFTER_HZ)
    await asyncio.sleep(0.5)  # what is on its way was whistled before
    await call.media.press("1")
    await hearing.hears("Please wait.")
    await stage.talking(call)
    await stage.world.kill_server()  # a restart does not interrupt it
    await stage.world.start_server()
    await asyncio.sleep(2.0)
    work = stage.seen.works[f"{interaction_id}/1"]
    assert work["attributes"]["recording"] == "agreed"
    olga = stage.phone("olga")
    assert olga.calls[-1].end_ns is None
    await call.hang_up()
    assert await stage.outcome(interaction_id) == "served"
    row = await stage.row(
        "the recording", "SELECT * FROM recording WHERE interaction_id = ? AND ended_at IS NOT NULL", interaction_id
    )
    assert (row["consent"], row["file"], row["trouble"]) == ("yes", f"{interaction_id}-1.wav", "")
    file = recordings_of(stage) / row["file"]
    assert longest(file, AFTER_HZ) > 1.5, "the caller"
    assert longest(file, AGENT_TONE_HZ) > 1.5, "the agent"
    assert longest(file, BEFORE_HZ) < 0.2, "what was said before consent"
    with wave.open(str(file), "rb") as sound:
        assert abs(sound.getnframes() / 8000 - (row["ended_at"] - row["started_at"]) / 1e6) < 2.5


async def test_the_recording_ends_at_stop(stage: Stage) -> None:
    await stage.at_work("olga")
    call, hearing, interaction_id = await asked(stage)
    await call.media.press("1")
    await stage.talking(call)
    await asyncio.sleep(1.5)
    ringing = stage.phone("olga").calls[-1]
    olga = stage.phone("olga").endpoint
    [leg] = [each for each in olga.calls.values() if not each.ended.is_set()]
    await leg.hang_up()
    await hearing.hears("The recording has ended.")
    whistle(call, STOPPED_HZ)
    await asyncio.sleep(2.0)
    await call.hang_up()
    row = await stage.row(
        "the recording", "SELECT * FROM recording WHERE interaction_id = ? AND ended_at IS NOT NULL", interaction_id
    )
    file = recordings_of(stage) / row["file"]
    assert longest(file, BEFORE_HZ) > 1.0, "whistled on after consent: this is how it would have been found before"
    assert longest(file, STOPPED_HZ) < 0.2
    assert ringing.end_ns is not None


@pytest.mark.parametrize("key", ["2", "7777"])
async def test_who_does_not_say_yes_is_not_recorded(stage: Stage, key: str) -> None:
    call, hearing, interaction_id = await asked(stage)
    await call.media.press(key)
    await hearing.hears("Please wait.")
    row = await stage.row("the consent", "SELECT * FROM recording WHERE interaction_id = ?", interaction_id)
    assert (row["consent"], row["file"]) == ("no", "")
    await asyncio.sleep(1.0)
    await call.hang_up()
    assert not list(recordings_of(stage).glob(f"{interaction_id}*"))


async def test_a_folder_that_cannot_be_written_is_noted_and_the_call_goes_on(stage: Stage) -> None:
    await stage.at_work("olga")
    call, hearing, interaction_id = await asked(stage)
    folder = recordings_of(stage)
    moved = folder.with_name("recordings-elsewhere")
    folder.rename(moved)
    try:
        await call.media.press("1")
        await hearing.hears("Please wait.")
        await stage.talking(call)
    finally:
        moved.rename(folder)
    await call.hang_up()
    assert await stage.outcome(interaction_id) == "served"
    row = await stage.row("the consent", "SELECT * FROM recording WHERE interaction_id = ?", interaction_id)
    assert (row["consent"], row["file"]) == ("yes", "")
    assert "No such file or directory" in row["trouble"]
    assert "recording.not_begun" in stage.log()


# --- surveys ----------------------------------------------------------------------------------------------


async def _served(stage: Stage) -> tuple[SipCall, Hearing, str]:
    await stage.at_work("olga")
    caller = stage.new_number()
    call = await stage.dial(SURVEY, caller)
    await stage.talking(call)
    hearing = Hearing(call)
    [leg] = [each for each in stage.phone("olga").endpoint.calls.values() if not each.ended.is_set()]
    await leg.hang_up()
    await hearing.hears("Were you satisfied?")
    return call, hearing, await stage.arrived(caller)


async def test_answers_stand_with_the_interaction_and_who_served(stage: Stage) -> None:
    call, hearing, interaction_id = await _served(stage)
    await call.media.press("9")  # which answers nothing
    await hearing.hears("Were you satisfied?")
    await call.media.press("4")
    await hearing.hears("Would you call again?")
    await call.media.press("1")
    await hearing.hears("Thank you for your answers.")
    assert await stage.outcome(interaction_id) == "served"
    answers = await eventually("two answers", lambda: _answers(stage, interaction_id, 2))
    assert answers == [("satisfaction", "4", "support", "olga"), ("again", "1", "support", "olga")]


async def test_what_was_answered_before_the_hang_up_stays(stage: Stage) -> None:
    call, hearing, interaction_id = await _served(stage)
    await call.media.press("2")
    await hearing.hears("Would you call again?")
    await call.hang_up()
    assert await stage.outcome(interaction_id) == "served"
    assert await eventually("an answer", lambda: _answers(stage, interaction_id, 1)) == [
        ("satisfaction", "2", "support", "olga")
    ]


def _answers(stage: Stage, interaction_id: str, count: int) -> list[tuple[str, str, str, str]]:
    rows = stage.rows("SELECT * FROM survey_answer WHERE interaction_id = ? ORDER BY answered_at", interaction_id)
    return (
        [(row["question"], row["value"], row["queue"], row["agent_id"]) for row in rows] if len(rows) >= count else []
    )
