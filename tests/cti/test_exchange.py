"""The exchange: what Asterisk tells becomes events of the engine, one for one, and nothing of Asterisk gets past it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from acd.commands import InteractionClosed, OfferClosed, TalkClosed, TalkOpened
from acd.events import (
    CallerLeft,
    ConnectionFound,
    Event,
    InteractionArrived,
    InteractionDetached,
    OfferAccepted,
    OfferRejected,
    PhoneChanged,
    TalkEnded,
)
from acd.model import OfferOutcome, Outcome, Phone, Stage
from cti import exchange as exchange_module
from cti.calls import CallerGone, TalkBegan
from cti.journal import read_segment, segment_paths
from tests.fakes.clock import settle
from tests.fakes.link import ami_event, channel_row
from tests.fakes.switchboard import EXTENSIONS, Switchboard


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[Switchboard]:
    made = Switchboard(tmp_path)
    made.office.sign_in("maria")
    yield made
    await made.close()


async def ringing(board: Switchboard) -> None:
    """Interaction `c` rings at maria's phone as leg `m`."""
    board.queue("c")
    async with asyncio.timeout(5):
        await board.sessions["c"].rung.wait()
    board.dial("c", "m")


async def talking(board: Switchboard) -> None:
    await ringing(board)
    board.bridge("b", "m", "c")


def submitted(board: Switchboard, *kinds: type[Event]) -> list[Event]:
    """What the engine was told, of these kinds, in order; read from the journal."""
    entries = [e.event for path in segment_paths(board.office.journal._folder) for e in read_segment(path).entries]
    return [event for event in entries if isinstance(event, kinds)]


async def test_a_bridge_accepts_the_offer_and_its_end_ends_the_talk(board: Switchboard) -> None:
    await talking(board)
    assert board.office.last(TalkOpened).agent_id == "maria"
    board.unbridge("b", "m", "c")
    assert board.office.last(TalkClosed).agent_id == "maria"
    assert submitted(board, OfferAccepted, TalkEnded, ConnectionFound) == [
        OfferAccepted("c/1"),
        TalkEnded("c", "maria"),
    ]


async def test_a_talk_without_an_offer_is_found(board: Switchboard) -> None:
    """An agent whom another brings into the room, or a talk that began while we were away."""
    await talking(board)
    board.new_leg("j", "2002")
    board.bridge("b", "j")
    assert submitted(board, ConnectionFound) == [ConnectionFound("c", "jon")]


async def test_a_talk_that_the_engine_knows_is_not_found_again(board: Switchboard) -> None:
    await talking(board)
    board.exchange.adopt_talk("c", "maria")
    board.exchange.tell_all([TalkBegan("c", "maria")])
    assert submitted(board, ConnectionFound) == []


@pytest.mark.parametrize(("cause", "rejected"), [(17, True), (21, True), (16, False), (0, False), (20, False)])
async def test_only_a_phone_that_says_busy_or_declines_rejects(board: Switchboard, cause: int, rejected: bool) -> None:
    await ringing(board)
    board.hang_up("m", cause)
    expected = [OfferRejected("c/1", f"phone: cause {cause}")] if rejected else []
    assert submitted(board, OfferRejected) == expected
    assert board.dispatcher.is_open("c/1") is not rejected


async def test_the_end_of_a_leg_that_was_answered_rejects_nothing(board: Switchboard) -> None:
    await talking(board)
    board.unbridge("b", "m", "c")
    board.hang_up("m", 17)
    assert submitted(board, OfferRejected) == []


async def test_a_caller_who_hangs_up_while_it_rings_is_no_fault_of_the_agent(board: Switchboard) -> None:
    await ringing(board)
    board.hang_up("m")  # the leg goes first
    board.hang_up("c")
    assert board.office.last(OfferClosed).outcome is OfferOutcome.WITHDRAWN
    assert board.office.last(InteractionClosed).outcome is Outcome.ABANDONED_RINGING
    assert board.exchange.counts["outcome_abandoned_ringing"] == 1


async def test_a_caller_out_of_our_hands_is_settled_by_whoever_knows_what_they_left(board: Switchboard) -> None:
    gone: list[CallerGone] = []
    board.exchange.on_detached_gone = gone.append
    for interaction_id in ("c", "d"):
        session = board.arrive(interaction_id)
        board.dispatcher.submit(InteractionArrived(interaction_id))
        board.exchange.leave(session.as_session())
    board.dispatcher.submit(InteractionDetached("c"))
    board.hang_up("c")
    board.hang_up("d")  # attached as far as the engine knows: it just left
    assert gone == [CallerGone("c", "lab1")]
    assert submitted(board, CallerLeft) == [CallerLeft("d")]


async def test_facts_reach_the_session_of_their_interaction_only(board: Switchboard) -> None:
    other = board.arrive("x")
    session = board.queue("c")
    assert other.facts == []
    assert {getattr(fact, "interaction_id", "") for fact in session.facts} == {"c"}
    board.hang_up("c")
    assert isinstance(session.facts[-1], InteractionClosed)


async def test_digits_reach_the_session_of_the_caller(board: Switchboard) -> None:
    session = board.arrive("c")
    board.say("DTMFEnd", Uniqueid="c", Channel="PJSIP/trunk-c", Digit="7", Direction="Received")
    board.say("DTMFEnd", Uniqueid="zz", Channel="PJSIP/trunk-c", Digit="8", Direction="Received")
    assert session.told == [("digit", "7")]
    board.exchange.leave(session.as_session())
    board.say("DTMFEnd", Uniqueid="c", Channel="PJSIP/trunk-c", Digit="9", Direction="Received")
    assert session.told == [("digit", "7")]


