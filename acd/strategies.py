"""The queues' strategies: for each, the agent's key with its words, from what the floor knows of the agent.

A strategy that looks at the agent alone has an order that each queue keeps. One that looks at the instant or at the
interaction has its keys computed when it is asked, for the ready agents who may.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from acd import ranking
from acd.interactions import Interaction
from acd.matching import levels_met
from acd.model import Strategy
from acd.presence import Agent
from acd.ranking import AgentKey, Standing

Labelled = tuple[tuple[str, int | str], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A strategy. `labels` are the words of its key (`-` before a word: the key holds the negative, the reason not).
    `behind`: what is said of those who rank behind. `kept`: the key by standing alone, by which ready agents are kept
    in order. `computed`: the key for this interaction at this instant, where the standing alone does not tell it.
    `levelled`: before all that the agent's level counts."""

    name: str
    labels: tuple[str, ...]
    behind: str
    kept: Callable[[Standing], AgentKey]
    computed: Callable[[Agent, Interaction, int, int], AgentKey] | None = None
    levelled: bool = False

    def key(self, agent: Agent, interaction: Interaction, now: int, seed: int) -> AgentKey:
        """The agent's key for this interaction at `now`."""
        if self.computed is not None:
            key = self.computed(agent, interaction, now, seed)
        else:
            key = self.kept(standing(agent))
        return (level(agent, interaction), *key) if self.levelled else key

    def labelled(self, key: AgentKey) -> Labelled:
        """The key in words, as a reason tells it."""
        return tuple(_labelled(label, value) for label, value in zip((*self.labels, "agent_id"), key, strict=True))


def _labelled(label: str, value: int | str) -> tuple[str, int | str]:
    return (label[1:], -value) if label.startswith("-") and isinstance(value, int) else (label, value)


def standing(agent: Agent) -> Standing:
    """What the agent stands in order by now."""
    return Standing(agent.idle_since, agent.handled, agent.offered_at, agent.place, agent.id)


def level(agent: Agent, interaction: Interaction) -> int:
    """The agent's level in the first queue, of those that the interaction reaches, that they serve."""
    reached = (queue for queue in interaction.terms.queues if queue in agent.queues)
    return agent.levels.get(next(reached, interaction.queue), 1)


def _least_occupied(agent: Agent, _: Interaction, now: int, __: int) -> AgentKey:
    return ranking.least_occupied(agent.busy_us, now - agent.signed_in_at, agent.idle_since, agent.id)


def _random(agent: Agent, interaction: Interaction, _: int, seed: int) -> AgentKey:
    return ranking.random(seed, interaction.id, agent.id)


def _weighted_random(agent: Agent, interaction: Interaction, _: int, seed: int) -> AgentKey:
    return ranking.weighted_random(seed, interaction.id, agent.profile.weight, agent.id)


def _best_skill_first(agent: Agent, interaction: Interaction, _: int, __: int) -> AgentKey:
    return ranking.best_skill_first(levels_met(agent.skills, *interaction.terms[:2]), agent.idle_since, agent.id)


def _preferred(agent: Agent, interaction: Interaction, _: int, __: int) -> AgentKey:
    return (interaction.preferred.index(agent.id), agent.id)


def _rules() -> tuple[Rule, ...]:
    idle, by_idle = "idle_since", ranking.longest_idle
    return (
        Rule(Strategy.LONGEST_IDLE.value, (idle,), "less_idle", by_idle),
        Rule(Strategy.FEWEST_HANDLED.value, ("handled", idle), "more_handled", ranking.fewest_handled),
        Rule(Strategy.LEAST_OCCUPIED.value, ("occupied_millionths", idle), "more_occupied", by_idle, _least_occupied),
        Rule(Strategy.ROUND_ROBIN.value, ("last_offered_at", "place"), "later_turn", ranking.round_robin),
        Rule(Strategy.LINEAR.value, ("place",), "later_in_list", ranking.linear),
        Rule(Strategy.RANDOM.value, ("draw",), "drawn_later", by_idle, _random),
        Rule(Strategy.WEIGHTED_RANDOM.value, ("draw",), "drawn_later", by_idle, _weighted_random),
        Rule(Strategy.BEST_SKILL_FIRST.value, ("-skill_levels", idle), "less_skilled", by_idle, _best_skill_first),
        Rule(Strategy.RING_ALL.value, (idle,), "less_idle", by_idle),
    )


RULES = {Strategy(rule.name): rule for rule in _rules()}

#: The same where agents have levels: of level 1 first, then of level 2 and so on.
LEVELLED = {strategy: replace(rule, labels=("level", *rule.labels), levelled=True) for strategy, rule in RULES.items()}

#: While preferred agents alone may, the order in which they are preferred stands before the queue's strategy.
PREFERRED = Rule("preferred_agent", ("preference",), "less_preferred", ranking.longest_idle, _preferred)
