"""What other rules would change for those who wait and work now: a dry run, on a copy.

Compared is who *may*: the agents who are signed in, serve a queue that is reached, have the skills and are not kept
away by a preference, whatever they do at this instant. Nothing is offered, and the engine given is left as it was.

What does not belong here: where the rules and the engine come from (`cti.replay`), and making the change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from acd.codec import Plain
from acd.engine import Engine
from acd.events import ConfigurationChanged, RoutingPaused
from acd.floor import Floor
from acd.interactions import Interaction
from acd.matching import Terms
from acd.model import AgentState, Configuration, Stage
from acd.selection import suits
from acd.snapshot import dump, restore

#: So many agents are named; the others are counted.
MOST_NAMED = 5
#: So many interactions and agents that change are told one by one.
MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class WaitingChange:
    """Somebody who waits, for whom something changes. `goes_back`: their queue is no more, or gives them away: they go
    back to their flow. `moves_to`: the queue that an overflow gives them to at once. `before`, `after`: how many
    signed-in agents may; `won`, `lost`: which. Places are in the queue, from 1."""

    interaction_id: str
    queue: str
    goes_back: bool
    before: int
    after: int
    won: tuple[str, ...]
    lost: tuple[str, ...]
    priority_before: int
    priority_after: int
    place_before: int
    place_after: int
    moves_to: str = ""


@dataclass(frozen=True, slots=True)
class AgentChange:
    """A signed-in agent who serves other queues, or `leaves`: is in the new rules no more. `holds`: what they finish
    first, undisturbed."""

    agent_id: str
    name: str
    leaves: bool
    won: tuple[str, ...]
    lost: tuple[str, ...]
    holds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What new rules change at `at`. `waiting`, `signed_in`, `talking`: how many there are; `changes` and `agents`:
    those for whom something changes, in the order in which they are served, and of the rules."""

    at: int
    waiting: int
    signed_in: int
    talking: int
    queues_won: tuple[str, ...]
    queues_lost: tuple[str, ...]
    changes: tuple[WaitingChange, ...]
    agents: tuple[AgentChange, ...]


def compare(engine: Engine, configuration: Configuration) -> Comparison:
    """What `configuration` would change now. Raises ConfigurationError where it contradicts itself."""
    changed = restore(dump(engine))
    changed.handle(RoutingPaused("dry run"), changed.now)
    changed.handle(ConfigurationChanged(configuration), changed.now)
    before, after = engine.floor, changed.floor
    waiting = sorted((each for each in before.interactions.values() if each.is_waiting), key=lambda each: each.rank)
    signed_in = [agent for agent in before.agents.values() if agent.state is not AgentState.LOGGED_OUT]
    allowed, allowed_then = _Allowed(before), _Allowed(after)
    changes = (_waiting_change(each, after.interactions[each.id], allowed, allowed_then) for each in waiting)
    agents = (_agent_change(before, after, agent.id) for agent in signed_in)
    return Comparison(
        at=before.now,
        waiting=len(waiting),
        signed_in=len(signed_in),
        talking=sum(each.stage is Stage.TALKING for each in before.interactions.values()),
        queues_won=tuple(queue for queue in after.queues if queue not in before.queues),
        queues_lost=tuple(queue for queue in before.queues if queue not in after.queues),
        changes=tuple(each for each in changes if each is not None),
        agents=tuple(each for each in agents if each is not None),
    )


def compare_stored(state: Plain, configuration: Configuration) -> Comparison:
    """The same for an engine that was dumped (`acd.snapshot.dump`): it may go on meanwhile."""
    return compare(restore(state), configuration)


