"""Theory against numbers that others published, to every digit printed, and against what must hold of it."""

from __future__ import annotations

from math import exp, expm1

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.theory import (
    Line,
    agents_for,
    erlang_a,
    erlang_b,
    erlang_c,
    erlang_c_quantile,
    erlang_fixed_patience,
    impatient,
    positions,
    priority_waits,
    single_agent_wait,
)


def printed(value: float, as_in: str) -> str:
    """`value` with as many decimals as the published number."""
    return f"{value:.{len(as_in.partition('.')[2])}f}"


def holds(pairs: list[tuple[float, str]]) -> None:
    assert [printed(value, published) for value, published in pairs] == [published for _, published in pairs]


def test_erlang_b_published_by_pyworkforce() -> None:
    holds([(erlang_b(1, 1), "0.5"), (erlang_b(2, 1), "0.2"), (erlang_b(0, 3), "1")])
    fewest = next(agents for agents in range(1, 50) if erlang_b(agents, 10) <= 0.02)
    assert (fewest, positions(fewest, 0.3)) == (17, 25)


def test_erlang_c_published_by_pyworkforce() -> None:
    line = erlang_c(100 / 1800, 180, 14)
    holds([(line.waits, "0.174"), (line.within(0.33 * 60), "0.888"), (line.occupancy, "0.714")])
    assert positions(14, 0.3) == 20
    line = erlang_c(100 / 1800, 180, 15)
    holds([(line.waits, "0.102"), (line.within(0.33 * 60), "0.941"), (line.occupancy, "0.667")])
    assert positions(15, 0.3) == 22


def test_erlang_c_published_by_mitan() -> None:
    line = erlang_c(360 / 1800, 240, 55)
    holds([(line.waits, "0.2387"), (line.wait_s, "8.184"), (line.within(15), "0.8459")])


def test_erlang_c_published_by_the_clausthal_calculator() -> None:
    holds([(erlang_c(3.5 / 60, 180, 13).wait_s, "26.56")])


def test_erlang_c_published_by_garnett_mandelbaum_and_reiman() -> None:
    line = erlang_c(48 / 60, 60, 50)
    holds([(line.wait_s, "20.83"), (line.line, "16.67"), (line.occupancy, "0.96")])
    holds([(erlang_c_quantile(48 / 60, 60, 50, 0.9), "58.1")])
    assert erlang_c_quantile(48 / 60, 60, 50, 0.1) == 0.0


@pytest.mark.parametrize(
    ("load", "handling", "agents", "level", "wait"),
    [(10, 180, 14, ".8884", "7.84"), (20, 240, 25, ".8622", "10.04"),
     (50, 300, 57, ".8454", "10.56"), (100, 180, 107, ".8238", "9.86")],
)  # fmt: skip
def test_fewest_agents_for_80_20(load: float, handling: float, agents: int, level: str, wait: str) -> None:
    assert agents_for(load / handling, handling, 20, 0.8) == agents
    line = erlang_c(load / handling, handling, agents)
    holds([(line.within(20), "0" + level), (line.wait_s, wait)])


PALM = [
    (0.8, 60, 120, 50, "0.467774", "0.030912", "3.70947", "2.96758", "0.930324", "0.943019", "0.973100"),
    (100 / 1800, 180, 300, 14, "0.145260", "0.013984", "4.19512", "0.233062", "0.704297", "0.916792", "0.929794"),
    (3.5 / 60, 180, 300, 9, "0.789839", "0.188728", "56.6184", "3.30274", "0.946484", "0.302079", "0.372353"),
]


@pytest.mark.parametrize("row", PALM)
def test_erlang_a_published(row: tuple[float, float, float, int, str, str, str, str, str, str, str]) -> None:
    line = erlang_a(*row[:4])
    of_answered = line.within(20) / (1 - line.abandoned)
    found = [line.waits, line.abandoned, line.wait_s, line.line, line.occupancy, line.within(20), of_answered]
    holds(list(zip(found, row[4:], strict=True)))


@pytest.mark.parametrize("row", PALM)
def test_erlang_a_by_recursion_and_by_the_general_formula_agree(row: tuple[float, float, float, int, str]) -> None:
    arrivals, handling, patience, agents = row[:4]
    line = erlang_a(arrivals, handling, patience, agents)
    general = impatient(
        arrivals, handling, agents, lambda t: exp(-t / patience), lambda t: -patience * expm1(-t / patience)
    )
    assert figures(line) == pytest.approx(figures(general), rel=1e-9)
    assert line.abandoned == pytest.approx(line.wait_s / patience)
    assert line.line == pytest.approx(arrivals * line.wait_s)


def figures(line: Line) -> list[float]:
    return [line.waits, line.wait_s, line.abandoned, line.line, line.occupancy, line.within(20)]


def test_limits_of_patience() -> None:
    assert figures(erlang_a(0.05, 180, 1e9, 14)) == pytest.approx(figures(erlang_c(0.05, 180, 14)), rel=1e-5, abs=1e-8)
    assert figures(erlang_fixed_patience(0.05, 180, 20_000, 14)) == pytest.approx(figures(erlang_c(0.05, 180, 14)))
    assert erlang_fixed_patience(0.05, 180, 1e-9, 10).abandoned == pytest.approx(erlang_b(10, 9))
    assert erlang_a(0.05, 180, 300, 200).waits == pytest.approx(0, abs=1e-12)


def test_fixed_patience_with_one_agent_in_closed_form() -> None:
    """M/M/1+D: the offered wait has density λ·exp((λ−μ)t) up to the patience, λ·exp(λD−μt) beyond, and 1 at 0."""
    arrivals, rate, patience = 1 / 100, 1 / 80, 60
    before = arrivals * expm1((arrivals - rate) * patience) / (arrivals - rate)
    beyond = arrivals / rate * exp((arrivals - rate) * patience)
    line = erlang_fixed_patience(arrivals, 1 / rate, patience, 1)
    assert line.abandoned == pytest.approx(beyond / (1 + before + beyond))
    assert line.waits == pytest.approx((before + beyond) / (1 + before + beyond))
    assert line.within(-1) == 0
    assert line.within(patience) == pytest.approx(1 - line.abandoned)


def test_priorities_conserve_the_wait_of_all() -> None:
    arrivals = (0.004, 0.006, 0.005)
    waits = priority_waits(arrivals, 180, 4)
    of_all = sum(each * wait for each, wait in zip(arrivals, waits, strict=True)) / sum(arrivals)
    assert list(waits) == sorted(waits)
    assert of_all == pytest.approx(erlang_c(sum(arrivals), 180, 4).wait_s)


def test_one_agent() -> None:
    assert single_agent_wait(0.005, 120, 1) == pytest.approx(erlang_c(0.005, 120, 1).wait_s)
    assert single_agent_wait(0.005, 120, 0) == pytest.approx(erlang_c(0.005, 120, 1).wait_s / 2)


def test_overload_has_no_equilibrium() -> None:
    with pytest.raises(RehearsalError, match="expected a load below 3 agents, got 3"):
        erlang_c(1, 3, 3)
    with pytest.raises(RehearsalError, match="expected a load below 1 agent, got 2"):
        single_agent_wait(1, 2, 0)
    with pytest.raises(RehearsalError, match="expected a load below 2 agents, got 4"):
        priority_waits((1, 1), 2, 2)
    with pytest.raises(RehearsalError, match=r"expected 0 to below 1, got 1\.0"):
        agents_for(1, 1, 20, 1.0)
