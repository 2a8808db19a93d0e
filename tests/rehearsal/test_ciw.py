"""An independent simulator (Ciw) on the same lines as ours: equal results within intervals. What each costs is told by
`python -m lab.compare_ciw`."""

from __future__ import annotations

from math import hypot

import pytest

from lab.compare_ciw import LINES, Line, by_ciw, by_ours
from rehearsal.intervals import Interval, interval

REPLICATIONS = 10
CALLS = 1_000


def agree(one: Interval, other: Interval) -> bool:
    """The difference of two independent means lies within what both leave open."""
    return abs(one.mean - other.mean) <= hypot(one.half_width, other.half_width)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.case().name)
def test_ciw_agrees(line: Line) -> None:
    theirs = [by_ciw(line, CALLS, seed) for seed in range(REPLICATIONS)]
    ours = [by_ours(line, CALLS, seed) for seed in range(REPLICATIONS)]
    assert agree(interval([found.wait_s for found in theirs]), interval([found.wait_s for found in ours]))
    assert agree(interval([found.waited for found in theirs]), interval([found.waited for found in ours]))
    for found in (*theirs, *ours):
        assert found.calls == pytest.approx(CALLS + 40 * 180 / 3600 * line.per_hour, rel=0.2)
