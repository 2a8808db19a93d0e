"""Why did, or does, nobody else get this interaction? The full list, told when somebody asks.

An offer carries its key and counts (`acd.explain`); the rest is worked out here, from the engine as it stood before
the event (`cti.replay` brings it there) or, for a waiting interaction, as it stands. Nothing given is changed: the
event is tried on a copy. The list holds every agent of the queue, and everybody else who is signed in.

What does not belong here: finding the place in the journal, and deciding anything. Values, their words and how they
are found stand together, since each kind of obstacle is all three: hence more than 400 lines.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from acd.assignments import Assignment
from acd.commands import OfferInteraction
from acd.engine import Engine
from acd.errors import AcdError
from acd.events import Event
from acd.floor import Floor
from acd.interactions import Interaction
from acd.matching import Needs
from acd.model import VOICE, AssignmentState, Desktop, Phone, Presence, Stage
from acd.presence import Agent
from acd.ranking import AgentKey
from acd.selection import may, rule_for, suits

Key = tuple[tuple[str, int | str], ...]
"""A ranking key as (label, value) pairs in ranking order, as in `acd.model.Reason`."""

#: So many callers before somebody are told one by one; the others are counted.
MOST_TOLD_BEFORE = 10

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NothingToExplainError(AcdError):
    """The offer was not made there, or the interaction does not wait."""

    code = "acd_nothing_to_explain"


class Teller:
    """How instants and people are written: times in `zone`, the day only where it is not that of `day_of`."""

    def __init__(self, names: dict[str, str], zone: tzinfo, day_of: int) -> None:
        self._names = names
        self._zone = zone
        self._day = self._local(day_of).date()

    def _local(self, at: int) -> datetime:
        return (_EPOCH + timedelta(microseconds=at)).astimezone(self._zone)

    def day_and_time(self, at: int) -> str:
        local = self._local(at)
        return f"{local:%Y-%m-%d} at {local:%H:%M:%S.%f}"[:-3] + f" {local:%Z}"

    def time(self, at: int) -> str:
        local = self._local(at)
        return f"{local:%H:%M:%S.%f}"[:-3] if local.date() == self._day else f"{local:%Y-%m-%d %H:%M:%S.%f}"[:-3]

    def person(self, agent_id: str) -> str:
        name = self._names.get(agent_id, "")
        return f"{name} ({agent_id})" if name and name != agent_id else agent_id

    def since(self, at: int) -> str:
        return f" since {self.time(at)}" if at else ""

    def value(self, label: str, value: int | str) -> str:
        """One part of a key, by its label: instants end in `_since` or `_at` (0: never), shares in `_millionths`."""
        if isinstance(value, int) and label.endswith(("_since", "_at")):
            return self.time(value) if value else "never"
        if isinstance(value, int) and label.endswith("_millionths"):
            return f"{value / 10_000:.4f} %"
        return str(value)

    def part(self, label: str, value: int | str) -> str:
        """The same with its label."""
        return f"{label.removesuffix('_millionths').replace('_', ' ')} {self.value(label, value)}"


# --- what stands in somebody's way -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NotServing:
    """Is not in this queue."""

    queue: str

    def tell(self, teller: Teller) -> str:
        return f"does not serve {self.queue}"


@dataclass(frozen=True, slots=True)
class Holding:
    """Holds an interaction: `same` when it is the one in question. `until`: end of ringing or wrap-up; 0: open."""

    state: AssignmentState
    interaction_id: str
    since: int
    until: int
    same: bool

    def tell(self, teller: Teller) -> str:
        if self.state is AssignmentState.CONNECTED:
            return f"talking with {self.interaction_id}{teller.since(self.since)}"
        if self.state is AssignmentState.WRAP_UP:
            return f"in wrap-up of {self.interaction_id} until {teller.time(self.until)}"
        if self.same:
            return f"their phone rings for this caller until {teller.time(self.until)}"
        return f"reserved by {self.interaction_id}, offered until {teller.time(self.until)}"


@dataclass(frozen=True, slots=True)
class NotReady:
    """Signed out or not ready, with the reason. `since` is 0 where something else is shown of them."""

    presence: Presence
    reason: str
    since: int

    def tell(self, teller: Teller) -> str:
        word = "signed out" if self.presence is Presence.LOGGED_OUT else "not ready"
        return word + (f" ({self.reason})" if self.reason else "") + teller.since(self.since)


@dataclass(frozen=True, slots=True)
class PhoneNotFree:
    """The phone is busy with something else, or gone."""

    phone: Phone

    def tell(self, teller: Teller) -> str:
        return "phone gone" if self.phone is Phone.GONE else "phone busy with something else"


@dataclass(frozen=True, slots=True)
class DesktopMissing:
    """No desktop is connected, and the site offers nobody without. `until`: then they become not ready; 0: no clock."""

    until: int

    def tell(self, teller: Teller) -> str:
        return "desktop gone" + (f", not ready from {teller.time(self.until)} if it stays away" if self.until else "")


@dataclass(frozen=True, slots=True)
class SkillMissing:
    """Has the skill at level `has` (0: not at all), and `needs` is asked for."""

    skill: str
    has: int
    needs: int

    def tell(self, teller: Teller) -> str:
        return f"skill {self.skill}: has {self.has or 'none'}, needs {self.needs}"


@dataclass(frozen=True, slots=True)
class RankedLower:
    """Could have taken them, but stands behind the chosen one: `label` is the first part of the keys that differs."""

    label: str
    own: int | str
    chosen: int | str

    def tell(self, teller: Teller) -> str:
        if self.label == "level":
            return f"could, but is asked after level {self.chosen}: has level {self.own}"
        own, chosen = teller.part(self.label, self.own), teller.value(self.label, self.chosen)
        return f"could, but ranks lower: {own}, the chosen one's {chosen}"


@dataclass(frozen=True, slots=True)
class RungTogether:
    """Was offered them at the same time, by this offer: both phones rang."""

    offer_id: str

    def tell(self, teller: Teller) -> str:
        return f"rung together with the chosen one (offer {self.offer_id})"


@dataclass(frozen=True, slots=True)
class ChoiceMissing:
    """Has none of these skills at the level beside it."""

    wanted: Needs

    def tell(self, teller: Teller) -> str:
        return "skill: needs " + " or ".join(f"{skill} {level}" for skill, level in self.wanted)


@dataclass(frozen=True, slots=True)
class NotPreferred:
    """Others alone may, until then."""

    until: int

    def tell(self, teller: Teller) -> str:
        return f"not preferred: only preferred agents may until {teller.time(self.until)}"


@dataclass(frozen=True, slots=True)
class RingNotReached:
    """A later ring of the caller's queue lets them in: number `ring` from 1, which is due at `at`."""

    ring: int
    at: int

    def tell(self, teller: Teller) -> str:
        return f"ring not reached: ring {self.ring} at {teller.time(self.at)} lets them"


