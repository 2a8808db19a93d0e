"""What people suffer from in other distributors, one test each: it must not happen here.

Numbers are those of our list of pains; sources are the issue trackers named (asterisk#n: asterisk/asterisk,
ASTERISK-n: issues.asterisk.org, others by project). What telephony or a database does is tested where that is.

Longer than other files, because it is one list.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest

from acd.commands import (
    AgentChanged,
    OfferClosed,
    OfferInteraction,
    StageChanged,
    TalkClosed,
    TalkOpened,
    WithdrawOffer,
    WrapUpClosed,
)
from acd.engine import Engine
from acd.events import (
    CallerLeft,
    ClockReached,
    ConfigurationChanged,
    ConnectionFound,
    DesktopChanged,
    Event,
    FlowEnded,
    InteractionArrived,
    InteractionDetached,
    InteractionQueued,
    OfferAccepted,
    OfferFailed,
    OfferRejected,
    PhoneChanged,
    PresenceChosen,
    QueueLeft,
    RoutingPaused,
    RoutingResumed,
    TalkEnded,
    WrapUpEnded,
)
from acd.model import (
    AgentProfile,
    AgentState,
    Configuration,
    Desktop,
    OfferOutcome,
    Outcome,
    Phone,
    Presence,
    QueueRules,
    Requirement,
    Strategy,
)
from acd.snapshot import agent_view, dump, restore
from tests.acd.desk import SECOND, Desk, every, only


def site(queues: int = 1, agents: int = 1, **rules: Any) -> Configuration:
    """Queues q0, q1 …, and agents a0, a1 … who serve them all."""
    given = {"ring_us": 20 * SECOND, "wrap_up_us": 0, **rules}
    names = tuple(f"q{number}" for number in range(queues))
    return Configuration(
        queues=tuple(QueueRules(name, **given) for name in names),
        agents=tuple(AgentProfile(f"a{number}", queues=names) for number in range(agents)),
    )


# --- 1: ring and assign races --------------------------------------------------------------------------------


def test_1_an_agent_of_many_queues_never_gets_two_calls() -> None:
    """ASTERISK-16115: members of several queues were rung for several calls (patched 2012 to 2018, and in 2026)."""
    desk = Desk(site(queues=5))
    for number in range(5):
        desk.call(f"c{number}", f"q{number}")
    desk.do(PhoneChanged("a0", Phone.FREE))
    desk.do(DesktopChanged("a0", Desktop.THERE))
    made = every(OfferInteraction, desk.do(PresenceChosen("a0", Presence.READY)))
    for event in (
        RoutingPaused("link"),
        RoutingResumed(),
        PhoneChanged("a0", Phone.BUSY),
        PhoneChanged("a0", Phone.FREE),
    ):
        made += every(OfferInteraction, desk.do(event))
    assert [each.offer_id for each in made] == ["c0/1"]
    made += every(OfferInteraction, desk.do(OfferAccepted("c0/1")))
    assert len(made) == 1


def test_1_an_agent_is_not_pending_for_ever_after_a_transfer() -> None:
    """asterisk 79069f8ccb, f23a12244d: "member stuck as pending", also after a transfer to another queue."""
    desk = Desk(site(queues=2))
    desk.sign_in("a0")
    desk.talk("anna", "q0")
    desk.do(TalkEnded("anna", "a0"))
    again = only(OfferInteraction, desk.do(InteractionQueued("anna", "q1")))
    assert (again.agent_id, again.offer_id) == ("a0", "anna/2")
    desk.do(QueueLeft("anna"))
    assert only(OfferInteraction, desk.call("bert", "q0")).agent_id == "a0"


# --- 2: one call counted several times -----------------------------------------------------------------------


def test_2_a_talk_is_counted_once_however_often_it_is_told() -> None:
    """asterisk#1736: concurrent updates count one call several times; "fewest calls" and statistics go wrong."""
    desk = Desk(site(queues=3, agents=2, strategy=Strategy.FEWEST_HANDLED))
    desk.sign_in("a0", "a1")
    first = only(OfferInteraction, desk.call("anna", "q0"))
    answers = [desk.do(OfferAccepted(first.offer_id)) for _ in range(3)]
    answers += [desk.do(TalkEnded("anna", "a0")) for _ in range(3)]
    told = [command for answer in answers for command in answer]
    assert (len(every(TalkOpened, told)), len(every(TalkClosed, told))) == (1, 1)
    desk.do(CallerLeft("anna"))
    assert desk.talk("bert", "q1") == "a1"
    desk.do(CallerLeft("bert"))
    # Both have had one: the longest idle is next, which a second count of Anna's call would prevent.
    assert desk.talk("carl", "q2") == "a0"


