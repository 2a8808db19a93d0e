"""Every known defect of panoramisk 1.4's AMI client, and that the link does not have it.

One test for each, numbered; where the cure is a whole group of tests in test_ami.py, the one here shows its core.
ACK texts are those of Asterisk's manager.c.
"""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import ssl

import pytest

from cti.ami import AmiEvent, AmiReply, Headers
from cti.ami_events import ChannelCreated, parse_event
from cti.ami_messages import as_event
from cti.ami_protocol import AmiConnection, AmiCounters, AmiStream
from cti.errors import (
    AmiHeaderError,
    AmiLinkLostError,
    AmiProtocolError,
    AmiTimeoutError,
    AmiUnavailableError,
)
from tests.fakes.ami import Answer, FakeAmi
from tests.fakes.ami_link import RunningLink


def ack(text: str) -> Answer:
    return lambda action: [action.reply("Success", ("Message", text))]


def command_output(lines: list[str]) -> Answer:
    output = [("Output", line) for line in lines]
    return lambda action: [action.reply("Success", ("Message", "Command output follows"), *output)]


class SpareTransport(asyncio.Transport):
    """Takes bytes and can be closed; nothing is at its other end."""

    def __init__(self) -> None:
        super().__init__()
        self.is_aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def abort(self) -> None:
        self.is_aborted = True


async def open_stream() -> tuple[AmiStream, list[AmiEvent], AmiConnection]:
    """Return a stream without a network, so that the test decides where segments end."""
    events: list[AmiEvent] = []
    connection = AmiConnection(
        node="a",
        host="",
        port=0,
        tls=None,
        max_message_bytes=1 << 16,
        list_prefix="callyard-",
        counters=AmiCounters(),
        on_event=events.append,
    )
    stream = AmiStream(connection, 1 << 16)
    stream.connection_made(SpareTransport())
    stream.data_received(b"Asterisk Call Manager/9.0.0\r\n")
    return stream, events, connection


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ("Originate", "Originate successfully queued"),
        ("Atxfer", "Atxfer successfully queued"),
        ("CancelAtxfer", "CancelAtxfer successfully queued"),
    ],
)
async def test_1_3_01_a_synchronous_ack_completes_the_action(action: str, text: str) -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        ami.answers[action.lower()] = ack(text)
        await running.up()
        reply = await running.link.act(action, {"Channel": "PJSIP/2001-1"})
        assert (reply.ok, reply.message) == (True, text)
        assert running.link.epoch == 1
        assert running.link.is_up


async def test_1_3_02_a_raising_listener_loses_neither_link_nor_the_rest_of_the_chunk() -> None:
    heard = []

    def fail_once(event: AmiEvent) -> None:
        heard.append(event.get("Uniqueid"))
        if event.get("Uniqueid") == "1":
            raise ValueError("listener")

    async with FakeAmi() as ami, RunningLink(ami, on_event=fail_once) as running:
        await running.up()
        ami.send(*[[("Event", "Hangup"), ("Uniqueid", str(number))] for number in range(4)])
        await running.until(lambda: len(running.named("Hangup")) == 4)
        assert heard[1:] == ["0", "1", "2", "3"]
        assert running.link.is_up
        assert running.link.counters.handler_errors == 1


async def test_1_3_03_a_line_break_in_any_header_sends_nothing() -> None:
    evil = "x\r\n\r\nAction: Command\r\nCommand: core stop now"
    names = ["Channel", "Exten", "Context", "Priority", "CallerID", "Variable", "Account", "Codecs", "ChannelId"]
    async with FakeAmi() as ami, RunningLink(ami) as running:
        await running.up()
        for name in names:
            for value in (evil, evil.replace("\r", ""), evil.replace("\n", ""), "x\0", [evil]):
                with pytest.raises(AmiHeaderError, match="nothing was sent"):
                    await running.link.act("Originate", {name: value})
        with pytest.raises(AmiHeaderError):
            await running.link.act(f"Ping\r\nX: {evil}")
        with pytest.raises(AmiHeaderError):
            await running.link.collect("Status", {evil: "x"})
        await running.link.act("Marker")
        assert [action["Action"] for action in ami.actions] == ["Challenge", "Login", "Marker"]


