"""Order: priority, then who asked first, then the id; and the sorted collection that keeps it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from acd.ranking import AgentKey, Ranked, agent_key, rank_key


def test_priority_then_asked_then_id() -> None:
    keys = [rank_key(0, 5, "b"), rank_key(0, 5, "a"), rank_key(0, 4, "z"), rank_key(1, 9, "c")]
    assert [key[2] for key in sorted(keys)] == ["c", "z", "a", "b"]


def test_longest_idle_then_id() -> None:
    assert min(agent_key(7, "amy"), agent_key(6, "zoe"), agent_key(6, "bob")) == (6, "bob")


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
