"""Faults of every kind at random instants under a load of calls, and what came of it: `make chaos SEED= MINUTES= DB=`.

A real Asterisk, the server, SIPp as callers and as phones, desktops. Meanwhile the server is killed and stopped, its
link to Asterisk is cut, goes deaf, stalls, stammers and floods, its database is away, Asterisk reloads. Nothing is
judged by the server's own word: SIPp's logs say who was lost, doubled or overtaken, an AMI client of our own which
phones talk, and the tables are read with plain SQL. The last line is one JSON object; exit status 0 when every count
of faults found is 0. docs/chaos.md says more.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import uvloop

from lab.ami_look import ami_look
from lab.chaos_faults import Fault, FaultKind, draw_faults
from lab.chaos_judge import PhoneLook, doubled, lost, order_violations, phone_stories, records, wrong_states
from lab.chaos_stage import AGENTS, LINES, TALK_S, ChaosError, Stage, open_stage
from lab.chaos_tables import Tables, tables
from lab.sipp import SippCaller, SippResult, SippRun, callers
from lab.stage import FAULTS, cancelled_by_signals
from lab.system import ensure

#: Calls a second, of each line.
RATES = {"short": 0.45, "full": 0.25}
#: Nobody gives up; who was not served after so long is lost.
PATIENCE_S = 240.0
_LOOK_EVERY_S = 1.0
_STABLE_S = 1.5
_SETTLE_S = 90.0
_FLOOD = 5_000


class Run:
    """One run: what is done, and what is seen meanwhile."""

    def __init__(self, stage: Stage, database: Tables, seed: int, minutes: float) -> None:
        self.world = stage.world
        self.wire = stage.wire
        self.database = database
        self.minutes = minutes
        self.lanes = draw_faults(seed, minutes)
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.looks = 0
        self._link_whole_since = 0.0
        self._began = time.monotonic()

    @property
    def _now_s(self) -> float:
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        print(f"{self._now_s:7.1f} s  {text}", flush=True)

    # --- faults --------------------------------------------------------------------------------------------

    async def inject(self) -> None:
        """Every lane to its end; the world is whole afterwards."""
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as lanes:
            for faults in self.lanes.values():
                lanes.create_task(self._play(faults))

    async def _play(self, faults: list[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(max(0.0, fault.at_s - self._now_s))
            self.say(f"{fault.kind} {fault.lasts_s:.1f} s")
            await self._bring_about(fault)
            self.done[fault.kind] += 1

    async def _bring_about(self, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.KILL:
                await self._kill()
                await asyncio.sleep(fault.lasts_s)
                await self.world.spawn_server()
            case FaultKind.STOP:
                self.world.signal_server(signal.SIGSTOP)
                try:
                    await asyncio.sleep(fault.lasts_s)
                finally:
                    self.world.signal_server(signal.SIGCONT)
            case FaultKind.DATABASE:
                async with self.database.away():
                    await asyncio.sleep(fault.lasts_s)
            case FaultKind.RELOAD:
                await self.world.asterisk.cli("core reload")
            case _:
                await self._hurt_link(fault)

    async def _kill(self) -> None:
        process = self.world.process
        assert process is not None
        if process.returncode is not None:
            raise ChaosError(f"the server ended by itself (status {process.returncode}): see its log")
        await self.world.kill_server()

    async def _hurt_link(self, fault: Fault) -> None:
        self._link_whole_since = math.inf
        try:
            await self._hurt_link_for(fault)
        finally:
            self._link_whole_since = self._now_s

    async def _hurt_link_for(self, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.CUT:
                await self.wire.cut()
            case FaultKind.DROP:
                await self.wire.drop()
            case FaultKind.DEAF:
                self.wire.deafen()
            case FaultKind.STALL:
                self.wire.stall()
            case FaultKind.TRUNCATE:
                self.wire.truncate()
                return
            case FaultKind.STAMMER:
                self.wire.stammer()
            case FaultKind.FLOOD:
                self.wire.flood(_FLOOD)
        try:
            await asyncio.sleep(fault.lasts_s)
            if fault.kind is FaultKind.DEAF:
                await self.wire.drop()
        finally:
            await self.wire.mend()

    # --- looking -------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Compare what the server tells of its agents with what Asterisk has, again and again, until cancelled."""
        extensions = frozenset(AGENTS.values())
        node, user, secret = (
            self.world.node,
            self.world.provisioned.observer_user,
            self.world.provisioned.observer_secret,
        )
        seen: dict[str, PhoneLook] = {}
        async with ami_look(node.ami_port, user, secret) as look, httpx.AsyncClient(timeout=3.0) as client:
            ready_since: float | None = None
            while True:
                await asyncio.sleep(_LOOK_EVERY_S)
                before = self._note(seen, await look.phones(extensions))
                is_ready = bool((await self.world.health()).get("ready"))
                ready_since = (ready_since or self._now_s) if is_ready else None
                told = await self._told(client) if is_ready else {}
                after = self._note(seen, await look.phones(extensions))
                since = max(ready_since or 0.0, self._link_whole_since)
                if told and self._now_s - since >= _STABLE_S:
                    self.looks += 1
                    for fault in wrong_states(before, after, told, self._now_s - _STABLE_S):
                        self.say(f"wrong: {fault}")
                        self.wrong.append(fault)

    def _note(self, seen: dict[str, PhoneLook], states: dict[str, str]) -> dict[str, PhoneLook]:
        for extension in list(seen):
            if extension not in states:
                del seen[extension]
        for extension, state in states.items():
            if extension not in seen or seen[extension].state != state:
                seen[extension] = PhoneLook(self._now_s, state)
        return dict(seen)

    async def _told(self, client: httpx.AsyncClient) -> dict[str, str]:
        address, name = self.world.address, "boss"
        try:
            if not client.cookies:
                session = {"username": name, "password": self.world.passwords[name]}
                (
                    await client.post(f"{address}/api/session", json=session, headers={"X-Callyard": "1"})
                ).raise_for_status()
            answer = await client.get(f"{address}/api/agents")
            answer.raise_for_status()
            return {AGENTS[each["id"]]: each["state"] for each in answer.json() if each["id"] in AGENTS}
        except (httpx.HTTPError, ValueError):
            return {}