class _Allowed:
    """Who may, on one floor; worked out once for all who ask for the same."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self._known: dict[tuple[Terms, tuple[str, ...]], frozenset[str]] = {}

    def of(self, interaction: Interaction) -> frozenset[str]:
        if not interaction.is_waiting:
            return frozenset()
        asked = (interaction.terms, interaction.preferred if interaction.preferred_until else ())
        found = self._known.get(asked)
        if found is None:
            found = self._known[asked] = frozenset(self._those_who_may(*asked))
        return found

    def _those_who_may(self, terms: Terms, preferred: tuple[str, ...]) -> Iterable[str]:
        for queue_id in terms.queues:
            for agent in self.floor.queues[queue_id].agents.values():
                if agent.state is not AgentState.LOGGED_OUT and (not preferred or agent.id in preferred):
                    if suits(self.floor, terms, agent):
                        yield agent.id

    def place(self, interaction: Interaction) -> int:
        queue = self.floor.queues.get(interaction.queue)
        return queue.line.position(interaction.rank) if queue is not None and interaction.is_waiting else 0


def _waiting_change(was: Interaction, then: Interaction, before: _Allowed, after: _Allowed) -> WaitingChange | None:
    allowed, allowed_then = before.of(was), after.of(then)
    change = WaitingChange(
        interaction_id=was.id,
        queue=was.queue,
        goes_back=not then.is_waiting,
        before=len(allowed),
        after=len(allowed_then),
        won=tuple(sorted(allowed_then - allowed)),
        lost=tuple(sorted(allowed - allowed_then)),
        priority_before=-was.rank[0],
        priority_after=-then.rank[0] if then.is_waiting else 0,
        place_before=before.place(was),
        place_after=after.place(then),
        moves_to=then.queue if then.is_waiting and then.queue != was.queue else "",
    )
    places = (change.priority_before, change.place_before) == (change.priority_after, change.place_after)
    stays = not change.goes_back and not change.moves_to
    return None if places and stays and not change.won and not change.lost else change


def _agent_change(before: Floor, after: Floor, agent_id: str) -> AgentChange | None:
    was, then = before.agents[agent_id], after.agents.get(agent_id)
    leaves = then is None or then.leaving
    queues = () if then is None else then.queues
    won = tuple(queue for queue in queues if queue not in was.queues)
    lost = tuple(queue for queue in was.queues if queue not in queues)
    if not leaves and not won and not lost:
        return None
    holds = tuple(held.interaction_id for held in was.assignments)
    return AgentChange(agent_id, was.profile.name, leaves, won, lost, holds)


# --- in words --------------------------------------------------------------------------------------------


def tell(comparison: Comparison, names: Mapping[str, str]) -> list[str]:
    """The comparison in plain words, a line for each that changes (at most `MOST_TOLD` of a kind, then a count)."""
    lines = [f"queue {queue}: new" for queue in comparison.queues_won]
    lines += [f"queue {queue}: is no more" for queue in comparison.queues_lost]
    lines.append(f"{comparison.waiting} wait, something changes for {len(comparison.changes)}")
    lines += _listed([_tell_waiting(each, names) for each in comparison.changes])
    lines.append(f"{comparison.signed_in} agents are signed in, {len(comparison.agents)} serve other queues or leave")
    lines += _listed([_tell_agent(each, names) for each in comparison.agents])
    lines.append(f"{comparison.talking} talk: nothing changes for them")
    return lines


def _listed(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_TOLD
    return [f"  {line}" for line in lines[:MOST_TOLD]] + ([f"  … and {more} more"] if more > 0 else [])


def _tell_waiting(change: WaitingChange, names: Mapping[str, str]) -> str:
    who = f"{change.interaction_id} in {change.queue}"
    if change.goes_back:
        return f"{who}: goes back to the flow"
    parts = [f"goes to {change.moves_to}"] if change.moves_to else []
    if change.won or change.lost:
        who_changes = [f"+ {_named(change.won, names)}"] if change.won else []
        who_changes += [f"- {_named(change.lost, names)}"] if change.lost else []
        parts.append(f"{change.before} → {change.after} agents may ({'; '.join(who_changes)})")
    if change.priority_before != change.priority_after:
        parts.append(f"priority {change.priority_before} → {change.priority_after}")
    if change.place_before != change.place_after:
        parts.append(f"place {change.place_before} → {change.place_after}")
    return f"{who}: {', '.join(parts)}"


def _named(agents: tuple[str, ...], names: Mapping[str, str]) -> str:
    told = ", ".join(names.get(each) or each for each in agents[:MOST_NAMED])
    more = len(agents) - MOST_NAMED
    return f"{told} and {more} more" if more > 0 else told


def _tell_agent(change: AgentChange, names: Mapping[str, str]) -> str:
    who = names.get(change.agent_id) or change.agent_id
    finishes = f", finishes {', '.join(change.holds)} first" if change.holds else ""
    if change.leaves:
        return f"{who}: leaves{finishes}"
    parts = [f"+ {', '.join(change.won)}"] if change.won else []
    parts += [f"- {', '.join(change.lost)}"] if change.lost else []
    return f"{who}: {'; '.join(parts)}{finishes if change.lost else ''}"
