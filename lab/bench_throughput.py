"""How many calls a second get through: Callyard against app_queue, on the same Asterisk.

`python -m lab.bench_throughput` (a part of `python -m lab.bench`): twenty phones that talk 0.2 s; SIPp lets calls
come faster and faster through app_queue until some fail, then as fast through our queue, then through our full flow
(menu, digits, look-ups, journal, database, pops on twenty desktops), with the processor time of our process a call.
docs/bench.md says more. The last line of the output is one JSON object. Exit status: 0 when all was measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import uvloop

from lab.desktop import Habits
from lab.process import processor_s
from lab.sipp import SippCaller, SippResult, agents, callers
from lab.stage import FAULTS, cancelled_by_signals
from lab.system import ensure
from lab.world import World, open_world

SITE = Path(__file__).parent / "throughput-site"
EXTENSIONS = {f"agent{number}": f"{2000 + number}" for number in range(1, 21)}
NUMBERS = {"short": "+498999998400", "app_queue": "+498999998401", "full": "+498999998402"}
TALK_S = 0.2
#: Calls a second that are tried one after the other.
RATES = (20, 30, 40, 50, 60, 70, 80, 90, 100)
STEP_S = 8.0
#: Who has not been served so long after the answer is a failed call.
PATIENCE_S = 10.0
#: A rate has failed when it failed so often in a row: one lost packet of a busy machine is no limit.
TRIES = 2
FULL_BAR = 0.7
CPU_BAR_MS = 4.0
CUSTOMERS = 100
_READY_S = 120.0
_MOST_CALLS = 2_000
_RTP_PORTS = 8_000

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
_DIALPLAN = f"""; The bench's own: a number that app_queue answers.
[callyard-inbound]
exten => {NUMBERS["app_queue"]},1,Goto(bench-queue,s,1)

[bench-queue]
exten => s,1,Answer()
 same => n,Queue(bench,t)
 same => n,Hangup()
"""


class ThroughputError(Exception):
    """The throughput could not be measured."""


@dataclass(frozen=True, slots=True)
class Step:
    """So many calls at one rate. `cpu_ms`: processor time of our process a call."""

    way: str
    rate: float
    calls: int
    failed: int
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Throughput:
    """What was found. `highest`: app_queue's highest rate without a failed call."""

    highest: float
    short: Step
    full: Step
    steps: tuple[Step, ...]
    seconds: float

    @property
    def bars_hold(self) -> bool:
        carried = self.short.failed == 0 and self.full.failed == 0 and self.full.rate >= FULL_BAR * self.highest
        return carried and self.full.cpu_ms <= CPU_BAR_MS


# --- the world ----------------------------------------------------------------------------------------


@asynccontextmanager
async def open_stage(folder: Path, *, module: str = "cti.cli") -> AsyncIterator[World]:
    """Asterisk, server (run as `module`), twenty phones and desktops that are ready."""
    etc = folder / "ast" / "etc"
    etc.mkdir(mode=0o700, parents=True)
    (etc / "queues.conf").write_text(_QUEUES)
    (etc / "extensions_site.conf").write_text(_DIALPLAN)
    async with (
        agents(folder / "phones", talk_s=TALK_S, limit_s=1200) as phones,
        open_world(
            folder,
            site_dir=SITE,
            phone_addresses=dict.fromkeys(EXTENSIONS, f"127.0.0.1:{phones.port}"),
            node_changes={"extra_modules": ("app_queue.so",), "max_calls": _MOST_CALLS},
            rtp_ports=_RTP_PORTS,
            server_module=module,
            tells_story=False,
        ) as world,
    ):
        await _seat_agents(world)
        yield world


