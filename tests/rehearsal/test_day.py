"""Days played by hand: what the virtual clock does with given callers, shifts, phones and moves."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from acd.commands import Command
from acd.engine import Engine
from acd.events import Event
from acd.model import AgentProfile, Configuration, PriorityStep, QueueRules, Requirement, Ring
from rehearsal.arrivals import GivenArrivals, Poisson, RateCurve
from rehearsal.chance import SECOND, Exponential, Fixed, Given, Lengths, Lognormal
from rehearsal.day import START_AT, rehearse
from rehearsal.errors import RehearsalError
from rehearsal.scenario import HOUR_US, Callers, Overflow, Scenario, Shift
from rehearsal.tally import Day


def at(seconds: float) -> int:
    return round(seconds * SECOND)


def office(*agents: str, wrap_up: float = 0, ring: float = 20) -> Configuration:
    rules = QueueRules("calls", wrap_up_us=at(wrap_up), ring_us=at(ring))
    return Configuration(
        queues=(rules, replace(rules, id="second")),
        agents=tuple(AgentProfile(name, queues=("calls", "second")) for name in agents),
    )


def given(*seconds: float, handling: Lengths | None = None, **more: object) -> Callers:
    instants = GivenArrivals(tuple(at(each) for each in seconds))
    return Callers("all", "calls", instants, handling or Fixed(100), **more)  # type: ignore[arg-type]


def waits(day: Day) -> list[float]:
    return [call.waited_us / SECOND for call in day.calls]


def test_one_agent_takes_one_after_the_other() -> None:
    day = rehearse(Scenario(office("amy"), (given(0, 30, 50, handling=Given((at(100), at(50), at(10)))),), at(200)))
    assert waits(day) == [0, 70, 100]
    assert day.mean_wait_s() == pytest.approx(170 / 3)
    assert day.mean_line() == pytest.approx(170 / 200)
    assert day.occupancy() == pytest.approx(160 / 200)
    assert day.waited() == pytest.approx(2 / 3)
    assert day.service_level(70) == pytest.approx(2 / 3)
    assert (day.offered(), day.answered(), day.abandoned()) == (3, 3, 0)


def test_who_loses_patience_leaves() -> None:
    day = rehearse(Scenario(office("amy"), (given(0, 10, 20, patience=Given((at(5), at(30), at(99)))),), at(200)))
    assert [call.answered_at is None for call in day.calls] == [False, True, False]
    assert waits(day) == [0, 30, 80]
    assert day.abandoned_share("all") == pytest.approx(1 / 3)


def test_wrap_up_by_the_clock_comes_on_top() -> None:
    day = rehearse(Scenario(office("amy", wrap_up=30), (given(0, 10),), at(300)))
    assert waits(day) == [0, 120]
    assert day.occupancy() == pytest.approx(260 / 300)


def test_wrap_up_by_hand_is_part_of_the_handling() -> None:
    day = rehearse(Scenario(office("amy", wrap_up=90), (given(0, 10, wrap_up_share=0.4),), at(300)))
    assert waits(day) == [0, 90]
    assert [call.talked_until for call in day.calls] == [START_AT + at(60), START_AT + at(160)]


def test_ringing_counts_as_waiting() -> None:
    day = rehearse(Scenario(office("amy"), (given(0, 10),), at(300), ring=Fixed(6)))
    assert waits(day) == [6, 102]
    assert day.occupancy() == pytest.approx(212 / 300)


def test_an_agent_who_lets_it_ring_too_long_comes_back() -> None:
    scenario = Scenario(office("amy", "ben"), (given(0),), at(300), ring=Given((at(50), at(5), at(1))))
    day = rehearse(scenario)
    assert waits(day) == [25]
    assert day.calls[0].agent_id == "ben"
    alone = rehearse(replace(scenario, configuration=office("amy"), return_us=at(15)))
    assert waits(alone) == [20 + 15 + 5]
    gone = rehearse(
        replace(scenario, configuration=office("amy"), return_us=at(15), shifts=(Shift("amy", 0, at(30)),))
    )  # fmt: skip
    assert gone.calls[0].sent_away


def test_shifts() -> None:
    shifts = (Shift("amy", at(50), at(160)), Shift("ben", at(400)))
    day = rehearse(Scenario(office("amy", "ben"), (given(0, 20, 140, 155),), at(500), shifts=shifts))
    assert waits(day) == [50, 130, 260, 345]
    assert [call.agent_id for call in day.calls] == ["amy", "amy", "ben", "ben"]
    # amy: from 50 to 160, and to 250 to finish; ben: from 400 to the end of the span
    assert day.staffed_us == at(200 + 100)
    assert day.occupancy() == pytest.approx(1)


def test_who_still_waits_at_the_very_end_is_sent_away() -> None:
    shifts = (Shift("amy", at(0), at(50)),)
    day = rehearse(Scenario(office("amy"), (given(0, 20),), at(300), shifts=shifts, drain_us=at(60)))
    assert [call.sent_away for call in day.calls] == [False, True]
    assert day.abandoned() == 1


def test_nobody_signed_in() -> None:
    day = rehearse(Scenario(office(), (given(0),), at(300)))
    assert (day.occupancy(), day.service_level(20), day.abandoned_share()) == (0, 0, 1)


def test_overflow_keeps_place_and_patience() -> None:
    moved = Overflow(at(30), "second")
    patient = Given((at(500), at(500), at(60)))
    lengths = Given((at(100), at(10), at(10)))
    callers = given(0, 10, 20, handling=lengths, overflow=moved, patience=patient)
    late = Callers("late", "second", GivenArrivals((at(35),)), Fixed(5))
    day = rehearse(Scenario(office("amy"), (callers, late), at(300)))
    assert [(call.callers, call.overflowed) for call in day.calls] == [
        ("all", False), ("all", True), ("all", True), ("late", False)
    ]  # fmt: skip
    assert waits(day) == [0, 90, 60, 75]


def test_pace() -> None:
    day = rehearse(Scenario(office("amy"), (given(0, 10),), at(300), paces={"amy": 1.5}))
    assert waits(day) == [0, 140]


def test_warm_up_does_not_count() -> None:
    day = rehearse(Scenario(office("amy"), (given(0, 30, 50),), at(200), warm_up_us=at(40)))
    assert day.offered() == 1
    assert day.mean_wait_s() == 150
    assert day.mean_line() == pytest.approx((60 + 150) / 160)
    assert day.occupancy() == 1


def chance_day(agents: int, seed: int = 4, replication: int = 0) -> Day:
    callers = Callers("all", "calls", Poisson(120), Lognormal(150, 0.6), Exponential(90))
    names = [f"agent-{n}" for n in range(agents)]
    return rehearse(Scenario(office(*names), (callers,), HOUR_US, seed=seed), replication)


def test_same_seed_same_day_and_other_replication_another() -> None:
    assert chance_day(5) == chance_day(5)
    assert chance_day(5) != chance_day(5, replication=1)
    assert chance_day(5) != chance_day(5, seed=5)


def test_other_rules_meet_the_same_callers() -> None:
    few, many = chance_day(3), chance_day(8)
    met = [[(call.asked_at, call.handling_us, call.patience_us) for call in day.calls] for day in (few, many)]
    assert met[0] == met[1]
    assert few.abandoned() > many.abandoned()


@pytest.mark.parametrize(
    ("callers", "message"),
    [
        (given(0, 1, handling=Given((5,))), "Callers all: handling: expected one for each caller, got too few"),
        (given(0, 1, patience=Given((5,))), "Callers all: patience: expected one for each caller, got too few"),
    ],
)
def test_too_few_given_lengths(callers: Callers, message: str) -> None:
    with pytest.raises(RehearsalError, match=message):
        rehearse(Scenario(office("amy"), (callers,), at(50)))
    with pytest.raises(RehearsalError, match=r"Scenario\.ring: expected one for each offer, got too few"):
        rehearse(Scenario(office("amy"), (given(0),), at(50), ring=Given(())))


def test_an_engine_whose_deadline_never_passes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck:
        def __init__(self, configuration: Configuration, now: int) -> None:
            self.engine = Engine(configuration, now)

        def next_due(self) -> int | None:
            return START_AT

        def handle(self, event: Event, now: int) -> tuple[Command, ...]:
            return self.engine.handle(event, now)

    monkeypatch.setattr("rehearsal.day.STUCK_AFTER", 20)
    with pytest.raises(RehearsalError, match=f"a deadline at {START_AT} µs stays due"):
        rehearse(Scenario(office("amy"), (given(0),), at(50)), engine_for=Stuck)


def refused(**changes: object) -> dict[str, object]:
    return {"configuration": office("amy"), "callers": (given(0),), "length_us": at(50), **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"callers": (given(0), given(1))}, r"callers: expected every name once, got \['all', 'all'\]"),
        ({"warm_up_us": at(50)}, "warm_up_us: expected 0 to 50000000, got 50000000"),
        ({"callers": (replace(given(0), queue="x"),)}, "callers all: queue: expected one of .*, got 'x'"),
        ({"callers": (given(0, overflow=Overflow(1, "x")),)}, "callers all: overflow.queue: expected one of"),
        ({"shifts": (Shift("zoe"),)}, r"shifts: agent_id: expected one of \['amy'\], got 'zoe'"),
        ({"shifts": (Shift("amy", 5, 5),)}, "shifts: amy: expected from before until"),
        ({"paces": {"zoe": 1}}, "paces: agent: expected one of"),
        ({"paces": {"amy": 0}}, "paces: amy: expected more than 0, got 0"),
    ],
)
def test_a_scenario_that_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RehearsalError, match=message):
        Scenario(**refused(**changes))  # type: ignore[arg-type]


def test_a_share_of_wrap_up_from_0_to_1() -> None:
    with pytest.raises(RehearsalError, match="wrap_up_share: expected 0 to 1, got 1"):
        given(0, wrap_up_share=1)


def big_day() -> Scenario:
    """10,000 calls in ten hours with a peak, 100 agents, 5 queues of which each agent serves two or three; half of the
    callers need a skill, which rings ask less of, and drop, the longer they wait; priority rises with the wait."""
    queues = tuple(
        QueueRules(
            f"queue-{n}",
            wrap_up_us=at(20),
            relax=(
                Ring(at(20), (("french", 4),)),
                Ring(at(60), (("french", 0),), (f"queue-{(n + 3) % 5}",)),
            ),
            raise_priority=(PriorityStep(at(120), 1),),
        )
        for n in range(5)
    )
    agents = tuple(
        AgentProfile(
            f"agent-{n:03}",
            queues=tuple(f"queue-{(n + step) % 5}" for step in range(2 + n % 2)),
            skills=(("french", n % 10),) if n % 10 else (),
        )
        for n in range(100)
    )
    curve = RateCurve(((0, 60), (2 * HOUR_US, 130), (6 * HOUR_US, 100), (9 * HOUR_US, 60)))
    callers = tuple(
        Callers(
            f"callers-{n}-{'french' if needs else 'any'}", f"queue-{n}", curve, Lognormal(220, 0.7), Exponential(180),
            priority=n == 0, requirements=needs,
        )
        for n in range(5)
        for needs in ((), (Requirement("french", 7),))
    )  # fmt: skip
    return Scenario(Configuration(queues=queues, agents=agents), callers, 10 * HOUR_US)


def test_a_big_day_is_over_soon(capsys: pytest.CaptureFixture[str]) -> None:
    started = time.process_time()
    day = rehearse(big_day())
    took = time.process_time() - started
    with capsys.disabled():
        sys.stdout.write(f"\n  {len(day.calls):,} calls, {day.events:,} events in {took:.2f} s of a processor ")
    assert len(day.calls) == pytest.approx(10_000, rel=0.05)
    assert day.answered() + day.abandoned() == len(day.calls)
    assert 0.5 < day.occupancy() < 0.9
    waited = {needs: day.mean_wait_s(f"callers-2-{needs}") for needs in ("any", "french")}
    assert waited["french"] > waited["any"]
    assert day.waited("callers-2-french") > 0.1


def test_the_example_of_the_document_runs(capsys: pytest.CaptureFixture[str]) -> None:
    document = Path(__file__).parents[2] / "docs" / "rehearsal.md"
    exec(document.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0], {})
    offered, abandoned, level, wait, occupancy = (float(word) for word in capsys.readouterr().out.split())
    assert offered == pytest.approx(1600, rel=0.1)
    assert 0 < abandoned < 0.2
    assert 0.5 < level < 1
    assert 0 < wait < 30
    assert 0.5 < occupancy < 1
