"""Sends text messages through the endpoint that `site.yaml` names: our adapter of `cti.ports.TextMessages`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cti.ports import TextMessage
from cti.webhooks import Webhooks
from ivr.site import Site
from ivr.step_kinds.outside import fill_path
from ivr.steps import CallWebhook


class WebhookTexts:
    """Each message is one POST. It goes on when the caller hangs up meanwhile: they are waiting for it."""

    def __init__(self, webhooks: Webhooks, site: Callable[[], Site]) -> None:
        self._webhooks = webhooks
        self._site = site
        self._sending: set[asyncio.Task[bool]] = set()

    async def send(self, message: TextMessage) -> bool:
        """Whether the gateway took it."""
        sending = asyncio.get_running_loop().create_task(self._send(message))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        return await asyncio.shield(sending)

    async def close(self) -> None:
        """Wait for what is being sent; each has a time-out of its own."""
        if self._sending:
            await asyncio.wait(self._sending)

    async def _send(self, message: TextMessage) -> bool:
        site = self._site()
        gateway = site.settings.text_messages
        endpoint = site.webhooks.get(gateway.webhook) if gateway is not None else None
        if gateway is None or endpoint is None:
            return False
        values = {
            "to": message.to,
            "text": message.text,
            "language": message.language,
            "interaction_id": message.interaction_id,
        }
        # Values are put in as they are: a message is longer than what texts of flows take of one value.
        send = {name: _filled(template, values) for name, template in gateway.send.items()}
        path = fill_path(gateway.path or "", values)
        ended = await self._webhooks.ask(CallWebhook(endpoint, message.key, "POST", path, send=send))
        return ended.outcome == "ok"


def _filled(template: str, values: dict[str, str]) -> str:
    if template.removeprefix("$") in values and template.startswith("$"):
        return values[template[1:]]
    # One pass: what stands in a value is never taken for the name of another.
    parts = template.split("{")
    return parts[0] + "".join(_part(part, values) for part in parts[1:])


def _part(part: str, values: dict[str, str]) -> str:
    name, closed, rest = part.partition("}")
    return values[name] + rest if closed and name in values else "{" + part
