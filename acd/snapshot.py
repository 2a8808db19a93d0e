"""The engine's whole state as plain values and back, and frozen views of it for screens.

`dump` and `restore` are exact: a restored engine answers the same commands for ever after. What is derived
(indexes, deadlines' order, what was shown last) is not stored but built anew.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from acd.codec import Plain, decode, encode
from acd.configuration import validate
from acd.engine import Engine
from acd.errors import ConfigurationError, SnapshotError
from acd.events import Attributes
from acd.expectations import expect
from acd.experience import Seen
from acd.floor import Floor
from acd.interactions import Interaction, OpenOffer
from acd.model import (
    AgentState,
    Configuration,
    Desktop,
    Move,
    Phone,
    Presence,
    Reason,
    Stage,
)
from acd.presence import Agent, most_telling, state_reason
from acd.queues import Closure
from acd.regains import Regain
from acd.showing import note_shown

#: Raised with every change of the stored form; another version is refused by name.
VERSION = 1


@dataclass(slots=True)
class _Snapshot:
    version: int
    configuration: Configuration
    now: int
    handled: int
    paused: str | None
    agents: list[Agent]
    interactions: list[Interaction]
    closed: list[str]
    counts: list[tuple[str, int]] = field(default_factory=list)
    closures: list[Closure] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    regains: list[Regain] = field(default_factory=list)


def dump(engine: Engine) -> Plain:
    """The whole state (JSON-able): configuration, agents, interactions, id counters, pause, counts."""
    floor = engine.floor
    return encode(
        _Snapshot(
            version=VERSION,
            configuration=floor.configuration,
            now=floor.now,
            handled=floor.handled,
            paused=floor.paused,
            agents=list(floor.agents.values()),
            interactions=list(floor.interactions.values()),
            closed=list(floor.closed),
            counts=sorted(floor.counts.items()),
            closures=list(floor.closures.values()),
            seen=list(floor.seen.values()),
            regains=[each for callers in floor.regains.values() for each in callers.values()],
        )
    )


def restore(data: object) -> Engine:
    """The engine that was dumped. Raises SnapshotError, naming the field, for anything else."""
    version = data.get("version") if isinstance(data, dict) else None
    if version != VERSION:
        raise SnapshotError(f"snapshot.version: expected {VERSION}, got {version!r}")
    stored = decode(_Snapshot, data, "snapshot")
    try:
        validate(stored.configuration)
    except ConfigurationError as error:
        raise SnapshotError(f"snapshot.configuration: {error}") from error
    floor = Floor(stored.configuration, stored.now)
    floor.handled, floor.paused = stored.handled, stored.paused
    floor.agents = {agent.id: agent for agent in stored.agents}
    floor.interactions = {interaction.id: interaction for interaction in stored.interactions}
    for agent in stored.agents:
        if agent.presence is not Presence.LOGGED_OUT and not agent.signed_in_at:
            agent.signed_in_at = agent.tile_at  # stored before this was kept: the best that is known
    floor.closed = dict.fromkeys(stored.closed)
    floor.counts = dict(stored.counts)
    floor.closures = {closure.queue: closure for closure in stored.closures}
    floor.seen = {seen.queue: seen for seen in stored.seen}
    for each in stored.regains:
        floor.regains.setdefault(each.queue, {})[each.caller] = each
    for interaction in stored.interactions:
        if interaction.is_waiting and not interaction.chain:
            interaction.chain = (interaction.queue,)  # stored before this was kept
    _verify(floor, stored)
    floor.reindex()
    floor.freed.clear()  # the dumped engine had matched them already
    floor.stirred.clear()
    floor.changed.clear()
    note_shown(floor)
    return Engine.on(floor)


def _verify(floor: Floor, stored: _Snapshot) -> None:
    """Ids are unique, and queues and agents that are named are there."""
    for what, found, unique in (
        ("agents", stored.agents, floor.agents),
        ("interactions", stored.interactions, floor.interactions),
        ("closures", stored.closures, floor.closures),
    ):
        if len(found) != len(unique):
            raise SnapshotError(f"snapshot.{what}: expected every id once, got one twice")
    queues = {rules.id for rules in stored.configuration.queues}
    for at, agent in enumerate(stored.agents):
        moved = (queue for move in agent.moves for queue in (*move.add, *move.remove))
        for what, named in (("profile.queues", agent.profile.queues), ("moves", moved)):
            for queue in named:
                if queue not in queues:
                    raise SnapshotError(f"snapshot.agents[{at}].{what}: expected known ones, got {queue!r}")
    for what, names in (
        ("closures", [each.queue for each in stored.closures]),
        ("seen", [each.queue for each in stored.seen]),
        ("regains", [each.queue for each in stored.regains]),
    ):
        for at, name in enumerate(names):
            if name not in queues:
                raise SnapshotError(f"snapshot.{what}[{at}].queue: expected a known queue, got {name!r}")
    for at, interaction in enumerate(stored.interactions):
        where = f"snapshot.interactions[{at}]"
        if interaction.is_waiting and interaction.queue not in queues:
            raise SnapshotError(f"{where}.queue: expected a known queue, got {interaction.queue!r}")
        for agent_id in (interaction.agent_id, *(each.agent_id for each in interaction.beside)):
            if agent_id and agent_id not in floor.agents:
                raise SnapshotError(f"{where}.agent_id: expected a known agent, got {agent_id!r}")


# --- views ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgentView:
    """An agent now. `since`: when the state shown began. `interaction_id`: held first, or empty.
    `deadline`: of the offer, the wrap-up, or of a desktop that is gone; 0 for none. `queues`: served now, with what
    temporary `moves` (planned and active) make of them."""

    id: str
    name: str
    state: AgentState
    reason: str
    since: int
    presence: Presence
    presence_reason: str
    phone: Phone
    desktop: Desktop
    idle_since: int
    interaction_id: str
    deadline: int
    queues: tuple[str, ...]
    skills: tuple[tuple[str, int], ...]
    moves: tuple[Move, ...] = ()
    latest: int = 0


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue now; fields as in `QueueChanged`."""

    id: str
    title: str
    waiting: int
    oldest_asked_at: int
    agents_ready: int
    agents_signed_in: int
    is_closed: bool = False
    promised: int = 0


