"""Test support: an account of the floor kept from events and answers alone, and the naive decision made on it.

It shares no index, key or helper with `acd`: agents and callers are plain records, and every question is answered
by scanning all of them. The engine must agree with it after each event.

Longer than other files, because an account that shares nothing with what it judges has to hold every rule itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import blake2b

from acd.commands import (
    AgentChanged,
    AgentIntervalClosed,
    AgentMoveChanged,
    CallbackChanged,
    Command,
    InteractionClosed,
    InteractionOpened,
    OfferClosed,
    OfferInteraction,
    QueueChanged,
    QueueClosureChanged,
    StageChanged,
    TalkClosed,
    TalkOpened,
    VisitClosed,
    VisitOpened,
    VisitStepped,
    WrapUpClosed,
)
from acd.events import (
    AgentMoveCancelled,
    AgentMoved,
    CallbackAnswered,
    CallbackCancelled,
    CallerLeft,
    ClockReached,
    ConfigurationChanged,
    Event,
    FlowEnded,
    InteractionAttached,
    InteractionDetached,
    InteractionQueued,
    QueueClosed,
    QueueOpened,
    RoutingPaused,
    RoutingResumed,
    WrapUpExtended,
)
from acd.model import (
    AgentProfile,
    CallbackRules,
    CallbackState,
    Configuration,
    Desktop,
    MoveState,
    OfferOutcome,
    Outcome,
    OverflowCause,
    Phone,
    Presence,
    QueueRules,
    Requirement,
    Stage,
    Strategy,
    VisitOutcome,
)
from tests.acd.mirror_overflow import Overflows, is_vague


@dataclass
class Caller:
    medium: str = "voice"
    attached: bool = True
    stage: Stage = Stage.IN_FLOW
    queue: str = ""
    asked: int | None = None
    priority: int = 0
    requirements: tuple[Requirement, ...] = ()
    visit: str = ""
    offers: dict[str, str] = field(default_factory=dict)
    talk: str = ""
    offers_made: int = 0
    entered: int = 0
    ring: int = 0
    raised: int = 0
    preferred: tuple[str, ...] = ()
    until: int = 0
    told: tuple[int, bool] = (0, False)
    chain: tuple[str, ...] = ()
    by_promise: bool = False
    wait_until: int = 0
    since: int = 0
    left: str = ""
    who: str = ""
    number: str = ""
    rules: CallbackRules = field(default_factory=CallbackRules)
    promised_at: int = 0
    attempts: int = 0
    not_before: int = 0
    on_line: bool = False

    @property
    def is_promised(self) -> bool:
        return self.number != "" and not self.on_line

    @property
    def may_be_offered(self) -> bool:
        return self.stage is Stage.QUEUED and (self.not_before == 0 if self.is_promised else self.attached)


@dataclass
class Posting:
    """A temporary move, planned or active."""

    id: str
    add: tuple[str, ...]
    remove: tuple[str, ...]
    begins: int
    ends: int
    active: bool


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
    postings: list[Posting] = field(default_factory=list)
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
        self.media: dict[str, str] = {}
        self.posted: list[tuple[str, str, tuple[str, ...], tuple[str, ...], MoveState]] = []
        self.overflows = Overflows(self)
        self.served_in: dict[str, str] = {}
        self.closed: dict[str, int] = {}
        self.kept: set[str] = set()
        self.totals = {rules.id: QueueChanged(rules.id, 0, 0, 0, 0) for rules in configuration.queues}

    def follow(self, event: Event, answer: tuple[Command, ...], now: int) -> None:
        self.taken: list[int] = []
        for caller in self.callers.values():
            caller.left = ""
        agreed = self._promised_to(event)
        self._take_event(event, now)
        self.vague = is_vague(event, answer)
        told = [
            (each.agent_id, each.move_id, each.add, each.remove, each.state)
            for each in answer
            if isinstance(each, AgentMoveChanged)
        ]
        assert sorted(told) == sorted(self.posted)
        before = {agent_id: seat.shown for agent_id, seat in self.seats.items()}
        for command in answer:
            self._take(command, event, now)
            self.overflows.take_other(command, now)
        self._forget_seats()
        made = [each for each in answer if isinstance(each, OfferInteraction)]
        self.overflows.judge(event, answer, {(each.interaction_id, each.agent_id) for each in made}, now)
        self._settle({each.interaction_id for each in made})
        self._judge_offers(made, now)
        for each in made:
            self.seats[each.agent_id].offered_at = now
        if isinstance(event, WrapUpExtended):
            self._judge_wrap_up(event, before.get(event.agent_id))
        self._judge_closures(event, answer)
        assert agreed is None or agreed in self.callers, "a promise ended because nobody was there"
        self._judge_holdings()
        self._judge_promises(event, answer, now)
        self._judge_totals()

    def _promised_to(self, event: Event) -> str | None:
        """Whom this event of theirs must not end: a customer who went home as agreed."""
        if isinstance(event, CallerLeft | FlowEnded):
            caller = self.callers.get(event.interaction_id)
            if caller is not None and caller.is_promised:
                return event.interaction_id
        return None

    # --- what the event itself says ------------------------------------------------------------------------

    def _take_event(self, event: Event, now: int) -> None:
        self.posted = []
        if isinstance(event, AgentMoved | AgentMoveCancelled):
            self._take_move(event, now)
        elif isinstance(event, InteractionAttached | InteractionDetached):
            if event.interaction_id in self.callers:
                self.callers[event.interaction_id].attached = isinstance(event, InteractionAttached)
        elif isinstance(event, CallerLeft):
            if event.interaction_id in self.callers:
                self.callers[event.interaction_id].attached = False
        elif isinstance(event, ClockReached):
            self._take_time(now)
            self.closed = {queue: until for queue, until in self.closed.items() if not until or until > now}
            self._take_time_of_moves(now)
        elif isinstance(event, QueueClosed):
            self._take_closing(event, now)
        elif isinstance(event, QueueOpened):
            self.closed.pop(event.queue, None)
        elif isinstance(event, RoutingPaused | RoutingResumed):
            self.paused = isinstance(event, RoutingPaused)
        elif isinstance(event, ConfigurationChanged):
            self.configuration = event.configuration
            names = {rules.id for rules in event.configuration.queues}
            self.closed = {queue: until for queue, until in self.closed.items() if queue in names}
            self.overflows.forget(names)
            for profile in event.configuration.agents:
                self.seats.setdefault(profile.id, Seat(now))
            self._keep_moves()

    def _take_time(self, now: int) -> None:
        """Rings, steps and preferences that are due; nothing is ever taken back."""
        for caller in self.callers.values():
            if caller.stage in (Stage.QUEUED, Stage.OFFERED):
                rules = self._rules(caller.queue)
                waited = now - caller.since
                if caller.is_promised and caller.stage is Stage.QUEUED and caller.not_before <= now:
                    caller.not_before = 0
                caller.ring = max(caller.ring, len([each for each in rules.relax if each.after_us <= waited]))
                caller.raised = max(caller.raised, len([x for x in rules.raise_priority if x.after_us <= waited]))
                if now >= caller.until:
                    caller.until = 0

    def _take_move(self, event: AgentMoved | AgentMoveCancelled, now: int) -> None:
        seat = self.seats.get(event.agent_id)
        if seat is None:
            return
        known = [each for each in seat.postings if each.id == event.move_id]
        if isinstance(event, AgentMoveCancelled):
            for each in known:
                seat.postings.remove(each)
                self._post(event.agent_id, each, MoveState.CANCELLED)
            return
        queues = {rules.id for rules in self.configuration.queues}
        named = [*event.add, *event.remove]
        sensible = named and set(named) <= queues and not set(event.add) & set(event.remove)
        begins = max(now, event.from_at)
        employed = event.agent_id in {profile.id for profile in self.configuration.agents}
        if known or not sensible or not employed or 0 < event.until_at <= begins or len(seat.postings) == 20:
            return
        made = Posting(event.move_id, event.add, event.remove, begins, event.until_at, begins == now)
        seat.postings.append(made)
        self._post(event.agent_id, made, MoveState.ACTIVE if made.active else MoveState.PLANNED)

    def _take_time_of_moves(self, now: int) -> None:
        for agent_id, seat in self.seats.items():
            for each in list(seat.postings):
                if not each.active and each.begins <= now:
                    each.active = True
                    self._post(agent_id, each, MoveState.ACTIVE)
                if 0 < each.ends <= now:
                    seat.postings.remove(each)
                    self._post(agent_id, each, MoveState.OVER)

    def _keep_moves(self) -> None:
        queues = {rules.id for rules in self.configuration.queues}
        employed = {profile.id for profile in self.configuration.agents}
        for agent_id, seat in self.seats.items():
            for each in list(seat.postings):
                add = tuple(queue for queue in each.add if queue in queues)
                remove = tuple(queue for queue in each.remove if queue in queues)
                if agent_id not in employed or not (add or remove):
                    seat.postings.remove(each)
                    self._post(agent_id, each, MoveState.OVER)
                elif (each.add, each.remove) != (add, remove):
                    each.add, each.remove = add, remove
                    self._post(agent_id, each, MoveState.ACTIVE if each.active else MoveState.PLANNED)

    def _post(self, agent_id: str, posting: Posting, state: MoveState) -> None:
        self.posted.append((agent_id, posting.id, posting.add, posting.remove, state))

    def serves(self, profile: AgentProfile) -> set[str]:
        """The agent's queues now."""
        serving = set(profile.queues)
        for each in self.seats[profile.id].postings:
            if each.active:
                serving = (serving | set(each.add)) - set(each.remove)
        return serving

    def _take_closing(self, event: QueueClosed, now: int) -> None:
        known = any(rules.id == event.queue for rules in self.configuration.queues)
        if known and not 0 < event.until_at <= now:
            self.closed[event.queue] = event.until_at
            waiting = {caller.visit for each, caller in self.callers.items() if self.waits_in(each, event.queue)}
            self.kept = self.kept | waiting if event.keep_waiting else self.kept - waiting

    # --- what the answer says ------------------------------------------------------------------------------

    def _first(self, kind: str, name: str) -> None:
        """Each of these is said once, for ever."""
        assert f"{kind} {name}" not in self.once, f"{kind} of {name} was said twice"
        self.once.add(f"{kind} {name}")

    def _take(self, command: Command, event: Event, now: int) -> None:
        match command:
            case InteractionOpened():
                self._first("opened", command.interaction_id)
                who = getattr(event, "number", "") or command.caller
                self.callers[command.interaction_id] = Caller(command.medium, who=who)
                self.media[command.interaction_id] = command.medium
            case InteractionClosed():
                self._first("outcome", command.interaction_id)
                caller = self.callers.pop(command.interaction_id)
                assert (caller.visit, caller.offers, caller.talk, caller.number) == ("", {}, "", "")
                if not isinstance(event, FlowEnded):  # which may name any outcome
                    assert (command.outcome is Outcome.CALLED_IN) == (caller.left == "called_in")
                    failed = caller.left in ("given_up", "cancelled")
                    assert (command.outcome is Outcome.CALLBACK_FAILED) == failed
            case StageChanged():
                self._take_stage(command)
            case VisitOpened():
                self._take_visit(command, event, now)
            case VisitClosed():
                self.overflows.take_visit_end(command, now)
                self._first("visit end", command.visit_id)
                caller = self.callers[command.interaction_id]
                assert caller.visit == command.visit_id
                assert (command.outcome is VisitOutcome.OVERFLOWED and command.cause != "") == bool(command.cause)
                if command.cause == OverflowCause.CLOSED:
                    assert command.queue in self.closed, "refused although it is open"
                caller.visit, caller.left = "", caller.left or command.queue
            case VisitStepped():
                caller = self.callers[command.interaction_id]
                assert caller.visit == command.visit_id
                assert caller.told != (command.ring, command.preferring) or command.cause == "time"
                caller.told = (command.ring, command.preferring)
            case CallbackChanged():
                self._take_promise(command, event, now)
            case OfferInteraction():
                self._take_offer(command)
            case OfferClosed():
                self._take_offer_end(command)
            case TalkOpened():
                self._first("talk", command.talk_id)
                assert not self.callers[command.interaction_id].offers, "another phone rings on"
                self.served_in[command.talk_id] = command.queue
                self.callers[command.interaction_id].talk = command.talk_id
                holds = self.seats[command.agent_id].holds
                assert holds.get(command.interaction_id) in (None, "answered")
                holds[command.interaction_id] = "talk"
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

    def _spoken_of(self, seat: Seat) -> str:
        """A call before other media, a talk before an offer before wrap-up, and what was held first."""
        for calls in (True, False):
            for wanted in ("talk", "offer", "wrap-up"):
                for each, what in seat.holds.items():
                    if what == wanted and (self.media[each] == "voice") is calls:
                        return each
        return ""

    def _take_stage(self, command: StageChanged) -> None:
        caller = self.callers[command.interaction_id]
        assert (caller.stage, caller.queue, command.agent_id) != (command.stage, command.queue, "")
        caller.stage, caller.queue = command.stage, command.queue

    def _take_visit(self, command: VisitOpened, event: Event, now: int) -> None:
        self._first("visit", command.visit_id)
        caller = self.callers[command.interaction_id]
        if command.callback_number:
            caller.medium = self.media[command.interaction_id] = "voice"
        assert self._rules(command.queue).medium == caller.medium
        caller.visit = command.visit_id
        stays = command.callback_number != "" and caller.left == command.queue
        caller.entered = now
        if not stays:
            caller.since, caller.ring, caller.raised = now, 0, 0
        if isinstance(event, InteractionQueued) and self.overflows.asks(command, event):
            if caller.asked is None:
                caller.asked = now if event.first_asked_at is None else min(now, event.first_asked_at)
            caller.asked = min(caller.asked, *self.taken) if self.taken else caller.asked
            assert command.callback_number == event.callback_number
            if event.callback_number:
                self._take_new_promise(caller, command, event, now)
            if not stays:
                caller.priority, caller.requirements = event.priority, event.requirements
                caller.preferred = event.preferred
                caller.until = now + event.preferred_us if event.preferred and event.preferred_us else 0
        self.overflows.take_visit(command, event, now)
        assert command.first_asked_at == caller.asked, "the first-asked time changed"
        caller.left = ""
        caller.told = (caller.ring, caller.until > 0)
        line = sorted(self.rank(each) for each in self.callers if self.waits_in(each, command.queue))
        assert self.vague or command.position == line.index(self.rank(command.interaction_id)) + 1

    def _take_new_promise(self, caller: Caller, command: VisitOpened, event: InteractionQueued, now: int) -> None:
        rules = self._rules(command.queue).callback
        assert rules is not None, "promised where nobody is called back"
        assert command.queue not in self.closed
        caller.number, caller.rules = event.callback_number, rules
        caller.promised_at, caller.attempts = now, 0

    def _take_offer(self, command: OfferInteraction) -> None:
        caller = self.callers[command.interaction_id]
        caller.offers_made += 1
        assert command.offer_id == f"{command.interaction_id}/{caller.offers_made}"
        assert set(caller.offers) < set(command.together or (command.offer_id,)), "offered on while a phone rings"
        assert command.callback_number == (caller.number if caller.is_promised else "")
        lasts = caller.rules.reserve_us if caller.is_promised else self._rules(command.queue).ring_us
        assert command.expires_at == command.offered_at + lasts
        caller.offers[command.offer_id] = command.agent_id
        self.seats[command.agent_id].holds[command.interaction_id] = "offer"

    def _take_promise(self, command: CallbackChanged, event: Event, now: int) -> None:
        caller = self.callers[command.interaction_id]
        assert (command.number, command.promised_at) == (caller.number, caller.promised_at)
        match command.state:
            case CallbackState.PROMISED if isinstance(event, InteractionQueued):
                assert (command.attempts, command.not_before, caller.attempts) == (0, 0, 0)
            case CallbackState.PROMISED if command.not_before:
                assert not caller.offers, "put off while they are called"
                assert command.not_before == now + caller.rules.every_us
                assert caller.attempts < caller.rules.attempts
                caller.not_before, caller.on_line, caller.attached = command.not_before, False, False
            case CallbackState.PROMISED:
                assert caller.is_promised
                caller.attempts -= 1
            case CallbackState.CALLING:
                assert caller.is_promised
                assert caller.not_before == 0, "called too early"
                caller.attempts += 1
                assert caller.attempts <= caller.rules.attempts
            case CallbackState.ANSWERED:
                assert isinstance(event, CallbackAnswered)
                assert event.offer_id in caller.offers
                caller.on_line = caller.attached = True
            case _:
                self._end_promise(caller, command, event, now)
        assert command.attempts == caller.attempts

    def _end_promise(self, caller: Caller, command: CallbackChanged, event: Event, now: int) -> None:
        gone = command.queue not in {rules.id for rules in self.configuration.queues if rules.medium == "voice"}
        lapsed = now >= caller.promised_at + caller.rules.lasts_us
        match command.state:
            case CallbackState.KEPT:
                caller.attached = True
            case CallbackState.FAILED:
                by_flow = isinstance(event, FlowEnded) and caller.on_line
                assert caller.attempts >= caller.rules.attempts or lapsed or gone or by_flow, "given up too early"
                caller.left = "given_up" if not by_flow or caller.attempts >= caller.rules.attempts or lapsed else ""
            case CallbackState.CANCELLED:
                caller.left = "cancelled" if isinstance(event, CallbackCancelled) else ""
            case CallbackState.CALLED_IN:
                self._end_by_asking(caller, command, event)
            case _:
                raise AssertionError(command)
        caller.attempts, caller.not_before, caller.number, caller.on_line = command.attempts, 0, "", False
        caller.promised_at = 0

    def _end_by_asking(self, caller: Caller, command: CallbackChanged, event: Event) -> None:
        """The customer of `command.detail` is the same; the earlier time is theirs now."""
        newer = self.callers[command.detail]
        assert newer is not caller
        assert caller.asked is not None
        caller.left = "called_in"
        if isinstance(event, InteractionQueued):
            assert event.interaction_id == command.detail
            assert command.number in (newer.who, event.callback_number)
            assert command.queue == event.queue
            self.taken.append(caller.asked)
        else:
            assert (newer.number, newer.queue, newer.on_line) == (command.number, command.queue, False)
            assert newer.asked is not None
            newer.asked = min(newer.asked, caller.asked)

    def _judge_promises(self, event: Event, answer: tuple[Command, ...], now: int) -> None:
        """One promise per number and queue, none of which lasts too long; each waits, called or not."""
        open_now = [(caller.number, caller.queue) for caller in self.callers.values() if caller.is_promised]
        assert len(open_now) == len(set(open_now)), "two promises of one number"
        for caller in self.callers.values():
            assert not caller.number or caller.stage in (Stage.QUEUED, Stage.OFFERED)
            if isinstance(event, ClockReached) and caller.is_promised and caller.stage is Stage.QUEUED:
                assert now < caller.promised_at + caller.rules.lasts_us, "a promise outlived its time"
        for told in answer:
            if isinstance(told, CallbackChanged) and told.state is CallbackState.ANSWERED:
                (seat,) = (seat for seat in self.seats.values() if told.interaction_id in seat.holds)
                assert seat.shown is not None
                assert seat.shown.deadline == now + self._rules(told.queue).ring_us

    def _take_offer_end(self, command: OfferClosed) -> None:
        self._first("offer end", command.offer_id)
        caller = self.callers[command.interaction_id]
        assert caller.offers.pop(command.offer_id) == command.agent_id
        holds = self.seats[command.agent_id].holds
        assert holds[command.interaction_id] == "offer"
        holds[command.interaction_id] = "answered"
        if command.outcome is not OfferOutcome.ACCEPTED:
            del holds[command.interaction_id]
        assert (command.outcome is OfferOutcome.ACCEPTED) or caller.talk == ""

    def _take_talk_end(self, command: TalkClosed, now: int) -> None:
        self._first("talk end", command.talk_id)
        caller, seat = self.callers[command.interaction_id], self.seats[command.agent_id]
        assert caller.talk == command.talk_id
        caller.talk = ""
        seat.busy += now - max(command.started_at, seat.signed_in_at)
        assert seat.holds[command.interaction_id] == "talk"
        seat.holds[command.interaction_id] = "wrap-up"
        if command.wrap_up_until:
            self.wrap_ups.add((command.talk_id, command.agent_id))
        else:
            del seat.holds[command.interaction_id]
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
        assert command.interaction_id == self._spoken_of(seat)
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

    def waits_in(self, interaction_id: str, queue: str) -> bool:
        caller = self.callers[interaction_id]
        return caller.queue == queue and caller.stage in (Stage.QUEUED, Stage.OFFERED)

    def _rules(self, queue: str) -> QueueRules:
        (rules,) = [each for each in self.configuration.queues if each.id == queue]
        return rules

    def rank(self, interaction_id: str) -> tuple[int, int, str]:
        caller = self.callers[interaction_id]
        rules = self._rules(caller.queue)
        assert caller.asked is not None
        raised = sum(step.by for step in rules.raise_priority[: caller.raised])
        return (-(rules.priority + caller.priority + raised), caller.asked, interaction_id)

    def _reached(self, caller: Caller, ring: int) -> list[str]:
        return [caller.queue, *(queue for each in self._rules(caller.queue).relax[:ring] for queue in each.queues)]

    def _wanted(self, caller: Caller, ring: int) -> list[tuple[bool, dict[str, int]]]:
        """What is asked for: of each entry one skill at its level; whether there was a choice. What a ring dropped is
        not there."""
        rules = self._rules(caller.queue)
        entries = []
        for each in (*rules.requirements, *caller.requirements):
            entry: dict[str, int] = {}
            for skill, level in ((each.skill, each.level), *each.any_of):
                ceilings = [dict(made.levels)[skill] for made in rules.relax[:ring] if skill in dict(made.levels)]
                lowered = min(level, *ceilings) if ceilings else level
                entry[skill] = min(lowered, entry.get(skill, lowered))
            if all(entry.values()):
                entries.append((bool(each.any_of), entry))
        return entries

    def _suits(self, agent_id: str, caller: Caller, ring: int) -> bool:
        """Serves a queue that is reached and has the skills, whatever they do."""
        for profile in self.configuration.agents:
            if profile.id == agent_id:
                levels = dict(profile.skills)
                has_all = all(
                    any(levels.get(skill, 0) >= level for skill, level in entry.items())
                    for _, entry in self._wanted(caller, ring)
                )
                takes = dict(profile.capacity).get(caller.medium, 0) > 0
                return takes and has_all and not self.serves(profile).isdisjoint(self._reached(caller, ring))
        return False

    def _may(self, agent_id: str, interaction_id: str) -> bool:
        caller = self.callers[interaction_id]
        return (not caller.until or agent_id in caller.preferred) and self._suits(agent_id, caller, caller.ring)

    def _settle(self, offered: set[str]) -> None:
        """Where nobody who is signed in could ever serve, the next ring that somebody could, and no preference."""
        there = self.there()
        for interaction_id, caller in self.callers.items():
            if interaction_id in offered or caller.may_be_offered:
                rings = range(caller.ring, len(self._rules(caller.queue).relax) + 1)
                caller.ring = next(
                    (ring for ring in rings if any(self._suits(each, caller, ring) for each in there)), caller.ring
                )
                if not any(each in caller.preferred and self._suits(each, caller, caller.ring) for each in there):
                    caller.until = 0
            if caller.stage in (Stage.QUEUED, Stage.OFFERED):
                assert caller.told == (caller.ring, caller.until > 0)

    def rules_of(self, queue: str) -> QueueRules | None:
        return next((each for each in self.configuration.queues if each.id == queue), None)

    def there(self) -> list[str]:
        return [each for each, seat in self.seats.items() if seat.holds or seat.presence is not Presence.LOGGED_OUT]

    def works(self, agent_id: str) -> bool:
        return bool(self.seats[agent_id].holds) or self._is_able(agent_id)

    def held_before(self, offered: set[tuple[str, str]]) -> dict[str, list[str]]:
        """The media that each agent held before these offers were made."""
        return {
            agent_id: [
                self.media[each]
                for each, what in seat.holds.items()
                if what != "offer" or (each, agent_id) not in offered
            ]
            for agent_id, seat in self.seats.items()
        }

    def free(self, offered: set[tuple[str, str]], queue: str) -> list[str]:
        """Who had room for one of this queue's medium before these offers were made."""
        medium = self._rules(queue).medium
        return [each for each, held in self.held_before(offered).items() if self._has_room(each, medium, held)]

    def could(self, agent_id: str, interaction_id: str, queue: str) -> bool:
        """Whether the agent could take them in this queue, were they not to prefer others."""
        return self._suits(agent_id, replace(self.callers[interaction_id], queue=queue), 0)

    def _is_able(self, agent_id: str) -> bool:
        """Ready, phone free if they take calls, desktop there or not asked for; whatever they hold."""
        seat = self.seats[agent_id]
        calls = [dict(each.capacity).get("voice", 0) for each in self.configuration.agents if each.id == agent_id]
        return (
            calls != []
            and seat.presence is Presence.READY
            and (seat.phone is Phone.FREE or calls == [0])
            and (seat.desktop is Desktop.THERE or self.configuration.offer_without_desktop)
        )

    def _has_room(self, agent_id: str, medium: str, held: list[str]) -> bool:
        """Whether one who is ready and holds these media may be offered one more of this one."""
        seat = self.seats[agent_id]
        most = {profile.id: dict(profile.capacity).get(medium, 0) for profile in self.configuration.agents}
        if seat.presence is not Presence.READY or held.count(medium) >= most.get(agent_id, 0):
            return False
        if medium == "voice":
            without = self.configuration.offer_without_desktop
            return seat.phone is Phone.FREE and (seat.desktop is Desktop.THERE or without)
        return seat.desktop is Desktop.THERE and "voice" not in held

    def _held(self, agent_id: str) -> list[str]:
        return [self.media[each] for each in self.seats[agent_id].holds]

    def _key(self, agent_id: str, interaction_id: str, now: int) -> tuple[int | str, ...]:
        """Where the agent stands for this caller, by the strategy of the caller's queue."""
        caller = self.callers[interaction_id]
        if caller.until:
            return (caller.preferred.index(agent_id),)
        (profile,) = [each for each in self.configuration.agents if each.id == agent_id]
        first = next(queue for queue in self._reached(caller, caller.ring) if queue in self.serves(profile))
        return (dict(profile.queue_levels).get(first, 1), *self._key_of_strategy(profile, interaction_id, now))

    def _key_of_strategy(self, profile: AgentProfile, interaction_id: str, now: int) -> tuple[int | str, ...]:
        agent_id = profile.id
        caller, seat = self.callers[interaction_id], self.seats[agent_id]
        rules = self._rules(caller.queue)
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
                return (-self._levels_met(profile, caller), seat.idle_since, agent_id)
            case _:
                return (seat.idle_since, agent_id)

    def _levels_met(self, profile: AgentProfile, caller: Caller) -> int:
        """Each skill that is needed once, and of each different choice the best that is enough."""
        levels = dict(profile.skills)
        wanted = self._wanted(caller, caller.ring)
        single = {skill for choice, entry in wanted if not choice for skill in entry}
        choices = {tuple(sorted(entry.items())) for choice, entry in wanted if choice}
        enough = (
            max(levels.get(skill, 0) for skill, need in entry if levels.get(skill, 0) >= need) for entry in choices
        )
        return sum(levels[skill] for skill in single) + sum(enough)

    def _judge_offers(self, made: list[OfferInteraction], now: int) -> None:
        """The offers of this answer are exactly those that the rules give, in order, and no more are possible."""
        assert not (self.paused and made), "offered while paused"
        if self.paused:
            return
        new = {(each.interaction_id, each.agent_id) for each in made}
        rounds = {
            each.interaction_id: [x.offer_id for x in made if x.interaction_id == each.interaction_id] for each in made
        }
        for each in made:
            assert list(each.together) == (rounds[each.interaction_id] if len(rounds[each.interaction_id]) > 1 else [])
            caller = self.callers[each.interaction_id]
            reached = self._reached(caller, caller.ring)
            others = sum(not self.serves(each).isdisjoint(reached) for each in self.configuration.agents) - 1
            assert sum(count for _, count in each.reason.passed_over) == others
            levelled = {queue for x in self.configuration.agents for queue, level in x.queue_levels if level > 1}
            says_level = not caller.until and not levelled.isdisjoint(reached)
            assert (each.reason.key[0][0] == "level") is says_level
        waiting = [each for each, caller in self.callers.items() if each in rounds or caller.may_be_offered]
        held = self.held_before(new)
        turns = {agent_id: seat.offered_at for agent_id, seat in self.seats.items()}
        expected = []
        for interaction_id in sorted(waiting, key=self.rank):
            medium = self.media[interaction_id]
            able = [each for each in held if self._has_room(each, medium, held[each])]
            able = [each for each in able if self._may(each, interaction_id)]
            rules = self._rules(self.callers[interaction_id].queue)
            several = rules.strategy is Strategy.RING_ALL and not self.callers[interaction_id].is_promised
            most = rules.ring_at_most if several else 1
            ranked = sorted((self._key(each, interaction_id, now), each) for each in able)[:most]
            for key, best in ranked:
                if self.callers[interaction_id].until or key[0] == ranked[0][0][0]:  # those of one level
                    held[best].append(medium)
                    self.seats[best].offered_at = now
                    expected.append((interaction_id, best))
        for agent_id, offered_at in turns.items():
            self.seats[agent_id].offered_at = offered_at
        assert [(each.interaction_id, each.agent_id) for each in made] == expected

    def _judge_wrap_up(self, event: WrapUpExtended, was: AgentChanged | None) -> None:
        """It ends later by what was asked for, at most at the queue's limit, and never sooner."""
        seat = self.seats.get(event.agent_id)
        if seat is None or seat.shown is None or was is None or seat.holds.get(event.interaction_id) != "wrap-up":
            return
        if len(seat.holds) > 1:  # what is shown may be of another
            return
        assert was.deadline <= seat.shown.deadline <= max(was.deadline, was.deadline + event.by_us)
        assert seat.shown.deadline <= seat.shown.latest == was.latest

    def _judge_closures(self, event: Event, answer: tuple[Command, ...]) -> None:
        """In a closed queue only those wait who may stay; a closing is told when it begins, changes and ends."""
        for interaction_id, caller in self.callers.items():
            if caller.visit and caller.queue in self.closed and not caller.number:
                assert caller.visit in self.kept, f"{interaction_id} waits in {caller.queue}, which is closed"
        told = {each.queue for each in answer if isinstance(each, QueueClosureChanged) and each.is_closed}
        assert told == ({event.queue} if isinstance(event, QueueClosed) else set()) & set(self.closed) or not told

    def _judge_holdings(self) -> None:
        for agent_id, seat in self.seats.items():
            assert self._held(agent_id).count("voice") <= 1, f"{agent_id} holds {seat.holds}"
        for interaction_id, caller in self.callers.items():
            holders = [each for each, seat in self.seats.items() if seat.holds.get(interaction_id) in ("offer", "talk")]
            if caller.stage is Stage.OFFERED:
                assert holders
                assert sorted(holders) == sorted(caller.offers.values())
            else:
                assert len(holders) == (caller.stage is Stage.TALKING)
                assert not caller.offers
            assert bool(caller.visit) is (caller.stage in (Stage.QUEUED, Stage.OFFERED))

    def _judge_totals(self) -> None:
        for rules in self.configuration.queues:
            waiting = [each for each in self.callers if self.waits_in(each, rules.id)]
            serving = [each.id for each in self.configuration.agents if rules.id in self.serves(each)]
            idle = [each for each in serving if self._has_room(each, rules.medium, self._held(each))]
            there = [
                each
                for each in serving
                if self.seats[each].holds or self.seats[each].presence is not Presence.LOGGED_OUT
            ]
            asked = [self.callers[each].asked or 0 for each in waiting]
            promised = sum(self.callers[each].is_promised for each in waiting)
            assert self.totals[rules.id] == QueueChanged(
                rules.id, len(waiting), min(asked, default=0), len(idle), len(there), rules.id in self.closed, promised
            )


def _hash(text: str) -> int:
    return int(blake2b(text.encode(), digest_size=6).hexdigest(), 16)
