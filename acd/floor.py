"""The floor: every agent, interaction and queue at this instant, and the few moves that change them.

What belongs here: state, its indexes, and moves that keep both in step and record what they did as commands.
What does not: which event causes which move (`acd.engine`).

Indexes are derived: `reindex` builds them from the state, `file` and `refresh` keep them so after each change.
Whatever could make a new match possible is noted in `freed` and `arrived`, so that an event that touches one
agent or one interaction looks at that one only.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from acd.assignments import Assignment
from acd.commands import (
    AgentIntervalClosed,
    Command,
    InteractionClosed,
    OfferClosed,
    OfferInteraction,
    QueueChanged,
    StageChanged,
    TalkClosed,
    TalkOpened,
    VisitClosed,
    VisitOpened,
    WithdrawOffer,
    WrapUpClosed,
)
from acd.explain import explain
from acd.interactions import Interaction
from acd.matching import merged_needs
from acd.model import (
    AgentProfile,
    AgentState,
    AssignmentState,
    Configuration,
    OfferOutcome,
    Outcome,
    Presence,
    Stage,
    VisitOutcome,
)
from acd.presence import Agent, agent_changed, agent_state, state_reason
from acd.queues import Queue
from acd.ranking import agent_key, rank_key

#: So many closed interactions are remembered, to tell a late event from an unknown one and to refuse a second life.
CLOSED_REMEMBERED = 4096

#: Offer outcomes after which a phone may still ring and must be stopped.
_STILL_RINGING = (OfferOutcome.WITHDRAWN, OfferOutcome.EXPIRED, OfferOutcome.REJECTED)

Due = tuple[int, str, str, str]
"""A deadline: (when, what: desktop, offer or wrap_up, agent id, interaction id or empty)."""


class Floor:
    """Everything the engine knows. Private to `acd`; what leaves it is frozen (`acd.snapshot`)."""

    def __init__(self, configuration: Configuration, now: int) -> None:
        self.configuration = configuration
        self.now = now
        self.handled = 0
        self.paused: str | None = None
        self.agents: dict[str, Agent] = {}
        self.interactions: dict[str, Interaction] = {}
        self.closed: dict[str, None] = {}
        self.counts: dict[str, int] = {}
        self.queues: dict[str, Queue] = {}
        self.due: list[Due] = []
        self.out: list[Command] = []
        self.freed: set[str] = set()
        self.arrived: set[str] = set()
        self.rematch_all = False
        self.touched_agents: set[str] = set()
        self.touched_interactions: set[str] = set()
        self.touched_queues: set[str] = set()

    # --- counting and looking up ---------------------------------------------------------------------------

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def wrap_up_us(self, queue: str) -> int:
        known = self.queues.get(queue)
        return known.rules.wrap_up_us if known else 0

    # --- indexes -------------------------------------------------------------------------------------------

    def add_agent(self, profile: AgentProfile) -> None:
        self.agents[profile.id] = Agent(profile=profile, idle_since=self.now, tile_at=self.now)

    def reindex(self) -> None:
        """Build everything derived anew from configuration, agents and interactions."""
        shown = {queue.rules.id: queue.shown for queue in self.queues.values()}
        self.queues = {rules.id: Queue(rules) for rules in self.configuration.queues}
        for queue_id, queue in self.queues.items():
            queue.shown = shown.get(queue_id)
        self.due = []
        for interaction in self.interactions.values():
            self.rank(interaction)
            if interaction.queue in self.queues:
                self.queues[interaction.queue].file(interaction)
        for agent in self.agents.values():
            self._index_agent(agent)
        heapify(self.due)

    def _index_agent(self, agent: Agent) -> None:
        agent.skills = dict(agent.profile.skills)
        agent.ready_key = None
        agent.state = agent_state(agent, self.configuration.offer_without_desktop)
        for queue_id in agent.profile.queues:
            self.queues[queue_id].states[agent.state] += 1
        self._file_ready(agent)
        if agent.desktop_deadline:
            self.due.append((agent.desktop_deadline, "desktop", agent.id, ""))
        for held in agent.assignments:
            if held.deadline:
                kind = "offer" if held.state is AssignmentState.OFFERED else "wrap_up"
                self.due.append((held.deadline, kind, agent.id, held.interaction_id))

    def _file_ready(self, agent: Agent) -> None:
        """Stand in the ready lists exactly when ready."""
        wanted = agent_key(agent.idle_since, agent.id) if agent.state is AgentState.READY else None
        if wanted == agent.ready_key:
            return
        for queue_id in agent.profile.queues:
            queue = self.queues[queue_id]
            if agent.ready_key is not None:
                queue.ready.discard(agent.ready_key)
            if wanted is not None:
                queue.ready.add(wanted)
        agent.ready_key = wanted
        if wanted is not None:
            self.freed.add(agent.id)

    def rank(self, interaction: Interaction) -> None:
        """Compute place and needs from queue, priority and first-asked time."""
        queue = self.queues.get(interaction.queue)
        if queue is None:
            return
        interaction.rank = rank_key(
            queue.rules.priority + interaction.priority, interaction.first_asked_at or 0, interaction.id
        )
        interaction.needs = merged_needs(queue.rules.requirements, interaction.requirements)

    def file(self, interaction: Interaction) -> None:
        """Bring the queue's indexes in step with the interaction's stage."""
        self.touched_interactions.add(interaction.id)
        queue = self.queues.get(interaction.queue)
        if queue is None:
            return
        queue.file(interaction)
        self.touched_queues.add(interaction.queue)
        if interaction.is_offerable:
            self.arrived.add(interaction.id)

    def refresh(self, agent: Agent) -> None:
        """Derive the agent's one word again and bring the indexes in step; call it after every change."""
        self.touched_agents.add(agent.id)
        before = agent.state
        agent.state = agent_state(agent, self.configuration.offer_without_desktop)
        if agent.state is not before:
            for queue_id in agent.profile.queues:
                states = self.queues[queue_id].states
                states[before] -= 1
                states[agent.state] += 1
                self.touched_queues.add(queue_id)
        self._file_ready(agent)

    # --- the moves of an interaction -----------------------------------------------------------------------

    def place(self, interaction: Interaction, stage: Stage, queue: str, agent_id: str) -> None:
        """Move to a stage; the old queue's indexes are left and the new one's entered."""
        changed = (interaction.stage, interaction.queue, interaction.agent_id) != (stage, queue, agent_id)
        if interaction.queue != queue:
            interaction.stage = Stage.IN_FLOW
            self.file(interaction)
            interaction.queue = queue
            self.rank(interaction)
        interaction.stage, interaction.agent_id = stage, agent_id
        self.file(interaction)
        if changed:
            self.out.append(StageChanged(interaction.id, stage, queue, agent_id))

    def open_visit(self, interaction: Interaction, queue: str) -> None:
        """Enter a queue's line. Priority, requirements, attributes and first-asked time are already set."""
        interaction.visits += 1
        interaction.visit_id = f"{interaction.id}#{interaction.visits}"
        interaction.entered_at = self.now
        self.place(interaction, Stage.QUEUED, queue, "")
        self.out.append(
            VisitOpened(
                visit_id=interaction.visit_id,
                interaction_id=interaction.id,
                queue=queue,
                priority=-interaction.rank[0],
                first_asked_at=interaction.rank[1],
                entered_at=self.now,
                position=self.queues[queue].line.position(interaction.rank),
                attributes=interaction.attributes,
            )
        )

    def close_visit(self, interaction: Interaction, outcome: VisitOutcome, agent_id: str = "") -> None:
        """Say how the visit ended; the caller of this move then places the interaction elsewhere."""
        self.out.append(
            VisitClosed(
                visit_id=interaction.visit_id,
                interaction_id=interaction.id,
                queue=interaction.queue,
                outcome=outcome,
                agent_id=agent_id,
                entered_at=interaction.entered_at,
                closed_at=self.now,
            )
        )
        interaction.visit_id = ""

    def close_interaction(
        self, interaction: Interaction, outcome: Outcome, visit: VisitOutcome, detail: str, gap: bool
    ) -> None:
        """End whatever is open (offer, visit, talk), say the one outcome, and forget the interaction."""
        short = outcome in (Outcome.ABANDONED_IN_QUEUE, Outcome.ABANDONED_RINGING) and self._is_short(interaction)
        if interaction.stage is Stage.OFFERED:
            self.close_offer(interaction, OfferOutcome.WITHDRAWN)
        elif interaction.stage is Stage.TALKING:
            self.end_talk(interaction, gap)
        if interaction.visit_id:
            self.close_visit(interaction, visit)
        interaction.stage = Stage.IN_FLOW
        self.file(interaction)
        del self.interactions[interaction.id]
        self.closed[interaction.id] = None
        if len(self.closed) > CLOSED_REMEMBERED:
            del self.closed[next(iter(self.closed))]
        self.out.append(
            InteractionClosed(
                interaction_id=interaction.id,
                outcome=outcome,
                detail=detail,
                short=short,
                agent_id=interaction.served_by,
                closed_at=self.now,
                gap=gap,
            )
        )

    def _is_short(self, interaction: Interaction) -> bool:
        queue = self.queues.get(interaction.queue)
        return queue is not None and self.now - interaction.rank[1] < queue.rules.short_abandon_us

    # --- offers and talks ----------------------------------------------------------------------------------

    def offer(self, interaction: Interaction, agent: Agent) -> None:
        """Reserve the agent and have the phone rung."""
        queue = self.queues[interaction.queue]
        reason = explain(queue, interaction.needs, self.agents, agent.id)
        interaction.offers += 1
        interaction.offer_id = f"{interaction.id}/{interaction.offers}"
        interaction.offered_at = self.now
        interaction.reason = reason
        expires_at = self.now + queue.rules.ring_us
        agent.assignments.append(
            Assignment(
                interaction_id=interaction.id,
                talk_id=interaction.offer_id,
                queue=interaction.queue,
                medium=interaction.medium,
                state=AssignmentState.OFFERED,
                since=self.now,
                deadline=expires_at,
                wrap_up_us=queue.rules.wrap_up_us,
            )
        )
        heappush(self.due, (expires_at, "offer", agent.id, interaction.id))
        self.out.append(
            OfferInteraction(
                offer_id=interaction.offer_id,
                interaction_id=interaction.id,
                agent_id=agent.id,
                queue=interaction.queue,
                offered_at=self.now,
                expires_at=expires_at,
                reason=reason,
            )
        )
        self.place(interaction, Stage.OFFERED, interaction.queue, agent.id)
        self.refresh(agent)

    def close_offer(self, interaction: Interaction, outcome: OfferOutcome, detail: str = "") -> None:
        """End the offer without a talk and free the agent; the interaction stays where it is until placed."""
        agent = self.agents[interaction.agent_id]
        if outcome in _STILL_RINGING:
            self.out.append(WithdrawOffer(interaction.offer_id, interaction.id, agent.id, outcome))
        self._offer_closed(interaction, outcome, detail)
        interaction.offer_id, interaction.reason = "", None
        self._drop(agent, interaction.id)

    def _offer_closed(self, interaction: Interaction, outcome: OfferOutcome, detail: str = "") -> None:
        self.out.append(
            OfferClosed(
                offer_id=interaction.offer_id,
                visit_id=interaction.visit_id,
                interaction_id=interaction.id,
                agent_id=interaction.agent_id,
                queue=interaction.queue,
                outcome=outcome,
                detail=detail,
                offered_at=interaction.offered_at,
                closed_at=self.now,
            )
        )

    def _drop(self, agent: Agent, interaction_id: str) -> None:
        agent.assignments = [held for held in agent.assignments if held.interaction_id != interaction_id]
        self.refresh(agent)

    def back_in_line(self, interaction: Interaction, outcome: OfferOutcome, detail: str = "") -> Agent:
        """End the offer; the caller stands where they stood. Returns the agent who had the offer."""
        agent = self.agents[interaction.agent_id]
        self.close_offer(interaction, outcome, detail)
        self.place(interaction, Stage.QUEUED, interaction.queue, "")
        return agent

    def accept(self, interaction: Interaction) -> None:
        """The offer became a talk."""
        agent = self.agents[interaction.agent_id]
        self._offer_closed(interaction, OfferOutcome.ACCEPTED)
        for held in agent.assignments:
            if held.interaction_id == interaction.id:
                held.connect(self.now)
        self._open_talk(interaction, agent)

    def adopt(self, interaction: Interaction, agent: Agent) -> None:
        """Bridges show these two talking: make it so. The agent holds nothing any more."""
        interaction.adoptions += 1
        interaction.offer_id = f"{interaction.id}/adopted-{interaction.adoptions}"
        agent.assignments.append(
            Assignment(
                interaction_id=interaction.id,
                talk_id=interaction.offer_id,
                queue=interaction.queue,
                medium=interaction.medium,
                state=AssignmentState.CONNECTED,
                since=self.now,
                deadline=0,
                wrap_up_us=self.wrap_up_us(interaction.queue),
            )
        )
        self._open_talk(interaction, agent)

    def _open_talk(self, interaction: Interaction, agent: Agent) -> None:
        if interaction.visit_id:
            self.close_visit(interaction, VisitOutcome.ANSWERED, agent.id)
        interaction.served_by, interaction.talk_started_at = agent.id, self.now
        self.out.append(TalkOpened(interaction.offer_id, interaction.id, agent.id, interaction.queue, self.now))
        self.place(interaction, Stage.TALKING, interaction.queue, agent.id)
        self.refresh(agent)

    def end_talk(self, interaction: Interaction, gap: bool) -> None:
        """The bridge ended: wrap-up or free. The interaction stays where it is until placed."""
        agent = self.agents[interaction.agent_id]
        wrap_up_until = 0
        for held in agent.assignments:
            if held.interaction_id == interaction.id and held.wrap_up_us:
                held.wrap_up(self.now)
                wrap_up_until = held.deadline
        self._talk_closed(interaction, wrap_up_until, gap)
        interaction.offer_id, interaction.reason = "", None
        if wrap_up_until:
            heappush(self.due, (wrap_up_until, "wrap_up", agent.id, interaction.id))
            self.refresh(agent)
        else:
            agent.idle_since = self.now
            self._drop(agent, interaction.id)

    def _talk_closed(self, interaction: Interaction, wrap_up_until: int, gap: bool) -> None:
        self.out.append(
            TalkClosed(
                talk_id=interaction.offer_id,
                interaction_id=interaction.id,
                agent_id=interaction.agent_id,
                queue=interaction.queue,
                started_at=interaction.talk_started_at,
                ended_at=self.now,
                wrap_up_until=wrap_up_until,
                gap=gap,
            )
        )

    def end_wrap_up(self, agent: Agent, held: Assignment, disposition: str, note: str, timed_out: bool) -> None:
        """The work after the call is over: the agent is idle from now."""
        self.out.append(
            WrapUpClosed(
                talk_id=held.talk_id,
                interaction_id=held.interaction_id,
                agent_id=agent.id,
                disposition=disposition,
                note=note,
                started_at=held.since,
                ended_at=self.now,
                timed_out=timed_out,
            )
        )
        agent.idle_since = self.now
        self._drop(agent, held.interaction_id)

    # --- repairs (acd.invariants) --------------------------------------------------------------------------

    def refile_ready(self, agent: Agent) -> None:
        """Derive the agent's one word and their place in the ready lists from nothing."""
        for queue_id in agent.profile.queues:
            queue = self.queues[queue_id]
            queue.ready.discard(agent_key(agent.idle_since, agent.id))
            if agent.ready_key is not None:
                queue.ready.discard(agent.ready_key)
        agent.ready_key = None
        self.refresh(agent)

    def refile(self, interaction: Interaction) -> None:
        """Put a waiting interaction back into its place; out of a queue that is not there, back to its flow."""
        if interaction.is_waiting and interaction.queue not in self.queues:
            self.close_visit(interaction, VisitOutcome.WITHDRAWN)
            self.place(interaction, Stage.IN_FLOW, "", "")
        else:
            self.file(interaction)

    def lose_holder(self, interaction: Interaction) -> None:
        """Nobody holds what is said to be offered or to talk: back to its place in line, or to its flow."""
        if interaction.stage is Stage.OFFERED:
            withdrawn = OfferOutcome.WITHDRAWN
            self.out.append(WithdrawOffer(interaction.offer_id, interaction.id, interaction.agent_id, withdrawn))
            self._offer_closed(interaction, withdrawn, "repaired")
            stage, queue = Stage.QUEUED, interaction.queue
        else:
            self._talk_closed(interaction, wrap_up_until=0, gap=True)
            stage, queue = Stage.IN_FLOW, ""
        interaction.offer_id, interaction.reason = "", None
        self.place(interaction, stage, queue, "")

    def forget(self, interaction: Interaction) -> None:
        """Its outcome was told before: take it off the floor without a word."""
        agent = self.agents.get(interaction.agent_id)
        if agent is not None:
            self._drop(agent, interaction.id)
        interaction.stage = Stage.IN_FLOW
        self.file(interaction)
        del self.interactions[interaction.id]

    # --- presence ------------------------------------------------------------------------------------------

    def choose(self, agent: Agent, presence: Presence, reason: str) -> None:
        """Set presence and run or stop the desktop clock."""
        if presence is Presence.READY and agent.presence is not Presence.READY:
            agent.idle_since = self.now
        agent.presence, agent.presence_reason = presence, reason
        self.watch_desktop(agent)
        self.refresh(agent)

    def watch_desktop(self, agent: Agent) -> None:
        """The clock to Not Ready runs exactly while a ready agent lacks the desktop that offers need."""
        if not agent.wants_desktop(self.configuration.offer_without_desktop):
            agent.desktop_deadline = 0
        elif not agent.desktop_deadline:
            agent.desktop_deadline = self.now + self.configuration.desktop_grace_us
            heappush(self.due, (agent.desktop_deadline, "desktop", agent.id, ""))

    # --- deadlines -----------------------------------------------------------------------------------------

    def next_due(self) -> int | None:
        """The earliest deadline that still means something."""
        while self.due:
            if self._is_live(self.due[0]):
                return self.due[0][0]
            heappop(self.due)
        return None

    def pop_due(self) -> Due | None:
        """The next deadline at or before now, or None."""
        at = self.next_due()
        return heappop(self.due) if at is not None and at <= self.now else None

    def _is_live(self, due: Due) -> bool:
        at, kind, agent_id, interaction_id = due
        agent = self.agents.get(agent_id)
        if agent is None:
            return False
        if kind == "desktop":
            return agent.desktop_deadline == at
        held = agent.holding(interaction_id)
        if held is None or held.deadline != at:
            return False
        return (kind == "offer") is (held.state is AssignmentState.OFFERED)

    # --- what screens show ---------------------------------------------------------------------------------

    def publish(self) -> None:
        """Close tiles and say what changed on the agents and queues that this event touched."""
        for agent_id in sorted(self.touched_agents):
            agent = self.agents.get(agent_id)
            if agent is not None:
                self._publish_agent(agent)
        for queue_id in sorted(self.touched_queues):
            self._publish_queue(queue_id)
        self.touched_agents.clear()
        self.touched_interactions.clear()
        self.touched_queues.clear()

    def _publish_agent(self, agent: Agent) -> None:
        held = agent.assignments[0].interaction_id if agent.assignments else ""
        tile = (agent.state, state_reason(agent), held)
        removed = agent.leaving and not agent.assignments
        if removed or tile != (agent.tile_state, agent.tile_reason, agent.tile_interaction):
            self._close_tile(agent)
            agent.tile_state, agent.tile_reason, agent.tile_interaction = tile
        shown = agent_changed(agent)
        if shown != agent.shown:
            agent.shown = shown
            self.out.append(shown)
        if removed:
            del self.agents[agent.id]

    def _close_tile(self, agent: Agent) -> None:
        suffix = f".{agent.tile_n}" if agent.tile_n > 1 else ""
        self.out.append(
            AgentIntervalClosed(
                interval_id=f"{agent.id}@{agent.tile_at}{suffix}",
                agent_id=agent.id,
                state=agent.tile_state,
                reason=agent.tile_reason,
                from_at=agent.tile_at,
                to_at=self.now,
            )
        )
        agent.tile_n = agent.tile_n + 1 if agent.tile_at == self.now else 1
        agent.tile_at = self.now

    def _publish_queue(self, queue_id: str) -> None:
        queue = self.queues.get(queue_id)
        if queue is None:
            return
        shown = queue.totals()
        if shown != queue.shown:
            queue.shown = shown
            self.out.append(shown)

    def show_vanished(self, queue_id: str) -> None:
        """The last totals of a queue that the new rules do not have: nobody there."""
        shown = QueueChanged(queue_id, 0, 0, 0, 0)
        if shown != self.queues[queue_id].shown:
            self.out.append(shown)

    def note_shown(self) -> None:
        """Take what is there as already shown: after a start or a restore screens read the whole board."""
        for agent in self.agents.values():
            agent.shown = agent_changed(agent)
        for queue in self.queues.values():
            queue.shown = queue.totals()
