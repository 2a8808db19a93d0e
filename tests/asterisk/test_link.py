"""The AMI link is cut for 3 s while callers wait, talk and are rung for: nobody is lost, and what is shown is true.

The calls themselves live on: FastAGI works, Asterisk works; the server is deaf and says so by offering nobody.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from itertools import pairwise

import pytest
import pytest_asyncio

from lab.phone import Behaviour
from lab.wire import Wire
from tests.asterisk.world import PATIENT, Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

CUT_S = 3.0
SAME_INSTANT_NS = 100_000_000
"""Two agents are served at once: within this, the order in which their phones ring says nothing."""


class Line:
    """A stage whose server hears Asterisk through a wire."""

    def __init__(self, stage: Stage, wire: Wire) -> None:
        self.stage = stage
        self.wire = wire

    async def cut(self) -> None:
        await self.wire.cut()
        await eventually("the server knows", self._knows)

    async def _knows(self) -> bool:
        return "link_down" in str((await self.stage.world.health()).get("why_not"))

    async def mend(self) -> None:
        await self.wire.mend()
        await self.stage.world.until_ready()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    folder = tmp_path_factory.mktemp("link")
    site = copy_site(folder, ring="10s", wrap_up="30s")
    async with open_stage(
        folder / "world", site, people_with_phones=("wei", "olga", "maria"), starts_server=False
    ) as stage:
        wire = Wire(stage.world.node.ami_port)
        settings = stage.world.folder / "callyard.yaml"
        before = f"port: {stage.world.node.ami_port},"
        assert before in settings.read_text()
        settings.write_text(settings.read_text().replace(before, f"port: {wire.port},"))
        await wire.mend()
        await stage.world.start_server()
        try:
            yield Line(stage, wire)
        finally:
            await wire.cut()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(line: Line) -> AsyncIterator[None]:
    yield
    if (await line.stage.world.health()).get("ready") is not True:
        await line.mend()
    await line.stage.clear()


async def test_new_calls_are_not_lost_while_the_world_is_read(line: Line) -> None:
    """Callers arrive while the link comes back: none counts as gone because an older list lacks them."""
    stage = line.stage
    calls = []
    for _ in range(2):
        await line.cut()
        mending = asyncio.create_task(line.mend())
        for _ in range(6):
            number = stage.new_number()
            calls.append((await stage.dial(caller=number), number))
            await asyncio.sleep(0.03)
        await mending
    interactions = [(call, await stage.arrived(number)) for call, number in calls]
    query = "SELECT id FROM queue_visit WHERE outcome IS NULL"
    await eventually("12 callers waiting", lambda: len(stage.rows(query)) == len(calls))
    for call, interaction_id in interactions:
        assert not call.ended.is_set()
        assert stage.rows("SELECT outcome FROM interaction WHERE id = ?", interaction_id) == [{"outcome": None}]


async def test_callers_who_wait_keep_their_places_and_are_served_when_the_link_is_back(line: Line) -> None:
    stage = line.stage
    await stage.at_work("olga")
    talking, talking_id = await stage.queued()
    await stage.talking(talking)
    waiting = [await stage.queued() for _ in range(3)]
    leaving, leaving_id = await stage.queued()

    await line.cut()
    await talking.hang_up()
    await leaving.hang_up()
    late, late_id = await stage.queued()
    await stage.at_work("wei")
    await asyncio.sleep(CUT_S)
    assert [call for _, each in [*waiting, (late, late_id)] for call in stage.rung(each)] == []
    await line.mend()

    assert await stage.outcome(talking_id) == "served"
    assert await stage.outcome(leaving_id) == "abandoned_in_queue"
    for call, interaction_id in [*waiting, (late, late_id)]:
        ringing = await eventually("a ring", partial(stage.rung, interaction_id))
        assert [each.offer for each in ringing] == [f"{interaction_id}/1"]
        await stage.talking(call)
        await call.hang_up()
        assert await stage.outcome(interaction_id) == "served"
    rang_ns = [stage.rung(each)[0].invite_ns for _, each in waiting]
    assert all(after - before > -SAME_INSTANT_NS for before, after in pairwise(rang_ns))


async def test_an_answer_in_the_gap_is_a_talk_and_its_end_a_wrap_up(line: Line) -> None:
    stage = line.stage
    await stage.at_work("olga", behaviour=Behaviour(answer_after_s=1.5, talk_s=None))
    call, interaction_id = await stage.queued()
    ringing = await stage.rings("olga")
    await line.cut()
    assert ringing.answer_ns is None, "cut too late for this test"
    await stage.talking(call)
    await line.mend()
    await stage.becomes("olga", "talking")
    await call.hang_up()
    assert await stage.outcome(interaction_id) == "served"
    assert await stage.offers(interaction_id, 1) == [("olga", "accepted")]


async def test_a_talk_that_begins_and_ends_in_the_gap_is_served(line: Line) -> None:
    stage = line.stage
    await stage.at_work("olga", "wei", behaviour=Behaviour(answer_after_s=1.0, talk_s=0.5))
    call, interaction_id = await stage.queued()
    ringing = await stage.rings("olga")
    await line.cut()
    assert ringing.answer_ns is None, "cut too late for this test"
    await ringing.over.wait()
    assert ringing.answer_ns is not None
    await asyncio.sleep(CUT_S)
    await line.mend()
    assert await stage.outcome(interaction_id) == "served"
    assert call.ended_by == "remote"
    assert len(stage.rung(interaction_id)) == 1


async def test_an_offer_that_is_taken_back_in_the_gap_stops_ringing_when_the_link_is_back(line: Line) -> None:
    stage = line.stage
    await stage.at_work("olga", behaviour=PATIENT)
    call, interaction_id = await stage.queued()
    ringing = await stage.rings("olga")
    await line.cut()
    stage.desktop("olga").choose("not_ready", "break")
    await stage.becomes("olga", "not_ready")
    assert not ringing.over.is_set(), "nobody can tell the phone"
    await line.mend()
    async with asyncio.timeout(2):
        await ringing.over.wait()
    await stage.at_work("wei")
    await stage.talking(call)
    assert [each.extension for each in stage.rung(interaction_id)] == ["1004", "1003"]