# --- one run -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a run; lists name what a count of the last line counts."""

    faults: dict[str, int]
    calls: int
    lost: list[str]
    doubled: list[str]
    overtaken: list[tuple[str, str]]
    wrong_states: list[str]
    looks: int
    missing: list[str]
    twice: list[str]
    wrong_records: list[str]
    violations: int

    @property
    def is_clean(self) -> bool:
        return (
            not any(
                (
                    self.lost,
                    self.doubled,
                    self.overtaken,
                    self.wrong_states,
                    self.missing,
                    self.twice,
                    self.wrong_records,
                )
            )
            and not self.violations
        )


async def play(folder: Path, database: Tables, seed: int, minutes: float) -> Found:
    """Play one run. Raises ChaosError, and what world and SIPp raise."""
    async with open_stage(folder, database.url) as stage, AsyncExitStack() as stack:
        run = Run(stage, database, seed, minutes)
        street = {line: await stack.enter_async_context(_callers(folder, stage, line, minutes)) for line in LINES}
        watching = asyncio.create_task(run.watch())
        try:
            await run.inject()
            await asyncio.sleep(max(0.0, minutes * 60 - run._now_s))
            run.say("no more faults; the last callers are served")
            ended = {line: await each.finished(PATIENCE_S + 60) for line, each in street.items()}
            await asyncio.sleep(TALK_S + 2)
            if watching.done():
                watching.result()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        numbers = {line: _numbers(line, minutes) for line in LINES}
        rows = await _settled_records(database, [each for own in numbers.values() for each in own])
        return _judge(run, stage, ended, numbers, rows)


