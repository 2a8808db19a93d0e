"""Test support: an account of the floor kept from events and answers alone, and the naive decision made on it.

It shares no index, key or helper with `acd`: agents and callers are plain records, and every question is answered
by scanning all of them. The engine must agree with it after each event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

from acd.commands import (
    AgentChanged,
    AgentIntervalClosed,
    Command,
    InteractionClosed,
    InteractionOpened,
    OfferClosed,
    OfferInteraction,
    QueueChanged,
    StageChanged,
    TalkClosed,
    TalkOpened,
    VisitClosed,
    VisitOpened,
    WrapUpClosed,
)
from acd.events import (
    ConfigurationChanged,
    Event,
    InteractionAttached,
    InteractionDetached,
    InteractionQueued,
    RoutingPaused,
    RoutingResumed,
)
from acd.model import Configuration, Desktop, OfferOutcome, Phone, Presence, Requirement, Stage, Strategy


@dataclass
class Caller:
    attached: bool = True
    stage: Stage = Stage.IN_FLOW
    queue: str = ""
    asked: int | None = None
    priority: int = 0
    requirements: tuple[Requirement, ...] = ()
    visit: str = ""
    offer: str = ""
    talk: str = ""
    offers_made: int = 0


@dataclass
class Seat:
    """An agent. `holds` are (interaction id, what) pairs; `tile_from` is where the open tile of the day began."""

    tile_from: int
    presence: Presence = Presence.LOGGED_OUT
    phone: Phone = Phone.GONE
    desktop: Desktop = Desktop.GONE
    idle_since: int = 0
    signed_in_at: int = 0
    handled: int = 0
    busy: int = 0
    offered_at: int = 0
    holds: dict[str, str] = field(default_factory=dict)
    shown: AgentChanged | None = None


class Mirror:
    """Feed it every event with its answer; it raises AssertionError where the answer breaks a promise."""

    def __init__(self, configuration: Configuration, now: int) -> None:
        self.configuration = configuration
        self.paused = False
        self.seats = {profile.id: Seat(now) for profile in configuration.agents}
        self.callers: dict[str, Caller] = {}
        self.once: set[str] = set()
        self.wrap_ups: set[tuple[str, str]] = set()
        self.totals = {rules.id: QueueChanged(rules.id, 0, 0, 0, 0) for rules in configuration.queues}

    def follow(self, event: Event, answer: tuple[Command, ...], now: int) -> None:
        self._take_event(event, now)
        for command in answer:
            self._take(command, event, now)
        self._forget_seats()
        made = [each for each in answer if isinstance(each, OfferInteraction)]
        self._judge_offers(made, now)
        for each in made:
            self.seats[each.agent_id].offered_at = now
        self._judge_holdings()
        self._judge_totals()

    # --- what the event itself says ------------------------------------------------------------------------

    def _take_event(self, event: Event, now: int) -> None:
        if isinstance(event, InteractionAttached | InteractionDetached):
            if event.interaction_id in self.callers:
                self.callers[event.interaction_id].attached = isinstance(event, InteractionAttached)
        elif isinstance(event, RoutingPaused | RoutingResumed):
            self.paused = isinstance(event, RoutingPaused)
        elif isinstance(event, ConfigurationChanged):
            self.configuration = event.configuration
            for profile in event.configuration.agents:
                self.seats.setdefault(profile.id, Seat(now))

    # --- what the answer says ------------------------------------------------------------------------------

    def _first(self, kind: str, name: str) -> None:
        """Each of these is said once, for ever."""
        assert f"{kind} {name}" not in self.once, f"{kind} of {name} was said twice"
        self.once.add(f"{kind} {name}")

    def _take(self, command: Command, event: Event, now: int) -> None:
        match command:
            case InteractionOpened():
                self._first("opened", command.interaction_id)
                self.callers[command.interaction_id] = Caller()
            case InteractionClosed():
                self._first("outcome", command.interaction_id)
                caller = self.callers.pop(command.interaction_id)
                assert (caller.visit, caller.offer, caller.talk) == ("", "", "")
            case StageChanged():
                self._take_stage(command)
            case VisitOpened():
                self._take_visit(command, event, now)
            case VisitClosed():
                self._first("visit end", command.visit_id)
                assert self.callers[command.interaction_id].visit == command.visit_id
                self.callers[command.interaction_id].visit = ""
            case OfferInteraction():
                self._take_offer(command, now)
            case OfferClosed():
                self._take_offer_end(command)
            case TalkOpened():
                self._first("talk", command.talk_id)
                self.callers[command.interaction_id].talk = command.talk_id
                assert not self.seats[command.agent_id].holds
                self.seats[command.agent_id].holds[command.interaction_id] = "talk"
                self.seats[command.agent_id].handled += 1
            case TalkClosed():
                self._take_talk_end(command, now)
            case WrapUpClosed():
                self._take_wrap_up_end(command, now)
            case AgentIntervalClosed():
                self._take_tile(command, now)
            case AgentChanged():
                self._take_agent(command, now)
            case QueueChanged():
                assert self.totals.get(command.queue) != command, "said although nothing changed"
                self.totals[command.queue] = command
            case _:
                pass

    def _take_stage(self, command: StageChanged) -> None:
        caller = self.callers[command.interaction_id]
        assert (caller.stage, caller.queue, command.agent_id) != (command.stage, command.queue, "")
        caller.stage, caller.queue = command.stage, command.queue

    def _take_visit(self, command: VisitOpened, event: Event, now: int) -> None:
        assert isinstance(event, InteractionQueued)
        self._first("visit", command.visit_id)
        caller = self.callers[command.interaction_id]
        if caller.asked is None:
            caller.asked = now if event.first_asked_at is None else min(now, event.first_asked_at)
        assert command.first_asked_at == caller.asked, "the first-asked time changed"
        caller.priority, caller.requirements = event.priority, event.requirements
        caller.visit = command.visit_id
        line = sorted(self._rank(each) for each in self.callers if self._waits_in(each, command.queue))
        assert command.position == line.index(self._rank(command.interaction_id)) + 1

    def _take_offer(self, command: OfferInteraction, now: int) -> None:
        caller = self.callers[command.interaction_id]
        caller.offers_made += 1
        assert command.offer_id == f"{command.interaction_id}/{caller.offers_made}"
        assert not caller.offer
        assert not self.seats[command.agent_id].holds, "an agent holds two"
        caller.offer = command.offer_id
        self.seats[command.agent_id].holds[command.interaction_id] = "offer"
        others = sum(command.queue in profile.queues for profile in self.configuration.agents) - 1
        assert sum(count for _, count in command.reason.passed_over) == others

    def _take_offer_end(self, command: OfferClosed) -> None:
        self._first("offer end", command.offer_id)
        caller = self.callers[command.interaction_id]
        assert caller.offer == command.offer_id
        caller.offer = ""
        assert self.seats[command.agent_id].holds.pop(command.interaction_id) == "offer"
        assert (command.outcome is OfferOutcome.ACCEPTED) or caller.talk == ""

    def _take_talk_end(self, command: TalkClosed, now: int) -> None:
        self._first("talk end", command.talk_id)
        caller, seat = self.callers[command.interaction_id], self.seats[command.agent_id]
        assert caller.talk == command.talk_id
        caller.talk = ""
        seat.busy += now - max(command.started_at, seat.signed_in_at)
        assert seat.holds.pop(command.interaction_id) == "talk"
        if command.wrap_up_until:
            seat.holds[command.interaction_id] = "wrap-up"
            self.wrap_ups.add((command.talk_id, command.agent_id))
        else:
            seat.idle_since = now

    def _take_wrap_up_end(self, command: WrapUpClosed, now: int) -> None:
        self.wrap_ups.remove((command.talk_id, command.agent_id))
        seat = self.seats[command.agent_id]
        assert seat.holds.pop(command.interaction_id) == "wrap-up"
        seat.busy += now - max(command.started_at, seat.signed_in_at)
        seat.idle_since = now

    def _take_tile(self, command: AgentIntervalClosed, now: int) -> None:
        self._first("tile", command.interval_id)
        seat = self.seats[command.agent_id]
        assert (command.from_at, command.to_at) == (seat.tile_from, now), "a gap or an overlap in the day"
        if seat.shown is not None:
            assert (command.state, command.reason) == (seat.shown.state, seat.shown.reason)
        seat.tile_from = now

    def _take_agent(self, command: AgentChanged, now: int) -> None:
        seat = self.seats[command.agent_id]
        assert command != seat.shown, "said although nothing changed"
        assert command.since == seat.tile_from
        assert command.interaction_id == next(iter(seat.holds), "")
        if command.presence is Presence.READY and seat.presence is not Presence.READY:
            seat.idle_since = now
        if command.presence is not Presence.LOGGED_OUT and seat.presence is Presence.LOGGED_OUT:
            seat.signed_in_at, seat.handled, seat.busy = now, 0, 0
        seat.presence, seat.phone, seat.desktop = command.presence, command.phone, command.desktop
        seat.shown = command

    def _forget_seats(self) -> None:
        known = {profile.id for profile in self.configuration.agents}
        for agent_id in [each for each, seat in self.seats.items() if each not in known and not seat.holds]:
            del self.seats[agent_id]
        queues = {rules.id for rules in self.configuration.queues}
        for queue_id in [each for each in self.totals if each not in queues]:
            assert self.totals.pop(queue_id) == QueueChanged(queue_id, 0, 0, 0, 0)

    # --- the naive decision --------------------------------------------------------------------------------

    def _waits_in(self, interaction_id: str, queue: str) -> bool:
        caller = self.callers[interaction_id]
        return caller.queue == queue and caller.stage in (Stage.QUEUED, Stage.OFFERED)

    def _rank(self, interaction_id: str) -> tuple[int, int, str]:
        caller = self.callers[interaction_id]
        (rules,) = [each for each in self.configuration.queues if each.id == caller.queue]
        assert caller.asked is not None
        return (-(rules.priority + caller.priority), caller.asked, interaction_id)

    def _may(self, agent_id: str, interaction_id: str) -> bool:
        caller = self.callers[interaction_id]
        (profile,) = [each for each in self.configuration.agents if each.id == agent_id]
        (rules,) = [each for each in self.configuration.queues if each.id == caller.queue]
        wanted = [*rules.requirements, *caller.requirements]
        levels = dict(profile.skills)
        return caller.queue in profile.queues and all(levels.get(each.skill, 0) >= each.level for each in wanted)

    def _is_able(self, agent_id: str) -> bool:
        """Ready, phone free, desktop there or not asked for; whatever they hold."""
        seat = self.seats[agent_id]
        return (
            agent_id in {profile.id for profile in self.configuration.agents}
            and seat.presence is Presence.READY
            and seat.phone is Phone.FREE
            and (seat.desktop is Desktop.THERE or self.configuration.offer_without_desktop)
        )

    def _key(self, agent_id: str, interaction_id: str, now: int) -> tuple[int | str, ...]:
        """Where the agent stands for this caller, by the strategy of the caller's queue."""
        caller, seat = self.callers[interaction_id], self.seats[agent_id]
        (rules,) = [each for each in self.configuration.queues if each.id == caller.queue]
        (profile,) = [each for each in self.configuration.agents if each.id == agent_id]
        draw = f"{self.configuration.seed} {interaction_id} {agent_id}"
        match rules.strategy:
            case Strategy.FEWEST_HANDLED:
                return (seat.handled, seat.idle_since, agent_id)
            case Strategy.LEAST_OCCUPIED:
                share = seat.busy * 1_000_000 // (now - seat.signed_in_at or 1)
                return (share, seat.idle_since, agent_id)
            case Strategy.ROUND_ROBIN:
                return (seat.offered_at, self.configuration.agents.index(profile), agent_id)
            case Strategy.LINEAR:
                return (self.configuration.agents.index(profile),)
            case Strategy.RANDOM:
                return (_hash(draw), agent_id)
            case Strategy.WEIGHTED_RANDOM:
                return (min(_hash(f"{draw} {ticket}") for ticket in range(profile.weight)), agent_id)
            case Strategy.BEST_SKILL_FIRST:
                wanted = {each.skill for each in (*rules.requirements, *caller.requirements)}
                return (-sum(level for skill, level in profile.skills if skill in wanted), seat.idle_since, agent_id)
            case _:
                return (seat.idle_since, agent_id)

    def _judge_offers(self, made: list[OfferInteraction], now: int) -> None:
        """The offers of this answer are exactly those that the rules give, in order, and no more are possible."""
        assert not (self.paused and made), "offered while paused"
        if self.paused:
            return
        new = {each.interaction_id: each.agent_id for each in made}
        waiting = [
            each
            for each, caller in self.callers.items()
            if each in new or (caller.stage is Stage.QUEUED and caller.attached)
        ]
        free = [
            agent_id
            for agent_id, seat in self.seats.items()
            if self._is_able(agent_id)
            and all(what == "offer" and new.get(each) == agent_id for each, what in seat.holds.items())
        ]
        expected = []
        for interaction_id in sorted(waiting, key=self._rank):
            able = [each for each in free if self._may(each, interaction_id)]
            if able:
                best = min((self._key(each, interaction_id, now), each) for each in able)[1]
                free.remove(best)
                expected.append((interaction_id, best))
        assert [(each.interaction_id, each.agent_id) for each in made] == expected

    def _judge_holdings(self) -> None:
        for agent_id, seat in self.seats.items():
            assert len(seat.holds) <= 1, f"{agent_id} holds {seat.holds}"
        for interaction_id, caller in self.callers.items():
            holders = [each for each, seat in self.seats.items() if seat.holds.get(interaction_id) in ("offer", "talk")]
            assert len(holders) == (caller.stage in (Stage.OFFERED, Stage.TALKING))
            assert bool(caller.visit) is (caller.stage in (Stage.QUEUED, Stage.OFFERED))

    def _judge_totals(self) -> None:
        for rules in self.configuration.queues:
            waiting = [each for each in self.callers if self._waits_in(each, rules.id)]
            serving = [each.id for each in self.configuration.agents if rules.id in each.queues]
            idle = [each for each in serving if self._is_able(each) and not self.seats[each].holds]
            there = [
                each
                for each in serving
                if self.seats[each].holds or self.seats[each].presence is not Presence.LOGGED_OUT
            ]
            asked = [self.callers[each].asked or 0 for each in waiting]
            assert self.totals[rules.id] == QueueChanged(
                rules.id, len(waiting), min(asked, default=0), len(idle), len(there)
            )


def _hash(text: str) -> int:
    return int(blake2b(text.encode(), digest_size=6).hexdigest(), 16)
