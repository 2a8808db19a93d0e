"""An AMI client that only looks: what Asterisk has, asked with a user that may read. Shares nothing with the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_LIMIT_S = 5.0

Block = dict[str, str]


class AmiLook:
    """A connection that asks for lists; raises TimeoutError, OSError and asyncio.IncompleteReadError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._number = 0

    async def ask(self, action: str, **headers: str) -> list[Block]:
        """The events of the list that this action is answered with, without its head and its end."""
        self._number += 1
        own = f"look-{self._number}"
        lines = [f"Action: {action}", f"ActionID: {own}", *(f"{name}: {value}" for name, value in headers.items())]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        found: list[Block] = []
        async with asyncio.timeout(_LIMIT_S):
            await self._writer.drain()
            while True:
                block = _read((await self._reader.readuntil(b"\r\n\r\n")).decode("utf-8", "replace"))
                if block.get("ActionID") != own:
                    continue
                if block.get("Response") == "Error":
                    raise OSError(f"AMI refused {action}: {block.get('Message', '')}")
                if block.get("EventList") in ("Complete", "cancelled"):
                    return found
                if "Event" in block:
                    found.append(block)

    async def phones(self, extensions: frozenset[str]) -> dict[str, str]:
        """`talking` (up in a bridge), `ringing` or `idle`, by extension; another state of a channel leaves it out."""
        states = dict.fromkeys(extensions, "idle")
        for channel in await self.ask("CoreShowChannels"):
            extension = channel.get("Channel", "").removeprefix("PJSIP/").rpartition("-")[0]
            if extension in states:
                is_bridged = bool(channel.get("BridgeId"))
                state = channel.get("ChannelStateDesc", "")
                states[extension] = "talking" if is_bridged else "ringing" if state == "Ringing" else "between"
        return {extension: state for extension, state in states.items() if state != "between"}


def _read(text: str) -> Block:
    pairs = (line.partition(": ") for line in text.split("\r\n") if line)
    return {name: value for name, _, value in pairs}


@asynccontextmanager
async def ami_look(port: int, user: str, secret: str) -> AsyncIterator[AmiLook]:
    """Log in without events. Raises OSError when refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            f"Action: Login\r\nActionID: in\r\nUsername: {user}\r\nSecret: {secret}\r\nEvents: off\r\n\r\n".encode()
        )
        async with asyncio.timeout(_LIMIT_S):
            answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        if "Response: Success" not in answer:
            raise OSError(f"AMI refused the login of {user}: {answer[-200:]!r}")
        yield AmiLook(reader, writer)
    finally:
        writer.close()
