"""`make demo`: a day at Northwind in a minute. Real SIP, real digits, real audio, judged from outside the server.

Callers and phones are SIP user agents of the lab, desktops are real WebSocket clients; one clock
(`time.monotonic_ns`) measures them all. What is printed about a call comes from the server; what is counted at the
end comes from the callers' ears, the phones and the desktops.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.caller import Caller, CallRecord, Identity, Press, StayOn, Step, Wait
from lab.desktop import Habits
from lab.paths import home, repository
from lab.phone import Behaviour, PhoneCall
from lab.world import World, open_world

MAIN_LINE = "+498999998100"
UNLISTED = "+498999998999"
AGENTS = ("maria", "ben", "wei", "olga", "tom", "aisha")
VISITOR = "visitor"
DRAIN_S = 45.0
WHY_LINES = 10
LEAST = {"offered": 40, "answered": 25, "abandoned": 3, "expired": 1}


@dataclass(frozen=True, slots=True)
class Part:
    """One caller of the play: who they are and what they do. `patience_s`: then they hang up unless answered."""

    number: str | None
    name: str
    script: tuple[Step, ...]
    patience_s: float = 150.0
    dialled: str = MAIN_LINE


def _billing(account: str) -> tuple[Step, ...]:
    return (Wait(1.2), Press("1"), Wait(0.6), Press(f"{account}#"), StayOn())


_SUPPORT: tuple[Step, ...] = (Wait(1.4), Press("2"), StayOn())

CAST = (
    Part("+493023125101", "Jonas Weber", _billing("100238")),
    Part("+442079460101", "Amelia Hart", _SUPPORT),
    Part("+492214710101", "Schulz", _billing("100497")),
    Part("+493055501234", "", _SUPPORT),
    Part("+8613800138001", "张伟", _billing("100275")),
    Part("+494066969101", "Noah Fischer", (Wait(30.0),), patience_s=6.0),
    Part("+442079460102", "Priya Raman", _SUPPORT),
    Part("+492214710101", "Schulz", _SUPPORT),
    Part(None, "", _billing("100386")),
    Part("+442079460104", "Omar Haddad", _SUPPORT),
    Part("+442079460110", 'Jean-Luc "JL" O\'Brien', _billing("101163")),
    Part("+441314960101", "Isla Fraser", (Wait(1.0), Press("2"), StayOn()), patience_s=9.0),
    Part("+12025550101", "Ethan Cole", _SUPPORT),
)


def cast_member(index: int) -> Part:
    """The caller number `index` of the play; one dials a number that nobody has listed."""
    if index == 7:
        return Part("+493055507777", "", (StayOn(20.0),), dialled=UNLISTED)
    return CAST[index % len(CAST)]


@dataclass(slots=True)
class Ledger:
    """What callers, phones and desktops saw."""

    calls: list[tuple[Part, CallRecord]] = field(default_factory=list)
    rings_ns: dict[str, int] = field(default_factory=dict)
    pops_ns: dict[str, int] = field(default_factory=dict)
    pops: dict[str, dict[str, Any]] = field(default_factory=dict)
    endings: dict[str, str] = field(default_factory=dict)

    def note_phone(self, what: str, call: PhoneCall) -> None:
        if call.offer:
            self.rings_ns.setdefault(call.offer, call.invite_ns)

    def note_desktop(self, username: str, message: dict[str, Any]) -> None:
        if message["type"] == "offer":
            offer_id = message["work"]["offer_id"]
            self.pops_ns.setdefault(offer_id, time.monotonic_ns())
            self.pops[offer_id] = message["work"]
        elif message["type"] == "offer_ended":
            self.endings[message["offer_id"]] = message["outcome"]

    def sum_up(self, pop_late: int) -> dict[str, Any]:
        """The last line of the demo."""
        reached = [(part, call) for part, call in self.calls if part.dialled == MAIN_LINE]
        answered = [call for _, call in reached if call.agent_was_heard]
        gave_up = [call for _, call in reached if call.gave_up and not call.agent_was_heard]
        offers = self.rings_ns.keys() | self.pops_ns.keys()
        in_time = [
            offer
            for offer in offers
            if offer in self.pops_ns and self.pops_ns[offer] < self.rings_ns.get(offer, sys.maxsize)
        ]
        works = list(self.pops.values())
        return {
            "offered": len(reached),
            "answered": len(answered),
            "abandoned": len(gave_up),
            "lost": len(reached) - len(answered) - len(gave_up),
            "offers": len(offers),
            "pops_shown_before_ring": len(in_time),
            "pop_late": pop_late,
            "expired": sum(outcome == "expired" for outcome in self.endings.values()),
            "refused": sum(call.status == 404 for part, call in self.calls if part.dialled == UNLISTED),
            "choices": sorted(
                {choice for work in works for label, choice in work["attributes"].items() if "menu" in label}
            ),
            "unknown_callers": sum(work["match"] == "none" for work in works),
            "ambiguous_callers": sum(work["match"] == "several" for work in works),
        }


def is_good(summary: dict[str, Any]) -> bool:
    """Whether everything that the demo promises was seen."""
    return (
        all(summary[name] >= least for name, least in LEAST.items())
        and summary["lost"] == 0
        and summary["pop_late"] == 0
        and summary["pops_shown_before_ring"] == summary["offers"]
        and len(summary["choices"]) >= 2
        and summary["unknown_callers"] >= 1
        and summary["ambiguous_callers"] >= 1
    )


class Demo:
    """The play: seats the agents, lets callers call, and sums up."""

    def __init__(self, world: World, seconds: float, say: Callable[[str], None]) -> None:
        self._world = world
        self._seconds = seconds
        self._say = say
        self._chance = random.Random(7)
        self._ledger = Ledger()
        self._missed_one = False
        self._calls: set[asyncio.Task[None]] = set()

    async def seat_agents(self) -> None:
        for username in AGENTS:
            phone = self._world.phones[username]
            phone.behaviour = self._behave
            phone.watch = self._ledger.note_phone
            desktop = self._world.seat(
                username, Habits(wrap_up_s=self._chance.uniform(0.6, 1.6)), watch=self._ledger.note_desktop
            )
            async with asyncio.timeout(20):
                await desktop.is_connected.wait()
        visitor = self._world.phones[VISITOR]
        visitor.behaviour = Behaviour(answer_after_s=6.0, talk_s=20.0)
        visitor.watch = self._ledger.note_phone

    def _behave(self, call: PhoneCall) -> Behaviour:
        if not self._missed_one and len(self._ledger.rings_ns) >= 4:
            self._missed_one = True
            return Behaviour(answer_after_s=None)
        return Behaviour(answer_after_s=self._chance.uniform(0.5, 1.4), talk_s=self._chance.uniform(3.0, 5.5))

    async def play(self, stop: asyncio.Event) -> None:
        """Let callers call until the time is over or `stop` is set, then let those who wait be served."""
        interval_s = max(0.9, (self._seconds - 8) / 46) if self._seconds else 3.0
        until = time.monotonic() + self._seconds if self._seconds else float("inf")
        index = 0
        while time.monotonic() < until and not stop.is_set():
            self._start_call(cast_member(index))
            index += 1
            await _wait(stop, interval_s * self._chance.uniform(0.7, 1.3))
        if self._calls and not stop.is_set():
            self._say(f"— nobody new calls any more; {len(self._calls)} callers are still there")
            await asyncio.wait(self._calls, timeout=DRAIN_S)
        for task in list(self._calls):
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _start_call(self, part: Part) -> None:
        task = asyncio.get_running_loop().create_task(self._call(part))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _call(self, part: Part) -> None:
        caller = Caller(Identity(part.number, part.name), self._world.sip)
        record = await caller.call(part.dialled, part.script, patience_s=part.patience_s)
        self._ledger.calls.append((part, record))

    async def ask_why(self) -> None:
        """Ask the running server's journal about one offer: the last for which there was a choice."""
        offers = list(self._ledger.pops)
        chosen = [offer for offer in offers if (self._ledger.pops[offer]["reason"] or {}).get("runner_up")]
        if not offers:
            return
        offer = (chosen or offers)[-1]
        lines = await asyncio.to_thread(_callyard, self._world.environment, "why", offer)
        self._say(f"— callyard why {offer}")
        for line in lines[:WHY_LINES]:
            self._say(f"  {line}")
        if len(lines) > WHY_LINES:
            self._say(f"  … and {len(lines) - WHY_LINES} lines more")

    async def sum_up(self) -> dict[str, Any]:
        late = (await self._world.health()).get("pop_late")
        return self._ledger.sum_up(late if isinstance(late, int) else -1)


