"""The AMI link against a scripted server: it stays up, says when it is down, sends nothing twice, leaks nothing.

One list of what a link may meet, kept together to be checked off: hence more than 400 lines.
"""

from __future__ import annotations

import asyncio
import gc
import random
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from cti.ami import AmiEvent, AmiReply, AmiSettings, backoff_s
from cti.ami_protocol import AmiAction
from cti.errors import (
    AmiActionError,
    AmiBusyError,
    AmiHeaderError,
    AmiLinkLostError,
    AmiProtocolError,
    AmiTimeoutError,
    AmiUnavailableError,
    CtiError,
)
from tests.fakes.ami import Answer, FakeAmi
from tests.fakes.ami_link import RunningLink

LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
Run = Callable[[Coroutine[Any, Any, None]], None]


def silence(*names: str) -> dict[str, Answer]:
    return dict.fromkeys(names, lambda action: [])


class Recorder(random.Random):
    """Draws the lower end, and notes what was asked for."""

    def __init__(self) -> None:
        super().__init__(0)
        self.drawn: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.drawn.append((a, b))
        return a


# --- up, events, actions ---------------------------------------------------------------------------------


@LOOPS
def test_events_come_in_order_between_up_and_down(run: Run) -> None:
    async def body() -> None:
        async with FakeAmi() as ami, RunningLink(ami) as running:
            await running.up()
            assert (running.link.is_up, running.link.epoch, running.link.node) == (True, 1, "a")
            ami.send(*[[("Event", "Hangup"), ("Uniqueid", str(number))] for number in range(500)])
            await running.until(lambda: len(running.named("Hangup")) == 500)
            ami.drop()
            await running.until(lambda: bool(running.downs))
            await running.up(2)
            assert running.link.epoch == 2
        assert running.said[0] == "up"
        assert running.said[1].name == "FullyBooted"
        assert [event.get("Uniqueid") for event in running.named("Hangup")] == [str(n) for n in range(500)]
        assert [one if isinstance(one, str) else one[0] for one in running.said if not isinstance(one, AmiEvent)] == [
            "up",
            "down",
            "up",
        ]

    run(body())


@LOOPS
def test_an_action_gets_its_own_answer(run: Run) -> None:
    async def body() -> None:
        async with FakeAmi() as ami, RunningLink(ami) as running:
            ami.answers["getvar"] = lambda action: [action.reply("Success", ("Value", action["Variable"] * 2))]
            await running.up()
            replies = await asyncio.gather(
                *(running.link.act("Getvar", {"Variable": f"v{number}"}) for number in range(50))
            )
            assert [reply.headers["value"] for reply in replies] == [f"v{n}v{n}" for n in range(50)]
            assert len({action["ActionID"] for action in ami.actions}) == len(ami.actions)
            assert running.link.pending == 0

    run(body())


async def test_a_header_with_several_values_is_sent_once_for_each() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        await running.up()
        await running.link.act("Originate", {"Channel": "Local/1@x", "Variable": ["A=1,2", "B=ü"], "Codecs": ()})
        action = await ami.arrived("originate")
        assert action.all("Variable") == ["A=1,2", "B=ü"]
        assert action.all("Codecs") == []


async def test_an_action_that_asterisk_refuses_is_an_error_with_its_words() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        ami.answers["hangup"] = lambda action: [action.reply("Error", ("Message", "No such channel"))]
        await running.up()
        with pytest.raises(AmiActionError) as caught:
            await running.link.act("Hangup", {"Channel": "PJSIP/2001-1"})
        assert (caught.value.action, caught.value.reason) == ("Hangup", "No such channel")
        assert "PJSIP/2001-1" in str(caught.value)


async def test_collect_returns_the_entries_and_keeps_them_from_the_listener() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        ami.answers["status"] = lambda action: action.list_of(
            "Status", [[("Uniqueid", f"1.{n}")] for n in range(3)], "StatusComplete"
        )
        ami.answers["bridgelist"] = lambda action: action.list_of("BridgeListItem", [], "BridgeListComplete")
        await running.up()
        entries = await running.link.collect("Status", {"Variables": "A,B"})
        assert [entry.get("Uniqueid") for entry in entries] == ["1.0", "1.1", "1.2"]
        assert {entry.name for entry in entries} == {"Status"}
        assert await running.link.collect("BridgeList") == ()
        reply = await running.link.act("Status")
        assert (reply.ok, len(reply.events)) == (True, 3)
        ami.send([("Event", "Hangup"), ("Uniqueid", "last")])
        await running.until(lambda: bool(running.named("Hangup")))
        assert [event.name for event in running.events] == ["FullyBooted", "Hangup"]


