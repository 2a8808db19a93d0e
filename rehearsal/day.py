"""A virtual day: the clock jumps from event to event, and the engine that runs live decides.

Callers, phones and agents are played here; what the engine sees are its ordinary events, and only its commands
tell who rings where. Nothing reads a clock: the same scenario and replication give the same day, call by call.
At one instant the engine's own deadlines come first, then what was planned first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Any, Protocol

from acd.commands import (
    Command,
    InteractionClosed,
    OfferClosed,
    OfferInteraction,
    TalkClosed,
    TalkOpened,
    VisitClosed,
    WrapUpClosed,
)
from acd.engine import Engine
from acd.events import (
    CallerLeft,
    ClockReached,
    DesktopChanged,
    Event,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    PhoneChanged,
    PresenceChosen,
    WrapUpEnded,
)
from acd.model import Configuration, Desktop, OfferOutcome, Phone, Presence, VisitOutcome
from rehearsal.chance import stream
from rehearsal.errors import RehearsalError
from rehearsal.scenario import FOR_EVER, Callers, Scenario, Shift
from rehearsal.tally import Call, Day

#: The instant at which every rehearsed day starts, µs: any will do, as long as it is far from 0.
START_AT = 10**15

#: So often the engine may be told of one instant before the day is given up: it would never end.
STUCK_AFTER = 10_000


class Decider(Protocol):
    """The part of `acd.engine.Engine` that a day needs."""

    def handle(self, event: Event, now: int) -> tuple[Command, ...]: ...

    def next_due(self) -> int | None: ...


def rehearse(
    scenario: Scenario, replication: int = 0, engine_for: Callable[[Configuration, int], Decider] = Engine
) -> Day:
    """Play the scenario once; every replication draws other chances. Raises RehearsalError when a given list of
    lengths is shorter than its arrivals."""
    play = _Play(scenario, replication, engine_for(scenario.configuration, START_AT))
    play.run()
    return play.day()


class _Source:
    """One stream of callers with its generators."""

    __slots__ = ("arrivals", "callers", "handling", "patience")

    def __init__(self, callers: Callers, seed: int, replication: int) -> None:
        def rng(purpose: str) -> Any:
            return stream(seed, replication, callers.name, purpose)

        self.callers = callers
        self.arrivals: Iterator[int] = callers.arrivals.instants(rng("arrivals"))
        self.handling: Iterator[int] = callers.handling.draws(rng("handling"))
        self.patience: Iterator[int] | None = None
        if callers.patience is not None:
            self.patience = callers.patience.draws(rng("patience"))


class _Play:
    """Everything that moves during one day."""

    def __init__(self, scenario: Scenario, replication: int, engine: Decider) -> None:
        self.scenario = scenario
        self.engine = engine
        self.until = START_AT + scenario.length_us
        self.planned: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self.sequence = 0
        self.now = START_AT
        self.events = 0
        self.stuck = 0
        self.picked_up: deque[str] = deque()
        self.calls: list[Call] = []
        self.by_id: dict[str, Call] = {}
        self.source_of: dict[str, Callers] = {}
        self.ring = scenario.ring.draws(stream(scenario.seed, replication, "", "ring"))
        self.sources = [_Source(callers, scenario.seed, replication) for callers in scenario.callers]
        self.answer: dict[type, Callable[[Any], None]] = {
            OfferInteraction: self._offered,
            OfferClosed: self._offer_closed,
            VisitClosed: self._visit_closed,
            TalkOpened: self._talk_opened,
            TalkClosed: self._talk_closed,
            WrapUpClosed: self._wrap_up_closed,
            InteractionClosed: self._closed,
        }
        self.shifts = scenario.shifts or tuple(Shift(profile.id) for profile in scenario.configuration.agents)

    # --- the clock -----------------------------------------------------------------------------------------

    def plan(self, at: int, what: Callable[[Any], None], about: Any) -> None:
        self.sequence += 1
        heappush(self.planned, (at, self.sequence, what, about))

    def run(self) -> None:
        """Everybody comes to work, callers come, the last one leaves."""
        for shift in self.shifts:
            self.plan(START_AT + shift.from_us, self._comes, shift.agent_id)
            if shift.until_us < FOR_EVER:
                self.plan(START_AT + shift.until_us, self._goes, shift.agent_id)
        for source in self.sources:
            self._plan_arrival(source)
        self._turn(self.until + self.scenario.drain_us)
        for call in list(self.by_id.values()):
            if call.answered_at is None:
                call.sent_away = True
                self.say(CallerLeft(call.id))

    def _turn(self, last: int) -> None:
        """Go from instant to instant until nothing is planned or due, or `last` is past."""
        planned, engine = self.planned, self.engine
        while True:
            due = engine.next_due()
            if planned and (due is None or planned[0][0] < due):
                if planned[0][0] > last:
                    return
                self.now, _, what, about = heappop(planned)
                what(about)
            elif due is not None and due <= last:
                self._reach(due)
            else:
                return

    def _reach(self, due: int) -> None:
        self.stuck = self.stuck + 1 if due <= self.now else 0
        if self.stuck > STUCK_AFTER:
            raise RehearsalError(f"engine: a deadline at {due} µs stays due, however often it is told the time")
        self.now = max(due, self.now)
        self.say(ClockReached())

    def say(self, event: Event) -> None:
        """Tell the engine, and do what it orders; phones that do not ring at all are picked up within."""
        self._tell(event)
        while self.picked_up:
            self._tell(OfferAccepted(self.picked_up.popleft()))

    def _tell(self, event: Event) -> None:
        self.events += 1
        answer = self.answer
        for command in self.engine.handle(event, self.now):
            do = answer.get(type(command))
            if do is not None:
                do(command)

    # --- agents --------------------------------------------------------------------------------------------

    def _comes(self, agent_id: str) -> None:
        self.say(DesktopChanged(agent_id, Desktop.THERE))
        self.say(PhoneChanged(agent_id, Phone.FREE))
        self.say(PresenceChosen(agent_id, Presence.READY))

    def _goes(self, agent_id: str) -> None:
        self.say(PresenceChosen(agent_id, Presence.LOGGED_OUT))

    def _returns(self, agent_id: str) -> None:
        if any(
            START_AT + shift.from_us <= self.now < START_AT + shift.until_us
            for shift in self.shifts
            if shift.agent_id == agent_id
        ):
            self.say(PresenceChosen(agent_id, Presence.READY))

    # --- callers -------------------------------------------------------------------------------------------

    def _plan_arrival(self, source: _Source) -> None:
        offset = next(source.arrivals, None)
        if offset is not None and START_AT + offset < self.until:
            self.plan(START_AT + offset, self._arrives, source)

    def _draw(self, source: _Source, lengths: Iterator[int], what: str) -> int:
        drawn = next(lengths, None)
        if drawn is None:
            raise RehearsalError(f"Callers {source.callers.name}: {what}: expected one for each caller, got too few")
        return drawn

    def _arrives(self, source: _Source) -> None:
        callers = source.callers
        call = Call(
            id=f"c{len(self.calls) + 1:07}",
            callers=callers.name,
            queue=callers.queue,
            handling_us=self._draw(source, source.handling, "handling"),
            patience_us=self._draw(source, source.patience, "patience") if source.patience else None,
            asked_at=self.now,
        )
        self.calls.append(call)
        self.by_id[call.id] = call
        self.source_of[call.id] = callers
        self._plan_arrival(source)
        self.say(InteractionArrived(call.id))
        self.say(InteractionQueued(call.id, callers.queue, callers.priority, callers.requirements))
        if call.answered_at is None:
            if call.patience_us is not None:
                self.plan(self.now + call.patience_us, self._gives_up, call)
            if callers.overflow is not None:
                self.plan(self.now + callers.overflow.after_us, self._overflows, call)

    def _overflows(self, call: Call) -> None:
        if call.answered_at is None and call.left_at is None:
            callers = self.source_of[call.id]
            assert callers.overflow is not None
            call.overflowed = True
            self.say(InteractionQueued(call.id, callers.overflow.queue, callers.priority, callers.requirements))

    def _gives_up(self, call: Call) -> None:
        if call.answered_at is None:
            self.say(CallerLeft(call.id))

    def _forget(self, call: Call) -> None:
        del self.by_id[call.id], self.source_of[call.id]

    def _hangs_up(self, call: Call) -> None:
        self.say(CallerLeft(call.id))

    # --- what the engine orders ----------------------------------------------------------------------------

    def _offered(self, order: OfferInteraction) -> None:
        ring = next(self.ring, None)
        if ring is None:
            raise RehearsalError("Scenario.ring: expected one for each offer, got too few")
        if ring:
            self.plan(self.now + ring, self._picks_up, order.offer_id)
        else:
            self.picked_up.append(order.offer_id)

    def _picks_up(self, offer_id: str) -> None:
        self.say(OfferAccepted(offer_id))

    def _offer_closed(self, fact: OfferClosed) -> None:
        if fact.outcome is OfferOutcome.ACCEPTED:
            self.by_id[fact.interaction_id].reserved_at = fact.offered_at
        elif fact.outcome is OfferOutcome.EXPIRED:
            self.plan(self.now + self.scenario.return_us, self._returns, fact.agent_id)

    def _visit_closed(self, fact: VisitClosed) -> None:
        if fact.outcome is VisitOutcome.OVERFLOWED:
            self.by_id[fact.interaction_id].overflowed = True

    def _talk_opened(self, fact: TalkOpened) -> None:
        call = self.by_id[fact.interaction_id]
        call.answered_at, call.agent_id = self.now, fact.agent_id
        handling = self._handling(call) * (1 - self.source_of[call.id].wrap_up_share)
        self.plan(self.now + round(handling), self._hangs_up, call)

    def _handling(self, call: Call) -> float:
        return call.handling_us * self.scenario.paces.get(call.agent_id, 1.0)

    def _talk_closed(self, fact: TalkClosed) -> None:
        call = self.by_id[fact.interaction_id]
        call.talked_until = self.now
        if not fact.wrap_up_until:
            self._freed(call)
        elif share := self.source_of[call.id].wrap_up_share:
            self.plan(self.now + round(self._handling(call) * share), self._wraps_up, call)

    def _closed(self, fact: InteractionClosed) -> None:
        call = self.by_id.get(fact.interaction_id)
        if call is not None and call.answered_at is None:
            call.left_at = self.now
            self._forget(call)

    def _wraps_up(self, call: Call) -> None:
        self.say(WrapUpEnded(call.agent_id, call.id))

    def _wrap_up_closed(self, fact: WrapUpClosed) -> None:
        self._freed(self.by_id[fact.interaction_id])

    def _freed(self, call: Call) -> None:
        call.freed_at = self.now
        self._forget(call)

    # --- the end -------------------------------------------------------------------------------------------

    def day(self) -> Day:
        counted_from = START_AT + self.scenario.warm_up_us
        return Day(
            calls=tuple(self.calls),
            counted_from=counted_from,
            counted_until=self.until,
            staffed_us=self._staffed(counted_from),
            events=self.events,
        )

    def _staffed(self, counted_from: int) -> int:
        """Time signed in within the counted span; finishing a talk after the shift is over counts too."""
        spans = [(START_AT + shift.from_us, START_AT + shift.until_us, shift.agent_id) for shift in self.shifts]
        staffed = sum(max(0, min(end, self.until) - max(start, counted_from)) for start, end, _ in spans)
        ends = {agent_id: end for _, end, agent_id in sorted(spans)}
        for call in self.calls:
            end = ends.get(call.agent_id, FOR_EVER)
            if call.freed_at is not None and call.reserved_at is not None and call.freed_at > end >= call.reserved_at:
                staffed += max(0, min(call.freed_at, self.until) - max(end, counted_from))
        return staffed
