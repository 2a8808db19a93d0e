"""Corners of promises to call back that the tables leave out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from acd.commands import (
    CallbackChanged,
    InteractionClosed,
    InteractionOpened,
    OfferInteraction,
    QueueChanged,
    VisitClosed,
    VisitOpened,
    VisitStepped,
    WithdrawOffer,
)
from acd.configuration import validate
from acd.errors import ConfigurationError
from acd.events import (
    CallbackAnswered,
    CallbackCancelled,
    CallbackFailed,
    CallerLeft,
    ClockReached,
    ConnectionFound,
    FlowEnded,
    InteractionArrived,
    InteractionAttached,
    InteractionDetached,
    InteractionQueued,
    OfferAccepted,
    OfferRejected,
    PresenceChosen,
    QueueClosed,
    QueueLeft,
    TalkEnded,
)
from acd.invariants import check
from acd.model import (
    CallbackRules,
    CallbackState,
    Outcome,
    Overflow,
    OverflowCause,
    Presence,
    PriorityStep,
    Requirement,
    Stage,
    Strategy,
    VisitOutcome,
)
from acd.snapshot import dump, is_promised, queue_view, restore
from tests.acd.desk import BILLING, SECOND, SITE, TECH, Desk, every, only

RULES = CallbackRules(attempts=2, every_us=300 * SECOND, reserve_us=60 * SECOND, lasts_us=3_600 * SECOND)
CALLING_BACK = replace(
    SITE,
    queues=(
        replace(BILLING, callback=RULES, raise_priority=(PriorityStep(60 * SECOND, 2), PriorityStep(120 * SECOND, 1))),
        replace(TECH, callback=RULES),
    ),
)
NUMBER = "+4930111"


def promised(desk: Desk, interaction_id: str, number: str = NUMBER, queue: str = "billing") -> None:
    """Somebody asks to be called back and hangs up."""
    desk.do(InteractionArrived(interaction_id))
    desk.do(InteractionQueued(interaction_id, queue, callback_number=number))
    desk.do(CallerLeft(interaction_id))


def answered() -> Desk:
    """maria is held, anna has answered and is on the line."""
    desk = Desk(CALLING_BACK)
    promised(desk, "anna")
    desk.sign_in("maria")
    desk.do(CallbackAnswered("anna/1"))
    return desk


def test_whether_it_is_promised_is_as_the_view_says() -> None:
    desk = Desk(CALLING_BACK)
    promised(desk, "anna")
    assert is_promised(desk.engine, "anna")
    assert desk.interaction("anna").is_promised
    desk.sign_in("maria")
    desk.do(CallbackAnswered("anna/1"))
    assert not is_promised(desk.engine, "anna")
    assert not desk.interaction("anna").is_promised
    assert not is_promised(desk.engine, "nobody")


def test_a_promise_counts_its_steps_of_priority_from_when_the_caller_began_to_wait() -> None:
    desk = Desk(CALLING_BACK)
    desk.call("anna")
    desk.do(InteractionQueued("anna", "billing", 1, (Requirement("vpn"),), callback_number=NUMBER), after=50)
    assert desk.interaction("anna").priority == 0
    assert only(VisitStepped, desk.do(ClockReached(), after=10)).priority == 2
    desk.do(InteractionQueued("anna", "billing", callback_number="+4930222"))
    assert desk.interaction("anna").priority == 2
    assert only(VisitStepped, desk.do(ClockReached(), after=59)).priority == 3


def test_a_promise_of_another_queue_begins_anew_but_keeps_when_they_first_asked() -> None:
    desk = Desk(CALLING_BACK)
    desk.call("anna")
    asked_at = desk.now
    desk.do(ClockReached(), after=60)
    answer = desk.do(InteractionQueued("anna", "tech", 1, callback_number=NUMBER))
    assert only(VisitClosed, answer).outcome is VisitOutcome.CALLBACK
    assert only(VisitOpened, answer).first_asked_at == asked_at
    assert only(VisitOpened, answer).callback_number == NUMBER
    assert desk.interaction("anna").priority == 1


def test_what_is_said_with_the_promise_replaces_what_was_said_before() -> None:
    desk = Desk(CALLING_BACK)
    desk.do(InteractionArrived("anna"))
    desk.do(InteractionQueued("anna", "billing", attributes=(("topic", "bill"),)))
    desk.do(InteractionQueued("anna", "billing", callback_number=NUMBER))
    assert desk.interaction("anna").attributes == (("topic", "bill"),)
    desk.do(InteractionQueued("anna", "billing", attributes=(("topic", "other"),), callback_number="+4930222"))
    assert desk.interaction("anna").attributes == (("topic", "other"),)


def test_a_caller_who_is_rung_for_may_ask_to_be_called_back() -> None:
    desk = Desk(CALLING_BACK)
    desk.sign_in("maria")
    desk.call("anna")
    answer = desk.do(InteractionQueued("anna", "billing", callback_number=NUMBER))
    assert only(WithdrawOffer, answer).offer_id == "anna/1"
    assert only(OfferInteraction, answer).callback_number == NUMBER


def test_a_caller_who_waits_after_all_is_not_called() -> None:
    desk = Desk(CALLING_BACK)
    desk.do(InteractionArrived("anna"))
    desk.do(InteractionQueued("anna", "billing", callback_number=NUMBER))
    answer = desk.do(InteractionQueued("anna", "billing"))
    assert only(CallbackChanged, answer).state is CallbackState.CANCELLED
    assert not desk.interaction("anna").is_promised
    assert queue_view(desk.engine, "billing").promised == 0


def test_a_connection_lost_or_found_changes_nothing_for_who_is_to_be_called() -> None:
    desk = Desk(CALLING_BACK)
    desk.do(InteractionArrived("anna"))
    desk.do(InteractionQueued("anna", "billing", callback_number=NUMBER))
    desk.sign_in("maria")
    assert desk.interaction("anna").stage is Stage.OFFERED
    assert desk.do(InteractionDetached("anna")) == ()
    assert desk.do(InteractionAttached("anna")) == ()
    assert desk.interaction("anna").attempts == 1


def test_one_who_has_answered_waits_like_any_caller() -> None:
    desk = answered()
    desk.do(InteractionDetached("anna"))
    assert desk.interaction("anna").stage is Stage.QUEUED
    assert only(OfferInteraction, desk.do(InteractionAttached("anna"))).callback_number == ""
    desk.do(QueueLeft("anna", VisitOutcome.OVERFLOWED))
    assert not desk.interaction("anna").callback_number
    desk.do(CallerLeft("anna"))
    assert "anna" in desk.engine.floor.closed


def test_one_who_left_between_two_offers_is_called_again() -> None:
    desk = answered()
    desk.do(OfferRejected("anna/1"))
    answer = desk.do(CallerLeft("anna"))
    assert only(CallbackChanged, answer).not_before == desk.now + RULES.every_us
    desk.do(PresenceChosen("maria", Presence.READY))
    assert only(OfferInteraction, desk.do(ClockReached(), after=300)).callback_number == NUMBER


@pytest.mark.parametrize(
    ("how", "ends"),
    [(Outcome.VOICEMAIL, True), (Outcome.TRANSFERRED_OUT, True), (Outcome.LOST, False), (Outcome.SELF_SERVED, False)],
)
def test_the_end_of_the_flow_of_one_who_answered(how: Outcome, ends: bool) -> None:
    desk = answered()
    answer = desk.do(FlowEnded("anna", how))
    states = [each.state for each in every(CallbackChanged, answer)]
    assert states == [CallbackState.FAILED if ends else CallbackState.PROMISED]
    assert [each.outcome for each in every(InteractionClosed, answer)] == ([how] if ends else [])


def test_a_number_promised_again_while_its_customer_was_on_the_line_is_called_once() -> None:
    desk = answered()
    desk.do(OfferRejected("anna/1"))
    promised(desk, "anna2")
    asked_at = desk.interaction("anna").first_asked_at
    answer = desk.do(CallerLeft("anna"))
    assert only(InteractionClosed, answer).outcome is Outcome.CALLED_IN
    assert only(InteractionClosed, answer).detail == "anna2"
    assert desk.interaction("anna2").first_asked_at == asked_at
    assert queue_view(desk.engine, "billing").promised == 1


def test_what_does_not_apply_is_counted() -> None:
    desk = answered()
    desk.do(CallbackAnswered("anna/1"))
    desk.do(CallbackCancelled("anna"))
    desk.do(OfferAccepted("anna/1"))
    desk.do(TalkEnded("anna", "maria"))
    desk.do(CallerLeft("anna"))
    desk.do(ClockReached(), after=10)
    desk.call("bert")
    desk.do(CallbackAnswered("bert/1"))
    desk.do(CallbackFailed("bert/1"))
    desk.do(CallbackFailed("nobody/1"))
    desk.do(CallbackCancelled("nobody"))
    assert dict(desk.engine.counts) == {
        "CallbackAnswered:answered_before": 1,
        "CallbackCancelled:on_line": 1,
        "CallbackAnswered:not_promised": 1,
        "CallbackFailed:not_promised": 1,
        "CallbackFailed:unknown": 1,
        "CallbackCancelled:unknown": 1,
    }


def test_a_talk_that_bridges_show_keeps_the_promise() -> None:
    desk = Desk(CALLING_BACK)
    promised(desk, "anna")
    desk.sign_in("maria", "jon")
    answer = desk.do(ConnectionFound("anna", "jon"))
    assert [each.state for each in every(CallbackChanged, answer)] == [CallbackState.PROMISED, CallbackState.KEPT]
    assert desk.interaction("anna").attached


def test_new_rules_touch_no_promise() -> None:
    desk = Desk(CALLING_BACK)
    promised(desk, "anna")
    desk.do(InteractionQueued("anna", "billing", callback_number="+4930222", carried="here"))
    assert desk.interaction("anna").carried == "here"
    restored = Desk(engine=restore(dump(desk.engine)))
    restored.engine.floor.queues["billing"].rules = BILLING
    restored.sign_in("maria")
    view = restored.agent("maria")
    assert view.deadline - restored.now == RULES.reserve_us


def test_totals_tell_who_is_not_on_the_line() -> None:
    desk = Desk(CALLING_BACK)
    desk.call("bert")
    desk.do(InteractionArrived("anna"))
    answer = desk.do(InteractionQueued("anna", "billing", callback_number=NUMBER))
    assert (only(QueueChanged, answer).waiting, only(QueueChanged, answer).promised) == (2, 1)
    desk.sign_in("jon")
    desk.do(OfferAccepted("bert/1"))
    desk.sign_in("maria")
    answer = desk.do(CallbackAnswered("anna/1"))
    assert (only(QueueChanged, answer).waiting, only(QueueChanged, answer).promised) == (1, 0)


@pytest.mark.parametrize("name", ["attempts", "every_us", "reserve_us", "lasts_us"])
def test_rules_that_could_never_call_are_refused(name: str) -> None:
    wrong = replace(BILLING, callback=replace(RULES, **{name: 0}))
    with pytest.raises(ConfigurationError, match=f"queue 'billing': callback: {name}: expected more than 0, got 0"):
        validate(replace(SITE, queues=(wrong, TECH)))


# --- repairs -------------------------------------------------------------------------------------------------


def test_a_promise_that_does_not_wait_is_ended() -> None:
    desk = Desk(CALLING_BACK)
    promised(desk, "anna")
    desk.engine.floor.interactions["anna"].stage = Stage.IN_FLOW
    assert "promise:anna" in check(desk.engine)
    answer = desk.do(InteractionAttached("anna"))
    assert only(CallbackChanged, answer).state is CallbackState.FAILED
    assert desk.engine.counts["repair:promise"] == 1


def test_a_call_whose_agent_does_not_hold_it_does_not_count() -> None:
    desk = Desk(CALLING_BACK)
    promised(desk, "anna")
    desk.sign_in("maria")
    desk.engine.floor.agents["maria"].assignments.clear()
    answer = desk.engine.handle(InteractionAttached("anna"), desk.now)
    assert every(CallbackChanged, answer)[0].detail == "repaired"
    assert desk.interaction("anna").attempts == 0


def test_a_promise_of_a_queue_that_is_not_there_ends() -> None:
    desk = Desk(CALLING_BACK)
    promised(desk, "anna")
    desk.engine.floor.interactions["anna"].queue = "nowhere"
    answer = desk.engine.handle(InteractionAttached("anna"), desk.now)
    assert only(InteractionClosed, answer).outcome is Outcome.CALLBACK_FAILED
    assert only(CallbackChanged, answer).detail == "queue_gone"


def test_a_number_that_is_not_listed_is_listed() -> None:
    desk = Desk(CALLING_BACK)
    promised(desk, "anna")
    desk.engine.floor.queues["billing"].promises.clear()
    assert check(desk.engine) == ("waiting:anna", "index:billing")
    desk.do(InteractionAttached("anna"))
    assert desk.engine.floor.queues["billing"].promises == {NUMBER: "anna"}


def test_one_agent_is_held_where_several_would_be_rung() -> None:
    ring_all = replace(CALLING_BACK.queues[0], strategy=Strategy.RING_ALL)
    desk = Desk(replace(CALLING_BACK, queues=(ring_all, CALLING_BACK.queues[1])))
    promised(desk, "anna")
    desk.sign_in("maria", "jon")
    assert desk.interaction("anna").beside == ()
    desk.do(CallbackAnswered("anna/1"))
    rung = every(OfferInteraction, desk.do(OfferRejected("anna/1")))
    assert [each.agent_id for each in rung] == ["jon"]
    assert len(every(OfferInteraction, desk.do(PresenceChosen("maria", Presence.READY)))) == 0
    view = desk.interaction("anna")
    assert view.held_by("jon") == view
    assert view.held_by("maria") is None


def test_each_of_those_who_are_rung_together_sees_their_own_offer() -> None:
    ring_all = replace(CALLING_BACK.queues[0], strategy=Strategy.RING_ALL)
    desk = Desk(replace(CALLING_BACK, queues=(ring_all, CALLING_BACK.queues[1])))
    desk.sign_in("maria", "jon")
    desk.call("bert")
    held = desk.interaction("bert").held_by("jon")
    assert held is not None
    assert (held.agent_id, held.offer_id) == ("jon", "bert/2")


def test_a_queue_that_closes_keeps_its_promises_and_makes_no_more() -> None:
    desk = Desk(CALLING_BACK)
    promised(desk, "anna")
    desk.call("bert")
    desk.do(QueueClosed("billing"))
    assert desk.interaction("bert").stage is Stage.IN_FLOW
    assert desk.interaction("anna").stage is Stage.QUEUED
    desk.do(InteractionQueued("bert", "billing", callback_number="+4930222"))
    assert desk.engine.counts["InteractionQueued:closed_queue"] == 1
    desk.sign_in("maria")
    assert desk.interaction("anna").agent_id == "maria"


def test_a_promise_does_not_overflow() -> None:
    given_away = replace(CALLING_BACK.queues[0], overflow=(Overflow(OverflowCause.TIMED_OUT, 60 * SECOND),))
    desk = Desk(replace(CALLING_BACK, queues=(given_away, CALLING_BACK.queues[1])))
    desk.call("anna")
    desk.do(InteractionQueued("anna", "billing", callback_number=NUMBER, max_wait_us=5 * SECOND))
    desk.do(ClockReached(), after=120)
    assert desk.interaction("anna").is_promised
    desk.sign_in("maria")
    desk.do(CallbackAnswered("anna/1"))
    desk.do(OfferRejected("anna/1"))
    assert desk.interaction("anna").on_line


@pytest.mark.parametrize("caller", ["030111", "+4930111"])
def test_who_calls_by_themselves_is_known_by_their_number_however_the_network_wrote_it(caller: str) -> None:
    desk = Desk(CALLING_BACK)
    promised(desk, "anna")
    asked_at = desk.interaction("anna").first_asked_at
    opened = only(InteractionOpened, desk.do(InteractionArrived("anna2", caller, number=NUMBER)))
    assert opened.caller == caller
    answer = desk.do(InteractionQueued("anna2", "billing"))
    assert only(InteractionClosed, answer).outcome is Outcome.CALLED_IN
    assert desk.interaction("anna2").first_asked_at == asked_at


def test_the_number_by_which_they_are_known_outlasts_a_restart() -> None:
    desk = Desk(CALLING_BACK)
    promised(desk, "anna")
    desk.do(InteractionArrived("anna2", "030111", number=NUMBER))
    again = restore(dump(desk.engine))
    answer = again.handle(InteractionQueued("anna2", "billing"), desk.now + 1)
    assert only(InteractionClosed, answer).outcome is Outcome.CALLED_IN
