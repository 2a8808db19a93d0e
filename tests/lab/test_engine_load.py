"""The engine's bench: that its traffic is what it says, and that every feature can be measured in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from acd.engine import Engine
from acd.events import OfferAccepted
from acd.invariants import check
from acd.model import AgentState
from lab.bench_engine import Bench, Run, interleaved
from lab.engine_load import WORDS, Size, Traffic, of_agents

SMALL = Size(agents=40, queues=4, skills=8, waiting=40)


def played(traffic: Traffic, events: int) -> tuple[Engine, Counter[str]]:
    engine = Engine(traffic.configuration, traffic.now)
    seen: Counter[str] = Counter()
    for _ in range(events):
        event, now = traffic.take(engine.next_due())
        seen[type(event).__name__] += 1
        traffic.hear(engine.handle(event, now))
    return engine, seen


def test_agents_are_busy_and_about_as_many_wait_as_was_said() -> None:
    traffic = Traffic(SMALL)
    engine, seen = played(traffic, traffic.opening + 2_000)
    states = Counter(agent.state for agent in engine.floor.agents.values())
    waiting = sum(len(queue.line) for queue in engine.floor.queues.values())
    assert states[AgentState.READY] == 0
    assert states[AgentState.TALKING] > 0.7 * SMALL.agents
    assert SMALL.waiting <= waiting <= 1.5 * SMALL.waiting
    assert seen[OfferAccepted.__name__] > 300
    assert sum(engine.counts.values()) < 0.02 * seen.total()


def test_the_same_seed_is_the_same_traffic() -> None:
    first, second = (played(Traffic(SMALL, seed=7), 3_000)[1] for _ in range(2))
    assert first == second
    assert first != played(Traffic(SMALL, seed=8), 3_000)[1]


@pytest.mark.parametrize("feature", WORDS)
def test_the_engine_holds_its_invariants_with_each_feature(feature: str) -> None:
    engine, seen = played(Traffic(SMALL, (feature,)), 4_000)
    assert check(engine) == ()
    assert seen[OfferAccepted.__name__] > 100


def test_a_feature_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected features out of .*, got telepathy"):
        Traffic(SMALL, ("rings", "telepathy"))


def test_a_size_of_agents_keeps_the_shape() -> None:
    assert of_agents(10_000) == Size(agents=10_000, queues=1_000, skills=200, waiting=10_000)


def test_a_run_knows_its_rate_and_its_tail() -> None:
    run = Run(wall_ns=[10_000] * 98 + [3_000_000] * 2, cpu_ns=4_000_000)
    assert (run.rate, run.cost_us) == (25_000, 40)
    assert (run.at(0.5), run.at(0.99)) == (0.01, 3.0)


def test_runs_take_turns_and_are_journaled(tmp_path: Path) -> None:
    bench = Bench(SMALL, (), tmp_path)
    try:
        runs = interleaved({"one": bench}, rounds=2, decisions=100)["one"]
    finally:
        bench.close()
    assert [len(run.wall_ns) for run in runs] == [100, 100]
    lines = (tmp_path / "000001.jsonl").read_bytes().count(b"\n")
    assert lines == 1 + Traffic(SMALL).opening + 200
