"""Several of a medium at once, beyond the table `capacity.yaml`: work taken up again, bridges found, new rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from acd.commands import AgentChanged, CallbackChanged, Command, OfferInteraction, TalkOpened, VisitClosed, WrapUpClosed
from acd.events import (
    ConfigurationChanged,
    ConnectionFound,
    DesktopChanged,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    TalkEnded,
    WrapUpEnded,
)
from acd.model import AgentProfile, AgentState, CallbackRules, CallbackState, Configuration, Desktop, QueueRules, Stage
from tests.acd.desk import BILLING, SECOND, Desk, every, only

BOTH = ("billing", "chats")
CALLS = replace(BILLING, callback=CallbackRules())
CHATS = QueueRules("chats", medium="chat", wrap_up_us=30 * SECOND)
MARIA = AgentProfile("maria", "Maria", BOTH, capacity=(("voice", 1), ("chat", 2)))
JON = AgentProfile("jon", "Jon", BOTH, capacity=(("chat", 1),))
SITE = Configuration((CALLS, CHATS), (MARIA, JON))


def write(desk: Desk, interaction_id: str) -> Sequence[Command]:
    desk.do(InteractionArrived(interaction_id, medium="chat"))
    return desk.do(InteractionQueued(interaction_id, "chats"))


def chat(desk: Desk, interaction_id: str) -> str:
    """A customer writes and is answered; returns the agent's id."""
    made = only(OfferInteraction, write(desk, interaction_id))
    desk.do(OfferAccepted(made.offer_id))
    return made.agent_id


def offered(answer: Sequence[Command]) -> list[tuple[str, str]]:
    return [(each.interaction_id, each.agent_id) for each in every(OfferInteraction, answer)]


def held(desk: Desk, agent_id: str) -> list[tuple[str, str]]:
    agent = desk.engine.floor.agents[agent_id]
    return [(each.interaction_id, each.state.value) for each in agent.assignments]


def test_who_writes_again_while_their_chat_is_wrapped_up_may_come_to_the_same_agent() -> None:
    desk = Desk(SITE)
    desk.sign_in("maria")
    chat(desk, "anna")
    desk.do(TalkEnded("anna", "maria"))
    answer = desk.do(InteractionQueued("anna", "chats"))
    assert [(each.interaction_id, each.timed_out) for each in every(WrapUpClosed, answer)] == [("anna", False)]
    assert offered(answer) == [("anna", "maria")]
    assert held(desk, "maria") == [("anna", "offered")]


def test_wrap_ups_that_are_over_are_not_ended_again() -> None:
    desk = Desk(SITE)
    desk.sign_in("jon")
    chat(desk, "anna")
    desk.do(TalkEnded("anna", "jon"))
    desk.do(WrapUpEnded("jon", "anna"))
    assert every(WrapUpClosed, desk.do(InteractionQueued("anna", "chats"))) == []


def test_who_wrapped_up_and_left_the_firm_is_not_asked() -> None:
    desk = Desk(SITE)
    desk.sign_in("jon")
    chat(desk, "anna")
    desk.do(TalkEnded("anna", "jon"))
    desk.do(WrapUpEnded("jon", "anna"))
    desk.do(ConfigurationChanged(replace(SITE, agents=(MARIA,))))
    desk.sign_in("maria")
    assert offered(desk.do(InteractionQueued("anna", "chats"))) == [("anna", "maria")]


def test_a_wrap_up_that_has_become_a_talk_again_is_not_ended() -> None:
    desk = Desk(SITE)
    desk.sign_in("maria")
    chat(desk, "anna")
    desk.do(TalkEnded("anna", "maria"))
    answer = desk.do(ConnectionFound("anna", "maria"))
    assert [each.interaction_id for each in every(WrapUpClosed, answer)] == ["anna"]
    assert held(desk, "maria") == [("anna", "connected")]


