"""The cases in which theory knows the answer: what `callyard selfcheck`, the tests and the table in the documents
hold the engine to.

Each case is a scenario with a warm-up, and the figures by which theory and engine are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from acd.engine import Engine
from acd.model import AgentProfile, Configuration, OverflowCause, QueueRules, Requirement
from acd.model import Overflow as QueueOverflow
from rehearsal.arrivals import Poisson
from rehearsal.chains import ClassOfCallers, n_design, x_design
from rehearsal.chance import SECOND, Exponential, Fixed, Lengths
from rehearsal.day import Decider, rehearse
from rehearsal.errors import RehearsalError
from rehearsal.intervals import Interval, controlled, interval
from rehearsal.scenario import HOUR_US, Callers, Overflow, Scenario
from rehearsal.tally import Day
from rehearsal.theory import (
    Line,
    erlang_a,
    erlang_b,
    erlang_c,
    erlang_fixed_patience,
    priority_waits,
    single_agent_wait,
)

#: A wrap-up that the agent ends by hand never meets this limit.
_NEVER_US = 1000 * HOUR_US


@dataclass(frozen=True, slots=True)
class Figure:
    """One number to compare: in theory, and how to read it off a rehearsed day. `is_share`: a probability."""

    name: str
    theory: float
    read: Callable[[Day], float]
    is_share: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario with a known answer. `per_call_s`: mean time between arrivals, to choose the length by calls.

    `replications`: how many a look in full takes. They were chosen beforehand, from a pilot with other seeds: to stop
    as soon as it looks precise would favour calm days, and means would come out low.
    """

    name: str
    theory: str
    scenario: Scenario
    figures: tuple[Figure, ...]
    per_call_s: float
    replications: int = 60

    def sized(self, calls: int) -> Scenario:
        """The scenario with about this many calls that count."""
        counted = round(calls * self.per_call_s * SECOND)
        return replace(self.scenario, length_us=self.scenario.warm_up_us + counted)


@dataclass(frozen=True, slots=True)
class Result:
    """What a case gave: an interval per figure, in the order of the case's figures."""

    case: Case
    intervals: tuple[Interval, ...]
    calls: int

    def outside(self) -> tuple[str, ...]:
        """The figures whose interval does not hold what theory says."""
        pairs = zip(self.case.figures, self.intervals, strict=True)
        return tuple(figure.name for figure, found in pairs if not found.covers(figure.theory))

    def is_precise(self) -> bool:
        """Every half-width at most 2 % of a wait and 0.5 points of a share."""
        pairs = zip(self.case.figures, self.intervals, strict=True)
        return all(
            found.half_width <= (SHARE_WIDTH if figure.is_share else WAIT_WIDTH * figure.theory)
            for figure, found in pairs
        )


