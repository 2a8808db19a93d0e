"""The FastAGI server: Asterisk connects once per call, and each connection becomes a conversation.

What belongs here: the accept loop with its limits. panoramisk's accept loop is not used: it spins for ever
on a connection that closes before its header is whole, so a port scan would freeze the process.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from cti.agi_conversation import AgiConversation, AgiLimits, Played
from cti.agi_errors import AgiError
from cti.agi_reply import AgiReply, HeaderFormatError, read_header

__all__ = ["AgiConversation", "AgiLimits", "AgiReply", "AgiServer", "Played"]

log = structlog.get_logger(__name__)

DEFAULT_LIMITS = AgiLimits()
_CLOSE_S = 1.0


class AgiServer:
    """Accepts FastAGI connections and gives each to `on_call`; the end of `on_call` closes the connection.

    `conversations` is the live count. `refused` counts connections that never became one, by reason:
    `closed` (port scan, health check), `slow`, `large`, `malformed`, `full`.
    """

    def __init__(
        self,
        on_call: Callable[[AgiConversation], Awaitable[None]],
        *,
        limits: AgiLimits = DEFAULT_LIMITS,
    ) -> None:
        self.conversations = 0
        self.refused: Counter[str] = Counter()
        self._on_call = on_call
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port (the kernel's choice when `port` is 0)."""
        limit = max(self._limits.line_bytes, self._limits.header_bytes)
        self._server = await asyncio.start_server(self._accept, host, port, limit=limit, backlog=1024)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self, grace_s: float) -> None:
        """Stop accepting, cancel every conversation, give them `grace_s` to tidy up, close what is left."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for wait_s in (grace_s, _CLOSE_S):
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=wait_s)
            for writer in self._writers:
                writer.transport.abort()
        if self._tasks:
            log.error("agi_conversations_stuck", count=len(self._tasks))
        if server is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None or len(self._tasks) >= self._limits.conversations:
            self.refused["full"] += 1
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        self._writers.add(writer)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            conversation = await self._greet(reader, writer)
            if conversation is not None:
                await self._converse(conversation)
        finally:
            self._writers.discard(writer)
            await _close(writer)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AgiConversation | None:
        try:
            async with asyncio.timeout(self._limits.header_s):
                block = await self._header(reader)
            return AgiConversation(read_header(block), reader, writer, self._limits)
        except TimeoutError:
            self.refused["slow"] += 1
        except asyncio.LimitOverrunError:
            self.refused["large"] += 1
        except HeaderFormatError as error:
            self.refused["malformed"] += 1
            log.warning("agi_header_refused", fault=str(error))
        except (asyncio.IncompleteReadError, OSError):
            self.refused["closed"] += 1
        return None

    async def _header(self, reader: asyncio.StreamReader) -> bytes:
        block = bytearray()
        while (line := await reader.readuntil(b"\n")).strip(b"\r\n"):
            block += line
            if len(block) > self._limits.header_bytes:
                raise asyncio.LimitOverrunError("header too large", len(block))
        return bytes(block)

    async def _converse(self, conversation: AgiConversation) -> None:
        listening = asyncio.create_task(conversation.listen())
        self.conversations += 1
        try:
            await self._on_call(conversation)
        except AgiError as error:
            log.info("agi_session_ended", channel=conversation.channel, code=error.code, fault=str(error))
        except Exception:
            # One call's failure stays that call's: its dialplan goes on where AGI() ends.
            log.exception("agi_session_failed", channel=conversation.channel)
        finally:
            self.conversations -= 1
            listening.cancel()
            await asyncio.wait({listening})


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(_CLOSE_S):
            await writer.wait_closed()
    except (TimeoutError, OSError):
        writer.transport.abort()
