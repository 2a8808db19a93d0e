"""Callers whom the flow gives to a number or to a phone of ours, on a real Asterisk: who is called, what is seen and
heard, and that nothing of it happens twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lab.phone import AGENT_TONE_HZ, CALLER_TONE_HZ
from lab.sip import SipEndpoint
from tests.asterisk.hearing import Hearing
from tests.asterisk.test_callback import Customers
from tests.asterisk.world import Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

OUT, PHONE = "+498999998330", "+498999998331"
FAR = "+4930901820"
_WAYS = "".join(f"      {way}: [say: The way of {way}., hangup]\n" for way in ("busy", "no_answer", "failed"))
_FLOWS = {
    "out": f"""
    - answer
    - transfer: {{ number: "{FAR}" }}
      ring: 8s
      caller_id: "+498911111"
{_WAYS}      then: [say: Back at the office., hangup]
""",
    "phone": f"""
    - answer
    - transfer: {{ agent: olga }}
      ring: 8s
{_WAYS}""",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network() -> Customers:
    return Customers()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, network: Customers) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("transfer")
    site = copy_site(folder, wrap_up="0s")
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        file.write(f'"{OUT}": {{ flow: out }}\n"{PHONE}": {{ flow: phone }}\n')
    for name, steps in _FLOWS.items():
        (site / "flows" / f"{name}.yaml").write_text(f"start: door\nnodes:\n  door:{steps}", encoding="utf-8")
    far = await SipEndpoint.open("network", on_call=network.take, plays=AGENT_TONE_HZ, listens_for=(CALLER_TONE_HZ,))
    try:
        async with open_stage(
            folder / "world", site, people_with_phones=("olga", "wei"), carrier_port=far.port
        ) as stage:
            yield stage
    finally:
        await far.close()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage, network: Customers) -> AsyncIterator[None]:
    yield
    if stage.world.process is None or stage.world.process.returncode is not None:
        await stage.world.start_server()
    for call in network.seen:
        if not call.ended.is_set():
            with contextlib.suppress(TimeoutError):
                await call.hang_up()
    await stage.clear()
    network.forget()


async def test_the_caller_talks_to_the_number_and_was_transferred_out(stage: Stage, network: Customers) -> None:
    caller = stage.new_number()
    call = await stage.dial(OUT, caller)
    far = await network.next_call()
    assert far.invite.uri.startswith(f"sip:{FAR}@")
    assert far.caller_number == "+498911111", "the number that the step shows"
    far.answer()
    await stage.talking(call)
    async with asyncio.timeout(10):
        await far.media.heard(CALLER_TONE_HZ)
    interaction_id = await stage.arrived(caller)
    async with stage.ami() as ami:
        channels = await ami.act("CoreShowChannels")
        channel = next(each["Channel"] for each in channels if each.get("Uniqueid") == interaction_id)
        assert await ami.variable(channel, "TIMEOUT(absolute)") == "0", "no dead man's switch cuts the talk"
        assert await ami.variable(channel, "CALLYARD_TRANSFER") == FAR
    await call.hang_up()
    assert await stage.outcome(interaction_id) == "transferred_out"
    row = await stage.row("detail", "SELECT detail FROM interaction WHERE id = ?", interaction_id)
    assert row == {"detail": FAR}
    await eventually("the far end is let go", far.ended.is_set)


async def test_the_flow_goes_on_when_the_far_end_hangs_up(stage: Stage, network: Customers) -> None:
    caller = stage.new_number()
    call = await stage.dial(OUT, caller)
    far = await network.next_call()
    far.answer()
    await stage.talking(call)
    hearing = Hearing(call)
    await far.hang_up()
    await hearing.hears("Back at the office.")
    async with asyncio.timeout(10):
        await call.ended.wait()
    assert await stage.outcome(await stage.arrived(caller)) == "transferred_out"


@pytest.mark.parametrize(("status", "way"), [(486, "busy"), (603, "busy"), (503, "failed"), (None, "no_answer")])
async def test_who_does_not_answer_leads_to_a_way_of_its_own(
    stage: Stage, network: Customers, status: int | None, way: str
) -> None:
    caller = stage.new_number()
    call = await stage.dial(OUT, caller)
    hearing = Hearing(call)
    far = await network.next_call()
    if status is not None:
        far.reject(status, "No")
    await hearing.hears(f"The way of {way}.")
    async with asyncio.timeout(10):
        await call.ended.wait()
    assert await stage.outcome(await stage.arrived(caller)) == "self_served"
    assert len(network.seen) == 1


async def test_killed_while_they_talk_they_talk_on_and_nobody_is_called_again(stage: Stage, network: Customers) -> None:
    caller = stage.new_number()
    call = await stage.dial(OUT, caller)
    far = await network.next_call()
    far.answer()
    await stage.talking(call)
    interaction_id = await stage.arrived(caller)
    await stage.world.kill_server()
    await stage.world.start_server()
    assert not call.ended.is_set()
    assert not far.ended.is_set()
    hearing = Hearing(call)
    await far.hang_up()
    await hearing.hears("Back at the office.")
    assert await stage.outcome(interaction_id) == "transferred_out"
    assert len(network.seen) == 1


async def test_killed_and_the_far_end_hung_up_meanwhile(stage: Stage, network: Customers) -> None:
    caller = stage.new_number()
    call = await stage.dial(OUT, caller)
    far = await network.next_call()
    far.answer()
    await stage.talking(call)
    interaction_id = await stage.arrived(caller)
    await stage.world.kill_server()
    await far.hang_up()
    hearing = Hearing(call)
    await stage.world.start_server()
    await hearing.hears("Back at the office.")
    assert await stage.outcome(interaction_id) == "transferred_out"
    assert len(network.seen) == 1


async def test_an_agents_phone_that_talks_outside_the_queues_is_busy_for_them(stage: Stage) -> None:
    await stage.at_work("olga")
    caller = stage.new_number()
    call = await stage.dial(PHONE, caller)
    ringing = await stage.rings("olga")
    assert ringing.offer == ""
    await stage.talking(call)
    await stage.becomes("olga", "phone_busy")
    _, waiting = await stage.queued()
    second = await stage.dial(PHONE, stage.new_number())
    await Hearing(second).hears("The way of busy.")
    assert stage.rows("SELECT id FROM offer WHERE interaction_id = ?", waiting) == []
    assert stage.rows("SELECT id FROM talk WHERE interaction_id = ?", await stage.arrived(caller)) == []
    await call.hang_up()
    assert await stage.outcome(await stage.arrived(caller)) == "transferred_out"
    assert (await stage.rings("olga")).offer == f"{waiting}/1"
