"""What happens at the steps, as it is told to who counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.trail import Entered, Happening, Left, Missed
from tests.ivr.sites import Ride, site_with

MENU = """
- say: Hello.
- menu: Press 1 or 2.
  keys:
    1: billing
    2: [hangup]
  retries: 1
  otherwise: bye
"""
REST = """
billing:
  - queue: billing
    served: bye
    then: [flow: other]
bye: []
"""
OTHER = (
    "start: door\nnodes:\n  door:\n    - subflow: ask\n      returns: {known: end}\n      then: end\n  end: [hangup]\n"
)
ASK = """
start: q
nodes:
  q:
    - collect: Number?
      into: number
      digits: 3
      retries: 1
    - return: known
"""


def told(ride: Ride) -> list[Happening]:
    happened = list(ride.execution.happenings)
    ride.execution.happenings.clear()
    return happened


def new_ride(folder: Path, at: str | None = None) -> Ride:
    return Ride(site_with(folder, MENU, REST, **{"flows/other_yaml": OTHER, "flows/ask_yaml": ASK}), at=at)


def test_steps_are_entered_and_left_by_the_way_that_the_file_names(tmp_path: Path) -> None:
    ride = new_ride(tmp_path)
    assert told(ride) == [Entered("main", "welcome:0")]
    ride.done()
    assert told(ride) == [Left("main", "welcome:0", "next"), Entered("main", "welcome:1")]
    ride.press("9")
    assert told(ride) == [Missed("main", "welcome:1", timed_out=False)]
    ride.press("2")
    assert told(ride) == [
        Left("main", "welcome:1", "keys.2"),
        Entered("main", "welcome:1.2:0"),
        Left("main", "welcome:1.2:0", "end"),
    ]


def test_silence_is_a_time_out_and_another_key_is_invalid(tmp_path: Path) -> None:
    ride = new_ride(tmp_path, at="welcome:1")
    ride.silence()
    ride.silence()
    assert told(ride) == [
        Entered("main", "welcome:1", again=True),
        Missed("main", "welcome:1", timed_out=True),
        Missed("main", "welcome:1", timed_out=True),
        Left("main", "welcome:1", "otherwise"),
    ]


def test_a_step_that_goes_through_another_flow_is_left_on_coming_back(tmp_path: Path) -> None:
    ride = new_ride(tmp_path, at="billing:0")
    ride.leave_queue("closed")
    assert told(ride) == [
        Entered("main", "billing:0", again=True),
        Left("main", "billing:0", "then"),
        Entered("main", "billing:0.then:0"),
        Left("main", "billing:0.then:0", "flow"),
        Entered("other", "door:0"),
        Entered("ask", "q:0"),
    ]
    ride.press("12")
    ride.press("123")
    assert told(ride) == [
        Missed("ask", "q:0", timed_out=False),
        Left("ask", "q:0", "next"),
        Entered("ask", "q:1"),
        Left("ask", "q:1", "return"),
        Left("other", "door:0", "returns.known"),
        Entered("other", "end:0"),
        Left("other", "end:0", "end"),
    ]


def test_the_version_is_that_of_the_files(tmp_path: Path) -> None:
    ride = new_ride(tmp_path)
    assert len(ride.execution.version) == 64


ASKING = {
    "menu": "- menu: Press 1.\n  keys: {1: bye}",
    "collect": "- collect: Number?\n  into: number\n  digits: 3",
    "confirm": "- confirm: Right?",
    "record": "- record: ask\n  text: May we record?\n  retries: 2",
    "survey": "- survey: service\n  questions: [{ask: Well?, id: well}]\n  retries: 2",
    "language": "- language: {en: Press 1., zh: 中文请按二。}\n  keys: {1: en, 2: zh}\n  retries: 2",
}


@pytest.mark.parametrize("word", ASKING)
def test_every_step_that_asks_for_keys_says_what_was_missed(tmp_path: Path, word: str) -> None:
    ride = Ride(site_with(tmp_path, f"{ASKING[word]}\n- hangup", "bye: []"))
    ride.press("9")
    ride.silence()
    missed = [each.timed_out for each in told(ride) if isinstance(each, Missed)]
    assert missed == [False, True]
