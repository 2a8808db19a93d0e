"""How long an agent sits idle while a caller waits: Callyard against app_queue, on the same Asterisk.

`python -m lab.bench` starts an Asterisk, the server and five desktops, lets SIPp play callers and phones, and runs
rounds in turn: ours, app_queue, ours, app_queue … docs/bench.md says what is measured and how. The last line of the
output is one JSON object. Exit status: 0 when both sides gave enough gaps, 1 when they did not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import uvloop

from lab.asterisk import AsteriskError
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
from lab.desktop import Habits
from lab.sipp import SippCaller, SippError, agents, callers
from lab.system import MissingProgramError, ensure
from lab.world import World, open_world

SITE = Path(__file__).parent / "bench-site"
AGENTS = {f"agent{number}": f"200{number}" for number in range(1, 6)}
DEVICES = tuple(f"PJSIP/{extension}" for extension in AGENTS.values())
NUMBERS = {"ours": "+498999998300", "app_queue": "+498999998301"}
TALK_S = 2.0
#: Callers arrive so fast, each up to a second later at random: app_queue's callers look once a second, each from
#: their own arrival on, so arrivals in step would give it the same gap every time.
CALLERS_PER_S = 10.0
ARRIVAL_SPREAD_S = 1.0
CALLERS_PER_ROUND = 56
MOST_ROUNDS = 9
_READY_S = 30.0
_QUIET_S = 0.7

# app_queue at its fastest: retry 1 is the least that it takes (0 means its default of 5).
_QUEUES = """[general]
persistentmembers = no
autofill = yes
shared_lastcall = no

[bench]
strategy = leastrecent
musicclass = silent
autofill = yes
timeout = 15
retry = 1
wrapuptime = 0
ringinuse = no
joinempty = yes
leavewhenempty = no
announce-frequency = 0
"""
# `t`, as in our own Dial: the bridge is of the same kind on both sides.
_DIALPLAN = f"""; The bench's own: a number that app_queue answers.
[callyard-inbound]
exten => {NUMBERS["app_queue"]},1,Goto(bench-queue,s,1)

[bench-queue]
exten => s,1,Answer()
 same => n,Queue(bench,t)
 same => n,Hangup()
