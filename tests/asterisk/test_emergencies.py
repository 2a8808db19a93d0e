"""The emergency switch on a real Asterisk: what callers hear, how they are refused, and queues that open by themselves.

Orders are given as somebody gives them: by the command, in a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from cti.config import load_settings
from cti.sounds import sound_cache, with_ending
from lab.audio import DECODED, FRAME
from lab.paths import repository
from lab.sip_call import SipCall
from tests.asterisk.world import MAIN_LINE, STRAIGHT, Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

NOTICE = "We know of the outage and are working on it."
FAREWELL = "This number is closed today. Good-bye."
WITH_EXIT = "+498999998320"
"""Answered, and into the queue `support`, with somewhere to go when that is closed."""
_FLOW = (
    "title: A queue with an exit\nstart: door\nnodes:\n  door:\n    - answer\n    - queue: support\n"
    "      closed:\n        - say: Our technicians have gone home.\n        - hangup\n"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("switch")
    site = copy_site(folder)
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        file.write(f'"{WITH_EXIT}": {{ flow: with-exit }}\n')
    (site / "flows" / "with-exit.yaml").write_text(_FLOW, encoding="utf-8")
    async with open_stage(folder / "world", site, people_with_phones=("wei",)) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage) -> AsyncIterator[None]:
    yield
    for number in re.findall(r"^(\d+):", await command(stage), re.MULTILINE):
        await command(stage, "end", number)
    await stage.clear()
    await in_force(stage, [])


async def command(stage: Stage, *words: str) -> str:
    """`callyard emergency …`, as on a terminal; what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cti.cli", "emergency", *words,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **stage.world.environment}, cwd=repository(),
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            said, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaint.decode()
    return said.decode()


async def in_force(stage: Stage, expected: list[int]) -> None:
    """Return when the server heeds exactly these orders."""

    async def heeded() -> bool:
        shown = (await stage.world.health()).get("emergencies")
        return isinstance(shown, list) and [each["id"] for each in shown] == expected

    await eventually(f"orders {expected}", heeded)


async def ordered(stage: Stage, *words: str) -> int:
    """Give an order, and wait until the server heeds it; its number."""
    number = int((await command(stage, *words)).partition(":")[0])
    await in_force(stage, [number])
    return number


class Tape:
    """What a caller hears, sample by sample, from now on."""

    def __init__(self, call: SipCall) -> None:
        self.frames: list[list[int]] = []
        self._take = call.media.datagram_received
        call.media.datagram_received = self._listen  # type: ignore[method-assign]

    def _listen(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) == 12 + FRAME and data[1] & 0x7F == 0:
            self.frames.append([DECODED[byte] for byte in data[12:]])
        self._take(data, addr)

    def first_loud(self) -> int | None:
        return next((at for at, frame in enumerate(self.frames) if _energy(frame) > 150**2), None)

    def holds(self, frames: int) -> bool:
        """Whether so much has come since the first sound."""
        heard_at = self.first_loud()
        return heard_at is not None and len(self.frames) >= heard_at + frames

    def begins_with(self, file: Path) -> bool:
        """Whether the first sound that was heard is the first half second of sound in this file."""
        sound = _frames(file)
        start = next(at for at, frame in enumerate(sound) if _energy(frame) > 150**2)
        heard_at = self.first_loud()
        if heard_at is None or not self.holds(25):
            return False
        pairs = zip(self.frames[heard_at : heard_at + 25], sound[start : start + 25], strict=True)
        apart = sum(abs(a - b) for heard, meant in pairs for a, b in zip(heard, meant, strict=True))
        return apart < 0.1 * sum(abs(b) for meant in sound[start : start + 25] for b in meant)


def _energy(frame: list[int]) -> float:
    return sum(sample * sample for sample in frame) / len(frame)


def _frames(file: Path) -> list[list[int]]:
    with wave.open(str(file), "rb") as sound:
        samples = memoryview(sound.readframes(sound.getnframes())).cast("h").tolist()
    return [samples[start : start + FRAME] for start in range(0, len(samples) - FRAME, FRAME)]


async def rendered(stage: Stage, text: str) -> Path:
    cache = sound_cache(load_settings(stage.world.folder / "callyard.yaml", environment={}))
    return with_ending(await cache.path(text, "en"))


async def _ended(call: SipCall) -> int:
    async with asyncio.timeout(20):
        await call.ended.wait()
    return call.status


async def _closed(stage: Stage, caller: str) -> tuple[str, str]:
    """(outcome, detail) of this caller's interaction."""
    query = "SELECT outcome, detail FROM interaction WHERE caller = ? AND outcome IS NOT NULL"
    row = await stage.row(f"outcome of {caller}", query, caller)
    return row["outcome"], row["detail"]


