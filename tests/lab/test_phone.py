"""Simulated phones and callers against each other, with nothing in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from lab.caller import Caller, CallRecord, HangUp, Identity, Press, StayOn, Step, Talk, Wait, open_line
from lab.phone import Behaviour, Phone, PhoneCall
from lab.sip_transactions import Place, SipTimers

QUICK = SipTimers(t1_s=0.05, t2_s=0.2, give_up_s=1.0)
ANN = Identity("+441234567890", 'Ann "the boss" 张伟')


class Desk:
    """A phone and those who call it."""

    def __init__(self, phone: Phone, place: Place) -> None:
        self.phone = phone
        self.place = place

    async def call(self, *script: Step, identity: Identity = ANN, patience_s: float = 10.0) -> CallRecord:
        async with asyncio.timeout(15):
            return await Caller(identity, self.place, timers=QUICK).call("2001", script, patience_s=patience_s)


@pytest.fixture(name="desk")
async def running_desk() -> AsyncIterator[Desk]:
    phone = Phone("2001", Behaviour(answer_after_s=0.05, talk_s=None), timers=QUICK)
    port = await phone.start()
    yield Desk(phone, ("127.0.0.1", port))
    await phone.stop()


async def last(phone: Phone) -> PhoneCall:
    async with asyncio.timeout(5):
        record = await phone.next_call()
        await record.over.wait()
    return record


async def test_caller_hears_the_agent_talks_and_hangs_up(desk: Desk) -> None:
    record = await desk.call(Talk(0.1))
    seen = await last(desk.phone)
    assert (record.ended_by, record.status, record.gave_up) == ("caller", 200, False)
    assert record.agent_was_heard
    assert record.provisional_ns is not None
    assert record.answer_ns is not None
    assert record.first_audio_ns is not None
    assert record.agent_heard_ns is not None
    assert record.invite_ns < record.provisional_ns < record.answer_ns < record.end_ns
    assert record.first_audio_ns <= record.agent_heard_ns < record.end_ns
    assert record.invite_ns < seen.invite_ns < record.provisional_ns
    assert seen.ended_by == "remote"
    assert seen.caller_heard_ns is not None
    assert seen.answer_ns is not None
    assert seen.answer_ns - seen.invite_ns >= 50_000_000


async def test_agent_talks_and_hangs_up(desk: Desk) -> None:
    desk.phone.behaviour = Behaviour(answer_after_s=0, talk_s=0.3)
    record = await desk.call(Talk())
    assert (record.ended_by, record.agent_was_heard) == ("remote", True)
    assert (await last(desk.phone)).ended_by == "local"


async def test_caller_loses_patience_while_it_rings(desk: Desk) -> None:
    desk.phone.behaviour = Behaviour(answer_after_s=None)
    record = await desk.call(Talk(), patience_s=0.15)
    assert (record.ended_by, record.status, record.gave_up) == ("caller", 487, True)
    assert record.answer_ns is None
    assert (await last(desk.phone)).status == 487


async def test_patience_does_not_end_a_talk(desk: Desk) -> None:
    record = await desk.call(Talk(0.5), patience_s=0.4)
    assert not record.gave_up
    assert record.end_ns - (record.agent_heard_ns or 0) >= 500_000_000


async def test_a_phone_is_picked_up_when_it_is_told_to(desk: Desk) -> None:
    desk.phone.behaviour = Behaviour(answer_after_s=None, talk_s=0.1)
    calling = asyncio.create_task(desk.call(Talk()))
    record = await desk.phone.next_call()
    asked_ns = time.monotonic_ns()
    record.pick_up()
    assert (await calling).ended_by == "remote"
    assert record.answer_ns is not None
    assert record.answer_ns >= asked_ns


async def test_busy_phone_refuses(desk: Desk) -> None:
    desk.phone.behaviour = Behaviour(reject=486)
    record = await desk.call(Talk())
    assert (record.ended_by, record.status, record.agent_was_heard) == ("remote", 486, False)


async def test_second_call_to_one_line_is_told_busy(desk: Desk) -> None:
    first = asyncio.create_task(desk.call(Talk(0.3)))
    await desk.phone.next_call()
    second = await desk.call(Talk())
    assert second.status == 486
    assert (await first).status == 200


async def test_phone_in_a_call_of_its_own_is_busy(desk: Desk) -> None:
    other = Phone("2002", Behaviour(answer_after_s=0, talk_s=None), timers=QUICK)
    port = await other.start()
    own = await desk.phone.dial(f"sip:2002@127.0.0.1:{port}")
    await own.answered.wait()
    assert (await desk.call(Talk())).status == 486
    await own.hang_up()
    assert (await desk.call(Talk(0.0))).status == 200
    await other.stop()


async def test_behaviour_may_be_chosen_per_call(desk: Desk) -> None:
    def choose(call: PhoneCall) -> Behaviour:
        return Behaviour(reject=603) if call.caller_number == "666" else Behaviour(answer_after_s=0, talk_s=0.2)

    desk.phone.behaviour = choose
    assert (await desk.call(Talk(), identity=Identity("666"))).status == 603
    assert (await desk.call(Talk())).status == 200


async def test_keys_are_pressed_and_heard(desk: Desk) -> None:
    record = await desk.call(Wait(0.05), Press("12"), Wait(0.05), Press("#"), HangUp())
    assert record.pressed == "12#"
    assert (await last(desk.phone)).digits == "12#"


@pytest.mark.parametrize(
    ("identity", "number", "name"),
    [
        (ANN, "+441234567890", 'Ann "the boss" 张伟'),
        (Identity(None), "anonymous", "Anonymous"),
        (Identity("100"), "100", ""),
    ],
)
async def test_callers_are_announced(desk: Desk, identity: Identity, number: str, name: str) -> None:
    await desk.call(HangUp(), identity=identity)
    seen = await last(desk.phone)
    assert (seen.caller_number, seen.caller_name) == (number, name)


async def test_a_script_that_cannot_be_followed_is_an_error_and_hangs_up(desk: Desk) -> None:
    with pytest.raises(ValueError, match="keys among"):
        await desk.call(Press("x"))
    assert (await last(desk.phone)).ended_by == "remote"


async def test_nobody_there() -> None:
    phone = Phone("2001", timers=QUICK)
    port = await phone.start()
    await phone.stop()
    record = await Desk(phone, ("127.0.0.1", port)).call(Talk())
    assert (record.ended_by, record.status) == ("timeout", 408)


async def test_a_cancelled_caller_hangs_up(desk: Desk) -> None:
    calling = asyncio.create_task(desk.call(StayOn()))
    seen = await desk.phone.next_call()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    async with asyncio.timeout(5):
        await seen.over.wait()
    assert seen.ended_by == "remote"


async def test_what_happens_is_told_as_it_happens(desk: Desk) -> None:
    told: list[str] = []
    watched = Phone("2001", Behaviour(answer_after_s=0, talk_s=0.05), watch=lambda what, _: told.append(what))
    desk.place = ("127.0.0.1", await watched.start())
    await desk.call(Talk())
    await last(watched)
    assert told == ["ringing", "answered", "ended"]
    await watched.stop()


async def test_twenty_calls_share_one_line_and_all_hear_each_other() -> None:
    phone = Phone("2001", Behaviour(answer_after_s=0.02, talk_s=None), lines=20, timers=QUICK)
    place = ("127.0.0.1", await phone.start())
    line = await open_line("trunk", timers=QUICK)
    callers = [Caller(Identity(f"+4412345678{index:02}"), place, line=line) for index in range(20)]
    async with asyncio.timeout(20):
        records = await asyncio.gather(*(caller.call("2001", (Talk(0.2),)) for caller in callers))
    assert all(record.agent_was_heard and record.ended_by == "caller" for record in records)
    assert len({call.caller_number for call in phone.calls}) == 20
    await line.close()
    await phone.stop()
