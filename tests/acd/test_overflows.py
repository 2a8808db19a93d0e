"""Overflow beyond the table `overflow.yaml`: each cause at its limit, restarts, and what the caller brings along."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from acd.commands import Command, StageChanged, VisitClosed, VisitOpened, WithdrawOffer
from acd.configuration import validate
from acd.errors import ConfigurationError
from acd.events import (
    ClockReached,
    ConfigurationChanged,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    OfferRejected,
    PresenceChosen,
    QueueClosed,
)
from acd.invariants import check, repair_all
from acd.model import Configuration, Overflow, OverflowCause, Presence, Requirement, Stage
from acd.snapshot import dump, restore
from tests.acd.desk import BILLING, JON, MARIA, SECOND, TECH, Desk, every, only

C = OverflowCause


def site(*overflow: Overflow, tech: tuple[Overflow, ...] = ()) -> Configuration:
    return Configuration((replace(BILLING, overflow=overflow), replace(TECH, overflow=tech)), (MARIA, JON))


def causes(answer: Sequence[Command]) -> list[tuple[str, str]]:
    """Which queue gave somebody away, and why."""
    return [(each.queue, each.cause) for each in every(VisitClosed, answer) if each.cause]


def queued(desk: Desk, interaction_id: str = "i1") -> Sequence[Command]:
    return desk.call(interaction_id)


def test_so_many_may_wait() -> None:
    desk = Desk(site(Overflow(C.FULL, 2)))
    assert causes([*queued(desk, "i1"), *queued(desk, "i2")]) == []
    assert causes(queued(desk, "i3")) == [("billing", "full")]


def test_so_few_are_ready_on_joining_only() -> None:
    desk = Desk(site(Overflow(C.FEW_READY, 1, waiting=True)))
    assert causes(queued(desk)) == [("billing", "few_ready")]
    desk.sign_in("jon")
    assert causes(queued(desk, "i2")) == []
    assert causes(desk.do(PresenceChosen("jon", Presence.NOT_READY, "lunch"))) == []


@pytest.mark.parametrize("joining", [True, False])
@pytest.mark.parametrize("waiting", [True, False])
def test_so_few_are_signed_in(joining: bool, waiting: bool) -> None:
    desk = Desk(site(Overflow(C.FEW_SIGNED_IN, 2, "", joining, waiting)))
    desk.sign_in("maria")
    assert causes(queued(desk)) == ([("billing", "few_signed_in")] if joining else [])
    desk.sign_in("jon")
    desk.do(PresenceChosen("jon", Presence.NOT_READY, "lunch"))
    desk.do(PresenceChosen("maria", Presence.NOT_READY, "lunch"))
    queued(desk, "i2")
    left = [("billing", "few_signed_in")] * (1 if joining else 2)
    assert causes(desk.do(PresenceChosen("maria", Presence.LOGGED_OUT))) == (left if waiting else [])


def test_so_long_a_wait_is_too_long() -> None:
    desk = Desk(site(Overflow(C.LONG_WAIT, 150 * SECOND, waiting=True)))
    desk.sign_in("jon", "maria")
    desk.talk("i0")
    desk.talk("i1")
    assert causes(queued(desk, "i2")) == []
    assert causes(queued(desk, "i3")) == [("billing", "long_wait")]
    # Maria stops working once she is done: the wait of the one who waits doubles.
    assert causes(desk.do(PresenceChosen("maria", Presence.NOT_READY, "lunch"))) == []
    assert desk.interaction("i2").expected_wait_us == 90 * SECOND


def test_those_at_the_end_of_the_line_leave_when_agents_stop_working() -> None:
    desk = Desk(site(Overflow(C.LONG_WAIT, 200 * SECOND, joining=False, waiting=True)))
    desk.sign_in("jon", "maria")
    desk.talk("i0")
    for name in ("i1", "i2", "i3"):
        queued(desk, name)
    assert desk.interaction("i1").agent_id == "maria"
    answer = desk.do(PresenceChosen("maria", Presence.NOT_READY, "lunch"))
    assert [each.interaction_id for each in every(VisitClosed, answer)] == ["i3", "i2"]
    assert desk.interaction("i1").stage is Stage.QUEUED


def test_where_nobody_works_any_wait_is_too_long() -> None:
    desk = Desk(site(Overflow(C.LONG_WAIT, 3_600 * SECOND)))
    assert causes(queued(desk)) == [("billing", "long_wait")]


def test_an_agent_who_is_ready_for_them_makes_any_line_short() -> None:
    desk = Desk(site(Overflow(C.LONG_WAIT, 1)))
    desk.sign_in("jon")
    assert causes(queued(desk)) == []


def test_the_first_that_holds_decides() -> None:
    desk = Desk(site(Overflow(C.FULL, 5), Overflow(C.FEW_READY, 1, "tech"), Overflow(C.FEW_SIGNED_IN, 1)))
    assert causes(queued(desk)) == [("billing", "few_ready")]
    assert desk.interaction("i1").queue == "tech"


def test_they_bring_along_what_they_asked_for() -> None:
    desk = Desk(site(Overflow(C.TIMED_OUT, 10 * SECOND, "tech")))
    desk.do(InteractionArrived("i1"))
    asked = desk.now + SECOND
    wanted = (Requirement("vpn", 3),)
    desk.do(InteractionQueued("i1", "billing", 4, wanted, (("choice", "1"),), None, ("maria",), 99 * SECOND))
    desk.sign_in("maria")
    desk.do(PresenceChosen("maria", Presence.NOT_READY, "lunch"))
    assert desk.interaction("i1").agent_id == ""
    answer = desk.do(ClockReached(), after=10)
    visit = only(VisitOpened, answer)
    assert (visit.visit_id, visit.queue, visit.first_asked_at, visit.priority) == ("i1#2", "tech", asked, 4)
    assert visit.attributes == (("choice", "1"),)
    assert desk.engine.floor.interactions["i1"].requirements == wanted
    assert [each.stage for each in every(StageChanged, answer)] == [Stage.QUEUED]
    assert desk.interaction("i1").left_by == "timed_out"


def test_a_chain_comes_to_no_queue_twice() -> None:
    here, back = Overflow(C.TIMED_OUT, 10 * SECOND, "tech"), Overflow(C.TIMED_OUT, 10 * SECOND, "billing")
    desk = Desk(site(here, tech=(back,)))
    queued(desk)
    assert causes(desk.do(ClockReached(), after=10)) == [("billing", "timed_out")]
    assert causes(desk.do(ClockReached(), after=10)) == []
    assert desk.engine.next_due() is None
    desk.do(InteractionQueued("i1", "tech", priority=1))
    assert causes(desk.do(ClockReached(), after=10)) == [("tech", "timed_out")]


def test_refusals_lead_on_from_queue_to_queue_at_once() -> None:
    desk = Desk(site(Overflow(C.FEW_READY, 1, "tech"), tech=(Overflow(C.FEW_READY, 1, "billing"), Overflow(C.FULL, 1))))
    answer = [*queued(desk, "i1"), *queued(desk, "i2")]
    assert causes(answer) == [("billing", "few_ready"), ("billing", "few_ready"), ("tech", "full")]
    assert desk.interaction("i2").stage is Stage.IN_FLOW


def test_the_wait_that_the_flow_allows_runs_through_all_queues_and_restarts() -> None:
    desk = Desk(site(Overflow(C.TIMED_OUT, 20 * SECOND, "tech")))
    desk.do(InteractionArrived("i1"))
    desk.do(InteractionQueued("i1", "billing", max_wait_us=50 * SECOND))
    start = desk.now
    desk.do(ClockReached(), after=20)
    stored = json.loads(json.dumps(dump(desk.engine)))
    again = Desk(engine=restore(stored))
    assert dump(again.engine) == stored
    assert again.engine.next_due() == desk.engine.next_due() == start + 50 * SECOND
    assert causes(again.do(ClockReached(), after=30)) == [("tech", "timed_out")]
    assert (again.interaction("i1").stage, again.interaction("i1").left_by) == (Stage.IN_FLOW, "timed_out")


def test_the_flow_comes_first_where_both_are_due() -> None:
    desk = Desk(site(Overflow(C.TIMED_OUT, 20 * SECOND, "tech")))
    desk.do(InteractionArrived("i1"))
    desk.do(InteractionQueued("i1", "billing", max_wait_us=20 * SECOND))
    assert every(VisitOpened, desk.do(ClockReached(), after=20)) == []
    assert desk.interaction("i1").stage is Stage.IN_FLOW


def test_a_phone_that_rings_is_let_ring_and_the_clock_runs_on_when_it_rang_in_vain() -> None:
    desk = Desk(site(Overflow(C.TIMED_OUT, 30 * SECOND)))
    desk.sign_in("jon")
    queued(desk)
    entered = desk.now
    assert desk.engine.next_due() == entered + 20 * SECOND
    desk.do(OfferRejected("i1/1"))
    assert desk.engine.next_due() == entered + 30 * SECOND
    assert causes(desk.do(ClockReached(), after=29)) == [("billing", "timed_out")]


def test_who_is_answered_beyond_the_time_is_answered() -> None:
    desk = Desk(site(Overflow(C.TIMED_OUT, 5 * SECOND)))
    desk.sign_in("jon")
    queued(desk)
    assert causes(desk.do(ClockReached(), after=10)) == []
    assert every(WithdrawOffer, desk.do(OfferAccepted("i1/1"))) == []
    assert desk.interaction("i1").stage is Stage.TALKING
    assert desk.interaction("i1").left_by == "answered"


def test_new_rules_are_looked_at_when_they_come() -> None:
    desk = Desk(site())
    queued(desk)
    desk.do(ClockReached(), after=60)
    assert causes(desk.do(ConfigurationChanged(site(Overflow(C.TIMED_OUT, 30 * SECOND))))) == [("billing", "timed_out")]


def test_no_way_leads_to_a_closed_queue() -> None:
    desk = Desk(site(Overflow(C.FULL, 1, "tech"), Overflow(C.FULL, 2)))
    desk.do(QueueClosed("tech"))
    assert causes([*queued(desk, "i1"), *queued(desk, "i2")]) == []
    assert causes(queued(desk, "i3")) == [("billing", "full")]
    assert desk.interaction("i3").stage is Stage.IN_FLOW


def test_a_state_from_before_overflow_was_kept_is_still_read() -> None:
    desk = Desk(site(Overflow(C.TIMED_OUT, 30 * SECOND)))
    queued(desk)
    stored = dump(desk.engine)
    for name in ("chain", "wait_until", "looked_at", "left_by"):
        del stored["interactions"][0][name]
    for name in ("closures", "seen", "regains"):
        del stored[name]
    again = Desk(engine=restore(stored))
    assert causes(again.do(ClockReached(), after=30)) == [("billing", "timed_out")]


def test_a_clock_that_does_not_run_is_started() -> None:
    desk = Desk(site(Overflow(C.TIMED_OUT, 30 * SECOND)))
    queued(desk)
    floor = desk.engine.floor
    floor.interactions["i1"].leave_at = 0
    assert check(desk.engine) == ("leaving:i1",)
    assert repair_all(floor) == 1
    assert floor.next_due() == desk.now + 30 * SECOND


@pytest.mark.parametrize(
    ("overflow", "message"),
    [
        (Overflow(C.CLOSED, 1), "expected a cause that has a limit, got closed"),
        (Overflow(C.FULL, 0), "full: at: expected more than 0, got 0"),
        (Overflow(C.FULL, 1, "sales"), "full: expected another known queue, got 'sales'"),
        (Overflow(C.FULL, 1, "billing"), "full: expected another known queue, got 'billing'"),
    ],
)
def test_nonsense_is_refused(overflow: Overflow, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        validate(site(overflow))
    assert str(raised.value) == f"queue 'billing': overflow: {message}"


def test_a_handling_time_is_more_than_none() -> None:
    with pytest.raises(ConfigurationError, match="expected_handling_us: expected more than 0, got 0"):
        validate(Configuration((replace(BILLING, expected_handling_us=0),), ()))