# --- 3: starved by the head of a line ------------------------------------------------------------------------


def test_3_a_head_whom_nobody_may_take_holds_up_nobody() -> None:
    """asterisk#1637: a priority caller at the head starves its own queue; #1691: no caller is "the longest", so the
    queues stop offering calls."""
    desk = Desk(site(queues=2))
    desk.do(InteractionArrived("head"))
    desk.do(InteractionQueued("head", "q0", priority=9, requirements=(Requirement("rare", 10),)))
    desk.call("anna", "q0")
    desk.call("bert", "q1")
    desk.sign_in("a0")
    order = []
    for _ in range(2):
        order += [each.id for each in (desk.interaction("anna"), desk.interaction("bert")) if each.agent_id == "a0"]
        desk.do(OfferAccepted(f"{order[-1]}/1"))
        desk.do(TalkEnded(order[-1], "a0"))
    assert order == ["anna", "bert"]


# --- 4, 5: work per event ------------------------------------------------------------------------------------


def steps_of(engine: Engine, event: Event) -> int:
    """How many lines of Python an event takes: a measure of work that no busy machine changes."""
    lines = 0

    def trace(frame: FrameType, what: str, _: Any) -> Any:
        nonlocal lines
        lines += what == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        engine.handle(event, engine.now)
    finally:
        sys.settrace(before)
    return lines


def crowded(queues: int, agents: int, waiting: int) -> Engine:
    """Agents who all talk, each serving 3 of the queues, and callers who wait everywhere."""
    names = [f"q{number}" for number in range(queues)]
    profiles = [
        AgentProfile(f"a{number}", queues=tuple({names[(number * 7 + at * 3) % queues]: 0 for at in range(3)}))
        for number in range(agents)
    ]
    engine = Engine(Configuration(tuple(QueueRules(name) for name in names), tuple(profiles)), 0)
    for profile in profiles:
        engine.handle(PhoneChanged(profile.id, Phone.FREE), 0)
        engine.handle(DesktopChanged(profile.id, Desktop.THERE), 0)
    for number in range(waiting):
        engine.handle(InteractionArrived(f"c{number}"), 0)
        engine.handle(InteractionQueued(f"c{number}", names[number % queues]), 0)
    engine.handle(RoutingPaused("link"), 0)
    engine.handle(RoutingResumed(), 0)  # walks the whole line: once
    return engine


def a_call_in_steps(engine: Engine) -> dict[str, int]:
    """The work of each event in the life of the call that a1 gets on becoming ready, and of one that waits."""
    work: dict[str, int] = {}
    event: Event
    for event in (PhoneChanged("a1", Phone.BUSY), PhoneChanged("a1", Phone.FREE)):
        work[f"phone {event.phone}"] = steps_of(engine, event)
    work["ready"] = steps_of(engine, PresenceChosen("a1", Presence.READY))
    shown = agent_view(engine, "a1")
    assert shown is not None
    assert shown.state is AgentState.RESERVED
    anna = shown.interaction_id
    work["accepted"] = steps_of(engine, OfferAccepted(f"{anna}/1"))
    work["talk ended"] = steps_of(engine, TalkEnded(anna, "a1"))
    work["wrap-up ended"] = steps_of(engine, WrapUpEnded("a1", anna))
    work["left"] = steps_of(engine, CallerLeft(anna))
    for event in (InteractionArrived("new"), InteractionQueued("new", "q1"), CallerLeft("new"), ClockReached()):
        work[type(event).__name__] = steps_of(engine, event)
    assert dict(engine.counts) == {"ClockReached:early": 1}
    return work


def test_4_an_event_does_not_scan_queues_and_agents() -> None:
    """asterisk#1961, #1972: each device state scans all queues times all members; #1215: 40,000 queues and 75,000
    members fill the backlog. Here 100 times the queues, agents and callers may cost a search's few more steps."""
    small, large = a_call_in_steps(crowded(10, 20, 50)), a_call_in_steps(crowded(1_000, 2_000, 5_000))
    assert {name: many for name, many in large.items() if many > 1.25 * small[name] + 20} == {}


