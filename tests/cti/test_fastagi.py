"""The FastAGI server against Asterisk's side of it, on real sockets.

Longer than 400 lines: one list of the library's defects and of the hang-ups, kept together to be checked off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti.agi_errors import (
    AgiCommandError,
    AgiDeadChannelError,
    AgiDisconnectedError,
    AgiError,
    AgiHangupError,
    AgiProtocolError,
    AgiTimeoutError,
    AgiUsageError,
)
from cti.agi_reply import AgiReply
from cti.fastagi import AgiConversation, AgiLimits, AgiServer, Played
from tests.fakes.agi import USAGE, AgiPeer, header


@dataclass
class Desk:
    """A running server whose conversations are handed to the test."""

    server: AgiServer
    port: int
    calls: asyncio.Queue[AgiConversation] = field(default_factory=asyncio.Queue)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def dial(self, head: bytes | None = None) -> tuple[AgiPeer, AgiConversation]:
        peer = await AgiPeer.connect(self.port, head)
        async with asyncio.timeout(5):
            return peer, await self.calls.get()

    async def refusal(self, reason: str) -> None:
        async with asyncio.timeout(5):
            while not self.server.refused[reason]:  # noqa: ASYNC110 - a turn of the loop, no clock
                await asyncio.sleep(0)


@asynccontextmanager
async def running(limits: AgiLimits | None = None) -> AsyncIterator[Desk]:
    async def on_call(conversation: AgiConversation) -> None:
        await desk.calls.put(conversation)
        await desk.done.wait()

    desk = Desk(AgiServer(on_call, limits=limits or AgiLimits()), 0)
    desk.port = await desk.server.start("127.0.0.1", 0)
    try:
        yield desk
    finally:
        await desk.server.stop(1.0)
        assert desk.server.conversations == 0


@pytest.fixture(name="desk")
async def running_desk() -> AsyncIterator[Desk]:
    async with running() as desk:
        yield desk


async def asked(peer: AgiPeer, reply: str | bytes, question: Awaitable[object]) -> object:
    """Ask, reply, and return what the asker got (its AgiError included)."""
    task = asyncio.ensure_future(question)
    await peer.answer(reply)
    async with asyncio.timeout(5):
        (result,) = await asyncio.gather(task, return_exceptions=True)
    return result


# -- the defects of the library's server, by their number in the dependency study -------------------------


async def test_defect_1_connect_and_close_does_not_freeze_the_server(desk: Desk) -> None:
    for head in (b"", b"agi_network: yes\nagi_chan"):
        scan = await AgiPeer.connect(desk.port, head)
        await scan.close()
    peer, conversation = await desk.dial()
    assert await asked(peer, "200 result=0", conversation.answer()) is None
    await desk.refusal("closed")
    await peer.close()


async def test_defect_1_slow_header_is_dropped_and_others_go_on() -> None:
    async with running(AgiLimits(header_s=0.05)) as desk:
        slow = await AgiPeer.connect(desk.port, b"agi_network: yes\n")
        peer, conversation = await desk.dial()
        await slow.ended()
        assert desk.server.refused == {"slow": 1}
        assert await asked(peer, "200 result=0", conversation.answer()) is None
        await slow.close()
        await peer.close()


@pytest.mark.parametrize("head", [b"x" * 1_000_000, b"agi_arg_1: yes\n" * 70_000])
async def test_defect_1_header_of_a_megabyte_is_dropped_and_others_go_on(desk: Desk, head: bytes) -> None:
    big = await AgiPeer.connect(desk.port, head)
    peer, conversation = await desk.dial()
    await big.ended()
    assert desk.server.refused == {"large": 1}
    assert await asked(peer, "200 result=0", conversation.answer()) is None
    await big.close()
    await peer.close()


async def test_defect_2_eof_in_a_command_is_a_disconnect(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    task = asyncio.create_task(conversation.answer())
    await peer.asked()
    peer.send(b"200 res")
    await peer.close()
    with pytest.raises(AgiDisconnectedError, match=r"ANSWER on PJSIP/trunk-00000001: .* end of the connection"):
        await task
    with pytest.raises(AgiDisconnectedError):
        await conversation.answer()
    assert not conversation.hung_up


async def test_defect_3_hangup_never_shifts_replies(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    peer.variables["X"] = "right"
    task = asyncio.create_task(conversation.get_variable("X"))
    words = await peer.asked()
    peer.hang_up(times=2)
    tail = words[-1].removeprefix("${X}")
    peer.say(f"200 result=1 (right{tail})")
    assert await task == "right"
    assert conversation.hung_up
    with pytest.raises(AgiHangupError):
        await conversation.answer()
    await peer.close()


async def test_defect_4_usage_block_is_read_to_its_end(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    error = await asked(peer, USAGE.format(usage="Usage: X <y>\n\n more 520 words"), conversation.command("X"))
    assert isinstance(error, AgiUsageError)
    assert "Usage: X <y>" in str(error)
    assert "520 End of proper usage" in str(error)
    assert await asked(peer, "200 result=7", conversation.command("NOOP")) == AgiReply(200, "7")
    await peer.close()


async def test_defect_5_dead_channel_is_its_own_error(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    reply = "511 Command Not Permitted on a dead channel or intercept routine"
    error = await asked(peer, reply, conversation.execute("Dial", "PJSIP/2001", "20"))
    assert isinstance(error, AgiDeadChannelError)
    assert "EXEC Dial on PJSIP/trunk-00000001" in str(error)
    await peer.close()


@pytest.mark.parametrize(
    "value",
    ["hangup", "a) b", ")", "two\nlines", "a)\n200 result=0\nHANGUP\nb", 'say "hi"', "张伟", "\\", "x endpos=1"],
)
async def test_defect_5_a_value_is_a_value_whatever_it_says(desk: Desk, value: str) -> None:
    peer, conversation = await desk.dial()
    peer.variables["NAME"] = value
    serving = asyncio.create_task(peer.serve())
    assert await conversation.get_variable("NAME") == value
    assert await conversation.get_variable("OTHER") is None
    assert not conversation.hung_up
    desk.done.set()
    await serving
    await peer.close()


@pytest.mark.parametrize("value", ["", "hangup", ")", "|", "two\nlines", "a)\n200 result=0\nHANGUP\nb", "#|,", "${X}"])
async def test_several_values_come_with_one_command(desk: Desk, value: str) -> None:
    peer, conversation = await desk.dial()
    peer.variables.update(FIRST=value, LAST=value)
    serving = asyncio.create_task(peer.serve())
    assert await conversation.get_variables("FIRST", "NONE", "LAST") == (value, "", value)
    assert len(peer.heard) == 1
    desk.done.set()
    await serving
    await peer.close()


async def test_an_answer_with_other_than_the_asked_values_is_no_agi(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    asking = asyncio.create_task(conversation.get_variables("A", "B"))
    tail = (await peer.asked())[-1].rpartition("}")[2]
    peer.say(f"200 result=1 (one{tail})")
    with pytest.raises(AgiProtocolError, match="1 values for 2"):
        await asking
    await peer.close()


async def test_several_variables_are_set_with_one_command(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    await asked(peer, "200 result=0", conversation.set_variables({"A": "1", "B": "", "C": "x2"}))
    assert peer.heard == [["EXEC", "MSet", "A=1,B=,C=x2"]]
    for value in ("a,b", "a=b", "${X}", 'say "hi"', "two\nlines", "張"):
        with pytest.raises(ValueError, match="expected letters and digits"):
            await conversation.set_variables({"A": value})
    await peer.close()


async def test_defect_5_get_data_keeps_its_timeout_flag(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    words = ("GET", "DATA", "beep", "5000", "4")
    assert await asked(peer, "200 result=12 (timeout)", conversation.command(*words)) == AgiReply(200, "12", "timeout")
    reply = await asked(peer, "200 result= (timeout)", conversation.command(*words))
    assert isinstance(reply, AgiReply)
    assert reply.is_timeout
    reply = await asked(peer, "200 result=1234", conversation.command(*words))
    assert isinstance(reply, AgiReply)
    assert not reply.is_timeout
    await peer.close()


async def test_defect_6_cp1251_name_is_replaced_not_fatal(desk: Desk) -> None:
    peer, conversation = await desk.dial(header(calleridname="Иван".encode("cp1251")))
    assert conversation.env["agi_calleridname"] == "\ufffd" * 4
    task = asyncio.create_task(conversation.get_variable("CALLERID(name)"))
    tail = (await peer.asked())[-1].removeprefix("${CALLERID(name)}")
    peer.say(b"200 result=1 (" + "Иван".encode("cp1251") + tail.encode() + b")")
    assert await task == "\ufffd" * 4
    await peer.close()


async def test_defect_7_a_command_times_out_and_its_late_reply_is_not_the_next_ones(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    with pytest.raises(AgiTimeoutError, match=r"nothing in 0\.02 s"):
        await conversation.command("CHANNEL", "STATUS", timeout_s=0.02)
    assert await peer.asked() == ["CHANNEL", "STATUS"]
    task = asyncio.create_task(conversation.command("NOOP"))
    peer.say("200 result=6")  # late
    await peer.answer("200 result=0")
    assert await task == AgiReply(200, "0")
    await peer.close()


async def test_defect_7_arguments_are_quoted_and_cannot_add_a_command(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    task = asyncio.create_task(conversation.set_variable("NAME", 'a "b" \\ c\r\nHANGUP\0'))
    assert await peer.answer("200 result=1") == ["SET", "VARIABLE", "NAME", 'a "b" \\ cHANGUP']
    await task
    await peer.close()


async def test_defect_8_stop_cancels_conversations_and_closes_sockets() -> None:
    cancelled = asyncio.Event()

    async def on_call(conversation: AgiConversation) -> None:
        try:
            await conversation.command("WAIT", "FOR", "DIGIT", "-1", timeout_s=60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    server = AgiServer(on_call)
    port = await server.start("127.0.0.1", 0)
    peer = await AgiPeer.connect(port)
    await peer.asked()
    assert server.conversations == 1
    await server.stop(1.0)
    assert cancelled.is_set()
    assert server.conversations == 0
    assert await peer.ended() == b""
    with pytest.raises(ConnectionRefusedError):
        await AgiPeer.connect(port)
    await peer.close()


async def test_defect_8_stop_ends_although_a_conversation_swallows_the_cancellation() -> None:
    stubborn = asyncio.Event()

    async def on_call(conversation: AgiConversation) -> None:
        with suppress(asyncio.CancelledError):
            await conversation.closed()
        stubborn.set()
        await conversation.closed()

    server = AgiServer(on_call)
    peer = await AgiPeer.connect(await server.start("127.0.0.1", 0))
    while not server.conversations:  # noqa: ASYNC110 - a turn of the loop, no clock
        await asyncio.sleep(0)
    await server.stop(0.05)
    assert stubborn.is_set()
    assert server.conversations == 0
    await peer.close()


async def test_defect_8_one_conversation_over_the_cap_is_refused() -> None:
    async with running(AgiLimits(conversations=1)) as desk:
        peer, conversation = await desk.dial()
        other = await AgiPeer.connect(desk.port)
        assert await other.ended() == b""
        assert desk.server.refused == {"full": 1}
        assert await asked(peer, "200 result=0", conversation.answer()) is None
        await other.close()
        await peer.close()


async def test_defect_8_a_failing_session_closes_its_own_connection_only() -> None:
    async def on_call(conversation: AgiConversation) -> None:
        if conversation.query:
            raise ZeroDivisionError("flow")
        await conversation.answer()

    server = AgiServer(on_call)
    port = await server.start("127.0.0.1", 0)
    bad = await AgiPeer.connect(port, header(network_script="call?bad=1"))
    assert await bad.ended() == b""
    good = await AgiPeer.connect(port)
    assert await good.answer("200 result=0") == ["ANSWER"]
    await good.ended()
    await server.stop(1.0)
    await bad.close()
    await good.close()


async def test_defect_9_path_and_query_are_told_apart(desk: Desk) -> None:
    peer, conversation = await desk.dial(header(network_script="call?node=a&again=1"))
    assert conversation.path == "/call"
    assert conversation.query == {"node": "a", "again": "1"}
    assert (conversation.channel, conversation.uniqueid) == ("PJSIP/trunk-00000001", "node1-1700000000.1")
    await peer.close()


# -- hang-up ---------------------------------------------------------------------------------------------


async def test_a_waiting_session_learns_of_hangup_at_once(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    waiting = asyncio.create_task(conversation.closed())
    peer.hang_up()
    async with asyncio.timeout(5):
        await waiting
    assert conversation.hung_up
    await peer.close()


async def test_a_waiting_session_learns_of_the_end_of_the_connection(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    await peer.close()
    async with asyncio.timeout(5):
        await conversation.closed()
    assert not conversation.hung_up


async def test_hangup_without_any_reply_ends_a_running_command() -> None:
    async with running(AgiLimits(hangup_s=0.02)) as desk:
        peer, conversation = await desk.dial()
        task = asyncio.create_task(conversation.execute("Dial", "PJSIP/2001"))
        await peer.asked()
        peer.hang_up()
        with pytest.raises(AgiHangupError):
            await task
        await peer.close()


@pytest.mark.parametrize("reply", ["200 result=-1\nHANGUP", "HANGUP\n200 result=-1", "200 result=-1 (hangup) endpos=8"])
async def test_minus_one_with_hangup_is_a_hangup(desk: Desk, reply: str) -> None:
    peer, conversation = await desk.dial()
    error = await asked(peer, reply, conversation.command("STREAM", "FILE", "x", ""))
    assert isinstance(error, AgiHangupError)
    await peer.close()


async def test_minus_one_alone_is_a_failed_command(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    error = await asked(peer, "200 result=-1", conversation.answer())
    assert isinstance(error, AgiCommandError)
    assert "ANSWER on PJSIP/trunk-00000001: expected success, came 200 result=-1" in str(error)
    assert not conversation.hung_up
    await peer.close()


async def test_hanging_up_is_success_although_it_ends_the_session(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    assert await asked(peer, "200 result=1\nHANGUP", conversation.hangup()) is None
    await peer.close()


# -- commands --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "played"),
    [
        ("200 result=0 endpos=8000", Played("", 8000, failed=False)),
        ("200 result=53 endpos=1600", Played("5", 1600, failed=False)),
        ("200 result=35 endpos=0", Played("#", 0, failed=False)),
        ("200 result=0 endpos=0", Played("", 0, failed=True)),
        ("200 result=-1 endpos=0", Played("", 0, failed=True)),
    ],
)
async def test_stream_file_tells_digit_offset_and_failure(desk: Desk, reply: str, played: Played) -> None:
    peer, conversation = await desk.dial()
    assert await asked(peer, reply, conversation.stream_file("hello world", "12#")) == played
    assert peer.heard == [["STREAM", "FILE", "hello world", "12#", "0"]]
    await peer.close()


async def test_execute_gives_the_result_and_refuses_an_unknown_application(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    assert await asked(peer, "200 result=3", conversation.execute("Queue", "a", "b")) == 3
    assert peer.heard == [["EXEC", "Queue", "a,b"]]
    assert isinstance(await asked(peer, "200 result=-2", conversation.execute("Fly")), AgiCommandError)
    assert isinstance(await asked(peer, "200 result=x", conversation.execute("Fly")), AgiProtocolError)
    await peer.close()


async def test_the_served_peer_and_every_typed_command_understand_each_other(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    serving = asyncio.create_task(peer.serve())
    await conversation.answer()
    await conversation.verbose('a "quoted" line', 2)
    await conversation.set_variable("X", "1")
    assert await conversation.get_variable("X") == "1"
    await conversation.gosub("callyard-ring", "s", 1, "PJSIP/2001", "20")
    await conversation.gosub("callyard-ring", "s", "again")
    await conversation.hangup()
    assert ["GOSUB", "callyard-ring", "s", "1", "PJSIP/2001,20"] in peer.heard
    desk.done.set()
    await serving
    await peer.close()


async def test_the_next_command_waits_for_the_reply_to_the_last(desk: Desk) -> None:
    """Two commands in one segment would leave the second unseen in Asterisk's buffer."""
    peer, conversation = await desk.dial()
    both = asyncio.gather(conversation.command("NOOP"), conversation.command("ANSWER"))
    first = await peer.asked()
    reading = asyncio.create_task(peer.asked())
    done, _ = await asyncio.wait({reading}, timeout=0.02)
    assert not done
    peer.say("200 result=1")
    assert {first[0], (await reading)[0]} == {"NOOP", "ANSWER"}
    peer.say("200 result=2")
    assert [reply.result for reply in await both] == ["1", "2"]
    await peer.close()


