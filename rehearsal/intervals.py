"""Replications and the confidence intervals that they give (Student's t)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, lgamma, log, sqrt

from rehearsal.errors import RehearsalError


@dataclass(frozen=True, slots=True)
class Interval:
    """The mean of independent replications, and how far the truth may lie from it at this level (0.99: 99 %)."""

    mean: float
    half_width: float
    replications: int
    level: float

    def covers(self, value: float) -> bool:
        return abs(value - self.mean) <= self.half_width


def interval(values: Sequence[float], level: float = 0.99) -> Interval:
    """Student's t interval of the mean. Raises RehearsalError for fewer than two values."""
    count = len(values)
    if count < 2:
        raise RehearsalError(f"interval: expected 2 replications or more, got {count}")
    mean = sum(values) / count
    deviation = sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    return Interval(mean, student_t((1 + level) / 2, count - 1) * deviation / sqrt(count), count, level)


def controlled(values: Sequence[float], controls: Sequence[Sequence[float]], level: float = 0.99) -> Interval:
    """The interval of the mean after taking out what chance is known to have done (control variates; Lavenberg and
    Welch 1981): `controls` has one row per replication, of deviations whose mean is known to be 0 (more callers
    than expected, longer handling than expected). A figure that follows them is known much more closely.

    Regression with intercept; the intercept is the estimate. Controls that never move are left out. Raises
    RehearsalError when there are not at least ten replications more than controls.
    """
    count = len(values)
    moving = [column for column in zip(*controls, strict=True) if max(column) - min(column) > 1e-12]
    freedom = count - len(moving) - 1
    if freedom < 9 or len(controls) != count:
        raise RehearsalError(
            f"controlled: expected a row of controls for each replication, and {len(moving) + 10} replications "
            f"or more, got {len(controls)} rows and {count} replications"
        )
    rows = [[1.0, *row] for row in zip(*moving, strict=True)] if moving else [[1.0]] * count
    size = len(moving) + 1
    squares = [[sum(row[i] * row[j] for row in rows) for j in range(size)] for i in range(size)]
    products = [sum(row[i] * value for row, value in zip(rows, values, strict=True)) for i in range(size)]
    weights = _solve(squares, products)
    spread = _solve(squares, [1.0] + [0.0] * (size - 1))[0]
    left = sum(
        (value - sum(w * x for w, x in zip(weights, row, strict=True))) ** 2
        for row, value in zip(rows, values, strict=True)
    )
    half_width = student_t((1 + level) / 2, freedom) * sqrt(max(0.0, left / freedom * spread))
    return Interval(weights[0], half_width, count, level)


def _solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Gauss's elimination with the largest pivot."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for at in range(size):
        pivot = max(range(at, size), key=lambda row: abs(rows[row][at]))
        rows[at], rows[pivot] = rows[pivot], rows[at]
        if rows[at][at] == 0:
            raise RehearsalError("controlled: expected controls that do not depend on each other")
        for below in range(at + 1, size):
            factor = rows[below][at] / rows[at][at]
            rows[below] = [x - factor * y for x, y in zip(rows[below], rows[at], strict=True)]
    solution = [0.0] * size
    for at in reversed(range(size)):
        rest = sum(rows[at][after] * solution[after] for after in range(at + 1, size))
        solution[at] = (rows[at][size] - rest) / rows[at][at]
    return solution


@lru_cache(maxsize=1024)
def student_t(probability: float, freedom: int) -> float:
    """The quantile of Student's t: at most this with `probability` (0.5 to below 1), for `freedom` from 1.

    By bisection on P(T ≤ t) = 1 − I(ν/(ν+t²); ν/2, 1/2) / 2 (DLMF 8.17), right to nine digits.
    """
    if not 0.5 <= probability < 1 or freedom < 1:
        raise RehearsalError(
            f"student_t: expected a probability from 0.5 to 1 and a freedom from 1, got {probability!r}, {freedom!r}"
        )
    low, high = 0.0, 1.0
    while _t_below(high, freedom) < probability:
        low, high = high, high * 2
    for _ in range(100):
        middle = (low + high) / 2
        if _t_below(middle, freedom) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _t_below(t: float, freedom: int) -> float:
    return 1 - _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Regularised; the continued fraction DLMF 8.17.22, by Lentz's method, on the side where it converges fast."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    front = exp(a * log(x) + b * log(1 - x) + lgamma(a + b) - lgamma(a) - lgamma(b)) / a
    tiny = 1e-300
    fraction, c, d = 1.0, 1.0, 0.0
    for step in range(500):
        half = step // 2
        if step == 0:
            term = 1.0
        elif step % 2 == 0:
            term = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        else:
            term = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        d = 1 / ((1 + term * d) or tiny)
        c = (1 + term / c) or tiny
        fraction *= c * d
        if step and abs(1 - c * d) < 1e-15:
            break
    return front * (fraction - 1)
