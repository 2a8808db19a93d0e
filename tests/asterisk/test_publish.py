"""Fifty callers in a flow while twenty versions are published, half of them broken: each goes on as their own version
says, also after the server was killed. Judged by what each of them hears."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
import pytest_asyncio

from lab.hearing import Hearing
from lab.sip_call import SipCall
from tests.asterisk.world import Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(420)]

NUMBER = "+498999998700"
#: What callers of each good version hear, of lengths that nobody takes for each other.
SAID = (
    "One.",
    "The river runs slowly through the valley.",
    "Good night.",
    "Seven apples and a very large number of green pears lie on the table.",
    "Please bring an umbrella, it may rain.",
    "Thank you very much.",
    "Elephants remember, or so they say in old books about elephants and about forgetting.",
    "Left, right, left.",
    "This train ends here, all change please.",
    "No.",
    "We are closed today, tomorrow, and for the rest of this very long year.",
)
GROUP = 5


def _flow(said: str) -> str:
    return f"""start: door
nodes:
  door:
    - answer
    - menu: Press one.
      keys: {{ 1: said }}
      wait: 100s
  said:
    - say: {said!r}
    - hangup
"""


BROKEN = "start: door\nnodes:\n  door:\n    - answer\n    - goto: nowhere\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("publish")
    site = copy_site(folder)
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        file.write(f'"{NUMBER}": {{ flow: vote }}\n')
    (site / "flows" / "vote.yaml").write_text(_flow(SAID[0]), encoding="utf-8")
    async with open_stage(folder / "world", site, people_with_phones=()) as stage:
        yield stage


async def _admin(stage: Stage) -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=stage.world.address, timeout=30.0, headers={"X-Callyard": "1"})
    answer = await client.post("/api/session", json={"username": "ada", "password": stage.world.passwords["ada"]})
    assert answer.is_success
    return client


async def _publish(client: httpx.AsyncClient, stage: Stage, flow: str, note: str) -> httpx.Response:
    file = stage.world.site_dir / "flows" / "vote.yaml"
    await asyncio.to_thread(file.write_text, flow, "utf-8")
    return await client.post("/api/flows/publish", json={"note": note})


async def _callers(stage: Stage) -> list[tuple[SipCall, Hearing]]:
    """A group that has heard the menu."""
    calls = [await stage.dial(NUMBER, stage.new_number()) for _ in range(GROUP)]
    heard = [(call, Hearing(call)) for call in calls]
    await asyncio.gather(*(hearing.hears("Press one.") for _, hearing in heard))
    return heard


async def _nobody_is_in_any(client: httpx.AsyncClient) -> bool:
    return not any(row["calls"] for row in (await client.get("/api/flows/versions")).json())


async def test_every_call_ends_as_its_own_version_says(stage: Stage) -> None:
    client = await _admin(stage)
    groups = [await _callers(stage)]
    for number, said in enumerate(SAID[1:], start=2):
        broken = await _publish(client, stage, BROKEN, "a slip")
        assert (broken.status_code, "flows/vote.yaml:5:13" in broken.text) == (422, True)
        answer = await _publish(client, stage, _flow(said), f"says {said}")
        assert answer.json() == {"number": number, "is_new": True}
        groups.append(await _callers(stage))
    rows = (await client.get("/api/flows/versions")).json()
    assert [(row["number"], row["calls"], row["is_live"], row["by"]) for row in rows] == [
        *((number, GROUP, number == len(SAID), "ada") for number in range(len(SAID), 1, -1)),
        (1, GROUP, False, "callyard"),
    ]
    await client.aclose()

    first = [(*group.pop(), said) for group, said in zip(groups, SAID, strict=True)]
    for call, _, _ in first:
        await call.media.press("1")
    await asyncio.gather(*(hearing.hears(said, limit_s=120) for _, hearing, said in first))
    await eventually("the first to be over", lambda: all(call.ended.is_set() for call, _, _ in first))
    await stage.restart()
    everybody = [(call, hearing, said) for group, said in zip(groups, SAID, strict=True) for call, hearing in group]
    await asyncio.gather(*(hearing.hears("Press one.", limit_s=120) for _, hearing, _ in everybody))
    for call, _, _ in everybody:
        await call.media.press("1")
    await asyncio.gather(*(hearing.hears(said, limit_s=120) for _, hearing, said in everybody))
    await eventually("all to be over", lambda: all(call.ended.is_set() for call, _, _ in everybody))
    assert {call.ended_by for call, _, _ in everybody} == {"remote"}
    client = await _admin(stage)
    await eventually("nobody in any version", partial(_nobody_is_in_any, client))
    await client.aclose()


async def test_a_roll_back_is_one_step_and_stands_in_the_history(stage: Stage) -> None:
    client = await _admin(stage)
    answer = await client.post("/api/flows/rollback", json={"number": 2, "note": "too short"})
    assert answer.json() == {"number": len(SAID) + 1, "is_new": True}
    call = await stage.dial(NUMBER, stage.new_number())
    hearing = Hearing(call)
    await hearing.hears("Press one.")
    await call.media.press("1")
    await hearing.hears(SAID[1])
    difference = (await client.get(f"/api/flows/versions/{len(SAID) + 1}/diff", params={"against": 1})).json()["diff"]
    assert "-    - say: 'One.'" in difference
    assert stage.rows("SELECT actor FROM audit WHERE action = 'flow_rolled_back'") == [{"actor": "ada"}]
    await client.aclose()