async def test_collect_of_what_is_no_list_is_an_error() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        await running.up()
        with pytest.raises(AmiProtocolError, match="Setvar is no list"):
            await running.link.collect("Setvar")


async def test_a_list_that_asterisk_breaks_off_is_an_error() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        ami.answers["status"] = lambda action: [
            action.reply("Success", ("EventList", "start"), ("Message", "Channel status will follow")),
            action.event("Status", ("Uniqueid", "1.1")),
            action.event("StatusComplete", ("EventList", "cancelled")),
        ]
        await running.up()
        with pytest.raises(AmiActionError):
            await running.link.collect("Status")
        assert running.link.pending == 0


async def test_flood_events_are_dropped_unread() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        await running.up()
        for name in ("VarSet", "Newexten", "RTCPSent", "RTCPReceived", "VarSetting"):
            ami.send([("Event", name), ("Uniqueid", "1.1")])
        await running.until(lambda: bool(running.named("VarSetting")))
        assert [event.name for event in running.events] == ["FullyBooted", "VarSetting"]
        assert running.link.counters.flood_dropped == 4


async def test_a_message_that_cannot_be_read_is_counted_and_the_rest_goes_on() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        await running.up()
        ami.write(b"what is this\r\n\r\nEvent: Hangup\r\nUniqueid: 1.1\r\n\r\n")
        await running.until(lambda: bool(running.named("Hangup")))
        assert running.link.counters.unreadable == 1
        assert running.link.is_up


# --- what must never be sent -----------------------------------------------------------------------------


@given(st.sampled_from(["\r", "\n", "\r\n", "\0", "\r\n\r\nAction: Command\r\nCommand: core stop now"]), st.data())
def test_no_line_break_leaves_in_any_place(evil: str, data: st.DataObject) -> None:
    text = data.draw(st.text(max_size=5)) + evil + data.draw(st.text(max_size=5))
    for action, headers in (
        (text, {}),
        ("Originate", {text: "x"}),
        ("Originate", {"CallerID": text}),
        ("Originate", {"Variable": ["A=1", text]}),
    ):
        with pytest.raises(AmiHeaderError):
            AmiAction(action, headers, "id")


@pytest.mark.parametrize(
    "headers",
    [
        {"": "x"},
        {"A:B": "x"},
        {" A": "x"},
        {"Ä": "x"},
        {"ActionID": "mine"},
        {"action": "Command"},
        {"Channel": "a", "channel": "b"},
        {"Channel": 5},
        {"Channel": None},
        {"Channel": ["a", 5]},
        {"Channel": "\ud800"},
        {"Channel": "x" * 1014},
        {"Channel": "ж" * 507},
        {"Variable": ["A=1"] * 127},
    ],
    ids=lambda headers: ascii(headers)[:30],
)
def test_what_asterisk_would_read_differently_is_refused(headers: dict[str, Any]) -> None:
    with pytest.raises(AmiHeaderError) as caught:
        AmiAction("Originate", headers, "id")
    assert isinstance(caught.value, (ValueError, AmiActionError))
    assert len(str(caught.value)) < 1_000


async def test_what_is_just_short_enough_is_sent() -> None:
    text = str(AmiAction("Originate", {"Channel": "x" * 1013, "Variable": ["A=1"] * 125}, "id"))
    assert max(map(len, text.encode().split(b"\r\n"))) == 1022
    assert text.endswith("\r\n\r\n")
    assert text.count("\r\n") == 1 + 1 + 1 + 125 + 1


# --- down, and down again --------------------------------------------------------------------------------


