"""A small SIP user agent over UDP on the loopback address (the part of RFC 3261 that phones and trunks use).

What belongs here: one socket, whose requests and responses are handed to transactions and calls. Done:
INVITE with early media, CANCEL, BYE, re-INVITE, OPTIONS, REGISTER and digest, Record-Route, symmetric
responses (RFC 3581). Not done: TCP, forking to several answers, PRACK, UPDATE, session timers of our own.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable

from lab import sdp
from lab.rtp import RtpStream
from lab.sip_call import SipCall
from lab.sip_message import (
    Credentials,
    SipMessage,
    SipParseError,
    address,
    digest,
    parameters,
    parse,
    place_of,
    with_source,
)
from lab.sip_transactions import ClientTransaction, Place, ServerTransaction, SipTimers, server_key

_ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, NOTIFY, MESSAGE"
_MAX_CALLS = 1000
_MAX_TRANSACTIONS = 20_000
DEFAULT_TIMERS = SipTimers()

OnCall = Callable[[SipCall], Awaitable[None]]


class SipRefusedError(Exception):
    """A request outside a call was refused, or nobody answered it."""


class SipEndpoint(asyncio.DatagramProtocol):
    """One user agent on one UDP port of 127.0.0.1; `on_call` runs for each call that comes in.

    `dropped` counts datagrams that were no SIP or belonged to nothing.
    """

    def __init__(self, user: str, on_call: OnCall | None, timers: SipTimers) -> None:
        self.user = user
        self.timers = timers
        self.port = 0
        self.dropped: Counter[str] = Counter()
        self.calls: dict[tuple[str, str], SipCall] = {}
        self._on_call = on_call
        self._listens_for: tuple[int, ...] = ()
        self._plays: int | None = None
        self._past: dict[tuple[str, str], SipCall] = {}
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._servers: dict[tuple[str, str, str], ServerTransaction] = {}
        self._awaiting_ack: dict[tuple[str, str, int], ServerTransaction] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(
        cls,
        user: str,
        *,
        on_call: OnCall | None = None,
        port: int = 0,
        plays: int | None = None,
        listens_for: tuple[int, ...] = (),
        timers: SipTimers = DEFAULT_TIMERS,
    ) -> SipEndpoint:
        """Bind the port (0: the kernel's choice). `plays`, `listens_for`: tones in Hz of its calls."""
        endpoint = cls(user, on_call, timers)
        endpoint._plays, endpoint._listens_for = plays, listens_for
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: endpoint, local_addr=("127.0.0.1", port))
        endpoint._transport = transport
        endpoint.port = transport.get_extra_info("sockname")[1]
        return endpoint

    @property
    def uri(self) -> str:
        """Our address."""
        return f"sip:{self.user}@127.0.0.1:{self.port}"

    @property
    def contact(self) -> str:
        """Where requests within a call reach us."""
        return f"<{self.uri}>"

    def via(self) -> str:
        """A Via header with a branch of its own."""
        return f"SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{secrets.token_hex(8)};rport"

    # -- what we ask -------------------------------------------------------------------------------------

    async def dial(
        self,
        uri: str,
        *,
        caller: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        credentials: Credentials | None = None,
    ) -> SipCall:
        """Call an address; returns as soon as the INVITE is sent. `caller`: a From header without tag."""
        place_of(uri)
        media = await self._open_media()
        invite = self._new_request("INVITE", uri, caller or address(self.uri), headers=headers, body=media)
        call = SipCall(self, media, invite)
        self.calls[call.call_id, call.local_tag] = call
        call.start(credentials)
        return call

    async def register(self, place: Place, credentials: Credentials | None = None, expires_s: int = 3600) -> None:
        """Tell a registrar where we are (0: that we are gone). SipRefusedError when it will not have it."""
        uri = f"sip:{place[0]}:{place[1]}"
        request = self._new_request(
            "REGISTER", uri, address(f"sip:{self.user}@{place[0]}:{place[1]}"), headers=(("Expires", str(expires_s)),)
        )
        response = await self._ask(request, place)
        if response.status in (401, 407) and credentials is not None:
            names = ("WWW-Authenticate", "Authorization")
            if response.status == 407:
                names = ("Proxy-Authenticate", "Proxy-Authorization")
            proof = digest(response.get(names[0]), credentials, "REGISTER", uri)
            again = request.with_headers(("Via", self.via()), ("CSeq", "2 REGISTER"), (names[1], proof))
            response = await self._ask(again, place)
        if response.status != 200:
            raise SipRefusedError(f"REGISTER of {self.user}: expected 200, came {response.status} {response.reason}")

    async def options(self, place: Place) -> int:
        """Ask whether anybody is there; the status of the answer."""
        uri = f"sip:{place[0]}:{place[1]}"
        return (await self._ask(self._new_request("OPTIONS", uri, address(self.uri)), place)).status

    async def _ask(self, request: SipMessage, place: Place) -> SipMessage:
        answer: asyncio.Future[SipMessage | None] = asyncio.get_running_loop().create_future()

        def take(response: SipMessage | None) -> None:
            if not answer.done() and (response is None or response.status >= 200):
                answer.set_result(response)

        self.send_request(request, place, take)
        response = await answer
        if response is None:
            raise SipRefusedError(f"{request.method} to {place[0]}:{place[1]}: expected an answer, none came")
        return response

    def send_request(
        self, request: SipMessage, place: Place, on_response: Callable[[SipMessage | None], None]
    ) -> ClientTransaction:
        """Start a transaction."""

        def gone(transaction: ClientTransaction) -> None:
            self._clients.pop(transaction.key, None)

        transaction = ClientTransaction(request, place, self.send, self.timers, on_response, gone)
        self._clients[transaction.key] = transaction
        transaction.start()
        return transaction

    def _new_request(
        self,
        method: str,
        uri: str,
        caller: str,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        body: RtpStream | None = None,
    ) -> SipMessage:
        content = (("Content-Type", "application/sdp"),) if body else ()
        return SipMessage(
            method=method,
            uri=uri,
            headers=(
                ("Via", self.via()),
                ("Max-Forwards", "70"),
                ("From", f"{caller};tag={secrets.token_hex(6)}"),
                ("To", caller if method == "REGISTER" else f"<{uri}>"),
                ("Call-ID", secrets.token_hex(12)),
                ("CSeq", f"1 {method}"),
                ("Contact", self.contact),
                ("Allow", _ALLOW),
                ("User-Agent", "callyard-lab"),
                *headers,
                *content,
            ),
            body=sdp.offer(body.local, 1) if body else b"",
        )

    def response(self, request: SipMessage, status: int, reason: str, tag: str = "", body: bytes = b"") -> SipMessage:
        """A response to a request of theirs, with what every response copies (8.2.6)."""
        to = request.get("To")
        if status > 100 and "tag" not in parameters(to):
            to = f"{to};tag={tag or secrets.token_hex(6)}"
        copied = tuple((name, value) for name, value in request.headers if name.lower() in ("via", "record-route"))
        content = (("Content-Type", "application/sdp"),) if body else ()
        return SipMessage(
            status=status,
            reason=reason,
            headers=(
                *copied,
                ("From", request.get("From")),
                ("To", to),
                ("Call-ID", request.get("Call-ID")),
                ("CSeq", request.get("CSeq")),
                ("Contact", self.contact),
                ("Allow", _ALLOW),
                *content,
            ),
            body=body,
        )

    # -- what comes --------------------------------------------------------------------------------------

    def send(self, data: bytes, place: Place) -> None:
        """Put a datagram on the wire."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, place)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take a datagram; what is not SIP is counted and dropped."""
        if not data.strip(b"\r\n\0"):
            return  # keep-alive
        try:
            message = parse(data)
            if message.is_request:
                self._take_request(with_source(message, addr), addr)
            else:
                self._take_response(message)
        except SipParseError:
            self.dropped["malformed"] += 1

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there (ICMP); the transaction's own time-out tells the asker."""
        self.dropped["unreachable"] += 1

    def _take_response(self, response: SipMessage) -> None:
        method = response.cseq[1]
        transaction = self._clients.get((response.branch, method))
        if transaction is not None:
            transaction.receive(response)
            return
        key = (response.get("Call-ID"), parameters(response.get("From")).get("tag", ""))
        call = self.calls.get(key) or self._past.get(key)
        if call is not None and method == "INVITE" and response.status // 100 == 2:
            call.repeat_ack()
        else:
            self.dropped["response"] += 1

    def _take_request(self, request: SipMessage, place: Place) -> None:
        known = self._servers.get(server_key(request))
        if request.method == "ACK":
            self._take_ack(request, known)
        elif known is not None:
            known.repeat()
        elif len(self._servers) < _MAX_TRANSACTIONS:
            self._take_new(request, self._open_transaction(request, place))
        else:
            self.dropped["overload"] += 1

    def _open_transaction(self, request: SipMessage, place: Place) -> ServerTransaction:
        def gone(transaction: ServerTransaction) -> None:
            self._servers.pop(transaction.key, None)

        server = ServerTransaction(request, place, self.send, self.timers, gone)
        self._servers[server.key] = server
        return server

    def _take_ack(self, request: SipMessage, refused: ServerTransaction | None) -> None:
        if refused is not None:
            refused.acknowledged()
            return
        call = self._call_of(request)
        waiting = self._awaiting_ack.pop((*_dialog(request), request.cseq[0]), None)
        if waiting is not None:
            waiting.acknowledged()
        if call is not None:
            call.receive(request, None)

    def _take_new(self, request: SipMessage, server: ServerTransaction) -> None:
        call = self._call_of(request)
        if request.method == "CANCEL":
            self._take_cancel(request, server)
        elif call is not None and not call.ended.is_set():
            call.receive(request, server)
        elif parameters(request.get("To")).get("tag"):
            server.respond(self.response(request, 481, "Call Does Not Exist"))
        elif request.method == "INVITE":
            self._take_invite(request, server)
        elif request.method in ("OPTIONS", "INFO", "NOTIFY", "MESSAGE"):
            server.respond(self.response(request, 200, "OK"))
        else:
            server.respond(self.response(request, 405, "Method Not Allowed"))

    def _take_cancel(self, request: SipMessage, server: ServerTransaction) -> None:
        invited = self._servers.get((request.branch, server.key[1], "INVITE"))
        if invited is None:
            server.respond(self.response(request, 481, "Call Does Not Exist"))
            return
        server.respond(self.response(request, 200, "OK"))
        for call in tuple(self.calls.values()):
            if call.invite is invited.request and not invited.is_final:
                call.caller_gave_up()

    def _take_invite(self, request: SipMessage, server: ServerTransaction) -> None:
        if self._on_call is None or len(self.calls) >= _MAX_CALLS:
            server.respond(self.response(request, 480, "Temporarily Unavailable"))
            return
        server.respond(self.response(request, 100, "Trying"))
        call = SipCall(self, RtpStream(self._plays, self._listens_for), request, server)
        self.calls[call.call_id, call.local_tag] = call
        self._run(self._converse(call, self._on_call))

    async def _converse(self, call: SipCall, on_call: OnCall) -> None:
        try:
            await call.media.bind()
            if not call.ended.is_set():
                await on_call(call)
        finally:
            if not call.ended.is_set():
                await call.hang_up()

    async def _open_media(self) -> RtpStream:
        media = RtpStream(self._plays, self._listens_for)
        await media.bind()
        return media

    def _call_of(self, request: SipMessage) -> SipCall | None:
        return self.calls.get(_dialog(request))

    def expect_ack(self, call: SipCall, server: ServerTransaction) -> None:
        """The answer to a re-INVITE was sent: its ACK stops the repeats."""
        self._awaiting_ack[call.call_id, call.local_tag, server.request.cseq[0]] = server

    def forget(self, call: SipCall) -> None:
        """The call is over: close its audio, and keep it a while to acknowledge a repeated answer."""
        key = (call.call_id, call.local_tag)
        if self.calls.pop(key, None) is None:
            return
        for waiting in [waiting for waiting in self._awaiting_ack if waiting[:2] == key]:
            self._awaiting_ack.pop(waiting).acknowledged()
        self._past[key] = call
        asyncio.get_running_loop().call_later(self.timers.give_up_s, self._past.pop, key, None)
        self._run(call.media.end() if call.ended_by == "remote" else call.media.close())

    def _run(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None] | asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"a call of {self.user} failed", "exception": fault, "future": task}
            )

    async def close(self, grace_s: float = 2.0) -> None:
        """Hang up every call, then stop: sockets, timers, tasks."""
        calls = tuple(self.calls.values())
        hanging_up = [asyncio.create_task(call.hang_up()) for call in calls]
        if hanging_up:
            _, late = await asyncio.wait(hanging_up, timeout=grace_s)
            for task in late:
                task.cancel()
        for call in calls:
            call.abandon()
        await self._drain(grace_s)
        for client in tuple(self._clients.values()):
            client.stop()
        for server in tuple(self._servers.values()):
            server.stop()
        if self._transport is not None:
            self._transport.close()
            await asyncio.sleep(0)  # the transport closes its socket on the next turn of the loop

    async def _drain(self, grace_s: float) -> None:
        """Let BYEs be answered and calls' tasks end; cancel what does not."""
        byes = [key for key in self._clients if key[1] == "BYE"]
        for _ in range(max(int(grace_s / 0.01), 1)):
            if not any(key in self._clients for key in byes):
                break
            await asyncio.sleep(0.01)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=grace_s)


def _dialog(request: SipMessage) -> tuple[str, str]:
    return request.get("Call-ID"), parameters(request.get("To")).get("tag", "")
