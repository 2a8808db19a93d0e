"""One call of a user agent: the dialog of an INVITE from its first message to its last.

What belongs here: what requests and responses mean for one call, its media, its times. What does not:
sockets and repeats (`lab.sip`, `lab.sip_transactions`), and what a phone or caller does (`lab.phone`,
`lab.caller`). Times are of `time.monotonic_ns`.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lab import sdp
from lab.rtp import RtpStream
from lab.sip_message import (
    Credentials,
    SipMessage,
    SipParseError,
    digest,
    name_of,
    parameters,
    place_of,
    uri_of,
    user_of,
)
from lab.sip_transactions import ClientTransaction, Place, ServerTransaction

if TYPE_CHECKING:
    from lab.sip import SipEndpoint

_BYE_S = 5.0


class SipCall:
    """A call that we make or that comes in.

    `ended_by` is `local` or `remote` (a refusal of ours or theirs included), or `timeout` when the other
    side fell silent. `status` is the final SIP status of the INVITE (0 before it).
    """

    def __init__(
        self, endpoint: SipEndpoint, media: RtpStream, invite: SipMessage, server: ServerTransaction | None = None
    ) -> None:
        is_incoming = server is not None
        ours, theirs = ("To", "From") if is_incoming else ("From", "To")
        self.endpoint = endpoint
        self.media = media
        self.invite = invite
        self.call_id = invite.get("Call-ID")
        self.local_tag = secrets.token_hex(6) if is_incoming else parameters(invite.get("From"))["tag"]
        self.remote_tag = parameters(invite.get("From")).get("tag", "") if is_incoming else ""
        self.invite_ns = time.monotonic_ns()
        self.provisional_ns: int | None = None
        self.answer_ns: int | None = None
        self.end_ns: int | None = None
        self.ended_by = ""
        self.status = 0
        self.reason = ""
        self.media_up = asyncio.Event()
        self.answered = asyncio.Event()
        self.acknowledged = asyncio.Event()
        self.ended = asyncio.Event()
        self._ours = f"{invite.get(ours)};tag={self.local_tag}" if is_incoming else invite.get(ours)
        self._theirs = invite.get(theirs)
        self._target = uri_of(invite.get("Contact")) if is_incoming else invite.uri
        self._routes = invite.all("Record-Route") if is_incoming else []
        self._cseq = 1 if is_incoming else invite.cseq[0]
        self._remote_cseq = invite.cseq[0] if is_incoming else -1
        self._server = server
        self._client: ClientTransaction | None = None
        self._credentials: Credentials | None = None
        self._is_leaving = False
        self._is_cancelled = False
        self._ack: tuple[bytes, Place] | None = None
        self._version = 1
        self._told: list[Callable[[], None]] = []

    @property
    def caller_number(self) -> str:
        """The user part of From."""
        return user_of(self.invite.get("From"))

    @property
    def caller_name(self) -> str:
        """The display name of From."""
        return name_of(self.invite.get("From"))

    # -- a call that we make -----------------------------------------------------------------------------

    def start(self, credentials: Credentials | None) -> None:
        """Send the INVITE."""
        self._credentials = credentials
        self._client = self.endpoint.send_request(self.invite, place_of(self.invite.uri), self._on_response)

    def _on_response(self, response: SipMessage | None) -> None:
        if response is None:
            self._finish("timeout", 408, "no response")
        elif response.status < 200:
            self._on_provisional(response)
        elif response.status < 300:
            self._on_answer(response)
        elif response.status in (401, 407) and self._credentials is not None and not self._is_leaving:
            self._authenticate(response, self._credentials)
        else:
            self._finish("local" if self._is_cancelled else "remote", response.status, response.reason)

    def _on_provisional(self, response: SipMessage) -> None:
        if self.provisional_ns is None and response.status > 100:
            self.provisional_ns = time.monotonic_ns()
        if response.body:
            self._connect_media(response)
        if self._is_leaving:
            self._cancel()

    def _on_answer(self, response: SipMessage) -> None:
        self.answer_ns = time.monotonic_ns()
        self.status, self.reason = response.status, response.reason
        self._theirs = response.get("To")
        self.remote_tag = parameters(self._theirs).get("tag", "")
        self._target = uri_of(response.get("Contact")) or self._target
        self._routes = response.all("Record-Route")[::-1]
        ack = self.in_dialog("ACK", cseq=self.invite.cseq[0])
        self._ack = (ack.encode(), self._next_hop())
        self.repeat_ack()
        self._connect_media(response)
        self.acknowledged.set()
        self.answered.set()
        if self._is_leaving or not self.media_up.is_set():  # answered while we cancelled; or with no audio
            self._bye("local")

    def repeat_ack(self) -> None:
        """The 200 came (again): say so (again)."""
        if self._ack is not None:
            self.endpoint.send(*self._ack)

    def _authenticate(self, response: SipMessage, credentials: Credentials) -> None:
        asked, answer = (
            ("WWW-Authenticate", "Authorization")
            if response.status == 401
            else ("Proxy-Authenticate", "Proxy-Authorization")
        )
        self._credentials = None  # one try: the same password will not become right
        try:
            proof = digest(response.get(asked), credentials, "INVITE", self.invite.uri)
        except SipParseError as error:
            self._finish("remote", response.status, str(error))
            return
        self._cseq += 1
        self.invite = self.invite.with_headers(
            ("Via", self.endpoint.via()), ("CSeq", f"{self._cseq} INVITE"), (answer, proof)
        )
        self.start(None)

    def _cancel(self) -> None:
        if self._is_cancelled or self._client is None:
            return
        self._is_cancelled = True
        cancel = SipMessage(
            method="CANCEL",
            uri=self.invite.uri,
            headers=(
                ("Via", self.invite.all("Via")[0]),
                ("Max-Forwards", "70"),
                ("From", self.invite.get("From")),
                ("To", self.invite.get("To")),
                ("Call-ID", self.call_id),
                ("CSeq", f"{self.invite.cseq[0]} CANCEL"),
            ),
        )
        self.endpoint.send_request(cancel, place_of(self.invite.uri), lambda _: None)
        self._client.bound(self.endpoint.timers.give_up_s)  # 9.1: no 487 either

    # -- a call that comes in ----------------------------------------------------------------------------

    def ring(self) -> None:
        """Say 180 Ringing."""
        if self.provisional_ns is None:
            self.provisional_ns = time.monotonic_ns()
        self._respond(180, "Ringing")

    def answer(self) -> None:
        """Say 200 with our audio; the call ends by itself when no ACK comes."""
        if self.ended.is_set() or self._server is None or self._server.is_final:
            return
        try:
            body = self._answer_body(self.invite)
        except sdp.SdpError:
            self.reject(488, "Not Acceptable Here")
            return
        self.answer_ns = time.monotonic_ns()
        self.status, self.reason = 200, "OK"
        self._server.on_unacknowledged = lambda: self._bye("timeout")
        self._respond(200, "OK", body)
        self.answered.set()

    def reject(self, status: int, reason: str) -> None:
        """Refuse the call."""
        if self._server is not None and not self._server.is_final:
            self._respond(status, reason)
            self._finish("local", status, reason)

    def _respond(self, status: int, reason: str, body: bytes = b"") -> None:
        if self._server is not None:
            response = self.endpoint.response(self.invite, status, reason, self.local_tag, body)
            self._server.respond(response)

    def _answer_body(self, request: SipMessage) -> bytes:
        if not request.body:  # an offer is asked of us (13.2.1)
            return sdp.offer(self.media.local, self._next_version())
        theirs = sdp.read(request.body)
        self.media.connect(theirs)
        self.media_up.set()
        return sdp.answer(theirs, "127.0.0.1", self.media.port, self._next_version())

    def _next_version(self) -> int:
        self._version += 1
        return self._version

    # -- within the call ---------------------------------------------------------------------------------

    async def hang_up(self) -> None:
        """End the call, whatever its state: CANCEL, a refusal or BYE. Returns when it is over."""
        self._is_leaving = True
        if self.answer_ns is not None:
            await self._acknowledged_or_over()
            self._bye("local")
        elif self._server is not None:
            self.reject(480, "Temporarily Unavailable")
        elif self.provisional_ns is not None or (self._client and self._client.is_heard):
            self._cancel()
        await self.ended.wait()

    async def ends_within(self, seconds: float | None) -> bool:
        """Wait so long (None: for ever) for the end of the call; whether it came."""
        try:
            async with asyncio.timeout(seconds):
                await self.ended.wait()
        except TimeoutError:
            return False
        return True

    def when_over(self, told: Callable[[], None]) -> None:
        """Call `told` once when the call ends."""
        self._told.append(told)

    async def _acknowledged_or_over(self) -> None:
        """The callee must not say BYE before the ACK to its answer came (15)."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self.acknowledged, self.ended)]
        await asyncio.wait(waits, timeout=self.endpoint.timers.give_up_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def receive(self, request: SipMessage, server: ServerTransaction | None) -> None:
        """Take a request within the dialog (ACK comes without a transaction)."""
        if server is None:
            self._on_ack(request)
            return
        number = request.cseq[0]
        if number <= self._remote_cseq:
            server.respond(self.endpoint.response(request, 500, "Out Of Order"))
            return
        self._remote_cseq = number
        match request.method:
            case "BYE":
                server.respond(self.endpoint.response(request, 200, "OK"))
                self._finish("remote", self.status, request.get("Reason") or self.reason)
            case "INVITE":
                self._on_reinvite(request, server)
            case _:
                server.respond(self.endpoint.response(request, 200, "OK"))

    def _on_ack(self, request: SipMessage) -> None:
        if self._server is not None and request.cseq[0] == self.invite.cseq[0]:
            self._server.acknowledged()
            self.acknowledged.set()
        if request.body:
            self._connect_media(request)

    def _on_reinvite(self, request: SipMessage, server: ServerTransaction) -> None:
        try:
            body = self._answer_body(request)
        except sdp.SdpError:
            server.respond(self.endpoint.response(request, 488, "Not Acceptable Here"))
            return
        self._target = uri_of(request.get("Contact")) or self._target
        self.endpoint.expect_ack(self, server)
        server.respond(self.endpoint.response(request, 200, "OK", body=body))

    def caller_gave_up(self) -> None:
        """CANCEL came for a call that we have not answered."""
        self._respond(487, "Request Terminated")
        self._finish("remote", 487, "Request Terminated")

    def abandon(self) -> None:
        """The endpoint closes: tell the other side once, wait for nothing."""
        if not self.ended.is_set():
            self._finish("local", self.status, "endpoint closed")

    def _bye(self, ended_by: str) -> None:
        if self.ended.is_set():
            return
        bye = self.in_dialog("BYE")
        transaction = self.endpoint.send_request(bye, self._next_hop(), lambda _: None)
        transaction.bound(min(_BYE_S, self.endpoint.timers.give_up_s))
        self._finish(ended_by, self.status, self.reason)

    def _finish(self, ended_by: str, status: int, reason: str) -> None:
        if self.ended.is_set():
            return
        self.end_ns = time.monotonic_ns()
        self.ended_by, self.status, self.reason = ended_by, status, reason
        self.ended.set()
        self.endpoint.forget(self)
        for told in self._told:
            told()

    def _connect_media(self, message: SipMessage) -> None:
        if not message.body:
            return
        try:
            self.media.connect(sdp.read(message.body))
        except sdp.SdpError as error:
            self.reason = str(error)
            return
        self.media_up.set()

    def in_dialog(self, method: str, *, cseq: int | None = None, body: bytes = b"") -> SipMessage:
        """A request within this call, with the next number (an ACK has its INVITE's)."""
        if cseq is None:
            self._cseq += 1
            cseq = self._cseq
        content = (("Content-Type", "application/sdp"),) if body else ()
        return SipMessage(
            method=method,
            uri=self._target,
            headers=(
                ("Via", self.endpoint.via()),
                ("Max-Forwards", "70"),
                *(("Route", route) for route in self._routes),
                ("From", self._ours),
                ("To", self._theirs),
                ("Call-ID", self.call_id),
                ("CSeq", f"{cseq} {method}"),
                ("Contact", self.endpoint.contact),
                *content,
            ),
            body=body,
        )

    def _next_hop(self) -> Place:
        return place_of(uri_of(self._routes[0]) if self._routes else self._target)