async def test_pending_actions_fail_when_the_link_is_lost() -> None:
    async with FakeAmi() as ami, RunningLink(ami, backoff_min_s=60.0, backoff_max_s=60.0) as running:
        ami.answers |= silence("originate", "status")
        await running.up()
        loop = asyncio.get_running_loop()
        tasks = [
            *(asyncio.create_task(running.link.act("Originate", timeout_s=60.0)) for _ in range(20)),
            asyncio.create_task(running.link.collect("Status", timeout_s=60.0)),
        ]
        await ami.arrived("status")
        began = loop.time()
        ami.drop()
        async with asyncio.timeout(5):
            errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert loop.time() - began < 1.0
        assert {type(error) for error in errors} == {AmiLinkLostError}
        assert not running.link.is_up
        assert running.link.pending == 0
        with pytest.raises(AmiUnavailableError):
            await running.link.act("Originate")


async def test_nothing_of_an_outage_is_sent_afterwards() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        ami.answers |= silence("originate")
        await running.up()
        lost = asyncio.create_task(running.link.act("Originate", {"Channel": "Local/lost@x"}, timeout_s=60.0))
        await ami.arrived("originate")
        await ami.stop()
        with pytest.raises(AmiLinkLostError):
            await lost
        for _ in range(5):
            with pytest.raises(AmiUnavailableError):
                await running.link.act("Originate", {"Channel": "Local/refused@x"})
        async with ami:
            await running.up(2)
            await running.link.act("Marker")
            await ami.arrived("marker")
        assert [action["Channel"] for action in ami.named("originate")] == ["Local/lost@x"]


async def test_an_action_before_the_first_login_is_refused() -> None:
    async with FakeAmi() as ami:
        running = RunningLink(ami)
        with pytest.raises(AmiUnavailableError, match="was not sent"):
            await running.link.act("Ping")
        assert (running.link.is_up, running.link.epoch, running.link.pending) == (False, 0, 0)


async def test_a_thousand_timeouts_leave_nothing_pending_and_late_answers_are_counted() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        ami.answers |= silence("getvar", "status")
        await running.up()
        results = await asyncio.gather(
            *(running.link.act("Getvar", timeout_s=0.05) for _ in range(999)),
            running.link.collect("Status", timeout_s=0.05),
            return_exceptions=True,
        )
        assert {type(result) for result in results} == {AmiTimeoutError}
        assert running.link.pending == 0
        await ami.until(lambda: len(ami.named("getvar")) == 999 and len(ami.named("status")) == 1)
        for action in ami.named("getvar"):
            ami.send(action.reply("Success"))
        ami.send(*ami.named("status")[0].list_of("Status", [[("Uniqueid", "1.1")]], "StatusComplete"))
        ami.send([("Event", "Hangup")])
        await running.until(lambda: bool(running.named("Hangup")))
        assert running.link.pending == 0
        assert running.link.counters.late_answers == 999 + 3
        assert [event.name for event in running.events] == ["FullyBooted", "Hangup"]


async def test_cancelled_actions_leave_nothing_pending() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        ami.answers |= silence("getvar")
        await running.up()
        tasks = [asyncio.create_task(running.link.act("Getvar")) for _ in range(50)]
        await ami.arrived("getvar", 50)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert running.link.pending == 0


async def test_too_many_pending_actions_are_refused_but_the_watchdog_lives() -> None:
    async with FakeAmi() as ami, RunningLink(ami, max_pending_actions=3, ping_every_s=0.02) as running:
        ami.answers |= silence("getvar")
        await running.up()
        tasks = [asyncio.create_task(running.link.act("Getvar", timeout_s=60.0)) for _ in range(3)]
        await ami.arrived("getvar", 3)
        with pytest.raises(AmiBusyError, match="3 actions wait"):
            await running.link.act("Getvar")
        await ami.arrived("ping", 3)
        assert len(ami.named("getvar")) == 3
        await running.stop()
        assert {type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)} == {AmiLinkLostError}


async def test_a_peer_that_reads_nothing_is_not_sent_more_than_buffers_hold() -> None:
    async with FakeAmi() as ami, RunningLink(ami, max_pending_actions=1_000_000) as running:
        await running.up()
        ami.sessions[0].stop_reading()
        tasks: list[asyncio.Task[AmiReply]] = []
        while not any(task.done() for task in tasks) and len(tasks) < 50_000:
            values = ["A=" + "x" * 1_000] * 100
            tasks += [
                asyncio.create_task(running.link.act("Originate", {"Variable": values}, timeout_s=60.0))
                for _ in range(10)
            ]
            await asyncio.sleep(0)
        await running.stop()
        errors = {str(error) for error in await asyncio.gather(*tasks, return_exceptions=True)}
        assert any("does not read its commands" in error for error in errors)


