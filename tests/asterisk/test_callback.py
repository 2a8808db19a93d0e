"""Customers are called back on a real Asterisk: an agent is held, one call goes out, who answers presses 1 and talks.

The promise is written into the journal of a server that was killed, as if its flow had made it just before; so every
test begins with a restart, and the promise has survived it.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from acd.engine import Engine
from acd.events import InteractionQueued
from cti.journal import Journal, replay
from ivr.callback_dialogue import OURS
from lab.hearing import Hearing
from lab.phone import AGENT_TONE_HZ, CALLER_TONE_HZ
from lab.sip import SipEndpoint
from lab.sip_call import SipCall
from tests.asterisk.world import Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

CALLBACK = """  callback:
    attempts: 2
    every: 3s
    reserve: 40s
    ring: 6s
    lasts: 1h
    greeting: { en: This is us calling you back. To be connected press 1. }
"""


ASKS = "+498999998320"
FLOW = """
start: door
nodes:
  door:
    - answer
    - callback: support
      otherwise: [say: We cannot call you.]
    - say: Goodbye until then.
"""


class Customers:
    """The telephone network behind the trunk: everybody who is called, and how many at the same time."""

    def __init__(self) -> None:
        self.seen: list[SipCall] = []
        self.most_at_once = 0
        self._calls: asyncio.Queue[SipCall] = asyncio.Queue()

    async def take(self, call: SipCall) -> None:
        self.seen.append(call)
        self.most_at_once = max(self.most_at_once, sum(not each.ended.is_set() for each in self.seen))
        call.ring()
        self._calls.put_nowait(call)
        await call.ended.wait()

    async def next_call(self, limit_s: float = 30.0) -> SipCall:
        try:
            async with asyncio.timeout(limit_s):
                return await self._calls.get()
        except TimeoutError:
            raise AssertionError(f"nobody was called within {limit_s:g} s") from None

    def forget(self) -> None:
        self.seen.clear()
        self.most_at_once = 0
        self._calls = asyncio.Queue()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def customers() -> Customers:
    return Customers()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, customers: Customers) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("callback")
    site = copy_site(folder, ring="12s", wrap_up="0s")
    queues = site / "queues.yaml"
    text = queues.read_text(encoding="utf-8")
    title = "  title: Technical help\n"
    queues.write_text(text.replace(title, title + CALLBACK), encoding="utf-8")
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        file.write(f'"{ASKS}": {{ flow: asks }}\n')
    (site / "flows" / "asks.yaml").write_text(FLOW, encoding="utf-8")
    network = await SipEndpoint.open(
        "network", on_call=customers.take, plays=CALLER_TONE_HZ, listens_for=(AGENT_TONE_HZ,)
    )
    try:
        async with open_stage(
            folder / "world", site, people_with_phones=("olga", "wei"), carrier_port=network.port
        ) as stage:
            yield stage
    finally:
        await network.close()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage, customers: Customers) -> AsyncIterator[None]:
    yield
    if stage.world.process is None or stage.world.process.returncode is not None:
        await stage.world.start_server()
    for call in customers.seen:
        if not call.ended.is_set():
            with contextlib.suppress(TimeoutError):
                await call.hang_up()
    await stage.clear()
    customers.forget()


def _promise_in(journal_dir: Path, interaction_id: str, number: str) -> None:
    journal = Journal(journal_dir)
    try:
        segment = journal.open()
        assert segment is not None
        engine: Engine | None = None
        for _, engine, _ in replay(segment):  # noqa: B007  # the last engine is the result
            pass
        assert engine is not None
        now = max(engine.now, time.time_ns() // 1_000)
        event = InteractionQueued(interaction_id, "support", callback_number=number)
        journal.begin_segment(engine, now)
        journal.append(event, now)
    finally:
        journal.close()


async def promised(stage: Stage, caller: str = "") -> tuple[str, str]:
    """Somebody who waited, was promised a call and has hung up: their number and interaction."""
    caller = caller or stage.new_number()
    call, interaction_id = await stage.queued(caller)
    await stage.world.kill_server()
    await asyncio.to_thread(_promise_in, stage.world.folder / "data" / "journal", interaction_id, caller)
    await call.hang_up()
    await stage.world.start_server()
    return caller, interaction_id


async def confirm(call: SipCall) -> None:
    """Answer, and press 1 until somebody is there."""
    call.answer()
    await eventually("media", call.media_up.is_set)
    await asyncio.sleep(1.0)  # the greeting has begun
    await call.media.press("1")


async def test_who_was_promised_a_call_gets_it_and_talks(stage: Stage, customers: Customers) -> None:
    caller, interaction_id = await promised(stage)
    await stage.at_work("olga")
    call = await customers.next_call()
    assert call.invite.uri.startswith(f"sip:{caller}@")
    assert not stage.rung(interaction_id), "the agent's phone rings only once the customer is there"
    assert stage.seen.of(interaction_id) == [f"{interaction_id}/1"], "the pop comes first"
    await confirm(call)
    ringing = await stage.rings("olga")
    assert ringing.offer == f"{interaction_id}/1"
    await stage.talking(call)
    await eventually("the agent hears the customer", lambda: ringing.caller_number == caller)
    await call.hang_up()
    assert await stage.outcome(interaction_id) == "served"
    assert len(customers.seen) == 1


async def test_who_does_not_answer_is_called_again_and_then_given_up(stage: Stage, customers: Customers) -> None:
    _, interaction_id = await promised(stage)
    await stage.at_work("olga")
    first = await customers.next_call()
    await eventually("the first call gives up", first.ended.is_set, 20)
    await stage.becomes("olga", "ready")
    second = await customers.next_call()
    await eventually("the second call gives up", second.ended.is_set, 20)
    assert await stage.outcome(interaction_id) == "callback_failed"
    assert (len(customers.seen), customers.most_at_once) == (2, 1)
    await stage.becomes("olga", "ready")


async def test_a_machine_presses_nothing_and_no_agent_hears_it(stage: Stage, customers: Customers) -> None:
    _, interaction_id = await promised(stage)
    await stage.at_work("olga")
    for _ in range(2):
        call = await customers.next_call()
        call.answer()
        await eventually("hung up", call.ended.is_set, 30)
        assert call.ended_by == "remote"
    assert await stage.outcome(interaction_id) == "callback_failed"
    assert not stage.rung(interaction_id)


async def test_killed_while_the_customers_phone_rings_there_are_never_two_calls(
    stage: Stage, customers: Customers
) -> None:
    _, interaction_id = await promised(stage)
    await stage.at_work("olga")
    call = await customers.next_call()
    await stage.world.kill_server()
    await stage.world.start_server()
    if call.ended.is_set():  # it rang out while nobody of ours was there
        call = await customers.next_call()
    await confirm(call)
    ringing = await stage.rings("olga")
    assert ringing.offer.rpartition("/")[0] == interaction_id
    await stage.talking(call)
    assert customers.most_at_once == 1
    assert len(stage.rung(interaction_id)) == 1


async def test_who_calls_in_meanwhile_is_not_called(stage: Stage, customers: Customers) -> None:
    caller, interaction_id = await promised(stage)
    asked = await stage.row(
        "the visit", "SELECT min(first_asked_at) AS at FROM queue_visit WHERE interaction_id = ?", interaction_id
    )
    call = await stage.dial(caller=caller)
    assert await stage.outcome(interaction_id) == "called_in"
    await stage.at_work("olga")
    await stage.talking(call)
    row = await stage.row(
        "their visit",
        "SELECT v.first_asked_at AS at FROM queue_visit v JOIN interaction i ON i.id = v.interaction_id "
        "WHERE i.caller = ? AND i.id != ?",
        caller,
        interaction_id,
    )
    assert row == asked
    assert customers.seen == []


async def test_a_step_of_the_flow_promises_the_call_that_then_comes(stage: Stage, customers: Customers) -> None:
    caller = stage.new_number()
    asking = await stage.dial(ASKS, caller)
    hearing = Hearing(asking)
    await hearing.hears(OURS["promised"]["en"])
    await hearing.hears("Goodbye until then.")
    await eventually("the end of the call", asking.ended.is_set)
    await stage.at_work("olga")

    called = await customers.next_call()

    assert called.invite.uri.startswith(f"sip:{caller}@")
    await confirm(called)
    await stage.talking(called)
