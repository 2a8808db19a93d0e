"""Indexes and deadlines are derived: building them anew gives what the moves left."""

from __future__ import annotations

import pytest

from acd import floor as floor_module
from acd.events import ClockReached, InteractionArrived, InteractionQueued, OfferAccepted, TalkEnded
from acd.floor import Floor
from acd.invariants import check
from acd.model import Requirement, Stage
from tests.acd.desk import SECOND, SITE, Desk


def test_an_empty_floor_has_nothing_due() -> None:
    floor = Floor(SITE, 5)
    assert floor.next_due() is None
    assert floor.pop_due() is None


def test_reindexing_changes_nothing() -> None:
    desk = Desk()
    desk.sign_in("maria", "jon")
    desk.talk("i1")
    desk.call("i2")
    desk.call("i3", "tech")
    floor = desk.engine.floor
    due = floor.next_due()
    floor.reindex()
    assert check(desk.engine) == ()
    assert floor.next_due() == due


def test_of_many_different_requirements_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor_module, "TERMS_REMEMBERED", 2)
    desk = Desk()
    for level in (1, 2, 3, 2):
        desk.do(InteractionArrived(f"i{desk.now}"))
        desk.do(InteractionQueued(f"i{desk.now - SECOND}", "tech", requirements=(Requirement("vpn", level),)))
        assert len(desk.engine.floor.queues["tech"].terms) <= 2
    waiting = desk.engine.floor.interactions.values()
    assert [each.needs for each in waiting] == [(("vpn", level),) for level in (1, 2, 3, 2)]


def test_wrap_up_of_a_queue_that_is_gone_is_none() -> None:
    floor = Floor(SITE, 5)
    floor.reindex()
    assert floor.wrap_up_us("billing") == SITE.queues[0].wrap_up_us
    assert floor.wrap_up_us("nowhere") == 0


def test_an_agent_may_wrap_up_one_whom_another_has_now() -> None:
    desk = Desk()
    desk.sign_in("maria", "jon")
    assert desk.talk("i1") == "maria"
    desk.do(TalkEnded("i1", "maria"))
    desk.do(InteractionQueued("i1", "billing"))
    assert desk.interaction("i1").agent_id == "jon"
    desk.do(OfferAccepted("i1/2"))
    desk.do(ClockReached(), after=8)
    assert desk.agent("maria").state == "ready"
    assert desk.interaction("i1").stage is Stage.TALKING
