"""Callers while the server is away, on the real Asterisk: it starts the script itself, nothing of ours runs.

The fail-safe's prompts are replaced by tones, one for each, so that a caller presses keys when they hear what they
answer to, and a test shows what was heard.
"""

from __future__ import annotations

import array
import asyncio
import itertools
import math
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cti.failsafe import SOUND_FILES, GapRecord, GapSource, done, parse_row, read_spool, write_failsafe
from cti.settings import FailsafeSettings, Settings
from lab.sip import SipEndpoint
from lab.sip_call import SipCall
from lab.sip_message import address
from tests.asterisk.conftest import StartSwitch, Switch
from tests.asterisk.peers import AmiWatch

pytestmark = pytest.mark.asterisk

LIMIT_S = 25.0
CALLER_HZ = 440
TONES = {name: 600 + 200 * index for index, name in enumerate(SOUND_FILES)}
"""Prompt → its frequency; whole multiples of 50 Hz stay apart within one frame."""


def write_tone(file: Path, hertz: int, seconds: float = 0.4) -> None:
    count = int(8000 * seconds)
    samples = array.array("h", (round(8000 * math.sin(2 * math.pi * hertz * i / 8000)) for i in range(count)))
    with wave.open(str(file), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(samples.tobytes())


async def until(claim: Callable[[], bool]) -> None:
    """Wait for something on disk: files tell nobody that they have come or grown, so they are looked at."""
    async with asyncio.timeout(LIMIT_S):
        while not claim():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Away:
    """A switch whose server is away, and where its fail-safe leaves what it takes."""

    switch: Switch
    ami: AmiWatch
    spool: Path

    async def record(self) -> GapRecord:
        """The one entry of the spool; the script may still be writing it when the caller has gone."""
        await until(lambda: bool(read_spool(self.spool)))
        (entry,) = read_spool(self.spool)
        done(entry)
        assert read_spool(self.spool) == []
        return entry.record

    async def rows(self, family: str) -> list[GapRecord]:
        rows = [parse_row(row["Key"], row["Val"]) for row in await self.ami.database(family)]
        return [row for row in rows if row is not None]


@asynccontextmanager
async def away(
    start_switch: StartSwitch, tmp_path: Path, changes: dict[str, Any] | None = None, **chosen: Any
) -> AsyncIterator[Away]:
    settings = Settings(data_dir=tmp_path / "data", failsafe=FailsafeSettings(**chosen))
    settings.sounds_dir.mkdir(parents=True)
    for name, hertz in TONES.items():
        write_tone(settings.sounds_dir / f"{SOUND_FILES[name]}.wav", hertz)
    folders = {"sounds_dir": settings.sounds_dir, "spool_dir": settings.spool_dir}
    async with start_switch(away_ungreeted_s=0, **folders, **(changes or {})) as switch:
        if not changes:
            write_failsafe(settings, switch.provisioned.directory / "agi-bin")
        async with switch.ami() as ami:
            yield Away(switch, ami, settings.spool_dir)


@asynccontextmanager
async def calling(switch: Switch, name: str = "") -> AsyncIterator[SipCall]:
    """A caller from the trunk who hears the fail-safe's tones and plays one of their own."""
    line = await SipEndpoint.open("5551234", port=switch.trunk_port, plays=CALLER_HZ, listens_for=tuple(TONES.values()))
    try:
        call = await line.dial(
            f"sip:4950@127.0.0.1:{switch.settings.sip_port}",
            caller=address(f"sip:5551234@127.0.0.1:{line.port}", name),
        )
        yield call
        if not call.ended.is_set():
            await call.hang_up()
    finally:
        await line.close()


async def hear(call: SipCall, prompt: str) -> None:
    async with asyncio.timeout(LIMIT_S):
        await call.media.heard(TONES[prompt])


async def over(call: SipCall) -> None:
    async with asyncio.timeout(LIMIT_S):
        await call.ended.wait()
    assert call.ended_by == "remote"


async def test_a_typed_number_is_in_the_spool(start_switch: StartSwitch, tmp_path: Path) -> None:
    async with away(start_switch, tmp_path, take="number") as site:
        async with calling(site.switch, name='Quote" 张伟, \\') as call:
            await hear(call, "message")
            await hear(call, "own_number")
            await call.media.press("2")
            await hear(call, "number")
            await call.media.press("0307654321#")
            await hear(call, "read_back")
            await hear(call, "confirm")
            await call.media.press("1")
            await hear(call, "thanks")
            await over(call)
        record = await site.record()
        assert (record.source, record.callback, record.confirmed) == (GapSource.SCRIPT, "0307654321", True)
        assert (record.caller, record.dialled) == ("5551234", "4950")
        assert record.started_at <= record.ended_at
        # The hang-up handler's record names the same interaction, so that they are counted as one call.
        (gap,) = await site.rows("callyard-gap")
        assert (gap.interaction, gap.note) == (record.interaction, "failsafe")
        assert await site.rows("callyard-failsafe") == []


async def test_one_key_leaves_the_callers_own_number(start_switch: StartSwitch, tmp_path: Path) -> None:
    async with away(start_switch, tmp_path, take="number") as site:
        async with calling(site.switch) as call:
            await hear(call, "own_number")
            await call.media.press("1")
            await hear(call, "thanks")
            await over(call)
        record = await site.record()
        assert (record.callback, record.confirmed) == ("5551234", True)


async def test_a_caller_who_hangs_up_in_the_middle_leaves_what_they_typed(
    start_switch: StartSwitch, tmp_path: Path
) -> None:
    async with away(start_switch, tmp_path, take="number") as site:
        async with calling(site.switch) as call:
            await hear(call, "own_number")
            await call.media.press("2")
            await hear(call, "number")
            await call.media.press("0307654321#")
            await hear(call, "confirm")
            await call.hang_up()
        record = await site.record()
        assert (record.callback, record.confirmed, record.caller) == ("0307654321", False, "5551234")


async def test_a_spoken_message_is_recorded(start_switch: StartSwitch, tmp_path: Path) -> None:
    async with away(start_switch, tmp_path, take="both") as site:
        async with calling(site.switch) as call:
            await hear(call, "choose")
            await call.media.press("2")
            await hear(call, "record")
            await until(lambda: seconds_recorded(site.spool) > 1)
            await call.media.press("#")
            await hear(call, "thanks")
            await over(call)
        record = await site.record()
        assert record.recording is not None
        assert record.callback == ""
        assert_hears_caller(record.recording)


def seconds_recorded(spool: Path) -> float:
    return sum(file.stat().st_size for file in (spool / "recordings").glob("*.wav")) / 16_000


def assert_hears_caller(file: Path) -> None:
    """The caller's tone is in the recording for at least half a second."""
    with wave.open(str(file), "rb") as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 8000)
        samples = array.array("h", sound.readframes(sound.getnframes()))
    turns = sum(before < 0 <= after for before, after in itertools.pairwise(samples))
    assert turns > CALLER_HZ * 0.5


