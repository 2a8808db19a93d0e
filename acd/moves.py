"""The moves: what can be done to an interaction and its agent, each keeping state, indexes and facts in step.

What does not belong here: which event causes which move (`acd.reactions`). Longer than other files, because the moves
of an interaction and of the agent who holds it are made of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappush

from acd.assignments import Assignment
from acd.commands import (
    InteractionClosed,
    OfferClosed,
    OfferInteraction,
    StageChanged,
    TalkClosed,
    TalkOpened,
    VisitClosed,
    VisitOpened,
    WithdrawOffer,
    WrapUpClosed,
)
from acd.expectations import expect, note_talked, note_waited, note_wrapped_up
from acd.explain import explain
from acd.floor import CLOSED_REMEMBERED, Floor
from acd.interactions import Interaction, OpenOffer
from acd.keepsakes import close_recording
from acd.model import (
    ANSWERED_BY_COLLEAGUE,
    VOICE,
    AssignmentState,
    CallbackRules,
    OfferOutcome,
    Outcome,
    Reason,
    Stage,
    VisitOutcome,
)
from acd.presence import Agent
from acd.promises import begin_call, cancel_promise, fail_promise, keep_promise, take_back
from acd.regains import note_abandoned

#: Offer outcomes after which a phone may still ring and must be stopped.
_STILL_RINGING = (OfferOutcome.WITHDRAWN, OfferOutcome.EXPIRED, OfferOutcome.REJECTED)

_ABANDONED_WAITING = (Outcome.ABANDONED_IN_QUEUE, Outcome.ABANDONED_RINGING)

# --- the moves of an interaction -----------------------------------------------------------------------


def place(floor: Floor, interaction: Interaction, stage: Stage, queue: str, agent_id: str) -> None:
    """Move to a stage; the old queue's indexes are left and the new one's entered."""
    if interaction.queue != queue:
        interaction.stage = Stage.IN_FLOW
        floor.file(interaction)
        interaction.queue = queue
        floor.rank(interaction)
    if interaction.stage is Stage.OFFERED and stage is Stage.QUEUED:
        floor.returned.add(interaction.id)
    interaction.stage, interaction.agent_id = stage, agent_id
    floor.file(interaction)
    floor.watch_callback(interaction)
    floor.out.append(StageChanged(interaction.id, stage, queue, agent_id))


def open_visit(
    floor: Floor, interaction: Interaction, queue: str, regained: str = "", *, keeps_steps: bool = False
) -> None:
    """Enter a queue's line. Priority, requirements, attributes and first-asked time are already set.

    `keeps_steps`: the rings and steps of the visit before go on as if it were the same.
    """
    if keeps_steps:
        interaction.steps_since = interaction.steps_since or interaction.entered_at
    else:
        interaction.ring = interaction.raised = interaction.steps_since = 0
    interaction.visits += 1
    interaction.visit_id = f"{interaction.id}#{interaction.visits}"
    interaction.is_promised_visit = bool(interaction.callback_number)
    interaction.entered_at = floor.now
    interaction.looked_at = floor.now
    place(floor, interaction, Stage.QUEUED, queue, "")
    expected = expect(floor, interaction)
    floor.out.append(
        VisitOpened(
            visit_id=interaction.visit_id,
            interaction_id=interaction.id,
            queue=queue,
            priority=-interaction.rank[0],
            first_asked_at=interaction.rank[1],
            entered_at=floor.now,
            position=floor.queues[queue].line.position(interaction.rank),
            attributes=interaction.attributes,
            expected_wait_us=expected.mean_us,
            expected_most_us=expected.most_us,
            regained=regained,
            callback_number=interaction.callback_number,
        )
    )


def close_visit(
    floor: Floor, interaction: Interaction, outcome: VisitOutcome, agent_id: str = "", cause: str = ""
) -> None:
    """Say how the visit ended; the caller of this move then places the interaction elsewhere."""
    floor.out.append(
        VisitClosed(
            visit_id=interaction.visit_id,
            interaction_id=interaction.id,
            queue=interaction.queue,
            outcome=outcome,
            agent_id=agent_id,
            entered_at=interaction.entered_at,
            closed_at=floor.now,
            cause=cause,
        )
    )
    gave_up = outcome is VisitOutcome.ABANDONED
    if not interaction.is_promised_visit:  # a promise stands in line without anybody's patience
        note_waited(floor, interaction.queue, floor.now - interaction.entered_at, gave_up=gave_up)
    if gave_up:
        note_abandoned(floor, interaction)
    interaction.visit_id = ""
    interaction.left_by = cause or outcome.value


def leave_queue(floor: Floor, interaction: Interaction, outcome: VisitOutcome) -> None:
    """Out of the line and back to the flow; a phone that rings is stopped, and nobody is called back any more."""
    if interaction.stage is Stage.OFFERED:
        close_offers(floor, interaction, "queue_left")
    if interaction.callback_number:
        cancel_promise(floor, interaction, outcome.value)
    close_visit(floor, interaction, outcome)
    place(floor, interaction, Stage.IN_FLOW, "", "")


def close_interaction(
    floor: Floor,
    interaction: Interaction,
    outcome: Outcome,
    visit: VisitOutcome,
    detail: str = "",
    gap: bool = False,
) -> None:
    """End whatever is open (offer, visit, talk), say the one outcome, and forget the interaction."""
    short = outcome in _ABANDONED_WAITING and _is_short(floor, interaction)
    if interaction.stage is Stage.OFFERED:
        close_offers(floor, interaction, outcome.value)
    elif interaction.stage is Stage.TALKING:
        end_talk(floor, interaction, gap)
    if interaction.callback_number:
        fail_promise(floor, interaction, detail or outcome.value)
    if interaction.visit_id:
        close_visit(floor, interaction, visit)
    close_recording(floor, interaction)
    interaction.stage = Stage.IN_FLOW
    floor.file(interaction)
    del floor.interactions[interaction.id]
    floor.closed[interaction.id] = None
    if len(floor.closed) > CLOSED_REMEMBERED:
        del floor.closed[next(iter(floor.closed))]
    floor.out.append(
        InteractionClosed(
            interaction_id=interaction.id,
            outcome=outcome,
            detail=detail,
            short=short,
            agent_id=interaction.served_by,
            closed_at=floor.now,
            gap=gap,
        )
    )


def _is_short(floor: Floor, interaction: Interaction) -> bool:
    queue = floor.queues.get(interaction.queue)
    return queue is not None and floor.now - interaction.rank[1] < queue.rules.short_abandon_us


# --- offers and talks ----------------------------------------------------------------------------------


def offer(floor: Floor, interaction: Interaction, agents: Sequence[Agent]) -> None:
    """Reserve these agents, the best first, and have their phones rung at the same time, or, for a promise, the
    customer called first."""
    reasons = explain(floor, interaction, len(agents))
    first = interaction.offers + 1
    interaction.offers += len(agents)
    ids = [f"{interaction.id}/{number}" for number in range(first, interaction.offers + 1)]
    interaction.offered_at = floor.now
    interaction.offer_id, interaction.reason = ids[0], reasons[0]
    together: tuple[str, ...] = ()
    if len(ids) > 1:
        together = tuple(ids)
        interaction.beside = tuple(
            OpenOffer(offer_id, agent.id, reason)
            for offer_id, agent, reason in zip(ids[1:], agents[1:], reasons[1:], strict=True)
        )
    for offer_id, agent, reason in zip(ids, agents, reasons, strict=True):
        _reserve(floor, interaction, agent, offer_id, reason, together)
    place(floor, interaction, Stage.OFFERED, interaction.queue, agents[0].id)
    for agent in agents:
        floor.refresh(agent)


def _reserve(
    floor: Floor, interaction: Interaction, agent: Agent, offer_id: str, reason: Reason, together: tuple[str, ...]
) -> None:
    queue = floor.queues[interaction.queue]
    agent.offered_at = floor.now
    number = interaction.callback_number if interaction.is_promised else ""
    held_us = (interaction.callback or CallbackRules()).reserve_us if number else queue.rules.ring_us
    expires_at = floor.now + held_us
    agent.assignments.append(
        Assignment(
            interaction_id=interaction.id,
            talk_id=offer_id,
            queue=interaction.queue,
            medium=interaction.medium,
            state=AssignmentState.OFFERED,
            since=floor.now,
            deadline=expires_at,
            wrap_up_us=queue.rules.wrap_up_us,
            wrap_up_most_us=queue.rules.wrap_up_most_us,
            most=agent.capacity[interaction.medium],
        )
    )
    heappush(floor.due, (expires_at, "offer", agent.id, interaction.id))
    floor.out.append(
        OfferInteraction(
            offer_id=offer_id,
            interaction_id=interaction.id,
            agent_id=agent.id,
            queue=interaction.queue,
            offered_at=floor.now,
            expires_at=expires_at,
            reason=reason,
            together=together,
            callback_number=number,
        )
    )
    if number:
        begin_call(floor, interaction)


def close_offer(
    floor: Floor, interaction: Interaction, offer_id: str, outcome: OfferOutcome, detail: str = ""
) -> Agent:
    """End one offer without a talk and free the agent, who is returned; what rings beside it rings on. The interaction
    stays where it is until placed."""
    agent = floor.agents[interaction.offered_to(offer_id)]
    if outcome in _STILL_RINGING or interaction.is_promised:
        floor.out.append(WithdrawOffer(offer_id, interaction.id, agent.id, outcome))
    offer_closed(floor, interaction, offer_id, outcome, detail)
    interaction.put_down(offer_id)
    drop(floor, agent, interaction.id)
    return agent


def close_offers(floor: Floor, interaction: Interaction, detail: str) -> None:
    """Withdraw all open offers. The interaction stays where it is until placed."""
    for each in interaction.open_offers:
        close_offer(floor, interaction, each.offer_id, OfferOutcome.WITHDRAWN, detail)


def offer_closed(
    floor: Floor, interaction: Interaction, offer_id: str, outcome: OfferOutcome, detail: str = ""
) -> None:
    """Say how this open offer ended."""
    floor.out.append(
        OfferClosed(
            offer_id=offer_id,
            visit_id=interaction.visit_id,
            interaction_id=interaction.id,
            agent_id=interaction.offered_to(offer_id),
            queue=interaction.queue,
            outcome=outcome,
            detail=detail,
            offered_at=interaction.offered_at,
            closed_at=floor.now,
        )
    )


def drop(floor: Floor, agent: Agent, interaction_id: str) -> None:
    """The agent holds this interaction no more."""
    agent.assignments = [held for held in agent.assignments if held.interaction_id != interaction_id]
    floor.refresh(agent)


def ring_on(floor: Floor, interaction: Interaction, offer_id: str, outcome: OfferOutcome, detail: str = "") -> Agent:
    """End one offer. Where no other phone rings for the caller, they stand where they stood, and a customer who was
    being called back may be called again at once. Returns who had it."""
    first = interaction.offer_id
    agent = close_offer(floor, interaction, offer_id, outcome, detail)
    if not interaction.offer_id:
        _stand_in_line(floor, interaction, detail or outcome.value)
    elif interaction.offer_id != first:
        place(floor, interaction, Stage.OFFERED, interaction.queue, interaction.agent_id)
    return agent


def back_in_line(floor: Floor, interaction: Interaction, detail: str) -> None:
    """Withdraw all open offers; the caller stands where they stood."""
    close_offers(floor, interaction, detail)
    _stand_in_line(floor, interaction, detail)


def _stand_in_line(floor: Floor, interaction: Interaction, detail: str) -> None:
    if interaction.is_promised:
        take_back(floor, interaction, detail)
    place(floor, interaction, Stage.QUEUED, interaction.queue, "")


def accept(floor: Floor, interaction: Interaction, offer_id: str) -> None:
    """The offer became a talk; phones that rang together with this one stop, and their agents lose nothing."""
    for each in interaction.open_offers if interaction.beside else ():
        if each.offer_id != offer_id:
            close_offer(floor, interaction, each.offer_id, OfferOutcome.WITHDRAWN, ANSWERED_BY_COLLEAGUE)
    agent = floor.agents[interaction.agent_id]
    offer_closed(floor, interaction, offer_id, OfferOutcome.ACCEPTED)
    for held in agent.assignments:
        if held.interaction_id == interaction.id:
            held.connect(floor.now)
    _open_talk(floor, interaction, agent)


def adopt(floor: Floor, interaction: Interaction, agent: Agent) -> None:
    """Bridges show these two talking: make it so. The agent holds no other call any more."""
    interaction.adoptions += 1
    interaction.offer_id = f"{interaction.id}/adopted-{interaction.adoptions}"
    agent.assignments.append(
        Assignment(
            interaction_id=interaction.id,
            talk_id=interaction.offer_id,
            queue=interaction.queue,
            medium=interaction.medium,
            state=AssignmentState.CONNECTED,
            since=floor.now,
            deadline=0,
            wrap_up_us=floor.wrap_up_us(interaction.queue),
            wrap_up_most_us=floor.wrap_up_most_us(interaction.queue),
            most=1 + sum(held.medium == interaction.medium for held in agent.assignments),
        )
    )
    _open_talk(floor, interaction, agent)


def _open_talk(floor: Floor, interaction: Interaction, agent: Agent) -> None:
    if interaction.visit_id:
        close_visit(floor, interaction, VisitOutcome.ANSWERED, agent.id)
    if interaction.callback_number:
        keep_promise(floor, interaction)
    interaction.served_by, interaction.talk_started_at = agent.id, floor.now
    interaction.transferred_to, interaction.served_in = "", interaction.queue
    agent.handled += 1
    floor.out.append(TalkOpened(interaction.offer_id, interaction.id, agent.id, interaction.queue, floor.now))
    place(floor, interaction, Stage.TALKING, interaction.queue, agent.id)
    floor.refresh(agent)


def end_talk(floor: Floor, interaction: Interaction, gap: bool) -> None:
    """The bridge ended: wrap-up or free. The interaction stays where it is until placed."""
    agent = floor.agents[interaction.agent_id]
    started_at = interaction.talk_started_at
    wrap_up_until = 0
    for held in agent.assignments:
        if held.interaction_id == interaction.id and held.wrap_up_us:
            held.wrap_up(floor.now)
            wrap_up_until = held.deadline
    talk_closed(floor, interaction, wrap_up_until, gap)
    # A talk that was adopted after a gap has no reason, and no offer of which the ringing would count.
    note_talked(floor, interaction.queue, floor.now - (interaction.offered_at if interaction.reason else started_at))
    _was_busy(floor, agent, started_at)
    interaction.offer_id, interaction.reason = "", None
    if wrap_up_until:
        if interaction.medium != VOICE:
            interaction.wrapping = (*interaction.wrapping, agent.id)
        heappush(floor.due, (wrap_up_until, "wrap_up", agent.id, interaction.id))
        floor.refresh(agent)
    else:
        agent.idle_since = floor.now
        drop(floor, agent, interaction.id)


def _was_busy(floor: Floor, agent: Agent, since: int) -> None:
    """A talk or wrap-up that is over counts as far as the agent was signed in."""
    agent.busy_us += floor.now - max(since, agent.signed_in_at)


def talk_closed(floor: Floor, interaction: Interaction, wrap_up_until: int, gap: bool) -> None:
    """Say that the talk is over."""
    floor.out.append(
        TalkClosed(
            talk_id=interaction.offer_id,
            interaction_id=interaction.id,
            agent_id=interaction.agent_id,
            queue=interaction.queue,
            started_at=interaction.talk_started_at,
            ended_at=floor.now,
            wrap_up_until=wrap_up_until,
            gap=gap,
        )
    )


def end_wrap_up(floor: Floor, agent: Agent, held: Assignment, disposition: str, note: str, timed_out: bool) -> None:
    """The work after the call is over: the agent is idle from now."""
    floor.out.append(
        WrapUpClosed(
            talk_id=held.talk_id,
            interaction_id=held.interaction_id,
            agent_id=agent.id,
            disposition=disposition,
            note=note,
            started_at=held.since,
            ended_at=floor.now,
            timed_out=timed_out,
        )
    )
    note_wrapped_up(floor, held.queue, floor.now - held.since)
    _was_busy(floor, agent, held.since)
    agent.idle_since = floor.now
    drop(floor, agent, held.interaction_id)


def resume_work(floor: Floor, interaction: Interaction) -> None:
    """Somebody works on it again: wrap-ups of it are over. A call's goes on, as its agent is not offered another."""
    for agent_id in interaction.wrapping:
        agent = floor.agents.get(agent_id)
        held = agent.holding(interaction.id) if agent else None
        if agent is not None and held is not None and held.state is AssignmentState.WRAP_UP:
            end_wrap_up(floor, agent, held, "", "", timed_out=False)
    interaction.wrapping = ()
