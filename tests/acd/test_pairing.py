"""Matching looks only at what changed, and yet decides as if it had looked at all."""

from __future__ import annotations

import pytest

from acd import pairing
from acd.commands import OfferInteraction
from acd.events import ClockReached, InteractionArrived, InteractionQueued, RoutingPaused, RoutingResumed
from acd.model import AgentProfile, Configuration, QueueRules, Requirement
from tests.acd.desk import Desk, every


def offers(answer: tuple[object, ...]) -> list[tuple[str, str]]:
    return [(each.interaction_id, each.agent_id) for each in answer if isinstance(each, OfferInteraction)]


def test_the_better_ranked_chooses_first_although_a_freed_agent_suits_the_other() -> None:
    """`late` could have zoe or the freed ben, `early` only zoe: early comes first and gets her."""
    agents = (
        AgentProfile("zoe", queues=("a",), skills=(("x", 1),)),
        AgentProfile("ben", queues=("a",)),
    )
    desk = Desk(Configuration((QueueRules("a"),), agents))
    desk.sign_in("zoe", "ben")
    floor = desk.engine.floor
    desk.do(RoutingPaused("test"))
    desk.do(InteractionArrived("early"))
    desk.do(InteractionQueued("early", "a", requirements=(Requirement("x"),)))
    desk.do(InteractionArrived("late"))
    desk.do(InteractionQueued("late", "a"))
    floor.paused = None
    floor.arrived.update(("early", "late"))
    floor.freed.add("ben")
    pairing.match(floor)
    assert offers(tuple(floor.out)) == [("early", "zoe"), ("late", "ben")]


@pytest.mark.parametrize("walk_all_above", [0, 1, 100])
def test_both_ways_of_looking_decide_the_same(monkeypatch: pytest.MonkeyPatch, walk_all_above: int) -> None:
    monkeypatch.setattr(pairing, "WALK_ALL_ABOVE", walk_all_above)
    desk = Desk()
    desk.sign_in("maria", "jon")
    answers = [offers(desk.call(f"i{number}", priority=number)) for number in range(4)]
    answers.append(offers(desk.do(ClockReached(), after=40)))
    desk.sign_in("jon", "maria")
    assert answers == [[("i0", "maria")], [("i1", "jon")], [], [], []]
    assert desk.interaction("i3").agent_id == "jon"
    assert desk.interaction("i2").agent_id == "maria"


def test_many_at_once_are_taken_in_order() -> None:
    names = [f"agent-{number:02}" for number in range(20)]
    agents = tuple(AgentProfile(name, queues=("a",)) for name in names)
    desk = Desk(Configuration((QueueRules("a"),), agents))
    desk.do(RoutingPaused("link lost"))
    for number in range(25):
        desk.call(f"i{number:02}", "a")
    desk.sign_in(*names)
    made = every(OfferInteraction, desk.do(RoutingResumed()))
    assert [each.interaction_id for each in made] == [f"i{number:02}" for number in range(20)]
    assert [each.agent_id for each in made] == names
