"""Whatever happens, in whatever order, late and doubled: nobody is lost, doubled, skipped or stuck.

Hypothesis drives one engine with every kind of event; `tests.acd.mirror` keeps an account of its own and makes the
same decisions naively. At the end of each run the recorded events are played again, from the start and from a
snapshot taken in the middle, and must give the same bytes.

Longer than other files, because one machine has to hold a rule for everything that can happen.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from acd.codec import decode_event, encode_command, encode_event
from acd.commands import Command, OfferInteraction
from acd.engine import Engine
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
    RoutingPaused,
    RoutingResumed,
    TalkEnded,
    WrapUpEnded,
    WrapUpExtended,
)
from acd.invariants import check
from acd.model import (
    AgentProfile,
    CallbackRules,
    Configuration,
    Desktop,
    Estimator,
    Outcome,
    Overflow,
    OverflowCause,
    Phone,
    Presence,
    PriorityStep,
    QueueRules,
    Requirement,
    Ring,
    Stage,
    Strategy,
    VisitOutcome,
)
from acd.snapshot import board, dump, restore
from tests.acd.mirror import Mirror
from tests.effort import examples

START = 1_000

AGENTS = ("amy", "ben", "cid", "dot")
QUEUES = ("billing", "sales", "tech")
PEOPLE = st.sampled_from((*AGENTS, "nobody"))
LINES = st.sampled_from((*QUEUES, "nowhere"))
NEEDS = st.sampled_from(
    (
        (),
        (),
        (Requirement("vpn", 3),),
        (Requirement("french"), Requirement("vpn", 7)),
        (Requirement("french", 4, (("vpn", 6), ("french", 2))), Requirement("vpn", 2)),
    )
)
WISHES = st.lists(PEOPLE, max_size=2, unique=True).map(tuple)
LEVELS = st.sampled_from(((), (("vpn", 4),), (("vpn", 0),), (("french", 0), ("vpn", 5))))
NUMBERS = st.sampled_from(("+491", "+492"))
CALLERS = st.sampled_from(("", "", "+491", "+492"))
CALLBACKS = st.builds(
    CallbackRules,
    attempts=st.integers(1, 3),
    every_us=st.integers(1, 25),
    reserve_us=st.integers(1, 30),
    lasts_us=st.integers(1, 200),
)
AFTERS = st.lists(st.integers(1, 40), max_size=2, unique=True).map(sorted)

QUEUE_RULES = st.builds(
    QueueRules,
    id=st.just(""),
    ring_us=st.integers(1, 30),
    wrap_up_us=st.integers(0, 20),
    wrap_up_most_us=st.integers(0, 40),
    short_abandon_us=st.integers(0, 10),
    priority=st.integers(-1, 1),
    requirements=NEEDS,
    strategy=st.sampled_from(Strategy) | st.just(Strategy.RING_ALL),
    ring_at_most=st.integers(1, 4),
    regain_us=st.sampled_from((0, 30, 90)),
    estimator=st.sampled_from(Estimator),
    expected_handling_us=st.integers(1, 200),
    expected_patience_us=st.sampled_from((0, 20, 200)),
    callback=st.none() | CALLBACKS | CALLBACKS,
)
CAUSES = st.sampled_from([each for each in OverflowCause if each is not OverflowCause.CLOSED])
LIMITS = {
    OverflowCause.TIMED_OUT: st.integers(1, 40),
    OverflowCause.FULL: st.integers(1, 3),
    OverflowCause.LONG_WAIT: st.integers(1, 300),
    OverflowCause.FEW_SIGNED_IN: st.integers(1, 2),
    OverflowCause.FEW_READY: st.integers(1, 2),
}
PROFILES = st.builds(
    AgentProfile,
    id=st.just(""),
    queues=st.lists(st.sampled_from(QUEUES), unique=True, max_size=3).map(tuple),
    skills=st.sampled_from(((), (("vpn", 5),), (("french", 2), ("vpn", 9)))),
    weight=st.integers(1, 3),
    capacity=st.sampled_from(
        (*[(("voice", 1),)] * 2, (("voice", 1), ("chat", 3)), (("voice", 0), ("chat", 2)), (("chat", 1),))
    ),
    queue_levels=st.lists(
        st.tuples(st.sampled_from(QUEUES), st.integers(1, 3)), max_size=2, unique_by=lambda each: each[0]
    ).map(tuple),
)


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    """Some of the queues and agents, with any rules that are valid."""
    names = draw(st.lists(st.sampled_from(QUEUES), unique=True, min_size=2).map(sorted))
    people = draw(st.lists(st.sampled_from(AGENTS), unique=True, min_size=1))
    chats = draw(st.sampled_from(((), (), ("tech",), ("sales", "tech"))))
    queues = []
    for name in names:
        others = [each for each in names if each != name and (each in chats) is (name in chats)]
        lent = st.lists(st.sampled_from(others), max_size=2, unique=True).map(tuple) if others else st.just(())
        relax = tuple(Ring(after, draw(LEVELS), draw(lent)) for after in draw(AFTERS))
        steps = tuple(PriorityStep(after, draw(st.integers(1, 2))) for after in draw(AFTERS))
        overflow = tuple(
            Overflow(
                cause,
                draw(LIMITS[cause]),
                draw(st.sampled_from(["", *others])),
                draw(st.booleans()),
                draw(st.booleans()),
            )
            for cause in draw(st.lists(CAUSES, max_size=2))
        )
        medium = "chat" if name in chats else "voice"
        rules = replace(draw(QUEUE_RULES), id=name, medium=medium, relax=relax, raise_priority=steps, overflow=overflow)
        queues.append(rules if medium == "voice" else replace(rules, callback=None))
    agents = []
    for name in people:
        profile = draw(PROFILES)
        kept = tuple(each for each in profile.queues if each in names)
        levels = tuple(each for each in profile.queue_levels if each[0] in names)
        agents.append(replace(profile, id=name, name=name.title(), queues=kept or tuple(names), queue_levels=levels))
    return Configuration(
        tuple(queues),
        tuple(agents),
        seed=draw(st.integers(0, 3)),
        desktop_grace_us=draw(st.integers(1, 40)),
        offer_without_desktop=draw(st.booleans()),
    )


def told(commands: tuple[Command, ...]) -> str:
    return json.dumps([encode_command(each) for each in commands])


class Floor(RuleBasedStateMachine):
    """One rule per event (several for the frequent ones); each step moves the clock by 0 to 12 µs."""

    engine: Engine
    mirror: Mirror
    middle: dict[str, Any] | None = None

    @initialize(
        configuration=configurations(),
        callers=st.lists(st.tuples(st.sampled_from(QUEUES), st.integers(0, 2), NEEDS), max_size=9),
        signed_in=st.booleans(),
        paused=st.booleans(),
    )
    def start(
        self,
        configuration: Configuration,
        callers: list[tuple[str, int, tuple[Requirement, ...]]],
        signed_in: bool,
        paused: bool,
    ) -> None:
        """A floor with a line of callers, and agents who take them in one by one or, after a pause, all at once."""
        self.configuration = configuration
        self.now = START
        self.engine = Engine(configuration, self.now)
        self.mirror = Mirror(configuration, self.now)
        self.record: list[tuple[dict[str, Any], int, str]] = []
        self.arrivals = 0
        self.calls: list[str] = ["never"]
        self.offers: list[OfferInteraction] = []
        for queue, priority, needs in callers:
            self.call(queue, priority, needs, 1)
        if paused:
            self.do(RoutingPaused("start"))
        for profile in reversed(configuration.agents if signed_in else ()):
            self.sign_in(profile.id, 1)
        if paused:
            self.do(RoutingResumed())

    def do(self, event: Event, step: int = 0) -> None:
        self.now += step
        answer = self.engine.handle(event, self.now)
        self.record.append((json.loads(json.dumps(encode_event(event))), self.now, told(answer)))
        self.offers += [each for each in answer if isinstance(each, OfferInteraction)]
        self.mirror.follow(event, answer, self.now)
        assert check(self.engine) == ()
        assert not [name for name in self.engine.counts if name.startswith("violation")]
        self._board_agrees()
        if len(self.record) == 25:
            self.middle = dump(self.engine)

    def _board_agrees(self) -> None:
        shown = board(self.engine)
        assert [each.id for each in shown.interactions] == list(self.mirror.callers)
        assert {each.id for each in shown.agents} == set(self.mirror.seats)
        people = {profile.id: profile for profile in self.mirror.configuration.agents}
        for agent in shown.agents:
            assert set(agent.queues) == (self.mirror.serves(people[agent.id]) if agent.id in people else set())
            assert agent.since == self.mirror.seats[agent.id].tile_from
        for interaction in shown.interactions:
            assert interaction.stage is self.mirror.callers[interaction.id].stage
            ringing = {each.offer_id: each.agent_id for each in interaction.open_offers}
            assert ringing == self.mirror.callers[interaction.id].offers

    def medium_of(self, queue: str) -> str:
        return next((rules.medium for rules in self.mirror.configuration.queues if rules.id == queue), "voice")

    def some(self, data: st.DataObject, things: list[Any]) -> Any:
        """One of the last few; shrinks to the latest."""
        return data.draw(st.sampled_from(things[:-13:-1]))

    # --- callers --------------------------------------------------------------------------------------------

    @rule(
        queue=st.sampled_from(QUEUES),
        priority=st.integers(0, 2),
        needs=NEEDS,
        step=st.integers(0, 12),
        who=CALLERS,
        number=st.just("") | NUMBERS,
    )
    def call(
        self, queue: str, priority: int, needs: tuple[Requirement, ...], step: int, who: str = "", number: str = ""
    ) -> None:
        self.arrivals += 1
        self.calls.append(f"i{self.arrivals}")
        medium = self.medium_of(queue)
        self.do(InteractionArrived(self.calls[-1], who, medium=medium, gap=step == 12, number=number), step)
        self.do(InteractionQueued(self.calls[-1], queue, priority, needs))

    @rule(data=st.data())
    def arrive_again(self, data: st.DataObject) -> None:
        self.do(InteractionArrived(self.some(data, self.calls[1:] or ["i1"])))
        if len(self.calls) == 1:
            self.calls.append("i1")
            self.arrivals = 1

    @rule(data=st.data(), queue=LINES, asked=st.none() | st.integers(START - 50, START + 200))
    def ask(self, data: st.DataObject, queue: str, asked: int | None) -> None:
        self.do(InteractionQueued(self.some(data, self.calls), queue, first_asked_at=asked), 1)

    @rule(
        queue=st.sampled_from(QUEUES),
        needs=NEEDS,
        wished=WISHES,
        length=st.integers(0, 30),
        most=st.sampled_from((0, 1, 20, 60)),
    )
    def call_for(
        self, queue: str, needs: tuple[Requirement, ...], wished: tuple[str, ...], length: int, most: int
    ) -> None:
        """A caller who prefers some agents, and whom the flow wants back after a time."""
        self.arrivals += 1
        self.calls.append(f"i{self.arrivals}")
        self.do(InteractionArrived(self.calls[-1], medium=self.medium_of(queue)))
        self.do(
            InteractionQueued(self.calls[-1], queue, 0, needs, preferred=wished, preferred_us=length, max_wait_us=most)
        )

    # --- callbacks ------------------------------------------------------------------------------------------

    @rule(data=st.data(), queue=LINES, number=NUMBERS, stays=st.booleans())
    def promise(self, data: st.DataObject, queue: str, number: str, stays: bool) -> None:
        """Somebody who waits, or is in the flow, asks to be called back, and hangs up."""
        asker = self.some(data, self.calls)
        self.do(InteractionQueued(asker, queue, data.draw(st.integers(0, 2)), callback_number=number), 1)
        if not stays:
            self.do(FlowEnded(asker, Outcome.SELF_SERVED))
            self.do(CallerLeft(asker), 1)

    @rule(queue=st.sampled_from(QUEUES), numbers=st.lists(NUMBERS, min_size=1, max_size=3), waits=st.booleans())
    def rush_hour(self, queue: str, numbers: list[str], waits: bool) -> None:
        """Callers who ask to be called back, from the line or at once, and go home; then everybody signs in."""
        for number in numbers:
            if waits:
                self.call(queue, 0, (), 2, number)
            else:
                self.arrivals += 1
                self.calls.append(f"i{self.arrivals}")
                self.do(InteractionArrived(self.calls[-1]), 1)
            self.do(InteractionQueued(self.calls[-1], queue, callback_number=number), 3)
            self.do(CallerLeft(self.calls[-1]), 1)
        for profile in self.mirror.configuration.agents:
            self.sign_in(profile.id, 1)

    def customers(self, *, on_line: bool = False) -> list[str]:
        """Offers of the callbacks that go on now, those first."""
        held = [each for each in board(self.engine).interactions if each.offer_id and each.callback_number]
        return [each.offer_id for each in held if each.on_line is on_line]

    @rule(data=st.data(), step=st.integers(0, 9))
    def customer_answers(self, data: st.DataObject, step: int) -> None:
        for offer_id in self.customers() or [self.offer_id(data)]:
            self.do(CallbackAnswered(offer_id), step)

    @rule(data=st.data())
    def customer_talks(self, data: st.DataObject) -> None:
        for offer_id in self.customers(on_line=True) or [self.offer_id(data)]:
            self.do(OfferAccepted(offer_id), 1)

    @rule(data=st.data(), step=st.integers(0, 9), later=st.booleans())
    def nobody_answers(self, data: st.DataObject, step: int, later: bool) -> None:
        for offer_id in self.customers(on_line=later) or [self.offer_id(data)]:
            self.do(CallbackFailed(offer_id, "no_answer"), step)

    @rule(data=st.data(), how=st.sampled_from((OfferRejected, OfferFailed)), answered=st.booleans())
    def agent_refuses(self, data: st.DataObject, how: type[OfferRejected | OfferFailed], answered: bool) -> None:
        for offer_id in self.customers(on_line=answered) or [self.offer_id(data)]:
            self.do(how(offer_id), 1)

    @rule(gone=st.sampled_from((*Outcome, None)))
    def customer_leaves(self, gone: Outcome | None) -> None:
        """Who answered, and waits or is rung for, hangs up, or their flow ends."""
        for each in board(self.engine).interactions:
            if each.on_line:
                self.do(CallerLeft(each.id) if gone is None else FlowEnded(each.id, gone), 1)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.do(CallbackCancelled(self.some(data, self.calls), "boss", "asked by mail"), 1)

    @rule(data=st.data(), outcome=st.sampled_from(VisitOutcome))
    def leave_queue(self, data: st.DataObject, outcome: VisitOutcome) -> None:
        self.do(QueueLeft(self.some(data, self.calls), outcome), 1)

    @rule(data=st.data(), gap=st.booleans())
    def hang_up(self, data: st.DataObject, gap: bool) -> None:
        self.do(CallerLeft(self.some(data, self.calls), gap), 1)

    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def flow_ends(self, data: st.DataObject, outcome: Outcome) -> None:
        self.do(FlowEnded(self.some(data, self.calls), outcome), 1)

    @rule(data=st.data())
    def transfer(self, data: st.DataObject) -> None:
        self.do(CallTransferred(self.some(data, self.calls), "+4930123"), 1)

    @rule(data=st.data())
    def detach(self, data: st.DataObject) -> None:
        self.do(InteractionDetached(self.some(data, self.calls)))

    @rule(data=st.data())
    def attach(self, data: st.DataObject) -> None:
        self.do(InteractionAttached(self.some(data, self.calls)))

    # --- offers and talks -----------------------------------------------------------------------------------

    def offer_id(self, data: st.DataObject) -> str:
        return str(self.some(data, [each.offer_id for each in self.offers] or ["i1/1", "nonsense"]))

    @rule(data=st.data(), step=st.integers(0, 5))
    def accept(self, data: st.DataObject, step: int) -> None:
        self.do(OfferAccepted(self.offer_id(data)), step)

    @rule(data=st.data())
    def accept_and_end(self, data: st.DataObject) -> None:
        offer_id = self.offer_id(data)
        self.do(OfferAccepted(offer_id), 1)
        for made in self.offers:
            if made.offer_id == offer_id:
                self.do(TalkEnded(made.interaction_id, made.agent_id), 1)

    @rule(step=st.integers(0, 3), served=st.integers(1, 4))
    def work(self, step: int, served: int) -> None:
        """Some phones that ring are answered, and these talks and their wrap-ups end: agents take the next."""
        for shown in [each for each in board(self.engine).interactions if each.stage is Stage.OFFERED][:served]:
            rung = shown.open_offers[step % len(shown.open_offers)]
            self.do(OfferAccepted(rung.offer_id), step)
            self.do(TalkEnded(shown.id, rung.agent_id), step)
            self.do(WrapUpEnded(rung.agent_id, shown.id, "solved"))
            self.do(CallerLeft(shown.id))

    @rule(queue=st.sampled_from(QUEUES), calls=st.integers(1, 4), step=st.integers(1, 3))
    def calm_hour(self, queue: str, calls: int, step: int) -> None:
        """The line is empty, everybody is there; callers come one at a time and are served at once."""
        for shown in board(self.engine).interactions:
            self.do(CallerLeft(shown.id))
        for profile in self.mirror.configuration.agents:
            self.sign_in(profile.id, step)
        for _ in range(calls):
            self.call(queue, 0, (), step)
            self.work(step, 1)

    @rule(step=st.integers(0, 30), first=st.booleans())
    def answer_all(self, step: int, first: bool) -> None:
        """Every phone that rings is answered; later these talks end at one instant."""
        ringing = [each for each in board(self.engine).interactions if each.stage is Stage.OFFERED]
        for shown in ringing:
            self.do(OfferAccepted(shown.offer_id))
        for shown in ringing if first else reversed(ringing):
            self.do(TalkEnded(shown.id, shown.agent_id), step if shown is ringing[0] else 0)

    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        self.do(OfferRejected(self.offer_id(data)))

    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        self.do(OfferFailed(self.offer_id(data)))

    @rule(data=st.data(), agent=PEOPLE)
    def find(self, data: st.DataObject, agent: str) -> None:
        self.do(ConnectionFound(self.some(data, self.calls), agent), 1)

    @rule(data=st.data(), agent=PEOPLE)
    def end_talk(self, data: st.DataObject, agent: str) -> None:
        self.do(TalkEnded(self.some(data, self.calls), agent), 1)

    @rule(data=st.data(), agent=PEOPLE)
    def end_wrap_up(self, data: st.DataObject, agent: str) -> None:
        self.do(WrapUpEnded(agent, self.some(data, self.calls), "solved"))

    @rule(data=st.data(), agent=PEOPLE, by=st.integers(-2, 30))
    def extend_wrap_up(self, data: st.DataObject, agent: str, by: int) -> None:
        self.do(WrapUpExtended(agent, self.some(data, self.calls), by))

    # --- agents ---------------------------------------------------------------------------------------------

    @rule(agent=PEOPLE, step=st.integers(0, 3))
    def sign_in(self, agent: str, step: int) -> None:
        self.do(PhoneChanged(agent, Phone.FREE), step)
        self.do(DesktopChanged(agent, Desktop.THERE))
        self.do(PresenceChosen(agent, Presence.READY))

    @rule(agent=PEOPLE, presence=st.sampled_from(Presence), step=st.integers(0, 3))
    def choose(self, agent: str, presence: Presence, step: int) -> None:
        self.do(PresenceChosen(agent, presence, "lunch" if presence is Presence.NOT_READY else ""), step)

    @rule(agent=PEOPLE, phone=st.sampled_from(Phone))
    def phone(self, agent: str, phone: Phone) -> None:
        self.do(PhoneChanged(agent, phone))

    @rule(agent=PEOPLE, desktop=st.sampled_from(Desktop))
    def desktop(self, agent: str, desktop: Desktop) -> None:
        self.do(DesktopChanged(agent, desktop))

    @rule(
        agent=PEOPLE,
        add=st.lists(LINES, max_size=2, unique=True).map(tuple),
        remove=st.lists(LINES, max_size=2, unique=True).map(tuple),
        later=st.integers(0, 30),
        length=st.integers(0, 40),
        number=st.integers(1, 3),
    )
    def move(
        self, agent: str, add: tuple[str, ...], remove: tuple[str, ...], later: int, length: int, number: int
    ) -> None:
        begins = self.now + later if later else 0
        ends = self.now + later + length if length else 0
        self.do(AgentMoved(f"m{number}", agent, add, remove, begins, ends, "sue"))

    @rule(agent=PEOPLE, queue=st.sampled_from(QUEUES), step=st.integers(0, 3))
    def lend(self, agent: str, queue: str, step: int) -> None:
        """Away from one queue at once, and to the others."""
        others = tuple(rules.id for rules in self.mirror.configuration.queues if rules.id != queue)
        self.do(AgentMoved(f"lend {self.now} {len(self.record)}", agent, others, until_at=self.now + 25), step)
        self.do(AgentMoved(f"keep {self.now} {len(self.record)}", agent, remove=(queue,)))

    @rule(agent=PEOPLE, number=st.integers(1, 3))
    def cancel_move(self, agent: str, number: int) -> None:
        self.do(AgentMoveCancelled(f"m{number}", agent, "sue"), 1)

    # --- the rest -------------------------------------------------------------------------------------------

    @rule(step=st.integers(0, 40))
    def clock(self, step: int) -> None:
        self.do(ClockReached(), step)

    @rule()
    def deadline(self) -> None:
        due = self.engine.next_due()
        if due is not None:
            self.do(ClockReached(), max(0, due - self.now))
            later = self.engine.next_due()
            assert later is None or later > self.now, "a deadline stayed"

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.do(RoutingPaused("link lost") if paused else RoutingResumed())

    @rule(queue=LINES, length=st.integers(-1, 30), keep=st.booleans())
    def close_queue(self, queue: str, length: int, keep: bool) -> None:
        self.do(QueueClosed(queue, self.now + length if length else 0, keep, "lena", "outage"), 1)

    @rule(queue=LINES)
    def open_queue(self, queue: str) -> None:
        self.do(QueueOpened(queue, "lena"))

    @rule(configuration=configurations())
    def rules_change(self, configuration: Configuration) -> None:
        self.do(ConfigurationChanged(configuration), 1)

    @rule()
    def restart(self) -> None:
        stored = json.loads(json.dumps(dump(self.engine)))
        self.engine = restore(stored)
        assert dump(self.engine) == stored

    def teardown(self) -> None:
        if not hasattr(self, "engine"):
            return
        again = Engine(self.configuration, START)
        later = None if self.middle is None else restore(json.loads(json.dumps(self.middle)))
        for at, (data, now, answer) in enumerate(self.record):
            assert told(again.handle(decode_event(data), now)) == answer
            if later is not None and at >= 25:
                assert told(later.handle(decode_event(data), now)) == answer
        assert dump(again) == dump(self.engine)


TestFloor = pytest.mark.timeout(examples(300))(Floor.TestCase)  # many examples, on a machine that may be busy
TestFloor.settings = settings(
    max_examples=examples(180),
    stateful_step_count=50,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
