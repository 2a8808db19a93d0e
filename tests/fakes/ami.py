"""A scripted AMI server on a real socket: what Asterisk would say, and everything it would never say.

`answers` maps an action's name (lower case) to a function from the action to the blocks to send; without one the
server answers as Asterisk does for the few actions every client needs, and `Success` for the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

Block = Sequence[tuple[str, str]]
Answer = Callable[["FakeAction"], Sequence[Block]]

_LIMIT_S = 10.0


class FakeAction:
    """One action as it arrived."""

    def __init__(self, text: str, session: FakeSession) -> None:
        self.text = text
        self.session = session
        self.pairs = [
            (name, value.removeprefix(" ")) for name, _, value in (line.partition(":") for line in text.split("\r\n"))
        ]

    def __getitem__(self, name: str) -> str:
        return next(value for known, value in self.pairs if known.lower() == name.lower())

    def get(self, name: str, default: str = "") -> str:
        return next((value for known, value in self.pairs if known.lower() == name.lower()), default)

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.pairs if known.lower() == name.lower()]

    def reply(self, response: str = "Success", *headers: tuple[str, str]) -> Block:
        """Return a response block that carries the action's id."""
        return [("Response", response), ("ActionID", self["ActionID"]), *headers]

    def event(self, name: str, *headers: tuple[str, str]) -> Block:
        """Return an event block that carries the action's id."""
        return [("Event", name), ("ActionID", self["ActionID"]), *headers]

    def list_of(self, name: str, entries: Sequence[Block], complete: str) -> list[Block]:
        """Return a whole list answer: opening response, an event `name` for each entry, event `complete`."""
        return [
            self.reply("Success", ("EventList", "start"), ("Message", f"{name} will follow")),
            *(self.event(name, *entry) for entry in entries),
            self.event(complete, ("EventList", "Complete"), ("ListItems", str(len(entries)))),
        ]


class FakeSession:
    """One client connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.challenge = ""
        self.is_logged_in = False

    def write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    def send(self, *blocks: Block) -> None:
        self.write(b"".join(encode(block) for block in blocks))

    def drop(self) -> None:
        self._writer.transport.abort()

    def stop_reading(self) -> None:
        """Leave what the client sends in the kernel's buffers, as a program that hangs does."""
        transport = self._writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()


def encode(block: Block) -> bytes:
    """Return the bytes of one message."""
    return "".join(f"{name}: {value}\r\n" for name, value in block).encode() + b"\r\n"


class FakeAmi:
    """Listens on 127.0.0.1 at a port of the kernel's choice for as long as its `async with` lasts."""

    def __init__(
        self,
        *,
        username: str = "callyard",
        secret: str = "a-secret",
        banner: bytes = b"Asterisk Call Manager/9.0.0\r\n",
        has_challenge: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.username = username
        self.secret = secret
        self.banner = banner
        self.has_challenge = has_challenge
        self.answers: dict[str, Answer] = {}
        self.is_silent = False
        self.actions: list[FakeAction] = []
        self.raw = b""
        self.sessions: list[FakeSession] = []
        self.opened_at: list[float] = []
        self.logins = 0
        self.port = 0
        self._tls = tls
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop listening and drop every client; entering again listens at the same port."""
        if self._server is None:
            return
        self._server.close()
        self.drop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._server = None

    def drop(self) -> None:
        """Cut every connection."""
        for session in list(self.sessions):
            session.drop()

    def send(self, *blocks: Block) -> None:
        """Send blocks to every client that is logged in."""
        for session in self.sessions:
            if session.is_logged_in:
                session.send(*blocks)

    def write(self, data: bytes) -> None:
        """Send bytes as they are to every client that is logged in."""
        for session in self.sessions:
            if session.is_logged_in:
                session.write(data)

    def named(self, name: str) -> list[FakeAction]:
        """Return the actions of this name that arrived so far."""
        return [action for action in self.actions if action["Action"].lower() == name.lower()]

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait until `claim` is true; it is looked at whenever something arrives or ends here."""
        async with asyncio.timeout(_LIMIT_S), self._changed:
            await self._changed.wait_for(claim)

    async def arrived(self, name: str, count: int = 1) -> FakeAction:
        """Wait for the `count`-th action of this name."""
        await self.until(lambda: len(self.named(name)) >= count)
        return self.named(name)[count - 1]

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        session = FakeSession(writer)
        self.sessions.append(session)
        self.opened_at.append(asyncio.get_running_loop().time())
        session.write(self.banner)
        try:
            await self._tell()
            while data := await reader.readuntil(b"\r\n\r\n"):
                self.raw += data
                action = FakeAction(data.decode().removesuffix("\r\n\r\n"), session)
                self.actions.append(action)
                if not self.is_silent:
                    self._answer(action)
                await self._tell()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            self.sessions.remove(session)
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tell()

    def _answer(self, action: FakeAction) -> None:
        name = action["Action"].lower()
        if name in self.answers:
            action.session.send(*self.answers[name](action))
        elif name == "challenge" and self.has_challenge:
            action.session.challenge = f"{len(self.actions)}1234567"
            action.session.send(action.reply("Success", ("Challenge", action.session.challenge)))
        elif name == "challenge":
            action.session.send(action.reply("Error", ("Message", "Must specify AuthType")))
        elif name == "login":
            self._log_in(action)
        elif name == "logoff":
            action.session.send(action.reply("Goodbye", ("Message", "Thanks for all the fish.")))
        elif name == "ping":
            action.session.send(action.reply("Success", ("Ping", "Pong"), ("Timestamp", "1700000000.000001")))
        else:
            action.session.send(action.reply("Success", ("Message", "Done")))

    def _log_in(self, action: FakeAction) -> None:
        expected = hashlib.md5(f"{action.session.challenge}{self.secret}".encode()).hexdigest()
        is_right = action["Username"] == self.username and (
            (action.session.challenge and action.get("Key") == expected) or action.get("Secret") == self.secret
        )
        if not is_right:
            action.session.send(action.reply("Error", ("Message", "Authentication failed")))
            return
        action.session.is_logged_in = True
        self.logins += 1
        action.session.send(
            action.reply("Success", ("Message", "Authentication accepted")),
            [("Event", "FullyBooted"), ("Privilege", "system,all"), ("Status", "Fully Booted")],
        )
