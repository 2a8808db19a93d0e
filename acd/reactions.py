"""What each event does. Late, doubled and inapplicable events change nothing and are counted as `EventName:why`.

One short function per event, all in one table, so that the system reads as a list: hence more than 400 lines.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from acd.assignments import Assignment
from acd.callbacks import OWN_ENDS, answer, cancel, fail, give_up, take_over
from acd.callbacks import take_due as take_callback_due
from acd.closures import close_queue, end_closure, open_queue
from acd.commands import InteractionOpened
from acd.events import (
    AgentMoveCancelled,
    AgentMoved,
    CallbackAnswered,
    CallbackCancelled,
    CallbackFailed,
    CallerLeft,
    CallTransferred,
    ClockReached,
    ConfigurationChanged,
    ConnectionFound,
    ConsentTold,
    DesktopChanged,
    Event,
    FlowEnded,
    InteractionArrived,
    InteractionAttached,
    InteractionDetached,
    InteractionQueued,
    OfferAccepted,
    OfferFailed,
    OfferRejected,
    PhoneChanged,
    PresenceChosen,
    QueueClosed,
    QueueLeft,
    QueueOpened,
    RecordingEnded,
    RoutingPaused,
    RoutingResumed,
    SurveyAnswered,
    TalkEnded,
    WrapUpEnded,
    WrapUpExtended,
)
from acd.floor import Floor
from acd.interactions import (
    MOST_PREFERRED,
    Interaction,
    outcome_when_caller_left,
    outcome_when_flow_ended,
    visit_outcome,
)
from acd.keepsakes import close_recording, end_recording, keep_answer, tell_consent
from acd.model import (
    REASON_DESKTOP_LOST,
    REASON_NO_ANSWER,
    REASON_PHONE_FAILED,
    REASON_REJECTED,
    VOICE,
    AgentProfile,
    AssignmentState,
    CallbackState,
    Desktop,
    MoveState,
    OfferOutcome,
    Outcome,
    Presence,
    Stage,
    VisitOutcome,
)
from acd.moves import (
    accept,
    adopt,
    back_in_line,
    close_interaction,
    end_talk,
    end_wrap_up,
    leave_queue,
    open_visit,
    place,
    resume_work,
    ring_on,
)
from acd.overflows import join, look
from acd.presence import Agent
from acd.promises import make_promise, tell_promise
from acd.regains import regain
from acd.showing import show_vanished
from acd.steps import take_due
from acd.temporary_moves import begin_move, end_move, keep_moves, refusal, take_due_move

# --- who and what ----------------------------------------------------------------------------------------


def _ignore(floor: Floor, event: Event, why: str) -> None:
    floor.count(f"{type(event).__name__}:{why}")


def _interaction(floor: Floor, event: Any) -> Interaction | None:
    """The open interaction that the event names; else the event is counted."""
    interaction = floor.interactions.get(event.interaction_id)
    if interaction is None:
        _ignore(floor, event, "closed" if event.interaction_id in floor.closed else "unknown")
    return interaction


def _agent(floor: Floor, event: Any) -> Agent | None:
    """The agent that the event names; else the event is counted."""
    agent = floor.agents.get(event.agent_id)
    if agent is None:
        _ignore(floor, event, "unknown_agent")
    return agent


def _offered(floor: Floor, event: Any) -> Interaction | None:
    """The interaction whose open offer the event names; else the event is counted."""
    interaction_id, _, number = event.offer_id.rpartition("/")
    interaction = floor.interactions.get(interaction_id)
    if interaction is None:
        _ignore(floor, event, "closed" if interaction_id in floor.closed else "unknown")
        return None
    if interaction.offered_to(event.offer_id):
        return interaction
    if interaction.offer_id == event.offer_id:
        _ignore(floor, event, "accepted_before")
        return None
    made = number.isdecimal() and 1 <= int(number) <= interaction.offers
    _ignore(floor, event, "closed" if made else "unknown")
    return None


# --- rules -----------------------------------------------------------------------------------------------


def _configuration_changed(floor: Floor, event: ConfigurationChanged) -> None:
    _leave_vanished_queues(floor, {rules.id: rules.medium for rules in event.configuration.queues})
    floor.configuration = event.configuration
    profiles = {profile.id: profile for profile in event.configuration.agents}
    for agent in floor.agents.values():
        known = profiles.get(agent.id)
        agent.leaving = known is None
        agent.profile = known or AgentProfile(agent.id, agent.profile.name)
        if known is None:
            agent.presence, agent.presence_reason = Presence.LOGGED_OUT, ""
        keep_moves(floor, agent)
    for profile in event.configuration.agents:
        if profile.id not in floor.agents:
            floor.add_agent(profile)
    floor.reindex()
    for agent in floor.agents.values():
        floor.watch_desktop(agent)
        floor.refresh(agent)
    floor.touched_queues.update(floor.queues)
    floor.rematch_all = True


def _leave_vanished_queues(floor: Floor, kept: Mapping[str, str]) -> None:
    """Who waits in a queue that is no more, or is of another medium, goes back to the flow, which then decides; who
    was to be called back has none."""
    for interaction in list(floor.interactions.values()):
        if interaction.is_waiting and kept.get(interaction.queue) != interaction.medium:
            if interaction.is_promised:
                give_up(floor, interaction, "queue_gone")
            else:
                leave_queue(floor, interaction, VisitOutcome.WITHDRAWN)
    for queue_id in sorted(floor.queues.keys() - kept.keys()):
        floor.seen.pop(queue_id, None)
        floor.regains.pop(queue_id, None)
        if queue_id in floor.closures:
            end_closure(floor, queue_id)
        show_vanished(floor, queue_id)


def _paused(floor: Floor, event: RoutingPaused) -> None:
    floor.paused = event.reason


def _resumed(floor: Floor, event: RoutingResumed) -> None:
    if floor.paused is None:
        _ignore(floor, event, "not_paused")
        return
    floor.paused = None
    floor.rematch_all = True


# --- interactions ----------------------------------------------------------------------------------------


def _arrived(floor: Floor, event: InteractionArrived) -> None:
    if event.interaction_id in floor.interactions:
        _ignore(floor, event, "doubled")
        return
    if event.interaction_id in floor.closed:
        _ignore(floor, event, "closed")
        return
    arrived_at = min(event.arrived_at or floor.now, floor.now)
    floor.interactions[event.interaction_id] = Interaction(
        id=event.interaction_id,
        caller=event.caller,
        dialled=event.dialled,
        flow=event.flow,
        medium=event.medium,
        arrived_at=arrived_at,
        gap=event.gap,
        number=event.number,
    )
    floor.out.append(
        InteractionOpened(
            interaction_id=event.interaction_id,
            caller=event.caller,
            dialled=event.dialled,
            flow=event.flow,
            medium=event.medium,
            arrived_at=arrived_at,
            gap=event.gap,
        )
    )


def _attached(floor: Floor, event: InteractionAttached) -> None:
    interaction = _interaction(floor, event)
    if interaction is None:
        return
    if interaction.attached:
        _ignore(floor, event, "attached_before")
        return
    interaction.attached = True
    floor.file(interaction)


def _detached(floor: Floor, event: InteractionDetached) -> None:
    interaction = _interaction(floor, event)
    if interaction is None:
        return
    if not interaction.attached:
        _ignore(floor, event, "detached_before")
        return
    interaction.attached = False
    if interaction.stage is Stage.OFFERED and not interaction.is_promised:
        back_in_line(floor, interaction, "detached")
    floor.file(interaction)


def _queued(floor: Floor, event: InteractionQueued) -> None:
    interaction = _interaction(floor, event)
    if interaction is None:
        return
    queue = floor.queues.get(event.queue)
    if queue is None:
        _ignore(floor, event, "unknown_queue")
    elif event.callback_number and queue.rules.callback is None:
        _ignore(floor, event, "no_callback")
    elif event.callback_number and queue.closure is not None:
        _ignore(floor, event, "closed_queue")
    elif queue.rules.medium != (VOICE if event.callback_number else interaction.medium):
        _ignore(floor, event, "medium")
    elif interaction.stage is Stage.TALKING:
        _ignore(floor, event, "talking")
    elif interaction.is_waiting and _asks_the_same(interaction, event):
        _ignore(floor, event, "doubled")
    elif interaction.is_promised and not (interaction.attached or event.callback_number):
        _ignore(floor, event, "promised")  # they went home
    else:
        _enter_queue(floor, interaction, event)


def _enter_queue(floor: Floor, interaction: Interaction, event: InteractionQueued) -> None:
    number, rules = event.callback_number, floor.queues[event.queue].rules
    keeps_place = number != "" and interaction.is_waiting and interaction.queue == event.queue
    resume_work(floor, interaction)
    interaction.transferred_to = ""
    if interaction.is_waiting:
        leave_queue(floor, interaction, VisitOutcome.CALLBACK if number else VisitOutcome.WITHDRAWN)
    if interaction.first_asked_at is None:
        asked = floor.now if event.first_asked_at is None else event.first_asked_at
        interaction.first_asked_at = min(asked, floor.now)
    take_over(floor, interaction, event.queue, interaction.number or interaction.caller, number)
    if keeps_place:
        interaction.attributes = event.attributes or interaction.attributes
    else:
        _hear(floor, interaction, event)
    interaction.chain = ()
    interaction.wait_until = floor.now + event.max_wait_us if event.max_wait_us > 0 and not number else 0
    regained = regain(floor, interaction, event.queue)
    if not number:
        join(floor, interaction, event.queue, regained)
        return
    make_promise(interaction, number, rules.callback, event.carried, floor.now)
    interaction.chain = (event.queue,)
    open_visit(floor, interaction, event.queue, regained, keeps_steps=keeps_place)
    tell_promise(floor, interaction, CallbackState.PROMISED)


def _hear(floor: Floor, interaction: Interaction, event: InteractionQueued) -> None:
    interaction.priority = event.priority
    interaction.requirements = event.requirements
    interaction.attributes = event.attributes
    interaction.preferred = _preferred(event)
    lasts = bool(event.preferred) and event.preferred_us > 0
    interaction.preferred_until = floor.now + event.preferred_us if lasts else 0


def _preferred(event: InteractionQueued) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event.preferred))[:MOST_PREFERRED]


def _queue_left(floor: Floor, event: QueueLeft) -> None:
    interaction = _interaction(floor, event)
    if interaction is None:
        return
    if not interaction.is_waiting or interaction.is_promised:
        _ignore(floor, event, "promised" if interaction.is_promised else interaction.stage.value)
        return
    outcome = event.outcome
    if outcome is VisitOutcome.ANSWERED:  # only a bridge answers; the flow merely left
        _ignore(floor, event, "answered_without_talk")
        outcome = VisitOutcome.WITHDRAWN
    leave_queue(floor, interaction, outcome)


def _caller_left(floor: Floor, event: CallerLeft) -> None:
    interaction = _interaction(floor, event)
    if interaction is None:
        return
    if interaction.is_promised:  # as agreed
        if not interaction.attached:
            _ignore(floor, event, "promised")
        interaction.attached = False
        close_recording(floor, interaction)
        return
    if interaction.on_line:
        fail(floor, interaction, "left")
        return
    outcome = outcome_when_caller_left(interaction)
    detail = _detail(interaction, outcome, "")
    close_interaction(floor, interaction, outcome, VisitOutcome.ABANDONED, detail, gap=event.gap)


def _flow_ended(floor: Floor, event: FlowEnded) -> None:
    interaction = _interaction(floor, event)
    if interaction is None:
        return
    if interaction.is_promised:
        _ignore(floor, event, "promised")
        return
    if interaction.on_line and event.outcome not in OWN_ENDS:
        fail(floor, interaction, event.outcome.value)
        return
    outcome = outcome_when_flow_ended(interaction, event.outcome)
    if outcome is not event.outcome:
        _ignore(floor, event, f"{event.outcome.value}_is_{outcome.value}")
    close_interaction(floor, interaction, outcome, visit_outcome(outcome), _detail(interaction, outcome, event.detail))


def _detail(interaction: Interaction, outcome: Outcome, told: str) -> str:
    """Of an end: what was told, or to whom the caller went."""
    return interaction.transferred_to or told if outcome is Outcome.TRANSFERRED_OUT else told


def _transferred(floor: Floor, event: CallTransferred) -> None:
    interaction = _interaction(floor, event)
    if interaction is None:
        return
    if interaction.stage is Stage.IN_FLOW:
        interaction.transferred_to = event.to
    else:
        _ignore(floor, event, interaction.stage.value)


# --- offers and talks ------------------------------------------------------------------------------------


def _accepted(floor: Floor, event: OfferAccepted) -> None:
    interaction = _offered(floor, event)
    if interaction is not None:
        accept(floor, interaction, event.offer_id)


def _rejected(floor: Floor, event: OfferRejected) -> None:
    interaction = _offered(floor, event)
    if interaction is not None:
        _give_back(floor, interaction, event.offer_id, OfferOutcome.REJECTED, REASON_REJECTED, event.detail)


def _failed(floor: Floor, event: OfferFailed) -> None:
    interaction = _offered(floor, event)
    if interaction is not None:
        _give_back(floor, interaction, event.offer_id, OfferOutcome.FAILED, REASON_PHONE_FAILED, event.detail)


def _callback_answered(floor: Floor, event: CallbackAnswered) -> None:
    interaction = _offered(floor, event)
    if interaction is None:
        return
    if interaction.is_promised:
        answer(floor, interaction)
    else:
        _ignore(floor, event, "answered_before" if interaction.on_line else "not_promised")


def _callback_failed(floor: Floor, event: CallbackFailed) -> None:
    interaction = _offered(floor, event)
    if interaction is None:
        return
    if interaction.callback_number:
        fail(floor, interaction, event.detail)
    else:
        _ignore(floor, event, "not_promised")


def _callback_cancelled(floor: Floor, event: CallbackCancelled) -> None:
    interaction = _interaction(floor, event)
    if interaction is None:
        return
    if interaction.is_promised:
        cancel(floor, interaction, event)
    else:
        _ignore(floor, event, "on_line" if interaction.on_line else "not_promised")


def _give_back(
    floor: Floor, interaction: Interaction, offer_id: str, outcome: OfferOutcome, reason: str, detail: str
) -> None:
    """The caller keeps their place; the agent who did not take them becomes Not Ready."""
    agent = ring_on(floor, interaction, offer_id, outcome, detail)
    if agent.presence is Presence.READY:
        floor.choose(agent, Presence.NOT_READY, reason)


def _connection_found(floor: Floor, event: ConnectionFound) -> None:
    interaction = _interaction(floor, event)
    if interaction is None:
        return
    agent = _agent(floor, event)
    if agent is None:
        return
    rings = [each.offer_id for each in interaction.open_offers if each.agent_id == agent.id]
    if interaction.stage is Stage.TALKING:
        same = interaction.agent_id == agent.id
        _ignore(floor, event, "connected_before" if same else "talking_to_another")
    elif rings:
        accept(floor, interaction, rings[0])
    elif interaction.medium == VOICE and any(_is_call_in_talk(held) for held in agent.assignments):
        _ignore(floor, event, "agent_busy")
    else:
        _adopt(floor, interaction, agent)


def _adopt(floor: Floor, interaction: Interaction, agent: Agent) -> None:
    """Bridges are the truth: what other call the agent holds gives way, and another agent's phone stops."""
    if interaction.stage is Stage.OFFERED:
        back_in_line(floor, interaction, "adopted")
    if interaction.medium == VOICE:
        _withdraw_from(floor, agent, "adopted", (VOICE,))
        for held in [each for each in agent.assignments if each.medium == VOICE]:
            end_wrap_up(floor, agent, held, "", "", timed_out=False)
    resume_work(floor, interaction)
    adopt(floor, interaction, agent)


