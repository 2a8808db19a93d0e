"""Which ready agent gets this interaction: those who may, first by the queue's strategy.

What does not belong here: which interaction is looked at next (`acd.pairing`), and what an offer does (`acd.moves`).
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nsmallest
from itertools import islice

from acd.floor import Floor
from acd.interactions import Interaction
from acd.matching import Terms, missing_skill
from acd.model import AgentState
from acd.presence import Agent
from acd.ranking import AgentKey
from acd.strategies import LEVELLED, PREFERRED, Rule


def rule_for(floor: Floor, interaction: Interaction) -> Rule:
    """By which rule its agent is chosen now: the order of preference, else the queue's strategy, by level first where
    agents have levels in a queue that is reached."""
    if interaction.preferred_until:
        return PREFERRED
    queue = floor.queues[interaction.queue]
    if floor.levelled and any(floor.queues[reached].levelled for reached in interaction.terms.queues):
        return LEVELLED[queue.rules.strategy]
    return queue.rule


def is_kept(floor: Floor, interaction: Interaction) -> bool:
    """Whether the agents stand in order already: those of one queue, by a strategy that looks at the agent alone."""
    return len(interaction.terms.queues) == 1 and rule_for(floor, interaction).computed is None


def best_agents(floor: Floor, interaction: Interaction) -> list[Agent]:
    """The agents whom this interaction would be offered now, best first: one, or as many of one level as its queue
    rings at once. Who is called back has one agent held for them."""
    keys = ranked(floor, interaction)
    at_once = 1 if interaction.is_promised else floor.queues[interaction.queue].at_once
    best = list(islice(keys, at_once) if is_kept(floor, interaction) else nsmallest(at_once, keys))
    if len(best) > 1 and rule_for(floor, interaction).levelled:
        best = [key for key in best if key[0] == best[0][0]]
    return [floor.agents[str(key[-1])] for key in best]


def anybody(floor: Floor, interaction: Interaction) -> bool:
    """Whether a ready agent may take this interaction."""
    return next(_fit(floor, interaction), None) is not None


def ranked(floor: Floor, interaction: Interaction) -> Iterator[AgentKey]:
    """The keys of the ready agents who may; in order where they stand in order already, else in any."""
    if is_kept(floor, interaction):
        queue = floor.queues[interaction.queue]
        return (queue.kept(agent, agent.standing) for agent in _fit(floor, interaction) if agent.standing)
    rule = rule_for(floor, interaction)
    return (rule.key(agent, interaction, floor.now, floor.configuration.seed) for agent in _fit(floor, interaction))


def ready_agents(floor: Floor, interaction: Interaction) -> Iterator[Agent]:
    """The ready agents of the queues that are reached, each once, whether they may or not."""
    queues = interaction.terms.queues
    for at, queue_id in enumerate(queues):
        for key in floor.queues[queue_id].ready:
            agent_id = str(key[-1])
            if at == 0 or not any(agent_id in floor.queues[each].agents for each in queues[:at]):
                yield floor.agents[agent_id]


def obstacle(interaction: Interaction, agent: Agent) -> str | None:
    """Why a ready agent of its queues may not take this interaction, or None."""
    if interaction.preferred_until and agent.id not in interaction.preferred:
        return "not_preferred"
    lacking = missing_skill(agent.skills, interaction.terms.needs, interaction.terms.choices)
    return None if lacking is None else f"skill:{lacking}"


def _fit(floor: Floor, interaction: Interaction) -> Iterator[Agent]:
    """The ready agents who may."""
    if not interaction.preferred_until:
        return (each for each in ready_agents(floor, interaction) if obstacle(interaction, each) is None)
    medium = floor.queues[interaction.queue].rules.medium
    named = (floor.agents.get(agent_id) for agent_id in interaction.preferred)
    return (each for each in named if each is not None and medium in each.room and may(floor, interaction, each))


def may(floor: Floor, interaction: Interaction, agent: Agent) -> bool:
    """Whether the agent serves a queue that is reached, takes its medium and has the skills, whatever their state."""
    return suits(floor, interaction.terms, agent)


def suits(floor: Floor, terms: Terms, agent: Agent) -> bool:
    """The same on any terms."""
    serves = any(agent.id in floor.queues[queue_id].agents for queue_id in terms.queues)
    takes = serves and agent.capacity.get(floor.queues[terms.queues[0]].rules.medium, 0) > 0
    return takes and missing_skill(agent.skills, terms.needs, terms.choices) is None


def is_able(floor: Floor, terms: Terms) -> bool:
    """Whether anybody who is signed in could ever take an interaction on these terms; remembered while it holds."""
    known = floor.able.get(terms)
    if known is None:
        known = floor.able[terms] = any(
            agent.state is not AgentState.LOGGED_OUT and suits(floor, terms, agent)
            for queue_id in terms.queues
            for agent in floor.queues[queue_id].agents.values()
        )
    return known
