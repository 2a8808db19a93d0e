"""The simulation: many seeds without a fault, each the same again, and its judge finds what is planted.

`CALLYARD_LAB_SEEDS` chooses how many seeds; a failing one is played again by `python -m lab.simulation.street --seed`.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from cti.recovery import Recovery
from lab.simulation import street

SEEDS = int(os.environ.get("CALLYARD_LAB_SEEDS", "200"))
PARTS = 40


@pytest.mark.parametrize("part", range(PARTS))
def test_no_crash_at_any_instant_loses_a_call(part: int) -> None:
    found = [street.play(seed) for seed in range(1 + part, SEEDS + 1, PARTS)]
    assert {each.seed: each.faults for each in found if each.faults} == {}
    kinds = sum((each.kinds for each in found), Counter[str]())
    assert kinds["kill"] >= len(found), "there are crashes"


def test_a_seed_is_the_same_again() -> None:
    assert street.play(5) == street.play(5)


def test_who_is_gone_and_is_not_closed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recovery, "_close_the_gone", lambda self: None)
    assert any(street.play(seed).faults for seed in range(1, 60))
