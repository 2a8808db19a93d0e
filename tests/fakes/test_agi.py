"""The fake Asterisk keeps Asterisk's rules."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.agi import AgiPeer, header, split_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ANSWER", ["ANSWER"]),
        ("SET  VARIABLE\tX y", ["SET", "VARIABLE", "X", "y"]),
        ('STREAM FILE "a b" ""', ["STREAM", "FILE", "a b", ""]),
        (r'X "say \"hi\" \\ done"', ["X", r'say "hi" \ done']),
        (r"X a\ b", ["X", "a b"]),
        ('X a"b c"d', ["X", "ab cd"]),
    ],
)
def test_words_are_parted_as_asterisk_parts_them(line: str, words: list[str]) -> None:
    assert split_words(line) == words


def test_header_ends_with_a_blank_line_and_takes_changes() -> None:
    block = header(callerid="", calleridname=b"\xc8\xe2\xe0\xed")
    assert block.endswith(b"\n\n")
    assert b"agi_callerid: \n" in block
    assert b"agi_calleridname: \xc8\xe2\xe0\xed\n" in block


async def test_served_channel_keeps_variables_and_refuses_what_it_does_not_know() -> None:
    replies: list[bytes] = []

    async def drive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\n\n")
        for command in (b'SET VARIABLE X "1 2"', b"GET FULL VARIABLE <${X}>", b"GET VARIABLE Y", b"FLY"):
            writer.write(command + b"\n")
            replies.append(await reader.readline())
        writer.close()

    server = await asyncio.start_server(drive, "127.0.0.1", 0)
    async with server, await AgiPeer.connect(server.sockets[0].getsockname()[1]) as peer:
        await peer.serve()
    assert replies == [
        b"200 result=1\n",
        b"200 result=1 (<1 2>)\n",
        b"200 result=0\n",
        b"510 Invalid or unknown command\n",
    ]


async def test_a_command_that_asterisk_would_cut_is_an_error() -> None:
    async def drive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"VERBOSE " + b"x" * 2048 + b"\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(drive, "127.0.0.1", 0)
    async with server, await AgiPeer.connect(server.sockets[0].getsockname()[1]) as peer:
        with pytest.raises(AssertionError, match="cut this command"):
            await peer.asked()
