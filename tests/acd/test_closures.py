"""Closed queues beyond the table `closed.yaml`: restarts, repairs, and what a caller's session reads."""

from __future__ import annotations

import json

import pytest

from acd.commands import QueueClosureChanged, VisitClosed, VisitOpened
from acd.errors import SnapshotError
from acd.events import ClockReached, OfferAccepted, QueueClosed, QueueOpened, TalkEnded
from acd.invariants import check, repair_all
from acd.model import Stage
from acd.snapshot import dump, queue_view, restore
from tests.acd.desk import SECOND, Desk, every, only


def test_a_refused_caller_is_counted_and_told_why() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.do(QueueClosed("billing"))
    answer = desk.call("i1")
    opened, closed = only(VisitOpened, answer), only(VisitClosed, answer)
    assert (opened.visit_id, closed.visit_id, closed.cause) == ("i1#1", "i1#1", "closed")
    assert closed.closed_at == opened.entered_at
    view = desk.interaction("i1")
    assert (view.stage, view.left_by, view.first_asked_at) == (Stage.IN_FLOW, "closed", desk.now)


def test_other_queues_and_talks_go_on() -> None:
    desk = Desk()
    desk.sign_in("jon", "maria")
    desk.talk("i1")
    desk.do(QueueClosed("billing"))
    assert desk.interaction("i1").stage is Stage.TALKING
    assert desk.call("i2", "tech") != ()
    desk.do(OfferAccepted("i2/1"))
    desk.do(TalkEnded("i2", "maria"))
    assert desk.interaction("i2").left_by == "answered"


def test_a_closing_survives_a_restart_with_its_end() -> None:
    desk = Desk()
    desk.do(QueueClosed("billing", until_at=desk.now + 60 * SECOND, by="lena"))
    stored = json.loads(json.dumps(dump(desk.engine)))
    again = Desk(engine=restore(stored))
    assert dump(again.engine) == stored
    assert queue_view(again.engine, "billing").is_closed
    assert again.engine.next_due() == desk.engine.next_due() == desk.now + 59 * SECOND
    told = only(QueueClosureChanged, again.do(ClockReached(), after=59))
    assert (told.is_closed, told.by) == (False, "")
    assert not queue_view(again.engine, "billing").is_closed


def test_a_closing_that_was_replaced_does_not_end_at_the_earlier_instant() -> None:
    desk = Desk()
    desk.do(QueueClosed("billing", until_at=desk.now + 10 * SECOND))
    desk.do(QueueClosed("billing", until_at=desk.now + 90 * SECOND))
    assert every(QueueClosureChanged, desk.do(ClockReached(), after=30)) == []
    desk.do(QueueOpened("billing"))
    assert desk.engine.next_due() is None


def test_a_stored_closing_of_no_queue_is_refused() -> None:
    desk = Desk()
    desk.do(QueueClosed("billing"))
    stored = dump(desk.engine)
    stored["closures"][0]["queue"] = "nowhere"
    with pytest.raises(SnapshotError) as raised:
        restore(stored)
    assert str(raised.value) == "snapshot.closures[0].queue: expected a known queue, got 'nowhere'"


def test_a_queue_that_does_not_know_it_is_closed_is_repaired() -> None:
    desk = Desk()
    desk.do(QueueClosed("billing"))
    floor = desk.engine.floor
    floor.queues["billing"].closure = None
    assert check(desk.engine) == ("index:billing",)
    assert repair_all(floor) == 1
    assert floor.queues["billing"].closure is floor.closures["billing"]
