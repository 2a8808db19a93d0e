"""A caller leaves a message, from the AGI socket to the outcome, against a scripted Asterisk."""

from __future__ import annotations

from pathlib import Path

import pytest

from acd.commands import InteractionClosed
from acd.model import Outcome
from cti.messages import Messages
from tests.cti.conversations import C, one_call, outcome
from tests.fakes.clock import settle

pytestmark = pytest.mark.usefixtures("short_lags")

NODES = """
  door:
    - voicemail: Leave a message
      at_most: 90s
      silence: 3s
      otherwise: none
    - say: Thank you
  none:
    - say: Nothing heard
"""
FILE = f"{C}-1.wav"
RECORD = f"record {FILE} # 90000 BEEP s=3"


async def test_a_message_is_recorded_and_is_the_outcome(tmp_path: Path) -> None:
    async with one_call(tmp_path, NODES, prompts_end=True) as (reception, call):
        await call.logged(RECORD)
        call.speak(4)
        await call.over()
        heard = ["answered", "play Leave-a-message", RECORD, "play Thank-you", "done, cause 16"]
        assert call.heard() == heard
        assert outcome(reception) == (Outcome.VOICEMAIL, FILE)
        assert (tmp_path / "messages" / FILE).is_file()


async def test_who_hangs_up_while_speaking_has_left_a_message(tmp_path: Path) -> None:
    async with one_call(tmp_path, NODES, prompts_end=True) as (reception, call):
        await call.logged(RECORD)
        call.speak(4, "")
        call.hang_up()
        await call.over()
        assert outcome(reception) == (Outcome.VOICEMAIL, FILE)


async def test_who_hangs_up_at_once_has_not(tmp_path: Path) -> None:
    async with one_call(tmp_path, NODES, prompts_end=True) as (reception, call):
        await call.logged(RECORD)
        call.speak(0.5, "")
        call.hang_up()
        await call.over()
        assert outcome(reception)[0] is Outcome.ABANDONED_IN_FLOW


async def test_nothing_said_is_no_message_and_leads_elsewhere(tmp_path: Path) -> None:
    async with one_call(tmp_path, NODES, prompts_end=True) as (reception, call):
        await call.logged(RECORD)
        call.speak(1.1)
        await call.playing("Nothing heard")
        await call.over()
        assert outcome(reception)[0] is Outcome.SELF_SERVED
        assert list((tmp_path / "messages").iterdir()) == []


async def test_a_recording_that_asterisk_cannot_make_leads_elsewhere(tmp_path: Path) -> None:
    async with one_call(tmp_path, NODES, prompts_end=True) as (reception, call):
        await call.logged(RECORD)
        call.speak(0, "200 result=-1 (writefile)")
        await call.playing("Nothing heard")
        await call.over()
        assert outcome(reception)[0] is Outcome.SELF_SERVED


async def test_the_key_that_ends_it_is_not_meant_for_the_next_menu(tmp_path: Path) -> None:
    nodes = NODES.replace("say: Thank you", "menu: Press hash\n      keys: { hash: none }\n      wait: 20ms")
    async with one_call(tmp_path, nodes, prompts_end=True) as (_, call):
        await call.logged(RECORD)
        call.press("#")
        call.speak(4)
        await call.playing("Press hash", 2)


async def test_a_message_is_not_asked_for_again_after_a_gap(tmp_path: Path) -> None:
    async with one_call(tmp_path, NODES, prompts_end=True) as (reception, call):
        await call.logged(RECORD)
        call.speak(4, "")
        call.end_agi()
        await call.over()
        await call.leave_agi()
        await call.enter()
        await call.playing("Thank you")
        await call.over()
        assert outcome(reception) == (Outcome.VOICEMAIL, FILE)
        assert call.log.count(RECORD) == 1


async def test_a_message_that_was_not_begun_is_asked_for_after_a_gap(tmp_path: Path) -> None:
    async with one_call(tmp_path, NODES, prompts_end=True) as (reception, call):
        await call.logged(RECORD)
        call.speak(0.2, "")
        call.end_agi()
        await call.over()
        await call.leave_agi()
        await call.enter()
        await call.logged(RECORD, 2)
        call.speak(3)
        await call.over()
        assert outcome(reception) == (Outcome.VOICEMAIL, FILE)


async def test_two_messages_are_two_files(tmp_path: Path) -> None:
    nodes = NODES.replace("    - say: Thank you\n", "    - voicemail: Another one\n      silence: 0s\n")
    async with one_call(tmp_path, nodes, prompts_end=True) as (reception, call):
        await call.logged(RECORD)
        call.speak(4)
        await call.logged(f"record {C}-2.wav # 120000 BEEP")
        call.speak(4)
        await call.over()
        await settle()
        assert outcome(reception) == (Outcome.VOICEMAIL, f"{C}-2.wav")
        assert len(reception.board.office.every(InteractionClosed)) == 1


def test_names_are_safe_and_what_cannot_be_removed_stays(tmp_path: Path) -> None:
    messages = Messages(tmp_path / "messages")
    messages.make()
    assert messages.path("../a b", 2).name == ".._a_b-2.wav"
    folder = messages.path("c", 1)
    folder.mkdir()
    messages.discard(folder)
    assert folder.is_dir()
    assert messages.name(tmp_path / "none.wav") == ""