async def test_without_python_the_dialplan_takes_the_number(start_switch: StartSwitch, tmp_path: Path) -> None:
    changes = {"failsafe_python": Path("/nonexistent/python")}
    async with away(start_switch, tmp_path, changes) as site:
        async with calling(site.switch) as call:
            await hear(call, "message")
            await hear(call, "number")
            await call.media.press("0307654321#")
            await hear(call, "thanks")
            await over(call)
        (row,) = await site.rows("callyard-failsafe")
        assert (row.source, row.callback, row.caller, row.dialled) == (
            GapSource.DIALPLAN,
            "0307654321",
            "5551234",
            "4950",
        )
        assert read_spool(site.spool) == []


async def test_where_the_spool_cannot_be_written_the_number_is_in_asterisks_database(
    start_switch: StartSwitch, tmp_path: Path
) -> None:
    async with away(start_switch, tmp_path, take="number") as site:
        for folder in site.spool.iterdir():
            folder.rmdir()
        site.spool.rmdir()
        site.spool.write_text("not a folder")
        async with calling(site.switch) as call:
            await hear(call, "own_number")
            await call.media.press("1")
            await hear(call, "thanks")
            await over(call)
        (row,) = await site.rows("callyard-failsafe")
        assert (row.callback, row.dialled) == ("5551234", "4950")
