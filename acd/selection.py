"""Which ready agent gets this interaction: those who may, first by the queue's strategy.

What does not belong here: which interaction is looked at next (`acd.pairing`), and what an offer does (`acd.moves`).
"""

from __future__ import annotations

from collections.abc import Iterator

from acd.floor import Floor
from acd.interactions import Interaction
from acd.matching import missing_skill
from acd.presence import Agent
from acd.ranking import AgentKey


def best_agent(floor: Floor, interaction: Interaction) -> Agent | None:
    """The agent whom this interaction would be offered now, or None."""
    keys = ranked(floor, interaction)
    best = next(keys, None) if floor.queues[interaction.queue].rule.computed is None else min(keys, default=None)
    return floor.agents[str(best[-1])] if best is not None else None


def anybody(floor: Floor, interaction: Interaction) -> bool:
    """Whether a ready agent may take this interaction."""
    return next(_fit(floor, interaction), None) is not None


def ranked(floor: Floor, interaction: Interaction) -> Iterator[AgentKey]:
    """The keys of the ready agents who may; in order where the queue keeps that order, else in any."""
    rule, seed = floor.queues[interaction.queue].rule, floor.configuration.seed
    if rule.computed is None:
        return (key for key, _ in _fit(floor, interaction))
    return (rule.computed(agent, interaction, floor.now, seed) for _, agent in _fit(floor, interaction))


def _fit(floor: Floor, interaction: Interaction) -> Iterator[tuple[AgentKey, Agent]]:
    """The ready agents who may, each with the key they are kept by."""
    for key in floor.queues[interaction.queue].ready:
        agent = floor.agents[str(key[-1])]
        if missing_skill(agent.skills, interaction.needs) is None:
            yield key, agent