def _talk_ended(floor: Floor, event: TalkEnded) -> None:
    interaction = _interaction(floor, event)
    if interaction is None:
        return
    if interaction.stage is not Stage.TALKING:
        _ignore(floor, event, "not_talking")
    elif interaction.agent_id != event.agent_id:
        _ignore(floor, event, "other_agent")
    else:
        end_talk(floor, interaction, event.gap)
        place(floor, interaction, Stage.IN_FLOW, "", "")


def _wrap_up_ended(floor: Floor, event: WrapUpEnded) -> None:
    agent = _agent(floor, event)
    if agent is None:
        return
    held = agent.holding(event.interaction_id)
    if held is None or held.state is not AssignmentState.WRAP_UP:
        _ignore(floor, event, "no_wrap_up")
        return
    end_wrap_up(floor, agent, held, event.disposition, event.note, timed_out=False)


def _wrap_up_extended(floor: Floor, event: WrapUpExtended) -> None:
    agent = _agent(floor, event)
    if agent is None:
        return
    held = agent.holding(event.interaction_id)
    if held is None or held.state is not AssignmentState.WRAP_UP:
        _ignore(floor, event, "no_wrap_up")
    elif not held.extend(event.by_us):
        _ignore(floor, event, "at_most")
    else:
        floor.watch_wrap_up(agent, held)


