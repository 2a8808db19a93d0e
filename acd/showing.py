"""What screens show: tiles of the agents' days, agents, totals of queues; said when an event changed them."""

from __future__ import annotations

from acd.commands import AgentIntervalClosed, QueueChanged
from acd.floor import Floor
from acd.presence import Agent, agent_changed, most_telling, state_reason

# --- what screens show ---------------------------------------------------------------------------------


def publish(floor: Floor) -> None:
    """Close tiles and say what changed on the agents and queues that this event touched."""
    for agent_id in sorted(floor.touched_agents):
        agent = floor.agents.get(agent_id)
        if agent is not None:
            _publish_agent(floor, agent)
    for queue_id in sorted(floor.touched_queues):
        _publish_queue(floor, queue_id)
    floor.touched_agents.clear()
    floor.touched_interactions.clear()
    floor.touched_queues.clear()


def _publish_agent(floor: Floor, agent: Agent) -> None:
    held = most_telling(agent)
    tile = (agent.state, state_reason(agent), held.interaction_id if held else "")
    removed = agent.leaving and not agent.assignments
    if removed or tile != (agent.tile_state, agent.tile_reason, agent.tile_interaction):
        _close_tile(floor, agent)
        agent.tile_state, agent.tile_reason, agent.tile_interaction = tile
    shown = agent_changed(agent)
    if shown != agent.shown:
        agent.shown = shown
        floor.out.append(shown)
    if removed:
        del floor.agents[agent.id]


def _close_tile(floor: Floor, agent: Agent) -> None:
    suffix = f".{agent.tile_n}" if agent.tile_n > 1 else ""
    floor.out.append(
        AgentIntervalClosed(
            interval_id=f"{agent.id}@{agent.tile_at}{suffix}",
            agent_id=agent.id,
            state=agent.tile_state,
            reason=agent.tile_reason,
            from_at=agent.tile_at,
            to_at=floor.now,
        )
    )
    agent.tile_n = agent.tile_n + 1 if agent.tile_at == floor.now else 1
    agent.tile_at = floor.now


def _publish_queue(floor: Floor, queue_id: str) -> None:
    queue = floor.queues.get(queue_id)
    if queue is None:
        return
    shown = queue.totals()
    if shown != queue.shown:
        queue.shown = shown
        floor.out.append(shown)


def show_vanished(floor: Floor, queue_id: str) -> None:
    """The last totals of a queue that the new rules do not have: nobody there."""
    shown = QueueChanged(queue_id, 0, 0, 0, 0)
    if shown != floor.queues[queue_id].shown:
        floor.out.append(shown)


def note_shown(floor: Floor) -> None:
    """Take what is there as already shown: after a start or a restore screens read the whole board."""
    for agent in floor.agents.values():
        agent.shown = agent_changed(agent)
    for queue in floor.queues.values():
        queue.shown = queue.totals()