# --- 7, 12: wrap-up ------------------------------------------------------------------------------------------


def wrapping_up(until_s: int = 30) -> Desk:
    """a0 wraps up after Anna's call, which went on to another queue."""
    desk = Desk(site(queues=2, agents=2, wrap_up_us=until_s * SECOND))
    desk.sign_in("a0")
    desk.talk("anna", "q0")
    desk.do(TalkEnded("anna", "a0"))
    return desk


def test_7_nothing_but_its_own_deadline_or_the_agent_ends_a_wrap_up() -> None:
    """asterisk#1006, #607, #1255, ASTERISK-28952: stale or zeroed lastcall, transfers and reloads end it early."""
    desk = wrapping_up()
    ends_at = desk.agent("a0").deadline
    rules = site(queues=2, agents=2, wrap_up_us=0)
    for event in (
        InteractionQueued("anna", "q1"),
        CallerLeft("anna"),
        ConfigurationChanged(rules),
        PhoneChanged("a0", Phone.BUSY),
        PhoneChanged("a0", Phone.FREE),
        PresenceChosen("a0", Presence.NOT_READY, "lunch"),
        PresenceChosen("a0", Presence.READY),
        TalkEnded("anna", "a0"),
        RoutingPaused("link"),
        RoutingResumed(),
        ClockReached(),
    ):
        desk.do(event)
        assert desk.agent("a0").state is AgentState.WRAP_UP, event
        assert desk.agent("a0").deadline == ends_at, event
    desk.now = ends_at - SECOND
    assert only(WrapUpClosed, desk.do(ClockReached())).ended_at == ends_at
    assert desk.agent("a0").state is AgentState.READY


def test_12_each_wrap_up_ends_by_its_own_clock() -> None:
    """opensips#2679: it ends by the last agent's timer, so free agents sit while calls wait."""
    desk = Desk(site(agents=2, wrap_up_us=30 * SECOND))
    desk.sign_in("a0", "a1")
    desk.talk("anna", "q0")
    desk.talk("bert", "q0")
    desk.do(CallerLeft("anna"))
    desk.do(CallerLeft("bert"), after=20)
    desk.call("carl", "q0")
    first, later = desk.agent("a0").deadline, desk.agent("a1").deadline
    assert later - first == 20 * SECOND
    desk.now = first - SECOND
    made = only(OfferInteraction, desk.do(ClockReached()))
    assert (made.agent_id, made.interaction_id, made.offered_at) == ("a0", "carl", first)
    assert desk.agent("a1").state is AgentState.WRAP_UP


# --- 8: transfers --------------------------------------------------------------------------------------------


def test_8_a_talk_ends_with_its_bridge_not_with_the_call() -> None:
    """FreePBX#124: talk time runs an hour after the transfer; mikopbx#1100: a 19 minute call stored as 1 s."""
    desk = Desk(site(queues=2, agents=2))
    desk.sign_in("a0")
    desk.talk("anna", "q0")
    first = only(TalkClosed, desk.do(TalkEnded("anna", "a0"), after=60))
    desk.do(PresenceChosen("a0", Presence.NOT_READY))
    desk.do(InteractionQueued("anna", "q1"))
    desk.sign_in("a1")
    desk.do(OfferAccepted("anna/2"))
    second = only(TalkClosed, desk.do(CallerLeft("anna"), after=19 * 60))
    lengths = [(each.agent_id, each.ended_at - each.started_at) for each in (first, second)]
    assert lengths == [("a0", 60 * SECOND), ("a1", 19 * 60 * SECOND)]


def test_8_after_a_transfer_between_queues_the_agent_is_offered_again() -> None:
    """OpenACD#69: agent never offered again after queue to queue transfer."""
    desk = Desk(site(queues=2, agents=2))
    desk.sign_in("a0")
    desk.talk("anna", "q0")
    desk.do(TalkEnded("anna", "a0"))
    desk.do(InteractionQueued("anna", "q1"))
    desk.do(QueueLeft("anna"))
    desk.do(InteractionQueued("anna", "q0"))
    desk.do(CallerLeft("anna"))
    assert only(OfferInteraction, desk.call("bert", "q1")).agent_id == "a0"


