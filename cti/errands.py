"""What a call has other programs do: webhooks and text messages, while its caller waits and may dial ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from cti.handset import Handset
from cti.outbound import Refused
from cti.ports import TextMessage
from cti.session_ports import SessionPorts
from ivr.steps import CallWebhook, SendText, WebhookEnded

log = structlog.get_logger(__name__)

#: No errand takes longer; each has a time-out of its own that ends it before.
LONGEST_S = 15.0

_Outcome = TypeVar("_Outcome")


class Errands:
    """The errands of one call. A hang-up ends waiting for them."""

    def __init__(self, ports: SessionPorts, interaction_id: str, handset: Handset) -> None:
        self._ports = ports
        self._interaction_id = interaction_id
        self._handset = handset

    async def ask(self, wanted: CallWebhook) -> WebhookEnded:
        """Ask another program; digits that are pressed meanwhile are kept for what comes."""
        if wanted.music:
            await self._handset.begin_music(wanted.music)
        ended = await self._await(self._ports.webhooks.ask(wanted)) or WebhookEnded("failed")
        if wanted.music:
            await self._handset.stop_music()
        self._ports.story.note(self._interaction_id, f"webhook {wanted.endpoint.name}: {ended.outcome}")
        return ended

    async def send(self, wanted: SendText) -> str:
        """Why the message was not sent, in one word; empty when it was. Numbers pass the guard of outgoing calls."""
        to = self._ports.outbound().check(wanted.to)
        if isinstance(to, Refused):
            return self._told(to.reason)
        if self._ports.text_messages is None:
            return self._told("no_gateway")
        prompt = wanted.prompt
        message = TextMessage(wanted.key, to, prompt.text, prompt.language, self._interaction_id)
        was_sent = await self._await(self._ports.text_messages.send(message))
        return self._told("" if was_sent else "failed")

    def _told(self, refused: str) -> str:
        if refused:
            log.warning("session.text_not_sent", interaction_id=self._interaction_id, reason=refused)
        self._ports.story.note(
            self._interaction_id, f"text message not sent: {refused}" if refused else "text message sent"
        )
        return refused

    async def _await(self, errand: Coroutine[Any, Any, _Outcome]) -> _Outcome | None:
        """What comes of it; raises what ended the AGI session, if that comes first."""
        done = asyncio.Event()
        running = asyncio.get_running_loop().create_task(errand)

        def tell(_: object) -> None:
            done.set()
            self._handset.ring_bell()

        running.add_done_callback(tell)
        try:
            await self._handset.wait(done, LONGEST_S)
            return running.result() if running.done() else None
        finally:
            running.cancel()
