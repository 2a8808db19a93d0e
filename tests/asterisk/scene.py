"""What the tests of the dialplan share: a caller on the trunk, a phone, an offer, a record."""

import asyncio
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cti.provisioning import PhoneKind, PhoneSettings, phone_objects
from tests.asterisk.conftest import Switch
from tests.asterisk.peers import AgiTalk, AmiWatch
from tests.asterisk.sipp import (
    WAITING_CALLER,
    sipp,
)

SECRET = "s3cret-of-2001"
OFFER = "lab1-1764000000.12/3"
SHORT = {"deadman_s": 3, "deadman_retry_s": 1, "silent_s": 1, "away_s": 3, "away_ungreeted_s": 2}
"""Limits of the fail-safe in seconds instead of minutes."""
KEYS = ("app_senddtmf.so",)
"""What PlayDTMF needs; the product itself never injects digits."""
NO_PYTHON = Path("/nonexistent/python")


async def finish(talk: AgiTalk) -> None:
    """The server's script of a call that comes to its end."""
    await talk.command("ANSWER")
    await talk.command('SET VARIABLE CALLYARD_SEEN "1"')
    await talk.command('SET VARIABLE CALLYARD_CAUSE "16"')
    await talk.command('SET VARIABLE CALLYARD_DONE "1"')


@dataclass
class Offering:
    """The server's script that offers the call to one phone, or to several at the same time, once."""

    device: str
    offer: str = OFFER
    agent: str = "maria"
    replies: list[str] = field(default_factory=list)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, talk: AgiTalk) -> None:
        await talk.command("ANSWER")
        await talk.command('SET VARIABLE CALLYARD_SEEN "1"')
        await talk.command('SET VARIABLE CALLYARD_GREETED "1"')
        reply = await talk.command(f'GOSUB callyard-dial s 1 "{self.device},20,{self.offer},{self.agent}"')
        self.replies += [*talk.lines, reply]
        self.replies.append(await talk.variable("CALLYARD_RESULT"))
        self.is_over.set()
        await talk.ended()


@asynccontextmanager
async def calling(
    switch: Switch, scenario: str = WAITING_CALLER, **changes: object
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A caller who comes in by the trunk."""
    wishes: dict[str, object] = {"port": switch.trunk_port, "remote": switch.settings.sip_port, **changes}
    async with sipp(switch.folder, scenario, **wishes) as process:  # type: ignore[arg-type]
        yield process


def write_short_sound(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))


async def add_phone(ami: AmiWatch, extension: str, port: int = 0) -> None:
    """Push a phone into Asterisk's database, as the server does."""
    address = f"sip:{extension}@127.0.0.1:{port}" if port else ""
    for family, key, text in phone_objects(PhoneSettings(extension, PhoneKind.HARD, SECRET, address)):
        answer = await ami.act("DBPut", Family=family, Key=key, Val=text)
        assert answer[0]["Response"] == "Success", answer


async def gap_record(ami: AmiWatch) -> list[str]:
    """Return the fields of the only gap record."""
    [entry] = await ami.database("callyard-gap")
    return entry["Val"].split("|")
