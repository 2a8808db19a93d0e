"""Draws follow their laws, and their streams do not touch each other."""

from __future__ import annotations

from itertools import islice, pairwise
from statistics import fmean, stdev

import pytest

from rehearsal.arrivals import GivenArrivals, Poisson, RateCurve
from rehearsal.chance import SECOND, Exponential, Fixed, Given, Lengths, Lognormal, stream
from rehearsal.errors import RehearsalError
from rehearsal.scenario import HOUR_US


def drawn(lengths: Lengths, count: int = 20_000) -> list[float]:
    return [each / SECOND for each in islice(lengths.draws(stream(1, "draws")), count)]


def test_exponential() -> None:
    found = drawn(Exponential(180))
    assert fmean(found) == pytest.approx(180, rel=0.03)
    assert stdev(found) == pytest.approx(180, rel=0.03)
    assert sum(each > 180 for each in found) / len(found) == pytest.approx(0.3679, abs=0.01)


def test_lognormal_has_the_mean_and_variation_asked_for() -> None:
    found = drawn(Lognormal(240, 0.5))
    assert fmean(found) == pytest.approx(240, rel=0.02)
    assert stdev(found) / fmean(found) == pytest.approx(0.5, rel=0.04)


def test_fixed_and_given() -> None:
    assert drawn(Fixed(7.5), 3) == [7.5, 7.5, 7.5]
    assert list(Given((3, 1, 2)).draws(stream(1))) == [3, 1, 2]


def test_a_stream_is_the_same_for_ever() -> None:
    """Written down: a change here would change every rehearsal that anybody ever noted."""
    assert stream(1, 0, "all", "handling").random() == 0.36824507982363586
    assert stream(1, 0, "all", "patience").random() != stream(1, 0, "all", "handling").random()


def test_poisson() -> None:
    instants = list(islice(Poisson(360).instants(stream(2)), 20_000))
    gaps = [(after - before) / SECOND for before, after in pairwise(instants)]
    assert fmean(gaps) == pytest.approx(10, rel=0.03)
    assert stdev(gaps) == pytest.approx(10, rel=0.03)


def test_rate_curve_gives_each_hour_its_callers() -> None:
    curve = RateCurve(((0, 1000), (HOUR_US, 4000), (2 * HOUR_US, 0)))
    instants = list(curve.instants(stream(3)))
    first = sum(at < HOUR_US for at in instants)
    assert first == pytest.approx(1000, abs=100)
    assert len(instants) - first == pytest.approx(4000, abs=200)
    assert instants == sorted(instants)
    assert instants[-1] < 2 * HOUR_US


def test_rate_curve_without_callers_ends() -> None:
    assert list(RateCurve(((0, 0),)).instants(stream(1))) == []


def test_given_arrivals() -> None:
    assert list(GivenArrivals((5, 5, 9)).instants(stream(1))) == [5, 5, 9]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Exponential(0), r"Exponential.mean_s: expected more than 0, got 0"),
        (lambda: Lognormal(1, -1), r"Lognormal.variation: expected more than 0, got -1"),
        (lambda: Fixed(-1), r"Fixed.length_s: expected 0 or more, got -1"),
        (lambda: Given((1, -2)), r"Given.lengths_us\[1\]: expected 0 or more, got -2"),
        (lambda: Poisson(0), r"Poisson.per_hour: expected more than 0, got 0"),
        (lambda: GivenArrivals((2, 1)), r"GivenArrivals.instants_us\[1\]: expected at least 2, got 1"),
        (lambda: GivenArrivals((-1,)), r"GivenArrivals.instants_us\[0\]: expected 0 or later, got -1"),
        (lambda: RateCurve(()), r"RateCurve.steps: expected a first step from 0, got \(\)"),
        (lambda: RateCurve(((0, 1), (0, 2))), r"RateCurve.steps\[1\]: expected later than 0, got 0"),
        (lambda: RateCurve(((0, -1),)), r"RateCurve.steps\[0\]: expected 0 calls per hour or more, got -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong: object, message: str) -> None:
    assert callable(wrong)
    with pytest.raises(RehearsalError, match=message):
        wrong()
