"""The FastAGI server and the simulated callers and phones, with the real Asterisk between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cti.agi_errors import AgiCommandError, AgiHangupError, AgiTimeoutError, AgiUsageError
from cti.fastagi import AgiConversation, AgiServer, Played
from cti.provisioning import PhoneKind, PhoneSettings, phone_objects
from lab.caller import Caller, CallRecord, Identity, Press, StayOn, Step, Talk, Wait, open_line
from lab.phone import Behaviour, Phone
from lab.sip import SipEndpoint
from lab.sip_message import Credentials
from lab.sipp import SippCaller, agents, callers
from tests.asterisk.conftest import Switch

pytestmark = pytest.mark.asterisk

OFFER = "lab1-1764000000.12/3"
SECRET = "s3cret-of-2001"
ANN = Identity("+4930123456", 'Ann "the boss" 张伟')


@dataclass
class World:
    """An Asterisk, the FastAGI server beside it, and a carrier's line to call in by."""

    switch: Switch
    line: SipEndpoint
    server: AgiServer
    scripts: list[Callable[[AgiConversation], Awaitable[None]]] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)

    async def serve(self, conversation: AgiConversation) -> None:
        try:
            await self.scripts[0](conversation)
            if not conversation.hung_up:
                await conversation.set_variable("CALLYARD_SEEN", "1")
                await conversation.set_variable("CALLYARD_CAUSE", "16")
                await conversation.set_variable("CALLYARD_DONE", "1")
        except asyncio.CancelledError:
            raise
        except BaseException as fault:
            self.faults.append(fault)
            raise

    async def call(
        self,
        script: Callable[[AgiConversation], Awaitable[None]],
        *steps: Step,
        identity: Identity = ANN,
        number: str = "4930100",
    ) -> CallRecord:
        self.scripts[:] = [script]
        caller = Caller(identity, ("127.0.0.1", self.switch.settings.sip_port), line=self.line)
        async with asyncio.timeout(20):
            record = await caller.call(number, steps or (StayOn(),))
        assert self.faults == []
        return record


@pytest.fixture(name="world")
async def surrounded_switch(switch: Switch) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        line = await open_line("carrier", port=switch.trunk_port)
        stack.push_async_callback(line.close)

        async def on_call(conversation: AgiConversation) -> None:
            await world.serve(conversation)

        server = AgiServer(on_call)
        world = World(switch, line, server)
        await server.start("127.0.0.1", switch.settings.agi_port)
        stack.push_async_callback(server.stop, 1.0)
        yield world


@asynccontextmanager
async def agent_phone(world: World, behaviour: Behaviour) -> AsyncIterator[Phone]:
    """A phone that signs on with its password."""
    phone = Phone("2001", behaviour)
    port = await phone.start()
    try:
        async with world.switch.ami() as ami:
            for family, key, text in phone_objects(PhoneSettings("2001", PhoneKind.HARD, SECRET, "")):
                answer = await ami.act("DBPut", Family=family, Key=key, Val=text)
                assert answer[0]["Response"] == "Success", answer
        place = ("127.0.0.1", world.switch.settings.sip_port)
        await phone.register(place, Credentials("2001", SECRET))
        assert port == phone.endpoint.port
        yield phone
    finally:
        await phone.stop()