def test_a_chat_that_is_found_stands_beside_the_others_and_beside_a_call() -> None:
    desk = Desk(SITE)
    desk.sign_in("maria")
    chat(desk, "anna")
    desk.do(OfferAccepted(only(OfferInteraction, desk.call("carl")).offer_id))
    write(desk, "bert")
    write(desk, "dora")
    assert every(TalkOpened, desk.do(ConnectionFound("bert", "maria")))
    assert every(TalkOpened, desk.do(ConnectionFound("dora", "maria")))
    assert [interaction_id for interaction_id, _ in held(desk, "maria")] == ["anna", "carl", "bert", "dora"]
    desk.call("emil")
    assert every(TalkOpened, desk.do(ConnectionFound("emil", "maria"))) == []
    assert desk.engine.counts == {"ConnectionFound:agent_busy": 1}


def test_a_call_that_is_found_ends_no_chat() -> None:
    desk = Desk(SITE)
    desk.sign_in("maria")
    chat(desk, "anna")
    ringing = only(OfferInteraction, desk.call("carl"))
    desk.do(InteractionArrived("emil"))
    answer = desk.do(ConnectionFound("emil", "maria"))
    assert [each.interaction_id for each in every(TalkOpened, answer)] == ["emil"]
    assert held(desk, "maria") == [("anna", "connected"), ("emil", "connected")]
    assert (ringing.interaction_id, desk.interaction("carl").stage) == ("carl", Stage.QUEUED)
    assert every(AgentChanged, answer)[-1].interaction_id == "emil"


def test_a_call_can_be_answered_without_a_desktop_and_a_chat_cannot() -> None:
    desk = Desk(replace(SITE, offer_without_desktop=True))
    desk.sign_in("maria")
    chats = [only(OfferInteraction, write(desk, "anna")).offer_id, only(OfferInteraction, desk.call("carl")).offer_id]
    desk.do(DesktopChanged("maria", Desktop.GONE))
    assert held(desk, "maria") == [("carl", "offered")]
    assert (chats[1], desk.interaction("anna").stage) == ("carl/1", Stage.QUEUED)


def test_whose_chats_are_full_is_counted_in_the_reason() -> None:
    desk = Desk(replace(SITE, agents=(MARIA, replace(JON, capacity=(("voice", 1),)))))
    desk.sign_in("jon", "maria")
    made = only(OfferInteraction, write(desk, "anna"))
    assert (made.agent_id, dict(made.reason.passed_over)) == ("maria", {"no_room": 1})


def test_who_takes_no_calls_is_not_missed_for_the_phone() -> None:
    desk = Desk(SITE)
    desk.sign_in("jon")
    desk.call("carl")
    assert (desk.agent("jon").state, desk.interaction("carl").stage) == (AgentState.READY, Stage.QUEUED)


def test_lower_capacity_takes_nothing_away_and_is_heeded_from_then_on() -> None:
    desk = Desk(SITE)
    desk.sign_in("maria")
    assert [chat(desk, "anna"), chat(desk, "bert")] == ["maria", "maria"]
    few = replace(MARIA, capacity=(("voice", 1), ("chat", 1)))
    desk.do(ConfigurationChanged(replace(SITE, agents=(few, JON))))
    assert [each for each, _ in held(desk, "maria")] == ["anna", "bert"]
    assert offered(write(desk, "dora")) == []
    desk.do(TalkEnded("anna", "maria"))
    assert offered(desk.do(WrapUpEnded("maria", "anna"))) == []
    desk.do(TalkEnded("bert", "maria"))
    assert offered(desk.do(WrapUpEnded("maria", "bert"))) == [("dora", "maria")]


def test_who_waits_in_a_queue_that_changes_its_medium_goes_back_and_a_promise_there_is_given_up() -> None:
    desk = Desk(SITE)
    write(desk, "anna")
    desk.do(InteractionQueued("anna", "billing", callback_number="+491"))
    desk.call("carl")
    assert desk.interaction("anna").callback_number == "+491"
    none = replace(CALLS, medium="chat", callback=None)
    answer = desk.do(ConfigurationChanged(replace(SITE, queues=(none, CHATS))))
    assert {each.interaction_id for each in every(VisitClosed, answer)} == {"anna", "carl"}
    assert [each.state for each in every(CallbackChanged, answer)] == [CallbackState.FAILED]
    assert desk.interaction("carl").stage is Stage.IN_FLOW
