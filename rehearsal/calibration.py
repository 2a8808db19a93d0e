"""How right is each estimator? The real engine says on joining how long a caller will wait; the day shows how long.

A small stream of callers who never give up is let in among the others: their waits are what an estimator is asked for,
and nothing of them is cut off. Scored are those of them who had to wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from acd.commands import Command, VisitOpened
from acd.engine import Engine
from acd.events import Event
from acd.model import AgentProfile, Configuration, Estimator, QueueRules
from rehearsal.arrivals import Poisson
from rehearsal.chance import SECOND, Exponential
from rehearsal.day import rehearse
from rehearsal.scenario import HOUR_US, Callers, Scenario, Shift

QUEUE = "billing"
#: The stream whose waits are scored, and the others.
SCORED, OTHERS = "stays", "others"
_HANDLING = Exponential(180.0)


@dataclass(frozen=True, slots=True)
class Score:
    """Of one estimator in one scenario: `calls` that waited, their mean wait, how far the predicted mean is off on
    average (`bias_s`, positive: told too long), the mean absolute error, and the share within what nine of ten should
    not exceed."""

    estimator: Estimator
    calls: int
    mean_wait_s: float
    bias_s: float
    error_s: float
    within_most: float


class _Listening:
    """The engine, and what it said when callers joined."""

    def __init__(self, configuration: Configuration, now: int) -> None:
        self._engine = Engine(configuration, now)
        self.told: dict[str, VisitOpened] = {}

    def handle(self, event: Event, now: int) -> tuple[Command, ...]:
        answer = self._engine.handle(event, now)
        for command in answer:
            if isinstance(command, VisitOpened):
                self.told[command.interaction_id] = command
        return answer

    def next_due(self) -> int | None:
        return self._engine.next_due()


def score(scenario: Scenario, estimator: Estimator, replications: int = 1) -> Score:
    """Rehearse so many days with this estimator. Chances are common to all estimators: they judge the same calls."""
    (rules,) = scenario.configuration.queues
    queues = (replace(rules, estimator=estimator),)
    scenario = replace(scenario, configuration=replace(scenario.configuration, queues=queues))
    waits: list[tuple[float, float, float]] = []
    for replication in range(replications):
        made: list[_Listening] = []

        def engine_for(configuration: Configuration, now: int, made: list[_Listening] = made) -> _Listening:
            made.append(_Listening(configuration, now))
            return made[-1]

        day = rehearse(scenario, replication, engine_for)
        for call in day.counted(SCORED):
            if call.waited_us > 0 and not call.sent_away:
                told = made[0].told[call.id]
                waits.append((told.expected_wait_us / SECOND, told.expected_most_us / SECOND, call.waited_us / SECOND))
    return _score(estimator, waits)


def _score(estimator: Estimator, waits: Sequence[tuple[float, float, float]]) -> Score:
    count = len(waits)
    return Score(
        estimator=estimator,
        calls=count,
        mean_wait_s=sum(real for _, _, real in waits) / count,
        bias_s=sum(mean - real for mean, _, real in waits) / count,
        error_s=sum(abs(mean - real) for mean, _, real in waits) / count,
        within_most=sum(real <= most for _, most, real in waits) / count,
    )


# --- what they are scored on ---------------------------------------------------------------------------------


def _scenario(
    agents: int, load: float, patience_s: float | None, length_us: int, shifts: tuple[Shift, ...]
) -> Scenario:
    """`load` in Erlang; one caller in 20 is scored. The rules know nothing but the mean handling."""
    per_hour = load * 3600 / 180
    patience = Exponential(patience_s) if patience_s else None
    people = tuple(AgentProfile(f"a{number:02}", queues=(QUEUE,)) for number in range(agents))
    rules = QueueRules(QUEUE, wrap_up_us=0, ring_us=3600 * SECOND)
    return Scenario(
        configuration=Configuration((rules,), people, offer_without_desktop=True),
        callers=(
            Callers(OTHERS, QUEUE, Poisson(per_hour * 0.95), _HANDLING, patience),
            Callers(SCORED, QUEUE, Poisson(per_hour * 0.05), _HANDLING),
        ),
        length_us=length_us,
        warm_up_us=HOUR_US,
        shifts=shifts,
        seed=20_261_122,
    )


def scenarios(hours: int = 40) -> dict[str, Scenario]:
    """Erlang C (nobody gives up), Erlang A (overloaded, patience 2 min), and days on which staff changes every two
    hours at a steady load."""
    day = [8, 12, 9, 14, 7, 11]
    shifts = tuple(
        Shift(f"a{number:02}", at * 2 * HOUR_US, (at + 1) * 2 * HOUR_US)
        for at in range(hours // 2)
        for number in range(day[at % len(day)])
    )
    return {
        "Erlang C, 10 agents, load 9": _scenario(10, 9.0, None, hours * HOUR_US, ()),
        "Erlang A, 10 agents, load 12": _scenario(10, 12.0, 120.0, hours * HOUR_US, ()),
        "7 to 14 agents, load 10, patience 5 min": _scenario(14, 10.0, 300.0, hours * HOUR_US, shifts),
    }


def table(hours: int = 40, replications: int = 2) -> list[str]:
    """The scores as a Markdown table."""
    lines = [
        "| scenario | estimator | calls that waited | mean wait, s | bias, s | mean error, s | within 90 % bound |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, scenario in scenarios(hours).items():
        for estimator in Estimator:
            found = score(scenario, estimator, replications)
            lines.append(
                f"| {name} | `{estimator.value}` | {found.calls:,} | {found.mean_wait_s:.0f} | {found.bias_s:+.0f} "
                f"| {found.error_s:.0f} | {found.within_most:.1%} |"
            )
    return lines