@dataclass(frozen=True, slots=True)
class InteractionView:
    """An open interaction now. `priority` is the effective one; it, `position` (from 1), `first_asked_at` and
    `entered_at` are 0 where they do not apply. `visit_id`: the visit that is open. `offer_id`: the offer or talk
    in progress, with `offered_at` and, in a talk, `talk_started_at`. `served_by`: who talked last.
    `reason`: why `agent_id` has them; None before an offer and for adopted talks. `beside`: further offers whose phones
    ring at the same time. `ring`: how many rings of the queue are reached. `preferred`: agents who alone may until
    `preferred_until`; empty and 0 once that is over. `left_by`: how its last visit ended (an overflow's cause, else the
    outcome); empty before. `expected_wait_us`: how long they will wait from now on (the queue's estimator); 0 where
    nothing can be said. `callback_number`: to be called back, since `promised_at`; then `attempts` were begun, the next
    not before `not_before` (0: any time), and `on_line` when they have answered and wait like any caller. `carried`:
    what the call that keeps the promise takes up. `recordings`: how often they were asked whether they may be recorded;
    `is_recorded`: they are being recorded."""

    id: str
    caller: str
    dialled: str
    flow: str
    medium: str
    stage: Stage
    attached: bool
    queue: str
    priority: int
    attributes: Attributes
    arrived_at: int
    first_asked_at: int
    entered_at: int
    position: int
    agent_id: str
    offer_id: str
    offered_at: int
    talk_started_at: int
    visit_id: str
    served_by: str
    reason: Reason | None
    ring: int = 0
    preferred: tuple[str, ...] = ()
    preferred_until: int = 0
    left_by: str = ""
    expected_wait_us: int = 0
    beside: tuple[OpenOffer, ...] = ()
    callback_number: str = ""
    promised_at: int = 0
    attempts: int = 0
    not_before: int = 0
    on_line: bool = False
    carried: str = ""
    recordings: int = 0
    is_recorded: bool = False

    @property
    def is_promised(self) -> bool:
        """To be called back, and not on the line: nobody need be there."""
        return self.callback_number != "" and not self.on_line

    @property
    def open_offers(self) -> tuple[OpenOffer, ...]:
        """All phones that ring for it now."""
        if self.stage is not Stage.OFFERED:
            return ()
        return (OpenOffer(self.offer_id, self.agent_id, self.reason), *self.beside)

    def held_by(self, agent_id: str) -> InteractionView | None:
        """The same with the offer or talk of this agent; None where they hold neither."""
        if self.agent_id == agent_id:
            return self
        for each in self.beside:
            if each.agent_id == agent_id:
                return replace(self, agent_id=agent_id, offer_id=each.offer_id, reason=each.reason)
        return None


@dataclass(frozen=True, slots=True)
class Board:
    """Everything a wallboard shows at `at`. `paused`: why there are no offers, or None.
    Agents and queues in the order of the configuration, interactions in the order of arrival."""

    at: int
    paused: str | None
    agents: tuple[AgentView, ...]
    queues: tuple[QueueView, ...]
    interactions: tuple[InteractionView, ...]


