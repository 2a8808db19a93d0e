"""1,500 callers who wait at once on one Asterisk: what each costs our process, and whether the first in line is first.

`python -m lab.bench_waiting` (`make bench-waiting`): SIPp callers without sound wait in one queue, and hear none (a
node without music, so that Asterisk has nothing to play to them). Twenty agents then become ready one after the other
and take calls until nobody waits. All that three times, to see that memory is not lost. An AMI client of the bench's
own says who came when and whose phone call began when. The last line is one JSON object. Exit status: 0 when the bars
hold, 1 when one does not or something could not be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import uvloop

from lab.bench_gaps import Sighting, endpoint_of
from lab.bench_observer import Observer, ObserverError
from lab.bench_throughput import EXTENSIONS, NUMBERS, SITE
from lab.desktop import Habits
from lab.process import Memory, memory
from lab.sipp import SippCaller, agents, callers
from lab.stage import FAULTS, cancelled_by_signals
from lab.system import ensure
from lab.world import World, open_world

WAITING = 1_500
ARRIVALS_PER_S = 50.0
TALK_S = 0.2
ROUNDS = 3
BAR_KB = 40.0
#: Who was answered so much later than another must not be served before them. Closer than that the order in which
#: they were answered and the order in which they asked for an agent (two AGI commands later) may differ.
ORDER_US = 250_000
#: A phone that begins to ring so much later than it was chosen has overtaken nobody: the machine was slow.
RING_US = 500_000
_WARM_UP = 100
_READY_S = 120.0
_ROUND_S = 400.0
_SPARE_FILES = 500


class WaitingError(Exception):
    """The bench could not measure."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What our own records say of a round: when callers asked for an agent after they were answered, and whether they
    were offered in the order in which they asked."""

    lag_p50_ms: float
    lag_max_ms: float
    out_of_order: int


@dataclass(frozen=True, slots=True)
class Round:
    """One round: memory with nobody, with everybody waiting, and afterwards; and who was served when."""

    before: Memory
    waiting: Memory
    after: Memory
    arrived: tuple[str, ...]
    served: tuple[str, ...]
    overtaken: int
    deepest_skip_ms: float = 0.0
    asked: Asked = Asked(0.0, 0.0, 0)

    @property
    def rss_kb(self) -> float:
        """Growth for each who waits."""
        return (self.waiting.rss - self.before.rss) / len(self.arrived)

    @property
    def pss_kb(self) -> float:
        return (self.waiting.pss - self.before.pss) / len(self.arrived)

    @property
    def in_place(self) -> int:
        """So many were served exactly in the order in which they were answered."""
        return sum(one == other for one, other in zip(self.arrived, self.served, strict=False))


def order_of(sightings: Sequence[Sighting], devices: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    """When each caller was answered, which is just before they ask for an agent, and when a phone first rang for
    them: uniqueid → microseconds, in order."""
    arrived: dict[str, int] = {}
    served: dict[str, int] = {}
    for seen in sightings:
        headers = seen.headers
        if (
            seen.name == "Newstate"
            and headers["ChannelStateDesc"] == "Up"
            and endpoint_of(headers["Channel"]) not in devices
        ):
            arrived.setdefault(headers["Uniqueid"], seen.at_us)
        elif seen.name == "DialBegin" and endpoint_of(headers["DestChannel"]) in devices and headers.get("Uniqueid"):
            served.setdefault(headers["Uniqueid"], seen.at_us)
    return arrived, served


def overtaken(arrived: dict[str, int], served: dict[str, int]) -> int:
    """How many were served `RING_US` or more after somebody who had been answered more than `ORDER_US` later."""
    order = sorted(served, key=lambda uniqueid: served[uniqueid])
    count = before = latest = 0
    for uniqueid in order:
        while served[order[before]] <= served[uniqueid] - RING_US:
            latest = max(latest, arrived[order[before]])
            before += 1
        count += arrived[uniqueid] < latest - ORDER_US
    return count


def deepest_skip_ms(arrived: dict[str, int], served: dict[str, int]) -> float:
    """How much later somebody was answered who was rung before another: at most, over all callers. Without slack."""
    latest, deepest = 0, 0
    for uniqueid in sorted(served, key=lambda each: served[each]):
        deepest = max(deepest, latest - arrived[uniqueid])
        latest = max(latest, arrived[uniqueid])
    return deepest / 1000


def asked(file: Path, arrived: dict[str, int]) -> Asked:
    """Read the tables as any program does."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)
    try:
        rows = connection.execute(
            "SELECT v.interaction_id, v.first_asked_at, MIN(o.offered_at) FROM queue_visit v JOIN offer o "
            "ON o.interaction_id = v.interaction_id GROUP BY v.interaction_id"
        ).fetchall()
    finally:
        connection.close()
    mine = [(offered, first, uniqueid) for uniqueid, first, offered in rows if uniqueid in arrived]
    lags = sorted((first - arrived[uniqueid]) / 1000 for _, first, uniqueid in mine)
    latest = count = 0
    for _, first, _ in sorted(mine):
        count += first < latest
        latest = max(latest, first)
    return Asked(lags[len(lags) // 2], lags[-1], count) if lags else Asked(0.0, 0.0, 0)


# --- measuring ----------------------------------------------------------------------------------------


@asynccontextmanager
async def _world(folder: Path, count: int) -> AsyncIterator[World]:
    """Everything but music: without a class Asterisk plays nothing, and has nothing to do for who waits."""
    async with (
        agents(folder / "phones", talk_s=TALK_S, limit_s=3600) as phones,
        open_world(
            folder,
            site_dir=SITE,
            phone_addresses=dict.fromkeys(EXTENSIONS, f"127.0.0.1:{phones.port}"),
            node_changes={"max_calls": 2 * count + 100},
            rtp_ports=4 * ((count + 200) // 2) + 400,
            tells_story=False,
        ) as world,
    ):
        (folder / "ast" / "etc" / "musiconhold.conf").write_text("[general]\n")
        await world.asterisk.cli("module reload res_musiconhold.so")
        if "Class:" in (classes := await world.asterisk.cli("moh show classes")):
            raise WaitingError(f"expected no music, came {classes.strip()!r}")
        allowed = world.asterisk.waiting_calls_allowed
        if allowed < count:
            raise WaitingError(f"the limit on open files allows {allowed} waiting calls, expected {count}")
        for username in EXTENSIONS:
            world.seat(username, Habits(wrap_up_s=None, starts_ready=False))
        yield world


async def _until(what: str, world: World, states: str) -> None:
    try:
        async with asyncio.timeout(_READY_S):
            while not all(desktop.agent.get("state") == states for desktop in world.desktops.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        found = {name: desktop.agent.get("state", "no desktop") for name, desktop in world.desktops.items()}
        raise WaitingError(f"{what}: expected all agents {states} within {_READY_S:.0f} s, came {found}") from None


async def _run_round(world: World, observer: Observer, name: str, count: int) -> Round:
    """Let so many come and wait, then be served by agents who become ready one after the other."""
    for desktop in world.desktops.values():
        desktop.choose("not_ready", "break")
    await _until(name, world, "not_ready")
    observer.take()
    devices = [f"PJSIP/{extension}" for extension in EXTENSIONS.values()]
    calls = [SippCaller(f"+4930231{at:05d}", NUMBERS["short"]) for at in range(count)]
    before = memory(world.server_pid)
    began = time.monotonic()
    async with callers(
        world.folder / f"callers-{name}", world.sip, calls, rate=ARRIVALS_PER_S, limit_s=_ROUND_S
    ) as street:
        await _all_wait(world, count, began)
        waiting = memory(world.server_pid)
        for desktop in world.desktops.values():
            desktop.choose("ready")
            await asyncio.sleep(0.1)
        ended = await street.finished(_ROUND_S + 10)
    if ended.failed or ended.successful != count:
        raise WaitingError(f"{name}: {ended.successful} of {count} callers were served, {ended.failed} failed")
    await asyncio.sleep(2.0)  # records are written behind
    arrived, served = order_of(observer.take(), devices)
    after = memory(world.server_pid)
    found = Round(
        before,
        waiting,
        after,
        tuple(arrived),
        tuple(served),
        overtaken(arrived, served),
        deepest_skip_ms(arrived, served),
        asked(world.folder / "data" / "callyard.db", arrived),
    )
    _say(
        f"{name}: {len(served)} of {len(arrived)} served in {time.monotonic() - began:.0f} s; a waiting call takes "
        f"{found.rss_kb:.1f} KB (RSS), {found.pss_kb:.1f} KB (PSS); process {before.rss} → {waiting.rss} → {after.rss} "
        f"KB; {found.in_place} exactly in place, {found.overtaken} overtaken, "
        f"deepest skip {found.deepest_skip_ms:.0f} ms; "
        f"asked {found.asked.lag_p50_ms:.0f} to {found.asked.lag_max_ms:.0f} ms after the answer, "
        f"{found.asked.out_of_order} offered out of the order in which they asked"
    )
    return found


async def _all_wait(world: World, count: int, began: float) -> None:
    """Until the engine has as many waiting; told by the queue's totals on a desktop's stream."""
    limit_s = count / ARRIVALS_PER_S * 4 + 30
    try:
        async with asyncio.timeout(limit_s):
            while _waiting(world) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    except TimeoutError:
        waited = time.monotonic() - began
        raise WaitingError(f"expected {count} waiting, came {_waiting(world)} in {waited:.0f} s") from None
    await asyncio.sleep(1.0)


def _waiting(world: World) -> int:
    totals = next(iter(world.desktops.values())).totals
    return sum(int(queue["waiting"]) for queue in totals)


async def measure(folder: Path, count: int) -> list[Round]:
    """Warm up, then the rounds. Raises WaitingError, and what world, observer and SIPp raise."""
    async with _world(folder, count) as world:
        observer = Observer(world.node.ami_port, world.provisioned.observer_user, world.provisioned.observer_secret)
        try:
            observer.start()
            await _until("start", world, "logged_out")
            await _run_round(world, observer, "warm-up", min(_WARM_UP, count))
            return [await _run_round(world, observer, f"round {n}", count) for n in range(1, ROUNDS + 1)]
        finally:
            observer.stop()


# --- telling ------------------------------------------------------------------------------------------


def _say(text: str) -> None:
    print(text, flush=True)


def told(rounds: Sequence[Round], count: int) -> dict[str, object]:
    """Say whether the bars hold; return the entry for JSON."""
    largest = max(max(each.rss_kb, each.pss_kb) for each in rounds)
    served = all(sorted(each.served) == sorted(each.arrived) for each in rounds)
    late = sum(each.overtaken for each in rounds)
    leaked_kb = (rounds[-1].after.rss - rounds[-2].after.rss) / count
    _say(f"\na waiting call takes at most {largest:.1f} KB of our process (bar: less than {BAR_KB:g})")
    _say(f"the last round left {leaked_kb:.2f} KB a call behind that the one before had not")
    _say(f"each next free agent got the first in line: {'yes' if served and not late else f'NO, {late} overtaken'}")
    return {
        "waiting": count,
        "kb_per_call": [{"rss": round(each.rss_kb, 2), "pss": round(each.pss_kb, 2)} for each in rounds],
        "rss_kb": [[each.before.rss, each.waiting.rss, each.after.rss] for each in rounds],
        "left_behind_kb_per_call": round(leaked_kb, 2),
        "overtaken": late,
        "deepest_skip_ms": [round(each.deepest_skip_ms, 1) for each in rounds],
        "asked_after_ms": [[round(each.asked.lag_p50_ms, 1), round(each.asked.lag_max_ms, 1)] for each in rounds],
        "offered_out_of_order": sum(each.asked.out_of_order for each in rounds),
        "exactly_in_place": [each.in_place for each in rounds],
        "bars_hold": largest < BAR_KB and served and not late,
        "measured": True,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.bench_waiting", description=__doc__)
    parser.add_argument("--waiting", type=int, default=WAITING, help="callers who wait at once (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and configuration")
    chosen = parser.parse_args(arguments)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for the server that is started from here
    folder = Path(tempfile.mkdtemp(prefix="callyard-waiting-"))
    if chosen.keep:
        _say(f"logs and configuration: {folder}")
    entry: dict[str, object]
    try:
        ensure(["sipp"], _say)
        if hard < chosen.waiting + _SPARE_FILES:
            raise WaitingError(f"open files: expected a limit of {chosen.waiting + _SPARE_FILES}, got {hard}")
        entry = told(uvloop.run(cancelled_by_signals(measure(folder, chosen.waiting))), chosen.waiting)
    except asyncio.CancelledError:
        entry = {"measured": False, "bars_hold": False, "error": "interrupted"}
    except (ObserverError, WaitingError, *FAULTS) as fault:
        entry = {"measured": False, "bars_hold": False, "error": f"{type(fault).__name__}: {fault}"}
        _say(f"\nbench: {entry['error']}")
    finally:
        if not chosen.keep:
            shutil.rmtree(folder, ignore_errors=True)
    _say("\n" + orjson.dumps({"waiting": entry}).decode())
    return 0 if entry["bars_hold"] else 1


if __name__ == "__main__":
    sys.exit(main())
