"""People's phones and offers to them, on the real Asterisk."""

import asyncio

import pytest

from tests.asterisk.conftest import StartSwitch, Switch
from tests.asterisk.peers import AgiServer, hold
from tests.asterisk.scene import (
    KEYS,
    OFFER,
    SECRET,
    Offering,
    add_phone,
    calling,
)
from tests.asterisk.sipp import (
    HANGING_UP_PHONE,
    PHONE,
    RINGING_PHONE,
    passed,
    phone_call,
    registration,
    sipp,
)

pytestmark = pytest.mark.asterisk


async def test_a_phone_pushed_into_the_database_registers_at_once(switch: Switch) -> None:
    port, other = switch.phone_ports[:2]
    async with switch.ami() as ami:
        await add_phone(ami, "2001")
        wishes = {"remote": switch.settings.sip_port, "user": "2001"}
        async with sipp(switch.folder, registration(200), port=port, secret=SECRET, **wishes) as right:  # type: ignore[arg-type]
            assert await passed(right)
        async with sipp(switch.folder, registration(401), port=other, secret="wrong", **wishes) as wrong:  # type: ignore[arg-type]
            assert await passed(wrong)


async def test_phones_call_each_other_and_nothing_else(switch: Switch) -> None:
    own, theirs, again = switch.phone_ports[:3]
    async with switch.ami() as ami:
        await add_phone(ami, "2001")
        await add_phone(ami, "2002", theirs)
        wishes = {"remote": switch.settings.sip_port, "user": "2001", "secret": SECRET}
        async with (
            sipp(switch.folder, PHONE, port=theirs) as phone,
            sipp(switch.folder, phone_call(200), port=own, number="2002", **wishes) as call,  # type: ignore[arg-type]
        ):
            assert await passed(call)
            assert await passed(phone)
        for number, code in (("0049301234", 403), ("2002%40trunk-carrier", 403), ("trunk-carrier", 404)):
            async with sipp(switch.folder, phone_call(code), port=again, number=number, **wishes) as barred:  # type: ignore[arg-type]
                assert await passed(barred), number


@pytest.mark.parametrize("number", ["112", "110"])
async def test_an_emergency_call_goes_out_by_the_trunk_even_when_the_switch_is_full(
    start_switch: StartSwitch, number: str
) -> None:
    async with start_switch(max_calls=0) as switch, switch.ami() as ami:
        await add_phone(ami, "2001")
        async with (
            sipp(switch.folder, PHONE, port=switch.trunk_port) as carrier,
            sipp(
                switch.folder,
                phone_call(200),
                port=switch.phone_ports[0],
                remote=switch.settings.sip_port,
                number=number,
                user="2001",
                secret=SECRET,
            ) as phone,
        ):
            dial = await ami.event("DialBegin")
            assert dial["DialString"] == f"{number}@trunk-carrier"
            assert await passed(phone)
            assert await passed(carrier)


async def test_a_caller_from_a_trunk_reaches_neither_emergency_numbers_nor_phones(switch: Switch) -> None:
    async with AgiServer(switch.settings.agi_port, hold) as server, switch.ami() as ami, calling(switch, number="112"):
        talk = await server.next_talk()
        await ami.event("MusicOnHoldStart")
        assert await ami.variable(talk.env["agi_channel"], "CALLYARD_NUMBER") == "112"
        assert [block for block in ami.blocks if block.get("Event") == "DialBegin"] == []


async def test_an_offer_rings_with_its_ids_and_leaves_its_result(switch: Switch) -> None:
    port = switch.phone_ports[0]
    offering = Offering("PJSIP/2001")
    async with switch.ami() as ami:
        await add_phone(ami, "2001", port)
        async with (
            sipp(switch.folder, HANGING_UP_PHONE, port=port, pause_ms=1200) as phone,
            AgiServer(switch.settings.agi_port, offering) as server,
            calling(switch),
        ):
            talk = await server.next_talk()
            dial = await ami.event("DialBegin")
            agent = dial["DestChannel"]
            assert await ami.variable(agent, "CALLYARD_OFFER") == OFFER
            assert await ami.variable(agent, "CALLYARD_AGENT") == "maria"
            assert await ami.variable(agent, "CALLYARD_INTERACTION") == talk.env["agi_uniqueid"]
            assert await ami.variable(talk.env["agi_channel"], "CALLYARD_DIALLING") == OFFER
            assert await ami.variable(talk.env["agi_channel"], "TIMEOUT(absolute)") in {"0", "0.000"}
            assert await passed(phone)
            async with asyncio.timeout(10):
                await offering.is_over.wait()
            offer, status, cause, talked = offering.replies[-1].split("|")
            assert (offer, status, cause) == (OFFER, "ANSWER", "16")
            assert int(talked) >= 1
            assert await ami.variable(talk.env["agi_channel"], "CALLYARD_DIALLING") == ""
            assert float(await ami.variable(talk.env["agi_channel"], "TIMEOUT(absolute)")) > 40
            [message] = switch.folder.glob(f"sipp-{port}-*.msg")
            invite = message.read_text()
            assert f"X-Callyard-Offer: {OFFER}" in invite
            assert f"X-Callyard-Interaction: {talk.env['agi_uniqueid']}" in invite


