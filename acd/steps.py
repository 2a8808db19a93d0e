"""More agents may, the longer somebody waits: rings, preferred agents, and steps of priority.

Time takes a step at its instant, by the engine's own deadlines. Besides, the next ring that anybody who is signed in
could serve is taken at once when nobody could on the present terms; and preferred agents of whom none who could is
signed in lapse at once. Steps are never taken back. A step that is due while a phone rings leaves that offer alone.
"""

from __future__ import annotations

from acd.commands import VisitStepped
from acd.floor import Floor
from acd.interactions import Interaction
from acd.model import AgentState
from acd.selection import is_able, may

TIME = "time"
NOBODY = "nobody"


def take_due(floor: Floor, interaction: Interaction) -> None:
    """Take every step whose instant has come."""
    rules = floor.queues[interaction.queue].rules
    waited = floor.now - (interaction.steps_since or interaction.entered_at)
    ring = max(interaction.ring, sum(ring.after_us <= waited for ring in rules.relax))
    raised = max(interaction.raised, sum(step.after_us <= waited for step in rules.raise_priority))
    until = interaction.preferred_until if interaction.preferred_until > floor.now else 0
    _step(floor, interaction, TIME, ring, raised, until)


def settle(floor: Floor) -> None:
    """Take at once the steps of those for whom nobody is signed in; what changed for whom is noted on the floor."""
    concerned = set(floor.arrived)
    for queue_id in floor.stirred:
        for each in floor.queues[queue_id].reached_from:
            concerned |= floor.queues[each].choosy
    floor.stirred.clear()
    for interaction_id in sorted(concerned):
        interaction = floor.interactions.get(interaction_id)
        if interaction is not None and interaction.is_offerable:
            _relax_at_once(floor, interaction)
            _lapse_at_once(floor, interaction)


def _relax_at_once(floor: Floor, interaction: Interaction) -> None:
    rings = len(floor.queues[interaction.queue].rules.relax)
    if interaction.ring >= rings or is_able(floor, interaction.terms):
        return
    for ring in range(interaction.ring + 1, rings + 1):
        if is_able(floor, floor.terms_at(interaction, ring)):
            _step(floor, interaction, NOBODY, ring, interaction.raised, interaction.preferred_until)
            return


def _lapse_at_once(floor: Floor, interaction: Interaction) -> None:
    if not interaction.preferred_until:
        return
    named = (floor.agents.get(agent_id) for agent_id in interaction.preferred)
    if not any(each and each.state is not AgentState.LOGGED_OUT and may(floor, interaction, each) for each in named):
        _step(floor, interaction, NOBODY, interaction.ring, interaction.raised, 0)


def _step(floor: Floor, interaction: Interaction, cause: str, ring: int, raised: int, until: int) -> None:
    floor.take_out(interaction)
    interaction.ring, interaction.raised, interaction.preferred_until = ring, raised, until
    floor.rank(interaction)
    floor.file(interaction)
    floor.out.append(
        VisitStepped(
            visit_id=interaction.visit_id,
            interaction_id=interaction.id,
            queue=interaction.queue,
            cause=cause,
            ring=ring,
            priority=-interaction.rank[0],
            preferring=until > 0,
            stepped_at=floor.now,
        )
    )
