"""The bytes of one FastAGI connection: a header first, then lines, handed on as they come.

What belongs here: cutting and limits. Streams of asyncio would do it too, at the price of one more task and two turns
of the loop for each reply, of which a call has about twenty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast


class HeaderTooLargeError(Exception):
    """More came than a header may take."""


class Listener(Protocol):
    """Who is told what Asterisk says. Called on the event loop, never with anything half."""

    def take(self, line: bytes) -> None:
        """A line, without its end."""

    def overflow(self) -> None:
        """A line became longer than one may be; nothing more will be told."""

    def end(self) -> None:
        """The connection is over."""


class _Deaf:
    """Who has heard enough."""

    def take(self, line: bytes) -> None: ...

    def overflow(self) -> None: ...

    def end(self) -> None: ...


class AgiStream(asyncio.Protocol):
    """One connection. `begin` is called once it is there; `header` and then `listen` say what becomes of it."""

    def __init__(self, begin: Callable[[AgiStream], None], *, header_bytes: int, line_bytes: int) -> None:
        self._begin = begin
        self._header_bytes = header_bytes
        self._line_bytes = line_bytes
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._header: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._listener: Listener | None = None
        self._lost = asyncio.Event()

    # -- for the server and the conversation -------------------------------------------------------------

    async def header(self) -> bytes:
        """The lines up to the first empty one. ConnectionError when the connection ends before, HeaderTooLargeError."""
        return await self._header

    def listen(self, listener: Listener) -> None:
        """From now on this one is told every line, those that came already first."""
        self._listener = listener
        self._cut_lines()
        if self._lost.is_set():
            listener.end()

    def write(self, data: bytes) -> None:
        """Send; nothing happens once the connection is over."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Send what is written, and end the connection."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection now."""
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Return when the connection is over."""
        await self._lost.wait()

    # -- what the loop tells -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self._begin(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._listener is not None:
            self._cut_lines()
        elif not self._header.done():
            self._cut_header()
        elif len(self._buffer) > self._header_bytes + self._line_bytes:
            self.abort()  # nobody listens yet, and Asterisk says nothing unasked but HANGUP

    def eof_received(self) -> bool:
        return False  # Asterisk never closes one half only

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        if not self._header.done():
            self._header.set_exception(ConnectionError("closed within the header"))
            self._header.exception()  # perhaps nobody waits any more
        if self._listener is not None:
            self._listener.end()

    # -- cutting -----------------------------------------------------------------------------------------

    def _cut_header(self) -> None:
        end = min((at for mark in (b"\n\n", b"\n\r\n") if (at := self._buffer.find(mark)) >= 0), default=-1)
        if (end if end >= 0 else len(self._buffer)) > self._header_bytes:
            self._header.set_exception(HeaderTooLargeError)
            self.abort()
        elif end >= 0:
            block = bytes(self._buffer[: end + 1])
            del self._buffer[: self._buffer.index(b"\n", end + 1) + 1]
            self._header.set_result(block)

    def _cut_lines(self) -> None:
        listener = self._listener
        assert listener is not None
        *lines, rest = self._buffer.split(b"\n")
        for line in lines:
            if len(line) > self._line_bytes:
                rest = line
                break
            listener.take(bytes(line))
        self._buffer = rest
        if len(rest) > self._line_bytes:
            self._buffer = bytearray()
            listener.overflow()
            self._listener = _Deaf()
