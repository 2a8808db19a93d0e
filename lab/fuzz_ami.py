"""AMI from the socket to the engine: a hostile Asterisk, or hostile callers behind an honest one.

A round is a link of about a hundred messages, cut as the network may cut them, with actions that wait for answers.
What stands behind it is the real exchange on a real dispatcher, engine and journal, with a caller whose phone rings.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from acd.invariants import check
from cti.ami_messages import AmiReply
from cti.ami_protocol import LIST_SUFFIX, AmiAction, AmiConnection, AmiCounters, AmiStream
from cti.errors import AmiError
from cti.exchange import Exchange
from lab.fuzz import Fault, Play, Round
from lab.fuzz_words import slipped, split, text
from tests.fakes.switchboard import Switchboard

MOST_MESSAGE = 65_536
GREETING = b"Asterisk Call Manager/11.0.0\r\n"
_IDS = ("c", "m", "j", "d", "b", "lab1-1.1", "lab1-callback.c.1")
_CHANNELS = ("PJSIP/trunk-c", "PJSIP/2001-m", "PJSIP/2002-j", "PJSIP/trunk-d", "Local/x@y-00000001;1", "")
_HEADERS: dict[str, Sequence[str]] = {
    "Uniqueid": _IDS,
    "Linkedid": _IDS,
    "DestUniqueid": _IDS,
    "Channel": _CHANNELS,
    "DestChannel": _CHANNELS,
    "Newname": _CHANNELS,
    "ChannelStateDesc": ("Down", "Ring", "Ringing", "Up"),
    "CallerIDNum": ("+4930901820", "<unknown>"),
    "CallerIDName": ("Anna", "<unknown>"),
    "Context": ("callyard-inbound",),
    "Exten": ("100",),
    "BridgeUniqueid": ("b", "b2"),
    "BridgeID": ("", "b"),
    "Cause": ("16", "17", "21", "0"),
    "Cause-txt": ("Normal Clearing",),
    "Digit": tuple("0123456789*#A"),
    "Direction": ("Received", "Sent"),
    "Device": ("PJSIP/2001", "PJSIP/2002"),
    "State": ("NOT_INUSE", "UNAVAILABLE", "INUSE"),
    "DialStatus": ("ANSWER", "BUSY", "NOANSWER"),
    "DialString": ("2001",),
    "AOR": ("2001",),
    "ContactStatus": ("Reachable",),
    "Result": ("Success", "Fail"),
    "TransfererUniqueid": _IDS,
    "TransfereeUniqueid": _IDS,
    "DestType": ("Bridge",),
    "UserEvent": ("CallyardRefused", "Other"),
    "Seconds": ("1", "0"),
    "Application": ("AGI",),
    "Variable": ("CALLYARD_INTERACTION=c", "CALLYARD_OFFER=c/1", "CALLYARD_AGENT=maria", "CALLYARD_TRANSFER=leg", "x"),
    "Timestamp": ("1700000000.250000", "1"),
    "EventList": ("start", "Complete", "cancelled"),
    "Response": ("Success", "Error"),
    "Message": ("Authentication accepted", "No such channel"),
    "Output": ("core", "--END COMMAND--"),
    "Privilege": ("call,all",),
}
_EVENTS = (
    "Newchannel",
    "Newstate",
    "Rename",
    "Hangup",
    "DialBegin",
    "DialEnd",
    "BridgeEnter",
    "BridgeLeave",
    "BridgeDestroy",
    "DTMFEnd",
    "DeviceStateChange",
    "ContactStatus",
    "Hold",
    "Unhold",
    "BlindTransfer",
    "AttendedTransfer",
    "UserEvent",
    "FullyBooted",
    "Status",
    "StatusComplete",
    "VarSet",
    "OriginateResponse",
)
_PIECES = (b"\r\n", b"\r\n\r\n", b"\n", b":", b": ", b"Event: Hangup", b"Response: ", b"\0", b"\xff", b"\xc3", GREETING)


class Ami:
    """The AMI side."""

    name = "ami"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Play]:
        yield _play


class _Transport(asyncio.Transport):
    """A socket that takes everything."""

    def __init__(self) -> None:
        super().__init__()
        self.stream: AmiStream | None = None
        self._is_over = False

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def is_closing(self) -> bool:
        return self._is_over

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self._is_over:
            self._is_over = True
            assert self.stream is not None
            self.stream.connection_lost(None)


async def _play(round_: Round) -> None:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        board = Switchboard(Path(folder))
        try:
            board.office.sign_in("maria", "jon")
            board.queue("c")
            board.dial("c", "m")
            for _ in range(round_.chance.randint(1, 3)):
                await _link(round_, board.exchange)
            _settle(board)
        finally:
            await board.close()


def _settle(board: Switchboard) -> None:
    """Whatever was told: one reading of the world, and all is as that says."""
    board.exchange.release_events()
    board.exchange.tell_all(board.exchange.calls.reconcile("lab1", []))
    calls = board.exchange.calls
    if len(calls) or calls.callers() or calls.talks() or any(map(calls.is_used, ("maria", "jon"))):
        raise Fault(
            f"channels are left after a reading that shows none: {len(calls)}, {calls.callers()}, {calls.talks()}"
        )
    if wrong := check(board.office.engine):
        raise Fault(f"the engine's invariants: {wrong}")


async def _link(round_: Round, exchange: Exchange) -> None:
    counters, transport = AmiCounters(), _Transport()
    connection = AmiConnection(
        node="lab1",
        host="",
        port=0,
        tls=None,
        max_message_bytes=MOST_MESSAGE,
        list_prefix="f",
        counters=counters,
        on_event=exchange.take,
    )
    stream = transport.stream = AmiStream(connection, MOST_MESSAGE)
    stream.connection_made(transport)
    ids = [f"f{n}{LIST_SUFFIX if n % 2 else ''}" for n in range(4)]
    asked = [asyncio.create_task(connection.ask(AmiAction("Status", {}, each), 5.0)) for each in ids]
    await asyncio.sleep(0)
    if round_.chance.random() < 0.95:
        stream.data_received(GREETING)
    held = 0
    for _ in range(round_.chance.randint(20, 120)):
        if stream.closed:
            break
        data = _message(round_.chance, ids)
        round_.note(data)
        if not held and round_.chance.random() < 0.02:
            exchange.hold_events()
            held = 10
        held -= held > 0
        if held == 1:
            exchange.release_events()
        for part in split(round_.chance, data):
            if not stream.closed:
                stream.data_received(part)
    await asyncio.sleep(0)
    connection.drop(AmiError("the round is over"))
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        if not isinstance(answer, AmiReply | AmiError):
            raise Fault(f"an action ended with {answer!r}")


def _message(chance: random.Random, ids: Sequence[str]) -> bytes:
    kind = chance.random()
    if kind < 0.003:
        return b"X" * chance.choice((100, MOST_MESSAGE - 2, MOST_MESSAGE + 10))
    first = (
        ("Response", chance.choice(("Success", "Error", "Follows")))
        if kind < 0.15
        else ("Event", chance.choice(_EVENTS))
    )
    lines = [first]
    for name in chance.sample(list(_HEADERS), chance.randint(0, 6)) + _needed(chance):
        lines += [(name, text(chance, _HEADERS[name]))] * (2 if chance.random() < 0.03 else 1)
    if chance.random() < 0.15:
        lines.append(("ActionID", chance.choice((*ids, "other", ""))))
    message = "\r\n".join(f"{name}: {value}" for name, value in lines).encode("utf-8", "replace") + b"\r\n\r\n"
    return slipped(chance, message, _PIECES) if chance.random() < 0.2 else message


def _needed(chance: random.Random) -> list[str]:
    """Mostly what events must have."""
    if chance.random() < 0.2:
        return []
    return [
        "Uniqueid",
        "Linkedid",
        "Channel",
        "ChannelStateDesc",
        "DestUniqueid",
        "DestChannel",
        "BridgeUniqueid",
        "Cause",
        "Digit",
        "Direction",
        "Device",
        "State",
        "DialStatus",
        "Newname",
        "AOR",
        "ContactStatus",
        "Result",
    ]
