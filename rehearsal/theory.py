"""What theory says about waiting lines: the numbers that the engine is held to.

Calls arrive as a Poisson process. Rates are per second, times in seconds, shares from 0 to 1.
`arrivals`: calls per second; `handling`: mean handling time; `agents`: how many; `load` = arrivals × handling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, exp, expm1, log

from rehearsal.errors import RehearsalError


def erlang_b(agents: int, load: float) -> float:
    """Share of calls that find everybody busy when nobody waits (M/G/n/n; Erlang 1917), by the stable recursion."""
    blocked = 1.0
    for n in range(1, agents + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


@dataclass(frozen=True, slots=True)
class Line:
    """A line in equilibrium. `waits`: share not answered at once; `wait_s`: mean wait of all; `abandoned`: share
    who give up; `line`: mean number waiting; `occupancy`: busy share of an agent;
    `within(t)`: share of all calls that are answered within t seconds."""

    waits: float
    wait_s: float
    abandoned: float
    line: float
    occupancy: float
    within: Callable[[float], float]


def erlang_c(arrivals: float, handling: float, agents: int) -> Line:
    """Callers who wait for ever, exponential handling (M/M/n; Erlang 1917). Raises RehearsalError on overload."""
    load = arrivals * handling
    if load >= agents:
        raise RehearsalError(f"erlang_c: expected a load below {agents} agents, got {load:g}")
    blocked = erlang_b(agents, load)
    waits = agents * blocked / (agents - load * (1 - blocked))
    spare = agents / handling - arrivals
    wait_s = waits / spare
    return Line(
        waits=waits,
        wait_s=wait_s,
        abandoned=0.0,
        line=arrivals * wait_s,
        occupancy=load / agents,
        within=lambda t: 1 - waits * exp(-spare * t),
    )


def erlang_c_quantile(arrivals: float, handling: float, agents: int, share: float) -> float:
    """The wait that this share of all callers does not exceed (M/M/n)."""
    waits = erlang_c(arrivals, handling, agents).waits
    return max(0.0, log(waits / (1 - share)) / (agents / handling - arrivals))


def agents_for(arrivals: float, handling: float, within_s: float, service_level: float) -> int:
    """The fewest agents with whom this share of calls is answered in time (M/M/n)."""
    if not 0 <= service_level < 1:
        raise RehearsalError(f"agents_for: service_level: expected 0 to below 1, got {service_level!r}")
    agents = int(arrivals * handling) + 1
    while erlang_c(arrivals, handling, agents).within(within_s) < service_level:
        agents += 1
    return agents


def positions(agents: int, shrinkage: float) -> int:
    """How many to employ so that `agents` are there when this share is away."""
    return ceil(agents / (1 - shrinkage))


def erlang_a(arrivals: float, handling: float, patience: float, agents: int) -> Line:
    """Callers of exponential patience with this mean, exponential handling (M/M/n+M; Palm 1946).

    By recursion outwards from the state in which all are busy and nobody waits, so that nothing overflows.
    """
    rate, leave = agents / handling, 1 / patience
    idle, weight = 0.0, 1.0
    for busy in range(agents, 0, -1):
        weight *= busy / handling / arrivals
        idle += weight
    line, waiting, weight, k = 0.0, 1.0, 1.0, 0
    while weight > 1e-18 * waiting or arrivals > rate + k * leave:
        k += 1
        weight *= arrivals / (rate + k * leave)
        waiting += weight
        line += k * weight
    waits, line = waiting / (idle + waiting), line / (idle + waiting)
    abandoned = leave * line / arrivals
    offered = impatient(arrivals, handling, agents, lambda t: exp(-t * leave), lambda t: patience * -expm1(-t * leave))
    return Line(
        waits=waits,
        wait_s=line / arrivals,
        abandoned=abandoned,
        line=line,
        occupancy=arrivals * handling * (1 - abandoned) / agents,
        within=offered.within,
    )


def erlang_fixed_patience(arrivals: float, handling: float, patience: float, agents: int) -> Line:
    """Callers who all wait exactly `patience`, exponential handling (M/M/n+D)."""
    return impatient(
        arrivals, handling, agents, lambda t: float(t < patience), lambda t: min(t, patience), breaks=(patience,)
    )


def impatient(
    arrivals: float,
    handling: float,
    agents: int,
    stays: Callable[[float], float],
    stays_until: Callable[[float], float],
    breaks: Sequence[float] = (),
) -> Line:
    """Any patience, exponential handling (M/M/n+G; Baccelli and Hebuterne 1981, in the form of Zeltyn and Mandelbaum
    2005): `stays(t)` is the share whose patience exceeds t, `stays_until` its integral from 0 to t.

    The density of the offered wait beyond 0 is arrivals·exp(arrivals·stays_until(t) − agents·t/handling), up to
    the normalising constant. Integrals are cut at `breaks`, where `stays` jumps.
    """
    rate = agents / handling

    def weight(t: float) -> float:
        return exp(arrivals * stays_until(t) - rate * t)

    end = 1.0
    while weight(end) > 1e-16 or arrivals * stays(end) > rate:
        end *= 2
    below = 1 / erlang_b(agents - 1, arrivals * handling)
    whole = _integral(weight, 0, end, breaks)
    total = below + arrivals * whole
    answered = arrivals * _integral(lambda t: stays(t) * weight(t), 0, end, breaks)
    abandoned = 1 - (below + answered) / total
    wait_s = arrivals * _integral(lambda t: stays_until(t) * weight(t), 0, end, breaks) / total

    def within(limit: float) -> float:
        if limit < 0:
            return 0.0
        return (below + arrivals * _integral(lambda t: stays(t) * weight(t), 0, min(limit, end), breaks)) / total

    return Line(
        waits=arrivals * whole / total,
        wait_s=wait_s,
        abandoned=abandoned,
        line=arrivals * wait_s,
        occupancy=arrivals * handling * (1 - abandoned) / agents,
        within=within,
    )


def _integral(f: Callable[[float], float], start: float, end: float, breaks: Sequence[float]) -> float:
    """Gauss's rule of five points on short pieces, none of which has a break within."""
    edges = [start, *sorted(at for at in breaks if start < at < end), end]
    total = 0.0
    for left, right in pairwise(edges):
        pieces = 400
        step = (right - left) / pieces
        for piece in range(pieces):
            middle = left + (piece + 0.5) * step
            total += step / 2 * sum(w * f(middle + x * step / 2) for x, w in _GAUSS_5)
    return total


