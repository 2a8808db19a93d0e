"""Tables that keep facts in memory (cti.ports.Records)."""

from __future__ import annotations

from collections.abc import Sequence

from acd.commands import Fact


class FakeRecords:
    """`kept`: (journal position, fact) in the order in which they came."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, Fact]] = []

    def keep(self, position: int, facts: Sequence[Fact]) -> None:
        self.kept.extend((position, fact) for fact in facts)

    async def flush(self) -> None:
        """Everything is written at once."""

    def facts(self, kind: type[Fact]) -> list[Fact]:
        return [fact for _, fact in self.kept if isinstance(fact, kind)]
