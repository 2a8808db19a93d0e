"""Messages that agents get: from the caller's hang-up to the queue, once, and what becomes of those nobody hears."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from acd.commands import InteractionClosed, InteractionOpened, OfferClosed, OfferInteraction, VisitOpened
from acd.events import (
    ConfigurationChanged,
    FlowEnded,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    PresenceChosen,
    QueueClosed,
    WrapUpEnded,
)
from acd.model import AgentState, Configuration, OfferOutcome, Outcome, Presence, QueueRules, Stage
from acd.snapshot import agent_view
from cti.left_messages import Wish, collect, hand_over, watch_messages
from cti.messages import Messages
from cti.slips import Slip, read_in, write
from tests.acd.desk import BILLING, MARIA, SECOND, TECH
from tests.cti.conversations import C, one_call, submitted
from tests.fakes.clock import settle
from tests.fakes.directory import FakeDirectory
from tests.fakes.switchboard import Switchboard

pytestmark = pytest.mark.usefixtures("short_lags")

M = f"{C}-1"
MESSAGES = QueueRules("messages", medium="message", ring_us=20 * SECOND, wrap_up_us=10 * SECOND)
HEARING = replace(MARIA, queues=("billing", "tech", "messages"), capacity=(("voice", 1), ("message", 1)))
CONFIGURATION = Configuration(queues=(BILLING, TECH, MESSAGES), agents=(HEARING,))
QUEUES = "billing: { title: Billing }\ntech: { title: Tech }\nmessages: { title: Messages, medium: message }\n"
NODES = """
  door:
    - set: { topic: Invoice }
    - voicemail: Speak
      queue: messages
      priority: 3
      attributes: { why: nobody }
    - say: Goodbye
    - hangup
"""
RECORD = f"record {C}-1.wav # 120000 BEEP s=5"


async def test_who_leaves_a_message_and_stays_hands_it_to_agents(tmp_path: Path) -> None:
    async with one_call(tmp_path, NODES, queues=QUEUES, configuration=CONFIGURATION) as (reception, call):
        await call.playing("Speak")
        call.end_prompt()
        await call.logged(RECORD)
        call.speak(4)
        await call.playing("Goodbye")
        view = reception.view(M)
        assert view is not None
        assert (view.medium, view.queue, view.priority, view.caller) == ("message", "messages", 3, "+4930123456")
        assert view.attributes == (("topic", "Invoice"), ("why", "nobody"))
        assert (M, "pass_on", C) in reception.directory.asked
        call.hang_up()
        await call.over()
        await settle()
        closed = reception.board.office.last(InteractionClosed)
        assert (closed.interaction_id, closed.outcome, closed.detail) == (C, Outcome.VOICEMAIL, f"{M}.wav")
        assert len(submitted(reception, InteractionArrived)) == 2, "told by the flow and by the hang-up it is one"


async def test_who_hangs_up_while_speaking_has_left_one_too(tmp_path: Path) -> None:
    async with one_call(tmp_path, NODES, queues=QUEUES, configuration=CONFIGURATION) as (reception, call):
        await call.playing("Speak")
        call.end_prompt()
        await call.logged(RECORD)
        call.speak(4, "")
        call.hang_up()
        await call.over()
        await settle()
        view = reception.view(M)
        assert view is not None
        assert view.stage is Stage.QUEUED


async def test_while_it_is_recorded_a_slip_says_for_whom_it_is(tmp_path: Path) -> None:
    async with one_call(tmp_path, NODES, queues=QUEUES, configuration=CONFIGURATION) as (reception, call):
        await call.playing("Speak")
        call.end_prompt()
        await call.logged(RECORD)
        folder = reception.messages.folder
        attributes = (("topic", "Invoice"), ("why", "nobody"))
        slip = Slip(C, "+4930123456", "+4989100", "main", "messages", 3, attributes)
        assert read_in(folder) == [(folder / f"{M}.wav", slip)]
        call.speak(4)
        await call.playing("Goodbye")
        assert read_in(folder) == []


@pytest.mark.parametrize("spoken_s", [4, 0.5])
async def test_who_hangs_up_leaves_no_slip(spoken_s: float, tmp_path: Path) -> None:
    async with one_call(tmp_path, NODES, queues=QUEUES, configuration=CONFIGURATION) as (reception, call):
        await call.playing("Speak")
        call.end_prompt()
        await call.logged(RECORD)
        call.speak(spoken_s, "")
        call.hang_up()
        await call.over()
        await settle()
        assert read_in(reception.messages.folder) == []


async def test_silence_is_no_message_for_agents(tmp_path: Path) -> None:
    async with one_call(tmp_path, NODES, queues=QUEUES, configuration=CONFIGURATION) as (reception, call):
        await call.playing("Speak")
        call.end_prompt()
        await call.logged(RECORD)
        call.speak(0.5)
        await call.playing("Goodbye")
        assert reception.view(M) is None


async def test_a_message_taken_up_after_a_restart_is_not_a_second_one(tmp_path: Path) -> None:
    async with one_call(tmp_path, NODES, queues=QUEUES, configuration=CONFIGURATION) as (reception, call):
        await call.playing("Speak")
        call.end_prompt()
        await call.logged(RECORD)
        call.speak(4)
        await call.playing("Goodbye")
        call.end_agi()
        await call.over()
        await call.leave_agi()
        await call.enter()
        await call.playing("Goodbye", 2)
        assert len(reception.board.office.every(VisitOpened)) == 1
        assert call.log.count(RECORD) == 1


# --- with the engine ---------------------------------------------------------------------------------------


@pytest.fixture
def board(tmp_path: Path) -> Switchboard:
    return Switchboard(tmp_path, configuration=CONFIGURATION)


def left(board: Switchboard, call: str = "c", **wish: object) -> str:
    """A caller who leaves a message: the message's interaction."""
    board.dispatcher.submit(InteractionArrived(call, "+4930123456", "100", "main"))
    hand_over(board.dispatcher, FakeDirectory(), call, f"{call}-1.wav", Wish("messages", **wish))  # type: ignore[arg-type]
    return f"{call}-1"


