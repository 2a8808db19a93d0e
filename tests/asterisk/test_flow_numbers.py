"""Numbers of a flow against what real callers did: the test counts by itself, the server by its tables, the API and the
command must say the same; also when the server was killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from lab.hearing import Hearing
from lab.sip_call import SipCall
from tests.asterisk.world import Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

COUNTED = "+498999998440"
MENU = "door:1"
FLOW = """
start: door
nodes:
  door:
    - answer
    - menu: Press one or two.
      keys: { 1: one, 2: two }
      wait: 6s
      retries: 1
      otherwise: silent
  one: [say: You chose one., hangup]
  two: [queue: support]
  silent: [say: You said nothing., hangup]
"""
STEPS = 'SELECT step, sum(entered) entered, sum(left) "left", sum(hung_up) hung_up, sum(timed_out) timed_out, '
STEPS += "sum(invalid) invalid, sum(stayed_us) stayed_us FROM flow_step WHERE flow = 'counted' GROUP BY step"
WAYS = "SELECT step, way, sum(left) times FROM flow_exit WHERE flow = 'counted' GROUP BY step, way"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("numbers")
    site = copy_site(folder, wrap_up="0s")
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        file.write(f'"{COUNTED}": {{ flow: counted }}\n')
    (site / "flows" / "counted.yaml").write_text(FLOW, encoding="utf-8")
    async with open_stage(folder / "world", site, people_with_phones=("olga",)) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage) -> AsyncIterator[None]:
    yield
    await stage.clear()


async def at_menu(stage: Stage) -> SipCall:
    call = await stage.dial(COUNTED, stage.new_number())
    await Hearing(call).hears("Press one or two.")
    return call


async def ended(call: SipCall) -> None:
    async with asyncio.timeout(30):
        await call.ended.wait()


async def choose(stage: Stage, keys: str) -> None:
    call = await at_menu(stage)
    for key in keys:
        await call.media.press(key)
        await asyncio.sleep(0.3)  # as slowly as a person presses
    await ended(call)


async def say_nothing(stage: Stage) -> None:
    await ended(await at_menu(stage))


async def hang_up_at_menu(stage: Stage) -> None:
    await (await at_menu(stage)).hang_up()


async def in_queue(stage: Stage) -> tuple[SipCall, str]:
    call = await at_menu(stage)
    await call.media.press("2")
    interaction_id = await stage.arrived(call.caller_number)
    await stage.row("a visit", "SELECT id FROM queue_visit WHERE interaction_id = ?", interaction_id)
    return call, interaction_id


def steps(stage: Stage) -> dict[str, dict[str, Any]]:
    return {row["step"]: row for row in stage.rows(STEPS)}


def ways(stage: Stage) -> Counter[tuple[str, str]]:
    return Counter({(row["step"], row["way"]): row["times"] for row in stage.rows(WAYS)})


async def told_by_api(stage: Stage, path: str) -> Any:
    async with httpx.AsyncClient(base_url=stage.world.address, headers={"X-Callyard": "1"}, trust_env=False) as client:
        password = stage.world.passwords["sven"]
        signed_in = await client.post("/api/session", json={"username": "sven", "password": password})
        assert signed_in.status_code == 200, signed_in.text
        return (await client.get(path)).json()


async def told_by_command(folder: Path, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cti.cli", "flow", "numbers", *words,
        env={**os.environ, "CALLYARD_CONFIG": str(folder / "callyard.yaml")}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def test_numbers_are_what_the_callers_did(stage: Stage) -> None:
    await stage.at_work("olga")
    await asyncio.gather(
        *(choose(stage, "1") for _ in range(3)),
        *(choose(stage, "91") for _ in range(2)),
        *(say_nothing(stage) for _ in range(2)),
        *(hang_up_at_menu(stage) for _ in range(2)),
    )
    talker, talked = await in_queue(stage)
    await stage.talking(talker)
    standing = await told_by_api(stage, "/api/flows")
    assert [each["now"] for each in standing if each["flow"] == "counted"] == [1], "who talks is still in the flow"
    waiter, waited = await in_queue(stage)  # olga talks
    await waiter.hang_up()
    await talker.hang_up()
    assert await stage.outcome(talked) == "served"
    assert await stage.outcome(waited) == "abandoned_in_queue"

    await eventually("11 callers counted", lambda: sum(r["left"] + r["hung_up"] for r in _ends(stage)) == 11)
    found = steps(stage)
    menu = found[MENU]
    assert (menu["entered"], menu["left"], menu["hung_up"]) == (11, 9, 2)
    assert (menu["timed_out"], menu["invalid"]) == (4, 2), "two were silent twice, two pressed 9"
    assert ways(stage) == Counter(
        {
            ("door:0", "next"): 11, (MENU, "keys.1"): 5, (MENU, "keys.2"): 2, (MENU, "otherwise"): 2,
            ("one:0", "next"): 5, ("one:1", "end"): 5, ("silent:0", "next"): 2, ("silent:1", "end"): 2,
            ("two:0", "completed"): 1,
        }
    )  # fmt: skip
    assert (found["two:0"]["entered"], found["two:0"]["hung_up"]) == (2, 1)
    assert 24 <= menu["stayed_us"] / 1_000_000 <= 200, "two waited 6 s twice"

    told = await told_by_api(stage, "/api/flows/counted/numbers")
    door = next(node for node in told["nodes"] if node["node"] == "door")
    assert (door["entered"], door["hung_up"], door["timed_out"], door["invalid"], door["now"]) == (11, 2, 4, 2, 0)
    assert told["containment"] == {"calls": 11, "contained": 7, "rate": pytest.approx(7 / 11)}
    assert told["numbers"] == [{"number": COUNTED, **told["containment"]}]
    text = await told_by_command(stage.world.folder, "counted", "--since", "8h")
    assert text.startswith("counted: 11 calls over, 63.6% self-served without an agent\n")
    assert "hung up here 2, time-outs 4, invalid keys 2" in text


def _ends(stage: Stage) -> list[dict[str, Any]]:
    """Where a call of this flow can end: the last steps; at the menu only by hanging up."""
    found = steps(stage)
    last = [found[step] for step in ("one:1", "silent:1", "two:0") if step in found]
    return [*last, {**found[MENU], "left": 0}] if MENU in found else last


async def test_a_caller_whom_a_killed_server_had_at_the_menu_is_counted_once(stage: Stage) -> None:
    call = await at_menu(stage)
    before = await eventually("the numbers so far", lambda: steps(stage))
    await eventually("written", lambda: steps(stage)[MENU]["entered"] == before[MENU]["entered"])
    await asyncio.sleep(1.5)  # what a crash may lose is the last second
    before, left_before = steps(stage), ways(stage)
    await stage.restart()
    await Hearing(call).hears("Press one or two.")
    standing = await told_by_api(stage, "/api/flows")
    assert [each["now"] for each in standing if each["flow"] == "counted"] == [1]
    await call.media.press("1")
    await ended(call)
    await eventually("one more left by key 1", lambda: ways(stage)[MENU, "keys.1"] == left_before[MENU, "keys.1"] + 1)
    assert steps(stage)[MENU]["entered"] == before[MENU]["entered"]
    assert steps(stage)[MENU]["hung_up"] == before[MENU]["hung_up"]
