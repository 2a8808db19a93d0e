"""What desktops say: real WebSockets to the real application, with messages that no page of ours sends.

A round is one desktop from its greeting to its end, mostly not a good one. Beside it sits somebody well behaved, who
must be answered after each round.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from acd.events import OfferAccepted
from lab.fuzz import Fault, Play, Round
from lab.fuzz_office import own_office
from lab.fuzz_words import as_json, slipped, text, value
from screenpop.auth import COOKIE
from tests.screenpop.office import Office

#: What docs/api.md lets an error message carry.
CODES = frozenset({"invalid_request", "not_yours", "forbidden", "not_found", "database_unavailable"})
#: A desktop that says more in a second is dropped.
_MOST = 48
_FIELDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "shown": {"offer_id": ("i1/1", "i2/1")},
    "presence": {"presence": ("ready", "not_ready", "logged_out"), "reason": ("", "lunch")},
    "reject": {"offer_id": ("i1/1", "i2/1")},
    "accept": {"offer_id": ("i1/1", "i2/1")},
    "done": {"interaction_id": ("i1", "i2")},
    "finish": {"interaction_id": ("i1", "i2"), "disposition": ("", "solved"), "note": ("", "a note")},
    "more_time": {"interaction_id": ("i1", "i2"), "until": (0, 1_700_000_000_000_000)},
    "choose_customer": {"interaction_id": ("i1", "i2"), "customer_id": ("c1", "t1")},
    "seen": {"seq": (0, 1, 5)},
}
_PIECES = (b"{", b"}", b'"', b"\\u0000", b"\\ud800", b",", b"[", b"null", b"1e999", b"\\", b"\xf0\x9f\x98\x80")


class DeskSocket:
    """The WebSocket side."""

    name = "desk"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Play]:
        async with own_office() as opened:
            place = _Place(opened)
            await place.open()
            yield place.play


class _Place:
    def __init__(self, opened: Office) -> None:
        self._office = opened
        self._calls = 0

    async def open(self) -> None:
        self._maria = await self._office.client("maria")
        self._good = await self._office.sit_down("jonas")

    async def play(self, round_: Round) -> None:
        chance = round_.chance
        async with connect(
            f"ws://{self._office.host}/api/desk",
            origin=Origin(self._office.address),
            additional_headers={"Cookie": f"{COOKIE}={self._maria.cookies.get(COOKIE)}"},
            compression=None,
            proxy=None,
            max_size=None,
        ) as socket:
            reading = asyncio.create_task(_read(socket))
            with suppress(ConnectionClosed):
                await self._give_work(chance)
                for _ in range(chance.randint(1, _MOST)):
                    await self._say(round_, socket)
                if chance.random() < 0.1:
                    socket.transport.abort()
            await self._see_that_others_are_served()
            await socket.close()
            await reading

    async def _give_work(self, chance: random.Random) -> None:
        """Sometimes a call comes, and is taken: so that there is something to be out of order about."""
        if chance.random() < 0.1:
            self._calls += 1
            with suppress(TimeoutError):
                await self._office.call(f"i{self._calls}", text(chance, ("030 901820",))[:60])
        if chance.random() < 0.1 and self._office.desk.offers:
            self._office.desk.submit(OfferAccepted(self._office.desk.offers[-1].offer_id))

    async def _say(self, round_: Round, socket: ClientConnection) -> None:
        said = _message(round_.chance)
        round_.note(said)
        await socket.send(said)

    async def _see_that_others_are_served(self) -> None:
        await self._good.send("presence", presence="not_ready", reason="nonsense", id="there")
        async with asyncio.timeout(5):
            while (await self._good.next()).get("reply_to") != "there":
                continue


async def _read(socket: ClientConnection) -> None:
    """What comes back: each a message of ours, and errors with codes that are documented."""
    with suppress(ConnectionClosed):
        async for frame in socket:
            came = json.loads(frame)
            if came["type"] == "error" and came["code"] not in CODES:
                raise Fault(f"a desktop was told {came}")


def _message(chance: random.Random) -> str | bytes:
    kind = chance.choice(list(_FIELDS))
    fields: dict[str, Any] = {"type": kind}
    for name, usual in _FIELDS[kind].items():
        if chance.random() < 0.9:
            fields[name] = chance.choice(usual) if chance.random() < 0.6 else value(chance)
    if chance.random() < 0.3:
        fields["id"] = value(chance)
    if chance.random() < 0.1:
        fields["type"] = value(chance)
    if chance.random() < 0.1:
        fields[text(chance)[:50]] = value(chance)
    written = as_json(fields if chance.random() < 0.95 else value(chance)).encode("utf-8", "surrogatepass")
    if chance.random() < 0.2:
        written = slipped(chance, written, _PIECES)
    written = written[:60_000]
    if chance.random() < 0.05:
        return written
    return written.decode("utf-8", "replace")