async def _seat_agents(world: World) -> None:
    for username in EXTENSIONS:
        world.seat(username, Habits(wrap_up_s=None))
    await world.asterisk.cli("module reload res_pjsip.so")
    for extension in EXTENSIONS.values():
        await world.asterisk.cli(f"queue add member PJSIP/{extension} to bench")
    told = ""
    try:
        async with asyncio.timeout(_READY_S):
            while not all(desktop.agent.get("state") == "ready" for desktop in world.desktops.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            while told.count("(Not in use)") < len(EXTENSIONS):
                told = await world.asterisk.cli("queue show bench")
                await asyncio.sleep(0.1)
    except TimeoutError:
        states = {name: desktop.agent.get("state", "no desktop") for name, desktop in world.desktops.items()}
        raise ThroughputError(f"not ready within {_READY_S:.0f} s: agents {states}; {told.strip()!r}") from None


# --- measuring ----------------------------------------------------------------------------------------


async def play(world: World, way: str, rate: float, seconds: float) -> Step:
    """Let calls come for so long at one rate and see how they end."""
    count = round(rate * seconds)
    calls = [_caller(way, number) for number in range(count)]
    began_s = processor_s(world.server_pid)
    folder = world.folder / f"calls-{way}-{rate:g}-{time.monotonic_ns()}"
    limit_s = seconds + 3 * PATIENCE_S
    async with callers(folder, world.sip, calls, rate=rate, fails_after_s=PATIENCE_S, limit_s=limit_s) as street:
        ended = await street.finished(limit_s + 10)
    await asyncio.sleep(0.5)  # what a call leaves to do is its own too
    cpu_ms = (processor_s(world.server_pid) - began_s) * 1e3 / count
    step = Step(way, rate, count, _failed(ended, count), cpu_ms)
    cost = "" if way == "app_queue" else f"   {cpu_ms:.2f} ms of ours a call"
    _say(f"{way:9} {rate:4.0f} calls/s: {count:4} calls, {step.failed} failed{cost}   load {os.getloadavg()[0]:.1f}")
    return step


def _failed(ended: SippResult, count: int) -> int:
    return max(ended.failed, count - ended.successful)


def _caller(way: str, number: int) -> SippCaller:
    customer = number % CUSTOMERS
    keys = f"1{100_000 + customer}#" if way == "full" else ""
    return SippCaller(f"+4930{2_310_000 + customer}", NUMBERS[way], keys=keys)


async def play_again(world: World, way: str, rate: float) -> Step:
    """A step; where calls fail it is tried again, for the last try counts."""
    for _ in range(TRIES):
        step = await play(world, way, rate, STEP_S)
        if not step.failed:
            break
    return step


async def measure(folder: Path, rates: Sequence[float]) -> Throughput:
    """Ramp app_queue, then ours. Raises ThroughputError, and what world and SIPp raise."""
    began = time.monotonic()
    async with open_stage(folder) as world:
        await play(world, "full", 5, 4.0)  # first calls pay for imports and connections
        steps = []
        for rate in rates:
            steps.append(await play_again(world, "app_queue", rate))
            if steps[-1].failed:
                break
        highest = max((step.rate for step in steps if not step.failed), default=0)
        if not highest:
            raise ThroughputError(f"app_queue failed calls at {rates[0]} a second already")
        short = await play_again(world, "short", highest)
        full = await play_again(world, "full", FULL_BAR * highest)
        pops = sum(len(desktop.offers_ns) for desktop in world.desktops.values())
    if pops < full.calls:
        raise ThroughputError(f"expected a pop for each of {full.calls} calls of the full flow, came {pops}")
    return Throughput(highest, short, full, (*steps, short, full), time.monotonic() - began)


# --- telling ------------------------------------------------------------------------------------------


def _say(text: str) -> None:
    print(text, flush=True)


def told(found: Throughput) -> dict[str, object]:
    """Say whether the bars hold; return the entry for JSON."""
    short, full = found.short, found.full
    _say(f"\napp_queue's highest rate without a failed call: {found.highest:g} a second")
    _say(f"ours, queue only, at {short.rate:g} a second: {short.failed} failed (bar: none)")
    _say(f"ours, full flow, at {full.rate:g} a second: {full.failed} failed (bar: none)")
    _say(f"processor time of our process: {full.cpu_ms:.2f} ms a call of the full flow (bar: {CPU_BAR_MS:g})")
    return {
        "app_queue_highest_per_s": found.highest,
        "short": _step(short),
        "full": _step(full),
        "cpu_ms_per_call": round(full.cpu_ms, 2),
        "bars_hold": found.bars_hold,
        "measured": True,
        "seconds": round(found.seconds),
    }


def _step(step: Step) -> Mapping[str, object]:
    return {"per_s": step.rate, "calls": step.calls, "failed": step.failed, "cpu_ms_per_call": round(step.cpu_ms, 2)}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.bench_throughput", description=__doc__)
    parser.add_argument("--rates", default=",".join(str(rate) for rate in RATES), help="tried in turn (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and configuration")
    chosen = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="callyard-throughput-"))
    if chosen.keep:
        _say(f"logs and configuration: {folder}")
    entry: dict[str, object]
    try:
        ensure(["sipp"], _say)
        rates = [float(rate) for rate in chosen.rates.split(",")]
        entry = told(uvloop.run(cancelled_by_signals(measure(folder, rates))))
    except asyncio.CancelledError:
        entry = {"measured": False, "error": "interrupted"}
    except (ThroughputError, *FAULTS) as fault:
        entry = {"measured": False, "error": f"{type(fault).__name__}: {fault}"}
        _say(f"\nbench: {entry['error']}")
    finally:
        if not chosen.keep:
            shutil.rmtree(folder, ignore_errors=True)
    _say("\n" + orjson.dumps({"throughput": entry}).decode())
    return 0 if entry["measured"] else 1


if __name__ == "__main__":
    sys.exit(main())
