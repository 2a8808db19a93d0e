"""SIGTERM while callers talk, wait and stand in a menu: the server goes within 2 s, also when its database hangs, and
nobody on the phone notices."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lab.phone import Behaviour
from tests.asterisk.peers import AmiWatch
from tests.asterisk.world import MAIN_LINE, Ears, Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

WITHIN_S = 2.0
LONGEST_SILENCE_S = 0.5


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("terminated")
    site = copy_site(folder, wrap_up="30s")
    async with open_stage(folder / "world", site, people_with_phones=("maria", "wei")) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage) -> AsyncIterator[None]:
    yield
    if stage.world.process is None or stage.world.process.returncode is not None:
        await stage.world.start_server()
    await stage.clear()


async def _terminate(stage: Stage) -> float:
    """SIGTERM; how long it took until the process was gone."""
    process = stage.world.process
    assert process is not None
    began = time.monotonic()
    process.terminate()
    async with asyncio.timeout(20):
        assert await process.wait() == 0
    return time.monotonic() - began


async def test_the_server_does_not_wait_for_calls(stage: Stage) -> None:
    await stage.at_work("maria", behaviour=Behaviour(answer_after_s=0.1, talk_s=None))
    talk, talking_id = await stage.queued()
    await stage.talking(talk)
    waiting, waiting_id = await stage.queued()
    menu = await stage.dial(MAIN_LINE, stage.new_number())
    await menu.answered.wait()
    ears = Ears(talk)
    took = await _terminate(stage)
    assert took <= WITHIN_S
    assert not any(call.ended.is_set() for call in (talk, waiting, menu))
    await stage.world.start_server()
    await stage.at_work("wei", behaviour=Behaviour(answer_after_s=0.1, talk_s=None))
    await stage.talking(waiting)
    assert ears.longest_silence_s < LONGEST_SILENCE_S
    assert not menu.ended.is_set()
    await stage.hang_up_all()
    assert {await stage.outcome(each) for each in (talking_id, waiting_id)} == {"served"}
    assert len(stage.rung(talking_id)) == len(stage.rung(waiting_id)) == 1


async def test_a_database_that_hangs_does_not_keep_it(stage: Stage) -> None:
    await stage.at_work("maria", behaviour=Behaviour(answer_after_s=0.1, talk_s=None))
    talk, interaction_id = await stage.queued()
    await stage.talking(talk)
    lock = sqlite3.connect(stage.world.folder / "data" / "callyard.db", isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        lost = await stage.dial(MAIN_LINE, stage.new_number())  # something to be written, which cannot be
        await lost.answered.wait()
        await lost.hang_up()
        async with stage.ami() as ami:
            await eventually("one channel pair left", lambda: _is_alone(ami))
        took = await _terminate(stage)
    finally:
        lock.close()
    assert took <= WITHIN_S
    assert not talk.ended.is_set()
    await stage.world.start_server()
    await talk.hang_up()
    assert await stage.outcome(interaction_id) == "served"
    assert stage.rows("SELECT count(*) AS n FROM interaction WHERE outcome IS NULL") == [{"n": 0}], "written again"


async def _is_alone(ami: AmiWatch) -> bool:
    return len([each for each in await ami.act("CoreShowChannels") if each.get("Channel")]) == 2
