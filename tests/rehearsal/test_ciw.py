"""An independent simulator (Ciw) on the same lines as ours: equal results within intervals. Times are printed only:
Ciw moves customers between servers, while ours has the whole engine decide, explain, verify and tell each step."""

from __future__ import annotations

import sys
import time
from math import hypot

import ciw  # type: ignore[import-untyped]
import pytest

from rehearsal.cases import Case, erlang_a_case, erlang_c_case
from rehearsal.chance import SECOND
from rehearsal.day import rehearse
from rehearsal.intervals import Interval, interval
from rehearsal.tally import Day

REPLICATIONS = 10
CALLS = 1_000
WARM_UP_S = 7_200


def by_ciw(agents: int, per_hour: float, handling: float, patience: float | None) -> list[tuple[float, float]]:
    """(mean wait, share not answered at once) of each replication."""
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=per_hour / 3600)],
        service_distributions=[ciw.dists.Exponential(rate=1 / handling)],
        number_of_servers=[agents],
        reneging_time_distributions=[ciw.dists.Exponential(rate=1 / patience) if patience else None],
    )
    found = []
    for replication in range(REPLICATIONS):
        ciw.seed(1_000 + replication)
        simulation = ciw.Simulation(network)
        until = WARM_UP_S + CALLS / per_hour * 3600
        simulation.simulate_until_max_time(until + WARM_UP_S)
        records = [each for each in simulation.get_all_records() if WARM_UP_S <= each.arrival_date < until]
        waits = [record.waiting_time for record in records]
        found.append((sum(waits) / len(waits), sum(wait > 0 for wait in waits) / len(waits)))
    return found


def by_ours(case: Case) -> list[Day]:
    scenario = case.sized(CALLS)
    return [rehearse(scenario, replication) for replication in range(REPLICATIONS)]


def agree(one: Interval, other: Interval) -> bool:
    """The difference of two independent means lies within what both leave open."""
    return abs(one.mean - other.mean) <= hypot(one.half_width, other.half_width)


@pytest.mark.parametrize(("agents", "per_hour", "patience"), [(14, 200, None), (9, 210, 300)])
def test_ciw_agrees(agents: int, per_hour: float, patience: float | None, capsys: pytest.CaptureFixture[str]) -> None:
    case = erlang_a_case(agents, per_hour, 180, patience) if patience else erlang_c_case(agents, per_hour, 180)
    started = time.process_time()
    theirs = by_ciw(agents, per_hour, 180, patience)
    between = time.process_time()
    ours = by_ours(case)
    ended = time.process_time()
    with capsys.disabled():
        calls = REPLICATIONS * (CALLS + 2 * WARM_UP_S * per_hour / 3600)
        sys.stdout.write(
            f"\n  {case.name}: Ciw {(between - started) / calls * 1e6:.0f} µs per call, "
            f"the engine {(ended - between) / sum(len(day.calls) for day in ours) * 1e6:.0f} µs "
        )
    assert agree(interval([wait for wait, _ in theirs]), interval([day.mean_wait_s() for day in ours]))
    assert agree(interval([share for _, share in theirs]), interval([day.waited() for day in ours]))
    assert ours[0].counted_from // SECOND == 10**9 + WARM_UP_S