async def test_a_list_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cti.ami_protocol._MAX_LIST_ENTRIES", 5)
    async with FakeAmi() as ami, RunningLink(ami) as running:
        ami.answers["status"] = lambda action: action.list_of("Status", [[("A", "1")]] * 6, "StatusComplete")
        await running.up()
        with pytest.raises(AmiProtocolError, match="more than 5 entries"):
            await running.link.collect("Status")
        assert running.link.pending == 0


async def test_an_answer_to_no_action_is_counted() -> None:
    async with FakeAmi() as ami, RunningLink(ami) as running:
        await running.up()
        ami.send([("Response", "Error"), ("Message", "Missing action in request")], [("Event", "Hangup")])
        await running.until(lambda: bool(running.named("Hangup")))
        assert running.link.counters.late_answers == 1


@LOOPS
def test_a_peer_that_is_silent_is_left_and_tried_again(run: Run) -> None:
    async def body() -> None:
        async with FakeAmi() as ami, RunningLink(ami, ping_every_s=0.02, ping_timeout_s=0.3) as running:
            await running.up()
            await ami.arrived("ping", 2)
            assert not running.downs
            ami.is_silent = True
            await running.until(lambda: bool(running.downs))
            assert "no answer to Ping" in running.downs[0]
            ami.is_silent = False
            await running.up(2)
            assert running.link.counters.lost_links == 1

    run(body())


async def test_a_wrong_secret_is_said_once_and_tried_again_ever_more_slowly() -> None:
    jitter = Recorder()
    async with (
        FakeAmi() as ami,
        RunningLink(ami, secret="wrong", jitter=jitter, backoff_min_s=0.02, backoff_max_s=0.1) as running,
    ):
        await ami.arrived("login", 5)
        assert running.link.last_error is not None
        assert running.link.last_error.code == "ami_login"
        assert len(running.downs) == 1
        assert "refused user 'callyard': Authentication failed" in running.downs[0]
        assert "wrong" not in running.downs[0]
        assert ami.logins == running.link.epoch == 0
        gaps = [after - before for before, after in zip(ami.opened_at, ami.opened_at[1:], strict=False)]
        for gap, least in zip(gaps, [0.01, 0.02, 0.04, 0.05], strict=False):
            assert gap >= least * 0.95
        assert set(jitter.drawn) == {(0.5, 1.0)}