async def test_a_session_that_was_replaced_takes_nothing_along_when_it_leaves(board: Switchboard) -> None:
    old, new = board.arrive("c"), board.arrive("c")
    board.exchange.leave(old.as_session())
    assert board.exchange.session("c") is new.as_session()


# --- phones ---------------------------------------------------------------------------------------------------


def phones(board: Switchboard) -> list[tuple[str, Phone]]:
    events = submitted(board, PhoneChanged)
    return [(event.agent_id, event.phone) for event in events if isinstance(event, PhoneChanged)]


async def test_a_phone_is_gone_until_it_signs_on_and_busy_while_something_else_lives_on_it(board: Switchboard) -> None:
    board.exchange.assign_phones(EXTENSIONS)  # nobody has a fixed address any more
    board.exchange.retell_phones()
    start = len(phones(board))
    for state in ("NOT_INUSE", "INUSE", "NOT_INUSE"):
        board.say("DeviceStateChange", Device="PJSIP/2001", State=state)
    board.new_leg("own", "2001")
    board.say("DeviceStateChange", Device="PJSIP/2001", State="UNAVAILABLE")
    board.say("DeviceStateChange", Device="PJSIP/2001", State="NOT_INUSE")
    board.hang_up("own")
    assert phones(board)[start:] == [
        ("maria", Phone.FREE),
        ("maria", Phone.BUSY),
        ("maria", Phone.GONE),
        ("maria", Phone.BUSY),
        ("maria", Phone.FREE),
    ]


async def test_a_phone_with_a_fixed_address_is_there_whatever_asterisk_says(board: Switchboard) -> None:
    start = len(phones(board))
    board.say("DeviceStateChange", Device="PJSIP/2001", State="UNAVAILABLE")
    assert phones(board)[start:] == []


async def test_our_own_ringing_and_talking_is_not_busy(board: Switchboard) -> None:
    start = len(phones(board))
    await talking(board)
    assert phones(board)[start:] == []
    board.unbridge("b", "m", "c")
    board.hang_up("m")
    assert phones(board)[start:] == [("maria", Phone.BUSY), ("maria", Phone.FREE)]


async def test_phones_are_told_once_more_when_asked(board: Switchboard) -> None:
    start = len(phones(board))
    board.exchange.retell_phones()
    assert phones(board)[start:] == [("jon", Phone.FREE), ("maria", Phone.FREE)]


# --- holding ----------------------------------------------------------------------------------------------------


async def test_events_wait_while_the_world_is_read_and_come_in_order(board: Switchboard) -> None:
    await ringing(board)
    board.exchange.hold_events()
    board.exchange.hold_events()
    board.bridge("b", "m", "c")
    board.unbridge("b", "m", "c")
    assert submitted(board, OfferAccepted, TalkEnded) == []
    board.exchange.release_events()
    assert submitted(board, OfferAccepted, TalkEnded) == [OfferAccepted("c/1"), TalkEnded("c", "maria")]


async def test_what_the_reading_has_shown_changes_nothing_when_it_comes_after_all(board: Switchboard) -> None:
    """A talk that began while the world was read: the old news of its dial must not hang the agent up."""
    board.queue("c")
    await board.sessions["c"].rung.wait()
    board.exchange.hold_events()
    board.dial("c", "m")
    board.bridge("b", "m", "c")
    leg = {"CALLYARD_INTERACTION": "c", "CALLYARD_OFFER": "c/1", "CALLYARD_AGENT": "maria"}
    board.link.lists["Status"] = [
        channel_row("c", "PJSIP/trunk-c", "b", CALLYARD_INTERACTION="c"),
        channel_row("m", "PJSIP/2001-m", "b", **leg),
    ]
    found = await board.node.read_channels()
    board.exchange.tell_all(board.exchange.calls.reconcile("lab1", found), gap=True)
    board.exchange.release_events()
    await settle()
    assert submitted(board, OfferAccepted, TalkEnded, ConnectionFound) == [OfferAccepted("c/1")]
    assert board.link.named("Hangup") == []
    view = board.dispatcher.interaction("c")
    assert view is not None
    assert view.stage is Stage.TALKING


async def test_more_events_than_can_be_held_are_counted(board: Switchboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange_module, "MOST_HELD_EVENTS", 3)
    board.exchange.hold_events()
    for _ in range(5):
        board.say("FullyBooted")
    assert board.exchange.counts["ami_event_dropped"] == 2
    assert not board.exchange.release_events(), "some are missing: whoever released them must read again"
    board.exchange.hold_events()
    board.say("FullyBooted")
    assert board.exchange.release_events()


async def test_an_event_that_cannot_be_read_is_counted_and_the_next_is_taken(board: Switchboard) -> None:
    session = board.arrive("c")
    board.exchange.take(ami_event("Hangup", Uniqueid="c"))
    board.say("DTMFEnd", Uniqueid="c", Channel="", Digit="1", Direction="Received")
    assert board.exchange.counts["ami_event_malformed"] == 1
    assert session.told == [("digit", "1")]


async def test_a_call_that_the_dialplan_refused_is_told(board: Switchboard) -> None:
    told: list[str] = []
    board.exchange.on_refused = told.append
    board.say("UserEvent", UserEvent="CallyardRefused", Interaction="c", Reason="overload")
    board.say("UserEvent", UserEvent="SomethingElse")
    assert told == ["lab1"]


def test_an_agent_is_dialled_by_their_extension(tmp_path: Path) -> None:
    board = Switchboard(tmp_path)
    assert board.exchange.dial_string("maria", "lab1") == "PJSIP/2001"
    assert board.exchange.devices() == ("PJSIP/2001", "PJSIP/2002")
    board.office.close()