async def test_a_notice_is_the_first_thing_that_callers_hear_and_then_their_flow(stage: Stage) -> None:
    number = await ordered(stage, "notice", "--text", NOTICE, "--until", "1h")
    call = await stage.dial(MAIN_LINE, stage.new_number())
    async with asyncio.timeout(20):
        await call.media_up.wait()
    tape, notice = Tape(call), await rendered(stage, NOTICE)
    await eventually("half a second of the notice", lambda: tape.begins_with(notice))
    length = len(_frames(notice))
    await eventually("more than the notice", lambda: any(_energy(f) > 150**2 for f in tape.frames[length + 25 :]))
    await call.hang_up()
    await command(stage, "end", str(number))
    await in_force(stage, [])
    call = await stage.dial(MAIN_LINE, stage.new_number())
    async with asyncio.timeout(20):
        await call.media_up.wait()
    tape = Tape(call)
    await eventually("half a second of the flow", lambda: tape.holds(25))
    assert not tape.begins_with(notice)


async def test_a_closed_number_is_refused_by_the_network_and_calls_in_progress_go_on(stage: Stage) -> None:
    talker = stage.new_number()
    await stage.at_work("wei")
    talking = await stage.dial(STRAIGHT, talker)
    await stage.talking(talking)
    number = await ordered(stage, "close", "--number", STRAIGHT, "--until", "1h", "--reason", "flood")
    caller = stage.new_number()
    call = await stage.dial(STRAIGHT, caller)
    assert await _ended(call) == 480
    assert call.answer_ns is None, "nobody pays for a refusal"
    assert await _closed(stage, caller) == ("refused", f"emergency {number}: flood")
    assert not talking.ended.is_set()


async def test_a_closed_number_with_a_text_is_answered_told_and_hung_up(stage: Stage) -> None:
    number = await ordered(stage, "close", "--number", STRAIGHT, "--until", "1h", "--text", FAREWELL)
    caller = stage.new_number()
    call = await stage.dial(STRAIGHT, caller)
    async with asyncio.timeout(20):
        await call.media_up.wait()
    tape = Tape(call)
    assert await _ended(call) == 200
    assert call.answer_ns is not None
    assert tape.begins_with(await rendered(stage, FAREWELL))
    assert await _closed(stage, caller) == ("refused", f"emergency {number}")


async def test_a_closed_queue_takes_nobody_and_opens_by_itself_at_its_end(stage: Stage) -> None:
    waiting = stage.new_number()
    first, first_id = await stage.queued(waiting, WITH_EXIT)
    kept, kept_id = await stage.queued(stage.new_number(), STRAIGHT)
    closing = await command(stage, "close", "--queue", "support", "--until", "15s", "--reason", "drill")
    number = int(closing.partition(":")[0])
    order = await stage.row("the order", "SELECT ends_at FROM standing_order WHERE id = ?", number)
    ends_at_s = order["ends_at"] / 1e6
    assert await _ended(first) == 200
    assert await _closed(stage, waiting) == ("self_served", "normal")
    visit = await stage.row(
        "the visit", "SELECT outcome, cause FROM queue_visit WHERE interaction_id = ? AND closed_at > 0", first_id
    )
    assert (visit["outcome"], visit["cause"]) == ("overflowed", "closed")
    assert await _ended(kept) == 200, "a flow without an exit ends"
    assert await stage.outcome(kept_id) == "self_served"
    await stage.at_work("wei")
    late = stage.new_number()
    refused = await stage.dial(WITH_EXIT, late)
    assert await _ended(refused) == 200
    assert stage.rung(await stage.arrived(late)) == []
    assert time.time() < ends_at_s, "or this says nothing"
    await in_force(stage, [])
    assert -0.1 < time.time() - ends_at_s < 2, "as late as a busy machine is asked"
    assert "queue support is closed until" in closing
    again = await stage.dial(WITH_EXIT, stage.new_number())
    await stage.talking(again)


async def test_who_waits_stays_where_the_order_says_so_also_over_a_restart(stage: Stage) -> None:
    call, interaction_id = await stage.queued(stage.new_number(), WITH_EXIT)
    number = await ordered(stage, "close", "--queue", "support", "--until-ended", "--keep-waiting")
    await stage.restart()
    await in_force(stage, [number])
    late = stage.new_number()
    assert await _ended(await stage.dial(WITH_EXIT, late)) == 200
    await stage.at_work("wei")
    await stage.talking(call)
    assert len(stage.rung(interaction_id)) == 1
    await call.hang_up()
    await command(stage, "end", str(number))
    await in_force(stage, [])
    await stage.talking(await stage.dial(WITH_EXIT, stage.new_number()))
