"""A caller leaves a message on a real Asterisk, and an agent gets it: without a ring, with what was spoken."""

from __future__ import annotations

import asyncio
import csv
import io
import wave
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from lab.audio import FRAME, ToneDetector, encode
from lab.phone import CALLER_TONE_HZ
from tests.asterisk.hearing import Hearing
from tests.asterisk.world import Ears, Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

NUMBER = "+498999998350"
_FLOW = """start: door
nodes:
  door:
    - voicemail: Please leave a message.
      queue: billing-messages
      attributes: { why: Office closed }
    - say: Thank you.
    - hangup
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("voice")
    site = copy_site(folder, wrap_up="30s")
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        file.write(f'"{NUMBER}": {{ flow: message }}\n')
    (site / "flows" / "message.yaml").write_text(_FLOW, encoding="utf-8")
    with (site / "queues.yaml").open("a", encoding="utf-8") as file:
        file.write("billing-messages: { title: Messages, medium: message, ring: 20s, wrap_up: 30s }\n")
    people = site / "people.csv"
    rows = list(csv.reader(io.StringIO(people.read_text(encoding="utf-8"))))
    head = rows[0]
    levels = [*head, *(name for name in ("weight", "levels", "capacity") if name not in head)]
    row = dict.fromkeys(levels, "") | {
        "username": "pat", "name": "Pat", "role": "agent", "extension": "1101", "phone": "sip",
        "queues": "support;billing-messages", "skills": "technical:5", "capacity": "voice:1;message:1",
    }  # fmt: skip
    with people.open("w", encoding="utf-8", newline="") as file:
        made = csv.writer(file)
        made.writerow(levels)
        made.writerows([*each, *[""] * (len(levels) - len(each))] for each in rows[1:])
        made.writerow([row[name] for name in levels])
    async with open_stage(folder / "world", site, people_with_phones=("pat",)) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage) -> AsyncIterator[None]:
    yield
    if stage.world.process is None or stage.world.process.returncode is not None:
        await stage.world.start_server()
    await stage.clear()


async def leave_message(stage: Stage, *, is_away: bool = False) -> tuple[str, str]:
    """Speak for three seconds and hang up: the call's interaction, and the message's. `is_away`: the server is killed
    meanwhile, and not there when the caller hangs up."""
    caller = stage.new_number()
    call = await stage.dial(NUMBER, caller)
    await call.media_up.wait()
    hearing, ears = Hearing(call), Ears(call)
    await hearing.hears("Please leave a message.")
    interaction_id = await _call_of(stage, caller)
    file = stage.world.folder / "data" / "messages" / f"{interaction_id}-1.wav"
    await eventually("3 s on record", lambda: file.exists() and file.stat().st_size > 44 + 3 * 16_000)
    if is_away:
        await stage.world.kill_server()
    await call.hang_up()
    assert ears.loud > 0
    return interaction_id, f"{interaction_id}-1"


async def _call_of(stage: Stage, caller: str) -> str:
    query = "SELECT id FROM interaction WHERE caller = ? AND medium = 'voice'"
    return str((await stage.row("the call", query, caller))["id"])


async def sound_of(stage: Stage, username: str, message: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=stage.world.address, headers={"X-Callyard": "1"}, trust_env=False) as client:
        secret = stage.world.passwords[username]
        signed = await client.post("/api/session", json={"username": username, "password": secret})
        assert signed.status_code == 200
        return await client.get(f"/api/messages/{message}.wav")


async def test_an_agent_gets_the_message_hears_it_and_wraps_up(stage: Stage) -> None:
    call_id, message = await leave_message(stage)
    assert await stage.outcome(call_id) == "voicemail"
    await stage.at_work("pat")
    await eventually("the pop", lambda: stage.seen.of(message))
    work = stage.seen.works[f"{message}/1"]
    assert (work["medium"], work["queue"], work["attributes"]["why"]) == (
        "message",
        "billing-messages",
        "Office closed",
    )
    await asyncio.sleep(1.0)
    assert not stage.rung(message), "no phone rings for a message"

    desktop = stage.desktop("pat")
    assert (await sound_of(stage, "pat", message)).status_code == 403
    desktop.send({"type": "accept", "offer_id": f"{message}/1"})
    await stage.becomes("pat", "talking")
    answer = await sound_of(stage, "pat", message)
    with wave.open(io.BytesIO(answer.content), "rb") as sound:
        content = sound.readframes(sound.getnframes())
    samples, detector = memoryview(content).cast("h"), ToneDetector(CALLER_TONE_HZ)
    frames = [bytes(encode(each) for each in samples[at : at + FRAME]) for at in range(0, len(samples) - FRAME, FRAME)]
    assert sum(detector.hears(frame) for frame in frames) > 100, "two seconds of what the caller whistled"

    desktop.send({"type": "done", "interaction_id": message})
    await eventually(
        "the end", lambda: stage.rows("SELECT id FROM interaction WHERE id = ? AND outcome = 'served'", message)
    )
    visit = await stage.row("the visit", "SELECT * FROM queue_visit WHERE interaction_id = ?", message)
    assert (visit["queue"], visit["outcome"], visit["agent_id"]) == ("billing-messages", "answered", "pat")


async def test_a_message_waits_through_a_restart_and_is_one(stage: Stage) -> None:
    call_id, message = await leave_message(stage)
    assert await stage.outcome(call_id) == "voicemail"
    await stage.restart()
    await stage.at_work("pat")
    await eventually("the pop", lambda: stage.seen.of(message))
    stage.desktop("pat").send({"type": "accept", "offer_id": stage.seen.of(message)[-1]})
    await stage.becomes("pat", "talking")
    await stage.restart()
    await stage.desktop("pat").is_connected.wait()
    await stage.becomes("pat", "talking")
    assert (await sound_of(stage, "pat", message)).status_code == 200
    stage.desktop("pat").send({"type": "done", "interaction_id": message})
    assert await stage.outcome(message) == "served"
    query = "SELECT id FROM interaction WHERE medium = 'message' AND id LIKE ?"
    assert len(stage.rows(query, f"{call_id}%")) == 1


async def test_a_message_that_ends_while_no_server_is_there_waits_for_agents(stage: Stage) -> None:
    call_id, message = await leave_message(stage, is_away=True)
    await stage.world.start_server()
    assert await stage.outcome(call_id) == "voicemail"
    await stage.at_work("pat")
    await eventually("the pop", lambda: stage.seen.of(message))
    work = stage.seen.works[f"{message}/1"]
    assert (work["queue"], work["attributes"]["why"]) == ("billing-messages", "Office closed")
    stage.desktop("pat").send({"type": "accept", "offer_id": f"{message}/1"})
    await stage.becomes("pat", "talking")
    assert (await sound_of(stage, "pat", message)).status_code == 200
    stage.desktop("pat").send({"type": "done", "interaction_id": message})
    assert await stage.outcome(message) == "served"
    await stage.restart()
    query = "SELECT id FROM interaction WHERE medium = 'message' AND id LIKE ?"
    assert len(stage.rows(query, f"{call_id}%")) == 1
    assert not list((stage.world.folder / "data" / "messages").glob("*.slip"))
