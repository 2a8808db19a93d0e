"""The dialplan's contract with the server, on the real Asterisk: the call, and the server's absence.

Limits are shortened by the settings, in proportion; what they are by default is in `cti.provisioning_values`.
"""

import pytest

from lab.caller import Caller, Identity, Press, StayOn, Wait, open_line
from tests.asterisk.conftest import StartSwitch, Switch
from tests.asterisk.peers import AgiServer, AgiTalk, fall_silent, hold, watch_ami
from tests.asterisk.scene import NO_PYTHON, SHORT, calling, finish, gap_record, write_short_sound
from tests.asterisk.sipp import (
    IMPATIENT_CALLER,
    RINGING_CALLER,
    WAITING_CALLER,
    passed,
    refused_caller,
)

pytestmark = pytest.mark.asterisk


async def test_a_call_reaches_the_server_and_ends_when_the_server_is_done(switch: Switch) -> None:
    async with AgiServer(switch.settings.agi_port, finish) as server, switch.ami() as ami, calling(switch) as sip:
        talk = await server.next_talk()
        assert talk.env["agi_network_script"] == "call"
        assert talk.env["agi_uniqueid"].startswith("lab1-")
        assert (await ami.event("Hangup"))["Cause"] == "16"
        assert await passed(sip)
        assert await ami.database("callyard-gap") == []
        assert server.sessions == 1


async def test_the_call_carries_what_the_server_needs_to_know(switch: Switch) -> None:
    async with (
        AgiServer(switch.settings.agi_port, hold) as server,
        switch.ami() as ami,
        calling(switch, number="4930100"),
    ):
        talk = await server.next_talk()
        channel, uniqueid = talk.env["agi_channel"], talk.env["agi_uniqueid"]
        await ami.event("MusicOnHoldStart")
        assert await ami.variable(channel, "CALLYARD_INTERACTION") == uniqueid
        assert await ami.variable(channel, "CALLYARD_NUMBER") == "4930100"
        assert await ami.variable(channel, "CALLYARD_TRUNK") == "carrier"
        assert int(await ami.variable(channel, "CALLYARD_STARTED")) > 1_700_000_000


async def test_a_refused_connection_keeps_the_caller_until_the_server_is_back(switch: Switch) -> None:
    server = AgiServer(switch.settings.agi_port, hold)
    async with switch.ami() as ami, calling(switch, number="4930100") as sip:
        arrived = await ami.event("Newchannel")
        channel = arrived["Channel"]
        await ami.becomes(channel, "CALLYARD_AWAY", "1")
        async with server:
            talk = await server.next_talk()
            await ami.event("MusicOnHoldStart")
            assert talk.env["agi_uniqueid"] == arrived["Uniqueid"]
            assert await ami.variable(channel, "CALLYARD_AWAY") == ""
            await ami.act("Hangup", Channel=channel, Cause="16")
            assert await passed(sip)
            assert await ami.database("callyard-gap") == []


async def test_a_greeted_caller_hears_music_while_the_server_is_dead_and_is_given_back(switch: Switch) -> None:
    async with AgiServer(switch.settings.agi_port, hold) as server, switch.ami() as ami, calling(switch):
        first = await server.next_talk()
        started = await ami.event("MusicOnHoldStart")
        await server.die()
        await ami.becomes(started["Channel"], "CALLYARD_AWAY", "1")
        await server.start()
        second = await server.next_talk()
        assert second.env["agi_uniqueid"] == first.env["agi_uniqueid"]
        assert [b for b in ami.blocks if b.get("Event") == "MusicOnHoldStop"] == []


async def test_a_silent_server_brings_the_caller_into_the_fail_safe(start_switch: StartSwitch) -> None:
    async with (
        start_switch(**SHORT, failsafe_python=NO_PYTHON) as switch,
        AgiServer(switch.settings.agi_port, fall_silent) as server,
        switch.ami() as ami,
        calling(switch, IMPATIENT_CALLER, pause_ms=300, user="+4917012345") as sip,
    ):
        talk = await server.next_talk()
        await ami.event("Newstate", ChannelStateDesc="Up", Uniqueid=talk.env["agi_uniqueid"])
        assert await passed(sip)
        await ami.event("Hangup")
        start, end, number, who, interaction, note = await gap_record(ami)
        assert int(start) <= int(end)
        assert (number, who, note) == ("100", "+4917012345", "failsafe")
        assert interaction == talk.env["agi_uniqueid"]


async def test_a_greeted_caller_is_asked_for_again_before_the_fail_safe(start_switch: StartSwitch) -> None:
    greeted = False

    async def greet_and_fall_silent(talk: AgiTalk) -> None:
        nonlocal greeted
        if not greeted:
            greeted = True
            await talk.command("ANSWER")
            await talk.command('SET VARIABLE CALLYARD_GREETED "1"')
        await talk.ended()

    async with (
        start_switch(**SHORT, failsafe_python=NO_PYTHON) as switch,
        AgiServer(switch.settings.agi_port, greet_and_fall_silent) as server,
        switch.ami() as ami,
        calling(switch),
    ):
        first = await server.next_talk()
        second = await server.next_talk()
        assert second.env["agi_uniqueid"] == first.env["agi_uniqueid"]
        channel = first.env["agi_channel"]
        await ami.becomes(channel, "CALLYARD_NOTE", "failsafe")
        assert server.sessions >= 2