_GAUSS_5 = (
    (0.0, 0.5688888888888889),
    (-0.5384693101056831, 0.4786286704993665),
    (0.5384693101056831, 0.4786286704993665),
    (-0.9061798459386640, 0.2369268850561891),
    (0.9061798459386640, 0.2369268850561891),
)


def single_agent_wait(arrivals: float, handling: float, variation: float) -> float:
    """Mean wait for one agent and handling times of any law (M/G/1; Pollaczek 1930, Khinchine 1932).
    `variation`: standard deviation over mean; 0 for fixed times."""
    load = arrivals * handling
    if load >= 1:
        raise RehearsalError(f"single_agent_wait: expected a load below 1 agent, got {load:g}")
    return load * handling * (1 + variation**2) / (2 * (1 - load))


def priority_waits(arrivals: Sequence[float], handling: float, agents: int) -> tuple[float, ...]:
    """Mean wait per class, the most urgent first, nobody interrupted, exponential handling alike for all
    (M/M/n with priorities; Cobham 1954, Kella and Yechiali 1985).
    Conservation: Σ arrivals × wait over the classes is what first come, first served gives."""
    everyone = sum(arrivals)
    if everyone * handling >= agents:
        raise RehearsalError(f"priority_waits: expected a load below {agents} agents, got {everyone * handling:g}")
    residual = erlang_c(everyone, handling, agents).waits * handling / agents
    waits, above = [], 0.0
    for each in arrivals:
        up_to = above + each * handling / agents
        waits.append(residual / ((1 - above) * (1 - up_to)))
        above = up_to
    return tuple(waits)
