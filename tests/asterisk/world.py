"""What the tests of the whole share: a site of their own, people at work, callers with ears, and plain SQL.

Everything is judged from outside the server: by the SIP user agents of the lab, by SIPp, by a second AMI client,
and by the tables as any other program reads them.
"""

import asyncio
import csv
import itertools
import re
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, overload

from lab.audio import DECODED
from lab.caller import Identity, open_line
from lab.desktop import Desktop, Habits
from lab.paths import home, repository
from lab.phone import AGENT_TONE_HZ, Behaviour, Phone, PhoneCall
from lab.sip import SipEndpoint
from lab.sip_call import SipCall
from lab.world import World, open_world
from tests.asterisk.peers import AmiWatch, watch_ami

T = TypeVar("T")
LIMIT_S = 20.0
MAIN_LINE = "+498999998100"
STRAIGHT = "+498999998300"
"""Answered, and straight into the queue `support`."""
SHORT_WAIT = "+498999998301"
"""The same, but the flow takes the caller out after 2 s and says good-bye."""
BUSY, CLOSED, BLOCKED = "+498999998311", "+498999998312", "+498999998313"
"""Refused, each in its own way."""
UNLISTED = "+498999998999"
QUIET = Habits(wrap_up_s=0.0, back_after_s=None, starts_ready=False)
"""A person who does nothing by themselves but end their wrap-up at once."""
PATIENT = Behaviour(answer_after_s=None)
"""A phone that rings for ever."""
TALKATIVE = Behaviour(answer_after_s=0.1, talk_s=None)
"""A phone that answers at once and never hangs up by itself."""

_NUMBERS = """
"+498999998300": { flow: straight }
"+498999998301": { flow: short-wait }
"+498999998311": { flow: busy }
"+498999998312": { flow: closed }
"+498999998313": { flow: blocked }
"""
_FLOWS = {
    "straight": "title: Straight to an agent\nstart: door\nnodes:\n  door:\n    - answer\n    - queue: support\n",
    "short-wait": (
        "title: A short wait\nstart: door\nnodes:\n  door:\n    - answer\n    - queue: support\n      max_wait: 2s\n"
        "      timed_out:\n        - say: Nobody is free. Please call again.\n        - hangup\n"
    ),
    **{
        why: f"title: Refused as {why}\nstart: door\nnodes:\n  door:\n    - refuse: {why}\n"
        for why in ("busy", "closed", "blocked")
    },
}


