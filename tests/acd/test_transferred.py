"""Callers whom the flow gives to somebody outside the queues."""

from __future__ import annotations

from acd.commands import InteractionClosed
from acd.engine import Engine
from acd.events import (
    CallerLeft,
    CallTransferred,
    FlowEnded,
    InteractionArrived,
    InteractionQueued,
    QueueLeft,
    TalkEnded,
)
from acd.model import Outcome, VisitOutcome
from acd.snapshot import dump, restore
from tests.acd.desk import Desk, only

NUMBER = "+4989123456"


def transferred() -> Desk:
    desk = Desk()
    desk.do(InteractionArrived("c"))
    assert desk.do(CallTransferred("c", NUMBER)) == ()
    return desk


def test_who_hangs_up_while_they_talk_was_transferred_out_to_that_number() -> None:
    closed = only(InteractionClosed, transferred().do(CallerLeft("c")))
    assert (closed.outcome, closed.detail) == (Outcome.TRANSFERRED_OUT, NUMBER)


def test_the_flow_that_ends_after_it_says_the_same() -> None:
    desk = transferred()
    closed = only(InteractionClosed, desk.do(FlowEnded("c", Outcome.SELF_SERVED, "normal")))
    assert (closed.outcome, closed.detail) == (Outcome.TRANSFERRED_OUT, NUMBER)
    assert desk.engine.counts["FlowEnded:self_served_is_transferred_out"] == 1


def test_a_flow_that_says_so_itself_is_believed() -> None:
    desk = Desk()
    desk.do(InteractionArrived("c"))
    closed = only(InteractionClosed, desk.do(FlowEnded("c", Outcome.TRANSFERRED_OUT, "elsewhere")))
    assert (closed.outcome, closed.detail) == (Outcome.TRANSFERRED_OUT, "elsewhere")


def test_who_asks_for_an_agent_afterwards_is_no_longer_transferred() -> None:
    desk = transferred()
    desk.do(InteractionQueued("c", "billing"))
    desk.do(QueueLeft("c", VisitOutcome.OVERFLOWED))
    assert only(InteractionClosed, desk.do(CallerLeft("c"))).outcome is Outcome.ABANDONED_IN_FLOW


def test_who_was_served_before_was_transferred_out_in_the_end() -> None:
    desk = Desk()
    desk.sign_in("maria")
    agent = desk.talk("c")
    desk.do(TalkEnded("c", agent))
    desk.do(CallTransferred("c", NUMBER))
    closed = only(InteractionClosed, desk.do(CallerLeft("c")))
    assert (closed.outcome, closed.agent_id) == (Outcome.TRANSFERRED_OUT, "maria")


def test_one_who_waits_or_is_gone_cannot_have_been_transferred() -> None:
    desk = Desk()
    desk.call("c")
    desk.do(CallTransferred("c", NUMBER))
    desk.do(CallTransferred("nobody", NUMBER))
    assert desk.engine.counts["CallTransferred:queued"] == 1
    assert desk.engine.counts["CallTransferred:unknown"] == 1
    assert only(InteractionClosed, desk.do(CallerLeft("c"))).outcome is Outcome.ABANDONED_IN_QUEUE


def test_it_is_known_after_a_restart() -> None:
    desk = transferred()
    later = Desk(engine=restore(dump(desk.engine)))
    assert isinstance(later.engine, Engine)
    assert only(InteractionClosed, later.do(CallerLeft("c", gap=True))).outcome is Outcome.TRANSFERRED_OUT
