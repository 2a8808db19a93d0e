"""The decision: `Engine.handle(event, now) -> commands`.

The engine is the only thing in `acd` that changes. Same events at the same instants give the same commands, byte
for byte, in any process: no clock, no randomness, no order of sets or hashes decides anything. Each event is
applied, then waiting interactions and ready agents are matched, then what it touched is verified and shown.

Late, doubled and inapplicable events change nothing and are counted in `counts` as `EventName:why`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from acd.commands import Command, InteractionOpened
from acd.configuration import validate
from acd.errors import TimeOrderError
from acd.events import (
    CallerLeft,
    ClockReached,
    ConfigurationChanged,
    ConnectionFound,
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
    QueueLeft,
    RoutingPaused,
    RoutingResumed,
    TalkEnded,
    WrapUpEnded,
)
from acd.floor import Floor
from acd.interactions import (
    Interaction,
    outcome_when_caller_left,
    outcome_when_flow_ended,
    visit_outcome,
)
from acd.invariants import FULL_CHECK_EVERY, repair_all, repair_touched
from acd.model import (
    REASON_DESKTOP_LOST,
    REASON_NO_ANSWER,
    REASON_PHONE_FAILED,
    REASON_REJECTED,
    AgentProfile,
    AssignmentState,
    Configuration,
    Desktop,
    OfferOutcome,
    Presence,
    Stage,
    VisitOutcome,
)
from acd.pairing import match
from acd.presence import Agent


class Engine:
    """Who gets which interaction. One owner calls it; it keeps nothing outside itself."""

    def __init__(self, configuration: Configuration, now: int) -> None:
        """Start empty: everybody logged out, phones and desktops gone until events say otherwise.

        Raises ConfigurationError when the configuration contradicts itself.
        """
        validate(configuration)
        self._floor = Floor(configuration, now)
        for profile in configuration.agents:
            self._floor.add_agent(profile)
        self._floor.reindex()
        self._floor.note_shown()

    @classmethod
    def on(cls, floor: Floor) -> Engine:
        """An engine on a floor that was read back (`acd.snapshot.restore`)."""
        engine = cls.__new__(cls)
        engine._floor = floor
        return engine

    @property
    def floor(self) -> Floor:
        """The state, for `acd` itself (snapshot, invariants); others read `acd.snapshot.board`."""
        return self._floor

    @property
    def configuration(self) -> Configuration:
        return self._floor.configuration

    @property
    def now(self) -> int:
        """The instant of the last event."""
        return self._floor.now

    @property
    def counts(self) -> Mapping[str, int]:
        """Ignored events as `EventName:why`, broken invariants as `violation:name`, repairs as `repair:name`."""
        return MappingProxyType(self._floor.counts)

    def next_due(self) -> int | None:
        """The earliest deadline (µs), at which the driver sends ClockReached; None when none runs."""
        return self._floor.next_due()

    def handle(self, event: Event, now: int) -> tuple[Command, ...]:
        """Apply one event at `now` (µs, never backwards) and answer with orders and facts, in order.

        Raises TimeOrderError when `now` went back and ConfigurationError for rules that contradict themselves;
        in both cases nothing has changed.
        """
        floor = self._floor
        if now < floor.now:
            raise TimeOrderError(f"now went back: expected at least {floor.now} µs, got {now} µs")
        apply = _APPLY.get(type(event))
        if apply is None:
            raise TypeError(f"expected an event of acd.events, got {event!r}")
        if isinstance(event, ConfigurationChanged):
            validate(event.configuration)
        floor.now = now
        floor.handled += 1
        apply(self, event)
        match(floor)
        self._verify()
        floor.publish()
        answer = tuple(floor.out)
        floor.out.clear()
        return answer

    def _verify(self) -> None:
        floor = self._floor
        repaired = repair_touched(floor)
        if floor.handled % FULL_CHECK_EVERY == 0:
            repaired += repair_all(floor)
        if repaired:
            match(floor)

    # --- who and what ----------------------------------------------------------------------------------------

    def _ignore(self, event: Event, why: str) -> None:
        self._floor.count(f"{type(event).__name__}:{why}")

    def _interaction(self, event: Any) -> Interaction | None:
        """The open interaction that the event names; else the event is counted."""
        interaction = self._floor.interactions.get(event.interaction_id)
        if interaction is None:
            self._ignore(event, "closed" if event.interaction_id in self._floor.closed else "unknown")
        return interaction

    def _agent(self, event: Any) -> Agent | None:
        """The agent that the event names; else the event is counted."""
        agent = self._floor.agents.get(event.agent_id)
        if agent is None:
            self._ignore(event, "unknown_agent")
        return agent

    def _offered(self, event: OfferAccepted | OfferRejected | OfferFailed) -> Interaction | None:
        """The interaction whose open offer the event names; else the event is counted."""
        interaction_id, _, number = event.offer_id.rpartition("/")
        interaction = self._floor.interactions.get(interaction_id)
        if interaction is None:
            self._ignore(event, "closed" if interaction_id in self._floor.closed else "unknown")
            return None
        if interaction.offer_id == event.offer_id:
            if interaction.stage is Stage.OFFERED:
                return interaction
            self._ignore(event, "accepted_before")
            return None
        made = number.isdecimal() and 1 <= int(number) <= interaction.offers
        self._ignore(event, "closed" if made else "unknown")
        return None

    # --- rules -----------------------------------------------------------------------------------------------

    def _configuration_changed(self, event: ConfigurationChanged) -> None:
        floor = self._floor
        self._leave_vanished_queues({rules.id for rules in event.configuration.queues})
        floor.configuration = event.configuration
        profiles = {profile.id: profile for profile in event.configuration.agents}
        for agent in floor.agents.values():
            known = profiles.get(agent.id)
            agent.leaving = known is None
            agent.profile = known or AgentProfile(agent.id, agent.profile.name)
            if known is None:
                agent.presence, agent.presence_reason = Presence.LOGGED_OUT, ""
        for profile in event.configuration.agents:
            if profile.id not in floor.agents:
                floor.add_agent(profile)
        floor.reindex()
        for agent in floor.agents.values():
            floor.watch_desktop(agent)
            floor.refresh(agent)
        floor.touched_queues.update(floor.queues)
        floor.rematch_all = True

    def _leave_vanished_queues(self, kept: set[str]) -> None:
        """Who waits in a queue that is no more goes back to the flow, which then decides."""
        for interaction in list(self._floor.interactions.values()):
            if interaction.is_waiting and interaction.queue not in kept:
                self._leave_queue(interaction, VisitOutcome.WITHDRAWN)
        for queue_id in sorted(self._floor.queues.keys() - kept):
            self._floor.show_vanished(queue_id)

    def _paused(self, event: RoutingPaused) -> None:
        self._floor.paused = event.reason

    def _resumed(self, event: RoutingResumed) -> None:
        if self._floor.paused is None:
            self._ignore(event, "not_paused")
            return
        self._floor.paused = None
        self._floor.rematch_all = True

    # --- interactions ----------------------------------------------------------------------------------------

    def _arrived(self, event: InteractionArrived) -> None:
        floor = self._floor
        if event.interaction_id in floor.interactions:
            self._ignore(event, "doubled")
            return
        if event.interaction_id in floor.closed:
            self._ignore(event, "closed")
            return
        floor.interactions[event.interaction_id] = Interaction(
            id=event.interaction_id,
            caller=event.caller,
            dialled=event.dialled,
            flow=event.flow,
            medium=event.medium,
            arrived_at=floor.now,
            gap=event.gap,
        )
        floor.out.append(
            InteractionOpened(
                interaction_id=event.interaction_id,
                caller=event.caller,
                dialled=event.dialled,
                flow=event.flow,
                medium=event.medium,
                arrived_at=floor.now,
                gap=event.gap,
            )
        )

    def _attached(self, event: InteractionAttached) -> None:
        interaction = self._interaction(event)
        if interaction is None:
            return
        if interaction.attached:
            self._ignore(event, "attached_before")
            return
        interaction.attached = True
        self._floor.file(interaction)

    def _detached(self, event: InteractionDetached) -> None:
        interaction = self._interaction(event)
        if interaction is None:
            return
        if not interaction.attached:
            self._ignore(event, "detached_before")
            return
        interaction.attached = False
        if interaction.stage is Stage.OFFERED:
            self._floor.back_in_line(interaction, OfferOutcome.WITHDRAWN, "detached")
        self._floor.file(interaction)

    def _queued(self, event: InteractionQueued) -> None:
        interaction = self._interaction(event)
        if interaction is None:
            return
        if event.queue not in self._floor.queues:
            self._ignore(event, "unknown_queue")
        elif interaction.stage is Stage.TALKING:
            self._ignore(event, "talking")
        elif interaction.is_waiting and _asks_the_same(interaction, event):
            self._ignore(event, "doubled")
        else:
            self._enter_queue(interaction, event)

    def _enter_queue(self, interaction: Interaction, event: InteractionQueued) -> None:
        floor = self._floor
        if interaction.is_waiting:
            self._leave_queue(interaction, VisitOutcome.WITHDRAWN)
        if interaction.first_asked_at is None:
            asked = floor.now if event.first_asked_at is None else event.first_asked_at
            interaction.first_asked_at = min(asked, floor.now)
        interaction.priority = event.priority
        interaction.requirements = event.requirements
        interaction.attributes = event.attributes
        floor.open_visit(interaction, event.queue)

    def _queue_left(self, event: QueueLeft) -> None:
        interaction = self._interaction(event)
        if interaction is None:
            return
        if not interaction.is_waiting:
            self._ignore(event, interaction.stage.value)
            return
        outcome = event.outcome
        if outcome is VisitOutcome.ANSWERED:  # only a bridge answers; the flow merely left
            self._ignore(event, "answered_without_talk")
            outcome = VisitOutcome.WITHDRAWN
        self._leave_queue(interaction, outcome)

    def _leave_queue(self, interaction: Interaction, outcome: VisitOutcome) -> None:
        if interaction.stage is Stage.OFFERED:
            self._floor.close_offer(interaction, OfferOutcome.WITHDRAWN, "queue_left")
        self._floor.close_visit(interaction, outcome)
        self._floor.place(interaction, Stage.IN_FLOW, "", "")

    def _caller_left(self, event: CallerLeft) -> None:
        interaction = self._interaction(event)
        if interaction is None:
            return
        outcome = outcome_when_caller_left(interaction)
        self._floor.close_interaction(interaction, outcome, VisitOutcome.ABANDONED, "", event.gap)

    def _flow_ended(self, event: FlowEnded) -> None:
        interaction = self._interaction(event)
        if interaction is None:
            return
        outcome = outcome_when_flow_ended(interaction, event.outcome)
        self._floor.close_interaction(interaction, outcome, visit_outcome(outcome), event.detail, False)

    # --- offers and talks ------------------------------------------------------------------------------------

    def _accepted(self, event: OfferAccepted) -> None:
        interaction = self._offered(event)
        if interaction is not None:
            self._floor.accept(interaction)

    def _rejected(self, event: OfferRejected) -> None:
        interaction = self._offered(event)
        if interaction is not None:
            self._give_back(interaction, OfferOutcome.REJECTED, REASON_REJECTED, event.detail)

    def _failed(self, event: OfferFailed) -> None:
        interaction = self._offered(event)
        if interaction is not None:
            self._give_back(interaction, OfferOutcome.FAILED, REASON_PHONE_FAILED, event.detail)

    def _give_back(self, interaction: Interaction, outcome: OfferOutcome, reason: str, detail: str) -> None:
        """The caller keeps their place; the agent who did not take them becomes Not Ready."""
        agent = self._floor.back_in_line(interaction, outcome, detail)
        if agent.presence is Presence.READY:
            self._floor.choose(agent, Presence.NOT_READY, reason)

    def _connection_found(self, event: ConnectionFound) -> None:
        interaction = self._interaction(event)
        if interaction is None:
            return
        agent = self._agent(event)
        if agent is None:
            return
        if interaction.stage is Stage.TALKING:
            same = interaction.agent_id == agent.id
            self._ignore(event, "connected_before" if same else "talking_to_another")
        elif interaction.stage is Stage.OFFERED and interaction.agent_id == agent.id:
            self._floor.accept(interaction)
        elif any(held.state is AssignmentState.CONNECTED for held in agent.assignments):
            self._ignore(event, "agent_busy")
        else:
            self._adopt(interaction, agent)

    def _adopt(self, interaction: Interaction, agent: Agent) -> None:
        """Bridges are the truth: what else the agent holds gives way, and another agent's phone stops."""
        if interaction.stage is Stage.OFFERED:
            self._floor.back_in_line(interaction, OfferOutcome.WITHDRAWN, "adopted")
        for held in list(agent.assignments):
            if held.state is AssignmentState.OFFERED:
                other = self._floor.interactions[held.interaction_id]
                self._floor.back_in_line(other, OfferOutcome.WITHDRAWN, "adopted")
            else:
                self._floor.end_wrap_up(agent, held, "", "", timed_out=False)
        self._floor.adopt(interaction, agent)

    def _talk_ended(self, event: TalkEnded) -> None:
        interaction = self._interaction(event)
        if interaction is None:
            return
        if interaction.stage is not Stage.TALKING:
            self._ignore(event, "not_talking")
        elif interaction.agent_id != event.agent_id:
            self._ignore(event, "other_agent")
        else:
            self._floor.end_talk(interaction, event.gap)
            self._floor.place(interaction, Stage.IN_FLOW, "", "")

    def _wrap_up_ended(self, event: WrapUpEnded) -> None:
        agent = self._agent(event)
        if agent is None:
            return
        held = agent.holding(event.interaction_id)
        if held is None or held.state is not AssignmentState.WRAP_UP:
            self._ignore(event, "no_wrap_up")
            return
        self._floor.end_wrap_up(agent, held, event.disposition, event.note, timed_out=False)

    # --- agents ----------------------------------------------------------------------------------------------

    def _presence_chosen(self, event: PresenceChosen) -> None:
        agent = self._agent(event)
        if agent is None:
            return
        if agent.leaving:
            self._ignore(event, "leaving")
        elif (agent.presence, agent.presence_reason) == (event.presence, event.reason):
            self._ignore(event, "unchanged")
        else:
            self._floor.choose(agent, event.presence, event.reason)
            if event.presence is not Presence.READY:
                self._withdraw_from(agent, event.presence.value)

    def _withdraw_from(self, agent: Agent, detail: str) -> None:
        for held in list(agent.assignments):
            if held.state is AssignmentState.OFFERED:
                interaction = self._floor.interactions[held.interaction_id]
                self._floor.back_in_line(interaction, OfferOutcome.WITHDRAWN, detail)

    def _phone_changed(self, event: PhoneChanged) -> None:
        agent = self._agent(event)
        if agent is None:
            return
        if agent.phone is event.phone:
            self._ignore(event, "unchanged")
            return
        agent.phone = event.phone
        self._floor.refresh(agent)

    def _desktop_changed(self, event: DesktopChanged) -> None:
        agent = self._agent(event)
        if agent is None:
            return
        if agent.desktop is event.desktop:
            self._ignore(event, "unchanged")
            return
        agent.desktop = event.desktop
        self._floor.watch_desktop(agent)
        self._floor.refresh(agent)
        if event.desktop is Desktop.GONE and not self._floor.configuration.offer_without_desktop:
            self._withdraw_from(agent, "desktop_gone")

    # --- time ------------------------------------------------------------------------------------------------

    def _clock_reached(self, event: ClockReached) -> None:
        floor = self._floor
        due = floor.pop_due()
        if due is None:
            self._ignore(event, "early")
        while due is not None:
            self._expire(due[1], floor.agents[due[2]], due[3])
            due = floor.pop_due()

    def _expire(self, kind: str, agent: Agent, interaction_id: str) -> None:
        if kind == "desktop":
            self._floor.choose(agent, Presence.NOT_READY, REASON_DESKTOP_LOST)
            self._withdraw_from(agent, REASON_DESKTOP_LOST)
        elif kind == "offer":
            interaction = self._floor.interactions[interaction_id]
            self._give_back(interaction, OfferOutcome.EXPIRED, REASON_NO_ANSWER, "")
        else:
            held = agent.holding(interaction_id)
            if held is not None:
                self._floor.end_wrap_up(agent, held, "", "", timed_out=True)


def _asks_the_same(interaction: Interaction, event: InteractionQueued) -> bool:
    return (interaction.queue, interaction.priority, interaction.requirements, interaction.attributes) == (
        event.queue,
        event.priority,
        event.requirements,
        event.attributes,
    )


_APPLY: dict[type, Callable[[Engine, Any], None]] = {
    ConfigurationChanged: Engine._configuration_changed,
    InteractionArrived: Engine._arrived,
    InteractionAttached: Engine._attached,
    InteractionDetached: Engine._detached,
    InteractionQueued: Engine._queued,
    QueueLeft: Engine._queue_left,
    CallerLeft: Engine._caller_left,
    FlowEnded: Engine._flow_ended,
    OfferAccepted: Engine._accepted,
    OfferRejected: Engine._rejected,
    OfferFailed: Engine._failed,
    ConnectionFound: Engine._connection_found,
    TalkEnded: Engine._talk_ended,
    WrapUpEnded: Engine._wrap_up_ended,
    PresenceChosen: Engine._presence_chosen,
    PhoneChanged: Engine._phone_changed,
    DesktopChanged: Engine._desktop_changed,
    RoutingPaused: Engine._paused,
    RoutingResumed: Engine._resumed,
    ClockReached: Engine._clock_reached,
}
