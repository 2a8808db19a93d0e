"""Why this agent got this interaction, in words a supervisor can check: the keys, and who was passed over."""

from __future__ import annotations

from collections.abc import Mapping

from acd.matching import Needs, missing_skill
from acd.model import AgentState, Reason
from acd.presence import Agent
from acd.queues import Queue
from acd.ranking import LONGEST_IDLE, AgentKey

#: Ready agents who rank behind the one chosen; their skills did not matter.
LESS_IDLE = "less_idle"


def explain(queue: Queue, needs: Needs, agents: Mapping[str, Agent], winner: str) -> Reason:
    """Call it before the winner is reserved. The counts of `passed_over` add up to the queue's other agents."""
    passed: dict[str, int] = {}
    key: AgentKey = (0, "")
    runner_up: AgentKey | None = None
    ready_before = 0
    for candidate in queue.ready:
        lacking = missing_skill(agents[candidate[1]].skills, needs)
        if candidate[1] == winner:
            key = candidate
        elif lacking is None:
            runner_up = candidate
            break
        elif not key[1]:
            ready_before += 1
            passed[f"skill:{lacking}"] = passed.get(f"skill:{lacking}", 0) + 1
    for state, count in queue.states.items():
        if count and state is not AgentState.READY:
            passed[state.value] = count
    less_idle = len(queue.ready) - ready_before - 1
    if less_idle:
        passed[LESS_IDLE] = less_idle
    return Reason(
        rule=LONGEST_IDLE,
        key=_labelled(key),
        runner_up=runner_up[1] if runner_up else None,
        runner_up_key=_labelled(runner_up) if runner_up else (),
        passed_over=tuple(sorted(passed.items())),
    )


def _labelled(key: AgentKey) -> tuple[tuple[str, int | str], ...]:
    return (("idle_since", key[0]), ("agent_id", key[1]))