def board(engine: Engine) -> Board:
    """All views at the instant of the last event."""
    floor = engine.floor
    return Board(
        at=floor.now,
        paused=floor.paused,
        agents=tuple(_agent_view(agent) for agent in floor.agents.values()),
        queues=tuple(queue_view(engine, queue_id) for queue_id in floor.queues),
        interactions=tuple(_interaction_view(floor, each) for each in floor.interactions.values()),
    )


def agent_view(engine: Engine, agent_id: str) -> AgentView | None:
    """One agent, or None when unknown."""
    agent = engine.floor.agents.get(agent_id)
    return _agent_view(agent) if agent else None


def queue_view(engine: Engine, queue_id: str) -> QueueView:
    """One queue of the configuration; KeyError when there is none of that id."""
    queue = engine.floor.queues[queue_id]
    totals = queue.totals()
    return QueueView(
        id=queue_id,
        title=queue.rules.title,
        waiting=totals.waiting,
        oldest_asked_at=totals.oldest_asked_at,
        agents_ready=totals.agents_ready,
        agents_signed_in=totals.agents_signed_in,
        is_closed=totals.is_closed,
        promised=totals.promised,
    )


def interaction_view(engine: Engine, interaction_id: str) -> InteractionView | None:
    """One open interaction, or None when unknown or closed."""
    interaction = engine.floor.interactions.get(interaction_id)
    return _interaction_view(engine.floor, interaction) if interaction else None


def stage_of(engine: Engine, interaction_id: str) -> Stage | None:
    """The stage of one open interaction, without the rest of its view; None when unknown or closed."""
    interaction = engine.floor.interactions.get(interaction_id)
    return interaction.stage if interaction else None


def is_promised(engine: Engine, interaction_id: str) -> bool:
    """`InteractionView.is_promised` without the rest of the view; False when unknown or closed."""
    interaction = engine.floor.interactions.get(interaction_id)
    return interaction is not None and interaction.is_promised


def head_count(engine: Engine) -> tuple[Counter[AgentState], Counter[Stage]]:
    """How many agents are in each state and interactions in each stage, without their views."""
    floor = engine.floor
    agents = Counter(agent.state for agent in floor.agents.values())
    return agents, Counter(interaction.stage for interaction in floor.interactions.values())


def _agent_view(agent: Agent) -> AgentView:
    held = most_telling(agent)
    return AgentView(
        id=agent.id,
        name=agent.profile.name,
        state=agent.state,
        reason=state_reason(agent),
        since=agent.tile_at,
        presence=agent.presence,
        presence_reason=agent.presence_reason,
        phone=agent.phone,
        desktop=agent.desktop,
        idle_since=agent.idle_since,
        interaction_id=held.interaction_id if held else "",
        deadline=held.deadline if held else agent.desktop_deadline,
        latest=held.latest if held else 0,
        queues=agent.queues,
        skills=agent.profile.skills,
        moves=tuple(agent.moves),
    )


def _interaction_view(floor: Floor, interaction: Interaction) -> InteractionView:
    queue = floor.queues.get(interaction.queue)
    waiting = interaction.is_waiting
    talking = interaction.stage is Stage.TALKING
    return InteractionView(
        id=interaction.id,
        caller=interaction.caller,
        dialled=interaction.dialled,
        flow=interaction.flow,
        medium=interaction.medium,
        stage=interaction.stage,
        attached=interaction.attached,
        queue=interaction.queue,
        priority=-interaction.rank[0] if queue else 0,
        attributes=interaction.attributes,
        arrived_at=interaction.arrived_at,
        first_asked_at=interaction.first_asked_at or 0,
        entered_at=interaction.entered_at if waiting else 0,
        position=queue.line.position(interaction.rank) if queue and waiting else 0,
        agent_id=interaction.agent_id,
        offer_id=interaction.offer_id,
        offered_at=interaction.offered_at if interaction.offer_id else 0,
        talk_started_at=interaction.talk_started_at if talking else 0,
        visit_id=interaction.visit_id,
        served_by=interaction.served_by,
        reason=interaction.reason,
        ring=interaction.ring if waiting else 0,
        preferred=interaction.preferred if waiting and interaction.preferred_until else (),
        preferred_until=interaction.preferred_until if waiting else 0,
        beside=interaction.beside,
        left_by=interaction.left_by,
        expected_wait_us=expect(floor, interaction).mean_us if queue and waiting else 0,
        callback_number=interaction.callback_number,
        promised_at=interaction.promised_at,
        attempts=interaction.attempts,
        not_before=interaction.not_before,
        on_line=interaction.on_line,
        carried=interaction.carried,
        recordings=interaction.recordings,
        is_recorded=interaction.recording != "",
    )