async def test_the_fail_safe_of_the_dialplan_takes_a_callback_number(start_switch: StartSwitch) -> None:
    async with start_switch(away_ungreeted_s=0, failsafe_python=NO_PYTHON) as switch, switch.ami() as ami:
        for name in ("failsafe", "failsafe-callback", "failsafe-thanks"):
            write_short_sound(switch.provisioned.directory / "sounds" / f"{name}.wav")
        line = await open_line("carrier", port=switch.trunk_port)
        try:
            caller = Caller(Identity("5551234"), ("127.0.0.1", switch.settings.sip_port), line=line)
            record = await caller.call("100", (Wait(1.0), Press("017055#"), StayOn()))
        finally:
            await line.close()
        assert record.ended_by == "remote"
        up = await ami.event("Hangup")
        [entry] = await ami.database("callyard-failsafe")
        assert entry["Key"].endswith(up["Uniqueid"])
        assert entry["Val"].split("|")[2:] == ["100", "5551234", up["Uniqueid"], "017055"]


async def test_one_call_too_many_is_refused_with_503_and_recorded(start_switch: StartSwitch) -> None:
    async with (
        start_switch(max_calls=1) as switch,
        AgiServer(switch.settings.agi_port, hold) as server,
        switch.ami() as ami,
    ):
        async with calling(switch, number="100", calls=1):
            await server.next_talk()
            # The same port may carry only one SIPp; the second caller comes by a phone's port that is no trunk.
            await ami.event("MusicOnHoldStart")
            await ami.act(
                "Originate", Channel="Local/200@callyard-inbound/n", Application="Wait", Data="5", Async="true"
            )
            refused = await ami.event("UserEvent", UserEvent="CallyardRefused")
            assert refused["Reason"] == "overload"
            hangup = await ami.event("Hangup", Uniqueid=refused["Uniqueid"])
            assert hangup["Cause"] == "42"
            assert (await gap_record(ami))[2::3] == ["200", "overload"]
            assert server.sessions == 1


async def test_a_full_switch_answers_503(start_switch: StartSwitch) -> None:
    async with start_switch(max_calls=0) as switch, calling(switch, refused_caller(503)) as sip:
        assert await passed(sip)


async def test_a_trunk_has_a_limit_of_its_own(start_switch: StartSwitch) -> None:
    async with (
        start_switch(trunk={"max_calls": 1}) as switch,
        AgiServer(switch.settings.agi_port, hold) as server,
        switch.ami() as ami,
        calling(switch, WAITING_CALLER, calls=2) as sip,
    ):
        await server.next_talk()
        await ami.event("UserEvent", UserEvent="CallyardRefused")
        assert server.sessions == 1
        assert sip.returncode is None


async def test_a_caller_who_gives_up_while_the_server_is_away_leaves_a_record(switch: Switch) -> None:
    async with switch.ami() as ami, calling(switch, RINGING_CALLER, pause_ms=200, number="+4930100") as sip:
        assert await passed(sip)
        gone = await ami.event("Hangup")
        record = await gap_record(ami)
        assert record[2:] == ["+4930100", "5551234", gone["Uniqueid"], ""]


async def test_a_redirect_takes_the_call_from_a_silent_server_into_a_room(switch: Switch) -> None:
    async with AgiServer(switch.settings.agi_port, hold) as server, switch.ami() as ami, calling(switch):
        talk = await server.next_talk()
        await ami.event("MusicOnHoldStart")
        channel = talk.env["agi_channel"]
        await ami.act("Setvar", Channel=channel, Variable="CALLYARD_ROOM", Value="lab1-1764000000.12")
        await ami.act("Redirect", Channel=channel, Context="callyard-conference", Exten="s", Priority="1")
        joined = await ami.event("ConfbridgeJoin")
        assert joined["Conference"] == "lab1-1764000000.12"
        await talk.ended()
        assert await ami.variable(channel, "TIMEOUT(absolute)") in {"0", "0.000"}
        assert server.sessions == 1
        await ami.act("Redirect", Channel=channel, Context="callyard-call", Exten="s", Priority="1")
        again = await server.next_talk()
        assert again.env["agi_uniqueid"] == talk.env["agi_uniqueid"]


async def test_the_server_hears_no_flood_and_the_observer_may_only_look(switch: Switch) -> None:
    made = switch.provisioned
    async with (
        watch_ami(switch.settings.ami_port, made.observer_user, made.observer_secret) as observer,
        switch.ami() as ami,
        AgiServer(switch.settings.agi_port, hold),
        calling(switch),
    ):
        await ami.event("MusicOnHoldStart")
        heard = {block.get("Event") for block in ami.blocks}
        assert not heard & {"VarSet", "Newexten", "RTCPSent", "RTCPReceived", "AGIExecStart"}
        assert all("Timestamp" in b for b in ami.blocks if b.get("Event") == "Newchannel")
        status = await observer.act("Status")
        assert status[0]["Response"] == "Success"
        for action in ("Originate", "DBPut", "Hangup", "Setvar", "Command"):
            assert (await observer.act(action, Channel="x"))[0]["Response"] == "Error", action
