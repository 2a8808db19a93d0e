"""A short proof for an operator: does the engine that is installed here still do what theory says?

Five cases, looked at with fixed seeds, so that the same engine gives the same answer on every machine. Intervals
are wide: this finds an engine that orders, staffs or times wrongly, not one that is a percent off.
"""

from __future__ import annotations

from collections.abc import Callable

from acd.engine import Engine
from acd.model import Configuration
from rehearsal.cases import (
    SHORT,
    Case,
    Result,
    erlang_a_case,
    measure,
    n_case,
    overflow_case,
    priority_case,
    wrap_up_case,
)
from rehearsal.day import Decider


def cases() -> tuple[Case, ...]:
    """Waiting and leaving, wrap-up, order by priority, overflow, skills."""
    return (
        erlang_a_case(9, 210, 180, 300),
        wrap_up_case(4, 50, 180, 0.3),
        priority_case(4, (18, 30), 180),
        overflow_case(6, 130, 180, patience=60, after=25),
        n_case((36, 24), (150, 200), (2, 2), 240),
    )


def selfcheck(
    tell: Callable[[str], None], engine_for: Callable[[Configuration, int], Decider] = Engine
) -> bool:  # fmt: skip
    """Rehearse each case and tell a table line by line; False when theory lies outside anywhere. Takes seconds."""
    tell(f"{'':40}{'theory':>10}{'engine':>10}{'± (99 %)':>11}")
    good = True
    for case in cases():
        result = measure(case, SHORT, engine_for)
        good = good and not result.outside()
        for line in _lines(result):
            tell(line)
    tell("The engine does what theory says." if good else "The engine does NOT do what theory says: see above.")
    return good


def _lines(result: Result) -> list[str]:
    lines = [f"{result.case.name} · {result.case.theory} · {result.calls:,} calls"]
    for figure, found in zip(result.case.figures, result.intervals, strict=True):
        digits = 3 if figure.is_share else 1
        verdict = "ok" if found.covers(figure.theory) else "NOT OK"
        lines.append(
            f"  {figure.name:38}{figure.theory:>10.{digits}f}{found.mean:>10.{digits}f}"
            f"{found.half_width:>11.{digits}f}  {verdict}"
        )
    return lines