async def test_a_cancelled_command_leaves_the_next_one_its_own_reply(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    task = asyncio.create_task(conversation.stream_file("long"))
    await peer.asked()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    following = asyncio.create_task(conversation.command("NOOP"))
    peer.say("200 result=0 endpos=99")
    await peer.answer("200 result=5")
    assert (await following).result == "5"
    await peer.close()


async def test_lines_that_nobody_asked_for_are_dropped(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    first = await asked(peer, "200 result=1 (a)\nrest of it)", conversation.command("GET", "VARIABLE", "X"))
    assert first == AgiReply(200, "1", "a")
    assert await asked(peer, "200 result=9", conversation.command("NOOP")) == AgiReply(200, "9")
    await peer.close()


@pytest.mark.parametrize("nonsense", [b"HTTP/1.1 400 Bad Request", b"x" * 70_000, b"\xff\xfe"])
async def test_nonsense_closes_the_connection(desk: Desk, nonsense: bytes) -> None:
    peer, conversation = await desk.dial()
    assert isinstance(await asked(peer, nonsense, conversation.answer()), AgiProtocolError)
    with pytest.raises(AgiProtocolError):
        await conversation.answer()
    await peer.ended()
    await peer.close()


async def test_a_flood_that_nobody_asked_for_closes_the_connection(desk: Desk) -> None:
    peer, conversation = await desk.dial()
    peer.send(b"200 result=0\n" * 2000)
    async with asyncio.timeout(5):
        await conversation.closed()
    with pytest.raises(AgiProtocolError, match="nobody asked for"):
        await conversation.answer()
    await peer.close()


ASKERS: list[Callable[[AgiConversation], Awaitable[object]]] = [
    lambda call: call.command("NOOP", timeout_s=0.05),
    lambda call: call.execute("Dial", "x", timeout_s=0.05),
    lambda call: call.gosub("a", "b", 1, timeout_s=0.05),
]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.binary(max_size=40)
        | st.sampled_from([b"200 result=", b"-1", b"1 (", b")\n", b"\n", b"520-", b"HANGUP\n", b"100 "]),
        max_size=12,
    ).map(b"".join),
    st.sampled_from(ASKERS),
)
def test_random_bytes_as_replies_raise_only_agi_errors(
    data: bytes, ask: Callable[[AgiConversation], Awaitable[object]]
) -> None:
    async def scenario() -> None:
        async with running(AgiLimits(hangup_s=0.05)) as desk:
            peer, conversation = await desk.dial()
            task = asyncio.ensure_future(ask(conversation))
            await peer.asked()
            peer.send(data)
            await peer.close()
            (result,) = await asyncio.gather(task, return_exceptions=True)
            assert not isinstance(result, BaseException) or isinstance(result, AgiError), repr(result)

    asyncio.run(scenario())


async def test_five_hundred_sessions_at_once() -> None:
    count = 500
    together = asyncio.Barrier(count)
    seen: list[str | None] = []

    async def on_call(conversation: AgiConversation) -> None:
        await together.wait()
        await conversation.answer()
        await conversation.set_variable("ID", conversation.uniqueid)
        seen.append(await conversation.get_variable("ID"))

    async def call(port: int, number: int) -> None:
        async with await AgiPeer.connect(port, header(uniqueid=f"n-{number}.1")) as peer:
            await peer.serve()

    server = AgiServer(on_call)
    port = await server.start("127.0.0.1", 0)
    async with asyncio.timeout(30), asyncio.TaskGroup() as calls:
        for number in range(count):
            calls.create_task(call(port, number))
    await server.stop(1.0)
    assert sorted(filter(None, seen)) == sorted(f"n-{number}.1" for number in range(count))
    assert server.refused == {}
