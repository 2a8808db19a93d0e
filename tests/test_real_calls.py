"""Every kind of step is experienced by a real caller on a real Asterisk; this says in which file its flow stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ivr.schema import STEPS

FOLDER = Path(__file__).parent / "asterisk"
LIVE, LEADS = "live_site.py", "test_step_leads.py"
#: Step → the file whose flows have it.
HEARD_IN = {
    "answer": LIVE, "refuse": LIVE, "early": LEADS, "say": LIVE, "play": LIVE, "menu": LIVE, "collect": LIVE,
    "hours": LIVE, "lookup": LIVE, "set": LIVE, "if": LIVE, "switch": LEADS, "queue": LIVE, "voicemail": LIVE,
    "goto": LIVE, "flow": LIVE, "subflow": LEADS, "return": LEADS, "hangup": LEADS, "callback": "test_callback.py",
    "transfer": "test_transfer.py", "record": "test_recording.py", "survey": "test_recording.py",
    "confirm": "test_step_asks.py", "language": "test_step_asks.py", "webhook": "test_step_outside.py",
    "send_text": "test_step_outside.py",
}  # fmt: skip


def test_each_kind_of_step_has_a_real_call() -> None:
    assert HEARD_IN.keys() == STEPS.keys()


@pytest.mark.parametrize("word", HEARD_IN)
def test_the_file_has_a_flow_with_the_step(word: str) -> None:
    text = (FOLDER / HEARD_IN[word]).read_text(encoding="utf-8")

    assert re.search(rf"- {word}\b|\[{word}\b", text), f"no step {word} in {HEARD_IN[word]}"