async def test_a_message_is_offered_without_a_ring_and_ends_served(board: Switchboard) -> None:
    board.office.sign_in("maria")
    message = left(board)
    [(offer, view)] = board.desktops.pops
    assert (offer.offer_id, view.medium) == (f"{message}/1", "message")
    await settle()
    assert board.office.every(OfferClosed) == [], "nobody of ours need speak with a caller"
    board.dispatcher.submit(OfferAccepted(offer.offer_id))
    board.dispatcher.submit(FlowEnded(message, Outcome.SERVED))
    closed = board.office.last(InteractionClosed)
    assert (closed.interaction_id, closed.outcome, closed.agent_id) == (message, Outcome.SERVED, "maria")
    agent = agent_view(board.office.engine, "maria")
    assert agent is not None
    assert agent.state is AgentState.WRAP_UP
    board.dispatcher.submit(WrapUpEnded("maria", message, "solved", ""))
    left(board)
    hand_over(board.dispatcher, FakeDirectory(), "c", "c-1.wav", Wish("messages"))
    assert len([each for each in board.office.every(InteractionOpened) if each.medium == "message"]) == 1
    await settle()
    await board.close()


async def test_it_keeps_the_time_at_which_its_caller_asked_first(board: Switchboard) -> None:
    board.dispatcher.submit(InteractionArrived("c", "+4930123456", "100", "main"))
    board.dispatcher.submit(InteractionQueued("c", "billing"))
    call = board.dispatcher.interaction("c")
    board.office.clock.advance(seconds=60)
    hand_over(board.dispatcher, FakeDirectory(), "c", "c-1.wav", Wish("messages"))
    message = board.dispatcher.interaction("c-1")
    assert call is not None
    assert message is not None
    assert message.first_asked_at == call.first_asked_at
    await settle()
    await board.close()


async def test_of_nothing_or_a_call_that_is_over_there_is_no_message(board: Switchboard) -> None:
    hand_over(board.dispatcher, FakeDirectory(), "gone", "gone-1.wav", Wish("messages"))
    board.dispatcher.submit(InteractionArrived("c", "", "", ""))
    hand_over(board.dispatcher, FakeDirectory(), "c", "", Wish("messages"))
    assert len(board.dispatcher.board().interactions) == 1
    await settle()
    await board.close()


async def test_a_message_that_its_queue_gives_away_ends_unheard(board: Switchboard) -> None:
    watch_messages(board.dispatcher)
    message = left(board)
    board.dispatcher.submit(QueueClosed("messages"))
    closed = board.office.last(InteractionClosed)
    assert (closed.interaction_id, closed.outcome, closed.detail) == (message, Outcome.VOICEMAIL, f"{message}.wav")
    again = left(board, "d")
    assert board.office.last(InteractionClosed).interaction_id == again, "into a closed queue it does not even get"
    await settle()
    await board.close()


async def test_a_message_for_a_queue_that_is_gone_ends_unheard(board: Switchboard) -> None:
    board.dispatcher.submit(ConfigurationChanged(Configuration(queues=(BILLING, TECH), agents=(MARIA,))))
    left(board)
    assert board.office.last(InteractionClosed).outcome is Outcome.VOICEMAIL
    await settle()
    await board.close()


async def test_a_call_makes_the_message_that_is_offered_go_back_without_blame(board: Switchboard) -> None:
    board.office.sign_in("maria")
    message = left(board)
    session = board.queue("lab1-7.1")
    await session.rung.wait()
    closed = board.office.last(OfferClosed)
    assert (closed.interaction_id, closed.outcome) == (message, OfferOutcome.WITHDRAWN)
    agent = agent_view(board.office.engine, "maria")
    assert agent is not None
    assert agent.presence is Presence.READY
    view = board.dispatcher.interaction(message)
    assert view is not None
    assert (view.stage, view.attached) == (Stage.QUEUED, True)
    await settle()
    await board.close()


