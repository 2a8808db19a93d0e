"""Corners of single events that the tables leave out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from acd.commands import AgentChanged, OfferClosed, OfferInteraction, QueueChanged, VisitClosed
from acd.events import (
    CallerLeft,
    ClockReached,
    ConfigurationChanged,
    ConnectionFound,
    DesktopChanged,
    Event,
    FlowEnded,
    InteractionArrived,
    InteractionAttached,
    InteractionDetached,
    InteractionQueued,
    OfferAccepted,
    OfferFailed,
    OfferRejected,
    PhoneChanged,
    PresenceChosen,
    QueueLeft,
    TalkEnded,
    WrapUpEnded,
)
from acd.model import Desktop, OfferOutcome, Outcome, Phone, Presence, Stage, VisitOutcome
from tests.acd.desk import BILLING, JON, SITE, TECH, Desk, every, only


def test_an_agent_who_left_the_site_finishes_an_offer_and_is_gone() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.call("i1")
    desk.do(ConfigurationChanged(replace(SITE, agents=(JON,))))
    assert desk.agent("maria").interaction_id == "i1"
    answer = desk.do(ClockReached(), after=30)
    assert only(OfferClosed, answer).outcome is OfferOutcome.EXPIRED
    assert [each.presence for each in answer if isinstance(each, AgentChanged)] == [Presence.LOGGED_OUT]
    desk.do(OfferRejected("i1/1"))
    desk.do(PresenceChosen("maria", Presence.READY))
    assert desk.engine.counts["PresenceChosen:unknown_agent"] == 1


def test_an_agent_who_comes_back_before_the_end_stays() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.talk("i1")
    desk.do(ConfigurationChanged(replace(SITE, agents=(JON,))))
    desk.do(ConfigurationChanged(SITE))
    desk.do(TalkEnded("i1", "maria"))
    desk.do(PresenceChosen("maria", Presence.READY))
    desk.do(ClockReached(), after=30)
    assert desk.agent("maria").state == "ready"


def test_the_desktop_clock_of_an_agent_who_is_gone_means_nothing() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.do(DesktopChanged("maria", Desktop.GONE))
    assert desk.engine.next_due() is not None
    desk.do(ConfigurationChanged(replace(SITE, agents=(JON,))))
    assert desk.engine.next_due() is None


def test_a_running_desktop_clock_is_not_wound_up_again() -> None:
    desk = Desk()
    desk.do(PhoneChanged("maria", Phone.FREE))
    desk.do(PresenceChosen("maria", Presence.READY))
    due = desk.engine.next_due()
    assert due == desk.now + SITE.desktop_grace_us
    desk.do(PresenceChosen("maria", Presence.READY, "really"))
    assert desk.engine.next_due() == due


def test_who_chose_a_break_keeps_the_reason_without_a_desktop() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.do(DesktopChanged("maria", Desktop.GONE))
    desk.do(PresenceChosen("maria", Presence.NOT_READY, "lunch"))
    desk.do(ClockReached(), after=600)
    assert desk.agent("maria").reason == "lunch"


def test_a_site_may_offer_without_a_desktop() -> None:
    desk = Desk(replace(SITE, offer_without_desktop=True))
    desk.sign_in("maria")
    desk.call("i1")
    desk.do(DesktopChanged("maria", Desktop.GONE))
    assert desk.interaction("i1").stage is Stage.OFFERED
    desk.do(ConfigurationChanged(SITE))
    assert desk.interaction("i1").stage is Stage.OFFERED
    answer = desk.do(ClockReached(), after=600)
    assert desk.agent("maria").presence is Presence.NOT_READY
    assert only(OfferClosed, answer).outcome in (OfferOutcome.EXPIRED, OfferOutcome.WITHDRAWN)


def test_the_desktop_clock_withdraws_an_offer_made_under_older_rules() -> None:
    rules = replace(BILLING, ring_us=10 * SITE.desktop_grace_us)
    site = replace(SITE, queues=(rules, TECH), offer_without_desktop=True)
    desk = Desk(site)
    desk.sign_in("maria")
    desk.call("i1")
    desk.do(DesktopChanged("maria", Desktop.GONE))
    desk.do(ConfigurationChanged(replace(site, offer_without_desktop=False)))
    answer = desk.do(ClockReached(), after=60)
    assert only(OfferClosed, answer).outcome is OfferOutcome.WITHDRAWN
    assert (desk.agent("maria").reason, desk.interaction("i1").stage) == ("desktop_lost", Stage.QUEUED)


def test_the_flow_may_not_queue_who_is_talking() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.talk("i1")
    assert desk.do(InteractionQueued("i1", "tech")) == ()
    assert desk.engine.counts["InteractionQueued:talking"] == 1


def test_only_a_bridge_answers() -> None:
    desk = Desk()
    desk.call("i1")
    assert only(VisitClosed, desk.do(QueueLeft("i1", VisitOutcome.ANSWERED))).outcome is VisitOutcome.WITHDRAWN
    assert desk.engine.counts["QueueLeft:answered_without_talk"] == 1


def test_leaving_the_queue_while_ringing_stops_the_phone() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.call("i1")
    answer = desk.do(QueueLeft("i1", VisitOutcome.OVERFLOWED))
    assert only(OfferClosed, answer).outcome is OfferOutcome.WITHDRAWN
    assert desk.agent("maria").state == "ready"


def test_detached_in_a_talk_changes_nothing_but_the_flag() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.talk("i1")
    assert desk.do(InteractionDetached("i1")) == ()
    assert desk.do(InteractionDetached("i1")) == ()
    assert desk.do(InteractionAttached("i1")) == ()
    assert desk.do(InteractionAttached("i1")) == ()
    assert dict(desk.engine.counts) == {
        "InteractionDetached:detached_before": 1,
        "InteractionAttached:attached_before": 1,
    }


def test_a_found_talk_takes_the_agent_from_an_offer() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.call("i1")
    desk.call("i2")
    answer = desk.do(ConnectionFound("i2", "maria"))
    assert only(OfferClosed, answer).interaction_id == "i1"
    assert [desk.interaction(each).stage for each in ("i1", "i2")] == [Stage.QUEUED, Stage.TALKING]


@pytest.mark.parametrize(
    "event",
    [
        InteractionAttached("i9"),
        InteractionDetached("i9"),
        InteractionQueued("i9", "billing"),
        QueueLeft("i9"),
        CallerLeft("i9"),
        FlowEnded("i9", Outcome.LOST),
        OfferAccepted("i9/1"),
        OfferRejected("i9/1"),
        OfferFailed("i9/1"),
        ConnectionFound("i9", "maria"),
        TalkEnded("i9", "maria"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_names_a_caller_who_is_not_there_is_counted(event: Event) -> None:
    desk = Desk()
    assert desk.do(event) == ()
    desk.do(InteractionArrived("i9"))
    desk.do(CallerLeft("i9"))
    assert desk.do(event) == ()
    name = type(event).__name__
    assert dict(desk.engine.counts) == {f"{name}:unknown": 1, f"{name}:closed": 1}


@pytest.mark.parametrize(
    "event",
    [
        PresenceChosen("nobody", Presence.READY),
        PhoneChanged("nobody", Phone.FREE),
        DesktopChanged("nobody", Desktop.THERE),
        WrapUpEnded("nobody", "i1"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_names_an_agent_who_is_not_there_is_counted(event: Event) -> None:
    desk = Desk()
    assert desk.do(event) == ()
    assert dict(desk.engine.counts) == {f"{type(event).__name__}:unknown_agent": 1}


def test_the_same_said_again_is_counted() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.sign_in("maria")
    assert sorted(desk.engine.counts) == [
        "DesktopChanged:unchanged",
        "PhoneChanged:unchanged",
        "PresenceChosen:unchanged",
    ]


def test_a_queue_that_vanishes_unused_says_nothing() -> None:
    desk = Desk()
    answer = desk.do(ConfigurationChanged(replace(SITE, queues=(BILLING,), agents=(JON,))))
    assert every(QueueChanged, answer) == []


def test_unknown_names_are_counted() -> None:
    desk = Desk()
    desk.call("i1")
    for event in (
        ConnectionFound("i1", "nobody"),
        ConnectionFound("i9", "maria"),
        OfferAccepted("nonsense"),
        OfferAccepted("i1/x"),
        TalkEnded("i1", "maria"),
        PhoneChanged("nobody", Phone.FREE),
        DesktopChanged("nobody", Desktop.GONE),
    ):
        assert desk.do(event) == ()
    assert sum(desk.engine.counts.values()) == 7


def test_a_talk_ends_only_for_its_own_agent() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.talk("i1")
    assert desk.do(TalkEnded("i1", "jon")) == ()
    assert desk.engine.counts["TalkEnded:other_agent"] == 1


def test_new_agents_and_queues_are_announced() -> None:
    desk = Desk(replace(SITE, queues=(BILLING,), agents=(JON,)))
    answer = desk.do(ConfigurationChanged(SITE))
    assert [each.agent_id for each in answer if isinstance(each, AgentChanged)] == ["maria"]
    assert [each.queue for each in answer if isinstance(each, QueueChanged)] == ["tech"]


def test_less_demanding_rules_let_the_waiting_through() -> None:
    desk = Desk(replace(SITE, agents=(replace(JON, queues=("tech",)),)))
    desk.sign_in("jon")
    desk.call("i1", "billing")
    answer = desk.do(ConfigurationChanged(replace(SITE, agents=(JON,))))
    assert only(OfferInteraction, answer).agent_id == "jon"
