"""The faults of a run of chaos are those that were promised, and the same again for the same seed."""

from collections import Counter
from itertools import pairwise

import pytest

from lab.chaos_faults import FaultKind, draw_faults

LINK = {FaultKind.CUT, FaultKind.DROP, FaultKind.DEAF, FaultKind.STALL, FaultKind.TRUNCATE, FaultKind.STAMMER}


@pytest.mark.parametrize("seed", range(20))
def test_a_quarter_of_an_hour_has_as_many_of_each_kind_as_promised(seed: int) -> None:
    lanes = draw_faults(seed, 15)
    counts = Counter(fault.kind for lane in lanes.values() for fault in lane)
    assert counts[FaultKind.KILL] >= 20
    assert counts[FaultKind.STOP] >= 5
    assert len(lanes["link"]) >= 50
    assert {fault.kind for fault in lanes["link"]} >= LINK
    assert [fault.lasts_s for fault in lanes["database"]] == [60.0]
    for lane in lanes.values():
        assert all(fault.at_s >= 0 and fault.at_s + fault.lasts_s <= 15 * 60 for fault in lane)
        assert all(before.at_s + before.lasts_s <= after.at_s for before, after in pairwise(lane))


def test_the_same_seed_is_the_same_run() -> None:
    assert draw_faults(7, 15) == draw_faults(7, 15)
    assert draw_faults(7, 15) != draw_faults(8, 15)


@pytest.mark.parametrize("minutes", [1.0, 2.0, 4.0])
def test_a_short_run_has_one_of_each_at_least(minutes: float) -> None:
    lanes = draw_faults(1, minutes)
    assert {fault.kind for fault in lanes["link"]} >= LINK
    assert {fault.kind for fault in lanes["server"]} == {FaultKind.KILL, FaultKind.STOP}
    assert lanes["database"][0].at_s + lanes["database"][0].lasts_s <= minutes * 60