async def test_1_3_04_nothing_is_kept_for_later_and_futures_fail() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        ami.answers["originate"] = lambda action: []
        await running.up()
        pending = asyncio.create_task(running.link.act("Originate", {"Channel": "Local/1@x"}, timeout_s=60))
        await ami.arrived("originate")
        ami.drop()
        with pytest.raises(AmiLinkLostError):
            await pending
        await running.up(2)
        await running.link.act("Marker")
        assert len(ami.named("originate")) == 1
        assert ami.actions[-1]["Action"] == "Marker"


async def test_1_3_05_a_timed_out_action_is_forgotten_and_its_late_list_goes_nowhere() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        ami.answers["status"] = lambda action: []
        await running.up()
        for _ in range(3):
            with pytest.raises(AmiTimeoutError):
                await running.link.collect("Status", timeout_s=0.02)
        assert running.link.pending == 0
        await ami.arrived("status", 3)
        for action in ami.named("status"):
            ami.send(*action.list_of("Status", [[("Uniqueid", "1.1")]] * 5, "StatusComplete"))
        ami.send([("Event", "Hangup")])
        await running.until(lambda: bool(running.named("Hangup")))
        assert not running.named("Status")
        assert running.link.pending == 0


async def test_1_3_06_unanswered_pings_end_a_half_open_link() -> None:
    async with FakeAmi() as ami, RunningLink(ami, ping_every_s=0.02, ping_timeout_s=0.1) as running:
        ami.answers["ping"] = lambda action: []
        await running.up()
        await running.until(lambda: bool(running.downs))
        assert "no answer to Ping" in running.downs[0]
        assert len(ami.named("ping")) == 1


async def test_1_3_07_a_refused_login_is_a_typed_error_and_never_up() -> None:
    async with FakeAmi() as ami, RunningLink(ami, secret="wrong") as running:
        await running.until(lambda: bool(running.downs))
        assert running.link.last_error is not None
        assert running.link.last_error.code == "ami_login"
        assert "up" not in running.said
        with pytest.raises(AmiUnavailableError):
            await running.link.act("Ping")


async def test_1_3_08_a_character_that_two_segments_share_stays_whole() -> None:
    data = "Event: Newchannel\r\nCallerIDName: Иван 😀\r\nUniqueid: 1.1\r\n\r\n".encode()
    for cut in range(len(data) + 1):
        stream, events, _ = await open_stream()
        stream.data_received(data[:cut])
        stream.data_received(data[cut:])
        assert [event.get("CallerIDName") for event in events] == ["Иван 😀"], f"cut at byte {cut}"


async def test_1_3_09_stopped_while_it_waits_to_connect_again_it_stays_stopped() -> None:
    async with FakeAmi() as ami:
        async with RunningLink(ami, backoff_min_s=0.02, backoff_max_s=0.02) as running:
            await running.up()
            ami.drop()
            await running.until(lambda: bool(running.downs))
        async with RunningLink(ami, ping_every_s=0.02) as other:
            await other.up()
            await ami.arrived("ping", 3)
        assert len(ami.opened_at) == 2


async def test_1_3_10_connecting_has_a_limit_and_acting_before_it_is_refused() -> None:
    async with FakeAmi(banner=b"") as ami:
        tls = ssl.create_default_context()
        async with RunningLink(ami, tls=tls, connect_timeout_s=0.05) as running:
            with pytest.raises(AmiUnavailableError):
                await running.link.act("Ping")
            await running.until(lambda: bool(running.downs))
            assert isinstance(running.link.last_error, AmiTimeoutError)
            await ami.until(lambda: len(ami.opened_at) >= 2)


async def test_1_3_11_events_are_given_by_one_task_in_order() -> None:
    tasks = set()

    def note(event: AmiEvent) -> None:
        tasks.add(asyncio.current_task())

    async with FakeAmi() as ami, RunningLink(ami, on_event=note) as running:
        await running.up()
        before = len(asyncio.all_tasks())
        ami.send(*[[("Event", "Hangup"), ("Uniqueid", str(number))] for number in range(1_000)])
        await running.until(lambda: len(running.named("Hangup")) == 1_000)
        assert [event.get("Uniqueid") for event in running.named("Hangup")] == [str(n) for n in range(1_000)]
        assert len(tasks) == 1
        assert len(asyncio.all_tasks()) <= before