async def test_who_is_not_ready_keeps_no_message_waiting_for_ever(board: Switchboard) -> None:
    board.office.sign_in("maria")
    message = left(board)
    board.dispatcher.submit(PresenceChosen("maria", Presence.NOT_READY, "break"))
    view = board.dispatcher.interaction(message)
    assert view is not None
    assert view.stage is Stage.QUEUED
    board.dispatcher.submit(PresenceChosen("maria", Presence.READY))
    assert board.office.last(OfferInteraction).offer_id == f"{message}/2"
    await settle()
    await board.close()


# --- while no server is there ------------------------------------------------------------------------------


def recording(folder: Path, seconds: float, slip: Slip) -> Messages:
    """A folder with what a call left there when its server was killed."""
    messages = Messages(folder / "messages")
    messages.make()
    file = messages.path(slip.call, 1)
    file.write_bytes(bytes(44 + round(16_000 * seconds)))
    write(file, slip)
    return messages


def nobody(call: str) -> bool:
    return False


SLIP = Slip("c", "+4930123456", "100", "main", "messages", 3, (("why", "nobody"),))


async def test_what_was_left_meanwhile_is_handed_over_once_and_the_call_ends_so(
    board: Switchboard, tmp_path: Path
) -> None:
    messages, directory = recording(tmp_path, 4, SLIP), FakeDirectory()
    board.dispatcher.submit(InteractionArrived("c", "+4930123456", "100", "main"))
    await collect(board.dispatcher, directory, messages, nobody)
    view = board.dispatcher.interaction("c-1")
    assert view is not None
    assert (view.medium, view.queue, view.priority, view.caller) == ("message", "messages", 3, "+4930123456")
    assert view.attributes == (("why", "nobody"),)
    assert directory.asked == [("c", "recall", "+4930123456"), ("c-1", "pass_on", "c")]
    closed = board.office.last(InteractionClosed)
    assert (closed.interaction_id, closed.outcome, closed.detail) == ("c", Outcome.VOICEMAIL, "c-1.wav")
    write(messages.path("c", 1), SLIP)  # killed in between
    await collect(board.dispatcher, directory, messages, nobody)
    assert len(board.office.every(VisitOpened)) == 1
    assert read_in(messages.folder) == []
    await settle()
    await board.close()


async def test_one_that_was_served_is_not_handed_over_again(board: Switchboard, tmp_path: Path) -> None:
    messages = recording(tmp_path, 4, SLIP)
    board.office.sign_in("maria")
    await collect(board.dispatcher, FakeDirectory(), messages, nobody)
    board.dispatcher.submit(OfferAccepted("c-1/1"))
    board.dispatcher.submit(FlowEnded("c-1", Outcome.SERVED))
    write(messages.path("c", 1), SLIP)
    await collect(board.dispatcher, FakeDirectory(), messages, nobody)
    assert [each.interaction_id for each in board.office.every(VisitOpened)] == ["c-1"]
    assert board.dispatcher.stage("c-1") is None
    await settle()
    await board.close()


async def test_a_call_that_nobody_remembers_loses_no_message(board: Switchboard, tmp_path: Path) -> None:
    await collect(board.dispatcher, FakeDirectory(), recording(tmp_path, 4, SLIP), nobody)
    view = board.dispatcher.interaction("c-1")
    assert view is not None
    assert (view.caller, view.dialled, view.queue) == ("+4930123456", "100", "messages")
    await settle()
    await board.close()


async def test_for_no_queue_it_is_the_call_s_end_only(board: Switchboard, tmp_path: Path) -> None:
    board.dispatcher.submit(InteractionArrived("c", "+4930123456", "100", "main"))
    await collect(board.dispatcher, FakeDirectory(), recording(tmp_path, 4, replace(SLIP, queue="")), nobody)
    closed = board.office.last(InteractionClosed)
    assert (closed.interaction_id, closed.outcome, closed.detail) == ("c", Outcome.VOICEMAIL, "c-1.wav")
    assert board.dispatcher.board().interactions == ()
    await board.close()


async def test_on_which_nobody_spoke_is_removed(board: Switchboard, tmp_path: Path) -> None:
    board.dispatcher.submit(InteractionArrived("c", "+4930123456", "100", "main"))
    messages = recording(tmp_path, 1, SLIP)
    await collect(board.dispatcher, FakeDirectory(), messages, nobody)
    assert list(messages.folder.iterdir()) == []
    assert board.dispatcher.stage("c") is Stage.IN_FLOW
    await board.close()


async def test_who_still_speaks_is_left_alone(board: Switchboard, tmp_path: Path) -> None:
    board.dispatcher.submit(InteractionArrived("c", "+4930123456", "100", "main"))
    messages = recording(tmp_path, 4, SLIP)
    await collect(board.dispatcher, FakeDirectory(), messages, "c".__eq__)
    assert board.dispatcher.stage("c-1") is None
    assert len(read_in(messages.folder)) == 1
    await board.close()
