"""The engine's own promises: time, unknown input, counts, deadlines, nothing changed by a refused event."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from acd.engine import Engine
from acd.errors import ConfigurationError, TimeOrderError
from acd.events import CallerLeft, ClockReached, ConfigurationChanged, Event, InteractionArrived, OfferAccepted
from acd.model import QueueRules
from acd.snapshot import dump
from tests.acd.desk import BILLING, SECOND, SITE, Desk


def test_time_never_goes_back() -> None:
    desk = Desk()
    desk.do(InteractionArrived("i1"))
    before = dump(desk.engine)
    with pytest.raises(TimeOrderError, match=f"at least {desk.now} µs, got {desk.now - 1} µs"):
        desk.engine.handle(ClockReached(), desk.now - 1)
    assert dump(desk.engine) == before


def test_the_same_instant_is_in_order() -> None:
    desk = Desk()
    desk.do(InteractionArrived("i1"), after=0)
    desk.do(InteractionArrived("i2"), after=0)
    assert desk.engine.now == desk.now


def test_contradicting_rules_are_refused_and_change_nothing() -> None:
    twice = replace(SITE, queues=(BILLING, BILLING))
    with pytest.raises(ConfigurationError):
        Engine(twice, 0)
    desk = Desk()
    before = dump(desk.engine)
    with pytest.raises(ConfigurationError):
        desk.engine.handle(ConfigurationChanged(twice), desk.now + 1)
    assert dump(desk.engine) == before


def test_only_events_are_handled() -> None:
    with pytest.raises(TypeError, match=r"expected an event of acd\.events, got 'ring'"):
        Desk().engine.handle(cast(Event, "ring"), 2_000 * SECOND)


def test_counts_are_read_only_and_live() -> None:
    desk = Desk()
    counts = desk.engine.counts
    desk.do(CallerLeft("nobody"))
    assert dict(counts) == {"CallerLeft:unknown": 1}
    with pytest.raises(TypeError):
        counts["x"] = 1  # type: ignore[index]


def test_configuration_is_the_one_in_force() -> None:
    desk = Desk()
    assert desk.engine.configuration == SITE
    changed = replace(SITE, queues=(*SITE.queues, QueueRules("sales")))
    desk.do(ConfigurationChanged(changed))
    assert desk.engine.configuration == changed


def test_next_due_is_the_earliest_deadline_that_still_counts() -> None:
    desk = Desk()
    assert desk.engine.next_due() is None
    desk.sign_in("maria", "jon")
    desk.call("i1")
    first = desk.now + BILLING.ring_us
    desk.call("i2")
    assert desk.engine.next_due() == first
    desk.do(OfferAccepted("i1/1"))
    assert desk.engine.next_due() == first + 2 * SECOND
    desk.do(CallerLeft("i2"))
    assert desk.engine.next_due() is None


def test_the_clock_of_a_late_driver_expires_all_that_is_due() -> None:
    desk = Desk()
    desk.sign_in("maria", "jon")
    desk.call("i1")
    desk.call("i2")
    desk.do(ClockReached(), after=60)
    assert [desk.agent(each).reason for each in ("maria", "jon")] == ["no_answer", "no_answer"]
    assert desk.engine.next_due() is None
