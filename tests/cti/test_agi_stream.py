"""The bytes of a FastAGI connection: header, lines, limits, and an end at any moment."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.agi_stream import AgiStream, HeaderTooLargeError


class Told:
    """Keeps what a listener is told."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.overflows = 0
        self.ends = 0

    def take(self, line: bytes) -> None:
        self.lines.append(line)

    def overflow(self) -> None:
        self.overflows += 1

    def end(self) -> None:
        self.ends += 1


async def begun() -> AgiStream:
    return AgiStream(lambda stream: None, header_bytes=100, line_bytes=20)


@given(st.lists(st.integers(1, 60), max_size=6), st.sampled_from([b"\n", b"\r\n"]))
def test_whatever_the_segments_header_and_lines_are_the_same(cuts: list[int], end: bytes) -> None:
    async def feed() -> None:
        stream, told = await begun(), Told()
        sent = end.join([b"agi_channel: a", b"agi_uniqueid: b", b"", b""]) + b"200 result=0\nHANGUP\npart"
        edges = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
        for begin, until in pairwise(edges):
            stream.data_received(sent[begin:until])
        assert (await stream.header()).split() == [b"agi_channel:", b"a", b"agi_uniqueid:", b"b"]
        stream.listen(told)
        assert told.lines == [b"200 result=0", b"HANGUP"]
        stream.data_received(b"ly\n")
        assert told.lines[2:] == [b"partly"]

    asyncio.run(feed())


async def test_a_connection_that_ends_in_its_header_says_so() -> None:
    stream = await begun()
    stream.data_received(b"agi_channel: a\n")
    stream.connection_lost(None)

    with pytest.raises(ConnectionError):
        await stream.header()


@pytest.mark.parametrize("sent", [b"x" * 101, b"x" * 101 + b"\n\n"])
async def test_a_header_that_is_too_large_is_refused(sent: bytes) -> None:
    stream = await begun()
    stream.data_received(sent)

    with pytest.raises(HeaderTooLargeError):
        await stream.header()


@pytest.mark.parametrize("sent", [b"x" * 21, b"ok\n" + b"x" * 21 + b"\nlater\n"])
async def test_a_line_that_is_too_long_is_told_once_and_nothing_after_it(sent: bytes) -> None:
    stream, told = await begun(), Told()
    stream.data_received(b"\n\n")
    stream.listen(told)
    stream.data_received(sent)
    stream.data_received(b"more\n")

    assert (told.overflows, told.lines) == (1, [b"ok"] if sent.startswith(b"ok") else [])


async def test_the_end_is_told_also_to_who_listens_later() -> None:
    stream, early, late = await begun(), Told(), Told()
    stream.data_received(b"\n\n")
    stream.listen(early)
    stream.connection_lost(None)
    stream.listen(late)

    assert (early.ends, late.ends) == (1, 1)
    stream.write(b"nobody reads this\n")
    stream.close()
    stream.abort()
    await stream.closed()
