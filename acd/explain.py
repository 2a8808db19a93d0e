"""Why this agent got this interaction, in words a supervisor can check: the keys, and who was passed over."""

from __future__ import annotations

from dataclasses import replace

from acd.floor import Floor
from acd.interactions import Interaction
from acd.model import AgentState, Reason
from acd.ranking import AgentKey
from acd.selection import is_kept, obstacle, ranked, ready_agents, rule_for

Behind = tuple[int, int]
"""How many stand behind the chosen one: of the same level, and of later ones."""

#: Counts those whose phones ring at the same time.
RUNG_TOGETHER = "rung_together"
#: Counts agents who are ready, but take nothing (more) of the medium.
NO_ROOM = "no_room"


def explain(floor: Floor, interaction: Interaction, at_once: int) -> list[Reason]:
    """Why each of the best `at_once` agents is offered this interaction; call it before they are reserved.

    The counts of `passed_over` add up to the other agents of the queues that are reached. `skill:…` counts ready
    agents who would have come before the winner (the last whose phone rings) but lack it; where the order is computed
    for each interaction, all who lack it. `later_level` counts those who are asked later whatever the strategy says.
    The runner-up is the first whose phone does not ring.
    """
    rule = rule_for(floor, interaction)
    passed = _by_state(floor, interaction)
    kept = is_kept(floor, interaction)
    best, behind = (_in_kept_order if kept else _in_computed_order)(floor, interaction, at_once, passed)
    alike, later = behind
    if alike:
        passed[rule.behind] = alike
    if later:
        passed["later_level"] = later
    if at_once > 1:
        passed[RUNG_TOGETHER] = at_once - 1
    runner_up = best[at_once] if len(best) > at_once else None
    first = Reason(
        rule=rule.name,
        key=rule.labelled(best[0]),
        runner_up=str(runner_up[-1]) if runner_up else None,
        runner_up_key=rule.labelled(runner_up) if runner_up else (),
        passed_over=tuple(sorted(passed.items())),
    )
    return [first, *(replace(first, key=rule.labelled(key)) for key in best[1:at_once])]


def _by_state(floor: Floor, interaction: Interaction) -> dict[str, int]:
    """The agents of the queues that are reached who have no room for its medium, by state."""
    queues = [floor.queues[queue_id] for queue_id in interaction.terms.queues]
    counts = queues[0].states
    if len(queues) == 1 and floor.calls_only and counts[AgentState.READY] == len(queues[0].ready):
        return {state.value: count for state, count in counts.items() if count and state is not AgentState.READY}
    medium = queues[0].rules.medium
    everybody = {agent.id: agent for queue in queues for agent in queue.agents.values() if medium not in agent.room}
    found: dict[str, int] = {}
    for agent in everybody.values():
        _count(found, NO_ROOM if agent.state is AgentState.READY else agent.state.value)
    return found


def _in_kept_order(
    floor: Floor, interaction: Interaction, at_once: int, passed: dict[str, int]
) -> tuple[list[AgentKey], Behind]:
    """The best and the runner-up, and how many stand behind the best; looks no further than the runner-up."""
    queue = floor.queues[interaction.queue]
    best: list[AgentKey] = []
    before = 0
    for key in queue.ready:
        lacking = obstacle(interaction, floor.agents[str(key[-1])])
        if lacking is None:
            best.append(key)
            if len(best) > at_once:
                break
        elif len(best) < at_once:
            before += 1
            _count(passed, lacking)
    behind = len(queue.ready) - before - at_once
    if not queue.levelled:
        return best, (behind, 0)
    later = len(queue.ready) + 1 - queue.ready.position((int(best[0][0]) + 1,))
    return best, (behind - later, later)


def _in_computed_order(
    floor: Floor, interaction: Interaction, at_once: int, passed: dict[str, int]
) -> tuple[list[AgentKey], Behind]:
    """All who may, in order, and how many stand behind the best."""
    for agent in ready_agents(floor, interaction):
        lacking = obstacle(interaction, agent)
        if lacking is not None:
            _count(passed, lacking)
    best = sorted(ranked(floor, interaction))
    later = sum(key[0] != best[0][0] for key in best) if rule_for(floor, interaction).levelled else 0
    return best, (len(best) - at_once - later, later)


def _count(passed: dict[str, int], why: str) -> None:
    passed[why] = passed.get(why, 0) + 1
