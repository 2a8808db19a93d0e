"""Where one flow test at a time is played as a real call: an Asterisk, a server and people of its own.

Before each test the server's customers, earlier calls, closed and full queues and the flows' time become those of the
test; afterwards nothing of the call is left that the next one would meet.
"""

from __future__ import annotations

import asyncio
import csv
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import phonenumbers
from sqlalchemy import delete, select

from cti.config import load_settings
from cti.main import with_emergencies, with_store
from cti.outbound import Refused, outbound_of
from ivr.dialogue import records_of, run_test, time_of
from ivr.errors import Problem
from ivr.flow_tests import NUMBER, ReadTest
from ivr.loader import load_site
from ivr.site import Site
from ivr.steps import Enqueue, MessageRecorded, Promised, QueueEnded, Transfer, TransferEnded
from ivr.walk import Answered, Came, Entry
from lab.caller import Identity, open_line
from lab.desktop import Desktop, Habits
from lab.live_call import LiveCall, LiveError, Records, UnplayableError, until
from lab.live_far import FarEnds
from lab.live_past import as_it_can_be, differences, past_of, write_past
from lab.live_programs import Programs, UnanswerableError
from lab.live_site import AGENT, RULES, SUPERVISOR, can_end, copy_site, number_to_fill, set_queues
from lab.paths import home
from lab.phone import AGENT_TONE_HZ, Behaviour
from lab.program import Program, answering, open_program
from lab.sip import SipEndpoint
from lab.sip_call import SipCall
from lab.world import World, open_world
from screenpop.customer_file import COLUMNS, PIN, import_customers
from screenpop.db.tables import customer, customer_number
from screenpop.emergencies import Kind, Wanted

