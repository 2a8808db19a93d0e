"""panoramisk's AMI client with its defects cured by subclassing: one action, one stream, one connection.

What belongs here: what leaves and enters one TCP connection. What does not: when to connect again, who listens
(`cti.ami`). panoramisk 1.4 is not typed, and its `Action` differs on later versions: it is pinned.

What is ours and why: panoramisk decodes each TCP segment for itself, calls listeners inside the reader, sends
line breaks in values as they are, keeps unanswered actions for ever and sends those of an outage afterwards.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

from cti.ami_messages import AmiEvent, AmiFramer, AmiReply, Headers, as_event, is_event, quote, read_headers
from cti.errors import (
    AmiError,
    AmiHeaderError,
    AmiLinkLostError,
    AmiProtocolError,
    AmiTimeoutError,
    AmiUnavailableError,
)

#: Events that come in floods and that nothing of ours reads: dropped before they are decoded.
#: (manager.conf filters them too; this is for the site that wrote its own.)
FLOOD: Final = tuple(
    f"Event: {name}\r".encode()
    for name in (
        "VarSet", "Newexten", "RTCPSent", "RTCPReceived", "NewConnectedLine", "NewCallerid", "DialState",
        "BridgeCreate", "HangupRequest", "SoftHangupRequest", "MusicOnHoldStart", "MusicOnHoldStop", "DTMFBegin",
    )
)  # fmt: skip

#: Ends the id of an action whose answer is a list, so that the entries of an abandoned list are known as such.
LIST_SUFFIX: Final = "-list"

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})

# Asterisk's manager.c reads lines into 1,025 bytes and takes 128 headers; it drops what is longer.
_MAX_LINE_BYTES = 1022
_MAX_HEADERS = 128
_MAX_LIST_ENTRIES = 100_000
_SUCCESS = frozenset({"success", "follows", "goodbye"})

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class AmiCounters:
    """What happened on a link since the process began; read it, do not write it."""

    logins: int = 0
    failed_attempts: int = 0
    lost_links: int = 0
    events: int = 0
    flood_dropped: int = 0
    unreadable: int = 0
    late_answers: int = 0
    handler_errors: int = 0
    overflows: int = 0


class AmiAction(Action):  # type: ignore[misc]  # panoramisk is not typed
    """One action with its answer to come.

    AmiHeaderError for whatever Asterisk would read differently from what was meant: a line break or NUL anywhere,
    a header twice, a line too long. `future` ends with an `AmiReply` or with an `AmiError` as its *result*: an
    exception nobody waits for any more would be reported as never retrieved.
    """

    def __init__(self, name: str, headers: Mapping[str, str | Sequence[str]], action_id: str) -> None:
        fields: dict[str, str | list[str]] = {"Action": name, "ActionID": action_id}
        taken = {"action", "actionid"}
        for header, value in headers.items():
            if header.lower() in taken:
                raise _bad_header(name, header, "came twice or is set by the link itself")
            taken.add(header.lower())
            if not isinstance(value, (str, list, tuple)):
                raise _bad_header(name, header, f"must be text or several texts, is {type(value).__name__}")
            fields[header] = value if isinstance(value, str) else list(value)
        lines = 0
        for header, value in fields.items():
            for one in [value] if isinstance(value, str) else value:
                _check_line(name, header, one)
                lines += 1
        if lines > _MAX_HEADERS:
            raise AmiHeaderError(
                f"action {quote(name)}: {lines} headers, Asterisk takes {_MAX_HEADERS}",
                action=name,
                reason="too many headers",
            )
        super().__init__(fields)
        self._reply: Headers | None = None
        self._events: list[AmiEvent] = []
        self.is_list = False

    def add_message(self, message: Headers | AmiEvent) -> bool:
        """Take a part of the answer; return True when the answer is complete.

        Complete is: the response, unless it opens a list (`EventList: start`), else the event that closes the list
        (`EventList: Complete`, or `cancelled`). The words of the message decide nothing.
        """
        if isinstance(message, AmiEvent):
            return self._add_event(message)
        self._reply = message
        self.is_list = message.get("EventList", "").lower() == "start"
        if not self.is_list:
            self._finish(message.get("Response", "").lower() in _SUCCESS)
        else:
            self._events.clear()
        return not self.is_list

    def _add_event(self, event: AmiEvent) -> bool:
        ending = event.get("EventList").lower() if self.is_list else ""
        if ending.startswith(("complete", "cancelled")):
            self._finish(ending.startswith("complete"))
            return True
        if len(self._events) >= _MAX_LIST_ENTRIES:
            self.fail(
                AmiProtocolError(
                    f"{event.node}: the answer to {self['Action']} has more than {_MAX_LIST_ENTRIES} entries"
                )
            )
            return True
        self._events.append(event)
        return False

    def fail(self, error: AmiError) -> None:
        """End the wait for the answer with `error`."""
        if not self.future.done():
            self.future.set_result(error)

    def _finish(self, ok: bool) -> None:
        assert self._reply is not None
        if not self.future.done():
            self.future.set_result(
                AmiReply(
                    ok=ok,
                    message=self._reply.get("Message", ""),
                    headers=self._reply,
                    events=tuple(self._events),
                    output=self._reply.all("Output"),
                )
            )


def _check_line(action: str, header: str, value: str) -> None:
    if not isinstance(value, str):
        raise _bad_header(action, header, f"must be text, is {type(value).__name__}")
    if not header or not header.isascii() or not header.isprintable() or ":" in header or header != header.strip():
        raise _bad_header(action, header, "is no header name")
    for character in "\r\n\0":
        if character in value:
            raise _bad_header(action, header, f"contains {character!r}")
    try:
        size = len(f"{header}: {value}".encode())
    except UnicodeEncodeError:
        raise _bad_header(action, header, "is not valid text") from None
    if size > _MAX_LINE_BYTES:
        raise _bad_header(action, header, f"is {size} bytes long, Asterisk reads {_MAX_LINE_BYTES}")


def _bad_header(action: str, header: str, fault: str) -> AmiHeaderError:
    return AmiHeaderError(
        f"action {quote(action)}: header {quote(header)} {fault}; nothing was sent", action=action, reason=fault
    )


class AmiStream(AMIProtocol):  # type: ignore[misc]  # panoramisk is not typed
    """The bytes of one connection. Reading never waits and never raises into the event loop."""

    def __init__(self, connection: AmiConnection, max_message_bytes: int) -> None:
        self._connection = connection
        self._framer = AmiFramer(max_message_bytes)
        self.is_congested = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.factory = self._connection
        self._connection.protocol = self

    def pause_writing(self) -> None:
        """Asterisk does not read what we send."""
        self.is_congested = True

    def resume_writing(self) -> None:
        self.is_congested = False

    def send(self, data: AmiAction, as_list: bool | None = None) -> asyncio.Future[AmiReply | AmiError]:
        """Send an action now or raise; nothing is ever queued for later."""
        if self.closed:
            raise AmiUnavailableError(f"{self._connection.node}: link is down, {data['Action']} was not sent")
        self.responses[data.id] = data
        self.transport.write(str(data).encode())
        future: asyncio.Future[AmiReply | AmiError] = data.future
        return future

    def forget(self, action: AmiAction) -> None:
        """Nobody waits for this answer any more."""
        self.responses.pop(action.id, None)

    def data_received(self, data: bytes) -> None:
        counters = self._connection.counters
        try:
            messages = self._framer.feed(data)
        except AmiProtocolError as error:
            self._connection.drop(AmiProtocolError(f"{self._connection.node}: {error}"))
            return
        for message in messages:
            if self.closed:
                return
            if message.startswith(FLOOD):
                counters.flood_dropped += 1
                continue
            try:
                headers = read_headers(message)
            except AmiProtocolError as error:
                counters.unreadable += 1
                _log.warning("AMI message dropped", node=self._connection.node, error=str(error))
                continue
            self.handle_message(headers)

    def handle_message(self, message: Headers) -> None:
        """Give a response to the action that waits for it, an event to whom it concerns."""
        action_id = message.get("ActionID", "")
        action: AmiAction | None = self.responses.get(action_id)
        if not is_event(message):
            if action is None:
                self._connection.counters.late_answers += 1
                if not action_id:
                    _log.warning("AMI answer to no action", node=self._connection.node, answer=dict(message))
            elif action.add_message(message):
                self.forget(action)
            return
        event = as_event(self._connection.node, message)
        if action is not None:
            is_entry = action.is_list
            if action.add_message(event):
                self.forget(action)
            if is_entry:
                return
        elif self._connection.is_own_list(action_id):
            self._connection.counters.late_answers += 1
            return
        self._connection.dispatch(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._connection.connection_lost(exc)
        node, why = self._connection.node, self._connection.error
        for action in list(self.responses.values()):
            action.fail(AmiLinkLostError(f"{node}: link lost before the answer to {action['Action']}: {why}"))
        self.responses.clear()

    def close(self) -> None:
        """Let go of the socket now. A peer that does not read must not hold it open, so nothing is flushed."""
        if not self.closed:
            self.closed = True
            self.transport.abort()


class AmiConnection(Manager):  # type: ignore[misc]  # panoramisk is not typed
    """One TCP connection, from connecting to its end. It never connects again and never queues actions."""

    def __init__(
        self,
        *,
        node: str,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        max_message_bytes: int,
        list_prefix: str,
        counters: AmiCounters,
        on_event: Callable[[AmiEvent], None],
    ) -> None:
        super().__init__(
            host=host,
            port=port,
            ssl=tls,
            loop=asyncio.get_running_loop(),
            protocol_factory=lambda: AmiStream(self, max_message_bytes),
        )
        self.node = node
        self.counters = counters
        self.error: AmiError | None = None
        self._list_prefix = list_prefix
        self._on_event = on_event
        self._closed = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether an action can be sent."""
        return self.protocol is not None and not self.protocol.closed

    @property
    def is_congested(self) -> bool:
        """Whether the other side does not read what we send."""
        return self.protocol is not None and self.protocol.is_congested

    @property
    def pending(self) -> int:
        """How many actions wait for their answer."""
        return len(self.protocol.responses) if self.protocol is not None else 0

    async def open(self) -> None:
        """Connect; OSError when that fails. The time limit is the caller's."""
        await self.connect()

    def connection_made(self, f: asyncio.Task[object]) -> None:
        """Called by panoramisk when connecting ended. The stream has made itself known, and `open` reports errors."""
        if not f.cancelled():
            f.exception()

    async def ask(self, action: AmiAction, timeout_s: float) -> AmiReply:
        """Send an action and wait for its whole answer; the caller looks at `ok`.

        AmiTimeoutError, AmiLinkLostError: it may have been done. AmiUnavailableError: it was not sent.
        """
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self.send_action(action)
        except TimeoutError:
            raise AmiTimeoutError(
                f"{self.node}: no answer to {action['Action']} (id {action.id}) within {timeout_s} s"
            ) from None
        finally:
            self.protocol.forget(action)
        if isinstance(answer, AmiError):
            raise answer
        assert isinstance(answer, AmiReply)
        return answer

    def is_own_list(self, action_id: str) -> bool:
        """Whether this is the id of a list that we asked for (and, if nothing waits for it, gave up)."""
        return action_id.startswith(self._list_prefix) and action_id.endswith(LIST_SUFFIX)

    def dispatch(self, event: AmiEvent) -> None:
        """Hand an event on. Nothing of the listener's may run in here."""
        self.counters.events += 1
        self._on_event(event)

    def drop(self, error: AmiError) -> None:
        """Give the connection up because of `error`; pending actions fail at once."""
        if self.error is None:
            self.error = error
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the stream, once, when the socket is gone."""
        if self.error is None:
            cause = f"{type(exc).__name__}: {exc}" if exc is not None else "closed by the other side"
            self.error = AmiUnavailableError(f"{self.node}: connection lost: {cause}")
        self._closed.set()

    async def wait_lost(self) -> AmiError:
        """Wait for the end of the connection; return why it ended."""
        await self._closed.wait()
        assert self.error is not None
        return self.error

    async def shut(self) -> None:
        """Close the socket if there is one and wait until it is gone."""
        if self.protocol is not None:
            self.close()
            await self._closed.wait()