# --- agents ----------------------------------------------------------------------------------------------


def _presence_chosen(floor: Floor, event: PresenceChosen) -> None:
    agent = _agent(floor, event)
    if agent is None:
        return
    if agent.leaving:
        _ignore(floor, event, "leaving")
    elif (agent.presence, agent.presence_reason) == (event.presence, event.reason):
        _ignore(floor, event, "unchanged")
    else:
        floor.choose(agent, event.presence, event.reason)
        if event.presence is not Presence.READY:
            _withdraw_from(floor, agent, event.presence.value)


def _is_call_in_talk(held: Assignment) -> bool:
    return held.medium == VOICE and held.state is AssignmentState.CONNECTED


def _withdraw_from(floor: Floor, agent: Agent, detail: str, media: Collection[str] | None = None) -> None:
    """Take back what is offered to the agent; only of these media, if given."""
    for held in [each for each in agent.assignments if media is None or each.medium in media]:
        interaction = _offered_to(floor, agent, held)
        if interaction is not None:
            ring_on(floor, interaction, held.talk_id, OfferOutcome.WITHDRAWN, detail)


def _offered_to(floor: Floor, agent: Agent, held: Assignment) -> Interaction | None:
    """The interaction of an offer; None for a talk or wrap-up, and where both sides disagree.

    An agent whose offer leads nowhere is touched, so that the invariants see and repair it within this event.
    """
    if held.state is not AssignmentState.OFFERED:
        return None
    interaction = floor.interactions.get(held.interaction_id)
    if interaction is None or interaction.offered_to(held.talk_id) != agent.id:
        floor.refresh(agent)
        return None
    return interaction


