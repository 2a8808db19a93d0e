"""Requests and their responses over an unreliable transport (RFC 3261 section 17).

What belongs here: sending again until the other side is heard, giving up, and not answering twice. What a
response means for a call is `lab.sip_call`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from lab.sip_message import SipMessage

Place = tuple[str, int]
Send = Callable[[bytes, Place], None]


@dataclass(frozen=True, slots=True)
class SipTimers:
    """T1 (first repeat), T2 (longest gap between repeats), and 64·T1 (when to give up), in seconds."""

    t1_s: float = 0.5
    t2_s: float = 4.0
    give_up_s: float = 32.0


class _Repeater:
    """Sends bytes again and again: T1 apart, then doubling up to `longest_s`, until stopped or given up."""

    def __init__(self, timers: SipTimers, longest_s: float, send: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._gap_s = timers.t1_s
        self._longest_s = longest_s
        self._send = send
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._send()
        self._handle = self._loop.call_later(self._gap_s, self._again)

    def _again(self) -> None:
        self._gap_s = min(self._gap_s * 2, self._longest_s)
        self.start()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class ClientTransaction:
    """One request of ours. `on_response` gets each response that matters, or None when none came in time.

    An INVITE that was answered with 300–699 acknowledges that itself, also when it is repeated.
    """

    def __init__(
        self,
        request: SipMessage,
        place: Place,
        send: Send,
        timers: SipTimers,
        on_response: Callable[[SipMessage | None], None],
        on_gone: Callable[[ClientTransaction], None],
    ) -> None:
        self.request = request
        self.key = (request.branch, request.method)
        self._place = place
        self._send = send
        self._on_response = on_response
        self._on_gone = on_gone
        self._is_invite = request.method == "INVITE"
        self.is_heard = False
        self._is_final = False
        self._ack = b""
        longest_s = timers.give_up_s if self._is_invite else timers.t2_s
        encoded = request.encode()
        self._repeater = _Repeater(timers, longest_s, lambda: send(encoded, place))
        self._give_up_s = timers.give_up_s
        self._end: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Send, and keep sending until something is heard."""
        self._repeater.start()
        self._end_in(self._give_up_s)

    def receive(self, response: SipMessage) -> None:
        """Take a response to this request."""
        if self._is_final:
            if self._ack:
                self._send(self._ack, self._place)
            return
        self.is_heard = True
        if response.status < 200:
            if self._is_invite:  # heard: the callee may take as long as it likes
                self._repeater.stop()
                self._cancel_end()
            self._on_response(response)
            return
        self._is_final = True
        self._repeater.stop()
        if self._is_invite and response.status >= 300:
            self._ack = acknowledgement(self.request, response).encode()
            self._send(self._ack, self._place)
            self._end_in(self._give_up_s)
        else:
            self.stop()
        self._on_response(response)

    def stop(self) -> None:
        """Forget the transaction."""
        self._repeater.stop()
        self._cancel_end()
        self._on_gone(self)

    def bound(self, seconds: float) -> None:
        """Give up after so long, also when only provisional responses came (after a CANCEL)."""
        if not self._is_final:
            self._end_in(seconds)

    def _end_in(self, seconds: float) -> None:
        self._cancel_end()
        self._end = asyncio.get_running_loop().call_later(seconds, self._give_up)

    def _cancel_end(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _give_up(self) -> None:
        was_final = self._is_final
        self._is_final = True
        self.stop()
        if not was_final:
            self._on_response(None)


def acknowledgement(invite: SipMessage, response: SipMessage) -> SipMessage:
    """The ACK to a refusal: same branch, the response's To (17.1.1.3)."""
    copied = tuple((name, value) for name, value in invite.headers if name.lower() == "route")
    return SipMessage(
        method="ACK",
        uri=invite.uri,
        headers=(
            ("Via", invite.all("Via")[0]),
            ("Max-Forwards", "70"),
            ("From", invite.get("From")),
            ("To", response.get("To")),
            ("Call-ID", invite.get("Call-ID")),
            ("CSeq", f"{invite.cseq[0]} ACK"),
            *copied,
        ),
    )


class ServerTransaction:
    """One request of theirs. A repeated request gets the last response again.

    The final response to an INVITE is repeated until the ACK comes; `on_unacknowledged` when it never does.
    """

    def __init__(
        self,
        request: SipMessage,
        place: Place,
        send: Send,
        timers: SipTimers,
        on_gone: Callable[[ServerTransaction], None],
    ) -> None:
        self.request = request
        self.key = server_key(request)
        self.on_unacknowledged: Callable[[], None] | None = None
        self.is_final = False
        self._place = place
        self._send = send
        self._timers = timers
        self._on_gone = on_gone
        self._last = b""
        self._repeater: _Repeater | None = None
        self._end: asyncio.TimerHandle | None = None

    def repeat(self) -> None:
        """The request came once more."""
        if self._last:
            self._send(self._last, self._place)

    def respond(self, response: SipMessage) -> None:
        """Send a response; nothing after the final one."""
        if self.is_final:
            return
        self._last = response.encode()
        if response.status < 200:
            self._send(self._last, self._place)
            return
        self.is_final = True
        if self.request.method == "INVITE":
            self._repeater = _Repeater(self._timers, self._timers.t2_s, self.repeat)
            self._repeater.start()
        else:
            self._send(self._last, self._place)
        self._end = asyncio.get_running_loop().call_later(self._timers.give_up_s, self._give_up)

    def acknowledged(self) -> None:
        """The ACK came; the transaction stays a while to swallow repeats."""
        if self._repeater is not None:
            self._repeater.stop()
            self._repeater = None

    def _give_up(self) -> None:
        is_waiting = self._repeater is not None
        self.stop()
        if is_waiting and self.on_unacknowledged is not None:
            self.on_unacknowledged()

    def stop(self) -> None:
        """Forget the transaction."""
        self.acknowledged()
        if self._end is not None:
            self._end.cancel()
        self._on_gone(self)


def server_key(request: SipMessage) -> tuple[str, str, str]:
    """What tells one request of theirs from another (17.2.3); an ACK has its INVITE's key."""
    via = request.all("Via")[0]
    method = "INVITE" if request.method == "ACK" else request.method
    return request.branch, via.partition(";")[0].rpartition(" ")[2], method