WAIT_WIDTH = 0.02
SHARE_WIDTH = 0.005


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to look: replications of so many calls each. 0 replications: as many as the case asks for, with
    numbers of callers, handling and patience as controls, and it must be precise then; a few replications cannot
    bear these."""

    replications: int
    calls: int
    seed: int = 1


SHORT = Effort(replications=10, calls=700, seed=2)
FULL = Effort(replications=0, calls=5_000)


def measure(case: Case, effort: Effort, engine_for: Callable[[Configuration, int], Decider] = Engine) -> Result:
    """Rehearse a case and give 99 % intervals. Raises RehearsalError when a look in full is not precise."""
    scenario = replace(case.sized(effort.calls), seed=effort.seed)
    found: list[list[float]] = [[] for _ in case.figures]
    controls: list[list[float]] = []
    calls = 0
    for replication in range(effort.replications or case.replications):
        day = rehearse(scenario, replication, engine_for)
        calls += day.offered()
        controls.append(chance_of(day, scenario))
        for values, figure in zip(found, case.figures, strict=True):
            values.append(figure.read(day))
    if effort.replications:
        return Result(case, tuple(interval(values) for values in found), calls)
    result = Result(case, tuple(controlled(values, controls) for values in found), calls)
    if not result.is_precise():
        raise RehearsalError(f"{case.name}: expected it to be precise after {case.replications} replications")
    return result


def chance_of(day: Day, scenario: Scenario) -> list[float]:
    """By how much chance departed from what is expected: callers who came, their handling and their patience, each
    relative to its mean and over all streams that draw exponentially; the mean of each is 0."""
    span_s = (day.counted_until - day.counted_from) / SECOND
    came, handled, stayed = 0.0, 0.0, 0.0
    for callers in scenario.callers:
        calls = day.counted(callers.name)
        if isinstance(callers.arrivals, Poisson):
            came += len(calls) / (callers.arrivals.per_hour / 3600 * span_s) - 1
        handled += _excess(callers.handling, [call.handling_us for call in calls])
        stayed += _excess(callers.patience, [call.patience_us or 0 for call in calls])
    return [came, handled, stayed]


def _excess(lengths: Lengths | None, drawn: list[int]) -> float:
    if not isinstance(lengths, Exponential) or not drawn:
        return 0.0
    return sum(drawn) / len(drawn) / (lengths.mean_s * SECOND) - 1


# --- figures -----------------------------------------------------------------------------------------------


def _wait(theory: float, callers: str | None = None) -> Figure:
    return Figure(_named("mean wait, s", callers), theory, lambda day: day.mean_wait_s(callers), is_share=False)


def _waits(theory: float, callers: str | None = None) -> Figure:
    return Figure(_named("not answered at once", callers), theory, lambda day: day.waited(callers), is_share=True)


def _abandoned(theory: float, callers: str | None = None) -> Figure:
    return Figure(_named("abandoned", callers), theory, lambda day: day.abandoned_share(callers), is_share=True)


def _within(theory: float, limit_s: float) -> Figure:
    return Figure(f"answered in {limit_s:g} s", theory, lambda day: day.service_level(limit_s), is_share=True)


def _occupancy(theory: float) -> Figure:
    return Figure("occupancy", theory, Day.occupancy, is_share=True)


def _named(figure: str, callers: str | None) -> str:
    return f"{figure} ({callers})" if callers else figure


def _of_line(line: Line, limit_s: float = 20) -> tuple[Figure, ...]:
    figures = (_wait(line.wait_s), _waits(line.waits), _within(line.within(limit_s), limit_s))
    return (*figures, *((_abandoned(line.abandoned),) if line.abandoned else ()), _occupancy(line.occupancy))


def _of_class(met: ClassOfCallers, callers: str) -> tuple[Figure, ...]:
    figures = (_wait(met.wait_s, callers), _waits(met.waits, callers))
    return (*figures, _abandoned(met.abandoned, callers)) if met.abandoned else figures


# --- cases -------------------------------------------------------------------------------------------------

_PLAIN = QueueRules("calls", wrap_up_us=0)


def _staffed(agents: int, *queues: QueueRules) -> Configuration:
    names = tuple(rules.id for rules in queues)
    return Configuration(
        queues=queues, agents=tuple(AgentProfile(f"agent-{n:03}", queues=names) for n in range(1, agents + 1))
    )


def _case(
    name: str,
    theory: str,
    configuration: Configuration,
    callers: tuple[Callers, ...],
    figures: tuple[Figure, ...],
    **more: object,
) -> Case:
    """A case with two hours of warm-up: 30 handling times or more, after which no start is felt."""
    per_hour = sum(each.arrivals.per_hour for each in callers if isinstance(each.arrivals, Poisson))
    scenario = Scenario(configuration, callers, length_us=3 * HOUR_US, warm_up_us=2 * HOUR_US, **more)  # type: ignore[arg-type]
    return Case(name, theory, scenario, figures, 3600 / per_hour)


def _one_line(
    name: str,
    theory: str,
    agents: int,
    per_hour: float,
    handling: float,
    line: Line,
    limit_s: float = 20,
    patience: Exponential | Fixed | None = None,
) -> Case:
    callers = Callers("all", "calls", Poisson(per_hour), Exponential(handling), patience)
    case = _case(name, theory, _staffed(agents, _PLAIN), (callers,), _of_line(line, limit_s))
    return replace(case, scenario=replace(case.scenario, warm_up_us=round(40 * handling * SECOND)))


def erlang_c_case(agents: int, per_hour: float, handling: float) -> Case:
    """Patient callers, one queue."""
    line = erlang_c(per_hour / 3600, handling, agents)
    return _one_line(f"Erlang C, {agents} agents", "Erlang C (M/M/n)", agents, per_hour, handling, line)


def erlang_a_case(agents: int, per_hour: float, handling: float, patience: float) -> Case:
    """Impatient callers, one queue."""
    line = erlang_a(per_hour / 3600, handling, patience, agents)
    name = f"Erlang A, {agents} agents"
    return _one_line(
        name, "Erlang A (M/M/n+M)", agents, per_hour, handling, line, patience=Exponential(patience)
    )  # fmt: skip


def erlang_b_case(agents: int, per_hour: float, handling: float) -> Case:
    """Callers who do not wait at all."""
    blocked = erlang_b(agents, per_hour / 3600 * handling)
    callers = Callers("all", "calls", Poisson(per_hour), Exponential(handling), Fixed(0))
    figures = (_abandoned(blocked), _occupancy(per_hour / 3600 * handling * (1 - blocked) / agents))
    name = f"nobody waits, {agents} agents"
    return _case(name, "Erlang B (M/M/n/n)", _staffed(agents, _PLAIN), (callers,), figures)


def wrap_up_case(agents: int, per_hour: float, handling: float, share: float) -> Case:
    """Erlang C where part of the handling is work after the call, which the agent ends."""
    callers = Callers("all", "calls", Poisson(per_hour), Exponential(handling), wrap_up_share=share)
    line = erlang_c(per_hour / 3600, handling, agents)
    rules = replace(_PLAIN, wrap_up_us=_NEVER_US)
    name = f"wrap-up ended by hand, {agents} agents"
    return _case(name, "Erlang C (M/M/n)", _staffed(agents, rules), (callers,), _of_line(line))


def fixed_times_case(per_hour: float, ring: float, talk: float, wrap_up: float) -> Case:
    """One agent who takes the same time for each call: ringing, talk, and a wrap-up that the engine's clock ends."""
    total = ring + talk + wrap_up
    callers = Callers("all", "calls", Poisson(per_hour), Fixed(talk))
    wait = ring + single_agent_wait(per_hour / 3600, total, 0)
    rules = replace(_PLAIN, wrap_up_us=round(wrap_up * SECOND))
    figures = (_wait(wait), _occupancy(per_hour / 3600 * total))
    name = "ring, talk and wrap-up by the clock, 1 agent"
    return _case(name, "Pollaczek-Khinchine (M/D/1)", _staffed(1, rules), (callers,), figures, ring=Fixed(ring))


