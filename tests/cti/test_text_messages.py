"""Text messages are handed to the site's gateway, each under its key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cti.ports import TextMessage
from cti.text_messages import WebhookTexts
from cti.webhooks import Webhooks
from ivr.site import Site
from lab.program import Program, Request, answering, open_program, response
from tests.fakes.site import small_site

MESSAGE = TextMessage("call/0", "+491711234567", "Your case {to} is $open.", "en", "call")


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    async with open_program(answering(202)) as program:
        yield program


def site_of(folder: Path, program: Program, send: str = "", path: str = "") -> Site:
    more = f", send: {send}" if send else ""
    more += f', path: "{path}"' if path else ""
    return small_site(
        folder,
        "  door: [hangup]\n",
        site="name: Test\ncountry: DE\ntime_zone: Europe/Berlin\nlanguages: [en, de]\ndefault_language: en\n"
        f"text_messages: {{ webhook: gateway{more} }}\nfail_safe: {{ message: Nobody is there. }}\n",
        webhooks=f"gateway: {{ url: '{program.url}/sms', timeout: 2s }}\n",
    )


async def sent(site: Site | None, message: TextMessage = MESSAGE) -> bool:
    webhooks = Webhooks(environment={})
    texts = WebhookTexts(webhooks, lambda: site)  # type: ignore[arg-type, return-value]
    try:
        return await texts.send(message)
    finally:
        await texts.close()
        webhooks.close()


async def test_number_and_text_are_posted_as_they_are(program: Program, tmp_path: Path) -> None:
    assert await sent(site_of(tmp_path, program))
    request = await program.asked(1)
    assert (request.method, request.path, request.headers["idempotency-key"]) == ("POST", "/sms", "call/0")
    assert request.fields == {"to": "+491711234567", "text": "Your case {to} is $open."}


async def test_the_gateway_gets_its_own_fields(program: Program, tmp_path: Path) -> None:
    send = '{ Body: "[{language}] {text}", "Ref {to}": "{interaction_id}}{", from: Northwind }'
    assert await sent(site_of(tmp_path, program, send, "/v1/{to}"))
    request = await program.asked(1)
    assert request.path == "/sms/v1/%2B491711234567"
    assert request.fields == {"Body": "[en] Your case {to} is $open.", "Ref {to}": "call}{", "from": "Northwind"}


async def test_a_message_that_is_not_taken_was_not_sent(program: Program, tmp_path: Path) -> None:
    program.manner = answering(400)
    assert not await sent(site_of(tmp_path, program))
    assert not await sent(small_site(tmp_path / "without", "  door: [hangup]\n"))


async def test_who_stops_waiting_still_gets_it(program: Program, tmp_path: Path) -> None:
    taken = asyncio.Event()

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        await taken.wait()
        writer.write(response(200))

    program.manner = answer
    site = site_of(tmp_path, program)
    webhooks = Webhooks(environment={})
    texts = WebhookTexts(webhooks, lambda: site)
    waiting = asyncio.create_task(texts.send(MESSAGE))
    await program.asked(1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    taken.set()
    await texts.close()
    assert program.given_up == 0
    assert webhooks.ended == {("gateway", "ok"): 1}
    webhooks.close()
