"""Who calls is known before the flow begins: who calls again, who is blocked, who calls too often."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from cti.config import load_settings
from cti.main import with_blocks
from lab.sip_call import SipCall
from tests.asterisk.hearing import Hearing
from tests.asterisk.world import Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

AGAIN = "+498999998600"
NUISANCE = "+4930555001"
CALLERS = f"""
blocked: {{ "{NUISANCE}": Nuisance calls }}
rate: 3 in 10m
too_often: {{ refuse: busy }}
"""
FLOW = """
start: door
nodes:
  door:
    - answer
    - if: history.open_case
      then:
        - say: Your case is open.
        - hangup
    - if: history.calls_today == 1 && history.last_outcome == "abandoned_in_queue" && history.minutes_since_last < 5
      then:
        - say: You were in {history.last_queue}.
        - hangup
    - say: We do not know you.
    - queue: billing
"""


def _site(folder: Path) -> Path:
    site = copy_site(folder)
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        file.write(f'"{AGAIN}": {{ flow: again }}\n')
    (site / "flows" / "again.yaml").write_text(FLOW, encoding="utf-8")
    (site / "callers.yaml").write_text(CALLERS, encoding="utf-8")
    return site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("known")
    async with open_stage(folder / "world", _site(folder), people_with_phones=()) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage) -> AsyncIterator[None]:
    yield
    await stage.clear()


async def _dial(stage: Stage, number: str, caller: str) -> tuple[SipCall, Hearing]:
    call = await stage.dial(number, caller)
    hearing = Hearing(call)
    async with asyncio.timeout(10):
        await call.media_up.wait()
    return call, hearing


async def test_who_calls_again_is_known_and_whose_case_is_open_skips_the_menu(stage: Stage) -> None:
    caller = stage.new_number()
    call, hearing = await _dial(stage, AGAIN, caller)
    await hearing.hears("We do not know you.")
    first = await stage.arrived(caller)
    await stage.row("the wait", "SELECT id FROM queue_visit WHERE interaction_id = ?", first)
    await call.hang_up()
    assert await stage.outcome(first) == "abandoned_in_queue"
    call, hearing = await _dial(stage, AGAIN, caller)
    await hearing.hears("You were in billing.")
    await call.ended.wait()
    _leave_open(stage.world.folder / "data" / "callyard.db", first)
    _, hearing = await _dial(stage, AGAIN, caller)
    await hearing.hears("Your case is open.")


async def _refused(stage: Stage, caller: str) -> tuple[int, str, str]:
    """SIP status, outcome and detail of a call that is refused without being answered."""
    call = await stage.dial(AGAIN, caller)
    async with asyncio.timeout(20):
        await call.ended.wait()
    assert call.answer_ns is None
    query = "SELECT outcome, detail FROM interaction WHERE caller = ? AND outcome = 'refused' ORDER BY arrived_at"
    rows = await eventually("the refusal", lambda: stage.rows(query, caller))
    return call.status, rows[-1]["outcome"], rows[-1]["detail"]


async def test_blocked_callers_are_refused_without_being_answered(stage: Stage) -> None:
    assert await _refused(stage, NUISANCE) == (403, "refused", "blocked: Nuisance calls")
    caller = stage.new_number()
    async with with_blocks(load_settings(stage.world.folder / "callyard.yaml", environment={})) as (blocks, _):
        await blocks.block(caller, 0, "fax", "a supervisor")
        await asyncio.sleep(2.5)  # the server reads orders every second
        assert await _refused(stage, caller) == (403, "refused", "blocked: fax")
        await blocks.unblock(caller, "a supervisor")
        await asyncio.sleep(2.5)
    _, hearing = await _dial(stage, AGAIN, caller)
    await hearing.hears("We do not know you.")


async def test_who_calls_too_often_hears_busy(stage: Stage) -> None:
    caller = stage.new_number()
    for _ in range(3):
        call, _ = await _dial(stage, AGAIN, caller)
        await call.hang_up()
    assert await _refused(stage, caller) == (486, "refused", "called more than 3 times in 600 s")


def _leave_open(database: Path, interaction_id: str) -> None:
    """A talk of that call that an agent has closed with a disposition, as the records have it."""
    with sqlite3.connect(database, timeout=10) as connection:
        connection.execute(
            "INSERT INTO talk (id, interaction_id, agent_id, started_at, disposition) VALUES (?, ?, ?, ?, ?)",
            (f"{interaction_id}/9", interaction_id, "maria", 1, "follow_up"),
        )
    connection.close()
