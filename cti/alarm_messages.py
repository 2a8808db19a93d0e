"""Telling people: what a message says, by mail and to another program; each way is bounded and fails by itself."""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from email.message import EmailMessage
from pathlib import Path

import structlog

from cti.alarm_book import Notice, Told
from cti.errors import CtiError
from cti.secrets_of_site import read_secret
from cti.webhooks import Webhooks
from ivr.alarms import Hook, Mail
from ivr.endpoints import Endpoint
from ivr.steps import CallWebhook

log = structlog.get_logger(__name__)

#: One way never sends two messages within this time: what comes meanwhile goes into the next one.
MESSAGE_EVERY_S = 60.0
#: How long a mail server may take for each of its answers, and all of a message.
_ANSWER_S, _MESSAGE_S = 10.0, 40.0
_WORDS = {Told.RAISED: "ALARM", Told.LASTS: "STILL", Told.OVER: "OVER"}


class AlarmNotSentError(CtiError):
    """A message about alarms was not taken; the message says by whom and why, never a secret."""

    code = "alarm_not_sent"


@dataclass(frozen=True, slots=True)
class Message:
    """What people read. `alarms`, `over`: how many of each."""

    subject: str
    text: str
    alarms: int
    over: int


def message_of(notices: Iterable[Notice], site: str, zone: tzinfo) -> Message:
    """One message about all of these, alarms first."""
    ordered = sorted(notices, key=lambda each: (each.told is Told.OVER, each.since, each.key))
    over = sum(each.told is Told.OVER for each in ordered)
    first = ordered[0]
    more = f" and {len(ordered) - 1} more" if len(ordered) > 1 else ""
    lines = [
        f"{_WORDS[each.told]:<6} {each.key.replace(':', ', ')}: {each.says}, since {_time(each.since, zone)}"
        for each in ordered
    ]
    return Message(
        f"[{site}] {_WORDS[first.told]}: {first.key.replace(':', ', ')}{more}",
        "\n".join(lines),
        len(ordered) - over,
        over,
    )


def _time(at: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


@dataclass(slots=True)
class Outbox:
    """What one way still has to tell, the newest of each alarm; one message at a time, at most one in a minute."""

    name: str
    pending: dict[str, Notice] = field(default_factory=dict)
    tried_at: float | None = None
    failed: int = 0
    sent: int = 0
    _task: asyncio.Task[None] | None = None

    def put(self, notice: Notice) -> None:
        """An end whose beginning nobody has heard of is not told, nor is that beginning."""
        before = self.pending.pop(notice.key, None)
        if not (notice.told is Told.OVER and before is not None and before.told is Told.RAISED):
            self.pending[notice.key] = notice

    def is_due(self, now_s: float) -> bool:
        is_idle = self._task is None or self._task.done()
        return bool(self.pending) and is_idle and (self.tried_at is None or now_s - self.tried_at >= MESSAGE_EVERY_S)

    def begin(self, message: Message, send: Callable[[Message], Awaitable[None]], now_s: float) -> asyncio.Task[None]:
        """Send it; if it is not taken, what it says waits for the next try, unless something newer is known."""
        self.tried_at = now_s
        taken, self.pending = self.pending, {}
        self._task = asyncio.get_running_loop().create_task(self._send(message, send, taken))
        return self._task

    async def _send(
        self, message: Message, send: Callable[[Message], Awaitable[None]], taken: Mapping[str, Notice]
    ) -> None:
        try:
            async with asyncio.timeout(_MESSAGE_S):
                await send(message)
        except (CtiError, OSError, TimeoutError) as error:
            self.failed += 1
            log.error("alarm.not_sent", way=self.name, error=str(error) or type(error).__name__, tries=self.failed)
            newer, self.pending = self.pending, {}
            for notice in (*taken.values(), *newer.values()):
                self.put(notice)
        else:
            self.failed = 0
            self.sent += 1
            log.info("alarm.sent", way=self.name, alarms=message.alarms, over=message.over)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def send_mail(
    mail: Mail,
    message: Message,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Hand the message to the mail server, in a thread. Raises AlarmNotSentError."""
    environment = os.environ if environment is None else environment
    await asyncio.to_thread(_hand_over, mail, message, folder, environment, tls)


def _hand_over(
    mail: Mail, message: Message, folder: Path, environment: Mapping[str, str], tls: ssl.SSLContext | None
) -> None:
    written = EmailMessage()
    written["Subject"] = " ".join(message.subject.split())
    written["From"] = mail.from_
    written["To"] = ", ".join(mail.to)
    written["Auto-Submitted"] = "auto-generated"  # no out-of-office answers
    written.set_content(message.text + "\n")
    try:
        password = read_secret(mail.password, folder, environment) if mail.password is not None else ""
        context = tls or ssl.create_default_context()
        if mail.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=_ANSWER_S, context=context)
        else:
            server = smtplib.SMTP(mail.host, mail.port, timeout=_ANSWER_S)
        with server:
            if mail.security == "starttls":
                server.starttls(context=context)
            if mail.user is not None:
                server.login(mail.user, password)
            refused = server.send_message(written)
    except smtplib.SMTPAuthenticationError as error:  # the server's words may hold what we sent
        raise AlarmNotSentError(
            f"{mail.host}:{mail.port} does not let user {mail.user} in ({error.smtp_code})"
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        raise AlarmNotSentError(f"{mail.host}:{mail.port}: {type(error).__name__}: {error}"[:300]) from error
    if refused:
        log.warning("alarm.addresses_refused", count=len(refused))


async def send_to_program(
    webhooks: Webhooks, endpoint: Endpoint | None, hook: Hook, message: Message, key: str
) -> None:
    """POST the message to the endpoint. Raises AlarmNotSentError."""
    if endpoint is None:
        raise AlarmNotSentError(f"webhook {hook.webhook}: not in webhooks.yaml any more")
    sent: dict[str, str | float | bool] = {
        "subject": message.subject,
        "text": message.text,
        "alarms": message.alarms,
        "over": message.over,
    }
    ended = await webhooks.ask(CallWebhook(endpoint, key, "POST", hook.path or "", send=sent, is_idempotent=True))
    if ended.outcome != "ok":
        raise AlarmNotSentError(f"webhook {hook.webhook}: {ended.outcome}")