def test_backoff_doubles_up_to_its_cap_and_is_spread() -> None:
    settings = AmiSettings("a", "h", 1, "u", "s", backoff_min_s=0.5, backoff_max_s=8.0)
    low = Recorder()
    assert [backoff_s(settings, failures, low) * 2 for failures in range(7)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert backoff_s(settings, 10_000, low) == 4.0
    drawn = {backoff_s(settings, 4, random.Random(seed)) for seed in range(50)}
    assert len(drawn) > 40
    assert min(drawn) >= 4.0
    assert max(drawn) <= 8.0


async def test_each_new_kind_of_failure_is_said() -> None:
    async with FakeAmi() as ami, RunningLink(ami, secret="wrong") as running:
        await running.until(lambda: len(running.downs) == 1)
        await ami.stop()
        await running.until(lambda: len(running.downs) == 2)
        assert "cannot connect" in running.downs[1]
        assert running.said.count("up") == 0


async def test_a_peer_that_is_no_asterisk_is_an_error_not_a_hang() -> None:
    async with FakeAmi(banner=b"SSH-2.0-OpenSSH_9\r\n") as ami, RunningLink(ami) as running:
        await running.until(lambda: bool(running.downs))
        assert isinstance(running.link.last_error, AmiProtocolError)
        assert "SSH-2.0" in running.downs[0]


async def test_a_peer_that_accepts_and_says_nothing_is_given_up() -> None:
    async with FakeAmi(banner=b"") as ami, RunningLink(ami, connect_timeout_s=0.1) as running:
        ami.is_silent = True
        await running.until(lambda: bool(running.downs))
        assert isinstance(running.link.last_error, AmiTimeoutError)


async def test_an_endless_message_drops_the_link() -> None:
    async with FakeAmi() as ami, RunningLink(ami, max_message_bytes=2_000) as running:
        await running.up()
        ami.write(b"Event: Endless\r\nA: " + b"x" * 10_000)
        await running.until(lambda: bool(running.downs))
        assert "longer than the limit of 2000 bytes" in running.downs[0]
        await running.up(2)


async def test_more_events_than_may_wait_drop_the_link_and_the_gap_is_known() -> None:
    async with FakeAmi() as ami, RunningLink(ami, max_events_queued=200) as running:
        await running.up()
        ami.send(*[[("Event", "Hangup"), ("Uniqueid", str(number))] for number in range(5_000)])
        await running.until(lambda: bool(running.downs))
        heard = [event.get("Uniqueid") for event in running.named("Hangup")]
        assert heard == [str(number) for number in range(len(heard))]
        assert 200 <= len(heard) < 5_000
        assert all(isinstance(one, AmiEvent) for one in running.said[1 : 1 + len(heard)])
        assert "more than 200 events wait" in running.downs[0]
        assert running.link.counters.overflows == 1
        await running.up(2)


async def test_others_get_their_turn_while_many_events_wait() -> None:
    count = 0
    at_next_turn: list[int] = []

    def note(event: AmiEvent) -> None:
        nonlocal count
        if event.name == "Hangup":
            count += 1
            if count == 1:
                asyncio.get_running_loop().call_soon(lambda: at_next_turn.append(count))

    async with FakeAmi() as ami, RunningLink(ami, on_event=note) as running:
        await running.up()
        ami.send(*[[("Event", "Hangup")] for _ in range(2_000)])
        await running.until(lambda: count == 2_000)
        assert at_next_turn[0] <= 64


async def test_a_hundred_thousand_events_need_bounded_memory() -> None:
    most = 0
    count = 0

    def weigh(event: AmiEvent) -> None:
        nonlocal most, count
        count += 1
        if count % 10_000 == 0:
            most = max(most, sum(isinstance(one, AmiEvent) for one in gc.get_objects()))

    async with FakeAmi() as ami, RunningLink(ami, on_event=weigh) as running:
        await running.up()
        running.said = _Last()
        burst = b"".join(
            b"Event: Newstate\r\nUniqueid: %d\r\nChannel: PJSIP/2001-1\r\n\r\n" % number for number in range(2_000)
        )
        for _ in range(50):
            ami.write(burst)
        ami.send([("Event", "Last")])
        await running.until(lambda: count >= 100_000 and bool(running.named("Last")))
        assert running.link.counters.overflows == 0
        assert 0 < most <= running.link.settings.max_events_queued


class _Last(list[Any]):
    """Keeps only what came last, so that the test itself holds no events."""

    def append(self, item: Any) -> None:
        self[:] = [item]


async def test_a_listener_that_raises_changes_nothing() -> None:
    def fail(event: AmiEvent) -> None:
        raise RuntimeError(f"cannot bear {event.name}")

    async with FakeAmi() as ami, RunningLink(ami, on_event=fail) as running:
        await running.up()
        ami.send(*[[("Event", "Hangup")] for _ in range(10)])
        await running.until(lambda: len(running.named("Hangup")) == 10)
        assert (await running.link.act("Ping")).ok
        assert running.link.counters.handler_errors == 11
        assert (running.link.is_up, running.link.epoch) == (True, 1)


async def test_listeners_of_up_and_down_that_raise_change_nothing() -> None:
    async with FakeAmi() as ami:
        running = RunningLink(ami)

        def fail(*_: object) -> None:
            raise RuntimeError("no")

        running.link._on_up = fail
        running.link._on_down = fail
        async with running:
            await running.until(lambda: len(running.named("FullyBooted")) == 1)
            ami.drop()
            await running.until(lambda: len(running.named("FullyBooted")) == 2)
            assert running.link.counters.handler_errors == 3


# --- the end ---------------------------------------------------------------------------------------------


@LOOPS
def test_stopped_it_logs_off_and_leaves_nothing(run: Run) -> None:
    async def body() -> None:
        async with FakeAmi() as ami:
            running = RunningLink(ami)
            async with running:
                await running.up()
                await ami.until(lambda: len(ami.sessions) == 1)
            await ami.until(lambda: not ami.sessions)
            assert len(ami.named("logoff")) == 1
            assert running.downs == []
            assert not running.link.is_up
            with pytest.raises(AmiUnavailableError):
                await running.link.act("Ping")
            assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("ami-")] == []

    run(body())


