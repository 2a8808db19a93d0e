"""Asterisk's side of FastAGI on a real socket, speaking as res_agi.c does.

`AgiPeer` is driven line by line by a test; `serve()` makes it answer by itself like a channel with
variables, sounds and applications.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Self

#: A reply: text, bytes, or nothing (the command stays unanswered); or what computes one from the words.
Answer = str | bytes | None
Answerer = Callable[[list[str]], Awaitable[Answer]]

_WAIT_S = 5.0
_COMMAND_BYTES = 2048
USAGE = "520-Invalid command syntax.  Proper usage follows:\n{usage}\n520 End of proper usage."


def split_words(line: str) -> list[str]:
    """A command's words by Asterisk's rules: blanks part them, quotes join, a backslash escapes."""
    words: list[str] = []
    is_quoted = is_escaped = False
    is_between = True
    for char in line:
        if char == "\\" and not is_escaped:
            is_escaped = True
            continue
        if char == '"' and not is_escaped:
            is_quoted = not is_quoted
            if is_quoted and is_between:
                words.append("")
                is_between = False
            continue
        if char in " \t" and not is_quoted and not is_escaped:
            is_between = True
            continue
        if is_between:
            words.append("")
            is_between = False
        words[-1] += char
        is_escaped = False
    return words


def substituted(text: str, variables: Mapping[str, str]) -> str:
    """`${NAME}` replaced, as Asterisk does."""
    return re.sub(r"\$\{([^{}]*)\}", lambda found: variables.get(found[1], ""), text)


def header(**changes: str | bytes) -> bytes:
    """The header that Asterisk sends; a change replaces a line (`callerid=…`) or adds one."""
    lines: dict[str, str | bytes] = {
        "network": "yes",
        "network_script": "call",
        "request": "agi://127.0.0.1/call",
        "channel": "PJSIP/trunk-00000001",
        "language": "en",
        "type": "PJSIP",
        "uniqueid": "node1-1700000000.1",
        "version": "22.10.1",
        "callerid": "+441234567890",
        "calleridname": "unknown",
        "dnid": "100",
        "context": "callyard-in",
        "extension": "100",
        "priority": "1",
        "threadid": "140000000000000",
    }
    lines.update(changes)
    encoded = (
        f"agi_{name}: ".encode() + (value if isinstance(value, bytes) else value.encode()) + b"\n"
        for name, value in lines.items()
    )
    return b"".join(encoded) + b"\n"


class AgiPeer:
    """One connection to the server under test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.variables: dict[str, str] = {}
        self.heard: list[list[str]] = []
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int, head: bytes | None = None) -> Self:
        """Connect and send the header (`head`: other bytes instead)."""
        async with asyncio.timeout(_WAIT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(header() if head is None else head)
        return cls(reader, writer)

    async def asked(self) -> list[str]:
        """The next command's words. EOFError when the server has closed."""
        async with asyncio.timeout(_WAIT_S):
            line = await self._reader.readline()
        if not line:
            raise EOFError("the server closed the connection")
        if len(line) >= _COMMAND_BYTES:
            raise AssertionError(f"Asterisk would cut this command of {len(line)} bytes in two")
        words = split_words(line.decode().rstrip("\n"))
        self.heard.append(words)
        return words

    def say(self, text: str | bytes) -> None:
        """Send lines as they are, ended by a newline."""
        data = text if isinstance(text, bytes) else text.encode()
        self.send(data + b"\n")

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)

    async def answer(self, text: str | bytes) -> list[str]:
        """Wait for a command, reply to it, and return its words."""
        words = await self.asked()
        self.say(text)
        return words

    def hang_up(self, times: int = 1) -> None:
        """Say `HANGUP`, which Asterisk does once or twice."""
        self.say("\n".join(["HANGUP"] * times))

    async def ended(self) -> bytes:
        """Wait until the server closes; returns what it still sent."""
        async with asyncio.timeout(_WAIT_S):
            try:
                return await self._reader.read()
            except ConnectionResetError:
                return b""

    async def close(self) -> None:
        """Close this side."""
        self._writer.close()
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._writer.wait_closed()
        except OSError:
            return

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def serve(self, answerers: Mapping[str, Answerer] | None = None) -> None:
        """Answer commands until the server closes. `answerers`: by verb (`"STREAM FILE"`, `"EXEC Dial"`)."""
        while True:
            try:
                words = await self.asked()
            except (EOFError, ConnectionResetError):
                return
            reply = await self._reply(words, answerers or {})
            if reply is not None:
                self.say(reply)

    async def _reply(self, words: list[str], answerers: Mapping[str, Answerer]) -> Answer:
        for count in (3, 2, 1):
            answerer = answerers.get(" ".join(words[:count]))
            if answerer is not None:
                return await answerer(words)
        return self._usual(words)

    def _usual(self, words: list[str]) -> Answer:
        match words:
            case ["EXEC", "MSet", pairs]:
                for pair in pairs.split(","):
                    name, value = pair.split("=", 1)
                    self.variables[name] = value
                return "200 result=0"
            case ["ANSWER"] | ["EXEC", _] | ["EXEC", _, _]:
                return "200 result=0"
            case ["HANGUP"]:
                return "200 result=1\nHANGUP"
            case ["VERBOSE", _, _]:
                return "200 result=1"
            case ["SET", "VARIABLE", name, value]:
                self.variables[name] = value
                return "200 result=1"
            case ["GET", "VARIABLE", name]:
                return f"200 result=1 ({self.variables[name]})" if name in self.variables else "200 result=0"
            case ["GET", "FULL", "VARIABLE", text]:
                return f"200 result=1 ({substituted(text, self.variables)})"
            case ["STREAM", "FILE", _, _, *_]:
                return "200 result=0 endpos=8000"
            case ["GOSUB", _, _, _, *_]:
                return "100 result=0 Trying...\n200 result=0 Gosub complete"
            case ["SET" | "GET" | "VERBOSE" | "GOSUB" | "STREAM", *_]:
                return USAGE.format(usage=f"Usage: {words[0]} …")
            case _:
                return "510 Invalid or unknown command"