def _agent_moved(floor: Floor, event: AgentMoved) -> None:
    agent = _agent(floor, event)
    if agent is None:
        return
    why_not = refusal(floor, agent, event)
    if why_not is not None:
        _ignore(floor, event, why_not)
    else:
        begin_move(floor, agent, event)


def _move_cancelled(floor: Floor, event: AgentMoveCancelled) -> None:
    agent = _agent(floor, event)
    if agent is None:
        return
    move = agent.moving(event.move_id)
    if move is None:
        _ignore(floor, event, "unknown_move")
    else:
        end_move(floor, agent, move, MoveState.CANCELLED, event.by)


def _phone_changed(floor: Floor, event: PhoneChanged) -> None:
    agent = _agent(floor, event)
    if agent is None:
        return
    if agent.phone is event.phone:
        _ignore(floor, event, "unchanged")
        return
    agent.phone = event.phone
    floor.refresh(agent)


def _desktop_changed(floor: Floor, event: DesktopChanged) -> None:
    agent = _agent(floor, event)
    if agent is None:
        return
    if agent.desktop is event.desktop:
        _ignore(floor, event, "unchanged")
        return
    agent.desktop = event.desktop
    floor.watch_desktop(agent)
    floor.refresh(agent)
    if event.desktop is Desktop.GONE:
        others = {held.medium for held in agent.assignments} - {VOICE}
        without = floor.configuration.offer_without_desktop  # a phone can be answered without; nothing else can
        _withdraw_from(floor, agent, "desktop_gone", others if without else None)


