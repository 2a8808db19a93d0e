"""Who comes first: the order of waiting interactions and, by the queue's strategy, the order of agents.

Keys are tuples in the order a supervisor would say them, the id last so that ties are fixed; the smallest is first.
What does not belong here: who *may* take an interaction (`acd.matching`), and where the values come from
(`acd.strategies`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Generic, NamedTuple, TypeVar

RankKey = tuple[int, int, str]
"""Of a waiting interaction: (-effective priority, first asked at, interaction id); smallest first."""

AgentKey = tuple[int | str, ...]
"""Of an agent: whole numbers by the queue's strategy, then the agent's id; smallest first."""

Key = TypeVar("Key", RankKey, AgentKey)


def rank_key(effective_priority: int, first_asked_at: int, interaction_id: str) -> RankKey:
    """One order across all queues: priority, then who asked first, then the id."""
    return (-effective_priority, first_asked_at, interaction_id)


# --- agents, by what is theirs alone: such orders are kept, not computed ------------------------------------


class Standing(NamedTuple):
    """What a ready agent stands in order by. `place`: in the agents' list. `offered_at`: last offer, 0 for none."""

    idle_since: int
    handled: int
    offered_at: int
    place: int
    agent_id: str


def longest_idle(standing: Standing) -> AgentKey:
    """Who has waited for work longest."""
    return (standing.idle_since, standing.agent_id)


def fewest_handled(standing: Standing) -> AgentKey:
    """Who has had the fewest talks since signing in, in all queues together; then the longest idle."""
    return (standing.handled, standing.idle_since, standing.agent_id)


def round_robin(standing: Standing) -> AgentKey:
    """Whose last offer is longest ago, whatever came of it; who never had one first, in the order of the list."""
    return (standing.offered_at, standing.place, standing.agent_id)


def linear(standing: Standing) -> AgentKey:
    """Always from the top of the agents' list."""
    return (standing.place, standing.agent_id)


# --- agents, by the instant or the interaction: computed for those who may ----------------------------------


def least_occupied(busy_us: int, signed_in_us: int, idle_since: int, agent_id: str) -> AgentKey:
    """Who has talked and wrapped up the smallest share (in millionths) of the time since signing in."""
    return (busy_us * 1_000_000 // max(signed_in_us, 1), idle_since, agent_id)


def random(seed: int, interaction_id: str, agent_id: str) -> AgentKey:
    """A draw that anybody can repeat: a hash of seed, interaction and agent. No hidden generator."""
    return (_draw(f"{seed} {interaction_id} {agent_id}"), agent_id)


def weighted_random(seed: int, interaction_id: str, weight: int, agent_id: str) -> AgentKey:
    """The best of as many tickets as the agent has weight: twice the weight wins twice as often, exactly."""
    return (min(_draw(f"{seed} {interaction_id} {agent_id} {ticket}") for ticket in range(weight)), agent_id)


def best_skill_first(levels: int, idle_since: int, agent_id: str) -> AgentKey:
    """The highest sum of the levels that what is asked for is met with; then the longest idle."""
    return (-levels, idle_since, agent_id)


def _draw(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest())


class Ranked(Generic[Key]):
    """Distinct keys kept in order; adding and discarding cost a binary search and one memory move."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._keys: list[Key] = sorted(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __contains__(self, key: Key) -> bool:
        at = bisect_left(self._keys, key)
        return at < len(self._keys) and self._keys[at] == key

    def first(self) -> Key | None:
        """The best-ranked key, or None when there is none."""
        return self._keys[0] if self._keys else None

    def position(self, key: Key) -> int:
        """Place of `key` from 1; where it would stand when it is not in."""
        return bisect_left(self._keys, key) + 1

    def add(self, key: Key) -> None:
        """Put `key` in its place; a key that is in already stays single."""
        if key not in self:
            insort(self._keys, key)

    def discard(self, key: Key) -> None:
        """Take `key` out; nothing happens when it is not in."""
        at = bisect_left(self._keys, key)
        if at < len(self._keys) and self._keys[at] == key:
            del self._keys[at]
