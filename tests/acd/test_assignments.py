"""An assignment's states carry their own beginning and deadline."""

from __future__ import annotations

from acd.assignments import Assignment
from acd.model import AssignmentState


def offered() -> Assignment:
    return Assignment("i1", "i1/1", "billing", "voice", AssignmentState.OFFERED, 10, 30, wrap_up_us=5)


def test_a_talk_has_no_deadline() -> None:
    held = offered()
    held.connect(12)
    assert (held.state, held.since, held.deadline) == (AssignmentState.CONNECTED, 12, 0)


def test_a_wrap_up_has_its_own_deadline() -> None:
    held = offered()
    held.connect(12)
    held.wrap_up(40)
    assert (held.state, held.since, held.deadline) == (AssignmentState.WRAP_UP, 40, 45)


def test_only_a_wrap_up_may_end_later_and_never_sooner() -> None:
    held = offered()
    assert held.latest == 0
    held.wrap_up_most_us = 8
    held.connect(12)
    assert held.latest == 0
    held.wrap_up(40)
    assert held.latest == 48
    assert held.extend(30)
    assert (held.deadline, held.latest) == (48, 48)
    held.wrap_up_most_us = 2
    assert held.latest == 48
