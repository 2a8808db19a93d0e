"""Why this agent got this interaction, in words a supervisor can check: the keys, and who was passed over."""

from __future__ import annotations

from acd.floor import Floor
from acd.interactions import Interaction
from acd.matching import missing_skill
from acd.model import AgentState, Reason
from acd.ranking import AgentKey
from acd.selection import ranked


def explain(floor: Floor, interaction: Interaction) -> Reason:
    """Why the best agent is offered this interaction; call it before they are reserved.

    The counts of `passed_over` add up to the queue's other agents. `skill:…` counts ready agents who would have come
    before the winner but lack it; where the order is computed for each interaction, all who lack it.
    """
    queue = floor.queues[interaction.queue]
    passed = {state.value: count for state, count in queue.states.items() if count and state is not AgentState.READY}
    if queue.rule.computed is None:
        best, behind = _in_kept_order(floor, interaction, passed)
    else:
        best, behind = _in_computed_order(floor, interaction, passed)
    if behind:
        passed[queue.rule.behind] = behind
    runner_up = best[1] if len(best) > 1 else None
    return Reason(
        rule=queue.rule.name,
        key=queue.rule.labelled(best[0]),
        runner_up=str(runner_up[-1]) if runner_up else None,
        runner_up_key=queue.rule.labelled(runner_up) if runner_up else (),
        passed_over=tuple(sorted(passed.items())),
    )


def _in_kept_order(floor: Floor, interaction: Interaction, passed: dict[str, int]) -> tuple[list[AgentKey], int]:
    """The best two, and how many stand behind the first; looks no further than the second."""
    ready = floor.queues[interaction.queue].ready
    best: list[AgentKey] = []
    before = 0
    for key in ready:
        lacking = missing_skill(floor.agents[str(key[-1])].skills, interaction.needs)
        if lacking is None:
            best.append(key)
            if len(best) > 1:
                break
        elif not best:
            before += 1
            _count(passed, f"skill:{lacking}")
    return best, len(ready) - before - 1


def _in_computed_order(floor: Floor, interaction: Interaction, passed: dict[str, int]) -> tuple[list[AgentKey], int]:
    """All who may, in order, and how many stand behind the first."""
    for key in floor.queues[interaction.queue].ready:
        lacking = missing_skill(floor.agents[str(key[-1])].skills, interaction.needs)
        if lacking is not None:
            _count(passed, f"skill:{lacking}")
    best = sorted(ranked(floor, interaction))
    return best, len(best) - 1


def _count(passed: dict[str, int], why: str) -> None:
    passed[why] = passed.get(why, 0) + 1
