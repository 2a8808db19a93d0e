"""Small designs with skills, solved exactly as Markov chains: what the engine's own rules must lead to.

Two designs of two classes of callers and two groups of agents. Arrivals are Poisson, handling and patience
exponential, and the rules are the engine's: the first who asked is served first (or the more urgent class), and of
several ready agents the longest idle one takes the call. Because of the latter the *order* in which agents became
idle is part of the state: a word of group numbers, longest idle first.

Lines are cut at `longest`; the share of time at the cut is returned, so that a test can see that it is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from rehearsal.errors import RehearsalError

State = TypeVar("State", bound=Hashable)

#: Balance is reached when no sweep changes a probability by more than this.
_EXACT = 1e-13
_SWEEPS = 20_000


def equilibrium(start: State, moves: Callable[[State], Iterable[tuple[State, float]]]) -> dict[State, float]:
    """The share of time in each state that `start` leads to; `moves` gives next states with their rates per second.

    Gauss and Seidel's iteration, sweeping to and fro. Raises RehearsalError when it does not settle.
    """
    index: dict[State, int] = {start: 0}
    order = [start]
    into: list[list[tuple[int, float]]] = [[]]
    out: list[float] = []
    for at, state in enumerate(order):  # grows while it is walked
        out.append(0.0)
        for after, rate in moves(state):
            if rate <= 0 or after == state:
                continue
            if after not in index:
                index[after] = len(order)
                order.append(after)
                into.append([])
            into[index[after]].append((at, rate))
            out[at] += rate
    shares = [1.0 / len(order)] * len(order)
    there = range(len(order))
    for sweep in range(_SWEEPS):
        moved = 0.0
        for at in there if sweep % 2 == 0 else reversed(there):
            new = sum(shares[before] * rate for before, rate in into[at]) / out[at]
            moved = max(moved, abs(new - shares[at]))
            shares[at] = new
        total = sum(shares)
        shares = [share / total for share in shares]
        if moved < _EXACT * total:
            return dict(zip(order, shares, strict=True))
    raise RehearsalError(f"equilibrium: expected it to settle within {_SWEEPS} sweeps over {len(order)} states")


@dataclass(frozen=True, slots=True)
class ClassOfCallers:
    """What one class meets, in equilibrium (fields as in `rehearsal.theory.Line`)."""

    waits: float
    wait_s: float
    abandoned: float
    line: float


@dataclass(frozen=True, slots=True)
class Design:
    """Both classes, the agents' occupancy over all, and the share of time at the cut."""

    first: ClassOfCallers
    second: ClassOfCallers
    occupancy: float
    cut: float


# --- N: one group serves one class only, the other both ----------------------------------------------------

#: (idle groups, longest idle first; class-2 callers in front; 1 when a class-1 caller is known to wait behind them;
#: callers behind that one, of classes not looked at yet)
_N = tuple[tuple[int, ...], int, int, int]


