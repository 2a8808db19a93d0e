"""What must hold after every event, checked on what the event touched, and fully every so often.

A violation is a defect of ours. It is counted, and the smallest repair is made: the interaction goes back to its
place, the agent is freed, an index is built anew. Nobody waits for ever because two facts disagree.

- capacity: an agent holds at most as many interactions of each medium as they could when these were offered;
- assignment: what an agent holds as offered or connected is an open interaction that names this agent and offer;
- holder: an interaction that is offered or talks is held by the agents it names;
- waiting: the queue's line and its offerable part agree with the interaction's stage;
- ready: the ready lists hold exactly the agents whose derived state is ready, of the queues that they serve now;
- leaving: the clock to the next time-out of who waits runs to the right instant;
- promise: who is to be called back waits;
- outcome: no open interaction has been closed before;
- index (full check only): all queues' indexes are what building them anew gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acd.assignments import Assignment
from acd.floor import Floor, file_in, next_leave
from acd.interactions import Interaction
from acd.model import AssignmentState, Stage
from acd.presence import Agent, agent_state, room, served_queues
from acd.promises import fail_promise
from acd.queues import Queue
from acd.repairs import forget, lose_holder, lose_offers, refile, refile_ready
from acd.strategies import standing

if TYPE_CHECKING:
    from acd.engine import Engine

#: The full check walks everything (about 0.1 s with 5,000 agents and 5,000 waiting), so it is made this rarely.
FULL_CHECK_EVERY = 50_000

_STATE_OF = {Stage.OFFERED: AssignmentState.OFFERED, Stage.TALKING: AssignmentState.CONNECTED}


def check(engine: Engine) -> tuple[str, ...]:
    """Every violation there is now, as `name:id`; empty when all holds. Changes nothing."""
    floor = engine.floor
    found = [f"{name}:{agent.id}" for agent in floor.agents.values() for name in _of_agent(floor, agent)]
    found += [
        f"{name}:{interaction.id}"
        for interaction in floor.interactions.values()
        for name in _of_interaction(floor, interaction)
    ]
    found += [f"index:{queue_id}" for queue_id in _wrong_indexes(floor)]
    return tuple(found)


def repair_touched(floor: Floor) -> int:
    """Verify what this event touched, count and repair what is wrong; returns how many repairs."""
    repaired = 0
    for agent_id in sorted(floor.touched_agents):
        agent = floor.agents.get(agent_id)
        if agent is not None:
            repaired += _repair_agent(floor, agent)
    for interaction_id in sorted(floor.touched_interactions):
        interaction = floor.interactions.get(interaction_id)
        if interaction is not None:
            repaired += _repair_interaction(floor, interaction)
    return repaired


def repair_all(floor: Floor) -> int:
    """The same for everything there is."""
    floor.touched_agents.update(floor.agents)
    floor.touched_interactions.update(floor.interactions)
    repaired = repair_touched(floor)
    wrong = _wrong_indexes(floor)
    if wrong:
        for _ in wrong:
            _count(floor, "index")
        floor.reindex()
        floor.touched_queues.update(floor.queues)
        floor.rematch_all = True
    return repaired + len(wrong)


def _count(floor: Floor, name: str) -> None:
    floor.count(f"violation:{name}")
    floor.count(f"repair:{name}")


# --- agents --------------------------------------------------------------------------------------------------


def _of_agent(floor: Floor, agent: Agent) -> list[str]:
    found = []
    if len(agent.assignments) > 1 and _within_capacity(agent.assignments) != agent.assignments:
        found.append("capacity")
    for held in agent.assignments:
        if not _is_mutual(floor, agent, held.interaction_id):
            found.append("assignment")
    if not _is_filed(floor, agent):
        found.append("ready")
    return found


def _within_capacity(assignments: list[Assignment]) -> list[Assignment]:
    """The first of each medium, as many as could be held."""
    most: dict[str, int] = {}
    for held in assignments:
        most[held.medium] = max(held.most, most.get(held.medium, 0))
    counts = dict.fromkeys(most, 0)
    kept = []
    for held in assignments:
        counts[held.medium] += 1
        if counts[held.medium] <= most[held.medium]:
            kept.append(held)
    return kept


def _is_mutual(floor: Floor, agent: Agent, interaction_id: str) -> bool:
    held = agent.holding(interaction_id)
    if held is None or held.state is AssignmentState.WRAP_UP:
        return True
    interaction = floor.interactions.get(interaction_id)
    if interaction is None or _STATE_OF.get(interaction.stage) is not held.state:
        return False
    if interaction.offer_id == held.talk_id:
        return interaction.agent_id == agent.id
    return any(each.offer_id == held.talk_id and each.agent_id == agent.id for each in interaction.beside)


def _is_filed(floor: Floor, agent: Agent) -> bool:
    if agent.state is not agent_state(agent, floor.configuration.offer_without_desktop):
        return False
    if agent.moves and agent.queues != served_queues(agent):
        return False
    stands = standing(agent)
    has_room = room(agent, floor.configuration.offer_without_desktop)
    if agent.room != has_room or agent.standing != (stands if has_room else None):
        return False
    queues = (floor.queues[queue_id] for queue_id in agent.queues)
    return all((queue.kept(agent, stands) in queue.ready) is (queue.medium in has_room) for queue in queues)


def _repair_agent(floor: Floor, agent: Agent) -> int:
    """Keep the first valid assignment; the interactions of the others are put back as having lost their holder."""
    found = _of_agent(floor, agent)
    if not found:
        return 0
    for name in found:
        _count(floor, name)
    floor.touched_interactions.update(held.interaction_id for held in agent.assignments)
    valid = [held for held in agent.assignments if _is_mutual(floor, agent, held.interaction_id)]
    agent.assignments = _within_capacity(valid)
    refile_ready(floor, agent)
    return len(found)


# --- interactions --------------------------------------------------------------------------------------------


def _of_interaction(floor: Floor, interaction: Interaction) -> list[str]:
    found = []
    if interaction.id in floor.closed:
        found.append("outcome")
    if interaction.stage in _STATE_OF and not _is_held_by_all(floor, interaction):
        found.append("holder")
    queue = floor.queues.get(interaction.queue)
    if interaction.callback_number and not interaction.is_waiting:
        found.append("promise")
    if interaction.is_waiting if queue is None else not _is_in_place(floor, queue, interaction):
        found.append("waiting")
    elif queue is not None and interaction.is_waiting and interaction.leave_at != next_leave(interaction, queue.rules):
        found.append("leaving")
    return found


def _is_in_place(floor: Floor, queue: Queue, interaction: Interaction) -> bool:
    reached = (floor.queues[queue_id] for queue_id in interaction.terms.queues)
    return queue.holds(interaction) and all(each.offers(interaction) for each in reached)


def _is_held_by_all(floor: Floor, interaction: Interaction) -> bool:
    if not _is_held(floor, interaction, interaction.agent_id, interaction.offer_id):
        return False
    beside = interaction.beside
    return not beside or all(_is_held(floor, interaction, each.agent_id, each.offer_id) for each in beside)


def _is_held(floor: Floor, interaction: Interaction, agent_id: str, talk_id: str) -> bool:
    agent = floor.agents.get(agent_id)
    held = agent.holding(interaction.id) if agent else None
    return held is not None and held.talk_id == talk_id and held.state is _STATE_OF[interaction.stage]


def _repair_interaction(floor: Floor, interaction: Interaction) -> int:
    found = _of_interaction(floor, interaction)
    for name in found:
        _count(floor, name)
    if "promise" in found:
        fail_promise(floor, interaction, "repaired")
    if "outcome" in found:
        forget(floor, interaction)
    elif "holder" in found:
        _repair_holder(floor, interaction)
    elif "waiting" in found:
        refile(floor, interaction)
    elif "leaving" in found:
        floor.watch_leaving(interaction)
    return len(found)


def _repair_holder(floor: Floor, interaction: Interaction) -> None:
    if interaction.stage is Stage.OFFERED:
        held = _is_held
        lost = [each for each in interaction.open_offers if not held(floor, interaction, each.agent_id, each.offer_id)]
        lose_offers(floor, interaction, lost)
    else:
        lose_holder(floor, interaction)


# --- indexes -------------------------------------------------------------------------------------------------


def _wrong_indexes(floor: Floor) -> list[str]:
    """Queues whose indexes differ from what building them anew gives."""
    expected = floor.empty_queues()
    for interaction in floor.interactions.values():
        file_in(expected, interaction)
    for agent in floor.agents.values():
        for queue_id in served_queues(agent):
            queue = expected[queue_id]
            queue.states[agent.state] += 1
            queue.agents[agent.id] = agent
            if queue.medium in agent.room:
                queue.ready.add(queue.kept(agent, standing(agent)))
    return [
        queue_id
        for queue_id, queue in floor.queues.items()
        if not queue.agrees(expected[queue_id]) or queue.closure != floor.closures.get(queue_id)
    ]
