"""One day, four service levels: the numbers of Cisco's definitions, from counts and from a rehearsed day's records."""

from __future__ import annotations

import pytest

from rehearsal.chance import SECOND
from rehearsal.service_levels import (
    Definition,
    Tally,
    negative_abandon,
    only_handled,
    positive_abandon,
    without_abandon,
)
from rehearsal.tally import Call, Day

FIGURES: list[tuple[Definition, str]] = [
    (negative_abandon, "70.0"),
    (without_abandon, "77.8"),
    (positive_abandon, "80.0"),
    (only_handled, "87.5"),
]


def call(number: int, waited_s: float, answered: bool) -> Call:
    until = 1_000 * SECOND + round(waited_s * SECOND)
    made = Call(f"c{number}", "all", "calls", SECOND, None, asked_at=1_000 * SECOND)
    made.answered_at, made.left_at = (until, None) if answered else (None, until)
    return made


def the_day() -> Day:
    """70 answered in 20 s or less, 10 later; 10 gave up in 20 s or less, 10 later."""
    waits = [(20.0, True)] * 70 + [(20.000001, True)] * 10 + [(20.0, False)] * 10 + [(20.000001, False)] * 10
    calls = tuple(call(number, waited_s, answered) for number, (waited_s, answered) in enumerate(waits))
    return Day(calls, counted_from=0, counted_until=2_000 * SECOND, staffed_us=0, events=0)


@pytest.mark.parametrize(("definition", "percent"), FIGURES, ids=[definition.__name__ for definition, _ in FIGURES])
def test_the_same_day(definition: Definition, percent: str) -> None:
    assert f"{100 * definition(Tally(80, 70, 20, 10)):.1f}" == percent
    assert f"{100 * the_day().service_level(20, definition=definition):.1f}" == percent


def test_the_default_is_the_strictest() -> None:
    day = the_day()
    assert day.tally(20) == Tally(80, 70, 20, 10)
    assert day.service_level(20) == min(day.service_level(20, definition=each) for each, _ in FIGURES) == 0.7


def test_nobody_asked() -> None:
    assert [each(Tally(0, 0, 0, 0)) for each, _ in FIGURES] == [0.0] * 4
    assert without_abandon(Tally(0, 0, 3, 3)) == 0.0
