"""Asks the programs that `webhooks.yaml` declares, and no other: by their own scheme, host and port, in bounded time.

Each endpoint has a line of its own: so many requests at a time, its own threads for names and secrets, and a breaker.
So one that is stuck takes nothing from the others, and nothing from the event loop. What is logged is the endpoint's
name, the outcome and the status: never an address, a header, a value or a body.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote, urlencode, urljoin, urlsplit

import structlog

from cti.http_exchange import Answer, Asked, ExchangeError, Peer, exchange
from cti.secrets_of_site import SecretError, read_secret
from cti.webhook_answers import AnswerError, read_values
from ivr.endpoints import Endpoint
from ivr.kept_values import Kept
from ivr.steps import CallWebhook, WebhookEnded

log = structlog.get_logger(__name__)

MOST_REDIRECTS = 3
MOST_SENT_BYTES = 64 * 1024
#: How long after a try that failed the next one begins, twice as long each time.
RETRY_AFTER_S = 0.1
_REDIRECTS = {"GET": (301, 302, 303, 307, 308), "POST": (307, 308), "PUT": (307, 308)}
#: Threads of an endpoint; a name that cannot be resolved holds one for as long as the system tries.
_THREADS = 2
#: Endpoints that are kept in mind, counting one with changed rules as another.
MOST_LINES = 500
#: What asking again would not mend.
_FOR_GOOD = frozenset({"timeout", "too_large", "too_long", "breaker_open", "redirected"})


class Breaker:
    """Leaves an endpoint alone that failed so often in a row; after the pause one request tries it."""

    def __init__(self, failures: int, pause_s: float, now: Callable[[], float]) -> None:
        self._most, self._pause_s, self._now = failures, pause_s, now
        self._failures = 0
        self._opened_at: float | None = None
        self._is_tried = False

    @property
    def is_open(self) -> bool:
        """Whether the endpoint counts as down."""
        return self._opened_at is not None

    def lets(self) -> bool:
        """Whether a request may go out now; when it may, `took` has to be told how it ended."""
        if self._opened_at is None:
            return True
        if self._is_tried or self._now() - self._opened_at < self._pause_s:
            return False
        self._is_tried = True
        return True

    def took(self, ended_well: bool | None) -> None:
        """How a request ended; None: it was given up before anything was known."""
        self._is_tried = False
        if ended_well:
            self._failures, self._opened_at = 0, None
        elif ended_well is not None:
            self._failures += 1
            if self._failures >= self._most:
                self._opened_at = self._now()


@dataclass
class _Line:
    """The way to one endpoint, as long as its rules are the same."""

    rules: Endpoint
    breaker: Breaker
    slots: asyncio.Semaphore
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_THREADS, thread_name_prefix="webhook")
    )

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """Made by `_make_ready` in a thread: reading the system's certificates takes a while."""
        return ssl.create_default_context() if self.rules.is_encrypted else None