# --- time ------------------------------------------------------------------------------------------------


def _clock_reached(floor: Floor, event: ClockReached) -> None:
    due = floor.pop_due()
    if due is None:
        _ignore(floor, event, "early")
    while due is not None:
        if due[1] == "callback":
            take_callback_due(floor, floor.interactions[due[3]])
        elif due[1] == "step":
            take_due(floor, floor.interactions[due[3]])
        elif due[1] == "leave":
            look(floor, floor.interactions[due[3]])
        elif due[1] == "closure":
            end_closure(floor, due[2])
        else:
            _expire(floor, due[1], floor.agents[due[2]], due[3])
        due = floor.pop_due()


def _expire(floor: Floor, kind: str, agent: Agent, interaction_id: str) -> None:
    if kind == "move":
        take_due_move(floor, agent, interaction_id)
    elif kind == "desktop":
        floor.choose(agent, Presence.NOT_READY, REASON_DESKTOP_LOST)
        _withdraw_from(floor, agent, REASON_DESKTOP_LOST)
    elif kind == "offer":
        held = agent.held(interaction_id)
        interaction = _offered_to(floor, agent, held)
        if interaction is not None and interaction.is_promised:
            fail(floor, interaction, "reserve_over")
        elif interaction is not None:
            _give_back(floor, interaction, held.talk_id, OfferOutcome.EXPIRED, REASON_NO_ANSWER, "")
    else:
        end_wrap_up(floor, agent, agent.held(interaction_id), "", "", timed_out=True)