HEEDED_S = 1.5
"""The server looks for emergency orders once a second."""
_TALK = Behaviour(answer_after_s=0.1, talk_s=1.0)
_QUIET = Habits(wrap_up_s=0.0, back_after_s=None, starts_ready=False)
_HANG_UP_S = 2.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one test went: `failure` as `callyard flow test` tells it, or why it was not played, or neither."""

    name: str
    failure: Problem | None = None
    not_played: str = ""


class LiveStage:
    """A world on the copy of a site, callers with and without a voice, one agent, and whoever is called."""

    def __init__(
        self,
        world: World,
        source: Path,
        time_file: Path,
        program: Program,
        voice: SipEndpoint,
        silent: SipEndpoint,
        far: FarEnds,
    ) -> None:
        self._world = world
        self._source, self._written = source, load_site(source)
        self.site = self._site = load_site(world.site_dir)
        self._programs = Programs(program, self.site)
        self.number = _callable_number(self.site)
        self._time_file = time_file
        self._heard_within_s = 30.0
        self._voice, self._silent = voice, silent
        self._far = far
        self._agent: Desktop = world.seat(AGENT, _QUIET)
        self._settings = load_settings(Path(world.environment["CALLYARD_CONFIG"]), environment={})
        self._forced: dict[str, str] = {}
        self._played = 0

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
        try:
            self._programs.begin(tape)
            outcomes = self._outcomes(tape)
            closed = [queue for queue, outcome in outcomes.items() if outcome == "closed"]
            await self._set_out(test, tape)
            await self._force({queue: outcome for queue, outcome in outcomes.items() if outcome in RULES})
            async with self._closed(closed):
                await self._call(test, tape)
        except LiveError as error:
            return Verdict(test.name, test.problem((test.name,), f"as a real call: {error}"))
        except (UnplayableError, UnanswerableError) as error:
            return Verdict(test.name, not_played=str(error))
        return Verdict(test.name)

    def _outcomes(self, tape: Sequence[Entry]) -> Mapping[str, str]:
        """The queues that refuse the caller, and how. One that does so once and later takes them cannot be had."""
        found: dict[str, str] = {}
        for came, answered in pairwise(tape):
            if not (isinstance(came, Came) and isinstance(came.instruction, Enqueue)):
                continue
            queue = came.instruction.queue
            outcome = ""
            if isinstance(answered, Answered) and isinstance(answered.result, QueueEnded):
                outcome = answered.result.outcome if answered.result.outcome in ("closed", *RULES) else ""
            if found.setdefault(queue, outcome) != outcome:
                raise UnplayableError(
                    f"queue {queue} ends once {found[queue] or 'as ever'} and once {outcome or 'as ever'}"
                )
            if outcome in RULES and not can_end(self._written, queue, outcome):
                rules = " or ".join(RULES[outcome])
                raise LiveError(f"queue {queue} never ends {outcome}: no rule of its overflow says {rules}")
        return found

    async def _call(self, test: ReadTest, tape: Sequence[Entry]) -> None:
        line = self._voice if _leaves_message(tape) else self._silent
        self._far.expect(_transfers(tape))
        records = Records(self._world.folder / "data" / "callyard.db")
        given = test.given.caller
        call = await self._dial(line, test.given.number, given)
        is_shown = given is not None and not isinstance(outbound_of(self._site).check(given), Refused)
        try:
            live = LiveCall(
                self._site,
                self,
                records,
                call,
                tape,
                self._programs,
                is_shown=is_shown,
                heard_within_s=self._heard_within_s,
            )
            await live.follow()
            if surplus := self._programs.surplus:
                raise LiveError(f"expected nothing more to be asked; came: {surplus}")
        finally:
            await _hang_up(call)
        found = await records.interaction(closed=not _is_promised(tape))
        if _is_promised(tape):
            await self._withdraw(found["id"])

    async def _dial(self, line: SipEndpoint, number: str, caller: str | None) -> SipCall:
        place = self._world.sip
        identity = Identity(caller)
        return await line.dial(
            f"sip:{number}@{place[0]}:{place[1]}",
            caller=identity.header(("127.0.0.1", line.port)),
            headers=(("Privacy", "id"),) if identity.number is None else (),
        )

    # --- before and after --------------------------------------------------------------------------------

    async def _set_out(self, test: ReadTest, tape: Sequence[Entry]) -> None:
        """The test's time, and its customers and their past instead of those before."""
        now = time_of(self._site, test)
        past = past_of(self._site, test, now)
        if past and test.given.caller is None:
            raise LiveError("who withholds the number has no history")
        possible = as_it_can_be(self._site, test, past, now)
        walked: list[Entry] = []
        if (wrong := differences(test, possible)) and (run_test(self._site, possible, walked) or walked != tape):
            raise LiveError(f"this history cannot be, and what can be leads elsewhere: {'; '.join(wrong)}")
        self._played += 1
        self._time_file.write_text(now.isoformat())
        file = self._world.folder / "customers.csv"
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.DictWriter(opened, (*COLUMNS, PIN), extrasaction="ignore")
            writer.writeheader()
            for at, record in enumerate(records_of(test.given)):
                # Ids of its own: wrong PINs of an earlier test's customers are remembered for an hour.
                row = {"id": f"L{self._played}-{at}", "name": "-", **record, "numbers": record.get(NUMBER, "")}
                writer.writerow(row | {"vip": "yes" if record.get("vip") == "true" else "no"})
        async with with_store(self._settings) as (store, _, plan):
            async with store.write() as connection:
                await connection.execute(delete(customer))
            await import_customers(store, plan, file)
            number = plan.caller(test.given.caller or "").number
            async with store.write() as connection:
                fitting = await connection.scalars(
                    select(customer_number.c.customer_id).where(customer_number.c.number == number)
                )
                known = list(fitting) if number else []
                await write_past(connection, past, number, known[0] if len(known) == 1 else None)

    async def _force(self, outcomes: dict[str, str]) -> None:
        """Have these queues refuse callers by their rules, and no others; a changed site is published."""
        if outcomes == self._forced:
            return
        site = self._world.site_dir
        await asyncio.to_thread(set_queues, self._source, site, outcomes)
        version = (await asyncio.to_thread(load_site, site)).version[:12]
        self._world.signal_server(signal.SIGHUP)
        log, told = self._world.log_path, f'"site":"{version}"'

        def heeded() -> dict[str, Any]:
            lines = [line.replace(" ", "") for line in log.read_text().splitlines() if "reload.done" in line]
            return {"version": version} if lines and told in lines[-1] else {}

        await until("a server with the changed queues", heeded)
        self._forced = outcomes

    @asynccontextmanager
    async def _filled(self) -> AsyncIterator[None]:
        """Somebody waits in each queue that is to be full."""
        calls: list[SipCall] = []
        try:
            for queue in (queue for queue, outcome in self._forced.items() if outcome == "full"):
                records = Records(self._world.folder / "data" / "callyard.db")
                calls.append(await self._dial(self._silent, number_to_fill(queue), self.number))
                await records.visit(0)
            yield
        finally:
            for call in calls:
                await _hang_up(call)

    @asynccontextmanager
    async def _closed(self, queues: Sequence[str]) -> AsyncIterator[None]:
        """These queues are closed meanwhile, by the emergency switch; others may be full."""
        async with self._filled():
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

    async def _withdraw(self, interaction_id: str) -> None:
        """Nobody is called back: the next test's agent would be held for it."""
        headers = {"X-Callyard": "1"}
        async with httpx.AsyncClient(base_url=self._world.address, timeout=10.0, headers=headers) as client:
            who = {"username": SUPERVISOR, "password": self._world.passwords[SUPERVISOR]}
            for answer in (
                await client.post("/api/session", json=who),
                await client.delete(f"/api/callbacks/{interaction_id}"),
            ):
                if answer.is_error:
                    raise LiveError(f"expected a promise to call back; came: {answer.text}")

    # --- the others, as a call meets them ----------------------------------------------------------------

    async def is_called(self, wanted: Transfer) -> None:
        await self._far.is_called(wanted)

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


