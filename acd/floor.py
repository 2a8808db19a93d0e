"""The floor: every agent, interaction and queue at this instant, with the indexes that make decisions quick.

What belongs here: state, its indexes, deadlines. What does not: moves that also tell facts (`acd.moves`), and
which event causes which move (`acd.reactions`).

Indexes are derived: `reindex` builds them from the state, `file` and `refresh` keep them so after each change.
Whatever could make a new match possible is noted in `freed` and `arrived`, so that an event that touches one
agent or one interaction looks at that one only.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush

from acd.assignments import Assignment
from acd.commands import Command
from acd.experience import Seen
from acd.interactions import Interaction
from acd.matching import Terms, merged_choices, merged_needs, relaxed
from acd.model import (
    VOICE,
    AgentProfile,
    AgentState,
    AssignmentState,
    Configuration,
    Move,
    OverflowCause,
    Presence,
    QueueRules,
    Stage,
)
from acd.presence import AT_WORK, Agent, agent_state, capacity, room, served_queues
from acd.queues import Closure, Queue
from acd.ranking import rank_key
from acd.regains import Regain
from acd.strategies import standing

#: So many closed interactions are remembered, to tell a late event from an unknown one and to refuse a second life.
CLOSED_REMEMBERED = 4096

#: So many different requirements are remembered per queue with the terms that they lead to.
TERMS_REMEMBERED = 1024

Due = tuple[int, str, str, str]
"""A deadline: (when, what: desktop, offer, wrap_up, move, step, callback, leave or closure, agent id (of a closure its
queue) or empty, interaction's or move's id or empty)."""


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
        self.levelled = False
        self.calls_only = True
        self.closures: dict[str, Closure] = {}
        self.seen: dict[str, Seen] = {}
        self.regains: dict[str, dict[str, Regain]] = {}
        self.due: list[Due] = []
        self.out: list[Command] = []
        self.freed: set[str] = set()
        self.arrived: set[str] = set()
        self.rematch_all = False
        self.stirred: set[str] = set()
        self.returned: set[str] = set()
        self.changed: set[str] = set()
        self.able: dict[Terms, bool] = {}
        self.touched_agents: set[str] = set()
        self.touched_interactions: set[str] = set()
        self.touched_queues: set[str] = set()

    # --- counting and looking up ---------------------------------------------------------------------------

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def wrap_up_us(self, queue: str) -> int:
        known = self.queues.get(queue)
        return known.rules.wrap_up_us if known else 0

    def wrap_up_most_us(self, queue: str) -> int:
        known = self.queues.get(queue)
        return known.rules.wrap_up_most_us if known else 0

    # --- indexes -------------------------------------------------------------------------------------------

    def add_agent(self, profile: AgentProfile) -> None:
        self.agents[profile.id] = Agent(profile=profile, idle_since=self.now, tile_at=self.now)

    def reindex(self) -> None:
        """Build everything derived anew from configuration, agents and interactions."""
        shown = {queue.rules.id: queue.shown for queue in self.queues.values()}
        self.queues = self.empty_queues()
        self.levelled = any(queue.levelled for queue in self.queues.values())
        self.calls_only = _calls_only(self.configuration)
        for queue_id, queue in self.queues.items():
            queue.shown = shown.get(queue_id)
            for each in queue.rules.relax:
                for reached in each.queues:
                    self.queues[reached].reached_from.append(queue_id)
        self.due = []
        for closure in self.closures.values():
            self.watch_closure(closure)
        self.able.clear()
        self.stirred = set(self.queues)
        self.changed = {queue_id for queue_id, queue in self.queues.items() if queue.rules.overflow}
        for interaction in self.interactions.values():
            self.rank(interaction)
            file_in(self.queues, interaction)
            self.watch_callback(interaction)
        places = {profile.id: place for place, profile in enumerate(self.configuration.agents)}
        for agent in self.agents.values():
            agent.place = places.get(agent.id, len(places))
            self._index_agent(agent)
        heapify(self.due)

    def empty_queues(self) -> dict[str, Queue]:
        """The queues of the configuration, with nobody in them yet."""
        queues = {rules.id: Queue(rules) for rules in self.configuration.queues}
        for profile in self.configuration.agents:
            for queue_id, level in profile.queue_levels:
                queues[queue_id].levelled |= level != 1
        return queues

    def _index_agent(self, agent: Agent) -> None:
        agent.queues = served_queues(agent)
        agent.levels = {queue_id: level for queue_id, level in agent.profile.queue_levels if level != 1}
        agent.skills = dict(agent.profile.skills)
        agent.capacity = capacity(agent.profile)
        agent.standing, agent.room = None, ()
        agent.state = agent_state(agent, self.configuration.offer_without_desktop)
        for queue_id in agent.queues:
            self.queues[queue_id].enter(agent)
        self._file_ready(agent)
        if agent.desktop_deadline:
            self.due.append((agent.desktop_deadline, "desktop", agent.id, ""))
        self.due += [(move.due_at, "move", agent.id, move.id) for move in agent.moves if move.due_at]
        for held in agent.assignments:
            if held.deadline:
                kind = "offer" if held.state is AssignmentState.OFFERED else "wrap_up"
                self.due.append((held.deadline, kind, agent.id, held.interaction_id))

    def _file_ready(self, agent: Agent) -> None:
        """Stand in the ready lists of exactly those queues for whose medium there is room."""
        before, agent.room = agent.room, room(agent, self.configuration.offer_without_desktop)
        wanted = standing(agent) if agent.room else None
        if wanted == agent.standing and agent.room == before:
            return
        for queue_id in agent.queues:
            queue = self.queues[queue_id]
            if agent.standing is not None and queue.medium in before:
                queue.ready.discard(queue.kept(agent, agent.standing))
            if wanted is not None and queue.medium in agent.room:
                queue.ready.add(queue.kept(agent, wanted))
        agent.standing = wanted
        if agent.room != before:
            self.touched_queues.update(agent.queues)
        if wanted is not None:
            self.freed.add(agent.id)

    def rank(self, interaction: Interaction) -> None:
        """Compute place, terms and the next step from queue, priority, first-asked time and the steps taken."""
        queue = self.queues.get(interaction.queue)
        if queue is None:
            return
        rules = queue.rules
        raised = sum(step.by for step in rules.raise_priority[: interaction.raised])
        priority = rules.priority + interaction.priority + raised
        interaction.rank = rank_key(priority, interaction.first_asked_at or 0, interaction.id)
        interaction.terms = self.terms_at(interaction, interaction.ring)
        interaction.step_at = _next_step(interaction, rules)
        if interaction.step_at:
            heappush(self.due, (interaction.step_at, "step", "", interaction.id))
        self.watch_leaving(interaction)

    def watch_leaving(self, interaction: Interaction) -> None:
        """Run the clock to the next time-out that was not looked at yet."""
        interaction.leave_at = next_leave(interaction, self.queues[interaction.queue].rules)
        if interaction.leave_at:
            heappush(self.due, (interaction.leave_at, "leave", "", interaction.id))

    def terms_at(self, interaction: Interaction, ring: int) -> Terms:
        """Who may once so many rings of its queue are reached."""
        queue = self.queues[interaction.queue]
        key = (interaction.requirements, ring)
        terms = queue.terms.get(key)
        if terms is None:
            wanted = (queue.rules.requirements, interaction.requirements)
            rings = queue.rules.relax[:ring]
            terms = relaxed(merged_needs(*wanted), merged_choices(*wanted), rings, queue.rules.id)
            if len(queue.terms) >= TERMS_REMEMBERED:
                queue.terms.clear()
            queue.terms[key] = terms
        return terms

    def file(self, interaction: Interaction) -> None:
        """Bring the queue's indexes in step with the interaction's stage."""
        self.touched_interactions.add(interaction.id)
        if interaction.queue not in self.queues:
            return
        file_in(self.queues, interaction)
        self.touched_queues.add(interaction.queue)
        if interaction.is_offerable:
            self.arrived.add(interaction.id)

    def take_out(self, interaction: Interaction) -> None:
        """Out of all indexes, before rank or terms change; `file` puts it back."""
        stage, interaction.stage = interaction.stage, Stage.IN_FLOW
        file_in(self.queues, interaction)
        interaction.stage = stage

    def refresh(self, agent: Agent) -> None:
        """Derive the agent's one word again and bring the indexes in step; call it after every change."""
        self.touched_agents.add(agent.id)
        before = agent.state
        agent.state = agent_state(agent, self.configuration.offer_without_desktop)
        if agent.state is not before:
            for queue_id in agent.queues:
                states = self.queues[queue_id].states
                states[before] -= 1
                states[agent.state] += 1
                self.touched_queues.add(queue_id)
            if (before in AT_WORK) is not (agent.state in AT_WORK) or AgentState.LOGGED_OUT in (before, agent.state):
                self.changed.update(each for each in agent.queues if self.queues[each].watches_staff)
            if AgentState.LOGGED_OUT in (before, agent.state):
                self.able.clear()
                self.stirred.update(agent.queues)
        self._file_ready(agent)

    def requeue(self, agent: Agent) -> None:
        """Bring the indexes in step with the agent's moves; what they hold, and what rings for them, stays."""
        before, agent.queues = agent.queues, served_queues(agent)
        lost = [queue_id for queue_id in before if queue_id not in agent.queues]
        won = [queue_id for queue_id in agent.queues if queue_id not in before]
        for queue_id in lost:
            self.queues[queue_id].leave(agent)
        for queue_id in won:
            self.queues[queue_id].enter(agent)
        self.touched_agents.add(agent.id)
        self.touched_queues.update(lost, won)
        if won and agent.standing is not None:
            self.freed.add(agent.id)
        if agent.state is not AgentState.LOGGED_OUT:
            self.able.clear()
            self.stirred.update(lost, won)
            self.changed.update(each for each in (*lost, *won) if self.queues[each].watches_staff)

    # --- presence ------------------------------------------------------------------------------------------

    def choose(self, agent: Agent, presence: Presence, reason: str) -> None:
        """Set presence and run or stop the desktop clock."""
        if presence is Presence.READY and agent.presence is not Presence.READY:
            agent.idle_since = self.now
        if agent.presence is Presence.LOGGED_OUT and presence is not Presence.LOGGED_OUT:
            agent.signed_in_at, agent.handled, agent.busy_us = self.now, 0, 0
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

    def watch_wrap_up(self, agent: Agent, held: Assignment) -> None:
        """The wrap-up ends later than it did; the earlier deadline means nothing any more."""
        heappush(self.due, (held.deadline, "wrap_up", agent.id, held.interaction_id))
        self.refresh(agent)

    def watch_move(self, agent: Agent, move: Move) -> None:
        """The move begins or ends when its instant comes."""
        if move.due_at:
            heappush(self.due, (move.due_at, "move", agent.id, move.id))

    def watch_callback(self, interaction: Interaction) -> None:
        """Time changes something for a promise that waits; for others nothing happens."""
        if interaction.callback_at:
            heappush(self.due, (interaction.callback_at, "callback", "", interaction.id))

    # --- closed queues -------------------------------------------------------------------------------------

    def watch_closure(self, closure: Closure) -> None:
        """The queue is closed; where that has an end, the clock to it runs."""
        self.queues[closure.queue].closure = closure
        if closure.until_at:
            heappush(self.due, (closure.until_at, "closure", closure.queue, ""))

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
        if kind == "step":
            waiting = self.interactions.get(interaction_id)
            return waiting is not None and waiting.is_waiting and waiting.step_at == at
        if kind == "leave":
            waiting = self.interactions.get(interaction_id)
            return waiting is not None and waiting.stage is Stage.QUEUED and waiting.leave_at == at
        if kind == "closure":
            closure = self.closures.get(agent_id)
            return closure is not None and closure.until_at == at
        if kind == "callback":
            promised = self.interactions.get(interaction_id)
            return promised is not None and promised.callback_at == at
        agent = self.agents.get(agent_id)
        if agent is None:
            return False
        if kind == "desktop":
            return agent.desktop_deadline == at
        if kind == "move":
            move = agent.moving(interaction_id)
            return move is not None and move.due_at == at
        held = agent.holding(interaction_id)
        if held is None or held.deadline != at:
            return False
        return (kind == "offer") is (held.state is AssignmentState.OFFERED)


