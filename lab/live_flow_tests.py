"""Flow tests as real calls: `callyard flow test --live`, or `python -m lab.live_flow_tests [--site FOLDER] [FILE …]`.

Each test is walked without a telephone first; the tape of that walk says what a caller hears, presses and meets, step
by step. Then a SIP caller calls a real Asterisk with a server of its own, presses the same keys (RFC 4733) at the same
questions, and has to hear the same prompts in the same order (`lab.live_call`).

The site is a copy in which nobody waits longer than `WAIT` in a queue, with one agent who serves every queue; customers
are those of the test, flows take the test's time for now, and webhooks ask a program that answers as the test says
(`lab.live_programs`).
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import uvloop
from sqlalchemy import delete

from cti.config import load_settings
from cti.main import with_emergencies, with_store
from ivr.dialogue import records_of, run_test, time_of
from ivr.errors import Problem, SiteError
from ivr.flow_tests import NUMBER, ReadTest, files_of_tests, read_tests
from ivr.loader import load_site
from ivr.site import Site
from ivr.steps import Enqueue, MessageRecorded, QueueEnded
from ivr.walk import Answered, Came, Entry
from lab.caller import Identity, open_line
from lab.desktop import Desktop, Habits
from lab.live_call import LiveCall, LiveError, Records, UnplayableError, until
from lab.live_programs import Programs, UnanswerableError, lead_here
from lab.paths import home
from lab.phone import AGENT_TONE_HZ, Behaviour
from lab.program import Program, answering, open_program
from lab.sip import SipEndpoint
from lab.stage import FAULTS, cancelled_by_signals
from lab.system import ensure
from lab.world import World, open_world
from screenpop.customer_file import COLUMNS, PIN, import_customers
from screenpop.db.tables import customer
from screenpop.emergencies import Kind, Wanted

AGENT = "live-agent"
EXTENSION = "1999"
WAIT = "6s"
HEEDED_S = 1.5
"""The server looks for emergency orders once a second."""
_TALK = Behaviour(answer_after_s=0.1, talk_s=1.0)
_QUIET = Habits(wrap_up_s=0.0, back_after_s=None, starts_ready=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one test went: `failure` as `callyard flow test` tells it, or why it was not played, or neither."""

    name: str
    failure: Problem | None = None
    not_played: str = ""


