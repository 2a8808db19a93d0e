"""Bring waiting interactions and ready agents together, best-ranked interaction first.

After each event no interaction that may be offered has a ready agent who may take it. So only what the event
freed or brought can make a new pair, and only that is looked at; where much changed at once (rules, a resume)
everything is walked in order.
"""

from __future__ import annotations

from acd.floor import Floor
from acd.moves import offer
from acd.ranking import RankKey
from acd.selection import anybody, best_agents

#: Past so many freed agents and arrived interactions a walk of the whole line is cheaper.
WALK_ALL_ABOVE = 16


def match(floor: Floor) -> None:
    """Make every offer that can be made now; none while routing is paused."""
    if floor.paused is None and (floor.rematch_all or floor.freed or floor.arrived):
        if floor.rematch_all or len(floor.freed) + len(floor.arrived) > WALK_ALL_ABOVE:
            _match_all(floor)
        else:
            _match_changed(floor)
        floor.rematch_all = False
    floor.freed.clear()
    floor.arrived.clear()


def _match_all(floor: Floor) -> None:
    waiting = {key for queue in floor.queues.values() if queue.ready for key in queue.waiting()}
    for key in sorted(waiting):
        _offer_to_best(floor, key)


def _match_changed(floor: Floor) -> None:
    arrived = [floor.interactions[each] for each in sorted(floor.arrived) if each in floor.interactions]
    ranks = sorted(each.rank for each in arrived if each.is_offerable)
    freed = sorted(floor.freed)
    while True:
        ranks = [rank for rank in ranks if _has_agent(floor, rank)]
        chosen = _best_for_any(floor, freed)
        if ranks and (chosen is None or ranks[0] < chosen):
            chosen = ranks[0]
        if chosen is None:
            return
        _offer_to_best(floor, chosen)


def _has_agent(floor: Floor, rank: RankKey) -> bool:
    interaction = floor.interactions[rank[2]]
    return interaction.is_offerable and anybody(floor, interaction)


def _best_for_any(floor: Floor, agent_ids: list[str]) -> RankKey | None:
    """The first in line whom one of these agents, where still ready, may take."""
    best: RankKey | None = None
    for agent_id in agent_ids:
        agent = floor.agents[agent_id]
        if agent.standing is None:
            continue
        for queue_id in agent.queues:
            queue = floor.queues[queue_id]
            if queue.medium not in agent.room:
                continue
            found = queue.best_waiting(agent.id, agent.skills)
            if found is not None and (best is None or found < best):
                best = found
    return best


def _offer_to_best(floor: Floor, rank: RankKey) -> None:
    interaction = floor.interactions[rank[2]]
    agents = best_agents(floor, interaction)
    if agents:
        offer(floor, interaction, agents)