async def test_keys_music_and_agent_are_heard_by_the_caller_and_the_caller_by_the_agent(world: World) -> None:
    digits: list[str] = []
    results: list[str | None] = []

    async def script(call: AgiConversation) -> None:
        await call.answer()
        for _ in range(2):
            reply = await call.command("WAIT", "FOR", "DIGIT", "5000")
            digits.append(chr(reply.number))
        await call.execute("StartMusicOnHold", "default")
        await call.gosub("callyard-dial", "s", 1, "PJSIP/2001", "20", OFFER, "maria")
        results.append(await call.get_variable("CALLYARD_RESULT"))

    async with agent_phone(world, Behaviour(answer_after_s=0.3, talk_s=1.0)) as phone:
        record = await world.call(script, Wait(0.2), Press("1#"), Talk())
        assert digits == ["1", "#"]
        assert results == [f"{OFFER}|ANSWER|16|1"]
        [seen] = phone.calls
        async with asyncio.timeout(5):
            await seen.over.wait()
    assert (record.ended_by, record.status, record.pressed) == ("remote", 200, "1#")
    assert record.agent_heard_ns is not None
    assert record.first_audio_ns is not None
    assert seen.answer_ns is not None
    assert record.invite_ns < record.first_audio_ns < seen.answer_ns < record.agent_heard_ns
    assert record.invite_ns < seen.invite_ns < seen.answer_ns
    assert seen.caller_heard_ns is not None
    assert (seen.offer, seen.ended_by) == (OFFER, "local")


async def test_a_phone_that_never_answers_is_cancelled_and_the_caller_gives_up(world: World) -> None:
    async def script(call: AgiConversation) -> None:
        await call.answer()
        with suppress(AgiHangupError):  # the end of the Dial and that of the call come at the same instant
            await call.gosub("callyard-dial", "s", 1, "PJSIP/2001", "20", OFFER, "maria")
        await call.closed()

    async with agent_phone(world, Behaviour(answer_after_s=None)) as phone:
        record = await world.call(script, Wait(1.0))
        [seen] = phone.calls
        async with asyncio.timeout(5):
            await seen.over.wait()
    assert (record.ended_by, record.agent_was_heard) == ("caller", False)
    assert (seen.status, seen.answer_ns) == (487, None)


async def test_any_value_is_set_and_read_back(world: World) -> None:
    values = ["hangup", "a) b", 'say "hi"', "张伟", "\\n \\", "${EXTEN}", "x#y) endpos=1", "a,b|c;d", "$[1+1]"]
    back: dict[str, str | None] = {}

    async def script(call: AgiConversation) -> None:
        for value in values:
            await call.set_variable("X", value)
            back[value] = await call.get_variable("X")
        back["unset"] = await call.get_variable("NEVER_SET")
        back["function"] = await call.get_variable("CHANNEL(channeltype)")

    await world.call(script)
    assert back == {**{value: value for value in values}, "unset": None, "function": "PJSIP"}


async def test_failures_are_told_apart_and_the_call_goes_on(world: World) -> None:
    faults: list[Exception] = []
    played: list[Played] = []

    async def script(call: AgiConversation) -> None:
        for words in (("FLY",), ("SET", "VARIABLE", "X"), ("EXEC", "Fly", "away")):
            try:
                if words[0] == "EXEC":
                    await call.execute(*words[1:])
                else:
                    await call.command(*words)
            except (AgiCommandError, AgiUsageError) as fault:
                faults.append(fault)
        await call.answer()
        played.append(await call.stream_file("callyard/no-such-sound"))
        with pytest.raises(AgiTimeoutError):
            await call.command("WAIT", "FOR", "DIGIT", "300", timeout_s=0.05)
        assert (await call.command("GET", "DATA", "", "200", "3")).is_timeout
        await call.verbose("still here", 1)

    record = await world.call(script)
    assert [type(fault) for fault in faults] == [AgiCommandError, AgiUsageError, AgiCommandError]
    assert "Sets a variable" in str(faults[1])
    assert str(faults[1]).endswith("520 End of proper usage.")
    assert "EXEC Fly on PJSIP/" in str(faults[2])
    assert played == [Played("", 0, failed=True)]
    assert (record.ended_by, record.status) == ("remote", 200)


async def test_an_idle_session_learns_at_once_that_the_caller_left(world: World) -> None:
    learnt = asyncio.Event()

    async def script(call: AgiConversation) -> None:
        await call.answer()
        await call.execute("StartMusicOnHold", "default")
        await call.closed()
        assert call.hung_up
        with pytest.raises(AgiHangupError):
            await call.verbose("too late")
        learnt.set()

    record = await world.call(script, Wait(0.3))
    async with asyncio.timeout(2):
        await learnt.wait()
    assert (record.ended_by, record.gave_up) == ("caller", False)


