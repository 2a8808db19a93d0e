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
from cti.agi_stream import AgiStream, HeaderTooLargeError

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
        self._streams: set[AgiStream] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port (the kernel's choice when `port` is 0)."""
        loop, limits = asyncio.get_running_loop(), self._limits
        self._server = await loop.create_server(
            lambda: AgiStream(self._accept, header_bytes=limits.header_bytes, line_bytes=limits.line_bytes),
            host,
            port,
            backlog=1024,
        )
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
            for stream in list(self._streams):
                stream.abort()
        if self._tasks:
            log.error("agi_conversations_stuck", count=len(self._tasks))
        if server is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await server.wait_closed()

    def _accept(self, stream: AgiStream) -> None:
        if self._server is None or len(self._tasks) >= self._limits.conversations:
            self.refused["full"] += 1
            stream.abort()
            return
        task = asyncio.create_task(self._serve(stream))
        self._tasks.add(task)
        self._streams.add(stream)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream: AgiStream) -> None:
        try:
            conversation = await self._greet(stream)
            if conversation is not None:
                await self._converse(conversation)
        finally:
            self._streams.discard(stream)
            await _close(stream)

    async def _greet(self, stream: AgiStream) -> AgiConversation | None:
        try:
            async with asyncio.timeout(self._limits.header_s):
                block = await stream.header()
            conversation = AgiConversation(read_header(block), stream, self._limits)
            stream.listen(conversation)
            return conversation
        except TimeoutError:
            self.refused["slow"] += 1
        except HeaderTooLargeError:
            self.refused["large"] += 1
        except HeaderFormatError as error:
            self.refused["malformed"] += 1
            log.warning("agi_header_refused", fault=str(error))
        except OSError:
            self.refused["closed"] += 1
        return None

    async def _converse(self, conversation: AgiConversation) -> None:
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


async def _close(stream: AgiStream) -> None:
    stream.close()
    try:
        async with asyncio.timeout(_CLOSE_S):
            await stream.closed()
    except TimeoutError:
        stream.abort()
