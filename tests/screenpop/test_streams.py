from __future__ import annotations

import asyncio
import json

import pytest
from starlette.websockets import WebSocketDisconnect

from screenpop.auth import Session
from screenpop.messages import OfferEndedMessage
from screenpop.model import Person
from screenpop.streams import Stream, Tab

SESSION = Session("s", Person(username="maria", name="Maria"), 1)
MESSAGE = OfferEndedMessage(offer_id="i1/1", outcome="expired", detail="")


class Peer:
    """A socket that takes frames, stops taking them, or goes."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.asked = asyncio.Event()
        self.got_three = asyncio.Event()
        self.is_gone = False

    async def send(self, frame: str) -> None:
        if self.is_gone:
            raise WebSocketDisconnect(1006)
        self.asked.set()
        await self.takes.wait()
        self.got.append(frame)
        if len(self.got) == 3:
            self.got_three.set()


async def test_a_frame_is_sent_before_push_returns() -> None:
    peer = Peer()
    Tab(SESSION, peer.send).push("one")
    assert peer.got == ["one"]


async def test_frames_keep_their_order_when_the_socket_has_to_wait() -> None:
    peer = Peer()
    tab = Tab(SESSION, peer.send)
    peer.takes.clear()
    for frame in ("one", "two", "three"):
        tab.push(frame)
    assert peer.got == []
    peer.takes.set()
    await asyncio.wait_for(peer.got_three.wait(), 5)
    tab.push("four")
    assert peer.got == ["one", "two", "three", "four"]


async def test_an_outbox_that_is_full_ends_the_tab() -> None:
    peer = Peer()
    peer.takes.clear()
    tab = Tab(SESSION, peer.send, outbox=10)
    tab.push("a" * 100)
    tab.push("b" * 10)
    assert not tab.over.done()
    tab.push("c")
    assert tab.over.result() == "slow_reader"
    tab.push("d")
    await tab.finish()
    assert peer.got == []


async def test_a_socket_that_takes_nothing_for_long_ends_the_tab() -> None:
    peer = Peer()
    peer.takes.clear()
    tab = Tab(SESSION, peer.send, send_s=0.01)
    tab.push("one")
    assert await asyncio.wait_for(tab.over, 5) == "slow_reader"


@pytest.mark.parametrize("waits_first", [False, True])
async def test_a_socket_that_goes_ends_the_tab(waits_first: bool) -> None:
    peer = Peer()
    tab = Tab(SESSION, peer.send)
    if waits_first:
        peer.takes.clear()
        tab.push("one")
        tab.push("two")
        peer.is_gone = True
        peer.takes.set()
    else:
        peer.is_gone = True
        tab.push("one")
    assert await asyncio.wait_for(tab.over, 5) == "gone"


async def test_messages_are_numbered_and_stamped_when_they_leave() -> None:
    now = 100
    stream = Stream(lambda: now)
    first, second = Peer(), Peer()
    stream.tabs.append(Tab(SESSION, first.send))
    stream.push(MESSAGE)
    now = 200
    late = Tab(SESSION, second.send)
    stream.resume(late, 0)
    assert [json.loads(frame) for frame in first.got + second.got] == [
        {"seq": 1, "now": stamp, "type": "offer_ended", "offer_id": "i1/1", "outcome": "expired", "detail": ""}
        for stamp in (100, 200)
    ]


async def test_only_what_is_kept_can_be_resumed() -> None:
    stream = Stream(lambda: 0, kept=3)
    assert stream.can_resume(stream.id, 0)
    for _ in range(5):
        stream.push(MESSAGE)
    assert [after for after in range(-1, 8) if stream.can_resume(stream.id, after)] == [2, 3, 4, 5]
    assert not stream.can_resume("another", 5)
    peer = Peer()
    stream.resume(Tab(SESSION, peer.send), 3)
    assert [json.loads(frame)["seq"] for frame in peer.got] == [4, 5]