@dataclass(frozen=True, slots=True)
class NoCapacity:
    """Takes nothing of this medium."""

    medium: str

    def tell(self, teller: Teller) -> str:
        return f"takes no {self.medium}"


Obstacle = (
    NotServing
    | NoCapacity
    | RingNotReached
    | ChoiceMissing
    | NotPreferred
    | Holding
    | NotReady
    | PhoneNotFree
    | DesktopMissing
    | SkillMissing
    | RankedLower
    | RungTogether
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One agent: everything that stood in their way, or nothing. `key`: their place among those who could."""

    agent_id: str
    name: str
    is_chosen: bool
    key: Key
    obstacles: tuple[Obstacle, ...]

    @property
    def could(self) -> bool:
        """Nothing but rank stood in their way, or nothing at all: their phone rang too."""
        return all(isinstance(each, RankedLower | RungTogether) for each in self.obstacles)


# --- the line --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Before:
    """Somebody who is served before: `by` is the part of the order that decides (priority, first_asked_at or
    interaction_id). `stage` offered: a phone rings for them; not `attached`: out of our hands for a moment. `promised`:
    to be called back, nobody need be there; offered then: they are being called."""

    interaction_id: str
    queue: str
    priority: int
    first_asked_at: int
    by: str
    stage: Stage
    attached: bool
    promised: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where an interaction stands. `position`: in its queue, from 1. `before`: who is served before it, in order,
    in its queue and in queues that share an agent with it. `paused`: why nobody is offered anything, or None.
    `offer_id`, `agent_id`: the phone that rings for it, or empty; `beside`: (offer, agent) of those that ring
    with it. `promised`: to be called back, `not_before` that instant (0: at any time); with an offer: they are being
    called, and the agent's phone does not ring yet."""

    position: int
    priority: int
    first_asked_at: int
    entered_at: int
    attached: bool
    paused: str | None
    offer_id: str
    agent_id: str
    before: tuple[Before, ...]
    beside: tuple[tuple[str, str], ...] = ()
    promised: bool = False
    not_before: int = 0


@dataclass(frozen=True, slots=True)
class Why:
    """The answer at instant `at`. For an offer: its id, the agent chosen, the rule, and the event on which it was
    decided; all empty for an interaction that waits, which has `waiting` instead."""

    interaction_id: str
    queue: str
    at: int
    needs: Needs
    agents: tuple[Candidate, ...]
    offer_id: str = ""
    agent_id: str = ""
    rule: str = ""
    event: str = ""
    waiting: Waiting | None = None


def explain_offer(engine_before: Engine, event: Event, now: int, offer_id: str) -> Why:
    """Why this event at `now` made this offer to this agent and to nobody else; the engine is left as it was.

    Raises NothingToExplainError when the event does not make the offer.
    """
    engine = deepcopy(engine_before)
    offered_before = {agent.id: agent.offered_at for agent in engine.floor.agents.values()}
    made = [each for each in engine.handle(event, now) if isinstance(each, OfferInteraction)]
    ids = [each.offer_id for each in made]
    if offer_id not in ids:
        raise NothingToExplainError(
            f"offer {offer_id!r}: expected {type(event).__name__} at {now} µs to make it, it made {ids}"
        )
    at = ids.index(offer_id)
    offer, floor = made[at], engine.floor
    # Offers of the same event that came before had reserved their agents by then; those made together with this one
    # and later ones had not.
    first = ids.index(offer.together[0]) if offer.together else at
    interaction = floor.interactions[offer.interaction_id]
    return Why(
        interaction_id=offer.interaction_id,
        queue=offer.queue,
        at=now,
        needs=interaction.needs,
        agents=_candidates(floor, interaction, offer, made[first:], offered_before),
        offer_id=offer_id,
        agent_id=offer.agent_id,
        rule=offer.reason.rule,
        event=type(event).__name__,
    )


def explain_waiting(engine: Engine, interaction_id: str) -> Why:
    """Why this interaction still waits. Raises NothingToExplainError when it does not wait in a queue."""
    floor = engine.floor
    interaction = floor.interactions.get(interaction_id)
    if interaction is None or not interaction.is_waiting:
        stage = "is not open" if interaction is None else f"is {interaction.stage.value}"
        raise NothingToExplainError(f"interaction {interaction_id!r}: expected it to wait in a queue, it {stage}")
    return Why(
        interaction_id=interaction_id,
        queue=interaction.queue,
        at=floor.now,
        needs=interaction.needs,
        agents=_candidates(floor, interaction, None, (), {}),
        waiting=_waiting(floor, interaction),
    )


# --- agents ----------------------------------------------------------------------------------------------


def _candidates(
    floor: Floor,
    interaction: Interaction,
    offer: OfferInteraction | None,
    not_yet: Sequence[OfferInteraction],
    offered_before: Mapping[str, int],
) -> tuple[Candidate, ...]:
    """`offer`: the one in question; `not_yet`: it, those made together with it, and later ones of the same event;
    `offered_before`: when agents had been offered something last before that event. The chosen agent comes first,
    then those who could have taken the interaction, best first, then the others of the queue."""
    offers = {each.offer_id for each in not_yet}
    chosen = offer.agent_id if offer else ""
    rung = {each.agent_id: each.offer_id for each in not_yet if offer and each.offer_id in offer.together}
    rule, seed = rule_for(floor, interaction), floor.configuration.seed
    found = []
    for agent in floor.agents.values():
        serves = _serves(agent, interaction)
        listed = interaction.queue in agent.queues
        if listed or agent.presence is not Presence.LOGGED_OUT or agent.assignments:
            obstacles = _obstacles(floor, agent, interaction, offers)
            key: Key = ()
            place: AgentKey = ()
            if not obstacles:
                then = replace(agent, offered_at=offered_before.get(agent.id, agent.offered_at))
                place = rule.key(then, interaction, floor.now, seed)
                key = rule.labelled(place)
                if offer and agent.id != chosen:
                    other = rung.get(agent.id)
                    obstacles = (RungTogether(other) if other else _ranked_lower(key, offer.reason.key),)
            candidate = Candidate(agent.id, agent.profile.name, agent.id == chosen, key, obstacles)
            found.append(((agent.id != chosen, not key, place, not serves), candidate))
    return tuple(candidate for _, candidate in sorted(found, key=lambda each: each[0]))


def _ranked_lower(key: Key, chosen: Key) -> RankedLower:
    (label, own), (_, other) = next(pair for pair in zip(key, chosen, strict=True) if pair[0] != pair[1])
    return RankedLower(label, own, other)


def _serves(agent: Agent, interaction: Interaction) -> bool:
    """Whether the agent is in one of the queues that the interaction reaches now."""
    return any(queue in agent.queues for queue in interaction.terms.queues)


def _obstacles(floor: Floor, agent: Agent, interaction: Interaction, not_yet: Collection[str]) -> tuple[Obstacle, ...]:
    """Everything but rank. None exactly when the agent was ready, serves the queue and has the skills."""
    found: list[Obstacle] = []
    if not _serves(agent, interaction):
        found.append(NotServing(interaction.queue))
    if interaction.preferred_until and agent.id not in interaction.preferred:
        found.append(NotPreferred(interaction.preferred_until))
    medium = floor.queues[interaction.queue].rules.medium
    held = [each for each in agent.assignments if each.talk_id not in not_yet]
    for each in _in_the_way(agent, held, medium):
        same = each.interaction_id == interaction.id
        found.append(Holding(each.state, each.interaction_id, each.since, each.deadline, same))
    if agent.presence is not Presence.READY:
        found.append(NotReady(agent.presence, agent.presence_reason, 0 if held else agent.tile_at))
    if agent.presence is not Presence.LOGGED_OUT:  # who went home has no phone or desktop to be missed
        if agent.phone is not Phone.FREE and medium == VOICE:
            found.append(PhoneNotFree(agent.phone))
        without = medium == VOICE and floor.configuration.offer_without_desktop
        if agent.desktop is Desktop.GONE and not without:
            found.append(DesktopMissing(agent.desktop_deadline))
    if not agent.capacity.get(medium):
        found.append(NoCapacity(medium))
    for skill, level in interaction.needs:
        has = agent.skills.get(skill, 0)
        if has < level:
            found.append(SkillMissing(skill, has, level))
    for group in interaction.choices:
        if all(agent.skills.get(skill, 0) < level for skill, level in group):
            found.append(ChoiceMissing(group))
    ring = 0 if may(floor, interaction, agent) else _ring_for(floor, interaction, agent)
    if ring:
        after_us = floor.queues[interaction.queue].rules.relax[ring - 1].after_us
        found.append(RingNotReached(ring, interaction.entered_at + after_us))
    return tuple(found)


def _in_the_way(agent: Agent, held: Sequence[Assignment], medium: str) -> list[Assignment]:
    """Of what the agent holds, what keeps them from one more of this medium."""
    calls = [each for each in held if each.medium == VOICE]
    if medium == VOICE:
        return calls
    same = [each for each in held if each.medium == medium]
    return [*calls, *(same if len(same) >= agent.capacity.get(medium, 0) else [])]


def _ring_for(floor: Floor, interaction: Interaction, agent: Agent) -> int:
    """The first later ring that lets this agent in, 0 for none."""
    later = range(interaction.ring + 1, len(floor.queues[interaction.queue].rules.relax) + 1)
    return next((ring for ring in later if suits(floor, floor.terms_at(interaction, ring), agent)), 0)


# --- callers ---------------------------------------------------------------------------------------------


def _waiting(floor: Floor, interaction: Interaction) -> Waiting:
    return Waiting(
        position=floor.queues[interaction.queue].line.position(interaction.rank),
        priority=-interaction.rank[0],
        first_asked_at=interaction.rank[1],
        entered_at=interaction.entered_at,
        attached=interaction.attached,
        paused=floor.paused,
        offer_id=interaction.offer_id,
        agent_id=interaction.agent_id,
        before=_before(floor, interaction),
        beside=tuple((each.offer_id, each.agent_id) for each in interaction.beside),
        promised=interaction.is_promised,
        not_before=interaction.not_before,
    )


def _before(floor: Floor, interaction: Interaction) -> tuple[Before, ...]:
    rivals = {interaction.queue}
    for agent in floor.agents.values():
        if interaction.queue in agent.queues:
            rivals.update(agent.queues)
    waiting = [each for each in floor.interactions.values() if each.is_waiting and each.queue in rivals]
    return tuple(
        Before(
            interaction_id=each.id,
            queue=each.queue,
            priority=-each.rank[0],
            first_asked_at=each.rank[1],
            by=_decided_by(interaction, each),
            stage=each.stage,
            attached=each.attached,
            promised=each.is_promised,
        )
        for each in sorted(waiting, key=lambda each: each.rank)
        if each.rank < interaction.rank
    )


def _decided_by(interaction: Interaction, other: Interaction) -> str:
    parts = zip(("priority", "first_asked_at", "interaction_id"), interaction.rank, other.rank, strict=True)
    return next(label for label, own, others in parts if own != others)


# --- in words --------------------------------------------------------------------------------------------


def tell(why: Why, zone: tzinfo = UTC) -> list[str]:
    """The answer in plain words, a line for each agent and each caller before; times in `zone`."""
    teller = Teller({each.agent_id: each.name for each in why.agents}, zone, why.at)
    lines = _tell_offer(why, teller) if why.waiting is None else _tell_waiting(why, why.waiting, teller)
    needed = ", ".join(f"{skill} {level}" for skill, level in why.needs)
    lines.append(f"Skills needed: {needed or 'none'}.")
    return lines + [f"{teller.person(each.agent_id)}: {_tell_candidate(why, each, teller)}" for each in why.agents]


def _tell_offer(why: Why, teller: Teller) -> list[str]:
    return [
        f"{why.interaction_id} in queue {why.queue} was offered to {teller.person(why.agent_id)} "
        f"on {teller.day_and_time(why.at)} (offer {why.offer_id}, rule {why.rule.replace('_', ' ')}, on {why.event})."
    ]


def _tell_waiting(why: Why, waiting: Waiting, teller: Teller) -> list[str]:
    lines = [
        f"{why.interaction_id} waits in queue {why.queue} on {teller.day_and_time(why.at)}: place {waiting.position}, "
        f"priority {waiting.priority}, first asked {teller.time(waiting.first_asked_at)}."
    ]
    if waiting.promised:
        lines.append(_tell_promise(waiting, teller))
    elif waiting.offer_id:
        lines.append(f"A phone rings for them: offer {waiting.offer_id} to {teller.person(waiting.agent_id)}.")
    lines += [f"Rings with it: offer {offer_id} to {teller.person(agent_id)}." for offer_id, agent_id in waiting.beside]
    if waiting.paused is not None:
        lines.append(f"Routing is paused, nobody is offered anything: {waiting.paused}.")
    if not (waiting.attached or waiting.promised):
        lines.append("Their connection to us is lost for a moment: they keep their place and are offered when back.")
    lines += [_tell_before(why, waiting, each, teller) for each in waiting.before[:MOST_TOLD_BEFORE]]
    if len(waiting.before) > MOST_TOLD_BEFORE:
        lines.append(f"Before them: {len(waiting.before) - MOST_TOLD_BEFORE} more.")
    return lines


def _tell_promise(waiting: Waiting, teller: Teller) -> str:
    if waiting.offer_id:
        return f"They are being called back: offer {waiting.offer_id} to {teller.person(waiting.agent_id)}."
    if waiting.not_before:
        return f"They are to be called back, not before {teller.time(waiting.not_before)}."
    return "They are to be called back."


def _tell_before(why: Why, waiting: Waiting, before: Before, teller: Teller) -> str:
    by = {
        "priority": f"priority {before.priority} against {waiting.priority}",
        "first_asked_at": f"first asked {teller.time(before.first_asked_at)}",
        "interaction_id": "asked at the same instant, smaller id",
    }[before.by]
    notes = [by]
    if before.queue != why.queue:
        notes.append(f"in queue {before.queue}, which shares agents")
    if before.promised:
        notes.append("being called back" if before.stage is Stage.OFFERED else "to be called back")
    elif before.stage is Stage.OFFERED:
        notes.append("a phone rings for them")
    if not (before.attached or before.promised):
        notes.append("out of our hands for a moment")
    return f"Before them: {before.interaction_id} ({', '.join(notes)})."


def _tell_candidate(why: Why, candidate: Candidate, teller: Teller) -> str:
    if candidate.obstacles:
        return "; ".join(each.tell(teller) for each in candidate.obstacles)
    told = ", ".join(teller.part(label, value) for label, value in candidate.key[:-1])
    if candidate.is_chosen:
        return f"chosen: {told}"
    return f"could take them: {told}"
