"""Asking a program that is there, or is not: what the tests of webhooks share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from cti.webhooks import Webhooks
from ivr.endpoints import Endpoint
from ivr.kept_values import Kept
from ivr.steps import CallWebhook, WebhookEnded
from lab.program import Manner, Program, Request, answering, open_program

FAILED = WebhookEnded("failed")
OK = WebhookEnded("ok", {})
KEEP = {"name": Kept(at="customer.name"), "balance": Kept(at="balance", type="number")}


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    async with open_program(answering(200, {})) as program:
        yield program


@pytest.fixture
async def webhooks(tmp_path: Path) -> AsyncIterator[Webhooks]:
    webhooks = Webhooks(lambda: tmp_path, environment={"CRM_TOKEN": "Bearer s3cr3t"})
    yield webhooks
    webhooks.close()


def endpoint(url: str, **rules: Any) -> Endpoint:
    return Endpoint.model_validate({"name": "crm", "url": url, "timeout": "2s", **rules})


def get(url: str, keep: Mapping[str, Kept] | None = None, **rules: Any) -> CallWebhook:
    return CallWebhook(endpoint(url, **rules), "call/0", "GET", keep=keep or {})


def post(url: str, **rules: Any) -> CallWebhook:
    return replace(get(url, **rules), method="POST", send={"a": "1"})


async def why(webhooks: Webhooks, wanted: CallWebhook) -> str:
    """How a request that ends `failed` is told in the log."""
    with capture_logs() as logs:
        assert await webhooks.ask(wanted) == FAILED
    (told,) = [log for log in logs if log["event"] == "webhook.ended"]
    return str(told["outcome"])


def raw(*pieces: bytes, then_waits: bool = False) -> Manner:
    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if then_waits:
            await asyncio.Event().wait()

    return answer
