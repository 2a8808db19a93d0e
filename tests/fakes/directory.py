"""Customers in memory (cti.ports.Directory)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from screenpop.model import PastInteraction


@dataclass(frozen=True, slots=True)
class FakeMatch:
    matches: int = 0
    values: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""
    past: Sequence[PastInteraction] = ()


class FakeDirectory:
    """`customers`: (field, value) → the records that fit."""

    def __init__(self, customers: Mapping[tuple[str, str], list[dict[str, str]]] | None = None) -> None:
        self.customers = dict(customers or {})
        self.asked: list[tuple[str, str, str]] = []
        self.last_agents: dict[str, str] = {}
        self.past: Sequence[PastInteraction] = ()

    async def match_caller(self, interaction_id: str, number: str) -> FakeMatch:
        return replace(await self.look_up(interaction_id, "number", number), past=self.past)

    async def recall(self, interaction_id: str, number: str) -> None:
        self.asked.append((interaction_id, "recall", number))

    async def look_up(self, interaction_id: str, by: str, value: str, pin: str | None = None) -> FakeMatch:
        self.asked.append((interaction_id, by, value))
        found = self.customers.get((by, value), [])
        if pin is not None and len(found) == 1 and found[0].get("pin") != pin:
            return FakeMatch(refused="wrong")
        return FakeMatch(len(found), found[0] if len(found) == 1 else {})

    def pass_on(self, interaction_id: str, to: str) -> None:
        self.asked.append((to, "pass_on", interaction_id))

    async def last_agent(self, interaction_id: str) -> str:
        return self.last_agents.get(interaction_id, "")