async def _hang_up(call: SipCall) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_HANG_UP_S):
            await call.hang_up()


def _results(tape: Sequence[Entry]) -> list[object]:
    return [entry.result for entry in tape if isinstance(entry, Answered)]


def _leaves_message(tape: Sequence[Entry]) -> bool:
    return any(isinstance(result, MessageRecorded) and result.file for result in _results(tape))


def _transfers(tape: Sequence[Entry]) -> list[str]:
    """How those that are called behave; who is hung up on goes on ringing."""
    found = []
    for came, answered in pairwise([*tape, Answered(None)]):
        if isinstance(came, Came) and isinstance(came.instruction, Transfer):
            result = answered.result if isinstance(answered, Answered) else None
            found.append(result.outcome if isinstance(result, TransferEnded) else "no_answer")
    return [outcome for outcome in found if outcome != "refused"]


def _is_promised(tape: Sequence[Entry]) -> bool:
    """Whether the caller is to be called back in the end."""
    return any(result in (Promised(), QueueEnded("promised")) for result in _results(tape))


def _callable_number(site: Site) -> str:
    """A number of the site's country, as somebody there dials it."""
    country = site.settings.country
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.FIXED_LINE)
    if example is None:
        return ""
    written = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL)
    return "".join(each for each in written if each.isdigit())


@asynccontextmanager
async def open_live_stage(site_dir: Path, folder: Path) -> AsyncIterator[LiveStage]:
    """Everything that the tests of a site need, in a folder; stopped at the end."""
    async with open_program(answering(400)) as program:
        copied = await asyncio.to_thread(copy_site, site_dir, folder, program.url)
        async with _open_stage(site_dir, copied, folder, program) as stage:
            yield stage


@asynccontextmanager
async def _open_stage(site_dir: Path, copied: Path, folder: Path, program: Program) -> AsyncIterator[LiveStage]:
    site = load_site(copied)
    time_file = folder / "time"
    time_file.write_text("2026-01-01T00:00:00+00:00")
    with (copied / "people.csv").open(encoding="utf-8", newline="") as opened:
        extensions = {row["username"]: row["extension"] for row in csv.DictReader(opened)}
    far = FarEnds(outbound_of(site), extensions)
    voice = await open_line("voice")
    silent = await SipEndpoint.open("silent", listens_for=(AGENT_TONE_HZ,))
    try:
        async with open_world(
            folder / "world",
            site_dir=copied,
            sounds_dir=home() / "sounds",
            trunk_match=[f"127.0.0.1:{line.port}" for line in (voice, silent)],
            trunk_names=list(site.trunks) or ["carrier"],
            carrier_port=await far.start(),
            rtp_ports=200,
            server_module="lab.live_server",
            server_environment={"LAB_FLOW_TIME": str(time_file)},
            tells_story=False,
        ) as world:
            far.attend(world.phones, besides=AGENT)
            yield LiveStage(world, site_dir, time_file, program, voice, silent, far)
    finally:
        await voice.close()
        await silent.close()
        await far.stop()
