"""Records AMI conversations of a real Asterisk for the tests of the call model: `python -m lab.record_ami FOLDER`.

One file per situation: lines that begin with `#` say how it was taken, then the bytes follow as Asterisk sent them to
one client with the rights of the server. Where a situation has a state worth knowing, the recorder asks `Status` with
our variables, so that the list of channels at that instant stands in the stream too.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from cti.config import load_settings
from cti.main import with_store
from cti.node import RESYNC_VARIABLES
from lab.caller import Caller, HangUp, Identity, StayOn, Talk, Wait
from lab.desktop import Habits
from lab.paths import home
from lab.phone import Behaviour, Phone
from lab.sip_message import Credentials
from lab.world import World, open_world

_LIMIT_S = 20.0
_NUMBER = "+498999998300"
_CALLER = Identity("+4930123456")
_SITE = {
    "site.yaml": "name: Recorder\ncountry: DE\ntime_zone: Europe/Berlin\nlanguages: [en]\ndefault_language: en\n"
    "fail_safe: { message: Nobody is there., take: number }\n",
    "numbers.yaml": f'"{_NUMBER}": {{ flow: main }}\n',
    "flows/main.yaml": "title: Main\nstart: door\nnodes:\n  door:\n    - answer\n    - queue: desk\n",
    "queues.yaml": "desk: { title: Desk, ring: 15s, wrap_up: 0s }\n",
    "people.csv": "username,name,role,extension,phone,address,queues,skills\n"
    "maria,Maria,agent,2001,sip,,desk,\njon,Jon,agent,2002,sip,,,\n",
}


class Recorder:
    """One AMI client that keeps every byte it hears."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard = b""
        self._reader = reader
        self._writer = writer
        self._changed = asyncio.Condition()

    async def listen(self) -> None:
        while data := await self._reader.read(65536):
            async with self._changed:
                self.heard += data
                self._changed.notify_all()

    async def until(self, text: str, count: int = 1) -> None:
        """Wait until `text` has come `count` times."""
        async with asyncio.timeout(_LIMIT_S), self._changed:
            await self._changed.wait_for(lambda: self.heard.count(text.encode()) >= count)

    async def act(self, action: str, *headers: str) -> None:
        self._writer.write("\r\n".join([f"Action: {action}", *headers, "", ""]).encode())
        await self._writer.drain()

    async def look(self) -> None:
        """Have Asterisk list its channels, and wait for the end of the list."""
        asked = self.heard.count(b"Event: StatusComplete") + 1
        await self.act("Status", f"Variables: {','.join(RESYNC_VARIABLES)}")
        await self.until("Event: StatusComplete", asked)

    def channels(self) -> list[str]:
        """Names of the channels that came to be, in order."""
        lines = self.heard.decode().split("\r\n\r\n")
        made = [block for block in lines if "Event: Newchannel\r\n" in block + "\r\n"]
        return [next(line[9:] for line in block.split("\r\n") if line.startswith("Channel: ")) for block in made]


@asynccontextmanager
async def _recorder(world: World) -> AsyncIterator[Recorder]:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.node.ami_port)
    recorder = Recorder(reader, writer)
    listening = asyncio.create_task(recorder.listen())
    try:
        made = world.provisioned
        await recorder.act("Login", f"Username: {made.ami_user}", f"Secret: {made.ami_secret}", "Events: on")
        await recorder.until("Event: FullyBooted")
        yield recorder
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        writer.close()


# --- situations -----------------------------------------------------------------------------------------


async def answered(world: World, recorder: Recorder) -> None:
    """A caller waits in the queue, maria's phone rings, she answers, both talk, her phone hangs up, then the caller."""
    world.phones["maria"].behaviour = Behaviour(answer_after_s=0.3, talk_s=0.8)
    call = asyncio.create_task(Caller(_CALLER, world.sip).call(_NUMBER, (Talk(0.2), Wait(2.0), HangUp())))
    await recorder.until("Event: BridgeEnter", 2)
    await recorder.look()
    await call


async def abandoned_while_ringing(world: World, recorder: Recorder) -> None:
    """The caller hangs up while maria's phone rings."""
    world.phones["maria"].behaviour = Behaviour(answer_after_s=None)
    call = asyncio.create_task(Caller(_CALLER, world.sip).call(_NUMBER, (StayOn(),), patience_s=1.5))
    await recorder.until("Event: DialBegin")
    await recorder.look()
    await call


async def busy_phone(world: World, recorder: Recorder) -> None:
    """Maria's phone says 486 Busy Here; the caller gives up soon after."""
    world.phones["maria"].behaviour = Behaviour(reject=486)
    await Caller(_CALLER, world.sip).call(_NUMBER, (StayOn(),), patience_s=1.5)


