"""Callyard against app_queue, on the same Asterisk: idle gaps in several scenarios, and throughput.

`python -m lab.bench` starts an Asterisk, the server and ten desktops, lets SIPp play callers and phones, and runs
rounds in turn: ours, app_queue, ours, app_queue …, for each scenario of `lab.bench_scenarios`; then it lets
`lab.bench_throughput` ramp. docs/bench.md says what is measured and how. The last line of the output is one JSON
object with an entry for each. Exit status: 0 when everything could be measured, 1 when something could not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import uvloop

from cti.config import load_settings
from cti.sounds import sound_cache
from lab.bench_gaps import (
    FEWEST_GAPS,
    P95_SHARE_BAR,
    RATIO_BAR,
    Gap,
    Round,
    Summary,
    Verdict,
    gaps_of,
    summary,
    verdict,
)
from lab.bench_observer import Observer, ObserverError
from lab.bench_scenarios import (
    ANNOUNCEMENT,
    EXTENSIONS,
    SCENARIOS,
    SIDES,
    SITE,
    TALK_S,
    Scenario,
    dialplan,
    queues_conf,
)
from lab.bench_throughput import RATES, ThroughputError
from lab.bench_throughput import measure as measure_throughput
from lab.bench_throughput import told as tell_throughput
from lab.desktop import Habits
from lab.sipp import SippCaller, agents, callers
from lab.stage import FAULTS, cancelled_by_signals
from lab.system import ensure
from lab.world import World, open_world

#: Callers arrive so fast, each up to a second later at random: app_queue's callers look once a second, each from
#: their own arrival on, so arrivals in step would give it the same gap every time.
CALLERS_PER_S = 10.0
ARRIVAL_SPREAD_S = 1.0
MOST_ROUNDS = 9
THROUGHPUT = "throughput"
_READY_S = 120.0
_QUIET_S = 0.7


class BenchError(Exception):
    """The bench could not measure."""


@dataclass(slots=True)
class Results:
    """What has been measured of one scenario so far, by side."""

    scenario: Scenario
    rounds: dict[str, list[Round]] = field(default_factory=lambda: {side: [] for side in SIDES})
    failed_calls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SIDES, 0))
    pops: int = 0
    seconds: float = 0.0

    def gaps(self, side: str) -> list[Gap]:
        return [gap for each in self.rounds[side] for gap in each.gaps]

    def is_enough(self, fewest: int) -> bool:
        return all(len(self.gaps(side)) >= fewest for side in SIDES)


# --- measuring ----------------------------------------------------------------------------------------


async def measure(folder: Path, scenarios: Sequence[Scenario], fewest: int) -> list[Results]:
    """Run rounds until both sides of each have `fewest` gaps. Raises BenchError, and what world and SIPp raise."""
    began = time.monotonic()
    async with agents(folder / "phones", talk_s=TALK_S, limit_s=1800) as phones, _world(folder, phones.port) as world:
        with _observer(world) as observer:
            await _seat_agents(world)
            _say(f"ready after {time.monotonic() - began:.0f} s: {len(EXTENSIONS)} agents")
            return [await _run_scenario(world, observer, each, fewest) for each in scenarios]


@asynccontextmanager
async def _world(folder: Path, phone_port: int) -> AsyncIterator[World]:
    etc = folder / "ast" / "etc"
    etc.mkdir(mode=0o700, parents=True)
    (etc / "extensions_site.conf").write_text(dialplan())
    async with open_world(
        folder,
        site_dir=SITE,
        phone_addresses=dict.fromkeys(EXTENSIONS, f"127.0.0.1:{phone_port}"),
    ) as world:
        sounds = sound_cache(load_settings(folder / "callyard.yaml", environment={}))
        (etc / "queues.conf").write_text(queues_conf(await sounds.path(ANNOUNCEMENT, "en")))
        said = await world.asterisk.cli("module load app_queue.so")
        if "Loaded" not in said:
            raise BenchError(f"app_queue was not loaded: {said.strip()!r}")
        yield world


@contextmanager
def _observer(world: World) -> Iterator[Observer]:
    observer = Observer(world.node.ami_port, world.provisioned.observer_user, world.provisioned.observer_secret)
    try:
        observer.start()
        yield observer
    finally:
        observer.stop()


async def _seat_agents(world: World) -> None:
    """Open every desktop; return when all agents are ready, and app_queue sees all phones free.

    app_queue rings only phones whose device state is good, and Asterisk works out that of a phone with a fixed
    address when its SIP module loads: hence the reload, before app_queue gets the phones.
    """
    for username in EXTENSIONS:
        world.seat(username, Habits(wrap_up_s=None))
    await world.asterisk.cli("module reload res_pjsip.so")
    seats = [(queue, device) for each in SCENARIOS for queue in each.queues for device in each.devices]
    for queue, device in seats:
        await world.asterisk.cli(f"queue add member {device} to {queue}")
    told = ""
    try:
        async with asyncio.timeout(_READY_S):
            while not all(desktop.agent.get("state") == "ready" for desktop in world.desktops.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            while told.count("(Not in use)") < len(seats):
                told = await world.asterisk.cli("queue show")
                await asyncio.sleep(0.1)
    except TimeoutError:
        states = {name: desktop.agent.get("state", "no desktop") for name, desktop in world.desktops.items()}
        raise BenchError(
            f"not ready within {_READY_S:.0f} s: agents {states}; app_queue says {told.strip()!r}"
        ) from None


async def _run_scenario(world: World, observer: Observer, scenario: Scenario, fewest: int) -> Results:
    results = Results(scenario)
    began, pops = time.monotonic(), _pops(world)
    _say(f"\n{scenario.name}: {scenario.title}, {scenario.per_round} callers a round")
    for number in range(1, MOST_ROUNDS + 1):
        for side in SIDES:
            await _run_round(world, observer, results, side, number)
        if results.is_enough(fewest):
            break
    results.pops = _pops(world) - pops
    results.seconds = time.monotonic() - began
    return results


def _pops(world: World) -> int:
    return sum(len(desktop.offers_ns) for desktop in world.desktops.values())


async def _run_round(world: World, observer: Observer, results: Results, side: str, number: int) -> None:
    scenario = results.scenario
    observer.take()
    dialled = scenario.numbers[side]
    calls = [SippCaller(f"+4930231{at:05d}", dialled[at % len(dialled)]) for at in range(scenario.per_round)]
    limit_s = 30 + scenario.per_round / len(scenario.devices) * (TALK_S + 6)
    folder = world.folder / f"callers-{scenario.name}-{number}-{side}"
    async with callers(
        folder, world.sip, calls, rate=CALLERS_PER_S, spread_s=ARRIVAL_SPREAD_S, limit_s=limit_s
    ) as street:
        ended = await street.finished(limit_s + 10)
    await asyncio.sleep(_QUIET_S)
    found = gaps_of(observer.take(), scenario.devices)
    results.rounds[side].append(found)
    results.failed_calls[side] += ended.failed
    if not found.gaps:
        raise BenchError(
            f"{scenario.name}, round {number} of {side}: no gap seen; {ended.successful} calls went well, "
            f"{ended.failed} failed"
        )
    line = summary([gap.stamped_ms for gap in found.gaps])
    times = f"p50 {line.p50:6.1f} ms   p95 {line.p95:6.1f} ms   largest {line.largest:6.1f} ms"
    _say(f"round {number}  {side:9}  {line.n:3} gaps   {times}   load {os.getloadavg()[0]:.1f}")


def _say(text: str) -> None:
    print(text, flush=True)


# --- telling ------------------------------------------------------------------------------------------


def told(results: Results, fewest: int) -> dict[str, object]:
    """Print the scenario's table and whether its bars hold; return its entry. BenchError without gaps on a side."""
    if not all(results.gaps(side) for side in SIDES):
        raise BenchError(f"{results.scenario.name}: no gaps on at least one side")
    lines = {side: summary([gap.stamped_ms for gap in results.gaps(side)]) for side in SIDES}
    found = verdict(lines["ours"], lines["app_queue"])
    _print_table(results, lines)
    _say(f"median {found.ratio:.0f} times shorter (bar: at least {RATIO_BAR:.0f}): {_word(found.ratio_holds)}")
    share_bar = f"(bar: at most {P95_SHARE_BAR:g})"
    _say(f"our p95 is {found.share:.3f} of app_queue's median {share_bar}: {_word(found.share_holds)}")
    if not results.is_enough(fewest):
        _say(f"not enough gaps: expected {fewest} on each side")
    return _entry(results, lines, found, results.is_enough(fewest))


