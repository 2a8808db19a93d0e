"""Two user agents on loopback, on a good line and on a bad one."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import pytest

from lab.sip import SipEndpoint, SipRefusedError
from lab.sip_call import SipCall
from lab.sip_message import Credentials, SipMessage, parse
from lab.sip_transactions import Place, SipTimers

QUICK = SipTimers(t1_s=0.02, t2_s=0.08, give_up_s=0.6)


class LossyEndpoint(SipEndpoint):
    """Loses the first datagrams that begin with a given text, as often as told."""

    losses: dict[str, int]

    def send(self, data: bytes, place: Place) -> None:
        first = data.split(b"\r\n")[0].decode()
        for start, left in getattr(self, "losses", {}).items():
            if first.startswith(start) and left:
                self.losses[start] -= 1
                return
        super().send(data, place)


@asynccontextmanager
async def two_ends(
    on_call: Callable[[SipCall], Awaitable[None]],
    *,
    lost_by_caller: dict[str, int] | None = None,
    lost_by_callee: dict[str, int] | None = None,
) -> AsyncIterator[tuple[SipEndpoint, SipEndpoint]]:
    async with AsyncExitStack() as stack:
        caller = await LossyEndpoint.open("caller", timers=QUICK, plays=1300, listens_for=(1004,))
        stack.push_async_callback(caller.close)
        callee = await LossyEndpoint.open("callee", on_call=on_call, timers=QUICK, plays=1004)
        stack.push_async_callback(callee.close)
        assert isinstance(caller, LossyEndpoint)
        assert isinstance(callee, LossyEndpoint)
        caller.losses, callee.losses = lost_by_caller or {}, lost_by_callee or {}
        async with asyncio.timeout(10):
            yield caller, callee
        assert not caller.calls
        assert not callee.calls


async def talk(call: SipCall) -> None:
    call.ring()
    call.answer()
    await call.ended.wait()


LINES = [
    ({}, {}),
    ({"INVITE": 2}, {}),
    ({}, {"SIP/2.0 100": 1, "SIP/2.0 180": 1}),
    ({}, {"SIP/2.0 200": 2}),
    ({"ACK": 2}, {}),
    ({"BYE": 2}, {}),
]


@pytest.mark.parametrize(("lost_by_caller", "lost_by_callee"), LINES)
async def test_a_call_is_made_and_hung_up_also_on_a_bad_line(
    lost_by_caller: dict[str, int], lost_by_callee: dict[str, int]
) -> None:
    incoming: list[SipCall] = []

    async def on_call(call: SipCall) -> None:
        incoming.append(call)
        await talk(call)
        assert call.acknowledged.is_set()

    async with two_ends(on_call, lost_by_caller=dict(lost_by_caller), lost_by_callee=dict(lost_by_callee)) as ends:
        call = await ends[0].dial(ends[1].uri)
        await call.answered.wait()
        await call.media.heard(1004)
        await call.hang_up()
        await incoming[0].ended.wait()
    assert len(incoming) == 1
    assert (call.ended_by, incoming[0].ended_by, call.status) == ("local", "remote", 200)
    assert call.invite_ns < (call.answer_ns or 0) < (call.end_ns or 0)


async def test_the_callee_hangs_up() -> None:
    async def on_call(call: SipCall) -> None:
        call.answer()
        await call.hang_up()

    async with two_ends(on_call) as (caller, callee):
        call = await caller.dial(callee.uri)
        await call.ended.wait()
    assert (call.ended_by, call.status) == ("remote", 200)


def hold_up_the_loop(seconds: float) -> None:
    """As a busy machine does."""
    time.sleep(seconds)


async def test_what_was_said_before_the_other_side_hung_up_is_heard_however_late_it_is_read() -> None:
    async def on_call(call: SipCall) -> None:
        call.answer()
        await call.hang_up()

    words = 30
    async with two_ends(on_call) as (caller, callee), asyncio.timeout(10):
        call = await caller.dial(callee.uri)
        await call.ended.wait()
        before = call.media.received
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            for number in range(words):
                line.sendto(bytes((0x80, 0, 0, number)) + bytes(8) + b"\xff" * 160, ("127.0.0.1", call.media.port))
        while call.media.is_open:
            hold_up_the_loop(0.03)
            await asyncio.sleep(0)
    assert call.media.received == before + words


@pytest.mark.parametrize(
    ("lost_by_caller", "lost_by_callee"),
    [({}, {}), ({"CANCEL": 2}, {}), ({}, {"SIP/2.0 487": 2}), ({"ACK": 2}, {}), ({"CANCEL": 99}, {})],
)
async def test_a_ringing_call_is_cancelled(lost_by_caller: dict[str, int], lost_by_callee: dict[str, int]) -> None:
    incoming: list[SipCall] = []

    async def on_call(call: SipCall) -> None:
        incoming.append(call)
        call.ring()
        await call.ended.wait()

    async with two_ends(on_call, lost_by_caller=dict(lost_by_caller), lost_by_callee=dict(lost_by_callee)) as ends:
        call = await ends[0].dial(ends[1].uri)
        while call.provisional_ns is None:  # noqa: ASYNC110 - a turn of the loop, no clock
            await asyncio.sleep(0)
        await call.hang_up()
        if "CANCEL" in lost_by_caller and lost_by_caller["CANCEL"] == 99:
            assert (call.ended_by, call.status) == ("timeout", 408)
            await incoming[0].hang_up()  # which nobody told
            return
        await incoming[0].ended.wait()
    assert (call.ended_by, call.status) == ("local", 487)
    assert (incoming[0].ended_by, incoming[0].status) == ("remote", 487)


async def test_hanging_up_before_anything_was_heard_cancels_at_the_first_sign() -> None:
    async with two_ends(talk, lost_by_caller={"INVITE": 1}) as (caller, callee):
        call = await caller.dial(callee.uri)
        await call.hang_up()
    assert call.ended_by == "local"
    assert call.status in (200, 487)  # 200: the answer crossed the CANCEL, and BYE followed


async def test_a_refusal_is_told_and_acknowledged() -> None:
    async def on_call(call: SipCall) -> None:
        call.reject(486, "Busy Here")

    async with two_ends(on_call, lost_by_callee={"SIP/2.0 486": 2}) as (caller, callee):
        call = await caller.dial(callee.uri)
        await call.ended.wait()
    assert (call.ended_by, call.status, call.reason) == ("remote", 486, "Busy Here")


async def test_nobody_there_is_a_time_out() -> None:
    async with two_ends(talk, lost_by_caller={"INVITE": 99}) as (caller, callee):
        call = await caller.dial(callee.uri)
        await call.ended.wait()
    assert (call.ended_by, call.status) == ("timeout", 408)


async def test_an_answer_that_is_never_acknowledged_ends_the_call() -> None:
    incoming: list[SipCall] = []

    async def on_call(call: SipCall) -> None:
        incoming.append(call)
        await talk(call)

    async with two_ends(on_call, lost_by_caller={"ACK": 99}) as (caller, callee):
        call = await caller.dial(callee.uri)
        await call.ended.wait()
        assert incoming[0].ended_by == "timeout"
        assert call.ended_by == "remote"


async def test_options_and_what_belongs_to_no_call() -> None:
    async with two_ends(talk) as (caller, callee):
        place = ("127.0.0.1", callee.port)
        assert await caller.options(place) == 200
        callee.datagram_received(b"\x00\xff junk", place)
        callee.datagram_received(b"\r\n\r\n", place)
        assert callee.dropped == {"malformed": 1}


async def stray(caller: SipEndpoint, callee: SipEndpoint, method: str, to: str) -> int:
    """The status of the answer to a request outside any call."""
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    request = SipMessage(
        method=method,
        uri=callee.uri,
        headers=(
            ("Via", caller.via()),
            ("From", "<sip:x@127.0.0.1>;tag=1"),
            ("To", to),
            ("Call-ID", "x"),
            ("CSeq", f"1 {method}"),
        ),
    )

    def take(response: SipMessage | None) -> None:
        answer.set_result(response.status if response else 0)

    caller.send_request(request, ("127.0.0.1", callee.port), take)
    return await answer


@pytest.mark.parametrize(
    ("method", "to", "status"),
    [
        ("BYE", "<sip:c@127.0.0.1>;tag=9", 481),
        ("CANCEL", "<sip:c@127.0.0.1>", 481),
        ("NOTIFY", "<sip:c@127.0.0.1>", 200),
        ("PUBLISH", "<sip:c@127.0.0.1>", 405),
    ],
)
async def test_requests_outside_a_call_are_answered(method: str, to: str, status: int) -> None:
    async with two_ends(talk) as (caller, callee):
        assert await stray(caller, callee, method, to) == status


async def test_a_reinvite_is_answered_and_its_acknowledgement_stops_the_repeats() -> None:
    async with two_ends(talk) as (caller, callee):
        call = await caller.dial(callee.uri)
        await call.answered.wait()
        (theirs,) = callee.calls.values()
        answer: asyncio.Future[SipMessage] = asyncio.get_running_loop().create_future()
        request = theirs.in_dialog("INVITE", body=call.invite.body.replace(b"sendrecv", b"sendonly"))

        def take(response: SipMessage | None) -> None:
            assert response is not None
            if response.status >= 200:
                answer.set_result(response)

        callee.send_request(request, ("127.0.0.1", caller.port), take)
        response = await answer
        assert response.status == 200
        assert b"a=recvonly" in response.body
        callee.send(theirs.in_dialog("ACK", cseq=request.cseq[0]).encode(), ("127.0.0.1", caller.port))
        await call.hang_up()
        await theirs.ended.wait()


class Registrar(asyncio.DatagramProtocol):
    """Asks for a password the first time, as Asterisk does, and checks it its own way."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.contacts: list[str] = []
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Place) -> None:
        request = parse(data)
        proof = dict(re.findall(r'(\w+)="?([^",]*)"?', request.get("Authorization")))
        status, extra = 401, (("WWW-Authenticate", 'Digest realm="lab", nonce="n1", qop="auth"'),)
        if proof and proof["response"] == self._expected(proof):
            self.contacts.append(request.get("Contact"))
            status, extra = 200, (("Expires", "60"),)
        elif proof:
            status = 403
        copied = tuple((name, request.get(name)) for name in ("Via", "From", "To", "Call-ID", "CSeq"))
        assert self.transport is not None
        self.transport.sendto(SipMessage(status=status, reason="x", headers=(*copied, *extra)).encode(), addr)

    def _expected(self, proof: dict[str, str]) -> str:
        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        who, what = md5(f"2001:lab:{self.password}"), md5(f"REGISTER:{proof['uri']}")
        return md5(f"{who}:n1:{proof['nc']}:{proof['cnonce']}:auth:{what}")


