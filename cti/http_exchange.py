"""One HTTP/1.1 exchange over a connection of its own, by h11: a request out, a bounded answer in.

Not a client of the web: no proxies, no cookies, no compression, no connection that is kept (a request on one that has
just died would have to be sent twice). Who calls bounds the time; a cancelled exchange closes its connection.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import h11

from cti.errors import CtiError

MOST_BODY_BYTES = 64 * 1024
MOST_HEADER_BYTES = 16 * 1024
_CHUNK = 16 * 1024


class ExchangeError(CtiError):
    """There was no answer that can be used. `reason`: in one word."""

    code = "webhook_exchange"

    def __init__(self, reason: str, said: str = "") -> None:
        super().__init__(f"{reason}: {said}" if said else reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Peer:
    """Where to connect: addresses to try in turn; `server_name` is who must prove to be there, where TLS is."""

    addresses: Sequence[tuple[str, int]]
    server_name: str
    tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `target`: path and query, quoted already."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    location: str
    body: bytes


async def exchange(peer: Peer, asked: Asked) -> Answer:
    """Ask, and read the answer to its end. Raises ExchangeError."""
    reader, writer = await _connect(peer)
    try:
        return await _speak(reader, writer, asked)
    except (OSError, asyncio.IncompleteReadError) as error:
        raise ExchangeError("broken_off", _said(error)) from error
    except (h11.RemoteProtocolError, h11.LocalProtocolError) as error:
        raise ExchangeError("not_http", _said(error)) from error
    finally:
        writer.transport.abort()  # closing politely would wait for the other side


async def _connect(peer: Peer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    failed = ExchangeError("unknown_host", "no address")
    for host, port in peer.addresses:
        try:
            return await asyncio.open_connection(
                host, port, ssl=peer.tls, server_hostname=peer.server_name if peer.tls else None, limit=_CHUNK
            )
        except ssl.SSLError as error:
            failed = ExchangeError("tls", _said(error))
        except OSError as error:
            failed = ExchangeError("unreachable", _said(error))
    raise failed


async def _speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked) -> Answer:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEADER_BYTES)
    request = h11.Request(method=asked.method, target=asked.target, headers=list(asked.headers))
    writer.write(connection.send(request) or b"")
    if asked.body:
        writer.write(connection.send(h11.Data(data=asked.body)) or b"")
    writer.write(connection.send(h11.EndOfMessage()) or b"")
    with suppress(ConnectionError):  # one who does not read to the end may have answered all the same
        await writer.drain()
    response: h11.Response | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MOST_BODY_BYTES:
                raise ExchangeError("too_large", f"more than {MOST_BODY_BYTES} bytes")
        elif isinstance(event, h11.EndOfMessage) and response is not None:
            return Answer(response.status_code, _header(response, b"location"), bytes(body))
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            raise ExchangeError("broken_off", "closed without an answer")


def _header(response: h11.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in response.headers if key == name), "")


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