def _print_table(results: Results, lines: Mapping[str, Summary]) -> None:
    _say(f"\n{results.scenario.title}: an agent hangs up → DialBegin of the next waiting caller (ms)")
    _say(f"{'':11}{'gaps':>6}{'p50':>10}{'p95':>10}{'largest':>10}{'p50 as it arrived':>20}")
    for side, line in lines.items():
        arrived = summary([gap.arrived_ms for gap in results.gaps(side)])
        _say(f"{side:11}{line.n:6}{line.p50:10.2f}{line.p95:10.2f}{line.largest:10.2f}{arrived.p50:20.2f}")


def _entry(results: Results, lines: Mapping[str, Summary], found: Verdict, is_enough: bool) -> dict[str, object]:
    return {
        "idle_gap_ms": {
            side: {"p50": round(s.p50, 2), "p95": round(s.p95, 2), "max": round(s.largest, 2), "n": s.n}
            for side, s in lines.items()
        },
        "ratio_p50": round(found.ratio, 1),
        "p95_share_of_app_queue_p50": round(found.share, 4),
        "bars_hold": found.ratio_holds and found.share_holds,
        "measured": is_enough,
        "rounds": len(results.rounds["ours"]),
        "rings": {side: sum(each.rings for each in results.rounds[side]) for side in SIDES},
        "pops": results.pops,
        "unserved": {side: sum(each.unserved for each in results.rounds[side]) for side in SIDES},
        "failed_calls": results.failed_calls,
        "seconds": round(results.seconds),
    }


