"""One queue at run time: who waits in it, who could serve it, kept in order so that no event needs a scan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from acd.commands import QueueChanged
from acd.interactions import Interaction
from acd.matching import Choices, Needs, Terms, missing_skill
from acd.model import AgentState, OverflowCause, QueueRules, Requirement, Stage, Strategy
from acd.presence import Agent
from acd.ranking import AgentKey, Ranked, RankKey, Standing
from acd.strategies import RULES

ANYBODY = ""

#: Overflows of those who wait that depend on who works.
_BY_STAFF = (OverflowCause.FEW_SIGNED_IN, OverflowCause.LONG_WAIT)

Asked = tuple[Needs, Choices]
Waiting = dict[Asked, Ranked[RankKey]]


@dataclass(frozen=True, slots=True)
class Closure:
    """Nobody joins `queue` until `until_at` (0: until it is opened). `keep_waiting`: who waited then still waits."""

    queue: str
    until_at: int
    keep_waiting: bool
    by: str
    reason: str


class Queue:
    """`line`: all who wait, in order. `asked`: their first-asked times. `choosy`: those of them for whom more agents
    may yet be let in. `ringing`: those of them for whom a phone rings. `offerable`: who may be offered to this queue's
    agents now (also from queues whose rings reach it), by the agent whom they prefer (or ANYBODY) and by what they need
    (few different needs, so an agent's skills are compared once per need and not once per caller). `agents`: who serves
    it. `ready`: those who may be offered something, in the order that `rule` keeps, by level first where the queue is
    `levelled`: where an agent has another level than 1 in it. `states`: how many are in which state. `reached_from`:
    queues whose rings add this one, and itself. `at_once`: how many phones ring for one caller. `terms`: by
    requirements and ring, as worked out before. `closure`: None while it is open. `watches_staff`: who waits is looked
    at when agents begin or end work. `promises`: who is to be called back, by number."""

    __slots__ = (
        "agents", "asked", "at_once", "choosy", "closure", "levelled", "line", "medium", "offerable", "promises",
        "reached_from", "ready", "ringing", "rule", "rules", "shown", "states", "terms", "watches_staff",
    )  # fmt: skip

    def __init__(self, rules: QueueRules) -> None:
        self.rules = rules
        self.medium = rules.medium
        self.rule = RULES[rules.strategy]
        self.levelled = False
        self.at_once = rules.ring_at_most if rules.strategy is Strategy.RING_ALL else 1
        self.line: Ranked[RankKey] = Ranked()
        self.asked: Ranked[AgentKey] = Ranked()
        self.choosy: set[str] = set()
        self.ringing: set[str] = set()
        self.offerable: dict[str, Waiting] = {}
        self.agents: dict[str, Agent] = {}
        self.ready: Ranked[AgentKey] = Ranked()
        self.states: dict[AgentState, int] = dict.fromkeys(AgentState, 0)
        self.reached_from: list[str] = [rules.id]
        self.terms: dict[tuple[tuple[Requirement, ...], int], Terms] = {}
        self.promises: dict[str, str] = {}
        self.shown: QueueChanged | None = None
        self.closure: Closure | None = None
        self.watches_staff = any(each.waiting and each.cause in _BY_STAFF for each in rules.overflow)

    def file(self, interaction: Interaction) -> None:
        """Put one who is in this queue in its line where the stage says so; doing it twice changes nothing."""
        asked = (interaction.rank[1], interaction.id)
        if interaction.is_waiting:
            self.line.add(interaction.rank)
            self.asked.add(asked)
        else:
            self.line.discard(interaction.rank)
            self.asked.discard(asked)
        if interaction.stage is Stage.OFFERED:
            self.ringing.add(interaction.id)
        else:
            self.ringing.discard(interaction.id)
        if self._is_choosy(interaction):
            self.choosy.add(interaction.id)
        else:
            self.choosy.discard(interaction.id)
        if interaction.callback_number:
            self._list(interaction)

    def _list(self, interaction: Interaction) -> None:
        """Who is to be called back stands under their number, once."""
        if interaction.is_promised and interaction.is_waiting:
            self.promises[interaction.callback_number] = interaction.id
        else:
            self.unlist(interaction)

    def unlist(self, interaction: Interaction) -> None:
        """They are not to be called back any more."""
        if self.promises.get(interaction.callback_number) == interaction.id:
            del self.promises[interaction.callback_number]

    def _is_choosy(self, interaction: Interaction) -> bool:
        yet = interaction.preferred_until > 0 or interaction.ring < len(self.rules.relax)
        return interaction.is_waiting and yet

    def file_offer(self, interaction: Interaction) -> None:
        """Let this queue's agents have one of any queue, or no longer."""
        for agent_id in _whose(interaction):
            if interaction.is_offerable:
                waiting = self.offerable.setdefault(agent_id, {})
                waiting.setdefault(interaction.terms[:2], Ranked()).add(interaction.rank)
            else:
                self._unoffer(interaction, agent_id)

    def _unoffer(self, interaction: Interaction, agent_id: str) -> None:
        waiting = self.offerable.get(agent_id, {})
        group = waiting.get(interaction.terms[:2])
        if group is not None:
            group.discard(interaction.rank)
            if not group:
                del waiting[interaction.terms[:2]]
                if not waiting:
                    del self.offerable[agent_id]

    def enter(self, agent: Agent) -> None:
        """The agent serves this queue."""
        self.agents[agent.id] = agent
        self.states[agent.state] += 1
        if agent.standing is not None and self.medium in agent.room:
            self.ready.add(self.kept(agent, agent.standing))

    def leave(self, agent: Agent) -> None:
        """The agent serves this queue no more."""
        del self.agents[agent.id]
        self.states[agent.state] -= 1
        if agent.standing is not None and self.medium in agent.room:
            self.ready.discard(self.kept(agent, agent.standing))

    def kept(self, agent: Agent, standing: Standing) -> AgentKey:
        """By what the ready list keeps this agent."""
        key = self.rule.kept(standing)
        return (agent.levels.get(self.rules.id, 1), *key) if self.levelled else key

    def holds(self, interaction: Interaction) -> bool:
        """Whether the place in this line, and among the promises, agrees with the stage."""
        listed = self.promises.get(interaction.callback_number) == interaction.id
        promised = interaction.is_promised and interaction.is_waiting
        return (interaction.rank in self.line) is interaction.is_waiting and listed is promised

    def offers(self, interaction: Interaction) -> bool:
        """Whether this queue's agents may have it exactly when it is offerable."""
        groups = (self.offerable.get(agent_id, {}).get(interaction.terms[:2]) for agent_id in _whose(interaction))
        return all((group is not None and interaction.rank in group) is interaction.is_offerable for group in groups)

    def agrees(self, other: Queue) -> bool:
        """Whether both hold the same in all indexes."""
        return (
            list(self.line) == list(other.line)
            and list(self.asked) == list(other.asked)
            and list(self.ready) == list(other.ready)
            and self.states == other.states
            and self.choosy == other.choosy
            and self.ringing == other.ringing
            and self.agents == other.agents
            and self.promises == other.promises
            and _listed(self.offerable) == _listed(other.offerable)
        )

    def waiting(self) -> Iterable[RankKey]:
        """All who may be offered to this queue's agents."""
        return (key for waiting in self.offerable.values() for group in waiting.values() for key in group)

    def best_waiting(self, agent_id: str, skills: Mapping[str, int]) -> RankKey | None:
        """The first in line whom this agent with these skills may take."""
        best: RankKey | None = None
        for whose in (ANYBODY, agent_id):
            for (needs, choices), group in self.offerable.get(whose, {}).items():
                first = group.first()
                better = first is not None and (best is None or first < best)
                if better and missing_skill(skills, needs, choices) is None:
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
            is_closed=self.closure is not None,
            promised=len(self.promises),
        )


def _whose(interaction: Interaction) -> tuple[str, ...]:
    return interaction.preferred if interaction.preferred_until else (ANYBODY,)


def _listed(offerable: dict[str, Waiting]) -> dict[str, dict[Asked, list[RankKey]]]:
    return {whose: {asked: list(group) for asked, group in waiting.items()} for whose, waiting in offerable.items()}
