"""The AMI link to one Asterisk node: kept up, watched, and never waited for by its reader.

What belongs here: the life of the link (connect, log in, ping, connect again) and sending actions. What does not:
bytes and panoramisk (`cti.ami_protocol`), what events mean (`cti.ami_events`), what to do about them.

Rules that callers build on:

- Events reach `on_event` in the order Asterisk sent them, from one task, never from the reader. `on_up` comes
  before the first event of a login, `on_down` after the last.
- Nothing is queued while the link is down and nothing is sent again after it came back: a call asked for in an
  outage is refused at once, not dialled later.
- At most `max_events_queued` events wait for `on_event`. When more come, the link is dropped and counted: a gap
  that everybody knows of, after which the world is read again, is better than a silent one.
- Login, not FullyBooted, makes the link up: FullyBooted is an event like others.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from cti.ami_messages import AmiEvent, AmiReply, Headers
from cti.ami_protocol import LIST_SUFFIX, NO_HEADERS, AmiAction, AmiConnection, AmiCounters
from cti.errors import (
    AmiActionError,
    AmiBusyError,
    AmiError,
    AmiLoginError,
    AmiOverflowError,
    AmiProtocolError,
    AmiTimeoutError,
    AmiUnavailableError,
)

__all__ = ["AmiCounters", "AmiEvent", "AmiLink", "AmiReply", "AmiSettings", "Headers", "backoff_s"]

# How many events are given to `on_event` before everybody else gets a turn; more when many wait, because the reader
# may add thousands in one turn of its own.
_EVENTS_PER_TURN = 64
_LOG_OFF_S = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AmiSettings:
    """How to reach one node, and the limits of its link. Durations in seconds.

    `connect_timeout_s` covers connecting, TLS and login together. A ping that is not answered within
    `ping_timeout_s` ends the link, so a dead peer is noticed within `ping_every_s + ping_timeout_s`.
    """

    node: str
    host: str
    port: int
    username: str
    secret: str = field(repr=False)
    tls: ssl.SSLContext | None = None
    connect_timeout_s: float = 5.0
    ping_every_s: float = 5.0
    ping_timeout_s: float = 5.0
    backoff_min_s: float = 0.2
    backoff_max_s: float = 10.0
    max_pending_actions: int = 1_000
    max_message_bytes: int = 1 << 20
    max_events_queued: int = 20_000


def backoff_s(settings: AmiSettings, failures: int, jitter: random.Random) -> float:
    """Return how long to wait after `failures` failed attempts in a row (0: a good link was lost).

    Doubles from `backoff_min_s` up to `backoff_max_s`; the jitter takes up to half of it away, so that several
    servers do not come back at the same instant.
    """
    ceiling = min(settings.backoff_max_s, settings.backoff_min_s * 2.0 ** min(failures, 30))
    return ceiling * jitter.uniform(0.5, 1.0)


class AmiLink:
    """One Asterisk node: its events, and actions sent to it.

    `on_up()` after each login: read the world. `on_down(reason)` when the link is lost, and for each new kind of
    failure while it stays down (a wrong secret after a refused connection). Neither is called for a stop that was
    asked for. What these callbacks raise is logged and counted, and changes nothing.
    """

    def __init__(
        self,
        settings: AmiSettings,
        *,
        on_event: Callable[[AmiEvent], None],
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
        jitter: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self.epoch = 0
        self.counters = AmiCounters()
        self.last_error: AmiError | None = None
        self._on_event = on_event
        self._on_up = on_up
        self._on_down = on_down
        self._jitter = jitter or random.Random()
        self._connection: AmiConnection | None = None
        self._is_running = False
        self._actions = 0
        # Events name the action that caused them to every client of Asterisk: ours must not be taken for another's.
        self._id_prefix = f"callyard-{secrets.token_hex(4)}-"
        self._log = _log.bind(node=settings.node)

    @property
    def node(self) -> str:
        """The node's name."""
        return self.settings.node

    @property
    def is_up(self) -> bool:
        """Whether actions can be sent now."""
        return self._connection is not None and self._connection.is_open

    @property
    def pending(self) -> int:
        """How many actions wait for their answer."""
        return self._connection.pending if self._connection is not None else 0

    async def act(
        self,
        action: str,
        headers: Mapping[str, str | Sequence[str]] = NO_HEADERS,
        *,
        timeout_s: float = 5.0,
    ) -> AmiReply:
        """Send an action; return Asterisk's answer. A header with several values is sent once for each.

        Asterisk cuts the `Variable` of an Originate at commas: a value with a comma is set by `Setvar` instead.

        AmiUnavailableError: not sent (AmiLinkLostError: sent, then the link was lost). AmiActionError: Asterisk
        refused. AmiHeaderError: it must not be sent as it is. AmiTimeoutError: unknown what became of it.
        """
        return await self._act(self._prepare(action, headers), timeout_s)

    async def collect(
        self,
        action: str,
        headers: Mapping[str, str | Sequence[str]] = NO_HEADERS,
        *,
        timeout_s: float = 10.0,
    ) -> tuple[AmiEvent, ...]:
        """Send an action that Asterisk answers with a list (Status, BridgeList …); return the entries.

        Errors as of `act`, and AmiProtocolError when the answer is no list. An empty list is no error.
        """
        prepared = self._prepare(action, headers, LIST_SUFFIX)
        reply = await self._act(prepared, timeout_s)
        if not prepared.is_list:
            raise AmiProtocolError(f"{self.node}: the answer to {action} is no list: {reply.message!r}")
        return reply.events

    def _prepare(self, action: str, headers: Mapping[str, str | Sequence[str]], suffix: str = "") -> AmiAction:
        self._actions += 1
        return AmiAction(action, headers, f"{self._id_prefix}{self.epoch}-{self._actions}{suffix}")

    async def _act(self, action: AmiAction, timeout_s: float) -> AmiReply:
        connection, name = self._connection, action["Action"]
        if connection is None or not connection.is_open:
            raise AmiUnavailableError(f"{self.node}: link is down, {name} was not sent")
        if connection.pending >= self.settings.max_pending_actions:
            raise AmiBusyError(f"{self.node}: {connection.pending} actions wait for answers, {name} was not sent")
        if connection.is_congested:
            raise AmiBusyError(f"{self.node}: Asterisk does not read its commands, {name} was not sent")
        reply = await connection.ask(action, timeout_s)
        if not reply.ok:
            about = f" (Channel {action['Channel']})" if "Channel" in action else ""
            raise AmiActionError(
                f"{self.node}: Asterisk refused {name}{about}: {reply.message}", action=name, reason=reply.message
            )
        return reply

    async def run(self) -> None:
        """Keep the link until cancelled; then log off and close. Leaves no task, timer or socket behind."""
        if self._is_running:
            raise RuntimeError(f"AmiLink.run for node {self.node} runs already")
        self._is_running = True
        loop = asyncio.get_running_loop()
        failures = 0
        told = ""
        try:
            while True:
                epoch, began = self.epoch, loop.time()
                error = await self._hold()
                was_up = self.epoch != epoch
                if was_up:
                    self.counters.lost_links += 1
                else:
                    self.counters.failed_attempts += 1
                self.last_error = error
                if was_up or error.code != told:
                    told = error.code
                    self._call(self._on_down, str(error))
                # A link that stayed up shows that all is well again; one that falls at once must not be hammered.
                is_stable = was_up and loop.time() - began > self.settings.backoff_max_s
                failures = 0 if is_stable else failures + 1
                pause = backoff_s(self.settings, max(0, failures - 1), self._jitter)
                self._log.warning("AMI link down", code=error.code, error=str(error), retry_in_s=round(pause, 3))
                await asyncio.sleep(pause)
        finally:
            self._is_running = False

    async def _hold(self) -> AmiError:
        """Connect, log in, stay until the link is lost; return why it ended."""
        settings = self.settings
        inbox: asyncio.Queue[AmiEvent | None] = asyncio.Queue(settings.max_events_queued)
        connection = AmiConnection(
            node=settings.node,
            host=settings.host,
            port=settings.port,
            tls=settings.tls,
            max_message_bytes=settings.max_message_bytes,
            list_prefix=self._id_prefix,
            counters=self.counters,
            on_event=lambda event: self._take(event, inbox, connection),
        )
        try:
            async with asyncio.timeout(settings.connect_timeout_s):
                await connection.open()
                await self._log_in(connection)
            return await self._stay(connection, inbox)
        except TimeoutError:
            return AmiTimeoutError(
                f"{settings.node}: no login at {settings.host}:{settings.port} within {settings.connect_timeout_s} s"
            )
        except (OSError, UnicodeError) as error:
            return AmiUnavailableError(f"{settings.node}: cannot connect to {settings.host}:{settings.port}: {error}")
        except AmiError as error:
            # What the peer did wrong says more than that the login got no answer.
            return connection.error if isinstance(connection.error, AmiProtocolError) else error
        finally:
            self._connection = None
            await connection.shut()

    async def _log_in(self, connection: AmiConnection) -> None:
        """Log in by challenge, so that the secret does not cross the network; plainly where that is not offered."""
        settings = self.settings
        wait = settings.connect_timeout_s
        headers = {"Username": settings.username, "Secret": settings.secret, "Events": "on"}
        challenge = await connection.ask(self._prepare("Challenge", {"AuthType": "MD5"}), wait)
        if challenge.ok and (dare := challenge.headers.get("Challenge")):
            del headers["Secret"]
            # MD5 is what AMI speaks; it protects nothing but this one exchange.
            key = hashlib.md5(f"{dare}{settings.secret}".encode(), usedforsecurity=False).hexdigest()
            headers |= {"AuthType": "MD5", "Key": key}
        reply = await connection.ask(self._prepare("Login", headers), wait)
        if not reply.ok:
            raise AmiLoginError(
                f"{settings.node}: Asterisk at {settings.host}:{settings.port} refused user "
                f"{settings.username!r}: {reply.message}"
            )

    async def _stay(self, connection: AmiConnection, inbox: asyncio.Queue[AmiEvent | None]) -> AmiError:
        self.epoch += 1
        self.counters.logins += 1
        self._connection = connection
        self._log.info("AMI link up", epoch=self.epoch)
        tasks = (
            asyncio.create_task(self._deliver(inbox), name=f"ami-deliver-{self.node}"),
            asyncio.create_task(self._watch(connection), name=f"ami-watch-{self.node}"),
        )
        try:
            error = await connection.wait_lost()
            # What came before the loss is true: it is delivered before anybody hears of the loss.
            await inbox.put(None)
            await tasks[0]
            return error
        except asyncio.CancelledError:
            await self._log_off(connection)
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, inbox: asyncio.Queue[AmiEvent | None]) -> None:
        self._call(self._on_up)
        left = _EVENTS_PER_TURN
        while (event := await inbox.get()) is not None:
            self._call(self._on_event, event)
            left -= 1
            if left <= 0:
                await asyncio.sleep(0)
                left = max(_EVENTS_PER_TURN, inbox.qsize() // 2)

    async def _watch(self, connection: AmiConnection) -> None:
        """End a link whose peer is gone without a word: TCP alone notices that after many minutes."""
        while connection.is_open:
            await asyncio.sleep(self.settings.ping_every_s)
            try:
                await connection.ask(self._prepare("Ping", NO_HEADERS), self.settings.ping_timeout_s)
            except AmiTimeoutError as error:
                connection.drop(error)
            except AmiUnavailableError:
                return

    async def _log_off(self, connection: AmiConnection) -> None:
        try:
            if connection.is_open:
                await connection.ask(self._prepare("Logoff", NO_HEADERS), _LOG_OFF_S)
        except AmiError as error:
            self._log.debug("AMI log-off unanswered", error=str(error))

    def _take(self, event: AmiEvent, inbox: asyncio.Queue[AmiEvent | None], connection: AmiConnection) -> None:
        """Runs in the reader: keep the event or give the link up."""
        try:
            inbox.put_nowait(event)
        except asyncio.QueueFull:
            self.counters.overflows += 1
            connection.drop(
                AmiOverflowError(
                    f"{self.node}: more than {self.settings.max_events_queued} events wait to be taken, link dropped"
                )
            )

    def _call(self, callback: Callable[..., None], *args: object) -> None:
        try:
            callback(*args)
        except Exception:  # noqa: BLE001  # whatever a listener does, the link and the next event go on
            self.counters.handler_errors += 1
            self._log.exception("AMI listener failed", callback=getattr(callback, "__qualname__", repr(callback)))
