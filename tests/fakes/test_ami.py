"""The scripted AMI server itself: a plain socket client sees what Asterisk would show."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from tests.fakes.ami import FakeAmi


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *lines: str) -> str:
    writer.write("\r\n".join([*lines, "", ""]).encode())
    async with asyncio.timeout(5):
        return (await reader.readuntil(b"\r\n\r\n")).decode()


@pytest.mark.parametrize("kind", ["challenge", "plain"])
async def test_logs_in_and_answers(kind: str) -> None:
    async with FakeAmi() as ami:
        reader, writer = await asyncio.open_connection("127.0.0.1", ami.port)
        assert await reader.readuntil(b"\r\n") == b"Asterisk Call Manager/9.0.0\r\n"
        login = [f"Secret: {ami.secret}"]
        if kind == "challenge":
            dare = await _ask(reader, writer, "Action: Challenge", "ActionID: 1", "AuthType: MD5")
            number = dare.split("Challenge: ")[1].strip()
            key = hashlib.md5(f"{number}{ami.secret}".encode()).hexdigest()
            login = ["AuthType: MD5", f"Key: {key}"]
        said = await _ask(reader, writer, "Action: Login", "ActionID: 2", f"Username: {ami.username}", *login)
        assert said.startswith("Response: Success\r\nActionID: 2\r\n")
        assert "FullyBooted" in (await reader.readuntil(b"\r\n\r\n")).decode()
        ami.send([("Event", "Hangup"), ("Cause", "16")])
        assert await reader.readuntil(b"\r\n\r\n") == b"Event: Hangup\r\nCause: 16\r\n\r\n"
        assert (await ami.arrived("login"))["ActionID"] == "2"
        assert ami.logins == 1
        ami.drop()
        assert await reader.read() == b""
        writer.close()


async def test_refuses_a_wrong_secret() -> None:
    async with FakeAmi() as ami:
        reader, writer = await asyncio.open_connection("127.0.0.1", ami.port)
        await reader.readuntil(b"\r\n")
        said = await _ask(reader, writer, "Action: Login", "ActionID: 1", f"Username: {ami.username}", "Secret: no")
        assert "Response: Error" in said
        assert ami.logins == 0
        writer.close()


async def test_silence_reads_and_says_nothing() -> None:
    async with FakeAmi() as ami:
        ami.is_silent = True
        reader, writer = await asyncio.open_connection("127.0.0.1", ami.port)
        await reader.readuntil(b"\r\n")
        writer.write(b"Action: Ping\r\nActionID: 1\r\n\r\n")
        await ami.arrived("ping")
        ami.drop()
        assert await reader.read() == b""
        writer.close()


async def test_stopped_it_refuses_and_comes_back_at_the_same_port() -> None:
    async with FakeAmi() as ami:
        port = ami.port
        await ami.stop()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        async with ami:
            assert ami.port == port
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