def _word(holds: bool) -> str:
    return "holds" if holds else "DOES NOT HOLD"


# --- the command --------------------------------------------------------------------------------------


def _gaps(folder: Path, names: Sequence[str], fewest: int) -> dict[str, dict[str, object]]:
    chosen = [each for each in SCENARIOS if each.name in names]
    found = uvloop.run(cancelled_by_signals(measure(folder, chosen, fewest)))
    return {results.scenario.name: told(results, fewest) for results in found}


def _throughput(folder: Path) -> dict[str, object]:
    _say("\nthroughput: twenty agents, talk 0.2 s, faster and faster")
    return tell_throughput(uvloop.run(cancelled_by_signals(measure_throughput(folder, RATES))))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    known = [*(each.name for each in SCENARIOS), THROUGHPUT]
    parser = argparse.ArgumentParser(prog="python -m lab.bench", description=__doc__)
    parser.add_argument("--gaps", type=int, default=FEWEST_GAPS, help="gaps wanted on each side (%(default)s)")
    parser.add_argument("--only", default=",".join(known), help="scenarios, parted by commas (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and configuration")
    chosen = parser.parse_args(arguments)
    names = [name for name in chosen.only.split(",") if name]
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"--only: expected scenarios out of {', '.join(known)}, got {', '.join(unknown)}")
    folder = Path(tempfile.mkdtemp(prefix="callyard-bench-"))
    if chosen.keep:
        _say(f"logs and configuration: {folder}")
    entries: dict[str, dict[str, object]] = {}
    try:
        ensure(["sipp"], _say)
        if set(names) - {THROUGHPUT}:
            entries |= _gaps(folder / "gaps", names, chosen.gaps)
        if THROUGHPUT in names:
            entries[THROUGHPUT] = _throughput(folder / "throughput")
    except asyncio.CancelledError:
        entries["failure"] = {"measured": False, "error": "interrupted"}
    except (BenchError, ObserverError, ThroughputError, *FAULTS) as fault:
        entries["failure"] = {"measured": False, "error": f"{type(fault).__name__}: {fault}"}
        _say(f"\nbench: {entries['failure']['error']}")
    finally:
        if not chosen.keep:
            shutil.rmtree(folder, ignore_errors=True)
    measured = all(entry["measured"] for entry in entries.values())
    holds = measured and all(entry["bars_hold"] for entry in entries.values())
    _say("\n" + orjson.dumps(entries | {"measured": measured, "bars_hold": holds}).decode())
    return 0 if measured else 1


if __name__ == "__main__":
    sys.exit(main())