"""


class BenchError(Exception):
    """The bench could not measure."""


@dataclass(slots=True)
class Results:
    """What has been measured so far, by side."""

    rounds: dict[str, list[Round]] = field(default_factory=lambda: {side: [] for side in NUMBERS})
    failed_calls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NUMBERS, 0))
    pops: int = 0
    seconds: float = 0.0

    def gaps(self, side: str) -> list[Gap]:
        return [gap for each in self.rounds[side] for gap in each.gaps]

    def is_enough(self, fewest: int) -> bool:
        return all(len(self.gaps(side)) >= fewest for side in NUMBERS)


# --- measuring ----------------------------------------------------------------------------------------


async def measure(folder: Path, fewest: int, per_round: int) -> Results:
    """Run rounds until both sides have `fewest` gaps. Raises BenchError, and what world and SIPp raise."""
    results = Results()
    began = time.monotonic()
    async with agents(folder / "phones", talk_s=TALK_S, limit_s=1200) as phones, _world(folder, phones.port) as world:
        with _observer(world) as observer:
            await _seat_agents(world)
            _say(f"ready after {time.monotonic() - began:.0f} s: {len(AGENTS)} agents, {per_round} callers a round")
            for number in range(1, MOST_ROUNDS + 1):
                for side in NUMBERS:
                    await _run_round(world, observer, results, side, number, per_round)
                if results.is_enough(fewest):
                    break
            results.pops = sum(len(desktop.offers_ns) for desktop in world.desktops.values())
    results.seconds = time.monotonic() - began
    return results


@asynccontextmanager
async def _world(folder: Path, phone_port: int) -> AsyncIterator[World]:
    etc = folder / "ast" / "etc"
    etc.mkdir(mode=0o700, parents=True)
    (etc / "queues.conf").write_text(_QUEUES)
    (etc / "extensions_site.conf").write_text(_DIALPLAN)
    async with open_world(
        folder,
        site_dir=SITE,
        phone_addresses=dict.fromkeys(AGENTS, f"127.0.0.1:{phone_port}"),
        node_changes={"extra_modules": ("app_queue.so",)},
    ) as world:
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
    for username in AGENTS:
        world.seat(username, Habits(wrap_up_s=None))
    await world.asterisk.cli("module reload res_pjsip.so")
    for device in DEVICES:
        await world.asterisk.cli(f"queue add member {device} to bench")
    told = ""
    try:
        async with asyncio.timeout(_READY_S):
            while not all(desktop.agent.get("state") == "ready" for desktop in world.desktops.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            while told.count("(Not in use)") < len(AGENTS):
                told = await world.asterisk.cli("queue show bench")
                await asyncio.sleep(0.1)
    except TimeoutError:
        states = {name: desktop.agent.get("state", "no desktop") for name, desktop in world.desktops.items()}
        raise BenchError(
            f"not ready within {_READY_S:.0f} s: agents {states}; app_queue says {told.strip()!r}"
        ) from None


async def _run_round(
    world: World, observer: Observer, results: Results, side: str, number: int, per_round: int
) -> None:
    observer.take()
    calls = [SippCaller(f"+4930231{index:05d}", NUMBERS[side]) for index in range(per_round)]
    limit_s = 30 + per_round / len(AGENTS) * (TALK_S + 1)
    folder = world.folder / f"callers-{number}-{side}"
    async with callers(
        folder, world.sip, calls, rate=CALLERS_PER_S, spread_s=ARRIVAL_SPREAD_S, limit_s=limit_s
    ) as street:
        ended = await street.finished(limit_s + 10)
    await asyncio.sleep(_QUIET_S)
    found = gaps_of(observer.take(), DEVICES)
    results.rounds[side].append(found)
    results.failed_calls[side] += ended.failed
    if not found.gaps:
        raise BenchError(
            f"round {number} of {side}: no gap seen; {ended.successful} calls went well, {ended.failed} failed"
        )
    line = summary([gap.stamped_ms for gap in found.gaps])
    times = f"p50 {line.p50:6.1f} ms   p95 {line.p95:6.1f} ms   largest {line.largest:6.1f} ms"
    _say(f"round {number}  {side:9}  {line.n:3} gaps   {times}   load {os.getloadavg()[0]:.1f}")


def _say(text: str) -> None:
    print(text, flush=True)


# --- telling ------------------------------------------------------------------------------------------


def report(results: Results, fewest: int) -> int:
    """Print the table, whether the bars hold, and the JSON line; return the exit status."""
    if not all(results.gaps(side) for side in NUMBERS):
        return _report_failure("no gaps on at least one side")
    lines = {side: summary([gap.stamped_ms for gap in results.gaps(side)]) for side in NUMBERS}
    found = verdict(lines["ours"], lines["app_queue"])
    is_enough = results.is_enough(fewest)
    _print_table(results, lines)
    _say(f"\nmedian {found.ratio:.0f} times shorter (bar: at least {RATIO_BAR:.0f}): {_word(found.ratio_holds)}")
    share_bar = f"(bar: at most {P95_SHARE_BAR:g})"
    _say(f"our p95 is {found.share:.3f} of app_queue's median {share_bar}: {_word(found.share_holds)}")
    if not is_enough:
        _say(f"\nnot enough gaps: expected {fewest} on each side")
    _say(orjson.dumps(_told(results, lines, found, is_enough)).decode())
    return 0 if is_enough else 1


def _print_table(results: Results, lines: Mapping[str, Summary]) -> None:
    _say("\nidle gap: an agent hangs up → DialBegin of the next waiting caller (ms)")
    _say(f"{'':11}{'gaps':>6}{'p50':>10}{'p95':>10}{'largest':>10}{'p50 as it arrived':>20}")
    for side, line in lines.items():
        arrived = summary([gap.arrived_ms for gap in results.gaps(side)])
        _say(f"{side:11}{line.n:6}{line.p50:10.2f}{line.p95:10.2f}{line.largest:10.2f}{arrived.p50:20.2f}")


def _told(results: Results, lines: Mapping[str, Summary], found: Verdict, is_enough: bool) -> dict[str, object]:
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
        "rings": {side: sum(each.rings for each in results.rounds[side]) for side in NUMBERS},
        "pops": results.pops,
        "unserved": {side: sum(each.unserved for each in results.rounds[side]) for side in NUMBERS},
        "failed_calls": results.failed_calls,
        "seconds": round(results.seconds),
    }


def _word(holds: bool) -> str:
    return "holds" if holds else "DOES NOT HOLD"


def _report_failure(why: str) -> int:
    _say(f"\nbench: {why}")
    _say(orjson.dumps({"idle_gap_ms": None, "measured": False, "error": why}).decode())
    return 1


# --- the command --------------------------------------------------------------------------------------


async def _run(folder: Path, fewest: int, per_round: int) -> Results:
    """Ctrl-C and SIGTERM cancel, so that everything is stopped in order."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    return await measure(folder, fewest, per_round)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.bench", description=__doc__)
    parser.add_argument("--gaps", type=int, default=FEWEST_GAPS, help="gaps wanted on each side (%(default)s)")
    parser.add_argument("--callers", type=int, default=CALLERS_PER_ROUND, help="callers a round (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and configuration")
    chosen = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="callyard-bench-"))
    if chosen.keep:
        _say(f"logs and configuration: {folder}")
    try:
        ensure(["sipp"], _say)
        results = uvloop.run(_run(folder, chosen.gaps, chosen.callers))
        return report(results, chosen.gaps)
    except asyncio.CancelledError:
        return _report_failure("interrupted")
    except (
        AsteriskError,
        BenchError,
        MissingProgramError,
        ObserverError,
        RuntimeError,
        SippError,
        TimeoutError,
    ) as fault:
        return _report_failure(f"{type(fault).__name__}: {fault}")
    finally:
        if not chosen.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
