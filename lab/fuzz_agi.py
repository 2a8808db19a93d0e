"""FastAGI over real sockets: headers as no Asterisk writes them, replies that are none, and hostile values in commands.

A round is a handful of connections at once, each a whole conversation. What a command carries is read by Asterisk's own
rules on the other side: every command must be one line, of words that are exactly what was meant.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from unittest import mock

from cti import agi_conversation
from cti.agi_errors import AgiError, AgiTimeoutError
from cti.agi_reply import COMMAND_BYTES
from cti.fastagi import AgiConversation, AgiLimits, AgiServer
from lab.fuzz import Fault, Play, Round
from lab.fuzz_words import slipped, split, text
from tests.fakes.agi import header, split_words

LIMITS = AgiLimits(header_s=0.1, command_s=0.03, run_s=0.03, hangup_s=0.02, header_bytes=65_536, line_bytes=65_536)
_TOGETHER = 40
_REPLIES = (
    b"200 result=0",
    b"200 result=1",
    b"200 result=-1",
    b"200 result=1 (hangup)",
    b"200 result=-1 (hangup)",
    b"HANGUP",
    b"200 result=1 (value)",
    b"200 result=1 (a\nb)",
    b"200 result=49 endpos=8000",
    b"200 result= (timeout)",
    b"200 result",
    b"510 Invalid or unknown command",
    b"511 Command Not Permitted on a dead channel or intercept routine",
    b"520-Invalid command syntax.  Proper usage follows:\nUsage: X\n520 End of proper usage.",
    b"520-never ends",
    b"",
    b"100 result=0 Trying...\n200 result=0 Gosub complete",
    b"100 Trying",
    b"999 what",
    b"200 result=" + b"9" * 40,
    b"200 result=1 (" + b"x" * 70_000 + b")",
    b"\0" * 30,
    b"\xff\xfe",
    b"200 result=1 endpos=x",
    b"stray",
)
_PIECES = (b"\n", b"\r\n", b"HANGUP\n", b"200 ", b"result=", b"(", b")", b"\0", b"\xff", b"endpos=")
_HEADER_PIECES = (b"\n", b"\n\n", b"agi_uniqueid: x\n", b": ", b"agi_", b"\0", b"\xff", b"x" * 70_000)
_FIELDS = ("callerid", "calleridname", "dnid", "extension", "network_script", "request", "uniqueid", "channel")


class Agi:
    """The FastAGI side."""

    name = "agi"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Play]:
        table = _Table()
        server = AgiServer(table.converse, limits=LIMITS)
        port = await server.start("127.0.0.1", 0)

        async def play(round_: Round) -> None:
            table.round = round_
            await asyncio.gather(
                *(_peer(round_, port, random.Random(round_.chance.random())) for _ in range(_TOGETHER))
            )
            async with asyncio.timeout(5):
                while server.conversations:  # noqa: ASYNC110  # their last commands run into their time limits
                    await asyncio.sleep(0.005)
            if table.wrong:
                wrong, table.wrong = table.wrong, []
                raise Fault("; ".join(wrong[:3]))

        with mock.patch.object(agi_conversation, "_VERDICT_S", 0.01):
            try:
                yield play
            finally:
                await server.stop(1.0)


class _Table:
    """What runs on our side of each connection: commands with hostile values, until it is over."""

    def __init__(self) -> None:
        self.round: Round | None = None
        self.wrong: list[str] = []

    async def converse(self, agi: AgiConversation) -> None:
        chance = random.Random(f"{agi.uniqueid}{agi.env.get('agi_threadid')}")
        silent = 0
        for _ in range(30):
            if agi.is_over or silent > 2:
                return
            try:
                await self._ask(agi, chance)
            except AgiTimeoutError:
                silent += 1
            except AgiError:
                continue

    async def _ask(self, agi: AgiConversation, chance: random.Random) -> None:
        said = text(chance)[:400]
        match chance.randrange(9):
            case 0:
                await agi.answer()
            case 1:
                await agi.set_variable("CALLYARD_STATE", said)
            case 2:
                await agi.get_variable("CALLERID(name)")
            case 3:
                values = await agi.get_variables("CALLYARD_A", "CALLYARD_B", "CALLYARD_C")
                if len(values) != 3:
                    self.wrong.append(f"three variables asked, came {values!r}")
            case 4:
                await agi.execute("StartMusicOnHold", said)
            case 5:
                await agi.gosub("callyard-dial", "s", 1, said, "20")
            case 6:
                await agi.stream_file(f"/sounds/{said}", "", 0)
            case 7:
                await agi.command("RECORD", "FILE", said, "wav", "#", "1000", "BEEP")
            case _:
                await agi.verbose(said)


async def _peer(round_: Round, port: int, chance: random.Random) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        with suppress(OSError, EOFError):
            await _greet(round_, writer, chance)
            await _answer(round_, reader, writer, chance)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _greet(round_: Round, writer: asyncio.StreamWriter, chance: random.Random) -> None:
    changes = {name: text(chance).encode("utf-8", "replace") for name in chance.sample(_FIELDS, chance.randint(0, 3))}
    head = header(threadid=str(chance.random()), **changes)
    if chance.random() < 0.3:
        head = slipped(chance, head, _HEADER_PIECES)
    round_.note(head)
    for part in split(chance, head):
        writer.write(part)
        await asyncio.sleep(0)


async def _answer(
    round_: Round, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chance: random.Random
) -> None:
    for _ in range(chance.randint(5, 30)):
        async with asyncio.timeout(2):
            line = await reader.readline()
        if not line:
            return
        if len(line) > COMMAND_BYTES + 1 or b"\r" in line or b"\0" in line or not split_words(line.decode()):
            raise Fault(f"a command that Asterisk would read in another way: {line!r}")
        reply = chance.choice(_REPLIES)
        if chance.random() < 0.3:
            reply = slipped(chance, reply, _PIECES)
        if chance.random() < 0.05:
            reply = b"\n".join([reply] * chance.randint(2, 40))
        if chance.random() < 0.03:
            return
        round_.note(reply)
        for part in split(chance, reply + b"\n"):
            writer.write(part)
            await asyncio.sleep(0)
        await writer.drain()
