"""Expected waits: the formulas against exact sums, exact distributions and the limits that they must have."""

from __future__ import annotations

from math import exp, factorial, log

import pytest

from acd.estimators import UNKNOWN, head_of_line, patience, staffing

MINUTE = 60_000_000


@pytest.mark.parametrize("ahead", [0, 1, 5, 31, 32, 33, 100, 1_000, 5_000])
@pytest.mark.parametrize("leave_rate", [1 / (20 * MINUTE), 1 / (2 * MINUTE), 1 / (MINUTE // 10)])
def test_the_sum_over_those_ahead_is_right_to_half_a_percent(ahead: int, leave_rate: float) -> None:
    exact = sum(1 / (10 / (3 * MINUTE) + place * leave_rate) for place in range(ahead + 1))
    assert patience(ahead, 10, 3 * MINUTE, leave_rate).mean_us == pytest.approx(exact, rel=0.005)


def test_up_to_32_ahead_the_sum_is_exact() -> None:
    exact = sum(1 / (4 / MINUTE + place / (5 * MINUTE)) for place in range(32))
    assert patience(31, 4, MINUTE, 1 / (5 * MINUTE)).mean_us == round(exact)


def test_somebody_who_never_leaves_is_waited_for() -> None:
    assert patience(7, 4, 3 * MINUTE, 0.0) == staffing(7, 4, 3 * MINUTE)
    assert staffing(7, 4, 3 * MINUTE).mean_us == 6 * MINUTE
    assert patience(7, 4, 3 * MINUTE, 1 / (5 * MINUTE)).mean_us < 6 * MINUTE


@pytest.mark.parametrize("ahead", [0, 1, 4, 20])
def test_nine_of_ten_wait_no_longer_in_the_exact_distribution(ahead: int) -> None:
    """Erlang: P(W ≤ t) = 1 - Σ e^-rt (rt)^i / i! over i ≤ ahead."""
    most = staffing(ahead, 3, 2 * MINUTE).most_us * 3 / (2 * MINUTE)
    within = 1 - sum(exp(-most) * most**place / factorial(place) for place in range(ahead + 1))
    assert within == pytest.approx(0.9, abs=0.003)


def test_the_first_in_line_waits_exponentially() -> None:
    expected = staffing(0, 2, 2 * MINUTE)
    assert expected.mean_us == MINUTE
    assert expected.most_us == pytest.approx(log(10) * MINUTE, rel=0.011)


def test_the_head_of_the_line_is_taken_at_its_word() -> None:
    expected = head_of_line(4 * MINUTE, 20, 3 * MINUTE)
    assert expected.mean_us == 4 * MINUTE
    assert 4 * MINUTE < expected.most_us < head_of_line(4 * MINUTE, 2, 3 * MINUTE).most_us
    assert head_of_line(0, 20, 3 * MINUTE) == (0, 0, True)


def test_the_head_of_the_line_varies_no_more_than_an_exponential_time() -> None:
    assert head_of_line(1_000, 1, 100 * MINUTE).most_us == pytest.approx(1_000 * log(10), rel=0.011)


def test_where_nobody_works_nothing_is_said() -> None:
    assert patience(3, 0, MINUTE, 0.0) == staffing(3, 0, MINUTE) == head_of_line(MINUTE, 0, MINUTE) == UNKNOWN
    assert not UNKNOWN.is_known
