"""`python -m lab.compare_ciw`: a rehearsal against Ciw, a general simulator of queues, on the very same line.

M/M/14 without and M/M/9 with patience, the same number of calls, five runs of each in turns, so that whatever else
the machine does falls on both; processor time, median of the five. Both sides keep a record of every call, and the
means are taken from the records. Ciw moves customers between servers and does nothing else; ours has the engine that
runs live decide, explain, verify and tell each step. `CALLS=20000` chooses the length.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import ciw  # type: ignore[import-untyped]

from rehearsal.cases import Case, erlang_a_case, erlang_c_case
from rehearsal.chance import SECOND
from rehearsal.day import rehearse
from rehearsal.intervals import Interval, interval
from rehearsal.tally import Day

RUNS = 5
HANDLING_S = 180


@dataclass(frozen=True, slots=True)
class Line:
    """One queue: its agents, calls per hour and mean patience (s; None: they wait for ever)."""

    agents: int
    per_hour: float
    patience_s: float | None

    def case(self) -> Case:
        """The same line as a case of ours, with what theory says."""
        if self.patience_s is None:
            return erlang_c_case(self.agents, self.per_hour, HANDLING_S)
        return erlang_a_case(self.agents, self.per_hour, HANDLING_S, self.patience_s)


LINES = (Line(14, 200, None), Line(9, 210, 300))


@dataclass(frozen=True, slots=True)
class Found:
    """Of one run: mean wait (s) and share not answered at once of the calls that count, and how many calls in all."""

    wait_s: float
    waited: float
    calls: int


def by_ciw(line: Line, calls: int, seed: int) -> Found:
    """A warm-up of 40 handling times, so many calls that count, and the time until the last of them are gone."""
    patience = ciw.dists.Exponential(rate=1 / line.patience_s) if line.patience_s else None
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=line.per_hour / 3600)],
        service_distributions=[ciw.dists.Exponential(rate=1 / HANDLING_S)],
        number_of_servers=[line.agents],
        reneging_time_distributions=[patience],
    )
    ciw.seed(1_000 + seed)
    simulation = ciw.Simulation(network)
    warm_up_s = 40 * HANDLING_S
    until = warm_up_s + calls / line.per_hour * 3600
    simulation.simulate_until_max_time(until + 10 * HANDLING_S)
    records = simulation.get_all_records()
    waits = [record.waiting_time for record in records if warm_up_s <= record.arrival_date < until]
    return Found(sum(waits) / len(waits), sum(wait > 0 for wait in waits) / len(waits), len(records))


def by_ours(line: Line, calls: int, seed: int) -> Found:
    """The same with the engine."""
    return found_in(rehearse(line.case().sized(calls), seed))


def found_in(day: Day) -> Found:
    assert day.counted_from // SECOND == 10**9 + 40 * HANDLING_S
    return Found(day.mean_wait_s(), day.waited(), len(day.calls))


def timed(run: Callable[[Line, int, int], Found], line: Line, calls: int, seed: int) -> tuple[Found, float]:
    """What a run found, and its processor time per call in µs."""
    began = time.process_time()
    found = run(line, calls, seed)
    return found, (time.process_time() - began) / found.calls * 1e6


def told(name: str, runs: Sequence[tuple[Found, float]]) -> str:
    waits = spread([found.wait_s for found, _ in runs])
    shares = spread([found.waited for found, _ in runs])
    cost = median(us for _, us in runs)
    return (
        f"  {name:12}{cost:6.1f} µs per call   mean wait {waits.mean:6.2f} ± {waits.half_width:5.2f} s   "
        f"not answered at once {shares.mean:.4f} ± {shares.half_width:.4f}"
    )


def spread(values: Sequence[float]) -> Interval:
    return interval(list(values))


def main() -> int:
    calls = int(os.environ.get("CALLS", "20000"))
    print(
        f"Ciw {ciw.__version__}, Python {sys.version.split()[0]}; {RUNS} runs of {calls:,} calls each, in turns; 99 %"
    )
    for line in LINES:
        case = line.case()
        theirs, ours = [], []
        for seed in range(RUNS):
            theirs.append(timed(by_ciw, line, calls, seed))
            ours.append(timed(by_ours, line, calls, seed))
        figures = "   ".join(f"{figure.name} {figure.theory:.4f}" for figure in case.figures[:2])
        print(f"{case.name}\n  {'theory':12}{'':20}{figures}")
        print(told("Ciw", theirs), told("the engine", ours), sep="\n")
        ratio = median(us for _, us in ours) / median(us for _, us in theirs)
        print(f"  the engine takes {ratio:.1f} times as long", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
