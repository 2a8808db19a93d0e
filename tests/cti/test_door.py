"""Who is let in before a flow begins."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from acd.commands import InteractionClosed
from acd.model import Outcome
from cti import arrivals as arrivals_module
from cti.door import Calls, Door
from ivr.callers import Rate
from ivr.site import Site
from tests.cti.test_prelude import FakeMeasures, Told
from tests.fakes.reception import Reception
from tests.fakes.site import small_site

HELLO = "\n  door:\n    - menu: Hello\n      keys: { 1: line }\n      wait: 60s\n  line:\n    - queue: billing\n"
NOW = datetime(2027, 3, 3, 12, tzinfo=UTC)
CALLER = "+4930123456"


@pytest.fixture(autouse=True)
def short_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals_module, "HANGUP_LAG_S", 0.05)


class Listed:
    """Blocks these, for this reason."""

    def __init__(self, reason: str = "", *patterns: str) -> None:
        self.blocked = set(patterns)
        self.said = reason

    def reason(self, patterns: Collection[str]) -> str | None:
        return self.said if self.blocked & set(patterns) else None


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


def door(folder: Path, callers: str = "", listed: Listed | None = None, clock: Clock | None = None) -> Door:
    site: Site = small_site(folder / "site", HELLO, callers=callers)
    return Door(lambda: site, listed or Listed(), clock or Clock())


def test_everybody_is_let_in_without_rules(tmp_path: Path) -> None:
    judging = door(tmp_path)
    assert [judging.judge([CALLER, CALLER]), judging.judge(["", ""])] == [None, None]
    assert not judging.counts


@pytest.mark.parametrize("pattern", ["+4930123456", "+49301*", "+4*"])
def test_who_is_blocked_by_an_order_is_refused(tmp_path: Path, pattern: str) -> None:
    judging = door(tmp_path, listed=Listed("fax", pattern))
    found = judging.judge(["030123456", CALLER])
    assert found is not None
    assert (found.why, found.cause) == ("blocked: fax", "blocked")
    assert judging.judge(["", ""]) is None
    assert judging.counts == {"blocked": 1}


def test_an_order_without_a_reason_says_only_that(tmp_path: Path) -> None:
    found = door(tmp_path, listed=Listed("", CALLER)).judge([CALLER])
    assert found is not None
    assert found.why == "blocked"


def test_who_calls_too_often_is_refused_until_they_have_been_quiet(tmp_path: Path) -> None:
    clock = Clock()
    judging = door(tmp_path, "rate: 2 in 10m\n", clock=clock)
    assert [judging.judge([CALLER]) is None for _ in range(3)] == [True, True, False]
    assert judging.judge(["+4930123457"]) is None, "another number"
    clock.now += timedelta(minutes=9)
    found = judging.judge([CALLER])
    assert found is not None, "who goes on calling stays outside"
    assert (found.word, found.why, found.cause) == ("too_often", "called more than 2 times in 600 s", "busy")
    clock.now += timedelta(minutes=10)
    assert judging.judge([CALLER]) is None
    assert judging.counts == {"too_often": 2}


def test_what_is_counted_is_bounded() -> None:
    calls, rate = Calls(most=2), Rate(1, 600)
    for number in ("a", "b", "c"):
        assert not calls.are_too_many(number, rate, NOW)
    assert not calls.are_too_many("a", rate, NOW), "forgotten: it called longest ago"
    assert calls.are_too_many("c", rate, NOW)
    for _ in range(1_000):
        calls.are_too_many("c", rate, NOW)
    assert len(calls._calls["c"]) == 2


# --- on a call -----------------------------------------------------------------------------------------------


def closed(reception: Reception) -> tuple[Outcome, str]:
    fact = reception.board.office.last(InteractionClosed)
    return fact.outcome, fact.detail


async def test_a_blocked_caller_is_refused_unanswered_and_recorded(tmp_path: Path) -> None:
    blocked = f'blocked: {{ "{CALLER}": Nuisance }}\n'
    async with Reception(tmp_path, HELLO, callers=blocked) as reception, reception.call() as call:
        await call.over()
        assert call.log == ["done, cause 21"]
        assert closed(reception) == (Outcome.REFUSED, "blocked: Nuisance")
        assert ("lab1-1.1", "blocked: Nuisance") in reception.story


async def test_who_calls_too_often_may_be_led_elsewhere(tmp_path: Path) -> None:
    other = "start: door\nnodes:\n  door:\n    - menu: Too often\n      keys: { 1: door }\n      wait: 60s\n"
    callers = "rate: 1 in 10m\ntoo_often: { flow: other }\n"
    async with Reception(tmp_path, HELLO, callers=callers, flow_other=other) as reception:
        async with reception.call() as call:
            await call.playing("Hello")
        async with reception.call(uniqueid="lab1-1.2") as call:
            await call.playing("Too often")
            assert "play Hello" not in call.log
            call.end_agi()
            await call.over()
            await call.leave_agi()
            await call.enter()
            await call.playing("Too often", 2)


async def test_an_emergency_comes_first_and_no_notice_is_played_to_who_is_refused(tmp_path: Path) -> None:
    blocked = f'blocked: {{ "{CALLER}": Nuisance }}\n'
    measures = FakeMeasures(shut={"4989100": Told("emergency 7", {})})
    async with Reception(tmp_path, HELLO, measures=measures, callers=blocked) as reception, reception.call() as call:
        await call.over()
        assert closed(reception) == (Outcome.REFUSED, "emergency 7")
    measures = FakeMeasures(first={"": [Told("emergency 1", {"en": "Outage"})]})
    async with Reception(tmp_path / "b", HELLO, measures=measures, callers=blocked) as reception:
        async with reception.call() as call:
            await call.over()
            assert call.log == ["done, cause 21"]


async def test_a_call_in_progress_is_not_judged_again(tmp_path: Path) -> None:
    async with Reception(tmp_path, HELLO, callers="rate: 1 in 10m\n") as reception, reception.call() as call:
        await call.playing("Hello")
        call.end_agi()
        await call.over()
        await call.leave_agi()
        await call.enter()
        await call.playing("Hello", 2)