def n_design(
    arrivals: tuple[float, float],
    handling: tuple[float, float],
    agents: tuple[int, int],
    patience: float | None = None,
    longest: int = 60,
) -> Design:
    """Group 1 serves class 1 only, group 2 serves both; first come, first served over both classes.

    `handling` and `agents` are by group, `patience` (mean, seconds; None: without end) is alike for all.
    Who stands behind the first class-1 caller has not been looked at: each of them is of class 1 with its share of
    the arrivals, whatever happened (Adan and Weiss 2014 use the same), so three numbers describe the line.
    """
    total = sum(arrivals)
    share = arrivals[0] / total
    leave = 1 / patience if patience else 0.0
    rate = (1 / handling[0], 1 / handling[1])

    def look(front: int, behind: int) -> Iterable[tuple[_N, float]]:
        """The class-1 caller is gone: find the next one among those behind."""
        chance = 1.0
        for passed in range(behind):
            yield ((), front + passed, 1, behind - passed - 1), chance * share
            chance *= 1 - share
        yield ((), front + behind, 0, 0), chance

    def moves(state: _N) -> Iterable[tuple[_N, float]]:
        idle, front, known, behind = state
        full = front + known + behind >= longest
        ready = (idle.count(1), idle.count(2))
        if front:
            yield (idle, front - 1, known, behind), front * leave
        if idle:
            yield (idle[1:], front, 0, 0), arrivals[0]
            if ready[1]:
                at = idle.index(2)
                yield (idle[:at] + idle[at + 1 :], front, 0, 0), arrivals[1]
            elif not full:
                yield (idle, front + 1, 0, 0), arrivals[1]
            yield ((*idle, 1), front, 0, 0), (agents[0] - ready[0]) * rate[0]
            served = (idle, front - 1, 0, 0) if front else ((*idle, 2), 0, 0, 0)
            yield served, (agents[1] - ready[1]) * rate[1]
            return
        first, second = agents[0] * rate[0], agents[1] * rate[1]
        if not known:
            if not full:
                yield ((), front, 1, 0), arrivals[0]
                yield ((), front + 1, 0, 0), arrivals[1]
            yield ((1,), front, 0, 0), first
            yield (((), front - 1, 0, 0) if front else ((2,), 0, 0, 0)), second
            return
        if not full:
            yield ((), front, 1, behind + 1), total
        if behind:
            yield ((), front, 1, behind - 1), behind * leave
        if front:
            yield ((), front - 1, 1, behind), second
        for after, chance in look(front, behind):
            yield after, (first + leave + (0.0 if front else second)) * chance

    everybody = (1,) * agents[0] + (2,) * agents[1]
    shares = equilibrium((everybody, 0, 0, 0), moves)
    lines = (
        sum(p * (s[2] + s[3] * share) for s, p in shares.items()),
        sum(p * (s[1] + s[3] * (1 - share)) for s, p in shares.items()),
    )
    waits = (
        sum(p for s, p in shares.items() if not s[0]),
        sum(p for s, p in shares.items() if 2 not in s[0]),
    )
    idle = sum(p * len(s[0]) for s, p in shares.items())
    return Design(
        first=_met(arrivals[0], waits[0], lines[0], leave),
        second=_met(arrivals[1], waits[1], lines[1], leave),
        occupancy=1 - idle / sum(agents),
        cut=sum(p for s, p in shares.items() if s[1] + s[2] + s[3] >= longest),
    )


def _met(arrivals: float, waits: float, line: float, leave: float) -> ClassOfCallers:
    """Waits by Little's law, abandons by those who leave the line."""
    return ClassOfCallers(waits=waits, wait_s=line / arrivals, abandoned=line * leave / arrivals, line=line)


# --- X: both groups serve both classes ---------------------------------------------------------------------

#: (idle groups, longest idle first; class-1 and class-2 callers who wait)
_X = tuple[tuple[int, ...], int, int]


def x_design(
    arrivals: tuple[float, float],
    handling: tuple[float, float],
    agents: tuple[int, int],
    patience: tuple[float | None, float | None] = (None, None),
    longest: int = 60,
) -> Design:
    """Both groups serve both classes, each at its own pace; class 1 is more urgent; nobody is interrupted.

    `handling` and `agents` are by group, `patience` (mean, seconds; None: without end) by class.
    """
    leave = tuple(1 / each if each else 0.0 for each in patience)
    rate = (1 / handling[0], 1 / handling[1])

    def moves(state: _X) -> Iterable[tuple[_X, float]]:
        idle, urgent, other = state
        ready = (idle.count(1), idle.count(2))
        if idle:
            yield (idle[1:], 0, 0), sum(arrivals)
        else:
            if urgent < longest:
                yield ((), urgent + 1, other), arrivals[0]
            if other < longest:
                yield ((), urgent, other + 1), arrivals[1]
        if urgent:
            yield ((), urgent - 1, other), urgent * leave[0]
        if other:
            yield ((), urgent, other - 1), other * leave[1]
        for group in (0, 1):
            done = (agents[group] - ready[group]) * rate[group]
            if urgent:
                yield ((), urgent - 1, other), done
            elif other:
                yield ((), 0, other - 1), done
            else:
                yield ((*idle, group + 1), 0, 0), done

    everybody = (1,) * agents[0] + (2,) * agents[1]
    shares = equilibrium((everybody, 0, 0), moves)
    waits = sum(p for s, p in shares.items() if not s[0])
    lines = (sum(p * s[1] for s, p in shares.items()), sum(p * s[2] for s, p in shares.items()))
    idle = sum(p * len(s[0]) for s, p in shares.items())
    return Design(
        first=_met(arrivals[0], waits, lines[0], leave[0]),
        second=_met(arrivals[1], waits, lines[1], leave[1]),
        occupancy=1 - idle / sum(agents),
        cut=sum(p for s, p in shares.items() if longest in s[1:]),
    )
