"""Queues that give somebody away: to another queue, or back to their flow.

Each rule is looked at in the order of the configuration, the first that holds decides. When they join: all that can
hold then. While they wait: at the instants of time-outs; when agents begin or end work, those that depend on it; and
all of these again when a phone rang in vain. While a phone rings nothing is looked at. An overflow to a queue that is
closed, or through which they came already, is passed over; when the closed one opens it is looked at anew.

A promise to call back has nobody in a flow and does not overflow; nor does who has answered our call.
"""

from __future__ import annotations

from acd.expectations import expect
from acd.floor import Floor
from acd.interactions import Interaction
from acd.model import AgentState, Overflow, OverflowCause, Stage, VisitOutcome
from acd.moves import close_offers, close_visit, open_visit, place

#: Looked at whenever they join.
_ON_JOINING = (OverflowCause.FULL, OverflowCause.FEW_READY)


def join(floor: Floor, interaction: Interaction, queue: str, regained: str = "") -> None:
    """Enter the queue's line. Who is refused has a visit of no length, so that every asking is counted."""
    interaction.chain += (queue,)
    open_visit(floor, interaction, queue, regained)
    if floor.queues[queue].closure is not None:
        give_away(floor, interaction, OverflowCause.CLOSED)
        return
    for each in floor.queues[queue].rules.overflow:
        looked_at = each.cause in _ON_JOINING or (each.joining and each.cause is not OverflowCause.TIMED_OUT)
        if looked_at and _leads_on(floor, interaction, each) and _holds(floor, interaction, each):
            give_away(floor, interaction, each.cause, each.queue)
            return


def overflow(floor: Floor) -> None:
    """Look at those for whom a phone rang in vain, and at the lines where something changed that rules depend on."""
    for interaction_id in sorted(floor.returned):
        interaction = floor.interactions.get(interaction_id)
        if interaction is not None and interaction.stage is Stage.QUEUED and not interaction.callback_number:
            if not look(floor, interaction):
                floor.watch_leaving(interaction)  # while it rang, its clock may have been dropped
    floor.returned.clear()
    for queue_id in sorted(floor.changed):
        for rank in reversed(list(floor.queues[queue_id].line)):  # who stands last has the longest wait and goes first
            interaction = floor.interactions[rank[2]]
            if interaction.stage is Stage.QUEUED and not interaction.callback_number:
                look(floor, interaction)
    floor.changed.clear()


def look(floor: Floor, interaction: Interaction) -> bool:
    """Give away one who waits, if it is time; returns whether they left."""
    interaction.looked_at = floor.now
    if interaction.wait_until and interaction.wait_until <= floor.now:
        give_away(floor, interaction, OverflowCause.TIMED_OUT)
        return True
    for each in floor.queues[interaction.queue].rules.overflow:
        looked_at = each.cause not in _ON_JOINING and (each.waiting or each.cause is OverflowCause.TIMED_OUT)
        if looked_at and _leads_on(floor, interaction, each) and _holds(floor, interaction, each):
            give_away(floor, interaction, each.cause, each.queue)
            return True
    if interaction.leave_at and interaction.leave_at <= floor.now:
        floor.watch_leaving(interaction)
    return False


def give_away(floor: Floor, interaction: Interaction, cause: OverflowCause, queue: str = "") -> None:
    """End the visit; the other queue takes them, or the flow decides what is next. A phone that rings is stopped."""
    if interaction.stage is Stage.OFFERED:
        close_offers(floor, interaction, cause.value)
    close_visit(floor, interaction, VisitOutcome.OVERFLOWED, cause=cause.value)
    if queue:
        join(floor, interaction, queue)
    else:
        place(floor, interaction, Stage.IN_FLOW, "", "")


def _leads_on(floor: Floor, interaction: Interaction, each: Overflow) -> bool:
    """Whether there is a way: back to the flow, or to an open queue through which they did not come."""
    if not each.queue:
        return True
    return each.queue not in interaction.chain and floor.queues[each.queue].closure is None


def _holds(floor: Floor, interaction: Interaction, each: Overflow) -> bool:
    queue = floor.queues[interaction.queue]
    match each.cause:
        case OverflowCause.TIMED_OUT:
            return floor.now - interaction.entered_at >= each.at
        case OverflowCause.FULL:
            return len(queue.line) > each.at  # they stand in it themselves
        case OverflowCause.FEW_READY:
            return len(queue.ready) < each.at
        case OverflowCause.FEW_SIGNED_IN:
            return sum(queue.states.values()) - queue.states[AgentState.LOGGED_OUT] < each.at
        case _:  # a long wait; where nobody works, any wait is too long
            expected = expect(floor, interaction)
            return not expected.is_known or expected.mean_us > each.at
