"""SIGHUP on a running server: new people work at once, a broken site replaces nothing."""

from __future__ import annotations

import asyncio
import shutil
import signal
from pathlib import Path

import pytest

from cti.config import load_settings
from cti.main import with_store
from lab.caller import Caller, Identity, Press, StayOn, Wait
from lab.paths import repository
from lab.phone import Behaviour, Phone
from lab.world import World, open_world
from screenpop.entries import Entry

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(120)]

_TO_BILLING = (Wait(0.3), Press("1"), Wait(0.3), Press("100238#"), StayOn(30))


async def _call(world: World) -> bool:
    record = await Caller(Identity("+493023125101"), world.sip).call("+498999998100", _TO_BILLING, patience_s=30)
    return record.agent_was_heard


async def _logged(world: World, event: str) -> None:
    async with asyncio.timeout(15):
        while f'"{event}"' not in await asyncio.to_thread(world.log_path.read_text):  # noqa: ASYNC110  # another process's log
            await asyncio.sleep(0.05)


async def test_a_new_agent_works_after_a_reload_and_a_broken_site_replaces_nothing(tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(repository() / "site", site)
    async with open_world(tmp_path / "w", site_dir=site, people_with_phones=[]) as world:
        phone = Phone("1050", Behaviour(answer_after_s=0.3, talk_s=1.0))
        try:
            port = await phone.start()
            settings = load_settings(world.folder / "callyard.yaml", environment={})
            async with with_store(settings) as (_, people, _plan):
                await people.add(
                    Entry("kim", "Kim Lee", extension="1050", phone="sip", address=f"127.0.0.1:{port}",
                          queues=("billing",), skills=(("billing", 5),))
                )  # fmt: skip
                await people.set_password("kim", "a-long-password")
            world.signal_server(signal.SIGHUP)
            await _logged(world, "reload.done")
            world.passwords = {**world.passwords, "kim": "a-long-password"}
            desktop = world.seat("kim")
            async with asyncio.timeout(20):
                await desktop.is_connected.wait()
            assert await _call(world)
            assert len(phone.calls) == 1

            (site / "flows" / "main.yaml").write_text("start: nowhere\nnodes: {}\n")
            world.signal_server(signal.SIGHUP)
            await _logged(world, "reload.refused")
            assert await _call(world)
        finally:
            await phone.stop()
