"""More of what people suffer from elsewhere: several phones at once, expected waits, capacity.

As in `test_pains`, numbers are those of our list of pains.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from acd.commands import (
    OfferInteraction,
    TalkOpened,
    WithdrawOffer,
)
from acd.events import (
    CallerLeft,
    ClockReached,
    Event,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    OfferFailed,
    OfferRejected,
    PresenceChosen,
    TalkEnded,
)
from acd.model import (
    AgentProfile,
    AgentState,
    Configuration,
    Estimator,
    Presence,
    QueueRules,
    Strategy,
)
from tests.acd.desk import SECOND, Desk, every, only


def site(agents: int, **rules: object) -> Configuration:
    queue = replace(QueueRules("q0", ring_us=20 * SECOND, wrap_up_us=0), **rules)  # type: ignore[arg-type]
    return Configuration((queue,), tuple(AgentProfile(f"a{number}", queues=("q0",)) for number in range(agents)))


# --- 9: all phones ring ---------------------------------------------------------------------------------------

RING_ALL = {"strategy": Strategy.RING_ALL, "ring_at_most": 3}


@pytest.mark.parametrize(
    "event", [OfferRejected("anna/1"), OfferFailed("anna/1")], ids=lambda event: type(event).__name__
)
def test_9_who_answers_and_drops_stops_no_other_phone(event: Event) -> None:
    """asterisk#1557: one agent answers and drops during the whisper; every other phone stops, and the round restarts,
    again and again."""
    desk = Desk(site(3, **RING_ALL))
    desk.sign_in("a0", "a1", "a2")
    assert [each.agent_id for each in every(OfferInteraction, desk.call("anna", "q0"))] == ["a0", "a1", "a2"]
    answer = desk.do(event)
    assert every(OfferInteraction, answer) == []
    assert {each.agent_id for each in every(WithdrawOffer, answer)} <= {"a0"}
    assert [desk.agent(each).state for each in ("a1", "a2")] == [AgentState.RESERVED] * 2
    assert only(TalkOpened, desk.do(OfferAccepted("anna/2"))).agent_id == "a1"
    assert desk.agent("a2").state is AgentState.READY


def test_9_a_talk_that_ends_at_once_rings_nobody_again() -> None:
    """asterisk#1557: AGENTDUMP loop. Once they talked, the flow decides what is next."""
    desk = Desk(site(3, **RING_ALL))
    desk.sign_in("a0", "a1", "a2")
    desk.call("anna", "q0")
    desk.do(OfferAccepted("anna/3"))
    answer = desk.do(TalkEnded("anna", "a2"), after=0.1)
    assert every(OfferInteraction, answer) == []
    assert [desk.agent(each).state for each in ("a0", "a1", "a2")] == [AgentState.READY] * 3


# --- 15: expected waits ------------------------------------------------------------------------------------------


def test_15_an_expected_wait_does_not_grow_while_the_line_moves() -> None:
    """app_queue.c:4444 announces |holdtime + 30 − waited|: a mean of past waits, whose absolute value grows again once
    somebody has waited longer; Wazo: "has never fully worked"."""
    desk = Desk(site(2, expected_handling_us=100 * SECOND, estimator=Estimator.STAFFING))
    desk.sign_in("a0", "a1")
    for number in range(6):
        desk.call(f"c{number}", "q0")
    told = [desk.interaction("c5").expected_wait_us]
    for number in (0, 1):
        desk.do(OfferAccepted(f"c{number}/1"))
    for number in range(4):
        desk.do(ClockReached(), after=50)
        told.append(desk.interaction("c5").expected_wait_us)
        desk.do(CallerLeft(f"c{number}"), after=50)
        told.append(desk.interaction("c5").expected_wait_us)
        if number < 3:
            desk.do(OfferAccepted(f"c{number + 2}/1"), after=0)
    assert told[0] == 4 * 100 * SECOND // 2
    assert told[-1] == 0
    assert sorted(told, reverse=True) == told


def test_15_long_waits_of_the_past_are_no_expectation() -> None:
    """The announced time follows who is ahead and who works now, not the mean of past waits."""
    desk = Desk(site(1, expected_handling_us=100 * SECOND))
    desk.call("patient", "q0")
    desk.sign_in("a0")
    desk.now += 3_000 * SECOND
    desk.call("anna", "q0")
    assert 50 * SECOND <= desk.interaction("anna").expected_wait_us <= 150 * SECOND


# --- 19: capacity ----------------------------------------------------------------------------------------------------


def test_19_whoever_comes_back_takes_the_oldest() -> None:
    """chatwoot#10685: who was away gets the next new one, the older wait."""
    desk = Desk(site(1))
    desk.sign_in("a0")
    desk.do(PresenceChosen("a0", Presence.NOT_READY, "lunch"))
    for name in ("c2", "c1"):
        desk.call(name, "q0")
    desk.do(InteractionArrived("c0"))
    told = desk.do(PresenceChosen("a0", Presence.READY)) + desk.do(InteractionQueued("c0", "q0"), after=0)
    assert [each.interaction_id for each in every(OfferInteraction, told)] == ["c2"]