async def test_phones_that_ring_together_have_ids_of_their_own_and_one_is_answered(switch: Switch) -> None:
    ports = switch.phone_ports[:3]
    interaction = OFFER.partition("/")[0]
    offering = Offering("PJSIP/2001&PJSIP/2002&PJSIP/2003", f"{interaction}/3&4&12", "maria&jon.b-2&wei")
    expected = {"2001": ("3", "maria"), "2002": ("4", "jon.b-2"), "2003": ("12", "wei")}
    async with switch.ami() as ami:
        for extension, port in zip(expected, ports, strict=True):
            await add_phone(ami, extension, port)
        async with (
            sipp(switch.folder, RINGING_PHONE, port=ports[0]) as first,
            sipp(switch.folder, HANGING_UP_PHONE, port=ports[1], pause_ms=1200) as second,
            sipp(switch.folder, RINGING_PHONE, port=ports[2]) as third,
            AgiServer(switch.settings.agi_port, offering) as server,
            calling(switch),
        ):
            talk = await server.next_talk()
            for extension in expected:
                leg = (await ami.event("DialBegin", DialString=extension))["DestChannel"]
                answered = extension == "2002"
                await ami.event("DialEnd", DestChannel=leg, DialStatus="ANSWER" if answered else "CANCEL")
            assert await ami.variable(talk.env["agi_channel"], "CALLYARD_DIALLING") == f"{interaction}/3&4&12"
            assert [await passed(each) for each in (first, second, third)] == [True] * 3
            async with asyncio.timeout(10):
                await offering.is_over.wait()
            assert offering.replies[-1].startswith(f"{interaction}/4|ANSWER|16|")
            assert await ami.variable(talk.env["agi_channel"], "CALLYARD_SERVED") == "jon.b-2"
            for port, (number, _) in zip(ports, expected.values(), strict=True):
                [message] = switch.folder.glob(f"sipp-{port}-*.msg")
                assert f"X-Callyard-Offer: {interaction}/{number}\n" in message.read_text().replace("\r", "")


async def test_a_talk_goes_on_when_the_server_dies_and_its_result_waits_for_the_next(switch: Switch) -> None:
    port = switch.phone_ports[0]
    async with switch.ami() as ami:
        await add_phone(ami, "2001", port)
        async with (
            sipp(switch.folder, HANGING_UP_PHONE, port=port, pause_ms=1500) as phone,
            AgiServer(switch.settings.agi_port, Offering("PJSIP/2001")) as server,
            calling(switch),
        ):
            first = await server.next_talk()
            await ami.event("DialEnd", DialStatus="ANSWER")
            await server.die()
            assert await passed(phone)
            server.script = hold
            await server.start()
            second = await server.next_talk()
            assert second.env["agi_uniqueid"] == first.env["agi_uniqueid"]
            channel = second.env["agi_channel"]
            assert (await ami.variable(channel, "CALLYARD_RESULT")).startswith(f"{OFFER}|ANSWER|16|")
            assert await ami.variable(channel, "CALLYARD_DIALLING") == ""


async def test_keys_pressed_by_an_agent_are_seen_and_transfer_nobody(start_switch: StartSwitch) -> None:
    async with start_switch(extra_modules=KEYS) as switch, switch.ami() as ami:
        port = switch.phone_ports[0]
        await add_phone(ami, "2001", port)
        async with (
            sipp(switch.folder, PHONE, port=port) as phone,
            AgiServer(switch.settings.agi_port, Offering("PJSIP/2001")),
            calling(switch),
        ):
            answered = await ami.event("DialEnd", DialStatus="ANSWER")
            agent = answered["DestChannel"]
            await ami.event("BridgeEnter", Channel=agent)
            for digit in "#*8":
                await ami.act("PlayDTMF", Channel=agent, Digit=digit, Receive="true")
                await ami.event("DTMFEnd", Channel=agent, Digit=digit, Direction="Received")
            assert [b for b in ami.blocks if b.get("Event") == "BridgeLeave"] == []
            assert phone.returncode is None


async def test_caller_and_agent_leave_a_running_dial_together(switch: Switch) -> None:
    port = switch.phone_ports[0]
    async with switch.ami() as ami:
        await add_phone(ami, "2001", port)
        async with (
            sipp(switch.folder, PHONE, port=port),
            AgiServer(switch.settings.agi_port, Offering("PJSIP/2001")) as server,
            calling(switch),
        ):
            talk = await server.next_talk()
            answered = await ami.event("DialEnd", DialStatus="ANSWER")
            await ami.event("BridgeEnter", Channel=answered["DestChannel"])
            await ami.act(
                "Redirect",
                Channel=talk.env["agi_channel"],
                ExtraChannel=answered["DestChannel"],
                Context="callyard-conference",
                Exten="77",
                Priority="1",
                ExtraContext="callyard-conference",
                ExtraExten="77",
                ExtraPriority="1",
            )
            await ami.event("ConfbridgeJoin", Channel=talk.env["agi_channel"])
            await ami.event("ConfbridgeJoin", Channel=answered["DestChannel"])
