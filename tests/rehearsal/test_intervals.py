"""Quantiles against the printed table, intervals against what they promise: to cover as often as they say."""

from __future__ import annotations

import pytest

from rehearsal.chance import stream
from rehearsal.errors import RehearsalError
from rehearsal.intervals import controlled, interval, student_t


@pytest.mark.parametrize(
    ("probability", "freedom", "printed"),
    [(0.975, 1, "12.706"), (0.995, 1, "63.657"), (0.975, 4, "2.776"), (0.995, 9, "3.250"), (0.99, 10, "2.764"),
     (0.995, 19, "2.861"), (0.95, 30, "1.697"), (0.995, 120, "2.617"), (0.5, 7, "0.000")],
)  # fmt: skip
def test_student_t_as_every_table_prints_it(probability: float, freedom: int, printed: str) -> None:
    assert f"{student_t(probability, freedom):.3f}" == printed


def test_interval_by_hand() -> None:
    found = interval([1.0, 2.0, 3.0], level=0.95)
    assert found.mean == 2
    assert found.half_width == pytest.approx(4.303 / 3**0.5, abs=1e-3)
    assert found.covers(4.4)
    assert not found.covers(4.5)


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = stream(5, "cover")
    tries = 1_000
    plain = sum(interval([rng.gauss(7, 2) for _ in range(8)], 0.9).covers(7) for _ in range(tries))
    assert plain / tries == pytest.approx(0.9, abs=0.03)
    narrower = hits = 0
    for _ in range(tries):
        controls = [[rng.gauss(0, 1), 0.0] for _ in range(14)]
        values = [7 + 3 * row[0] + rng.gauss(0, 1) for row in controls]
        found = controlled(values, controls, 0.9)
        hits += found.covers(7)
        narrower += found.half_width < interval(values, 0.9).half_width
    assert hits / tries == pytest.approx(0.9, abs=0.03)
    assert narrower > 0.99 * tries


def test_controls_that_never_move_change_nothing() -> None:
    values = [float(each % 5) for each in range(20)]
    plain, found = interval(values), controlled(values, [[0.0, 0.0]] * 20)
    assert (found.mean, found.half_width) == pytest.approx((plain.mean, plain.half_width))


def test_too_little_is_refused() -> None:
    with pytest.raises(RehearsalError, match="expected 2 replications or more, got 1"):
        interval([1.0])
    with pytest.raises(RehearsalError, match="11 replications or more, got 3 rows and 3 replications"):
        controlled([1.0, 2.0, 3.0], [[1.0], [2.0], [3.0]])
    with pytest.raises(RehearsalError, match="controls that do not depend on each other"):
        controlled([1.0] * 20, [[float(at), float(at)] for at in range(20)])
    with pytest.raises(RehearsalError, match=r"expected a probability from 0\.5 to 1"):
        student_t(1.0, 4)