def _calls_only(configuration: Configuration) -> bool:
    """Whether all queues are of calls, and every agent takes one call and nothing else."""
    media = (rules.medium == VOICE for rules in configuration.queues)
    return all(media) and all(profile.capacity == ((VOICE, 1),) for profile in configuration.agents)


def file_in(queues: Mapping[str, Queue], interaction: Interaction) -> None:
    """Bring its queue and every queue that it reaches in step with its stage."""
    queue = queues.get(interaction.queue)
    if queue is not None:
        queue.file(interaction)
        for queue_id in interaction.terms.queues:
            queues[queue_id].file_offer(interaction)


def next_leave(interaction: Interaction, rules: QueueRules) -> int:
    """When the next time-out is due that was not looked at yet, 0 for none."""
    if interaction.callback_number or not (rules.overflow or interaction.wait_until):
        return 0
    instants = [interaction.entered_at + each.at for each in rules.overflow if each.cause is OverflowCause.TIMED_OUT]
    instants.append(interaction.wait_until)
    return min((at for at in instants if at > interaction.looked_at), default=0)


def _next_step(interaction: Interaction, rules: QueueRules) -> int:
    """When time takes the next step, 0 for never."""
    afters = [ring.after_us for ring in rules.relax[interaction.ring :][:1]]
    afters += [step.after_us for step in rules.raise_priority[interaction.raised :][:1]]
    since = interaction.steps_since or interaction.entered_at
    instants = [since + after for after in afters]
    if interaction.preferred_until:
        instants.append(interaction.preferred_until)
    return min(instants, default=0)
