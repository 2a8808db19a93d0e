"""Temporary moves: for a while an agent serves other queues than their profile says.

A move is planned until its beginning, then active, then over: by the engine's own deadlines, or at once. Several may
be active together; where they disagree the one asked for later wins (`acd.presence.served_queues`). A move decides
who may, never who is first, and touches nothing that an agent holds: a phone that rings for a queue that they lose
rings on, and who talks talks on.

A profile that changes keeps the moves; queues that vanish drop out of them.
"""

from __future__ import annotations

from dataclasses import replace

from acd.commands import AgentMoveChanged
from acd.events import AgentMoved
from acd.floor import Floor
from acd.model import Move, MoveState
from acd.presence import Agent

#: So many moves of one agent may be planned or active.
MOST_MOVES = 20


def refusal(floor: Floor, agent: Agent, event: AgentMoved) -> str | None:
    """Why this move cannot be, in a word, or None."""
    if agent.leaving:
        return "leaving"
    if agent.moving(event.move_id) is not None:
        return "doubled"
    if not event.add and not event.remove:
        return "nothing"
    if any(queue not in floor.queues for queue in (*event.add, *event.remove)):
        return "unknown_queue"
    if set(event.add) & set(event.remove):
        return "contradictory"
    if event.until_at and event.until_at <= max(event.from_at, floor.now):
        return "over"
    return "too_many" if len(agent.moves) >= MOST_MOVES else None


def begin_move(floor: Floor, agent: Agent, event: AgentMoved) -> None:
    """Plan the move, or make it at once."""
    from_at = max(event.from_at, floor.now)
    state = MoveState.PLANNED if from_at > floor.now else MoveState.ACTIVE
    move = Move(event.move_id, event.add, event.remove, from_at, event.until_at, state, event.by, event.reason)
    agent.moves.append(move)
    _changed(floor, agent, move)


def take_due_move(floor: Floor, agent: Agent, move_id: str) -> None:
    """The instant of its beginning or its end has come."""
    move = next(each for each in agent.moves if each.id == move_id)
    if move.state is MoveState.ACTIVE:
        end_move(floor, agent, move, MoveState.OVER)
    else:
        _change(floor, agent, replace(move, state=MoveState.ACTIVE))


def end_move(floor: Floor, agent: Agent, move: Move, state: MoveState, by: str = "") -> None:
    """Over or cancelled: the agent serves what profile and other moves say. `by`: who cancelled it."""
    agent.moves.remove(move)
    _changed(floor, agent, replace(move, state=state, by=by or move.by))


def keep_moves(floor: Floor, agent: Agent) -> None:
    """New rules: queues that are no more drop out; a move of which nothing is left, or whose agent leaves, is over.
    The caller builds the indexes anew."""
    known = {rules.id for rules in floor.configuration.queues}
    for move in list(agent.moves):
        add = tuple(queue for queue in move.add if queue in known)
        remove = tuple(queue for queue in move.remove if queue in known)
        if agent.leaving or not add + remove:
            agent.moves.remove(move)
            _tell(floor, agent, replace(move, state=MoveState.OVER))
        elif (add, remove) != (move.add, move.remove):
            kept = replace(move, add=add, remove=remove)
            agent.moves[agent.moves.index(move)] = kept
            _tell(floor, agent, kept)


def _change(floor: Floor, agent: Agent, move: Move) -> None:
    at = next(at for at, each in enumerate(agent.moves) if each.id == move.id)
    agent.moves[at] = move
    _changed(floor, agent, move)


def _changed(floor: Floor, agent: Agent, move: Move) -> None:
    """Say it, and bring the indexes in step."""
    if move.state in (MoveState.PLANNED, MoveState.ACTIVE):
        floor.watch_move(agent, move)
    _tell(floor, agent, move)
    floor.requeue(agent)


def _tell(floor: Floor, agent: Agent, move: Move) -> None:
    floor.out.append(
        AgentMoveChanged(
            move_id=move.id,
            agent_id=agent.id,
            add=move.add,
            remove=move.remove,
            from_at=move.from_at,
            until_at=move.until_at,
            state=move.state,
            by=move.by,
            reason=move.reason,
            changed_at=floor.now,
        )
    )
