"""The world that a run of chaos plays in: Asterisk, SIPp as the phones, desktops, and the server behind a wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.desktop import Habits
from lab.sipp import SippRun, agents
from lab.wire import Wire
from lab.world import World, open_world

SITE = Path(__file__).parent / "chaos-site"
AGENTS = {f"agent{number}": f"{2000 + number}" for number in range(1, 9)}
LINES = {"short": "+498999998500", "full": "+498999998502"}
RING_S, TALK_S, WRAP_UP_S = 0.3, 4.0, 0.5
_READY_S = 120.0


class ChaosError(Exception):
    """The run could not be played to its end."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a run plays on. `phones`: SIPp as the phones of all agents."""

    world: World
    wire: Wire
    phones: SippRun


@asynccontextmanager
async def open_stage(folder: Path, database_url: str, *, seats: bool = True) -> AsyncIterator[Stage]:
    """Asterisk, phones, desktops that are ready (with `seats`), and the server behind a wire."""
    async with (
        agents(folder / "phones", ring_s=RING_S, talk_s=TALK_S, limit_s=7_200) as phones,
        open_world(
            folder,
            site_dir=SITE,
            phone_addresses=dict.fromkeys(AGENTS, f"127.0.0.1:{phones.port}"),
            database_url=database_url,
            node_changes={"away_ungreeted_s": 45},
            starts_server=False,
            tells_story=False,
        ) as world,
    ):
        wire = Wire(world.node.ami_port)
        config = world.folder / "callyard.yaml"
        config.write_text(config.read_text().replace(f"port: {world.node.ami_port},", f"port: {wire.port},"))
        await wire.mend()
        try:
            await world.start_server()
            if seats:
                await _seat_agents(world)
            yield Stage(world, wire, phones)
        finally:
            await wire.cut()


async def _seat_agents(world: World) -> None:
    for username in AGENTS:
        world.seat(username, Habits(wrap_up_s=WRAP_UP_S, back_after_s=1.0))
    try:
        async with asyncio.timeout(_READY_S):
            while not all(desktop.agent.get("state") == "ready" for desktop in world.desktops.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        states = {name: desktop.agent.get("state", "no desktop") for name, desktop in world.desktops.items()}
        raise ChaosError(f"not ready within {_READY_S:.0f} s: {states}") from None