def copy_site(
    folder: Path, *, ring: str = "12s", wrap_up: str = "8s", grace: str = "60s", people: Sequence[str] = ()
) -> Path:
    """A copy of the example site with numbers that lead straight into a queue, and other times.

    `people`: more agents (usernames; extensions from 1101 on) who serve `support`.
    """
    site = folder / "site"
    shutil.copytree(repository() / "site", site)
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        file.write(_NUMBERS)
    for name, text in _FLOWS.items():
        (site / "flows" / f"{name}.yaml").write_text(text, encoding="utf-8")
    _exchange(site / "queues.yaml", "ring", ring)
    _exchange(site / "queues.yaml", "wrap_up", wrap_up)
    _exchange(site / "site.yaml", "desktop_grace", grace)
    with (site / "people.csv").open("a", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        for extension, username in enumerate(people, start=1101):
            rows.writerow([username, username.title(), "agent", extension, "sip", "", "support", "technical:5"])
    return site


def _exchange(file: Path, key: str, value: str) -> None:
    """Give every `key` of a file of the site another value."""
    text, count = re.subn(rf"(?m)^(\s+{key}:) \S+", rf"\1 {value}", file.read_text(encoding="utf-8"))
    assert count, f"{file}: expected {key!r}"
    file.write_text(text, encoding="utf-8")


@overload
async def eventually(what: str, probe: Callable[[], Awaitable[T]], limit_s: float = LIMIT_S) -> T: ...
@overload
async def eventually(what: str, probe: Callable[[], T], limit_s: float = LIMIT_S) -> T: ...
async def eventually(what: str, probe: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """The probe's first answer that is true; a failure that says `what` and the last answer after `limit_s`."""
    until = time.monotonic() + limit_s
    while True:
        found = probe()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {limit_s:g} s; last came {found!r}")
        await asyncio.sleep(0.03)


class Ears:
    """Counts the frames of a call that were loud enough to be heard, and remembers the longest silence."""

    def __init__(self, call: SipCall) -> None:
        self.loud = 0
        self.longest_silence_s = 0.0
        self._last_ns = time.monotonic_ns()
        self._take = call.media.datagram_received
        call.media.datagram_received = self._listen  # type: ignore[method-assign]

    def _listen(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) > 12 and data[1] & 0x7F == 0:
            samples = [DECODED[byte] for byte in data[12::8]]
            if sum(sample * sample for sample in samples) > 150 * 150 * len(samples):
                now = time.monotonic_ns()
                self.loud += 1
                self.longest_silence_s = max(self.longest_silence_s, (now - self._last_ns) / 1e9)
                self._last_ns = now
        self._take(data, addr)


@dataclass(slots=True)
class Seen:
    """What the desktops were told, by offer."""

    pops_ns: dict[str, int] = field(default_factory=dict)
    works: dict[str, dict[str, Any]] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)
    ended: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By offer: outcome and detail."""

    def take(self, username: str, message: dict[str, Any]) -> None:
        if message["type"] == "offer":
            offer_id = message["work"]["offer_id"]
            self.pops_ns.setdefault(offer_id, time.monotonic_ns())
            self.works[offer_id] = message["work"]
            self.agents[offer_id] = username
        elif message["type"] == "offer_ended":
            self.ended[message["offer_id"]] = (message["outcome"], message["detail"])

    def of(self, interaction_id: str) -> list[str]:
        """The offers of an interaction, in their order."""
        return sorted((offer for offer in self.works if offer.rpartition("/")[0] == interaction_id), key=_number)


def _has_presence(desktop: Desktop, presence: str) -> bool:
    return desktop.agent.get("presence") == presence


def _number(offer_id: str) -> int:
    return int(offer_id.rpartition("/")[2])


class Stage:
    """A running world with the eyes of a test on it."""

    def __init__(self, world: World, line: SipEndpoint) -> None:
        self.world = world
        self.line = line
        self.seen = Seen()
        self._numbers = itertools.count(1)
        self._calls: list[SipCall] = []
        self._homes: dict[str, asyncio.Task[None]] = {}

    # --- people ----------------------------------------------------------------------------------------

    def phone(self, username: str) -> Phone:
        return self.world.phones[username]

    def desktop(self, username: str) -> Desktop:
        return self.world.desktops[username]

    async def seat(self, username: str, habits: Habits = QUIET) -> Desktop:
        """Open somebody's desktop; it stays until `unseat`."""
        desktop = Desktop(self.world.address, username, self.world.passwords[username], habits, watch=self.seen.take)
        self.world.desktops[username] = desktop
        self._homes[username] = asyncio.create_task(desktop.run())
        async with asyncio.timeout(LIMIT_S):
            await desktop.is_connected.wait()
        return desktop

    async def unseat(self, username: str) -> None:
        """Close the browser."""
        task = self._homes.pop(username)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def becomes(self, username: str, state: str, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """Return when the agent's own desktop shows that state."""
        desktop = self.desktop(username)
        try:
            await eventually(state, lambda: desktop.agent.get("state") == state, limit_s)
        except AssertionError as error:
            raise AssertionError(f"{username} did not become {error}; {desktop.agent}") from None
        return desktop.agent

    async def ready(self, *usernames: str) -> None:
        """Have these people choose ready, one after another: the first has been idle longest."""
        for username in usernames:
            await self.desktop(username).is_connected.wait()
            desktop = self.desktop(username)
            desktop.choose("ready")
            await eventually(f"{username} ready", partial(_has_presence, desktop, "ready"))

    async def at_work(self, *usernames: str, behaviour: Behaviour = TALKATIVE) -> None:
        """Seat these people where they are not, with phones that do so, and have them choose ready in turn."""
        for username in usernames:
            if username in self.world.phones:
                self.phone(username).behaviour = behaviour
            if username not in self._homes:
                await self.seat(username)
        await self.ready(*usernames)

    async def clear(self) -> None:
        """End every call of the test, and have nobody at work."""
        await self.hang_up_all()
        for username in list(self._homes):
            desktop = self.desktop(username)
            desktop.habits = QUIET
            async with asyncio.timeout(LIMIT_S):
                await desktop.is_connected.wait()
            await eventually(f"{username} has nothing in hand", partial(self._is_home, desktop))
        for phone in self.world.phones.values():
            with suppress(TimeoutError):
                while True:  # what rang and was not asked for
                    async with asyncio.timeout(0):
                        await phone.next_call()

    def _is_home(self, desktop: Desktop) -> bool:
        if desktop.agent.get("presence") != "not_ready":
            desktop.choose("not_ready", "break")
        elif desktop.agent.get("state") == "wrap_up":
            interaction_id = desktop.agent["interaction_id"]
            desktop.send({"type": "finish", "interaction_id": interaction_id, "disposition": "solved", "note": ""})
        return desktop.agent.get("state") == "not_ready"

    # --- callers ---------------------------------------------------------------------------------------

    def new_number(self) -> str:
        """A number that nobody has called from."""
        return f"+4930555{next(self._numbers):05d}"

    async def dial(self, number: str = STRAIGHT, caller: str = "", name: str = "") -> SipCall:
        """Call; the caller is the test's own, and hung up when it ends."""
        return await self.dial_as(Identity(caller or None, name).header(("127.0.0.1", self.line.port)), number)

    async def dial_as(self, header: str, number: str = STRAIGHT) -> SipCall:
        """Call with this From header."""
        call = await self.line.dial(f"sip:{number}@{self.world.sip[0]}:{self.world.sip[1]}", caller=header)
        self._calls.append(call)
        return call

    async def queued(self, caller: str = "", number: str = STRAIGHT) -> tuple[SipCall, str]:
        """A caller who waits in the queue: the call, and the interaction."""
        caller = caller or self.new_number()
        call = await self.dial(number, caller)
        interaction_id = await self.arrived(caller)
        await self.row("a visit", "SELECT id FROM queue_visit WHERE interaction_id = ?", interaction_id)
        return call, interaction_id

    async def hang_up_all(self) -> None:
        calls, self._calls = self._calls, []
        for call in calls:
            if not call.ended.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(2.0):
                        await call.hang_up()

    async def talking(self, call: SipCall, limit_s: float = LIMIT_S) -> None:
        """Return when this caller hears an agent."""
        try:
            async with asyncio.timeout(limit_s):
                await call.media.heard(AGENT_TONE_HZ)
        except TimeoutError:
            raise AssertionError(f"no agent was heard within {limit_s:g} s") from None

    async def rings(self, username: str, limit_s: float = LIMIT_S) -> PhoneCall:
        """The next call at this phone."""
        try:
            async with asyncio.timeout(limit_s):
                return await self.phone(username).next_call()
        except TimeoutError:
            raise AssertionError(f"{username}'s phone did not ring within {limit_s:g} s") from None

    def rung(self, interaction_id: str) -> list[PhoneCall]:
        """Every call of this interaction at any phone, in their order."""
        calls = [
            call
            for phone in self.world.phones.values()
            for call in phone.calls
            if call.offer.rpartition("/")[0] == interaction_id
        ]
        return sorted(calls, key=lambda call: call.invite_ns)

    # --- the tables ------------------------------------------------------------------------------------

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Read the database as any other program does."""
        path = self.world.folder / "data" / "callyard.db"
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]
        finally:
            connection.close()

    async def row(self, what: str, query: str, *values: object, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """The only row, as soon as it is written."""
        [row] = await eventually(what, lambda: self.rows(query, *values), limit_s)
        return row

    async def arrived(self, caller: str) -> str:
        """The interaction of the only call of this caller."""
        row = await self.row(f"interaction of {caller}", "SELECT id FROM interaction WHERE caller = ?", caller)
        return str(row["id"])

    async def outcome(self, interaction_id: str, limit_s: float = LIMIT_S) -> str:
        """How the interaction ended, once it has."""
        query = "SELECT outcome FROM interaction WHERE id = ? AND outcome IS NOT NULL"
        row = await self.row(f"outcome of {interaction_id}", query, interaction_id, limit_s=limit_s)
        return str(row["outcome"])

    async def offers(self, interaction_id: str, count: int) -> list[tuple[str, str]]:
        """(agent, outcome) of each of the interaction's offers, once so many are over."""
        query = "SELECT id, agent_id, outcome FROM offer WHERE interaction_id = ?"

        def over() -> list[dict[str, Any]]:
            rows = self.rows(query, interaction_id)
            return rows if len(rows) >= count else []

        rows = await eventually(f"{count} offers of {interaction_id}", over)
        return [(row["agent_id"], row["outcome"]) for row in sorted(rows, key=lambda row: _number(row["id"]))]

    def ami(self) -> AbstractAsyncContextManager[AmiWatch]:
        """An AMI client of our own beside the server's."""
        made = self.world.provisioned
        return watch_ami(self.world.node.ami_port, made.ami_user, made.ami_secret)

    def log(self) -> str:
        return self.world.log_path.read_text(errors="replace")

    async def restart(self) -> None:
        """kill -9, and start again."""
        await self.world.kill_server()
        await self.world.start_server()

    async def close(self) -> None:
        await self.hang_up_all()
        for username in list(self._homes):
            await self.unseat(username)


@asynccontextmanager
async def open_stage(
    folder: Path, site: Path, *, more_callers: Sequence[int] = (), **options: Any
) -> AsyncIterator[Stage]:
    """A world on that site, with options of `open_world`. Callers come from one line, and from the ports
    `more_callers`; whatever else this machine sends comes from phones."""
    line = await open_line("carrier")
    try:
        async with open_world(
            folder,
            site_dir=site,
            sounds_dir=home() / "sounds",
            trunk_match=[f"127.0.0.1:{port}" for port in (line.port, *more_callers)],
            **options,
        ) as world:
            stage = Stage(world, line)
            try:
                yield stage
            finally:
                await stage.close()
    finally:
        await line.close()