async def test_1_3_12_an_event_with_our_action_id_reaches_the_action_and_the_listener() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        ami.answers["originate"] = lambda action: [
            action.event("OriginateResponse", ("Response", "Failure"), ("Uniqueid", "1.1")),
            action.reply("Success", ("Message", "Originate successfully queued")),
            action.event("OriginateResponse", ("Response", "Success"), ("Uniqueid", "1.2")),
        ]
        await running.up()
        reply = await running.link.act("Originate", {"Async": "true"})
        await running.until(lambda: len(running.named("OriginateResponse")) == 2)
        assert [event.get("Uniqueid") for event in running.named("OriginateResponse")] == ["1.1", "1.2"]
        assert [event.get("Uniqueid") for event in reply.events] == ["1.1"]


async def test_1_3_13_the_words_of_an_ack_decide_nothing() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        await running.up()
        for text in ("Added interface to queue", "Result will follow", "will follow", ""):
            ami.answers["queueadd"] = ack(text)
            assert (await running.link.act("QueueAdd", timeout_s=5.0)).message == text


async def test_1_3_14_output_is_always_lines_and_repeated_headers_merge_in_any_case() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        await running.up()
        for lines in ([], ["one"], ["one", "", "three: 3"]):
            ami.answers["command"] = command_output(lines)
            assert (await running.link.act("Command", {"Command": "x"})).output == tuple(lines)
        ami.send([("Event", "Status"), ("Variable", "a=1"), ("variable", "b=2")])
        await running.until(lambda: bool(running.named("Status")))
        assert running.named("Status")[0].all("VARIABLE") == ("a=1", "b=2")


async def test_1_3_15_a_typo_is_an_error_and_values_copy_and_pickle() -> None:
    stream, events, _ = await open_stream()
    stream.data_received(b"Event: Hangup\r\nUniqueid: 1.1\r\n\r\n")
    event = events[0]
    with pytest.raises(AttributeError):
        _ = event.uniqueiid  # type: ignore[attr-defined]
    with pytest.raises(AmiProtocolError):
        event.require("Uniqueiid")
    reply = AmiReply(True, "", event.headers, (event,))
    assert pickle.loads(pickle.dumps(copy.deepcopy(reply))) == copy.copy(reply)


async def test_1_3_16_calls_of_one_second_stay_apart_and_nothing_is_kept_of_them() -> None:
    lines = ("Channel", "PJSIP/1-1"), ("ChannelStateDesc", "Down")
    made = [
        parse_event(as_event("a", Headers([("Event", "Newchannel"), ("Uniqueid", uid), ("Linkedid", uid), *lines])))
        for uid in (f"a-1700000000.{number}" for number in range(100))
    ]
    assert len({one.uniqueid for one in made if isinstance(one, ChannelCreated)}) == 100

    async with FakeAmi() as ami, RunningLink(ami) as running:
        await running.up()
        for number in range(1_000):
            ami.send([("Event", "Newchannel"), ("Uniqueid", f"a-1700000000.{number}")])
            ami.send([("Event", "Hangup"), ("Uniqueid", f"a-1700000000.{number}")])
        await running.until(lambda: len(running.named("Hangup")) == 1_000)
        running.said.clear()
        gc.collect()
        assert sum(isinstance(one, AmiEvent) for one in gc.get_objects()) <= 1


async def test_1_3_17_a_partial_message_has_a_limit_and_pieces_are_not_joined_again_and_again() -> None:
    stream, events, connection = await open_stream()
    message = b"Event: Hangup\r\nA: " + b"x" * 60_000 + b"\r\n\r\n"
    for at in range(0, len(message), 7):
        stream.data_received(message[at : at + 7])
    assert len(events) == 1
    stream.data_received(b"Event: Endless\r\nA: ")
    for _ in range(20_000):
        stream.data_received(b"x" * 7)
        if stream.closed:
            break
    assert isinstance(connection.error, AmiProtocolError)
    assert stream.transport.is_aborted


async def test_1_3_18_the_secret_stays_home_the_end_is_said_and_events_have_a_bound() -> None:
    async with FakeAmi(secret="very-secret") as ami:
        async with RunningLink(ami, max_events_queued=20) as running:
            await running.up()
            ami.send(*[[("Event", "Hangup")] for _ in range(1_000)])
            await running.up(2)
            assert running.link.counters.overflows == 1
        await ami.arrived("logoff")
        assert b"very-secret" not in ami.raw
