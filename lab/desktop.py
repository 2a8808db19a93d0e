"""A simulated agent's desktop: a real browser's half of the wire, without the browser.

Signs in over REST, holds the WebSocket, says at once that a pop is shown, chooses presence, finishes wrap-up.
Remembers when each offer came (`time.monotonic_ns`, the clock of phones and callers).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

_LIMIT_S = 15.0


@dataclass(frozen=True, slots=True)
class Habits:
    """What the person does. `wrap_up_s` None leaves wrap-up to its deadline; `back_after_s`: how long after a
    missed or refused offer they choose ready again, None never; `shows`: whether pops are acknowledged."""

    wrap_up_s: float | None = 1.0
    back_after_s: float | None = 3.0
    disposition: str = "solved"
    shows: bool = True
    starts_ready: bool = True


@dataclass(slots=True)
class Desktop:
    """One agent's desktop. `run` keeps it connected until cancelled."""

    address: str
    username: str
    password: str
    habits: Habits = Habits()
    watch: Callable[[str, dict[str, Any]], None] = lambda username, message: None
    offers_ns: dict[str, int] = field(default_factory=dict)
    agent: dict[str, Any] = field(default_factory=dict)
    pops: dict[str, dict[str, Any]] = field(default_factory=dict)
    totals: list[dict[str, Any]] = field(default_factory=list)
    is_connected: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    _cookie: str = ""
    _stream: str = ""
    _seq: int = 0
    _later: set[asyncio.Task[None]] = field(default_factory=set)
    _send: Callable[[dict[str, Any]], None] | None = None
    _is_new: bool = True

    async def sign_in(self) -> None:
        """Sign in; raises httpx.HTTPStatusError when refused."""
        async with httpx.AsyncClient(base_url=self.address, timeout=_LIMIT_S) as client:
            answer = await client.post(
                "/api/session",
                json={"username": self.username, "password": self.password},
                headers={"X-Callyard": "1"},
            )
            answer.raise_for_status()
            self._cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())

    async def run(self) -> None:
        """Stay connected, as a browser does: connect again within half a second."""
        try:
            while True:
                try:
                    if not self._cookie:
                        await self.sign_in()
                    await self._hold()
                except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError, httpx.HTTPError):
                    pass
                self.is_connected.clear()
                self._send = None
                await asyncio.sleep(0.3)
        finally:
            for task in list(self._later):
                task.cancel()

    async def _hold(self) -> None:
        query = f"?after={self._seq}&stream={self._stream}" if self._stream else ""
        async with connect(
            f"{self.address.replace('http', 'ws', 1)}/api/desk{query}",
            additional_headers={"Cookie": self._cookie},
            origin=self.address,  # type: ignore[arg-type]
            open_timeout=_LIMIT_S,
        ) as socket:
            outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=1000)
            self._send = outbox.put_nowait
            self.connections += 1
            self.is_connected.set()
            sending = asyncio.create_task(self._pump(socket, outbox))
            try:
                async for frame in socket:
                    received_ns = time.monotonic_ns()
                    message = orjson.loads(frame)
                    if message["type"] == "offer" and self.habits.shows:
                        await socket.send(
                            orjson.dumps({"type": "shown", "offer_id": message["work"]["offer_id"]}).decode()
                        )
                    self._take(message, received_ns)
            finally:
                sending.cancel()

    @staticmethod
    async def _pump(socket: Any, outbox: asyncio.Queue[dict[str, Any]]) -> None:
        with suppress(ConnectionClosed):
            while True:
                await socket.send(orjson.dumps(await outbox.get()).decode())

    def _take(self, message: dict[str, Any], received_ns: int) -> None:
        self._seq = max(self._seq, int(message.get("seq", 0)))
        match message["type"]:
            case "snapshot":
                self._stream = message["stream"]
                self._seq = int(message["seq"])
                self.agent = message["agent"] or {}
                self.totals = message["queues"]
                if self._is_new and self.habits.starts_ready:
                    self.choose("ready")
                self._is_new = False
                self._tend(message["work"])
            case "offer":
                offer_id = message["work"]["offer_id"]
                self.offers_ns.setdefault(offer_id, received_ns)
                self.pops[offer_id] = message["work"]
            case "agent":
                self.agent = message
                self._come_back(message)
            case "work":
                self._tend(message["work"])
            case "queues":
                self.totals = message["queues"]
        self.watch(self.username, message)

    def choose(self, presence: str, reason: str = "") -> None:
        self.send({"type": "presence", "presence": presence, "reason": reason})

    def send(self, message: dict[str, Any]) -> None:
        """Send now; nothing happens while there is no connection."""
        if self._send is not None:
            self._send(message)

    def _come_back(self, agent: dict[str, Any]) -> None:
        missed = agent["presence"] == "not_ready" and agent["presence_reason"] in (
            "no_answer",
            "rejected",
            "phone_failed",
        )
        if missed and self.habits.back_after_s is not None:
            self._do_later(self.habits.back_after_s, lambda: self.choose("ready"))

    def _tend(self, work: dict[str, Any] | None) -> None:
        if work is None or work["stage"] != "wrap_up" or self.habits.wrap_up_s is None:
            return
        done = {
            "type": "finish",
            "interaction_id": work["interaction_id"],
            "disposition": self.habits.disposition,
            "note": "",
        }
        self._do_later(self.habits.wrap_up_s, lambda: self.send(done))

    def _do_later(self, after_s: float, act: Callable[[], None]) -> None:
        async def wait() -> None:
            await asyncio.sleep(after_s)
            act()

        task = asyncio.get_running_loop().create_task(wait())
        self._later.add(task)
        task.add_done_callback(self._later.discard)