CP1251 = "Иван".encode("cp1251").decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("identity", "seen_as"),
    [
        (ANN, (ANN.number, ANN.name)),
        (Identity("4930", "O'Neil \\ Söhne, Köln"), ("4930", "O'Neil \\ Söhne, Köln")),
        (Identity("4930", CP1251), ("4930", "\ufffd" * 4)),
        (Identity(None), ("anonymous", "Anonymous")),
    ],
)
async def test_who_calls_arrives_as_they_are(world: World, identity: Identity, seen_as: tuple[str, str]) -> None:
    seen: list[tuple[str, str]] = []

    async def script(call: AgiConversation) -> None:
        seen.append((call.env["agi_callerid"], call.env["agi_calleridname"]))
        assert call.path == "/call"
        await call.answer()

    await world.call(script, identity=identity)
    assert seen == [seen_as]


async def test_a_port_scan_and_junk_beside_a_call_change_nothing(world: World) -> None:
    async def junk() -> None:
        for data in (b"", b"agi_network: yes\n", b"x" * 1_000_000, b"GET / HTTP/1.0\r\n\r\n"):
            _, writer = await asyncio.open_connection("127.0.0.1", world.switch.settings.agi_port)
            writer.write(data)
            writer.close()

    async def script(call: AgiConversation) -> None:
        await call.answer()
        await junk()
        await call.set_variable("X", "1")
        assert await call.get_variable("X") == "1"

    record = await world.call(script)
    assert (record.ended_by, record.status) == ("remote", 200)
    async with asyncio.timeout(6):
        while world.server.refused.total() < 4:  # noqa: ASYNC110 - a turn of the loop, no clock
            await asyncio.sleep(0)
    assert world.server.refused == {"closed": 2, "large": 1, "malformed": 1}


async def test_many_callers_are_answered_in_the_order_of_the_server(switch: Switch, tmp_path: Path) -> None:
    """SIPp on both sides, one agent: whoever is offered first is answered first, and nobody is lost."""
    turn = asyncio.Lock()
    served: list[str] = []

    async def on_call(call: AgiConversation) -> None:
        await call.answer()
        await call.execute("StartMusicOnHold", "default")
        async with turn:
            served.append(call.env["agi_callerid"])
            await call.gosub("callyard-dial", "s", 1, "PJSIP/2001", "20", OFFER, "maria")
            assert (await call.get_variable("CALLYARD_RESULT") or "").startswith(f"{OFFER}|ANSWER|16|")
        await call.set_variable("CALLYARD_SEEN", "1")
        await call.set_variable("CALLYARD_DONE", "1")

    calls = [SippCaller(f"+49301234{index:02}", "4930100", f"Caller {index}") for index in range(8)]
    server = AgiServer(on_call)
    await server.start("127.0.0.1", switch.settings.agi_port)
    place = ("127.0.0.1", switch.settings.sip_port)
    try:
        async with agents(tmp_path / "agents", talk_s=0.1) as desk, switch.ami() as ami:
            address = f"sip:2001@127.0.0.1:{desk.port}"
            for family, key, text in phone_objects(PhoneSettings("2001", PhoneKind.HARD, SECRET, address)):
                await ami.act("DBPut", Family=family, Key=key, Val=text)
            async with callers(tmp_path / "callers", place, calls, rate=40, port=switch.trunk_port) as street:
                calling = await street.finished(40)
            answering = await desk.stop()
    finally:
        await server.stop(1.0)
    assert (calling.successful, calling.failed, answering.failed) == (8, 0, 0)
    assert answering.order("answered") == served
    assert sorted(served) == [call.number for call in calls]
    assert {line.offer for line in answering.lines} == {OFFER}
