"""Calls that come into our AGI: new ones, those that come back, and those that we cannot serve."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from acd.commands import InteractionClosed, InteractionOpened
from acd.events import CallerLeft, InteractionArrived, InteractionAttached
from acd.model import Outcome, Stage
from cti import arrivals as arrivals_module
from cti.errors import AmiUnavailableError
from cti.ivr_session import IvrSession
from cti.presented import LONGEST_NAME, name_of, variables_of
from tests.fakes.clock import settle
from tests.fakes.reception import Reception
from tests.fakes.site import NUMBER, small_site

C = "lab1-1.1"
HELLO = "\n  door:\n    - menu: Hello\n      keys: { 1: line }\n      wait: 60s\n  line:\n    - queue: billing\n"


@pytest.fixture(autouse=True)
def short_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals_module, "HANGUP_LAG_S", 0.05)


def opened(reception: Reception) -> list[tuple[str, str, str, str]]:
    facts = reception.board.office.every(InteractionOpened)
    return [(fact.interaction_id, fact.caller, fact.dialled, fact.flow) for fact in facts]


async def test_a_new_call_is_an_interaction_whose_customer_is_looked_up(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO) as reception, reception.call() as call:
        await call.playing("Hello")
        assert opened(reception) == [(C, "+4930123456", NUMBER, "main")]
        assert reception.directory.asked == [(C, "number", "+4930123456")]
        assert call.variables["CALLYARD_SEEN"] == "1"
        assert reception.board.exchange.calls.is_alive(C)


async def test_the_number_that_the_dialplan_noted_counts_and_its_labels_go_along(tmp_path: Path) -> None:
    async with Reception(tmp_path, "\n  door:\n    - say: '{line} of {dialled}'\n") as reception:
        async with reception.call() as call:
            await call.playing(f"Main of {NUMBER}")


async def test_the_interaction_is_what_the_channel_carries(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO) as reception:
        async with reception.call(uniqueid="lab1-1.7", variables={"CALLYARD_INTERACTION": "lab1-1.3"}) as call:
            await call.playing("Hello")
            assert [row[0] for row in opened(reception)] == ["lab1-1.3"]
            assert reception.board.exchange.calls.caller_channel("lab1-1.3") == ("lab1", call.channel)


async def test_an_unlisted_number_is_refused_and_counted(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO) as reception, reception.call(number="+4989999") as call:
        await call.over()
        assert call.log == ["done, cause 1"]
        closed = reception.board.office.last(InteractionClosed)
        assert (closed.outcome, closed.detail) == (Outcome.REFUSED, "unlisted number")
        assert reception.arrivals.counts["unlisted_number"] == 1


async def test_a_call_of_a_node_that_nobody_configured_is_left_to_its_dialplan(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO) as reception, reception.call(uniqueid="other-1.1") as call:
        await call.over()
        assert call.log == []
        assert opened(reception) == []
        assert reception.arrivals.counts["unknown_node"] == 1


async def test_a_call_waits_until_the_world_is_known(tmp_path: Path) -> None:
    """Or a caller who comes back would be taken for a new one."""
    async with Reception(tmp_path, HELLO) as reception:
        reception.world_known.clear()
        async with reception.call() as call:
            await settle()
            assert opened(reception) == []
            reception.world_known.set()
            await call.playing("Hello")


async def test_a_call_does_not_wait_for_the_world_for_ever(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO, wait_for_world_s=0.02) as reception:
        reception.world_known.clear()
        async with reception.call() as call:
            await call.playing("Hello")


async def test_a_call_that_comes_back_goes_on_where_it_was(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO) as reception, reception.call() as call:
        await call.playing("Hello")
        call.press("1")
        await call.logged("music default")
        call.end_agi()
        await call.over()
        await call.leave_agi()
        call.variables["CALLYARD_AWAY"] = "1"
        call.variables["CALLYARD_AWAY_SINCE"] = "1700000000"
        await call.enter()
        await call.logged("music default", 2)
        assert call.log.count("play Hello") == 1
        assert call.log.count("answered") == 1
        assert len(opened(reception)) == 1
        assert (call.variables["CALLYARD_AWAY"], call.variables["CALLYARD_AWAY_SINCE"]) == ("", "")


@pytest.mark.parametrize(
    ("away_for_s", "lost_s"), [(24, 24), (0, 0), (-5, 0), (100_000, 600), ("", 0), ("soon", 0), ("٣", 0)]
)
async def test_what_a_caller_lost_while_nobody_was_there_is_given_back_in_the_queue(
    tmp_path: Path, away_for_s: int | str, lost_s: int
) -> None:
    """They had been answered, and had not asked for an agent yet; others who call later must not overtake them."""
    async with Reception(tmp_path, HELLO) as reception:
        now_s = reception.dispatcher.now() // 1_000_000
        since = str(now_s - away_for_s) if isinstance(away_for_s, int) else away_for_s
        async with reception.call(variables={"CALLYARD_AWAY": "1", "CALLYARD_AWAY_SINCE": since}) as call:
            await call.playing("Hello")
            call.press("1")
            await call.logged("music default")
            view = reception.view()
            assert view is not None
            waited_us = reception.dispatcher.now() - view.first_asked_at
            assert lost_s * 1_000_000 <= waited_us < (lost_s + 30) * 1_000_000


async def test_what_was_lost_in_several_gaps_is_given_back_together(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO) as reception:
        since = str(reception.dispatcher.now() // 1_000_000 - 5)
        carried = {"CALLYARD_AWAY": "1", "CALLYARD_AWAY_SINCE": since, "CALLYARD_LOST": "7000000"}
        async with reception.call(variables=carried) as call:
            await call.playing("Hello")
            call.press("1")
            await call.logged("music default")
            view = reception.view()
            assert view is not None
            assert 12_000_000 <= reception.dispatcher.now() - view.first_asked_at < 20_000_000
            assert call.variables["CALLYARD_LOST"] == str(reception.dispatcher.now() - view.first_asked_at)


async def test_a_call_that_a_lost_server_knew_is_an_interaction_again(tmp_path: Path) -> None:
    """The journal was lost, the channel was not."""
    state = '["main","line:0",{"caller":"+4930123456","language":"en"}]'
    async with Reception(tmp_path, HELLO) as reception:
        async with reception.call(variables={"CALLYARD_SEEN": "1", "CALLYARD_STATE": state}) as call:
            await call.logged("music default")
            view = reception.view()
            assert view is not None
            assert view.stage is Stage.QUEUED


@pytest.mark.parametrize(
    "state",
    [
        '["main","no-such-node:3",{}]',
        '["no-such-flow","door:0",{}]',
        '["no-such-flow","",{}]',
        "not json",
        "[1,2,3]",
        "{}",
    ],
)
async def test_a_call_whose_place_is_gone_begins_anew(tmp_path: Path, state: str) -> None:
    async with Reception(tmp_path, HELLO) as reception:
        async with reception.call(variables={"CALLYARD_SEEN": "1", "CALLYARD_STATE": state}) as call:
            await call.playing("Hello")
            assert reception.arrivals.counts["session_failed"] == 0


async def test_a_call_whose_number_is_no_longer_listed_goes_on_where_it_was(tmp_path: Path) -> None:
    state = '["main","line:0",{"language":"en"}]'
    variables = {"CALLYARD_SEEN": "1", "CALLYARD_STATE": state}
    async with Reception(tmp_path, HELLO) as reception, reception.call(number="+4989999", variables=variables) as call:
        await call.logged("music default")


async def test_a_call_goes_on_in_the_files_that_are_there_now(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO) as reception, reception.call() as call:
        await call.playing("Hello")
        call.end_agi()
        await call.over()
        await call.leave_agi()
        reception.site = small_site(tmp_path / "new", HELLO.replace("Hello", "Welcome"))
        await call.enter()
        await call.playing("Welcome")


async def test_callers_are_counted_in_the_version_that_they_began_on(tmp_path: Path) -> None:
    new = small_site(tmp_path / "new", HELLO.replace("Hello", "Welcome"))
    old = small_site(tmp_path / "site", HELLO)
    async with Reception(tmp_path, HELLO, versions={"site": lambda: old, "new": lambda: new}) as reception:
        async with reception.call(uniqueid="lab1-1.1") as one, reception.call(uniqueid="lab1-1.2") as two:
            await one.playing("Hello")
            await two.playing("Hello")
            assert reception.in_version == {"site": 2}
            reception.site = new
            async with reception.call(uniqueid="lab1-1.3") as three:
                await three.playing("Welcome")
                assert reception.in_version == {"site": 2, "new": 1}
                three.end_agi()
                await three.over()
            assert reception.in_version == {"site": 2, "new": 0}
            two.end_agi()
            await two.over()
            await two.leave_agi()
            assert reception.in_version == {"site": 1, "new": 0}, "nobody of ours is in it until the call comes back"
            await two.enter()
            await two.playing("Hello", 2)
            assert reception.in_version == {"site": 2, "new": 0}, "back in the version that it began on"


async def test_a_caller_who_is_refused_is_in_no_version(tmp_path: Path) -> None:
    old = small_site(tmp_path / "site", HELLO)
    async with Reception(tmp_path, HELLO, versions={"site": lambda: old}) as reception:
        async with reception.call(number="+4989999") as call:
            await call.over()
        assert sum(reception.in_version.values()) == 0


async def test_a_failure_of_our_own_leaves_nobody_in_a_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(self: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(IvrSession, "run", fail)
    old = small_site(tmp_path / "site", HELLO)
    async with Reception(tmp_path, HELLO, versions={"site": lambda: old}) as reception, reception.call() as call:
        await call.over()
        assert reception.in_version == {"site": 0}


async def test_a_session_that_ends_while_the_caller_lives_detaches_and_is_not_offered(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO) as reception, reception.call() as call:
        await call.playing("Hello")
        call.press("1")
        await call.logged("music default")
        call.end_agi()
        await call.over()
        view = reception.view()
        assert view is not None
        assert not view.attached
        reception.board.office.sign_in("maria")
        await settle()
        assert reception.board.desktops.pops == []
        await call.leave_agi()
        await call.enter()
        await call.logged("dial /1")


async def test_a_newer_session_of_the_same_call_is_not_detached_by_the_older(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO) as reception, reception.call() as call:
        await call.playing("Hello")
        call.end_agi()  # at once after it the dialplan is back, while the older session still waits for a hang-up
        async with reception.call(variables=call.variables) as newer:
            await newer.playing("Hello")
            await call.over()
            view = reception.view()
            assert view is not None
            assert view.attached
            assert reception.board.exchange.session(C) is not None


async def test_a_caller_who_was_gone_before_the_call_reached_us_does_not_stay_for_ever(tmp_path: Path) -> None:
    """AMI told of the hang-up before the AGI session was accepted: no other will come."""
    async with Reception(tmp_path, HELLO) as reception, reception.call() as call:
        await call.playing("Hello")
        reception.board.link.gone.add(call.channel)
        call.end_agi()
        await call.over()
        assert reception.view() is None
        assert not reception.board.exchange.calls.is_alive(C)


async def test_while_asterisk_cannot_be_asked_a_caller_counts_as_there(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO) as reception, reception.call() as call:
        await call.playing("Hello")
        reception.board.link.fault = AmiUnavailableError("link down")
        call.end_agi()
        await call.over()
        assert reception.view() is not None


async def test_a_caller_who_hangs_up_while_they_are_looked_up_leaves_nothing_behind(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO) as reception:
        looking = asyncio.Event()
        found = asyncio.Event()

        async def slow(interaction_id: str, number: str) -> object:
            looking.set()
            await found.wait()
            return None

        reception.directory.match_caller = slow  # type: ignore[method-assign, assignment]
        async with reception.call() as call:
            await looking.wait()
            call.hang_up()
            found.set()
            await call.over()
            assert reception.board.exchange.session(C) is None
            assert reception.view() is None


async def test_a_failure_of_our_own_leaves_the_call_in_asterisk(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO) as reception:

        async def fail(text: str, language: str) -> Path:
            raise RuntimeError("a fault of ours")

        reception.sounds.path = fail  # type: ignore[method-assign]
        async with reception.call() as call:
            await call.over()
            assert reception.arrivals.counts["session_failed"] == 1
            view = reception.view()
            assert view is not None
            assert not view.attached
            assert not any(line.startswith("done") for line in call.log), "the dialplan tries again"


async def test_known_calls_are_attached_and_new_ones_arrive(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO) as reception:
        told: list[str] = []
        submit = reception.dispatcher.submit
        reception.dispatcher.submit = lambda event: (told.append(type(event).__name__), submit(event))[1]  # type: ignore[method-assign, func-returns-value]
        async with reception.call() as call:
            await call.playing("Hello")
            call.end_agi()
            await call.over()
            await call.leave_agi()
            await call.enter()
            await call.playing("Hello", 2)
            call.hang_up()
            await call.over()
        assert told == [each.__name__ for each in (InteractionArrived,)] + [
            "InteractionDetached",
            InteractionAttached.__name__,
            CallerLeft.__name__,
        ]


@pytest.mark.parametrize(
    ("env", "caller", "dialled"),
    [
        ({"agi_callerid": "+49301", "agi_dnid": "100"}, "+49301", "100"),
        ({"agi_callerid": "unknown", "agi_dnid": "100"}, "", "100"),
        ({"agi_callerid": "anonymous", "agi_extension": "200"}, "", "200"),
        ({"agi_callerid": "+49301", "agi_callingpres": "32", "agi_dnid": "1"}, "", "1"),
        ({"agi_callerid": "+49301", "agi_callingpres": "67", "agi_dnid": "1"}, "", "1"),
        ({"agi_callerid": "+49301", "agi_callingpres": "3", "agi_dnid": "1"}, "+49301", "1"),
        ({"agi_callerid": "+49301", "agi_callingpres": "", "agi_dnid": "1"}, "+49301", "1"),
        ({"agi_callerid": "+49301", "agi_callingpres": "odd", "agi_dnid": "1"}, "+49301", "1"),
        ({}, "", ""),
    ],
)
def test_who_calls_and_what_was_dialled(env: dict[str, str], caller: str, dialled: str) -> None:
    assert variables_of(env) == (caller, dialled)


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({"agi_callerid": "+49301", "agi_calleridname": "张伟"}, "张伟"),
        (
            {"agi_callerid": "+49301", "agi_calleridname": ' Jean  "JL" \x1b[2J O\'Brien\u2028'},
            'Jean "JL" [2J O\'Brien',
        ),
        ({"agi_callerid": "+49301", "agi_calleridname": "x" * 200}, "x" * LONGEST_NAME),
        ({"agi_callerid": "+49301", "agi_calleridname": "unknown"}, ""),
        ({"agi_callerid": "+49301", "agi_calleridname": "+49301"}, ""),
        ({"agi_callerid": "+49301", "agi_callingpres": "32", "agi_calleridname": "Eve"}, ""),
        ({"agi_callerid": "+49301"}, ""),
    ],
)
def test_the_callers_name_as_the_network_gave_it(env: dict[str, str], name: str) -> None:
    assert name_of(env) == name