# --- 10: stuck agents ----------------------------------------------------------------------------------------

ENDS_OF_AN_OFFER: list[Event] = [
    CallerLeft("anna"),
    FlowEnded("anna", Outcome.VOICEMAIL),
    QueueLeft("anna"),
    InteractionDetached("anna"),
    OfferRejected("anna/1"),
    OfferFailed("anna/1"),
    PresenceChosen("a0", Presence.NOT_READY, "lunch"),
    PresenceChosen("a0", Presence.LOGGED_OUT),
    DesktopChanged("a0", Desktop.GONE),
    ConfigurationChanged(site(queues=0, agents=2)),
    ConnectionFound("anna", "a1"),
    ConnectionFound("bert", "a0"),
    ClockReached(),
]


@pytest.mark.parametrize("event", ENDS_OF_AN_OFFER, ids=lambda event: type(event).__name__)
def test_10_nobody_stays_reserved(event: Event) -> None:
    """freeswitch#2540: Reserved for ever; #2529: a zombie call to the agent after the caller left."""
    desk = Desk(site(agents=2))
    desk.sign_in("a0")
    desk.do(InteractionArrived("bert"))
    offer = only(OfferInteraction, desk.call("anna", "q0"))
    assert desk.engine.next_due() == offer.expires_at, "a deadline runs while somebody is reserved"
    if isinstance(event, ClockReached):
        desk.now = offer.expires_at - SECOND
    answer = desk.do(event)
    closed = only(OfferClosed, answer)
    assert closed.offer_id == "anna/1"
    assert desk.agent("a0").interaction_id != "anna"
    assert desk.agent("a0").state is not AgentState.RESERVED
    stopped = [each.offer_id for each in every(WithdrawOffer, answer)]
    assert stopped == ([] if closed.outcome is OfferOutcome.FAILED else ["anna/1"])


@pytest.mark.parametrize(
    "event",
    [CallerLeft("anna"), TalkEnded("anna", "a0"), FlowEnded("anna", Outcome.SERVED)],
    ids=lambda event: type(event).__name__,
)
def test_10_nobody_stays_talking(event: Event) -> None:
    """freeswitch#1973: "Answered" hours after the hang-up; opensips#2530, #3123: "incall" until a row is deleted;
    kazoo#6609: logged out for ever."""
    desk = Desk(site())
    desk.sign_in("a0")
    desk.talk("anna", "q0")
    desk.do(event)
    assert desk.agent("a0").state is AgentState.READY
    for again in (PresenceChosen("a0", Presence.LOGGED_OUT), PresenceChosen("a0", Presence.READY)):
        desk.do(again)
    assert only(OfferInteraction, desk.call("bert", "q0")).agent_id == "a0"


# --- 11: one dispatcher for all ------------------------------------------------------------------------------


def test_11_no_event_stops_routing() -> None:
    """freeswitch#1641: the one dispatch thread dies, and nothing is delivered any more."""
    desk = Desk(site())
    desk.sign_in("a0")
    nonsense: list[Event] = [
        OfferAccepted(""),
        OfferAccepted("/"),
        OfferRejected("anna/-1"),
        OfferFailed("anna/٣"),
        CallerLeft(""),
        TalkEnded("", ""),
        WrapUpEnded("nobody", "nothing"),
        ConnectionFound("anna", "nobody"),
        InteractionQueued("anna", "q0"),
        InteractionQueued("anna", "nowhere"),
        PhoneChanged("nobody", Phone.FREE),
        QueueLeft("anna"),
        RoutingResumed(),
        ClockReached(),
    ]
    for event in nonsense:
        assert desk.do(event) == (), event
    assert sum(desk.engine.counts.values()) == len(nonsense)
    assert only(OfferInteraction, desk.call("anna", "q0")).agent_id == "a0"


def test_11_everybody_is_served_in_order() -> None:
    """freeswitch#2511: the eighth by score is served first, and nobody can say why."""
    desk = Desk(site(queues=3))
    for number in range(12):
        desk.call(f"c{number:02}", f"q{number % 3}", priority=number % 2)
    desk.sign_in("a0")
    served = []
    for _ in range(12):
        offered = desk.agent("a0").interaction_id
        desk.do(OfferAccepted(f"{offered}/1"))
        desk.do(CallerLeft(offered))
        served.append(offered)
    assert served == [f"c{number:02}" for number in (1, 3, 5, 7, 9, 11, 0, 2, 4, 6, 8, 10)]