def _numbers(line: str, minutes: float) -> list[str]:
    first = {"short": 2_310_000, "full": 2_320_000}[line]
    return [f"+4930{first + place}" for place in range(round(RATES[line] * minutes * 60))]


def _callers(folder: Path, stage: Stage, line: str, minutes: float) -> AbstractAsyncContextManager[SippRun]:
    calls = [
        SippCaller(number, LINES[line], keys=f"1{100_000 + place}#" if line == "full" else "")
        for place, number in enumerate(_numbers(line, minutes))
    ]
    limit_s = minutes * 60 + PATIENCE_S + 60
    return callers(
        folder / f"callers-{line}", stage.world.sip, calls, rate=RATES[line], fails_after_s=PATIENCE_S, limit_s=limit_s
    )


async def _settled_records(database: Tables, numbers: Sequence[str]) -> list[tuple[str, str]]:
    """The rows of the callers once they are complete, or what there is after a while."""
    query = "SELECT caller, COALESCE(outcome, '') FROM interaction"
    until = time.monotonic() + _SETTLE_S
    while True:
        rows = [(str(caller), str(outcome)) for caller, outcome in await asyncio.to_thread(database.rows, query)]
        if not any(records(numbers, rows)) or time.monotonic() > until:
            return rows
        await asyncio.sleep(1.0)


def _judge(
    run: Run, stage: Stage, ended: dict[str, SippResult], numbers: dict[str, list[str]], rows: list[tuple[str, str]]
) -> Found:
    stories = phone_stories(stage.phones.lines())
    everybody = [each for own in numbers.values() for each in own]
    for line, result in ended.items():
        run.say(f"{line}: {result.successful} calls ended well, {result.failed} did not")
    answered = [line for line in ended["short"].lines if line.what == "answered"]
    missing, twice, wrong = records(everybody, rows)
    log = stage.world.log_path.read_text(errors="replace")
    return Found(
        faults={str(kind): count for kind, count in run.done.items()},
        calls=len(everybody),
        lost=lost(everybody, stories),
        doubled=doubled(stories),
        overtaken=order_violations(answered, stories),
        wrong_states=run.wrong,
        looks=run.looks,
        missing=missing,
        twice=twice,
        wrong_records=wrong,
        violations=len(re.findall(r"violation:", log)),
    )


# --- the command -------------------------------------------------------------------------------------------


def told(found: Found, seed: int, kind: str) -> dict[str, object]:
    """Name the first of each fault; return the last line."""
    for what in ("lost", "doubled", "overtaken", "wrong_states", "missing", "twice", "wrong_records"):
        for each in getattr(found, what)[:10]:
            print(f"{what}: {each}", flush=True)
    return {
        "seed": seed, "database": kind, "faults": sum(found.faults.values()), "kinds": found.faults,
        "calls": found.calls, "lost": len(found.lost), "doubled": len(found.doubled),
        "order_violations": len(found.overtaken), "wrong_states": len(found.wrong_states), "looks": found.looks,
        "records_missing": len(found.missing) + len(found.wrong_records), "records_doubled": len(found.twice),
        "invariant_violations": found.violations,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when no fault was found, 1 when one was, 2 when the run could not be played."""
    parser = argparse.ArgumentParser(prog="python -m lab.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=15.0, help="of calls and faults (%(default)s)")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and configuration")
    chosen = parser.parse_args(arguments)
    ensure(["sipp"], print)
    folder = Path(tempfile.mkdtemp(prefix="callyard-chaos-"))
    try:
        with tables(chosen.database, folder) as database:
            found = uvloop.run(cancelled_by_signals(play(folder, database, chosen.seed, chosen.minutes)))
    except (ChaosError, *FAULTS) as error:
        print(f"not played: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    finally:
        if chosen.keep:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(orjson.dumps(told(found, chosen.seed, chosen.database)).decode(), flush=True)
    return 0 if found.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