def overflow_case(
    agents: int, per_hour: float, handling: float, patience: float, after: float, by_rule: bool = False
) -> Case:
    """Everybody waits `patience`, and is moved to a second queue of the same agents before: nothing may change.
    `by_rule`: the engine moves them, by the rule of their queue; else their flow does."""
    moved = Overflow(round(after * SECOND), "second")
    callers = Callers(
        "all", "first", Poisson(per_hour), Exponential(handling), Fixed(patience), overflow=None if by_rule else moved
    )  # fmt: skip
    rule = QueueOverflow(OverflowCause.TIMED_OUT, moved.after_us, moved.queue)
    first = replace(_PLAIN, id="first", overflow=(rule,) if by_rule else ())
    line = erlang_fixed_patience(per_hour / 3600, handling, patience, agents)
    both = _staffed(agents, first, replace(_PLAIN, id="second"))
    name = f"overflow{' by rule' if by_rule else ''}, all wait {patience:g} s, {agents} agents"
    return _case(name, "M/M/n+D (Zeltyn-Mandelbaum)", both, (callers,), _of_line(line))


def priority_case(agents: int, per_hour: tuple[float, ...], handling: float) -> Case:
    """Classes of callers, the first the most urgent."""
    waits = priority_waits(tuple(each / 3600 for each in per_hour), handling, agents)
    line = erlang_c(sum(per_hour) / 3600, handling, agents)
    callers = tuple(
        Callers(f"class {n}", "calls", Poisson(each), Exponential(handling), priority=len(per_hour) - n)
        for n, each in enumerate(per_hour, 1)
    )
    figures = (
        *(_wait(wait, f"class {n}") for n, wait in enumerate(waits, 1)),
        Figure("mean wait of all, s (conserved)", line.wait_s, Day.mean_wait_s, is_share=False),
        _waits(line.waits),
    )
    name = f"{len(per_hour)} priorities, {agents} agents"
    return _case(name, "Cobham (M/M/n, no interruption)", _staffed(agents, _PLAIN), callers, figures)


