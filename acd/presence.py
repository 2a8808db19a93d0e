"""An agent: what they chose, their phone, their desktop, what they hold, and the one word derived from it.

The one word (`AgentState`) is a pure function of presence, phone, desktop and assignments: it is computed, never
set, so it cannot get stuck. What an agent may be offered is computed likewise (`room`): who takes calls only may be
offered one exactly when that word is `ready`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from acd.assignments import Assignment
from acd.commands import AgentChanged
from acd.interactions import DERIVED
from acd.model import VOICE, AgentProfile, AgentState, AssignmentState, Desktop, Move, MoveState, Phone, Presence
from acd.ranking import Standing

_BY_ASSIGNMENT = {
    AssignmentState.OFFERED: AgentState.RESERVED,
    AssignmentState.CONNECTED: AgentState.TALKING,
    AssignmentState.WRAP_UP: AgentState.WRAP_UP,
}
_BY_PRESENCE = {
    Presence.LOGGED_OUT: AgentState.LOGGED_OUT,
    Presence.NOT_READY: AgentState.NOT_READY,
}
_BY_PHONE = {
    Phone.GONE: AgentState.PHONE_GONE,
    Phone.BUSY: AgentState.PHONE_BUSY,
}
_ORDER = (AssignmentState.CONNECTED, AssignmentState.OFFERED, AssignmentState.WRAP_UP)
_ONE_CALL = {VOICE: 1}
_ROOM_FOR_A_CALL = (VOICE,)

#: An agent in one of these states works: they are there for whoever waits next, now or when they are done.
AT_WORK = (AgentState.READY, AgentState.RESERVED, AgentState.TALKING, AgentState.WRAP_UP)


@dataclass(slots=True)
class Agent:
    """Mutable, private to the engine.

    `idle_since`: since when they wait for work (docs/routing.md). `desktop_deadline`: when a desktop that is gone
    makes them Not Ready; 0 when no such clock runs. `leaving`: no longer in the configuration, but still holding
    something. `signed_in_at`: when they last signed in; since then they had `handled` talks and were busy with talks
    and wrap-ups for `busy_us` (those that are over). `offered_at`: their last offer, 0 for none. `tile_…`: the tile
    of the day that is open now; `tile_n` counts those begun in this microsecond. `moves`: temporary ones, planned or
    active, in the order in which they were asked for. `queues`: which they serve now. `levels`: by queue, where not 1.
    `capacity`: how many of which medium at once; `room`: the media of which they may be offered one more now.
    `place`: in the agents' list. `standing`: what the queues' ready lists hold them by, None while there is no room.
    """

    profile: AgentProfile
    idle_since: int
    tile_at: int
    presence: Presence = Presence.LOGGED_OUT
    presence_reason: str = ""
    phone: Phone = Phone.GONE
    desktop: Desktop = Desktop.GONE
    desktop_deadline: int = 0
    leaving: bool = False
    assignments: list[Assignment] = field(default_factory=list)
    signed_in_at: int = 0
    handled: int = 0
    busy_us: int = 0
    offered_at: int = 0
    tile_state: AgentState = AgentState.LOGGED_OUT
    tile_reason: str = ""
    tile_interaction: str = ""
    tile_n: int = 1
    moves: list[Move] = field(default_factory=list)
    state: AgentState = field(default=AgentState.LOGGED_OUT, metadata=DERIVED)
    queues: tuple[str, ...] = field(default=(), metadata=DERIVED)
    levels: Mapping[str, int] = field(default_factory=dict, metadata=DERIVED)
    capacity: Mapping[str, int] = field(default_factory=lambda: _ONE_CALL, metadata=DERIVED)
    room: tuple[str, ...] = field(default=(), metadata=DERIVED)
    skills: Mapping[str, int] = field(default_factory=dict, metadata=DERIVED)
    place: int = field(default=0, metadata=DERIVED)
    standing: Standing | None = field(default=None, metadata=DERIVED)
    shown: AgentChanged | None = field(default=None, metadata=DERIVED)

    @property
    def id(self) -> str:
        return self.profile.id

    def holding(self, interaction_id: str) -> Assignment | None:
        """The assignment of this interaction, or None."""
        for assignment in self.assignments:
            if assignment.interaction_id == interaction_id:
                return assignment
        return None

    def held(self, interaction_id: str) -> Assignment:
        """The assignment of this interaction; KeyError when there is none."""
        assignment = self.holding(interaction_id)
        if assignment is None:
            raise KeyError(f"agent {self.id!r} does not hold {interaction_id!r}")
        return assignment

    def moving(self, move_id: str) -> Move | None:
        """The planned or active move of this id, or None."""
        return next((move for move in self.moves if move.id == move_id), None)

    def wants_desktop(self, offer_without_desktop: bool) -> bool:
        """Ready, but without the desktop that offers need: the clock to Not Ready runs."""
        return self.presence is Presence.READY and self.desktop is Desktop.GONE and not offer_without_desktop


def served_queues(agent: Agent) -> tuple[str, ...]:
    """Which queues the agent serves now: those of the profile, changed by each active move in the order in which they
    were asked for, so that the later one wins where two disagree."""
    if not agent.moves:
        return agent.profile.queues
    queues = dict.fromkeys(agent.profile.queues)
    for move in agent.moves:
        if move.state is MoveState.ACTIVE:
            queues.update(dict.fromkeys(move.add))
            for queue in move.remove:
                queues.pop(queue, None)
    return tuple(queues)


def capacity(profile: AgentProfile) -> Mapping[str, int]:
    """By medium; the same mapping for all who take calls only."""
    found = dict(profile.capacity)
    return _ONE_CALL if found == _ONE_CALL else found


def most_telling(agent: Agent) -> Assignment | None:
    """What the one word speaks of: a call before other media, then what is talked about, then what is offered, then
    wrap-up, then what was held first."""
    if not agent.assignments:
        return None
    if len(agent.assignments) == 1:
        return agent.assignments[0]
    return min(agent.assignments, key=lambda held: (held.medium != VOICE, _ORDER.index(held.state)))


def room(agent: Agent, offer_without_desktop: bool) -> tuple[str, ...]:
    """The media of which the agent may be offered one more now: a call while the phone is free and they hold no other
    call, something else while the desktop is there, they hold no call, and fewer of it than they can."""
    if agent.capacity is _ONE_CALL and (not agent.assignments or agent.assignments[0].medium == VOICE):
        return _ROOM_FOR_A_CALL if agent.state is AgentState.READY else ()
    if agent.presence is not Presence.READY:
        return ()
    held = [each.medium for each in agent.assignments]
    there = agent.desktop is Desktop.THERE
    free = {VOICE: agent.phone is Phone.FREE and (there or offer_without_desktop)}
    other = there and VOICE not in held
    return tuple(
        medium for medium, most in agent.capacity.items() if held.count(medium) < most and free.get(medium, other)
    )


def agent_state(agent: Agent, offer_without_desktop: bool) -> AgentState:
    """The one word: what they hold first, else what they chose, else what keeps a ready agent from work."""
    held = most_telling(agent)
    if held is not None:
        return _BY_ASSIGNMENT[held.state]
    if agent.presence is not Presence.READY:
        return _BY_PRESENCE[agent.presence]
    if agent.phone is not Phone.FREE and agent.capacity.get(VOICE):
        return _BY_PHONE[agent.phone]
    if agent.wants_desktop(offer_without_desktop):
        return AgentState.DESKTOP_GONE
    return AgentState.READY


def state_reason(agent: Agent) -> str:
    """The reason that goes with the one word; only logged out and not ready have one."""
    if agent.state is AgentState.NOT_READY or agent.state is AgentState.LOGGED_OUT:
        return agent.presence_reason
    return ""


def agent_changed(agent: Agent) -> AgentChanged:
    """What a screen shows of this agent now."""
    held = most_telling(agent)
    return AgentChanged(
        agent_id=agent.id,
        state=agent.state,
        reason=state_reason(agent),
        since=agent.tile_at,
        presence=agent.presence,
        presence_reason=agent.presence_reason,
        phone=agent.phone,
        desktop=agent.desktop,
        interaction_id=held.interaction_id if held else "",
        deadline=held.deadline if held else agent.desktop_deadline,
        latest=held.latest if held else 0,
    )