async def test_stopped_beside_a_silent_peer_it_still_ends() -> None:
    async with FakeAmi() as ami:
        async with RunningLink(ami) as running:
            await running.up()
            ami.is_silent = True
        await ami.until(lambda: not ami.sessions)
        assert len(ami.named("logoff")) == 1


async def test_stopped_between_two_attempts_it_does_not_connect_again() -> None:
    async with FakeAmi() as ami:
        async with RunningLink(ami, backoff_min_s=0.05, backoff_max_s=0.05) as running:
            await running.up()
            ami.drop()
            await running.until(lambda: bool(running.downs))
        assert len(ami.opened_at) == 1
        # A second link that comes up later shows that the time of another attempt has gone by.
        async with RunningLink(ami, ping_every_s=0.03) as second:
            await second.up()
            await ami.arrived("ping", 4)
        assert len(ami.opened_at) == 2


@pytest.mark.parametrize("where", ["challenge", "login"])
async def test_stopped_while_it_logs_in_it_closes(where: str) -> None:
    async with FakeAmi() as ami:
        ami.answers |= silence(where)
        async with RunningLink(ami) as running:
            await ami.arrived(where)
        await ami.until(lambda: not ami.sessions)
        assert running.said == []


async def test_stopped_twice_while_it_logs_off_it_closes() -> None:
    async with FakeAmi() as ami:
        ami.answers |= silence("logoff")
        running = RunningLink(ami)
        running.start()
        await running.up()
        assert running.task is not None
        running.task.cancel()
        await ami.arrived("logoff")
        await running.stop()
        await ami.until(lambda: not ami.sessions)


async def test_it_runs_once_at_a_time_and_can_run_again() -> None:
    async with FakeAmi() as ami:
        running = RunningLink(ami)
        async with running:
            await running.up()
            with pytest.raises(RuntimeError, match="runs already"):
                await running.link.run()
        async with running:
            await running.up(2)


# --- login and TLS ---------------------------------------------------------------------------------------


async def test_the_secret_does_not_cross_the_network() -> None:
    async with FakeAmi(secret="very-secret-words") as ami, RunningLink(ami) as running:
        await running.up()
        assert b"very-secret-words" not in ami.raw
        assert (await ami.arrived("login"))["AuthType"] == "MD5"
        assert "very-secret-words" not in repr(running.link.settings)


async def test_without_challenge_it_logs_in_plainly() -> None:
    async with FakeAmi(has_challenge=False) as ami, RunningLink(ami) as running:
        await running.up()
        assert (await ami.arrived("login"))["Secret"] == ami.secret


@LOOPS
def test_over_tls(run: Run, certificate: Path) -> None:
    async def body() -> None:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate)
        client = ssl.create_default_context(cafile=str(certificate))
        async with FakeAmi(tls=server) as ami, RunningLink(ami, tls=client) as running:
            await running.up()
            assert (await running.link.act("Ping")).headers["Ping"] == "Pong"
            ami.drop()
            await running.up(2)

    run(body())


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    async with FakeAmi(tls=server) as ami, RunningLink(ami, tls=ssl.create_default_context()) as running:
        await running.until(lambda: bool(running.downs))
        assert "certificate verify failed" in running.downs[0]
        assert ami.actions == []


async def test_a_tls_peer_that_stays_silent_is_given_up() -> None:
    async with (
        FakeAmi(banner=b"") as ami,
        RunningLink(ami, tls=ssl.create_default_context(), connect_timeout_s=0.1) as running,
    ):
        await running.until(lambda: bool(running.downs))
        assert isinstance(running.link.last_error, AmiTimeoutError)


def test_every_error_has_its_own_code() -> None:
    def all_of(kind: type[CtiError]) -> list[type[CtiError]]:
        return [kind, *(one for sub in kind.__subclasses__() for one in all_of(sub))]

    codes = [kind.code for kind in all_of(CtiError) if kind.__module__ == "cti.errors"]
    assert len(codes) == len(set(codes)) == 11
