"""Independent peers of a real Asterisk: an AGI server and an AMI client that share no code with the product."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

LIMIT_S = 20.0


class AgiEndedError(Exception):
    """The AGI session is over: Asterisk said HANGUP or closed the connection."""


@dataclass
class AgiTalk:
    """One AGI session as the server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    env: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    async def read_env(self) -> None:
        async with asyncio.timeout(LIMIT_S):
            while (line := (await self.reader.readline()).decode().strip()) != "":
                key, _, value = line.partition(": ")
                self.env[key] = value

    async def command(self, text: str, limit_s: float = LIMIT_S) -> str:
        """Send one command and return its final reply line."""
        self.writer.write(text.encode() + b"\n")
        await self.writer.drain()
        async with asyncio.timeout(limit_s):
            while True:
                raw = await self.reader.readline()
                line = raw.decode().strip()
                self.lines.append(line)
                if not raw or line == "HANGUP":
                    raise AgiEndedError(text)
                if not line.startswith("100 "):
                    return line

    async def variable(self, name: str) -> str:
        found = re.match(r"200 result=1 \((.*)\)$", await self.command(f"GET VARIABLE {name}"))
        return found.group(1) if found else ""

    async def ended(self) -> None:
        """Return when Asterisk has closed the session."""
        async with asyncio.timeout(LIMIT_S):
            while await self.reader.readline():
                pass


class AgiServer:
    """Accepts AGI sessions and hands each to `script`; may be stopped (refusing) and started again."""

    def __init__(self, port: int, script: Callable[[AgiTalk], Awaitable[None]]) -> None:
        self.port = port
        self.script = script
        self.talks: asyncio.Queue[AgiTalk] = asyncio.Queue()
        self.sessions = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.faults: list[BaseException] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self.die()
        if self.faults and kind is None:
            raise self.faults[0]

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def die(self) -> None:
        """Stop as `kill -9` does: no session goes on, new ones are refused."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None

    async def next_talk(self, limit_s: float = LIMIT_S) -> AgiTalk:
        """Return the next session whose environment has arrived."""
        async with asyncio.timeout(limit_s):
            return await self.talks.get()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.sessions += 1
        talk = AgiTalk(reader, writer)
        try:
            await talk.read_env()
            self.talks.put_nowait(talk)
            await self.script(talk)
        except (AgiEndedError, ConnectionError, asyncio.CancelledError):
            pass
        except (AssertionError, TimeoutError) as fault:
            self.faults.append(fault)
        finally:
            writer.close()
            self._tasks.discard(task)
            self._writers.discard(writer)


async def hold(talk: AgiTalk) -> None:
    """An AGI script that takes the call as the server does, and keeps it with music until Asterisk ends it."""
    for name, value in (("CALLYARD_SEEN", "1"), ("CALLYARD_AWAY", ""), ("CALLYARD_AWAY_SINCE", "")):
        await talk.command(f'SET VARIABLE {name} "{value}"')
    await talk.command('SET VARIABLE "TIMEOUT(absolute)" 45')
    await talk.command("ANSWER")
    await talk.command('SET VARIABLE CALLYARD_GREETED "1"')
    await talk.command("EXEC StartMusicOnHold default")
    await talk.ended()


async def fall_silent(talk: AgiTalk) -> None:
    """An AGI script of a server that accepts and then never says a word, as one under SIGSTOP."""
    await talk.ended()


Block = dict[str, str]


class AmiWatch:
    """A plain AMI connection: every event is kept, and can be waited for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.blocks: list[Block] = []
        self._arrived = asyncio.Condition()
        self._number = 0

    async def act(self, action: str, **headers: str) -> list[Block]:
        """Send an action and return its response, followed by the events of its list."""
        self._number += 1
        own = f"watch-{self._number}"
        start = len(self.blocks)
        lines = [f"Action: {action}", f"ActionID: {own}", *(f"{k}: {v}" for k, v in headers.items())]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await self._writer.drain()

        def mine() -> list[Block]:
            return [block for block in self.blocks[start:] if block.get("ActionID") == own]

        def complete() -> bool:
            found = mine()
            is_list = bool(found) and found[0].get("EventList") == "start"
            return bool(found) and (not is_list or found[-1].get("EventList") == "Complete")

        await self._until(complete, f"the answer to {action}")
        return mine()

    async def event(self, name: str, limit_s: float = LIMIT_S, since: int = 0, **headers: str) -> Block:
        """Return the first event of that name whose headers hold the given values."""

        def found() -> list[Block]:
            return [
                b
                for b in self.blocks[since:]
                if b.get("Event") == name and all(b.get(k) == v for k, v in headers.items())
            ]

        await self._until(lambda: bool(found()), f"event {name} {headers}", limit_s)
        return found()[0]

    async def variable(self, channel: str, name: str) -> str:
        answer = await self.act("Getvar", Channel=channel, Variable=name)
        return answer[0].get("Value", "")

    async def becomes(self, channel: str, name: str, value: str) -> None:
        """Return when the channel's variable has that value; there is no event for it that we may read."""
        try:
            async with asyncio.timeout(LIMIT_S):
                while await self.variable(channel, name) != value:
                    pass
        except TimeoutError:
            raise AssertionError(f"{name} of {channel} did not become {value!r} within {LIMIT_S} s") from None

    async def database(self, family: str) -> list[Block]:
        """Return the entries of an Asterisk database family."""
        return [b for b in await self.act("DBGetTree", Family=family) if b.get("Event") == "DBGetTreeResponse"]

    async def _until(self, ready: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
        try:
            async with asyncio.timeout(limit_s), self._arrived:
                await self._arrived.wait_for(ready)
        except TimeoutError:
            tail = [b.get("Event") or b.get("Response") for b in self.blocks[-30:]]
            raise AssertionError(f"{what} did not come within {limit_s} s; last were {tail}") from None

    async def _read(self) -> None:
        while True:
            raw = await self._reader.readuntil(b"\r\n\r\n")
            block: Block = {}
            for line in raw.decode(errors="replace").split("\r\n"):
                key, colon, value = line.partition(":")
                if colon:
                    block[key] = f"{block[key]}\n{value.strip()}" if key in block else value.strip()
            async with self._arrived:
                self.blocks.append(block)
                self._arrived.notify_all()


@asynccontextmanager
async def watch_ami(port: int, user: str, secret: str) -> AsyncIterator[AmiWatch]:
    """Log in to AMI and keep what it says."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(LIMIT_S):
        assert (await reader.readline()).startswith(b"Asterisk Call Manager/")
    watch = AmiWatch(reader, writer)
    task = asyncio.create_task(watch._read())
    try:
        answer = await watch.act("Login", Username=user, Secret=secret)
        assert answer[0]["Response"] == "Success", answer
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        writer.close()
