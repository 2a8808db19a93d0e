"""Moves that the tables do not show: memory of the closed, wrap-up rules kept, adoption's ids."""

from __future__ import annotations

from dataclasses import replace

import pytest

from acd import moves
from acd.commands import InteractionClosed, InteractionOpened, TalkClosed, TalkOpened, VisitOpened
from acd.events import (
    CallerLeft,
    ConfigurationChanged,
    ConnectionFound,
    InteractionArrived,
    InteractionQueued,
    TalkEnded,
)
from acd.model import QueueRules
from acd.snapshot import dump
from tests.acd.desk import BILLING, SECOND, SITE, TECH, Desk, every, only


def test_so_many_closed_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "CLOSED_REMEMBERED", 3)
    desk = Desk()
    for number in range(5):
        desk.do(InteractionArrived(f"i{number}"))
        desk.do(CallerLeft(f"i{number}"))
    for number in range(5):
        desk.do(CallerLeft(f"i{number}"))
    assert dict(desk.engine.counts) == {"CallerLeft:unknown": 2, "CallerLeft:closed": 3}
    assert dump(desk.engine)["closed"] == ["i2", "i3", "i4"]


def test_new_rules_do_not_change_the_wrap_up_of_a_talk() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.talk("i1")
    desk.do(ConfigurationChanged(replace(SITE, queues=(replace(BILLING, wrap_up_us=0), TECH))))
    closed = only(TalkClosed, desk.do(TalkEnded("i1", "maria")))
    assert closed.wrap_up_until == desk.now + 10 * SECOND


def test_an_adopted_talk_wraps_up_by_the_queue_it_came_from() -> None:
    desk = Desk()
    desk.call("i1", "billing")
    opened = only(TalkOpened, desk.do(ConnectionFound("i1", "maria")))
    assert (opened.talk_id, opened.queue) == ("i1/adopted-1", "billing")
    assert only(TalkClosed, desk.do(TalkEnded("i1", "maria"))).wrap_up_until == desk.now + 10 * SECOND
    opened = only(TalkOpened, desk.do(ConnectionFound("i1", "jon")))
    assert (opened.talk_id, opened.queue) == ("i1/adopted-2", "")
    assert only(TalkClosed, desk.do(TalkEnded("i1", "jon", gap=True))) == TalkClosed(
        "i1/adopted-2", "i1", "jon", "", desk.now - SECOND, desk.now, 0, True
    )


def test_the_served_by_of_an_outcome_is_who_talked_last() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.talk("i1")
    closed = only(InteractionClosed, desk.do(CallerLeft("i1", gap=True)))
    assert (closed.agent_id, closed.gap) == ("maria", True)


def test_a_second_visit_has_its_own_id_and_the_first_asking_time() -> None:
    desk = Desk()
    first = only(VisitOpened, desk.call("i1", "billing", 1))
    moved = only(VisitOpened, desk.do(InteractionQueued("i1", "tech", first_asked_at=1)))
    assert (first.visit_id, moved.visit_id) == ("i1#1", "i1#2")
    assert moved.first_asked_at == first.first_asked_at == first.entered_at


def test_nobody_asked_in_the_future() -> None:
    desk = Desk()
    desk.do(InteractionArrived("i1"))
    opened = only(VisitOpened, desk.do(InteractionQueued("i1", "billing", first_asked_at=desk.now + 99 * SECOND)))
    assert opened.first_asked_at == desk.now


def test_an_arrival_told_later_keeps_its_time() -> None:
    desk = Desk()
    past, now = desk.now - 60 * SECOND, desk.now + SECOND
    assert only(InteractionOpened, desk.do(InteractionArrived("i1", gap=True, arrived_at=past))).arrived_at == past
    future = desk.do(InteractionArrived("i2", arrived_at=now + 60 * SECOND))
    assert only(InteractionOpened, future).arrived_at == desk.now


def test_the_effective_priority_is_queue_and_request_together() -> None:
    desk = Desk(replace(SITE, queues=(replace(BILLING, priority=2), TECH)))
    assert only(VisitOpened, desk.call("i1", "billing", 3)).priority == 5
    desk.do(ConfigurationChanged(replace(SITE, queues=(replace(BILLING, priority=4), TECH, QueueRules("sales")))))
    assert desk.interaction("i1").priority == 7
    assert every(VisitOpened, desk.call("i2", "sales", 1))[0].priority == 1
