"""The wire carries, and does to what it carries what it is told."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from lab.wire import Wire

EVENT = b"Event: Hangup\r\nUniqueid: 1.2\r\n\r\n"
LIMIT_S = 5


class Talk:
    """A client on the wire, and the other end's half of each connection."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.writers: list[asyncio.StreamWriter] = []
        self.accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.StreamWriter]:
        """(what the server hears, what it says with, what Asterisk says with)."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.wire.port)
        async with asyncio.timeout(LIMIT_S):
            _, there = await self.accepted.get()
        self.writers += [writer, there]
        return reader, writer, there


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.accepted.put_nowait((reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    found = Talk(Wire(server.sockets[0].getsockname()[1]))
    await found.wire.mend()
    yield found
    await found.wire.cut()
    server.close()
    while not found.accepted.empty():
        found.writers.append(found.accepted.get_nowait()[1])
    for writer in found.writers:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def hears(reader: asyncio.StreamReader, count: int) -> bytes:
    async with asyncio.timeout(LIMIT_S):
        return await reader.readexactly(count)


async def test_a_whole_wire_carries(talk: Talk) -> None:
    reader, _, there = await talk.connect()
    there.write(EVENT)
    assert await hears(reader, len(EVENT)) == EVENT


async def test_a_cut_wire_refuses_until_it_is_mended(talk: Talk) -> None:
    reader, _, _ = await talk.connect()
    await talk.wire.cut()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await hears(reader, 1)
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", talk.wire.port)
    await talk.wire.mend()
    await talk.connect()


async def test_what_stalls_comes_late_and_whole(talk: Talk) -> None:
    reader, _, there = await talk.connect()
    talk.wire.stall()
    there.write(EVENT)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await reader.readexactly(1)
    await talk.wire.mend()
    assert await hears(reader, len(EVENT)) == EVENT


async def test_what_is_said_to_the_deaf_is_lost(talk: Talk) -> None:
    reader, _, there = await talk.connect()
    talk.wire.deafen()
    there.write(EVENT)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await reader.readexactly(1)
    await talk.wire.mend()
    there.write(b"after")
    assert await hears(reader, 5) == b"after"


async def test_events_come_twice_and_answers_once(talk: Talk) -> None:
    reader, _, there = await talk.connect()
    talk.wire.stammer()
    there.write(EVENT)
    assert await hears(reader, 2 * len(EVENT)) == EVENT * 2
    there.write(b"Response: Success\r\n\r\n")
    assert await hears(reader, 21) == b"Response: Success\r\n\r\n"


async def test_a_truncated_message_is_the_last(talk: Talk) -> None:
    reader, _, there = await talk.connect()
    talk.wire.truncate()
    there.write(EVENT)
    async with asyncio.timeout(LIMIT_S):
        assert await reader.read(1000) == EVENT[: len(EVENT) // 2]
        assert await reader.read(1000) == b""


async def test_a_flood_falls_between_two_messages(talk: Talk) -> None:
    reader, _, there = await talk.connect()
    there.write(EVENT[:10])
    assert await hears(reader, 10) == EVENT[:10]
    talk.wire.flood(3)
    there.write(EVENT[10:])
    assert await hears(reader, len(EVENT) - 10) == EVENT[10:]
    async with asyncio.timeout(LIMIT_S):
        for number in range(3):
            assert b"noise-%d" % number in await reader.readuntil(b"\r\n\r\n")