def n_case(
    per_hour: tuple[float, float], handling: tuple[float, float], agents: tuple[int, int], patience: float | None
) -> Case:
    """Class 2 needs a skill that only group 2 has; first come, first served, longest idle."""
    solved = n_design((per_hour[0] / 3600, per_hour[1] / 3600), handling, agents, patience, longest=40)
    lengths = None if patience is None else Exponential(patience)
    needs = ((), (Requirement("french", 5),))
    callers = tuple(
        Callers(f"class {n + 1}", "calls", Poisson(per_hour[n]), Exponential(1), lengths, requirements=needs[n])
        for n in (0, 1)
    )
    with_patience = "with" if patience else "without"
    name = f"N design {with_patience} patience, {agents[0]}+{agents[1]} agents"
    figures = (*_of_class(solved.first, "class 1"), *_of_class(solved.second, "class 2"), _occupancy(solved.occupancy))
    configuration, paces = _groups(agents, handling, (("english", 5),), (("english", 5), ("french", 5)))
    return _case(name, "Markov chain, solved exactly", configuration, callers, figures, paces=paces)


def x_case(
    per_hour: tuple[float, float],
    handling: tuple[float, float],
    agents: tuple[int, int],
    patience: tuple[float | None, float | None],
) -> Case:
    """Both groups serve both classes, each at its own pace; class 1 is more urgent; longest idle."""
    solved = x_design((per_hour[0] / 3600, per_hour[1] / 3600), handling, agents, patience, longest=40)
    lengths = tuple(None if each is None else Exponential(each) for each in patience)
    callers = tuple(
        Callers(f"class {n + 1}", "calls", Poisson(per_hour[n]), Exponential(1), lengths[n], priority=1 - n)
        for n in (0, 1)
    )
    with_patience = "with" if patience != (None, None) else "without"
    name = f"X design {with_patience} patience, {agents[0]}+{agents[1]} agents"
    figures = (*_of_class(solved.first, "class 1"), *_of_class(solved.second, "class 2"), _occupancy(solved.occupancy))
    configuration, paces = _groups(agents, handling, (), ())
    return _case(name, "Markov chain, solved exactly", configuration, callers, figures, paces=paces)


_Skills = tuple[tuple[str, int], ...]


def _groups(
    agents: tuple[int, int], handling: tuple[float, float], *skills: _Skills
) -> tuple[Configuration, dict[str, float]]:
    """Two groups of agents; handling of mean 1 s at a group's pace takes the group's mean."""
    profiles, paces = [], {}
    for group in (0, 1):
        for n in range(1, agents[group] + 1):
            # Names alternate between the groups, so that an order by name would not look like the groups' order.
            profiles.append(AgentProfile(f"agent-{n}-{group + 1}", queues=("calls",), skills=skills[group]))
            paces[profiles[-1].id] = handling[group]
    return Configuration(queues=(_PLAIN,), agents=tuple(profiles)), paces


def all_cases() -> tuple[Case, ...]:
    """Every case of the table, built anew (the chains take about a second)."""
    return (
        replace(erlang_c_case(5, 60, 180), replications=400),
        replace(erlang_c_case(14, 200, 180), replications=1_500),
        replace(wrap_up_case(4, 50, 180, 0.3), replications=320),
        erlang_b_case(10, 200, 180),
        fixed_times_case(20, ring=8, talk=72, wrap_up=20),
        replace(erlang_a_case(14, 200, 180, 300), replications=800),
        erlang_a_case(9, 210, 180, 300),
        replace(erlang_a_case(20, 420, 180, 120), replications=100),
        replace(erlang_a_case(50, 2880, 60, 120), replications=350),
        overflow_case(6, 130, 180, patience=60, after=25),
        overflow_case(10, 215, 180, patience=45, after=20, by_rule=True),
        replace(priority_case(4, (18, 30), 180), replications=550),
        replace(priority_case(3, (8, 10, 12), 180), replications=520),
        replace(n_case((24, 20), (180, 180), (2, 2), None), replications=610),
        replace(n_case((36, 24), (150, 200), (2, 2), 240), replications=100),
        replace(x_case((18, 28), (150, 240), (2, 2), (None, None)), replications=550),
        replace(x_case((24, 36), (150, 240), (2, 2), (120, 300)), replications=100),
    )