@pytest.fixture(name="registrar")
async def running_registrar() -> AsyncIterator[tuple[Registrar, Place]]:
    loop = asyncio.get_running_loop()
    transport, registrar = await loop.create_datagram_endpoint(lambda: Registrar("secret"), local_addr=("127.0.0.1", 0))
    yield registrar, transport.get_extra_info("sockname")
    transport.close()


async def test_registering_answers_the_challenge(registrar: tuple[Registrar, Place]) -> None:
    endpoint = await SipEndpoint.open("2001", timers=QUICK)
    await endpoint.register(registrar[1], Credentials("2001", "secret"))
    assert registrar[0].contacts == [endpoint.contact]
    with pytest.raises(SipRefusedError, match="REGISTER of 2001: expected 200, came 403"):
        await endpoint.register(registrar[1], Credentials("2001", "wrong"))
    with pytest.raises(SipRefusedError, match="came 401"):
        await endpoint.register(registrar[1])
    await endpoint.close()


async def test_registering_where_nobody_is_fails_in_time() -> None:
    gone = await SipEndpoint.open("gone", timers=QUICK)
    await gone.close()
    endpoint = await SipEndpoint.open("2001", timers=QUICK)
    with pytest.raises(SipRefusedError, match="expected an answer, none came"):
        await endpoint.register(("127.0.0.1", gone.port))
    await endpoint.close()


async def test_closing_hangs_up_and_leaves_nothing_behind() -> None:
    incoming: list[SipCall] = []

    async def on_call(call: SipCall) -> None:
        incoming.append(call)
        await talk(call)

    before = asyncio.all_tasks()
    async with two_ends(on_call) as (caller, callee):
        call = await caller.dial(callee.uri)
        await call.media.heard(1004)
        await caller.close()
        await incoming[0].ended.wait()
        assert incoming[0].ended_by == "remote"
    assert asyncio.all_tasks() == before
