"""What people suffer from where customers are called back; numbers as in `test_pains`."""

from __future__ import annotations

from acd.commands import CallbackChanged, Command, InteractionClosed, OfferInteraction
from acd.events import (
    CallbackAnswered,
    CallbackFailed,
    CallerLeft,
    ClockReached,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    TalkEnded,
)
from acd.model import CallbackRules, CallbackState, Outcome
from tests.acd.desk import SECOND, Desk, every, only
from tests.acd.test_pains_offered import site

CALLBACK = {"callback": CallbackRules(attempts=3, every_us=300 * SECOND, reserve_us=60 * SECOND)}


def promise(desk: Desk, name: str, priority: int = 0) -> None:
    """Somebody waits, asks to be called back, and hangs up."""
    desk.do(InteractionArrived(name, f"+4930{name}"))
    desk.do(InteractionQueued(name, "q0", priority))
    desk.do(InteractionQueued(name, "q0", priority, callback_number=f"+4930{name}"))
    desk.do(CallerLeft(name))


def test_16_who_is_called_back_has_their_own_place_neither_better_nor_worse() -> None:
    """twilio-labs/plugin-queued-callbacks#9: the callback jumps the line."""
    desk = Desk(site(1, **CALLBACK))
    desk.call("before", "q0")
    promise(desk, "anna")
    desk.call("after", "q0")
    desk.sign_in("a0")
    order = []
    for _ in range(3):
        offered = desk.agent("a0").interaction_id
        order.append(offered)
        desk.do(CallbackAnswered(f"{offered}/1"))
        desk.do(OfferAccepted(f"{offered}/1"))
        desk.do(TalkEnded(offered, "a0"))
        desk.do(CallerLeft(offered))
    assert order == ["before", "anna", "after"]


def test_16_no_more_are_called_than_agents_are_held_for() -> None:
    """FreePBX#621: more callbacks are released than there are agents."""
    desk = Desk(site(2, **CALLBACK))
    for name in ("1", "2", "3", "4"):
        promise(desk, name)
    told: list[Command] = []
    for agent in ("a0", "a1"):
        desk.sign_in(agent)
    calling = [each for each in ("1", "2", "3", "4") if desk.interaction(each).agent_id]
    assert calling == ["1", "2"]
    told += desk.do(CallbackAnswered("1/1"))
    told += desk.do(OfferAccepted("1/1"))
    told += desk.do(CallbackFailed("2/1", "busy"))
    made = every(OfferInteraction, told)
    assert [(each.interaction_id, each.agent_id) for each in made] == [("3", "a1")]


def test_17_one_request_is_one_call_at_a_time_however_often_it_is_told() -> None:
    """FreePBX#525: one request, several callbacks."""
    desk = Desk(site(2, **CALLBACK))
    promise(desk, "anna")
    told: list[Command] = []
    for _ in range(3):
        told += desk.do(InteractionQueued("anna", "q0", callback_number="+4930anna"))
        told += desk.do(CallerLeft("anna"))
    desk.sign_in("a0", "a1")
    assert [desk.agent(each).interaction_id for each in ("a0", "a1")] == ["anna", ""]
    for event in (
        CallbackFailed("anna/1", "no_answer"),
        CallbackFailed("anna/1", "no_answer"),
        CallbackAnswered("anna/1"),
        ClockReached(),
    ):
        told += desk.do(event)
    assert every(OfferInteraction, told) == []
    calls = [each.attempts for each in every(CallbackChanged, told)]
    assert calls[-1] == 1
    again = only(OfferInteraction, desk.do(ClockReached(), after=300))
    assert (again.offer_id, again.callback_number) == ("anna/2", "+4930anna")


def test_17_who_calls_in_meanwhile_is_not_called_as_well() -> None:
    """Two calls to one customer: the promise is theirs when they call in themselves."""
    desk = Desk(site(2, **CALLBACK))
    promise(desk, "anna")
    desk.do(InteractionArrived("again", "+4930anna"))
    told = desk.do(InteractionQueued("again", "q0"))
    assert only(CallbackChanged, told).state is CallbackState.CALLED_IN
    assert only(InteractionClosed, told).outcome is Outcome.CALLED_IN
    desk.sign_in("a0", "a1")
    assert [desk.agent(each).interaction_id for each in ("a0", "a1")] == ["again", ""]