def _callyard(environment: Mapping[str, str], *words: str) -> list[str]:
    """What the command says, its errors too."""
    done = subprocess.run(
        [sys.executable, "-m", "cti.cli", *words], env={**os.environ, **environment}, cwd=repository(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=30,
    )  # fmt: skip
    return done.stdout.splitlines()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


def _welcome(world: World, say: Callable[[str], None]) -> None:
    say("")
    say(f"  Open {world.address} and sign in as {VISITOR}, password {world.passwords[VISITOR]}")
    say("  (then choose Ready: your phone answers after 6 s and talks for 20 s; until then you get no calls).")
    say("  From elsewhere first:")
    say(f"  ssh -L {world.web_port}:127.0.0.1:{world.web_port} {getpass.getuser()}@{socket.gethostname()}")
    say("  Ctrl-C ends everything.")
    say("")


async def _run(seconds: float, folder: Path) -> int:
    started = time.monotonic()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def say(line: str) -> None:
        stamp = time.strftime("%H:%M:%S ") if line and not line.startswith((" ", "—")) else ""
        print(f"{stamp}{line}", flush=True)

    say("— starting Asterisk and the server")
    async with open_world(folder, tell=say, sounds_dir=home() / "sounds") as world:
        demo = Demo(world, seconds, say)
        await demo.seat_agents()
        say(f"— ready after {time.monotonic() - started:.1f} s")
        _welcome(world, say)
        await demo.play(stop)
        summary = await demo.sum_up()
        await demo.ask_why()
        say("— stopping")
    print(json.dumps(summary, ensure_ascii=False), flush=True)
    if not seconds or stop.is_set():
        return 0
    return 0 if is_good(summary) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.0, help="0: until Ctrl-C")
    seconds = parser.parse_args().seconds
    home().mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=home()))
    try:
        return asyncio.run(_run(seconds, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
