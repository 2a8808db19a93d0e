"""One queue at run time: who waits in it, who could serve it, kept in order so that no event needs a scan."""

from __future__ import annotations

from collections.abc import Mapping

from acd.commands import QueueChanged
from acd.interactions import Interaction
from acd.matching import Needs, missing_skill
from acd.model import AgentState, QueueRules
from acd.ranking import AgentKey, Ranked, RankKey
from acd.strategies import RULES


class Queue:
    """`line`: all who wait, in order. `offerable`: those of them whom an agent may be offered now, by what they
    need (few different needs, so an agent's skills are compared once per need and not once per caller).
    `asked`: their first-asked times. `ready`: agents who may be offered, in the order that `rule` keeps.
    `states`: how many of its agents are in which state."""

    __slots__ = ("asked", "line", "offerable", "ready", "rule", "rules", "shown", "states")

    def __init__(self, rules: QueueRules) -> None:
        self.rules = rules
        self.rule = RULES[rules.strategy]
        self.line: Ranked[RankKey] = Ranked()
        self.asked: Ranked[AgentKey] = Ranked()
        self.offerable: dict[Needs, Ranked[RankKey]] = {}
        self.ready: Ranked[AgentKey] = Ranked()
        self.states: dict[AgentState, int] = dict.fromkeys(AgentState, 0)
        self.shown: QueueChanged | None = None

    def file(self, interaction: Interaction) -> None:
        """Put the interaction where its stage says; doing it twice changes nothing."""
        asked = (interaction.rank[1], interaction.id)
        if interaction.is_waiting:
            self.line.add(interaction.rank)
            self.asked.add(asked)
        else:
            self.line.discard(interaction.rank)
            self.asked.discard(asked)
        if interaction.is_offerable:
            self.offerable.setdefault(interaction.needs, Ranked()).add(interaction.rank)
        else:
            self._unoffer(interaction)

    def _unoffer(self, interaction: Interaction) -> None:
        group = self.offerable.get(interaction.needs)
        if group is not None:
            group.discard(interaction.rank)
            if not group:
                del self.offerable[interaction.needs]

    def holds(self, interaction: Interaction) -> bool:
        """Whether the places of this interaction agree with its stage."""
        group = self.offerable.get(interaction.needs)
        return (interaction.rank in self.line) is interaction.is_waiting and (
            group is not None and interaction.rank in group
        ) is interaction.is_offerable

    def agrees(self, other: Queue) -> bool:
        """Whether both hold the same in all indexes."""
        return (
            list(self.line) == list(other.line)
            and list(self.asked) == list(other.asked)
            and list(self.ready) == list(other.ready)
            and self.states == other.states
            and {needs: list(group) for needs, group in self.offerable.items()}
            == {needs: list(group) for needs, group in other.offerable.items()}
        )

    def best_waiting(self, skills: Mapping[str, int]) -> RankKey | None:
        """The first in line whom an agent with these skills may take."""
        best: RankKey | None = None
        for needs, group in self.offerable.items():
            first = group.first()
            if first is not None and (best is None or first < best) and missing_skill(skills, needs) is None:
                best = first
        return best

    def totals(self) -> QueueChanged:
        """What a screen shows of this queue now."""
        oldest = self.asked.first()
        return QueueChanged(
            queue=self.rules.id,
            waiting=len(self.line),
            oldest_asked_at=int(oldest[0]) if oldest else 0,
            agents_ready=len(self.ready),
            agents_signed_in=sum(self.states.values()) - self.states[AgentState.LOGGED_OUT],
        )
