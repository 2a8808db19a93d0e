"""Other flows, going on in another process, budgets, and results that do not belong."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.errors import ExecutionError, UnknownPlaceError
from ivr.interpreter import CHOSEN, STEP_BUDGET, Execution
from ivr.progress import MOST_CHOSEN
from ivr.steps import (
    CustomerFound,
    Digits,
    Done,
    End,
    Ending,
    Enqueue,
    Play,
    Prompt,
    QueueEnded,
    ReadDigits,
)
from tests.ivr.sites import NOON, Ride, site_with

DESIGNED = End(Ending.DESIGNED)
MENU = """
- menu: Press 1 or star.
  keys:
    1: billing
    star:
      - say: Again.
    hash:
      - queue: support
  wait: 4s
  retries: 1
  invalid: That is no choice.
  otherwise: bye
- say: After the menu.
"""


def said(*texts: str, language: str = "en") -> tuple[Prompt, ...]:
    return tuple(Prompt(text=text, language=language) for text in texts)


def test_a_flow_may_hand_over_to_another(tmp_path: Path) -> None:
    other = "start: door\nnodes:\n  door:\n    - say: Other.\n"
    ride = Ride(site_with(tmp_path, "- flow: other", **{"flows/other_yaml": other}))

    assert ride.heard == Play(said("Other."))
    assert (ride.execution.flow, ride.execution.node) == ("other", "door:0")


def test_a_queued_call_goes_on_in_its_queue_and_repeats_nothing(tmp_path: Path) -> None:
    site = site_with(tmp_path, MENU.replace("1: billing", "1: [queue: billing]"), "bye: [hangup]")
    first = Ride(site, {"caller": "7"})
    first.press("1")
    carried = first.execution
    second = Ride(site, carried.variables, at=carried.node, language="zh")

    assert first.heard == second.heard
    assert isinstance(second.heard, Enqueue)
    assert second.execution.chosen == carried.chosen == (("menu welcome", "1 billing"),)
    assert second.execution.language == "en"
    assert second.leave_queue("served") == Play(said("After the menu."))


def test_a_step_that_is_gone_goes_on_at_the_beginning_of_its_node(tmp_path: Path) -> None:
    assert Ride(site_with(tmp_path, "- say: One."), at="welcome:7.closed:0").heard == Play(said("One."))
    assert Ride(site_with(tmp_path, "- say: One."), at="welcome").heard == Play(said("One."))


def test_a_node_or_flow_that_is_gone_is_an_error_that_a_lookup_may_catch(tmp_path: Path) -> None:
    site = site_with(tmp_path, "- say: One.")

    with pytest.raises(UnknownPlaceError, match="there is no node gone: expected one of welcome"):
        Execution(site, "main", {}, "en", node="gone:0")
    with pytest.raises(LookupError, match="there is no flow gone: expected one of main"):
        Execution(site, "gone", {}, "en")


@pytest.mark.parametrize("carried", ["{", "17", '[["a"]]', "[1]"])
def test_choices_that_cannot_be_read_are_dropped(tmp_path: Path, carried: str) -> None:
    assert Ride(site_with(tmp_path, "- answer"), {CHOSEN: carried}).execution.chosen == ()


def test_only_the_last_choices_are_kept(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, "- menu: Again?\n  keys: { 1: welcome, 2: [hangup] }\n  otherwise: welcome"))
    for _ in range(MOST_CHOSEN + 5):
        ride.press("1")

    assert len(ride.execution.chosen) == MOST_CHOSEN


def test_a_silent_line_in_an_endless_menu_ends_as_broken(tmp_path: Path) -> None:
    ride = Ride(
        site_with(tmp_path, "- menu: Again?\n  keys: { 1: welcome, 2: [hangup] }\n  retries: 0\n  otherwise: welcome")
    )
    ride.press("1")
    silences = 0
    while not isinstance(ride.heard, End):
        ride.silence()
        silences += 1

    assert ride.heard == End(Ending.BROKEN, detail=f"main welcome:0: {STEP_BUDGET} steps without the caller")
    assert silences == STEP_BUDGET


def test_a_result_that_does_not_belong_is_refused(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, "- answer\n- queue: billing"))

    with pytest.raises(ExecutionError, match="flow main at welcome:0: expected Done, got Digits"):
        ride.press("1")
    with pytest.raises(ExecutionError, match="expected Done, got None"):
        ride.execution.advance(None, NOON)
    ride.done()
    with pytest.raises(ExecutionError, match="expected QueueEnded, got CustomerFound"):
        ride.execution.advance(CustomerFound(0), NOON)
    assert ride.feed(QueueEnded("served")) == DESIGNED
    with pytest.raises(ExecutionError, match="flow main has ended at welcome:1"):
        ride.done()


def test_the_first_call_takes_no_result(tmp_path: Path) -> None:
    with pytest.raises(ExecutionError, match="expected NoneType, got Done"):
        Execution(site_with(tmp_path, "- answer"), "main", {}, "en").advance(Done(), NOON)


def test_pressed_digits_renew_the_budget(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, "- menu: Again?\n  keys: { 1: welcome, 2: [hangup] }\n  otherwise: welcome"))
    for _ in range(STEP_BUDGET + 10):
        ride.feed(Digits("1"))

    assert isinstance(ride.heard, ReadDigits)
