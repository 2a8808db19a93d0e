"""Whatever comes over a connection ends in bounded time, and is an answer or none."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cti.webhooks import Webhooks
from lab.program import Manner, Program, Request, answering, open_program
from tests.cti.asking import KEEP, get, program, raw, webhooks, why

__all__ = ["program", "webhooks"]


def endless(begin: bytes, piece: bytes) -> Manner:
    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        while True:
            writer.write(piece)
            await writer.drain()

    return answer


async def drip(_: Request, writer: asyncio.StreamWriter) -> None:
    """A byte now and then: each read succeeds, the whole never comes."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


JSON_HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        (raw(then_waits=True), "timeout"),
        (drip, "timeout"),
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout"),
        (endless(JSON_HEAD, b"[" * 10_000), "too_large"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n", b" " * 100_000), "too_large"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"y" * 1000 + b"\r\n"), "not_http"),
        (endless(b"HTTP/1.1 200 OK\r\nX-More: ", b"y" * 1000), "not_http"),
        (raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "not_http"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"), "not_http"),
        (raw(), "not_http"),
        (raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), "not_http"),
        (raw(JSON_HEAD + b"<html>"), "not_json"),
        (raw(JSON_HEAD), "not_json"),
        (raw(JSON_HEAD + b'{"balance": NaN}'), "not_json"),
        (raw(JSON_HEAD + b"\xff\xfe{"), "not_json"),
        (raw(JSON_HEAD + b"[" * 5000 + b"]" * 5000), "too_deep"),
        (raw(JSON_HEAD + b'{"balance": "much"}'), "wrong_type"),
        (raw(JSON_HEAD + b'{"customer": {"name": ["Anna"]}}'), "wrong_type"),
        (answering(302, None, "Location: http://127.0.0.1:1/"), "redirected"),
        (answering(302, None, "Location: https://127.0.0.1/"), "redirected"),
        (answering(302, None, "Location: //evil.example/"), "redirected"),
        (answering(302, None, "Location: http://127.0.0.1:99999/"), "redirected"),
        (answering(302, None, "Location: http://localhost/"), "redirected"),
        (answering(307, None, "Location: file:///etc/passwd"), "redirected"),
        (answering(302, None, "Location: /again"), "redirected"),
    ],
)
async def test_an_answer_that_cannot_be_used_fails_in_time(
    program: Program, webhooks: Webhooks, manner: Manner, reason: str
) -> None:
    program.manner = manner
    async with asyncio.timeout(5):
        assert await why(webhooks, get(program.url, KEEP, timeout="500ms")) == reason


async def test_line_breaks_in_an_answer_become_spaces(program: Program, webhooks: Webhooks) -> None:
    """So nothing of it can be a further line to AGI or AMI."""
    program.manner = answering(200, {"customer": {"name": "Anna\r\nAction: Originate\u2028\x00 \ud800!" + "x" * 300}})
    ended = await webhooks.ask(get(program.url, KEEP))
    assert ended.values["name"].startswith("Anna Action: Originate   !")
    assert len(ended.values["name"]) == 256
    assert ended.values["balance"] == ""
    assert ended.values["name"].isprintable()


@pytest.fixture
async def encrypted(certificate: Path) -> AsyncIterator[Program]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    async with open_program(answering(200, {"balance": 3}), tls=server) as program:
        yield program


async def test_who_has_a_certificate_is_asked_over_tls(encrypted: Program, certificate: Path) -> None:
    webhooks = Webhooks(environment={}, tls=ssl.create_default_context(cafile=str(certificate)))
    ended = await webhooks.ask(get(f"https://127.0.0.1:{encrypted.port}", KEEP))
    assert ended.values["balance"] == "3"
    webhooks.close()


async def test_a_certificate_that_nobody_vouches_for_is_refused(encrypted: Program, webhooks: Webhooks) -> None:
    assert await why(webhooks, get(f"https://127.0.0.1:{encrypted.port}")) == "tls"
    assert encrypted.requests == []