async def withdrawn_offer(world: World, recorder: Recorder) -> None:
    """Maria declines on her desktop while her phone rings: the server hangs the leg up. The caller gives up later."""
    world.phones["maria"].behaviour = Behaviour(answer_after_s=None)
    call = asyncio.create_task(Caller(_CALLER, world.sip).call(_NUMBER, (StayOn(),), patience_s=2.0))
    await recorder.until("ChannelStateDesc: Ringing")
    desktop = world.desktops["maria"]
    desktop.send({"type": "reject", "offer_id": max(desktop.pops, key=list(desktop.pops).index)})
    await call


async def phone_comes_and_goes(world: World, recorder: Recorder) -> None:
    """Jon's phone signs on at the registrar, and off again. There is no call."""
    await _let_phones_dial(world)
    phone = world.phones["jon"] = Phone("2002")
    await phone.start()
    credentials = await _credentials(world, "jon")
    await phone.register(world.sip, credentials)
    await recorder.until("State: NOT_INUSE")
    await phone.register(world.sip, credentials, expires_s=0)
    await recorder.until("State: UNAVAILABLE")


async def _credentials(world: World, username: str) -> Credentials:
    settings = load_settings(world.folder / "callyard.yaml", environment={})
    async with with_store(settings) as (_, people, _plan):
        phone = (await people.phones())[username]
    return Credentials(phone.extension, phone.secret)


async def agent_dials_colleague(world: World, recorder: Recorder) -> None:
    """Maria dials Jon's extension on her own phone; they talk; Maria hangs up. No interaction is involved."""
    jon = world.phones["jon"]
    jon.behaviour = Behaviour(answer_after_s=0.3, talk_s=None)
    await jon.register(world.sip, await _credentials(world, "jon"))
    host, port = world.sip
    call = await world.phones["maria"].dial(f"sip:2002@{host}:{port}", await _credentials(world, "maria"))
    await recorder.until("Event: BridgeEnter", 2)
    await recorder.look()
    await call.hang_up()


async def _let_phones_dial(world: World) -> None:
    """In the laboratory the trunk is everything that comes from loopback: from here on it is somewhere else."""
    for file in world.provisioned.config.parent.rglob("pjsip.conf"):
        text = file.read_text()
        file.write_text(re.sub(r"^(match *= *)127\.0\.0\.1\b.*$", r"\g<1>127.0.0.2", text, flags=re.MULTILINE))
    await world.asterisk.cli("module reload res_pjsip.so")


async def redirected_to_conference(world: World, recorder: Recorder) -> None:
    """Caller and maria talk; one Redirect sends both channels into the room 700; there maria hangs up first."""
    world.phones["maria"].behaviour = Behaviour(answer_after_s=0.3, talk_s=2.5)
    call = asyncio.create_task(Caller(_CALLER, world.sip).call(_NUMBER, (Talk(3.0), HangUp())))
    await recorder.until("Event: BridgeEnter", 2)
    caller, agent = recorder.channels()[:2]
    await recorder.act(
        "Redirect", f"Channel: {caller}", "Context: callyard-conference", "Exten: 700", "Priority: 1",
        f"ExtraChannel: {agent}", "ExtraContext: callyard-conference", "ExtraExten: 700", "ExtraPriority: 1",
    )  # fmt: skip
    await recorder.until("Event: BridgeEnter", 4)
    await recorder.look()
    await call


SITUATIONS: tuple[Callable[[World, Recorder], Awaitable[None]], ...] = (
    answered,
    abandoned_while_ringing,
    busy_phone,
    withdrawn_offer,
    redirected_to_conference,
    phone_comes_and_goes,
    agent_dials_colleague,
)


async def _quiet(recorder: Recorder) -> None:
    """Wait until every channel that came to be has hung up, and a moment for what Asterisk says after that."""
    await recorder.until("Event: Hangup\r\n", recorder.heard.count(b"Event: Newchannel\r\n"))
    await asyncio.sleep(0.3)


async def record(folder: Path, world: World) -> None:
    """Record every situation into `folder`."""
    version = (await world.asterisk.cli("core show version")).split(" built")[0].strip()
    for situation in SITUATIONS:
        async with _recorder(world) as recorder:
            world.desktops["maria"].choose("ready")
            await situation(world, recorder)
            await _quiet(recorder)
            name = situation.__name__
            header = [f"# {version}", f"# python -m lab.record_ami, {name}", f"# {situation.__doc__}"]
            (folder / f"{name}.ami").write_bytes("\n".join(header).encode() + b"\n" + recorder.heard)
            print(f"{name}: {len(recorder.heard)} bytes")


async def _run(folder: Path, place: Path) -> None:
    for name, text in _SITE.items():
        file = place / "site" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    async with open_world(
        place / "world", site_dir=place / "site", people_with_phones=["maria"], sounds_dir=home() / "sounds"
    ) as world:
        desktop = world.seat("maria", Habits(back_after_s=None))
        async with asyncio.timeout(_LIMIT_S):
            await desktop.is_connected.wait()
        await record(folder, world)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the recordings are written")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    home().mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="record-", dir=home()))
    try:
        asyncio.run(_run(folder, place))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
