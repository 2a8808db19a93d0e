"""Order: priority, then who asked first, then the id; and the sorted collection that keeps it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd import ranking
from acd.ranking import AgentKey, Ranked, Standing, rank_key


def test_priority_then_asked_then_id() -> None:
    keys = [rank_key(0, 5, "b"), rank_key(0, 5, "a"), rank_key(0, 4, "z"), rank_key(1, 9, "c")]
    assert [key[2] for key in sorted(keys)] == ["c", "z", "a", "b"]


AMY = Standing(idle_since=7, handled=1, offered_at=0, place=2, agent_id="amy")
BOB = Standing(idle_since=6, handled=2, offered_at=4, place=1, agent_id="bob")
ZOE = Standing(idle_since=6, handled=1, offered_at=0, place=3, agent_id="zoe")


@pytest.mark.parametrize(
    ("key", "order"),
    [
        (ranking.longest_idle, ["bob", "zoe", "amy"]),
        (ranking.fewest_handled, ["zoe", "amy", "bob"]),
        (ranking.round_robin, ["amy", "zoe", "bob"]),
        (ranking.linear, ["bob", "amy", "zoe"]),
    ],
)
def test_agents_by_what_is_theirs(key: Callable[[Standing], AgentKey], order: list[str]) -> None:
    assert [each[-1] for each in sorted(map(key, (AMY, BOB, ZOE)))] == order


def test_the_least_occupied_share_then_idle_then_id() -> None:
    assert ranking.least_occupied(30, 90, 5, "amy") == (333_333, 5, "amy")
    assert ranking.least_occupied(0, 0, 5, "amy") == (0, 5, "amy")
    assert ranking.least_occupied(2, 10, 9, "zoe") < ranking.least_occupied(1, 4, 1, "amy")


def test_the_best_skilled_then_the_longest_idle() -> None:
    assert sorted([ranking.best_skill_first(8, 5, "amy"), ranking.best_skill_first(9, 7, "bob")])[0][-1] == "bob"
    assert ranking.best_skill_first(8, 4, "bob") < ranking.best_skill_first(8, 5, "amy")


def test_a_draw_is_the_same_for_ever_and_differs_by_seed_and_caller() -> None:
    assert ranking.random(7, "i1", "amy") == ranking.random(7, "i1", "amy")
    assert len({ranking.random(seed, caller, "amy") for seed in range(3) for caller in ("i1", "i2")}) == 6


def shares(key: Callable[[int, str], AgentKey], agents: tuple[str, ...]) -> dict[str, int]:
    """How often each comes first for 4,000 callers."""
    first = [min(key(number, agent) for agent in agents)[-1] for number in range(4_000)]
    return {agent: first.count(agent) for agent in agents}


def test_everybody_is_drawn_equally_often() -> None:
    drawn = shares(lambda number, agent: ranking.random(1, f"i{number}", agent), ("amy", "bob", "zoe", "cid"))
    assert all(900 < count < 1_100 for count in drawn.values()), drawn


def test_weight_is_the_share() -> None:
    weight = {"amy": 1, "bob": 2, "zoe": 5}
    drawn = shares(lambda number, agent: ranking.weighted_random(1, f"i{number}", weight[agent], agent), tuple(weight))
    assert all(abs(drawn[each] - 500 * weight[each]) < 110 for each in weight), drawn


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.tuples(st.booleans(), st.tuples(st.integers(0, 3), st.sampled_from("abc")))))
def test_ranked_is_a_sorted_set(steps: list[tuple[bool, AgentKey]]) -> None:
    ranked: Ranked[AgentKey] = Ranked()
    model: set[AgentKey] = set()
    for adding, key in steps:
        (ranked.add if adding else ranked.discard)(key)
        (model.add if adding else model.discard)(key)
        assert list(ranked) == sorted(model)
        assert len(ranked) == len(model)
        assert (key in ranked) is (key in model)
        assert ranked.first() == min(model, default=None)
        assert ranked.position(key) == sum(each < key for each in model) + 1
    assert list(Ranked(model)) == sorted(model)
