"""More of what people suffer from elsewhere: several phones at once, and who comes back.

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
