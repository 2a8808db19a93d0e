"""The best ready agent who may, by the queue's strategy, with the reason in the strategy's own words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from acd.commands import OfferInteraction
from acd.events import (
    CallerLeft,
    ClockReached,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    OfferRejected,
    PresenceChosen,
    RoutingPaused,
    RoutingResumed,
    TalkEnded,
)
from acd.model import AgentProfile, Configuration, Presence, QueueRules, Reason, Requirement, Ring, Strategy
from acd.selection import ranked
from acd.snapshot import dump, restore
from acd.strategies import RULES
from tests.acd.desk import SECOND, Desk, only

VPN = (Requirement("vpn", 3),)
AGENTS = (
    AgentProfile("cid", queues=("tech",), skills=(("vpn", 9),)),
    AgentProfile("amy", queues=("tech",), skills=(("vpn", 5),), weight=3),
    AgentProfile("ben", queues=("tech",), skills=(("vpn", 2),)),
    AgentProfile("dot", queues=("tech",), skills=(("vpn", 7),)),
)


def desk_with(strategy: Strategy) -> Desk:
    """ben, dot, amy, cid signed in, in this order; no wrap-up."""
    desk = Desk(Configuration((QueueRules("tech", wrap_up_us=0, strategy=strategy),), AGENTS, seed=4))
    desk.sign_in("ben", "dot", "amy", "cid")
    return desk


def served(desk: Desk, interaction_id: str, seconds: float = 1) -> str:
    """A caller who is served for so long; returns by whom."""
    agent_id = desk.talk(interaction_id, "tech")
    desk.do(TalkEnded(interaction_id, agent_id), after=seconds)
    desk.do(CallerLeft(interaction_id))
    return agent_id


def why(desk: Desk, *needs: Requirement) -> Reason:
    """The reason of the next offer."""
    desk.do(InteractionArrived("why"))
    return only(OfferInteraction, desk.do(InteractionQueued("why", "tech", requirements=needs))).reason


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        (Strategy.LONGEST_IDLE, ["ben", "dot", "amy", "cid", "ben"]),
        (Strategy.FEWEST_HANDLED, ["ben", "dot", "amy", "cid", "ben"]),
        (Strategy.ROUND_ROBIN, ["cid", "amy", "ben", "dot", "cid"]),
        (Strategy.LINEAR, ["cid", "cid", "cid", "cid", "cid"]),
        (Strategy.BEST_SKILL_FIRST, ["ben", "dot", "amy", "cid", "ben"]),
    ],
)
def test_who_serves_one_caller_after_the_other(strategy: Strategy, order: list[str]) -> None:
    desk = desk_with(strategy)
    assert [served(desk, f"i{number}") for number in range(5)] == order


def test_fewest_handled_counts_talks_since_signing_in_whatever_their_length() -> None:
    desk = desk_with(Strategy.FEWEST_HANDLED)
    for number, agent_id in enumerate(("ben", "dot", "amy", "cid")):
        assert served(desk, f"i{number}", seconds=30 - number) == agent_id
    desk.do(PresenceChosen("cid", Presence.LOGGED_OUT))
    desk.do(PresenceChosen("cid", Presence.READY))
    reason = why(desk)
    assert reason.rule == "fewest_handled"
    assert reason.key == (("handled", 0), ("idle_since", desk.agent("cid").idle_since), ("agent_id", "cid"))
    assert reason.runner_up_key[:1] == (("handled", 1),)
    assert reason.passed_over == (("more_handled", 3),)


def test_the_least_occupied_had_the_smallest_share_of_their_shift() -> None:
    desk = desk_with(Strategy.LEAST_OCCUPIED)
    assert [served(desk, f"i{number}", seconds) for number, seconds in enumerate((40, 10, 20, 30))] == [
        "ben",
        "dot",
        "amy",
        "cid",
    ]
    began = {each.id: desk.engine.floor.agents[each.id].signed_in_at for each in AGENTS}
    reason = why(desk)
    now = desk.now
    assert reason.key == (
        ("occupied_millionths", 10 * SECOND * 1_000_000 // (now - began["dot"])),
        ("idle_since", desk.agent("dot").idle_since),
        ("agent_id", "dot"),
    )
    assert (reason.runner_up, reason.passed_over) == ("amy", (("more_occupied", 3),))


def test_a_declined_offer_was_a_turn() -> None:
    desk = desk_with(Strategy.ROUND_ROBIN)
    desk.call("i1", "tech")
    desk.do(OfferRejected("i1/1"))
    desk.do(PresenceChosen("cid", Presence.READY))
    desk.do(OfferAccepted("i1/2"))
    assert desk.interaction("i1").served_by == "amy"
    reason = why(desk)
    assert (reason.rule, reason.key) == (
        "round_robin",
        (("last_offered_at", 0), ("place", 2), ("agent_id", "ben")),
    )
    assert reason.runner_up == "dot"
    assert reason.passed_over == (("later_turn", 2), ("talking", 1))


def test_the_best_skilled_of_those_who_may() -> None:
    reason = why(desk_with(Strategy.BEST_SKILL_FIRST), *VPN)
    assert reason.key[:1] == (("skill_levels", 9),)
    assert (reason.runner_up, reason.runner_up_key[:1]) == ("dot", (("skill_levels", 7),))
    assert reason.passed_over == (("less_skilled", 2), ("skill:vpn", 1))


@pytest.mark.parametrize("strategy", [Strategy.RANDOM, Strategy.WEIGHTED_RANDOM])
def test_draws_are_repeated_exactly_and_reach_everybody_who_may(strategy: Strategy) -> None:
    drawn = []
    for _ in range(2):
        desk = desk_with(strategy)
        desk.do(PresenceChosen("ben", Presence.NOT_READY, "lunch"))
        drawn.append([served(desk, f"i{number}") for number in range(40)])
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) == {"amy", "cid", "dot"}
    reason = why(desk, *VPN)
    assert [label for label, _ in reason.key] == ["draw", "agent_id"]
    assert reason.passed_over == (("drawn_later", 2), ("not_ready", 1))


@pytest.mark.parametrize("strategy", Strategy)
def test_a_rule_gives_any_agent_the_key_that_decides(strategy: Strategy) -> None:
    desk = desk_with(strategy)
    floor = desk.engine.floor
    rule = RULES[strategy]
    desk.do(RoutingPaused("test"))
    desk.call("i1", "tech")
    keys = [rule.key(floor.agents[each.id], floor.interactions["i1"], floor.now, 4) for each in AGENTS]
    assert sorted(keys) == sorted(ranked(floor, floor.interactions["i1"]))


@pytest.mark.parametrize("strategy", Strategy)
def test_a_state_with_an_offer_is_plain_text_and_comes_back(strategy: Strategy) -> None:
    desk = desk_with(strategy)
    desk.call("i1", "tech")
    stored = dump(desk.engine)
    assert type(stored["interactions"][0]["reason"]["rule"]) is str
    assert dump(restore(stored)) == stored


def test_agents_of_added_queues_stand_in_one_order_each_once() -> None:
    """cid serves both queues; ben only the one that the ring adds, and has been idle longest."""
    rules = (
        QueueRules("tech", strategy=Strategy.FEWEST_HANDLED, relax=(Ring(5 * SECOND, queues=("sales",)),)),
        QueueRules("sales"),
    )
    agents = (
        AgentProfile("amy", queues=("tech",)),
        AgentProfile("ben", queues=("sales",)),
        AgentProfile("cid", queues=("sales", "tech")),
    )
    desk = Desk(Configuration(rules, agents))
    desk.sign_in("ben", "amy", "cid")
    desk.do(RoutingPaused("test"))
    desk.call("i1", "tech")
    desk.do(ClockReached(), after=5)
    reason = only(OfferInteraction, desk.do(RoutingResumed())).reason
    assert (reason.key[-1], reason.runner_up, reason.passed_over) == (
        ("agent_id", "ben"),
        "amy",
        (("more_handled", 2),),
    )
    assert desk.interaction("i1").ring == 1


def levelled_desk(strategy: Strategy) -> Desk:
    """ben (level 2), dot (2), amy (1), cid (3) signed in, in this order."""
    levels = {"ben": 2, "dot": 2, "cid": 3}
    agents = tuple(replace(each, queue_levels=(("tech", levels.get(each.id, 1)),)) for each in AGENTS)
    desk = Desk(Configuration((QueueRules("tech", wrap_up_us=0, strategy=strategy, ring_at_most=1),), agents, seed=4))
    desk.sign_in("ben", "dot", "amy", "cid")
    return desk


@pytest.mark.parametrize("strategy", Strategy)
def test_whatever_the_strategy_those_of_a_lower_level_are_asked_first(strategy: Strategy) -> None:
    desk = levelled_desk(strategy)
    reason = why(desk)
    assert (reason.key[0], reason.key[-1]) == (("level", 1), ("agent_id", "amy"))
    assert reason.runner_up_key[0] == ("level", 2)
    assert reason.passed_over == (("later_level", 3),)
    desk.do(OfferAccepted("why/1"))
    desk.do(InteractionArrived("next"))
    second = only(OfferInteraction, desk.do(InteractionQueued("next", "tech"))).reason
    assert second.key[0] == second.runner_up_key[0] == ("level", 2)
    assert dict(second.passed_over) == {"later_level": 1, RULES[strategy].behind: 1, "talking": 1}


def test_who_lacks_a_skill_at_an_early_level_is_counted_as_that() -> None:
    reason = why(levelled_desk(Strategy.LONGEST_IDLE), Requirement("vpn", 6))
    assert (reason.key[0], reason.runner_up) == (("level", 2), "cid")
    assert reason.passed_over == (("later_level", 1), ("skill:vpn", 2))


def test_where_every_level_is_1_nothing_is_said_of_it() -> None:
    agents = tuple(replace(each, queue_levels=(("tech", 1),)) for each in AGENTS)
    desk = Desk(Configuration((QueueRules("tech"),), agents))
    desk.sign_in("ben", "dot")
    assert why(desk).key[0][0] == "idle_since"


def test_only_preferred_agents_while_it_lasts_in_the_order_of_preference() -> None:
    desk = desk_with(Strategy.LONGEST_IDLE)
    desk.do(InteractionArrived("i1"))
    asked = InteractionQueued("i1", "tech", preferred=("nobody", "dot", "cid", "dot"), preferred_us=9)
    reason = only(OfferInteraction, desk.do(asked)).reason
    assert (reason.rule, reason.key, reason.runner_up) == (
        "preferred_agent",
        (("preference", 1), ("agent_id", "dot")),
        "cid",
    )
    assert reason.passed_over == (("less_preferred", 1), ("not_preferred", 2))
    assert desk.interaction("i1").preferred_until == desk.now + 9
    assert desk.do(asked) == ()
    desk.do(OfferAccepted("i1/1"))
    assert (desk.interaction("i1").preferred, desk.interaction("i1").preferred_until) == ((), 0)
