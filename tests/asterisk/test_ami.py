"""The AMI link on the real Asterisk, with pyst2 as a second opinion on what is there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from asterisk.manager import Manager

from cti.ami import AmiEvent, AmiLink, AmiSettings
from cti.ami_events import (
    ChannelCreated,
    ChannelEvent,
    ChannelFound,
    ChannelHungUp,
    DialBegun,
    DialEnded,
    FullyBooted,
    UserEventCame,
    parse_event,
)
from cti.errors import AmiActionError
from tests.asterisk.conftest import Switch
from tests.asterisk.peers import AgiServer, hold

# pyst2 0.5.1 calls threading by names that are on their way out.
pytestmark = [pytest.mark.asterisk, pytest.mark.filterwarnings("ignore::DeprecationWarning:asterisk.manager")]

_LIMIT_S = 10.0


@dataclass
class Listener:
    """What a link said, read into values; a header that is missing fails the test."""

    events: list[ChannelEvent] = field(default_factory=list)
    raw: list[AmiEvent] = field(default_factory=list)
    downs: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    is_up: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, event: AmiEvent) -> None:
        self.raw.append(event)
        self.events.append(parse_event(event))
        self.changed.set()

    async def count(self, kind: type[ChannelEvent], number: int) -> list[Any]:
        """Wait until `number` events of this kind came."""
        async with asyncio.timeout(_LIMIT_S):
            while len(found := [event for event in self.events if isinstance(event, kind)]) < number:
                self.changed.clear()
                await self.changed.wait()
        return found


@asynccontextmanager
async def linked(switch: Switch, **changes: Any) -> AsyncIterator[tuple[AmiLink, Listener]]:
    made, heard = switch.provisioned, Listener()
    values = {"username": made.ami_user, "secret": made.ami_secret} | changes
    settings = AmiSettings("lab1", "127.0.0.1", switch.settings.ami_port, **values)
    link = AmiLink(settings, on_event=heard.hear, on_up=heard.is_up.set, on_down=heard.downs.append)
    task = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(_LIMIT_S):
            await heard.is_up.wait()
        yield link, heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert link.counters.handler_errors == 0
    assert link.counters.unreadable == 0


def seen_by_pyst2(port: int, user: str, secret: str) -> dict[str, tuple[str, str, str]]:
    """Ask a second, independent client: uniqueid → (channel, linkedid, application)."""
    found: dict[str, tuple[str, str, str]] = {}
    is_complete = threading.Event()

    def note(event: Any, manager: Any) -> None:
        found[event["Uniqueid"]] = (event["Channel"], event["Linkedid"], event["Application"])

    manager = Manager()
    manager.connect("127.0.0.1", port)
    try:
        manager.login(user, secret)
        manager.register_event("CoreShowChannel", note)
        manager.register_event("CoreShowChannelsComplete", lambda event, manager: is_complete.set())
        manager.send_action({"Action": "CoreShowChannels"})
        assert is_complete.wait(_LIMIT_S)
    finally:
        manager.close()
    return found


async def test_link_and_pyst2_see_the_same_channels_of_one_call(switch: Switch) -> None:
    made, port = switch.provisioned, switch.settings.ami_port
    async with linked(switch) as (link, heard), AgiServer(switch.settings.agi_port, hold):
        asked = {
            "Channel": "Local/100@callyard-inbound/n",
            "Application": "Wait",
            "Data": "30",
            "ChannelId": "ours-1",
            "OtherChannelId": "ours-2",
            "Variable": ["CALLYARD_OFFER=offer-7", "CALLYARD_AGENT=Ада"],
        }
        assert (await link.act("Originate", asked)).ok

        wanted = "CALLYARD_OFFER,CALLYARD_AGENT,CALLYARD_NOTHING"
        entries = [parse_event(entry) for entry in await link.collect("Status", {"Variables": wanted})]
        channels = {entry.uniqueid: entry for entry in entries if isinstance(entry, ChannelFound)}
        theirs = await asyncio.wait_for(
            asyncio.to_thread(seen_by_pyst2, port, made.observer_user, made.observer_secret), 2 * _LIMIT_S
        )
        assert set(channels) == {"ours-1", "ours-2"}
        assert {
            uniqueid: (channel.channel, channel.linkedid, channel.application) for uniqueid, channel in channels.items()
        } == theirs
        assert channels["ours-1"].variables == {
            "CALLYARD_OFFER": "offer-7",
            "CALLYARD_AGENT": "Ада",
            "CALLYARD_NOTHING": "",
        }

        with pytest.raises(AmiActionError):
            await link.act("Originate", asked)
        await link.act("Hangup", {"Channel": channels["ours-1"].channel})
        gone = await heard.count(ChannelHungUp, 2)
        assert {event.uniqueid for event in gone} == {"ours-1", "ours-2"}
        assert await link.collect("Status") == ()
        created = await heard.count(ChannelCreated, 2)
        assert [event.uniqueid for event in created] == ["ours-1", "ours-2"]
        assert all(event.at_us > 1_700_000_000_000_000 for event in created)
        begun, ended = (await heard.count(DialBegun, 1))[0], (await heard.count(DialEnded, 1))[0]
        assert (begun.caller_uniqueid, begun.dest_uniqueid) == ("", "ours-1")
        assert (ended.dest_uniqueid, ended.status) == ("ours-1", "ANSWER")
        assert len(await heard.count(FullyBooted, 1)) == 1
        assert heard.downs == []


async def test_what_a_client_says_reaches_the_others_with_its_fields(switch: Switch) -> None:
    async with linked(switch) as (first, _), linked(switch) as (_, second):
        await first.act("UserEvent", {"UserEvent": "CallyardEpoch", "Epoch": "7", "Note": "ж" * 400})
        came = (await second.count(UserEventCame, 1))[0]
        assert (came.name, came.uniqueid, dict(came.fields)) == ("CallyardEpoch", "", {"Epoch": "7", "Note": "ж" * 400})


async def test_the_longest_line_and_most_headers_that_we_send_are_read_whole(switch: Switch) -> None:
    async with linked(switch) as (link, heard):
        value = "x" * (1022 - len("Val: "))
        await link.act("DBPut", {"Family": "callyard-test", "Key": "long", "Val": value})
        entries = await link.collect("DBGet", {"Family": "callyard-test", "Key": "long"})
        assert [entry.require("Val") for entry in entries] == [value]
        fields = {f"H{number}": str(number) for number in range(125)}
        await link.act("UserEvent", {"UserEvent": "Many", **fields})
        assert dict((await heard.count(UserEventCame, 1))[0].fields) == fields


async def test_a_wrong_secret_is_refused_and_said(switch: Switch) -> None:
    heard = Listener()
    is_down = asyncio.Event()
    port, user = switch.settings.ami_port, switch.provisioned.ami_user
    link = AmiLink(
        AmiSettings("lab1", "127.0.0.1", port, user, "wrong"),
        on_event=heard.hear,
        on_up=heard.is_up.set,
        on_down=lambda reason: is_down.set(),
    )
    task = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(_LIMIT_S):
            await is_down.wait()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert link.last_error is not None
    assert (link.last_error.code, link.epoch, heard.raw) == ("ami_login", 0, [])