def test_11_the_same_phone_is_not_rung_again_while_others_never_are() -> None:
    """freeswitch#2901."""
    desk = Desk(site(agents=4))
    desk.sign_in("a0", "a1", "a2", "a3")
    rung = [only(OfferInteraction, desk.call("anna", "q0")).agent_id]
    for number in (1, 2, 3):
        rung.append(only(OfferInteraction, desk.do(OfferFailed(f"anna/{number}"))).agent_id)
    assert rung == ["a0", "a1", "a2", "a3"]


def test_11_a_change_of_state_while_it_rings_makes_no_loop() -> None:
    """freeswitch PR#800: invite, cancel, invite, cancel …"""
    desk = Desk(site())
    desk.sign_in("a0")
    desk.call("anna", "q0")
    told: list[Any] = []
    for _ in range(10):
        told += desk.do(PhoneChanged("a0", Phone.BUSY), after=0)
        told += desk.do(PhoneChanged("a0", Phone.FREE), after=0)
        told += desk.do(PresenceChosen("a0", Presence.READY), after=0)
    assert every(OfferInteraction, told) == []
    assert every(WithdrawOffer, told) == []


# --- 13, 14: nothing is shared -------------------------------------------------------------------------------


def test_13_two_engines_share_nothing() -> None:
    """freeswitch#1674, FS-10299: agents unavailable at random through a shared database and its one lock."""
    one, other = Desk(site()), Desk(site())
    one.sign_in("a0")
    one.talk("anna", "q0")
    other.call("anna", "q0")
    assert other.agent("a0").state is AgentState.LOGGED_OUT
    assert every(OfferInteraction, other.do(CallerLeft("anna"))) == []
    assert one.agent("a0").state is AgentState.TALKING


# --- 18: what agents see -------------------------------------------------------------------------------------


def test_18_a_rejected_call_does_not_come_back_to_the_same_agent() -> None:
    """amazon-connect-streams#292: it loops to the agent who rejected it."""
    desk = Desk(site(agents=1))
    desk.sign_in("a0")
    desk.call("anna", "q0")
    assert every(OfferInteraction, desk.do(OfferRejected("anna/1"))) == []
    assert (desk.agent("a0").state, desk.agent("a0").reason) == (AgentState.NOT_READY, "rejected")


def test_18_missed_declined_and_broken_can_be_told_apart() -> None:
    """amazon-connect-streams#344, #551, #658: missed and error look alike."""
    reasons = {}
    for event in (OfferRejected("anna/1"), OfferFailed("anna/1"), ClockReached()):
        desk = Desk(site())
        desk.sign_in("a0")
        offer = only(OfferInteraction, desk.call("anna", "q0"))
        desk.now = offer.expires_at - SECOND
        outcome = only(OfferClosed, desk.do(event)).outcome
        reasons[outcome] = desk.agent("a0").reason
    assert reasons == {
        OfferOutcome.REJECTED: "rejected",
        OfferOutcome.FAILED: "phone_failed",
        OfferOutcome.EXPIRED: "no_answer",
    }


def test_18_what_was_chosen_during_a_call_holds_afterwards() -> None:
    """amazon-connect-streams#613, #943: the next state is ignored; #241: Break flips to Available by itself."""
    desk = Desk(site(wrap_up_us=10 * SECOND))
    desk.sign_in("a0")
    desk.talk("anna", "q0")
    desk.do(PresenceChosen("a0", Presence.NOT_READY, "lunch"))
    desk.do(CallerLeft("anna"))
    assert desk.agent("a0").state is AgentState.WRAP_UP
    desk.do(ClockReached(), after=10)
    assert (desk.agent("a0").state, desk.agent("a0").reason) == (AgentState.NOT_READY, "lunch")
    desk.call("bert", "q0")
    desk.do(CallerLeft("bert"))
    assert (desk.agent("a0").state, desk.agent("a0").reason) == (AgentState.NOT_READY, "lunch")


