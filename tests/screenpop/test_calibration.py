"""Expected waits against real ones: figures, bands and words."""

from __future__ import annotations

import pytest

from acd import commands
from acd.model import VisitOutcome
from screenpop.calibration import Wait, calibrate, told
from screenpop.db.records import Records
from screenpop.db.store import Store
from screenpop.db.waits import answered_waits

S = 1_000_000
T = 1_700_000_000 * S


def test_each_queue_by_itself_and_by_bands() -> None:
    waits = [Wait("billing", 20 * S, 40 * S, real * S) for real in (10, 20, 30, 60)]
    waits += [Wait("billing", 30 * S, 50 * S, 50 * S), Wait("billing", 900 * S, 1_200 * S, 700 * S)]
    waits += [Wait("support", 90 * S, 200 * S, 201 * S), Wait("support", 0, 0, 5 * S)]
    billing, support = calibrate(waits)
    assert (billing.queue, billing.visits, billing.real_mean_s) == ("billing", 6, 145)
    assert billing.predicted_mean_s == pytest.approx((80 + 30 + 900) / 6)
    assert billing.within_most == pytest.approx(5 / 6)
    first, second, last = billing.bands
    assert (first.from_s, first.below_s, first.visits) == (0, 30, 4)
    assert (first.real_mean_s, first.real_median_s, first.real_most_s, first.within_most) == (30, 20, 60, 0.75)
    assert (second.from_s, second.below_s, second.visits) == (30, 60, 1)
    assert (last.from_s, last.below_s, last.predicted_most_s) == (600, None, 1_200)
    assert (support.visits, support.within_most) == (1, 0)
    assert calibrate([]) == ()


def test_words_for_people() -> None:
    assert told(calibrate([Wait("billing", 20 * S, 40 * S, 10 * S), Wait("billing", 700 * S, 900 * S, 950 * S)])) == [
        "billing: 2 answered after a predicted wait of 360 s on average, really 480 s; 50.0% within what nine of ten "
        "should not exceed",
        "  predicted         0-30 s:      1 visits, mean    20 s (real 10, median 10), nine of ten    40 s (real 10), "
        "within 100.0%",
        "  predicted 600 s and more:      1 visits, mean   700 s (real 950, median 950), nine of ten   900 s (real "
        "950), within 0.0%",
    ]


async def test_only_answered_visits_with_a_prediction_since_then_are_read(store: Store) -> None:
    answered, abandoned = VisitOutcome.ANSWERED, VisitOutcome.ABANDONED
    async with Records(store) as records:
        for number, (entered, expected, outcome) in enumerate(
            [(T, 20, answered), (T + 9, 30, answered), (T + 9, 0, answered), (T + 9, 40, abandoned)]
        ):
            visit, call = f"i{number}#1", f"i{number}"
            records.keep(
                number + 1,
                [
                    commands.VisitOpened(visit, call, "billing", 0, entered, entered, 1, (), expected * S, 60 * S),
                    commands.VisitClosed(visit, call, "billing", outcome, "", entered, entered + 15 * S),
                ],
            )
        records.keep(9, [commands.VisitOpened("i9#1", "i9", "billing", 0, T + 9, T + 9, 1, (), 50 * S, 60 * S)])
        await records.flush()
        async with store.read() as connection:
            assert await answered_waits(connection, T + 1) == [Wait("billing", 30 * S, 60 * S, 15 * S)]
            assert len(await answered_waits(connection, T)) == 2