class LiveStage:
    """A world on the copy of a site, callers with and without a voice, one agent."""

    def __init__(
        self, world: World, site: Site, time_file: Path, programs: Programs, voice: SipEndpoint, silent: SipEndpoint
    ) -> None:
        self._world = world
        self._programs = programs
        self.site = self._site = site
        self._time_file = time_file
        self._heard_within_s = 30.0
        self._voice, self._silent = voice, silent
        self._agent: Desktop = world.seat(AGENT, _QUIET)
        self._settings = load_settings(Path(world.environment["CALLYARD_CONFIG"]), environment={})

    def on(self, site: Site, *, heard_within_s: float = 5.0) -> LiveStage:
        """The same people and server, held against another site: to see that a difference is seen."""
        other = copy(self)
        other.site = other._site = site
        other._heard_within_s = heard_within_s
        return other

    async def judge(self, test: ReadTest) -> Verdict:
        """Play one test. What fails without a telephone is not played."""
        tape: list[Entry] = []
        failure = run_test(self._site, test, tape)
        if failure is not None:
            return Verdict(test.name, failure)
        if test.given.history:
            return Verdict(test.name, not_played="earlier calls of the caller")
        try:
            self._programs.begin(tape)
            await self._set_out(test)
            async with self._closed(_closed_queues(tape)):
                await self._call(test, tape)
        except LiveError as error:
            return Verdict(test.name, test.problem((test.name,), f"as a real call: {error}"))
        except (UnplayableError, UnanswerableError) as error:
            return Verdict(test.name, not_played=str(error))
        return Verdict(test.name)

    async def _call(self, test: ReadTest, tape: Sequence[Entry]) -> None:
        line = self._voice if _leaves_message(tape) else self._silent
        records = Records(self._world.folder / "data" / "callyard.db")
        place = self._world.sip
        identity = Identity(test.given.caller)
        call = await line.dial(
            f"sip:{test.given.number}@{place[0]}:{place[1]}",
            caller=identity.header(("127.0.0.1", line.port)),
            headers=(("Privacy", "id"),) if identity.number is None else (),
        )
        try:
            live = LiveCall(self._site, self, records, call, tape, self._programs, heard_within_s=self._heard_within_s)
            await live.follow()
            if surplus := self._programs.surplus:
                raise LiveError(f"expected nothing more to be asked; came: {surplus}")
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    await call.hang_up()
        await records.interaction()

    async def _set_out(self, test: ReadTest) -> None:
        """The test's time, and its customers instead of those before."""
        self._time_file.write_text(time_of(self._site, test).isoformat())
        file = self._world.folder / "customers.csv"
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.DictWriter(opened, (*COLUMNS, PIN), extrasaction="ignore")
            writer.writeheader()
            for at, record in enumerate(records_of(test.given)):
                row = {"id": f"L{at}", "name": "-", **record, "numbers": record.get(NUMBER, "")}
                writer.writerow(row | {"vip": "yes" if record.get("vip") == "true" else "no"})
        async with with_store(self._settings) as (store, _, plan):
            async with store.write() as connection:
                await connection.execute(delete(customer))
            await import_customers(store, plan, file)

    @asynccontextmanager
    async def _closed(self, queues: Sequence[str]) -> AsyncIterator[None]:
        """These queues are closed meanwhile, by the emergency switch."""
        if not queues:
            yield
            return
        async with with_emergencies(self._settings) as (emergencies, _):
            orders = await emergencies.give(Wanted(Kind.CLOSE_QUEUE, tuple(queues), reason="a test"), AGENT)
            await asyncio.sleep(HEEDED_S)
            try:
                yield
            finally:
                for order in orders:
                    await emergencies.end(order.id, AGENT)
                await asyncio.sleep(HEEDED_S)

    # --- the agent, as a call meets them -----------------------------------------------------------------

    async def serve(self) -> None:
        self._world.phones[AGENT].behaviour = _TALK
        await self._choose("ready")

    async def rest(self) -> None:
        await self._choose("not_ready")

    async def _choose(self, presence: str) -> None:
        await self._agent.is_connected.wait()
        self._agent.choose(presence, "" if presence == "ready" else self._site.reasons.not_ready[0].code)
        agent = self._agent
        await until(f"an agent who is {presence}", lambda: agent.agent if _is(agent.agent, presence) else {})


def _is(agent: dict[str, object], presence: str) -> bool:
    return presence in (agent.get("presence"), agent.get("next_presence"))


def _closed_queues(tape: Sequence[Entry]) -> list[str]:
    """The queues that the test finds closed."""
    found: dict[str, None] = {}
    for came, answered in pairwise(tape):
        if isinstance(came, Came) and isinstance(came.instruction, Enqueue) and isinstance(answered, Answered):
            if isinstance(answered.result, QueueEnded) and answered.result.outcome == "closed":
                found[came.instruction.queue] = None
    return list(found)


def _leaves_message(tape: Sequence[Entry]) -> bool:
    results = (entry.result for entry in tape if isinstance(entry, Answered))
    return any(isinstance(result, MessageRecorded) and result.file for result in results)


# --- the world --------------------------------------------------------------------------------------------


