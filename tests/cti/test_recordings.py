"""Recording a call, from its flow to the engine; the folder; and what is removed when it is too old."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from acd.commands import RecordingClosed, RecordingOpened, SurveyAnswerKept
from cti.recordings import Recordings
from cti.retention import keep_retention, remove_old
from tests.cti.conversations import C, one_call
from tests.fakes.clock import settle

pytestmark = pytest.mark.usefixtures("short_lags")

ASK = """
  door:
    - record: ask
      text: May we
      wait: 60s
    - say: Thank you
    - record: stop
    - menu: Go on
      keys: { 1: door }
      wait: 60s
"""
NOTICE = """
  door:
    - record: notice
      text: Recorded
    - menu: Go on
      keys: { 1: door }
      wait: 60s
"""
DAY = 24 * 3600


async def test_recorded_from_the_yes_on_until_stop(tmp_path: Path) -> None:
    async with one_call(tmp_path, ASK) as (reception, call):
        await call.playing("May we")
        assert not any("MixMonitor" in line for line in call.log)
        call.press("1")
        file = reception.recordings.path(C, 1)
        await call.logged(f"MixMonitor {file}")
        file.write_bytes(b"RIFF")
        await call.playing("Thank you")
        assert call.heard().index("answered") < call.heard().index(f"MixMonitor {file}")
        assert call.variables["CALLYARD_RECORDING"] == file.name
        call.end_prompt()
        await call.playing("Go on")
        await call.logged("StopMixMonitor")
        office = reception.board.office
        opened, closed = office.last(RecordingOpened), office.last(RecordingClosed)
        assert (opened.recording_id, opened.consent, opened.file) == (f"{C}/1", "yes", file.name)
        assert (closed.recording_id, closed.detail) == (f"{C}/1", "")
        assert (C, "is recorded (yes)") in reception.story


async def test_a_no_is_kept_and_nothing_recorded(tmp_path: Path) -> None:
    async with one_call(tmp_path, ASK, prompts_end=True) as (reception, call):
        await call.playing("May we")
        call.press("2")
        await call.playing("Go on")
        opened = reception.board.office.last(RecordingOpened)
        assert (opened.consent, opened.file) == ("no", "")
        assert not any("MixMonitor" in line for line in call.log)


async def test_a_call_that_is_recorded_already_is_not_recorded_twice(tmp_path: Path) -> None:
    running = {"CALLYARD_RECORDING": f"{C}-1.wav"}
    async with one_call(tmp_path, NOTICE, prompts_end=True, variables=running) as (reception, call):
        await call.playing("Go on")
        assert not any("MixMonitor" in line for line in call.log)
        assert reception.board.office.every(RecordingOpened) == []


async def test_what_asterisk_does_not_write_is_noted_and_the_call_goes_on(tmp_path: Path) -> None:
    async with one_call(tmp_path, NOTICE, prompts_end=True) as (reception, call):
        await call.playing("Go on")
        await asyncio.gather(*reception.recordings._tasks)
        assert reception.board.office.last(RecordingClosed).detail == "not written"
        assert (C, "not recorded: not written") in reception.story


@pytest.mark.parametrize("least_free", [1, 1 << 62])
async def test_without_room_nothing_is_begun(tmp_path: Path, least_free: int) -> None:
    folder = tmp_path / ("with,comma" if least_free == 1 else "recordings")
    recordings = Recordings(folder, least_free=least_free)
    async with one_call(tmp_path, NOTICE, prompts_end=True, recordings=recordings) as (reception, call):
        await call.playing("Go on")
        opened = reception.board.office.last(RecordingOpened)
        assert (opened.consent, opened.file) == ("notice", "")
        assert ("characters" if least_free == 1 else "MB left") in opened.trouble
        assert not any("MixMonitor" in line for line in call.log)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert Recordings(tmp_path / "gone").trouble().endswith("No such file or directory")


def test_a_file_is_named_by_the_interaction_and_its_number(tmp_path: Path) -> None:
    assert Recordings(tmp_path).path("lab1-17.3/x", 2) == tmp_path / "lab1-17.3_x-2.wav"


async def test_answers_of_a_survey_reach_the_engine_one_by_one(tmp_path: Path) -> None:
    nodes = """
  door:
    - survey: service
      questions:
        - { ask: Satisfied, id: satisfaction }
        - { ask: Again, id: again, keys: 1-2 }
      wait: 60s
"""
    async with one_call(tmp_path, nodes) as (reception, call):
        await call.playing("Satisfied")
        call.press("4")
        await call.playing("Again")
        call.hang_up()
        await call.over()
        await settle()
        [kept] = reception.board.office.every(SurveyAnswerKept)
        assert (kept.answer_id, kept.value) == (f"{C}/service/satisfaction", "4")


# --- retention ----------------------------------------------------------------------------------------------


def aged(folder: Path, name: str, days: float) -> Path:
    file = folder / name
    file.write_bytes(b"RIFF")
    os.utime(file, (100 * DAY - days * DAY,) * 2)
    return file


def test_what_is_too_old_is_removed_oldest_first_and_nothing_else(tmp_path: Path) -> None:
    old, older, young = (aged(tmp_path, f"{days}.wav", days) for days in (31, 40, 29))
    other = aged(tmp_path, "notes.txt", 90)
    assert remove_old(tmp_path, 0, 100 * DAY) == 0
    assert remove_old(tmp_path, 30, 100 * DAY, most=1) == 1
    assert (old.exists(), older.exists()) == (True, False)
    assert remove_old(tmp_path, 30, 100 * DAY) == 1
    assert (old.exists(), young.exists(), other.exists()) == (False, True, True)
    assert remove_old(tmp_path / "gone", 30, 100 * DAY) == 0


def test_what_cannot_be_removed_is_left_for_the_next_day(tmp_path: Path) -> None:
    folder = aged(tmp_path, "a.wav", 50)
    folder.unlink()
    folder.mkdir()
    os.utime(folder, (50 * DAY,) * 2)
    assert remove_old(tmp_path, 30, 100 * DAY) == 0
    assert folder.exists()


async def test_it_is_done_every_day(tmp_path: Path) -> None:
    rounds: asyncio.Queue[None] = asyncio.Queue()

    def now_s() -> float:
        rounds.put_nowait(None)
        return 100 * DAY

    first = aged(tmp_path, "a.wav", 31)
    work = asyncio.create_task(keep_retention({tmp_path: 30}, now_s, first_after_s=0.0, every_s=0.01))
    try:
        async with asyncio.timeout(5):
            await rounds.get()
            await rounds.get()  # the second day: the first is over
            removed = not first.exists()
            second = aged(tmp_path, "b.wav", 31)
            await rounds.get()
            await rounds.get()
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert (removed, second.exists()) == (True, False)