def _asks_the_same(interaction: Interaction, event: InteractionQueued) -> bool:
    """Overflow may have led on from the queue that was asked for."""
    if event.callback_number or interaction.is_promised:
        number = interaction.callback_number if interaction.is_promised else ""
        return (event.queue, event.callback_number) == (interaction.queue, number)
    queue = event.queue if event.queue in (interaction.chain[0], interaction.queue) else ""
    held = (queue, interaction.priority, interaction.requirements, interaction.attributes)
    asked = (event.queue, event.priority, event.requirements, event.attributes)
    return (*held, interaction.preferred) == (*asked, _preferred(event))


REACTIONS: dict[type, Callable[[Floor, Any], None]] = {
    ConfigurationChanged: _configuration_changed,
    InteractionArrived: _arrived,
    InteractionAttached: _attached,
    InteractionDetached: _detached,
    InteractionQueued: _queued,
    QueueLeft: _queue_left,
    CallerLeft: _caller_left,
    FlowEnded: _flow_ended,
    CallTransferred: _transferred,
    ConsentTold: tell_consent,
    RecordingEnded: end_recording,
    SurveyAnswered: keep_answer,
    OfferAccepted: _accepted,
    OfferRejected: _rejected,
    OfferFailed: _failed,
    CallbackAnswered: _callback_answered,
    CallbackFailed: _callback_failed,
    CallbackCancelled: _callback_cancelled,
    ConnectionFound: _connection_found,
    TalkEnded: _talk_ended,
    WrapUpEnded: _wrap_up_ended,
    WrapUpExtended: _wrap_up_extended,
    PresenceChosen: _presence_chosen,
    AgentMoved: _agent_moved,
    AgentMoveCancelled: _move_cancelled,
    QueueClosed: close_queue,
    QueueOpened: open_queue,
    PhoneChanged: _phone_changed,
    DesktopChanged: _desktop_changed,
    RoutingPaused: _paused,
    RoutingResumed: _resumed,
    ClockReached: _clock_reached,
}