class Webhooks:
    """`site_folder`: where files of secrets are looked for; `environment` and `now` are the system's."""

    def __init__(
        self,
        site_folder: Callable[[], Path] = Path,
        *,
        environment: Mapping[str, str] | None = None,
        now: Callable[[], float] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._site_folder = site_folder
        self._environment = os.environ if environment is None else environment
        self._now = now or (lambda: asyncio.get_running_loop().time())
        self._tls = tls
        self._lines: dict[tuple[str, str], _Line] = {}
        #: Endpoint and how a request ended → how often.
        self.ended: Counter[tuple[str, str]] = Counter()

    @property
    def open_breakers(self) -> list[str]:
        """The endpoints that are left alone now."""
        return sorted({name for (name, _), line in self._lines.items() if line.breaker.is_open})

    def close(self) -> None:
        """Nothing is asked any more."""
        for line in self._lines.values():
            line.threads.shutdown(wait=False, cancel_futures=True)

    async def ask(self, wanted: CallWebhook) -> WebhookEnded:
        """Ask, and keep what is wanted of the answer; whatever goes wrong ends `failed`."""
        line = self._line(wanted.endpoint)
        loop = asyncio.get_running_loop()
        began = loop.time()
        status = 0
        try:
            answer = await self._ask_in_turn(line, wanted, began + line.rules.timeout_s)
            status = answer.status
            why, result = _ending(answer, wanted.keep)
        except (ExchangeError, AnswerError, SecretError) as error:
            why, result = error.reason, WebhookEnded("failed")
            if isinstance(error, SecretError):
                log.error("webhook.secret_missing", endpoint=line.rules.name, error=str(error))
        self.ended[line.rules.name, why] += 1
        tell = log.info if why in ("ok", "not_found") else log.warning
        tell("webhook.ended", endpoint=line.rules.name, outcome=why, status=status, ms=_ms(loop.time() - began))
        return result

    def _line(self, rules: Endpoint) -> _Line:
        """The line by these rules. Calls of a version before may still go by other ones, which do not get mixed up."""
        key = (rules.name, rules.model_dump_json())
        line = self._lines.get(key)
        if line is None:
            breaker = Breaker(rules.breaker.failures, rules.breaker.pause_s, self._now)
            line = self._lines[key] = _Line(rules, breaker, asyncio.Semaphore(rules.at_once))
            if len(self._lines) > MOST_LINES:
                del self._lines[next(iter(self._lines))]  # what is asked there still goes on
        return line

    async def _ask_in_turn(self, line: _Line, wanted: CallWebhook, until: float) -> Answer:
        try:
            async with asyncio.timeout_at(until):
                await line.slots.acquire()
        except TimeoutError:
            raise ExchangeError("busy") from None
        try:
            return await self._ask_again(line, wanted, until)
        finally:
            line.slots.release()

    async def _ask_again(self, line: _Line, wanted: CallWebhook, until: float) -> Answer:
        """Ask as often as may be: what has an effect only when it is marked as safe to repeat."""
        tries = 1 + (line.rules.retries if wanted.method == "GET" or wanted.is_idempotent else 0)
        pause_s = RETRY_AFTER_S
        while True:
            tries -= 1
            is_last = not tries or asyncio.get_running_loop().time() + pause_s >= until
            try:
                answer = await self._try(line, wanted, until)
                if answer.status < 500 or is_last:
                    return answer
            except ExchangeError as error:
                if is_last or error.reason in _FOR_GOOD:
                    raise
            await asyncio.sleep(pause_s)
            pause_s *= 2

    async def _try(self, line: _Line, wanted: CallWebhook, until: float) -> Answer:
        """One request, told to the breaker. A caller who hung up, or a secret that is missing, says nothing of it."""
        if not line.breaker.lets():
            raise ExchangeError("breaker_open")
        well: bool | None = None
        try:
            async with asyncio.timeout_at(until):
                answer = await self._follow(line, wanted)
            well = answer.status < 500
            return answer
        except TimeoutError:
            well = False
            raise ExchangeError("timeout") from None
        except ExchangeError:
            well = False
            raise
        finally:
            line.breaker.took(well)

    async def _follow(self, line: _Line, wanted: CallWebhook) -> Answer:
        """The answer, also behind redirects that stay with this endpoint."""
        peer, secrets = await asyncio.get_running_loop().run_in_executor(line.threads, self._make_ready, line)
        asked = _request(line.rules, wanted, secrets)
        for _ in range(MOST_REDIRECTS + 1):
            answer = await exchange(peer, asked)
            if not answer.location or answer.status not in _REDIRECTS[asked.method]:
                return answer
            asked = Asked(
                asked.method, _redirected(line.rules, asked.target, answer.location), asked.headers, asked.body
            )
        raise ExchangeError("redirected", "too often")

    def _make_ready(self, line: _Line) -> tuple[Peer, dict[str, str]]:
        """Runs in a thread: names and files may take their time. Secrets are read anew each time."""
        rules = line.rules
        folder = self._site_folder()
        secrets = {
            name: read_secret(reference, folder, self._environment) for name, reference in rules.secret_headers.items()
        }
        try:
            found = socket.getaddrinfo(rules.host, rules.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ExchangeError("unknown_host", str(error)) from error
        addresses = list(dict.fromkeys((str(address[4][0]), rules.port) for address in found))
        if rules.is_loopback:  # whatever a resolver makes of localhost
            addresses = [(host, port) for host, port in addresses if ip_address(host).is_loopback]
        tls = (self._tls or line.tls) if rules.is_encrypted else None
        return Peer(addresses, rules.host, tls), secrets


def _ending(answer: Answer, keep: Mapping[str, Kept]) -> tuple[str, WebhookEnded]:
    if 200 <= answer.status < 300:
        return "ok", WebhookEnded("ok", read_values(answer.body, keep) if keep else {})
    if answer.status in (404, 410):
        return "not_found", WebhookEnded("not_found")
    return f"http_{answer.status // 100}xx", WebhookEnded("failed")


def _request(rules: Endpoint, wanted: CallWebhook, secrets: Mapping[str, str]) -> Asked:
    base = urlsplit(rules.url)
    target = quote(base.path.rstrip("/"), safe="/%:@+~") + wanted.path or "/"
    if wanted.query:
        target += "?" + urlencode(wanted.query)
    body, kind = _body(rules, wanted)
    headers = [
        ("Host", base.netloc),
        ("Connection", "close"),
        ("Accept", "application/json"),
        ("User-Agent", "Callyard"),
    ]
    if wanted.method != "GET":
        headers += [("Idempotency-Key", quote(wanted.key, safe="/:")), ("Content-Length", str(len(body)))]
    if body:
        headers.append(("Content-Type", kind))
    own = {name.lower() for name in (*rules.headers, *secrets)}
    headers = [(name, value) for name, value in headers if name.lower() not in own]
    return Asked(wanted.method, target, [*headers, *rules.headers.items(), *secrets.items()], body)


def _body(rules: Endpoint, wanted: CallWebhook) -> tuple[bytes, str]:
    if wanted.send is None:
        return b"", ""
    if rules.body == "form":
        fields = {name: _plain(value) for name, value in wanted.send.items()}
        body, kind = urlencode(fields).encode(), "application/x-www-form-urlencoded"
    else:
        body, kind = json.dumps(dict(wanted.send), ensure_ascii=False).encode("utf-8", "replace"), "application/json"
    if len(body) > MOST_SENT_BYTES:
        raise ExchangeError("too_long", "what is to be sent")
    return body, kind


def _plain(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _redirected(rules: Endpoint, target: str, location: str) -> str:
    """The target to go on at. Raises ExchangeError for one that is not this very endpoint's host."""
    base = urlsplit(rules.url)
    try:
        to = urlsplit(urljoin(f"{base.scheme}://{base.netloc}{target}", location))
        port = to.port or (443 if to.scheme == "https" else 80)
    except ValueError as error:
        raise ExchangeError("redirected", "not an address") from error
    if (to.scheme, to.hostname, port) != (base.scheme, rules.host, rules.port):
        raise ExchangeError("redirected", "to another host")
    path = quote(to.path or "/", safe="/%:@+~,;=!$&'()*")
    return path + (f"?{quote(to.query, safe='=&%/:@+~,;!$()*?')}" if to.query else "")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
