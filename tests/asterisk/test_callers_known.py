"""Who calls is known before the flow begins: whoever calls again, with an open case or after giving up."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.sip_call import SipCall
from tests.asterisk.hearing import Hearing
from tests.asterisk.world import Stage, copy_site, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

AGAIN = "+498999998600"
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


def _leave_open(database: Path, interaction_id: str) -> None:
    """A talk of that call that an agent has closed with a disposition, as the records have it."""
    with sqlite3.connect(database, timeout=10) as connection:
        connection.execute(
            "INSERT INTO talk (id, interaction_id, agent_id, started_at, disposition) VALUES (?, ?, ?, ?, ?)",
            (f"{interaction_id}/9", interaction_id, "maria", 1, "follow_up"),
        )
    connection.close()
