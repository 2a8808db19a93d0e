"""Who comes first: the order of waiting interactions and the order of agents.

Keys are tuples in the order a supervisor would say them, the id last so that ties are fixed. What does not
belong here: who *may* take an interaction (`acd.matching`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

RankKey = tuple[int, int, str]
"""Of a waiting interaction: (-effective priority, first asked at, interaction id); smallest first."""

AgentKey = tuple[int, str]
"""Of a ready agent: (idle since, agent id); smallest (longest idle) first."""

Key = TypeVar("Key", RankKey, AgentKey)

LONGEST_IDLE = "longest_idle"


def rank_key(effective_priority: int, first_asked_at: int, interaction_id: str) -> RankKey:
    """One order across all queues: priority, then who asked first, then the id."""
    return (-effective_priority, first_asked_at, interaction_id)


def agent_key(idle_since: int, agent_id: str) -> AgentKey:
    """Longest idle first."""
    return (idle_since, agent_id)


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
