"""Expected waits against what came, with fixed seeds: what each estimator is good for, and what it is not."""

from __future__ import annotations

import pytest

from acd.model import Estimator
from rehearsal.calibration import Score, scenarios, score

HOURS = 40


def scores(word: str) -> dict[Estimator, Score]:
    (scenario,) = [each for name, each in scenarios(HOURS).items() if word in name]
    return {each: score(scenario, each) for each in Estimator}


@pytest.mark.parametrize("word", ["Erlang C", "Erlang A"])
def test_the_exact_formula_is_unbiased_and_nine_of_ten_are_nine_of_ten(word: str) -> None:
    found = scores(word)[Estimator.PATIENCE]
    assert found.calls > 200
    assert abs(found.bias_s) < 0.06 * found.mean_wait_s
    assert 0.86 < found.within_most < 0.94


def test_who_does_not_know_of_patience_tells_waits_too_long() -> None:
    found = scores("Erlang A")
    patience, staffing = found[Estimator.PATIENCE], found[Estimator.STAFFING]
    assert staffing.calls == patience.calls
    assert staffing.bias_s > 0.15 * staffing.mean_wait_s
    assert staffing.error_s > patience.error_s


def test_the_head_of_the_line_lags_behind_and_claims_too_much() -> None:
    found = scores("7 to 14 agents")
    head, patience = found[Estimator.HEAD_OF_LINE], found[Estimator.PATIENCE]
    assert head.bias_s < -0.1 * head.mean_wait_s
    assert head.error_s > patience.error_s
    assert head.within_most < 0.75 < 0.84 < patience.within_most