@pytest.mark.parametrize("presence", [Presence.LOGGED_OUT, Presence.NOT_READY])
def test_18_the_end_of_an_offer_makes_nobody_available(presence: Presence) -> None:
    """flex-project-template#290: an offline agent is set Available after a reservation."""
    desk = Desk(site())
    desk.sign_in("a0")
    desk.call("anna", "q0")
    desk.do(PresenceChosen("a0", presence))
    told = [command for _ in range(3) for command in desk.do(ClockReached(), after=20)]
    assert every(AgentChanged, told) == []
    assert desk.agent("a0").presence is presence


# --- 19: freed capacity --------------------------------------------------------------------------------------


def test_19_who_becomes_free_takes_the_oldest_not_the_newest() -> None:
    """chatwoot#10583, #10376: freed capacity goes to the next new chat, older ones wait for ever."""
    desk = Desk(site(queues=2))
    desk.sign_in("a0")
    desk.talk("first", "q0")
    for name in ("old", "older", "oldest"):
        desk.do(InteractionArrived(name))
    desk.do(InteractionQueued("oldest", "q1"))
    desk.do(InteractionQueued("older", "q0"))
    desk.do(InteractionQueued("old", "q1"))
    desk.do(InteractionArrived("new"))
    desk.do(TalkEnded("first", "a0"), after=5)
    told = desk.do(InteractionQueued("new", "q0"), after=0)
    assert every(OfferInteraction, told) == []
    assert desk.agent("a0").interaction_id == "oldest"


def test_19_nobody_stays_with_an_agent_who_went_offline() -> None:
    """chatwoot#7204, #4158, #9587."""
    desk = Desk(site(agents=2))
    desk.sign_in("a0", "a1")
    desk.call("anna", "q0")
    moved = only(OfferInteraction, desk.do(PresenceChosen("a0", Presence.LOGGED_OUT)))
    assert (moved.agent_id, moved.offer_id) == ("a1", "anna/2")


# --- 26: reload and restart ----------------------------------------------------------------------------------


def reloaded(desk: Desk) -> Desk:
    changed = replace(desk.engine.configuration, seed=99, queues=(*desk.engine.configuration.queues, QueueRules("new")))
    desk.do(ConfigurationChanged(changed))
    return desk


def restarted(desk: Desk) -> Desk:
    return Desk(engine=restore(json.loads(json.dumps(dump(desk.engine)))))


@pytest.mark.parametrize("again", [reloaded, restarted])
def test_26_reload_and_restart_keep_what_is_known(again: Callable[[Desk], Desk]) -> None:
    """ASTERISK-28701: a reload resets statistics; asterisk#66: the pause reason is lost; freeswitch: on load all
    who wait are marked as abandoned (mod_callcenter.c:1598)."""
    desk = Desk(site(agents=3, strategy=Strategy.FEWEST_HANDLED))
    desk.sign_in("a0", "a1", "a2")
    desk.talk("anna", "q0")
    desk.do(CallerLeft("anna"))
    desk.do(PresenceChosen("a2", Presence.NOT_READY, "lunch"))
    desk.talk("bert", "q0")
    shown = [desk.agent(each) for each in ("a0", "a1", "a2")]
    desk = again(desk)
    assert [desk.agent(each) for each in ("a0", "a1", "a2")] == shown
    assert desk.interaction("bert").agent_id == "a1"
    desk.do(CallerLeft("bert"))
    desk.do(PresenceChosen("a2", Presence.READY))
    made = only(OfferInteraction, desk.call("carl", "q0"))
    assert (made.agent_id, dict(made.reason.key)["handled"]) == ("a2", 0)
    made = only(OfferInteraction, desk.call("dora", "q0"))
    assert (made.agent_id, dict(made.reason.key)["handled"]) == ("a0", 1)


@pytest.mark.parametrize("again", [reloaded, restarted])
def test_26_who_waits_or_rings_goes_on_doing_so(again: Callable[[Desk], Desk]) -> None:
    """mod_callcenter.c:1598, and app_queue, where callers die with the process (qpanel#113)."""
    desk = Desk(site())
    desk.sign_in("a0")
    desk.call("anna", "q0")
    desk.call("bert", "q0")
    desk = again(desk)
    told = desk.do(OfferAccepted("anna/1"))
    assert only(TalkOpened, told).agent_id == "a0"
    desk.do(CallerLeft("anna"))
    moved = desk.interaction("bert")
    assert (moved.agent_id, moved.offer_id) == ("a0", "bert/1")
    assert every(StageChanged, told)[0].interaction_id == "anna"
