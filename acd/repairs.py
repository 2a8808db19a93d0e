"""The smallest repairs, made when an invariant does not hold (`acd.invariants`)."""

from __future__ import annotations

from collections.abc import Sequence

from acd.commands import WithdrawOffer
from acd.floor import Floor
from acd.interactions import Interaction, OpenOffer
from acd.model import OfferOutcome, Outcome, Stage, VisitOutcome
from acd.moves import close_interaction, close_visit, drop, offer_closed, place, talk_closed
from acd.presence import Agent
from acd.promises import take_back
from acd.strategies import standing


def refile_ready(floor: Floor, agent: Agent) -> None:
    """Derive the agent's one word, their queues and their place in the ready lists from nothing."""
    floor.requeue(agent)
    for queue_id in agent.queues:
        queue = floor.queues[queue_id]
        queue.ready.discard(queue.kept(agent, standing(agent)))
        if agent.standing is not None:
            queue.ready.discard(queue.kept(agent, agent.standing))
    agent.standing, agent.room = None, ()
    floor.refresh(agent)


def refile(floor: Floor, interaction: Interaction) -> None:
    """Put a waiting interaction back into its place; out of a queue that is not there, back to its flow."""
    if interaction.is_promised and interaction.queue not in floor.queues:
        close_interaction(floor, interaction, Outcome.CALLBACK_FAILED, VisitOutcome.WITHDRAWN, "queue_gone")
    elif interaction.is_waiting and interaction.queue not in floor.queues:
        close_visit(floor, interaction, VisitOutcome.WITHDRAWN)
        place(floor, interaction, Stage.IN_FLOW, "", "")
    else:
        floor.file(interaction)


def lose_holder(floor: Floor, interaction: Interaction) -> None:
    """Nobody holds the talk: back to its flow."""
    talk_closed(floor, interaction, wrap_up_until=0, gap=True)
    interaction.offer_id, interaction.reason, interaction.beside = "", None, ()
    place(floor, interaction, Stage.IN_FLOW, "", "")


def lose_offers(floor: Floor, interaction: Interaction, lost: Sequence[OpenOffer]) -> None:
    """Nobody holds these open offers: they end; where none is left, back to its place in line."""
    for each in lost:
        floor.out.append(WithdrawOffer(each.offer_id, interaction.id, each.agent_id, OfferOutcome.WITHDRAWN))
        offer_closed(floor, interaction, each.offer_id, OfferOutcome.WITHDRAWN, "repaired")
        interaction.put_down(each.offer_id)
    if interaction.is_promised:  # one at a time
        take_back(floor, interaction, "repaired")
    stage, agent_id = (Stage.OFFERED, interaction.agent_id) if interaction.offer_id else (Stage.QUEUED, "")
    place(floor, interaction, stage, interaction.queue, agent_id)


def forget(floor: Floor, interaction: Interaction) -> None:
    """Its outcome was told before: take it off the floor without a word."""
    for agent_id in (interaction.agent_id, *(each.agent_id for each in interaction.beside)):
        agent = floor.agents.get(agent_id)
        if agent is not None:
            drop(floor, agent, interaction.id)
    interaction.stage = Stage.IN_FLOW
    floor.file(interaction)
    del floor.interactions[interaction.id]
