"""Waiting lets more in and raises priority, at its instants and never otherwise; nobody waits for ever."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from acd.commands import OfferInteraction, VisitStepped
from acd.events import (
    CallerLeft,
    ClockReached,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    OfferRejected,
    PresenceChosen,
    TalkEnded,
)
from acd.model import AgentProfile, Configuration, Presence, PriorityStep, QueueRules, Requirement, Ring
from acd.snapshot import dump, restore
from tests.acd.desk import SECOND, Desk, every, only
from tests.effort import examples

RINGS = (Ring(10 * SECOND, (("vpn", 5),)), Ring(20 * SECOND, (("vpn", 0),)))
TECH = QueueRules(
    "tech",
    wrap_up_us=0,
    requirements=(Requirement("vpn", 9),),
    relax=RINGS,
    raise_priority=(PriorityStep(15 * SECOND, 2),),
)
SITE = Configuration(
    (TECH,),
    (AgentProfile("amy", queues=("tech",), skills=(("vpn", 9),)), AgentProfile("ben", queues=("tech",))),
)


def test_the_engine_says_when_the_next_step_is_due_and_each_is_told_once() -> None:
    desk = Desk(SITE)
    desk.sign_in("ben", "amy")
    desk.do(PresenceChosen("amy", Presence.NOT_READY, "lunch"))
    desk.call("i1", "tech")
    entered = desk.now
    told: list[VisitStepped] = []
    while (due := desk.engine.next_due()) is not None and len(told) < 4:
        told += every(VisitStepped, desk.do(ClockReached(), after=(due - desk.now) / SECOND))
        if desk.interaction("i1").agent_id:
            break
    assert [((each.stepped_at - entered) / SECOND, each.cause, each.ring, each.priority) for each in told] == [
        (10, "time", 1, 0),
        (15, "time", 1, 2),
        (20, "time", 2, 2),
    ]
    assert desk.interaction("i1").agent_id == "ben"


def test_steps_that_are_overdue_are_taken_together() -> None:
    desk = Desk(SITE)
    desk.sign_in("amy")
    desk.do(PresenceChosen("amy", Presence.NOT_READY, "lunch"))
    desk.call("i1", "tech")
    (told,) = every(VisitStepped, desk.do(ClockReached(), after=60))
    assert (told.ring, told.priority, desk.engine.next_due()) == (2, 2, None)


def test_a_step_survives_a_restart_and_a_declined_offer_but_not_a_new_visit() -> None:
    desk = Desk(SITE)
    desk.sign_in("amy", "ben")
    desk.call("i1", "tech")
    assert every(OfferInteraction, desk.do(ClockReached(), after=10)) == []
    stored = dump(desk.engine)
    again = Desk(engine=restore(stored))
    assert dump(again.engine) == stored
    assert again.engine.next_due() == desk.engine.next_due()
    assert again.do(OfferRejected("i1/1")) == desk.do(OfferRejected("i1/1"))
    assert desk.interaction("i1").ring == 1
    desk.do(InteractionQueued("i1", "tech", priority=1))
    assert (desk.interaction("i1").ring, desk.interaction("i1").priority) == (0, 1)


def test_who_lapses_at_once_may_be_taken_by_anybody_but_who_is_there_is_waited_for() -> None:
    desk = Desk(SITE)
    desk.sign_in("amy", "ben")
    desk.do(PresenceChosen("ben", Presence.NOT_READY, "lunch"))
    desk.do(InteractionArrived("i1"))
    assert every(OfferInteraction, desk.do(InteractionQueued("i1", "tech", preferred=("ben",), preferred_us=99))) != []
    desk.do(InteractionArrived("i2"))
    desk.do(OfferAccepted("i1/1"))
    desk.do(TalkEnded("i1", "amy"))
    asked = InteractionQueued("i2", "tech", preferred=("amy",), preferred_us=5 * SECOND)
    desk.do(PresenceChosen("amy", Presence.NOT_READY, "lunch"))
    desk.do(asked)
    assert desk.interaction("i2").preferred == ("amy",)
    told = only(VisitStepped, desk.do(ClockReached(), after=5))
    assert (told.cause, told.preferring, desk.interaction("i2").preferred) == ("time", False, ())


def overload(ageing: tuple[PriorityStep, ...], gaps: list[int]) -> list[str]:
    """One agent, a talk of 20 s, and a caller of priority 2 every few seconds; who is offered, in order. A caller of
    the low queue came first of all but one."""
    low = QueueRules("low", wrap_up_us=0, ring_us=900 * SECOND, raise_priority=ageing)
    high = QueueRules("high", wrap_up_us=0, ring_us=900 * SECOND, priority=2)
    desk = Desk(Configuration((low, high), (AgentProfile("amy", queues=("low", "high")),)))
    desk.sign_in("amy")
    made = every(OfferInteraction, desk.call("first", "high"))
    desk.call("poor", "low")
    for number, gap in enumerate(gaps):
        desk.do(ClockReached(), after=gap)
        desk.call(f"rich{number}", "high")
        if number % 2:
            offer = made[-1]
            desk.do(OfferAccepted(offer.offer_id))
            made += every(OfferInteraction, desk.do(TalkEnded(offer.interaction_id, "amy")))
            desk.do(CallerLeft(offer.interaction_id))
    return [each.interaction_id for each in made]


@settings(max_examples=examples(25), deadline=None, database=None)
@given(st.lists(st.integers(1, 9), min_size=24, max_size=24))
def test_no_queue_starves_another_whose_priority_rises_as_high(gaps: list[int]) -> None:
    """Twice as many come as can be served. Without steps the low queue is never served; with them everybody who
    asked later is served later once the steps have been taken."""
    assert "poor" not in overload((), gaps)
    served = overload((PriorityStep(10 * SECOND, 1), PriorityStep(25 * SECOND, 1)), gaps)
    waited = 0
    came_before = 0
    for gap in gaps:
        waited += gap + 2
        came_before += waited <= 25 + 2
    assert served.index("poor") <= 1 + came_before