def _copy(site_dir: Path, folder: Path, url: str) -> Path:
    """The site with short waits, one agent, and the program at `url` in place of all others."""
    copied = folder / "site"
    shutil.copytree(site_dir, copied)
    for file in (copied / "queues.yaml", *(copied / "flows").glob("*.yaml")):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            file.write_text(re.sub(r"(\bmax_wait:\s*)[0-9][^\s,}]*", rf"\g<1>{WAIT}", text), encoding="utf-8")
    site = load_site(copied)
    lead_here(site, copied, url)
    voice = [name for name, queue in site.queues.items() if queue.medium == "voice"]
    with (copied / "people.csv").open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["username", "name", "role", "extension", "phone", "address", "queues", "skills"])
        skills = ";".join(f"{skill}:10" for skill in site.skills)
        writer.writerow([AGENT, "Live Agent", "agent", EXTENSION, "sip", "", ";".join(voice), skills])
    (copied / "customers.csv").unlink(missing_ok=True)
    return copied


@asynccontextmanager
async def open_live_stage(site_dir: Path, folder: Path) -> AsyncIterator[LiveStage]:
    """Everything that the tests of a site need, in a folder; stopped at the end."""
    async with open_program(answering(400)) as program:
        copied = await asyncio.to_thread(_copy, site_dir, folder, program.url)
        async with _open_stage(copied, folder, program) as stage:
            yield stage


@asynccontextmanager
async def _open_stage(copied: Path, folder: Path, program: Program) -> AsyncIterator[LiveStage]:
    time_file = folder / "time"
    time_file.write_text("2026-01-01T00:00:00+00:00")
    voice = await open_line("voice")
    silent = await SipEndpoint.open("silent", listens_for=(AGENT_TONE_HZ,))
    try:
        async with open_world(
            folder / "world",
            site_dir=copied,
            sounds_dir=home() / "sounds",
            trunk_match=[f"127.0.0.1:{line.port}" for line in (voice, silent)],
            server_module="lab.live_server",
            server_environment={"LAB_FLOW_TIME": str(time_file)},
            tells_story=False,
        ) as world:
            site = load_site(copied)
            yield LiveStage(world, site, time_file, Programs(program, site), voice, silent)
    finally:
        await voice.close()
        await silent.close()


async def play(
    site_dir: Path, tests: Callable[[Site], Sequence[ReadTest]], tell: Callable[[Verdict], None]
) -> list[Verdict]:
    """Play the tests of a site, one after the other."""
    with tempfile.TemporaryDirectory(prefix="callyard-live-") as folder:
        async with open_live_stage(site_dir, Path(folder)) as stage:
            found = []
            for test in tests(stage.site):
                found.append(await stage.judge(test))
                tell(found[-1])
            return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.live_flow_tests", description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, required=True)
    parser.add_argument("files", type=Path, nargs="*")
    chosen = parser.parse_args(arguments)
    try:
        ensure(["espeak-ng", "sox"], print)
        site = load_site(chosen.site)
        files = chosen.files or files_of_tests(site)[0]
        contents = [(file, file.read_bytes()) for file in files]
        read = [read_tests(site, f"tests/{file.name}", content) for file, content in contents]
        problems = [problem for _, found in read for problem in found]
        if problems:
            print("\n".join(map(str, sorted(problems))), file=sys.stderr)
            return 1
        names = [test.name for tests, _ in read for test in tests]
        print(f"{len(names)} tests as real calls")

        def again(copied: Site) -> list[ReadTest]:
            return [test for file, content in contents for test in read_tests(copied, f"tests/{file.name}", content)[0]]

        verdicts = uvloop.run(cancelled_by_signals(play(chosen.site, again, _tell)))
    except asyncio.CancelledError:
        return 130
    except (OSError, SiteError, *FAULTS) as error:
        print(str(error), file=sys.stderr)
        return 1
    failed = sum(verdict.failure is not None for verdict in verdicts)
    left = sum(bool(verdict.not_played) for verdict in verdicts)
    print(f"{len(verdicts)} tests: {len(verdicts) - failed - left} passed, {failed} failed, {left} not played")
    return 1 if failed else 0


def _tell(verdict: Verdict) -> None:
    if verdict.failure is not None:
        print(f"FAILED {verdict.failure}", flush=True)
    elif verdict.not_played:
        print(f"not played: {verdict.name}: {verdict.not_played}", flush=True)
    else:
        print(f"passed: {verdict.name}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
