"""Another program, as webhooks meet it: an HTTP server on loopback that answers as told and remembers what came."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MOST_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What came. `headers`: by their names in small letters."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def fields(self) -> dict[str, Any]:
        """What was sent: the query, and the body as JSON or as a form."""
        query: dict[str, Any] = dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))
        if not self.body:
            return query
        if self.headers.get("content-type") == "application/json":
            sent: dict[str, Any] = json.loads(self.body)
            return query | sent
        return query | dict(parse_qsl(self.body.decode(), keep_blank_values=True))


#: Answers one request, by writing to its connection.
Manner = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def response(status: int, content: object = None, *headers: str) -> bytes:
    """An answer of JSON, whole."""
    body = b"" if content is None else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answering(status: int, content: object = None, *headers: str) -> Manner:
    """Always the same answer."""

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(response(status, content, *headers))

    return answer


@dataclass
class Program:
    """The running program. `manner` may be changed at any time."""

    manner: Manner
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    #: Requests whose connection the other side closed before there was an answer.
    given_up: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def asked(self, count: int, limit_s: float = 20.0) -> Request:
        """The request of this number, counted from 1, once it has come."""
        await self._until(lambda: len(self.requests) >= count, f"{count} requests", limit_s)
        return self.requests[count - 1]

    async def left_alone(self, count: int = 1, limit_s: float = 20.0) -> None:
        """Return once so many requests were given up."""
        await self._until(lambda: self.given_up >= count, f"{count} requests given up", limit_s)

    async def _until(self, holds: Callable[[], bool], what: str, limit_s: float) -> None:
        try:
            async with asyncio.timeout(limit_s), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            came = [f"{each.method} {each.target}" for each in self.requests]
            raise AssertionError(f"expected {what} within {limit_s:g} s; came {came}") from None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            request = await _read(reader)
            async with self._changed:
                self.requests.append(request)
                self._changed.notify_all()
            await self._answer(request, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # who connects and says nothing
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer, unless the other side goes before."""
        answering = asyncio.ensure_future(self.manner(request, writer))
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait([answering, gone], return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                async with self._changed:
                    self.given_up += 1
                    self._changed.notify_all()
        finally:
            answering.cancel()
            gone.cancel()
            await asyncio.gather(answering, gone, return_exceptions=True)

    async def close(self) -> None:
        """End what is still being answered."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


@asynccontextmanager
async def open_program(manner: Manner, port: int = 0, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Program]:
    """The program on a port of its own, until the end."""
    program = Program(manner)
    server = await asyncio.start_server(program.serve, "127.0.0.1", port, limit=MOST_HEAD_BYTES, ssl=tls)
    program.port = server.sockets[0].getsockname()[1]
    try:
        yield program
    finally:
        server.close()
        await program.close()
