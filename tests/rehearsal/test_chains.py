"""The exactly solved designs against what other theory says where both know the answer."""

from __future__ import annotations

import pytest

from rehearsal.chains import equilibrium, n_design, x_design
from rehearsal.errors import RehearsalError
from rehearsal.theory import erlang_a, erlang_b, erlang_c, priority_waits


def test_birth_and_death() -> None:
    def moves(busy: int) -> list[tuple[int, float]]:
        return [(min(busy + 1, 4), 3.0), (max(busy - 1, 0), float(busy))]

    shares = equilibrium(0, moves)
    assert shares[4] == pytest.approx(erlang_b(4, 3))
    assert sum(shares.values()) == pytest.approx(1)


def test_x_with_one_pace_is_cobham() -> None:
    design = x_design((0.003, 0.005), (180, 180), (2, 2), longest=40)
    waits = priority_waits((0.003, 0.005), 180, 4)
    assert (design.first.wait_s, design.second.wait_s) == pytest.approx(waits)
    assert design.occupancy == pytest.approx(0.008 * 180 / 4)
    assert design.cut < 1e-9


def test_x_with_one_pace_and_one_patience_loses_as_palm_says() -> None:
    design = x_design((0.008, 0.010), (180, 180), (2, 1), (200, 200), longest=40)
    line = erlang_a(0.018, 180, 200, 3)
    assert design.first.waits == pytest.approx(line.waits)
    assert design.first.line + design.second.line == pytest.approx(line.line)
    assert (0.008 * design.first.abandoned + 0.010 * design.second.abandoned) / 0.018 == pytest.approx(line.abandoned)


@pytest.mark.parametrize("patience", [None, 200])
def test_n_without_class_2_is_one_line(patience: float | None) -> None:
    design = n_design((0.006, 1e-12), (180, 180), (2, 1), patience, longest=40)
    line = erlang_c(0.006, 180, 3) if patience is None else erlang_a(0.006, 180, patience, 3)
    found = (design.first.waits, design.first.wait_s, design.first.abandoned, design.occupancy)
    assert found == pytest.approx((line.waits, line.wait_s, line.abandoned, line.occupancy), rel=1e-6)


def test_n_without_class_1_is_group_2_alone() -> None:
    design = n_design((1e-12, 0.005), (180, 150), (2, 2), longest=30)
    line = erlang_c(0.005, 150, 2)
    assert (design.second.waits, design.second.wait_s) == pytest.approx((line.waits, line.wait_s), rel=1e-6)


def test_n_with_callers_who_do_not_wait_is_a_loss_system_of_each_group() -> None:
    """With next to no patience class 2 is lost exactly when group 2 is busy, and class 1 when all are."""
    design = n_design((0.010, 0.006), (180, 180), (2, 2), patience=1e-6, longest=5)
    assert design.first.abandoned == pytest.approx(design.first.waits, rel=1e-4)
    assert design.second.abandoned == pytest.approx(design.second.waits, rel=1e-4)
    assert design.second.waits > design.first.waits


def test_n_conserves_work() -> None:
    """Without patience, and with one pace, agents are as busy as the load says."""
    design = n_design((0.007, 0.003), (180, 180), (2, 2), longest=40)
    assert design.occupancy == pytest.approx(0.010 * 180 / 4)
    assert design.cut < 1e-9


def test_a_chain_that_does_not_settle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.chains._SWEEPS", 3)
    with pytest.raises(RehearsalError, match="expected it to settle within 3 sweeps over 6 states"):
        equilibrium(0, lambda at: [(min(at + 1, 5), 1.0), (max(at - 1, 0), 1.1)])
