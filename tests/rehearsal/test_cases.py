"""The engine against theory, and the engine with one planted fault against the same theory.

In `make test` nearly every case is looked at shortly with a fixed seed. With CALLYARD_LAB_EFFORT above 1 (`make soak`)
each is rehearsed so often that the 99 % half-width is at most 2 % of a mean wait and 0.5 points of a share.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from rehearsal.cases import (
    FULL,
    SHORT,
    Case,
    Effort,
    Result,
    all_cases,
    erlang_a_case,
    erlang_b_case,
    erlang_c_case,
    measure,
    n_case,
    overflow_case,
    priority_case,
    wrap_up_case,
    x_case,
)
from rehearsal.chains import n_design, x_design
from rehearsal.day import rehearse
from rehearsal.errors import RehearsalError
from rehearsal.tally import Day
from tests.effort import examples
from tests.rehearsal.faults import (
    Faulty,
    LastComesFirst,
    PatienceRestarted,
    PlaceLostAtOverflow,
    PriorityIgnored,
    SkillsIgnored,
    WrapUpSkipped,
)

EFFORT = SHORT if examples(1) == 1 else FULL

#: Too many calls for a short look, and their likes are in.
ONLY_IN_FULL = ("Erlang A, 50 agents", "overflow by rule, all wait 45 s, 10 agents")
CASES = [case for case in all_cases() if EFFORT is FULL or case.name not in ONLY_IN_FULL]


@pytest.mark.timeout(3600 if EFFORT is FULL else 60)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_engine_is_as_theory_says(case: Case) -> None:
    result = measure(case, EFFORT)
    assert result.outside() == (), told(result)


def told(result: Result) -> str:
    pairs = zip(result.case.figures, result.intervals, strict=True)
    return "; ".join(f"{f.name}: {f.theory:.4f} expected, {i.mean:.4f} ± {i.half_width:.4f}" for f, i in pairs)


FAULTS: list[tuple[type[Faulty], Case, set[str]]] = [
    (LastComesFirst, erlang_a_case(9, 210, 180, 300), {"answered in 20 s"}),
    (LastComesFirst, overflow_case(6, 130, 180, patience=60, after=25), {"mean wait, s"}),
    (PriorityIgnored, priority_case(4, (18, 30), 180), {"mean wait, s (class 1)"}),
    (PriorityIgnored, x_case((24, 36), (150, 240), (2, 2), (120, 300)), {"mean wait, s (class 1)"}),
    (SkillsIgnored, n_case((36, 24), (150, 200), (2, 2), 240), {"mean wait, s (class 2)", "abandoned (class 2)"}),
    (PlaceLostAtOverflow, overflow_case(6, 130, 180, patience=60, after=25), {"mean wait, s"}),
    (PatienceRestarted, overflow_case(6, 130, 180, patience=60, after=25), {"mean wait, s", "answered in 20 s"}),
    (PatienceRestarted, overflow_case(6, 130, 180, 60, 25, by_rule=True), {"mean wait, s", "answered in 20 s"}),
    (LastComesFirst, overflow_case(6, 130, 180, 60, 25, by_rule=True), {"mean wait, s"}),
    (WrapUpSkipped, wrap_up_case(4, 50, 180, 0.3), {"mean wait, s", "not answered at once", "occupancy"}),
]


@pytest.mark.parametrize(("fault", "case", "seen_in"), FAULTS, ids=[f"{f.__name__}, {c.name}" for f, c, _ in FAULTS])
def test_a_planted_fault_is_seen(fault: type[Faulty], case: Case, seen_in: set[str]) -> None:
    result = measure(case, SHORT, fault)
    assert seen_in <= set(result.outside()), told(result)


def test_a_queue_that_gives_away_by_rule_gives_the_same_day_as_a_flow_that_moves_on() -> None:
    days = [
        rehearse(overflow_case(6, 130, 180, patience=60, after=25, by_rule=by_rule).sized(700))
        for by_rule in (False, True)
    ]
    for one, other in zip(days[0].calls, days[1].calls, strict=True):
        assert replace(one, overflowed=False) == replace(other, overflowed=False)
    assert 0.1 < sum(call.overflowed for call in days[0].calls) / len(days[0].calls) < 0.9
    assert [call.overflowed for call in days[0].calls] == [call.overflowed for call in days[1].calls]


def test_the_chains_of_the_cases_are_cut_where_nobody_is() -> None:
    assert n_design((24 / 3600, 20 / 3600), (180, 180), (2, 2), longest=40).cut < 1e-9
    assert x_design((18 / 3600, 28 / 3600), (150, 240), (2, 2), longest=40).cut < 1e-9


def test_the_wrapper_alone_is_no_fault() -> None:
    assert measure(erlang_b_case(10, 200, 180), SHORT, Faulty).outside() == ()


def test_what_is_lost_without_a_wait_is_erlang_b() -> None:
    case = erlang_b_case(10, 200, 180)
    assert [figure.name for figure in case.figures] == ["abandoned", "occupancy"]


def test_figures_are_read_from_the_stream_that_they_name() -> None:
    day = Day((), 0, 1, 0, 0)
    assert [figure.read(day) for figure in erlang_a_case(3, 60, 100, 100).figures] == [0.0] * 5


def test_a_case_that_is_not_precise_says_so() -> None:
    case = replace(erlang_c_case(2, 20, 180), replications=20)
    with pytest.raises(RehearsalError, match="expected it to be precise after 20 replications"):
        measure(case, Effort(replications=0, calls=20))


def test_precise_means_2_percent_and_half_a_point() -> None:
    result = measure(erlang_c_case(2, 20, 180), Effort(replications=3, calls=50))
    assert not result.is_precise()
