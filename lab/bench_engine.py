"""How fast the engine decides: `python -m lab.bench_engine`.

One decision is what the server does with one event, without its network: the event is encoded and written to the
journal (a file in memory), the engine decides with its invariants on, and the next deadline is looked up. The
journal's segments and the engine's full checks are as in the server. The traffic is `lab.engine_load`'s.

Prints decisions a second of one core and their times at the full size, and the cost of a decision at 100, 1,000 and
10,000 agents. `--with rings,ageing` turns features on, `--each` compares every feature with none. The last line is one
JSON object. Exit status: 0 when the bars hold, 1 when one does not.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import orjson

from acd.engine import Engine
from cti.journal import Journal
from lab.bench_gaps import percentile
from lab.engine_load import FULL_SIZE, WORDS, Size, Traffic, of_agents

RATE_BAR = 15_000.0
P99_BAR_MS = 1.0
GROWTH_BAR = 3.0
GROWTH_AGENTS = (100, 1_000, 10_000)
#: As many decisions as lie between two full checks at most, so that every run has one.
DECISIONS = 50_000
ROUNDS = 3
_BYTES_PER_SEGMENT = 8 << 20
_MEMORY = Path("/dev/shm")


@dataclass(slots=True)
class Run:
    """What one stretch of decisions took: nanoseconds each by the clock, and of the processor in all."""

    wall_ns: list[int] = field(default_factory=list)
    cpu_ns: int = 0
    segments_ms: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Decisions a second of processor time."""
        return len(self.wall_ns) / (self.cpu_ns / 1e9)

    @property
    def cost_us(self) -> float:
        """Processor time of a decision."""
        return self.cpu_ns / 1e3 / len(self.wall_ns)

    def at(self, share: float) -> float:
        """Milliseconds by the clock that this share of decisions does not exceed."""
        return percentile(self.wall_ns, share) / 1e6


class Bench:
    """An engine with its journal, in traffic that has become steady."""

    def __init__(self, size: Size, features: Sequence[str], folder: Path) -> None:
        self._traffic = Traffic(size, features)
        self._engine = Engine(self._traffic.configuration, self._traffic.now)
        self._journal = Journal(folder, keep_segments=2)
        self._journal.open()
        self._journal.begin_segment(self._engine, self._traffic.now)
        self.run(self._traffic.opening)

    def run(self, decisions: int) -> Run:
        """So many decisions. Raises RuntimeError when the engine had to repair itself."""
        run = Run()
        traffic, engine, journal = self._traffic, self._engine, self._journal
        due = engine.next_due()
        for _ in range(decisions):
            event, now = traffic.take(due)
            began_cpu, began = time.thread_time_ns(), time.perf_counter_ns()
            journal.append(event, now)
            commands = engine.handle(event, now)
            due = engine.next_due()
            ended, ended_cpu = time.perf_counter_ns(), time.thread_time_ns()
            run.wall_ns.append(ended - began)
            run.cpu_ns += ended_cpu - began_cpu
            traffic.hear(commands)
            if journal.bytes_in_segment >= _BYTES_PER_SEGMENT:
                run.segments_ms.append(_timed_ms(lambda: journal.begin_segment(engine, traffic.now)))
        broken = {name: n for name, n in engine.counts.items() if name.startswith("violation:")}
        if broken:
            raise RuntimeError(f"the engine had to repair itself: {broken}")
        return run

    def waiting(self) -> int:
        return sum(len(queue.line) for queue in self._engine.floor.queues.values())

    def close(self) -> None:
        self._journal.close()


def _timed_ms(work: Callable[[], None]) -> float:
    began = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - began) / 1e6


@contextmanager
def benches(sizes: Mapping[str, tuple[Size, Sequence[str]]]) -> Iterator[dict[str, Bench]]:
    """One bench by each name, with journals in memory where the machine has such files."""
    place = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="callyard-engine-", dir=place) as folder:
        made = {name: Bench(*what, Path(folder) / name) for name, what in sizes.items()}
        try:
            gc.collect()
            yield made
        finally:
            for bench in made.values():
                bench.close()


def interleaved(made: Mapping[str, Bench], rounds: int, decisions: int = DECISIONS) -> dict[str, list[Run]]:
    """Runs that take turns, so that whatever else the machine does falls on all."""
    runs: dict[str, list[Run]] = {name: [] for name in made}
    for _ in range(rounds):
        for name, bench in made.items():
            runs[name].append(bench.run(decisions))
    return runs


# --- telling ------------------------------------------------------------------------------------------


def _say(text: str) -> None:
    print(text, flush=True)


def full(features: Sequence[str], rounds: int) -> dict[str, object]:
    """The full size: rate and times, medians of the rounds."""
    with benches({"full": (FULL_SIZE, features)}) as made:
        runs = interleaved(made, rounds)["full"]
        waiting = made["full"].waiting()
    rate = median(run.rate for run in runs)
    p50, p99 = (median(run.at(share) for run in runs) for share in (0.5, 0.99))
    largest = max(max(run.wall_ns) for run in runs) / 1e6
    segments = [each for run in runs for each in run.segments_ms]
    size = f"{FULL_SIZE.agents:,} agents, {FULL_SIZE.skills} skills, {FULL_SIZE.queues} queues, {waiting:,} waiting"
    _say(f"{size}, {len(runs)} × {DECISIONS:,} decisions")
    _say(f"  {rate:,.0f} decisions a second of one core (bar: {RATE_BAR:,.0f})")
    _say(f"  p50 {p50 * 1e3:.0f} µs   p99 {p99 * 1e3:.0f} µs (bar: {P99_BAR_MS * 1e3:.0f})   largest {largest:.0f} ms")
    if segments:
        _say(f"  a new segment of the journal, every 8 MiB: {median(segments):.0f} ms")
    return {
        "per_s": round(rate),
        "p50_us": round(p50 * 1e3, 1),
        "p99_us": round(p99 * 1e3, 1),
        "largest_ms": round(largest, 1),
        "segment_ms": round(median(segments), 1) if segments else None,
        "waiting": waiting,
        "bars_hold": rate >= RATE_BAR and p99 < P99_BAR_MS,
    }


def growth(features: Sequence[str], rounds: int) -> dict[str, object]:
    """The cost of a decision by the number of agents: n waiting, n / 10 queues."""
    with benches({str(n): (of_agents(n), features) for n in GROWTH_AGENTS}) as made:
        runs = interleaved(made, rounds)
    costs = {name: median(run.cost_us for run in each) for name, each in runs.items()}
    grown = costs[str(GROWTH_AGENTS[-1])] / costs[str(GROWTH_AGENTS[0])]
    _say(f"\n{'agents':>8}{'waiting':>9}{'queues':>8}{'µs a decision':>15}{'p99 µs':>9}")
    for n in GROWTH_AGENTS:
        size, p99 = of_agents(n), median(run.at(0.99) for run in runs[str(n)]) * 1e3
        _say(f"{size.agents:8,}{size.waiting:9,}{size.queues:8,}{costs[str(n)]:15.1f}{p99:9.0f}")
    _say(f"from {GROWTH_AGENTS[0]:,} to {GROWTH_AGENTS[-1]:,} agents: {grown:.2f} times (bar: at most {GROWTH_BAR:g})")
    return {
        "cost_us": {name: round(cost, 1) for name, cost in costs.items()},
        "grown": round(grown, 2),
        "bars_hold": grown <= GROWTH_BAR,
    }


def each_feature(rounds: int) -> dict[str, float]:
    """What every feature alone makes of the cost of a decision, at 1,000 agents; 1 is no change."""
    size = of_agents(1_000)
    with benches({"none": (size, ()), **{word: (size, (word,)) for word in WORDS}}) as made:
        runs = interleaved(made, rounds, DECISIONS // 5)
    costs = {name: median(run.cost_us for run in each) for name, each in runs.items()}
    _say(f"\n{'feature':18}{'µs a decision':>15}{'of none':>9}")
    for name, cost in costs.items():
        _say(f"{name:18}{cost:15.1f}{cost / costs['none']:9.2f}")
    return {name: round(cost / costs["none"], 3) for name, cost in costs.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.bench_engine", description=__doc__)
    parser.add_argument("--with", dest="features", default="", help=f"features to turn on: {', '.join(WORDS)}")
    parser.add_argument("--each", action="store_true", help="compare every feature with none, and nothing else")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of each kind (%(default)s)")
    chosen = parser.parse_args(arguments)
    features = tuple(word for word in chosen.features.split(",") if word)
    unknown = sorted(set(features) - set(WORDS))
    if unknown:
        parser.error(f"--with: expected words out of {', '.join(WORDS)}, got {', '.join(unknown)}")
    if chosen.each:
        _say(orjson.dumps({"cost_of_none": each_feature(chosen.rounds)}).decode())
        return 0
    told = {
        "features": list(features),
        "full": full(features, chosen.rounds),
        "growth": growth(features, chosen.rounds),
    }
    holds = all(told[part]["bars_hold"] for part in ("full", "growth"))  # type: ignore[index]
    _say(orjson.dumps(told | {"bars_hold": holds}).decode())
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
