"""How long will this caller wait? Named estimators, each a pure function of what is known when they ask.

All see the callers ahead in the caller's own queue, in its order, and the agents at work for it; they know nothing of
callers of higher priority who will come later. Lengths are in µs, rates per µs. Only + - * / and the square root are
used, which every machine rounds alike, so that a replay says the same to the microsecond.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

#: Standard normal quantile of nine in ten.
_NINE_OF_TEN = 1.2815515655446004

#: So many terms of a sum are added one by one; later ones in blocks an eighth as long as what came before.
_SINGLE = 32


class Expected(NamedTuple):
    """The mean, and what nine of ten do not exceed. `is_known` is False where nobody works: then both are 0."""

    mean_us: int
    most_us: int
    is_known: bool = True


AT_ONCE = Expected(0, 0)
UNKNOWN = Expected(0, 0, is_known=False)


def patience(ahead: int, agents: int, handling_us: float, leave_rate: float) -> Expected:
    """Callers ahead are served or give up: sum over j = 0…ahead of 1 / (agents / handling + j · leave_rate).

    The mean wait, in M/M/n+M with first come first served, of somebody who does not give up themselves and finds all
    agents busy and `ahead` waiting (Whitt, "Predicting queueing delays", Management Science 45, 1999). The wait is a
    sum of independent exponential times.
    """
    if agents <= 0:
        return UNKNOWN
    mean, variance = _sums(agents / handling_us, leave_rate, ahead + 1)
    return _expected(mean, variance)


def staffing(ahead: int, agents: int, handling_us: float) -> Expected:
    """Nobody gives up: (ahead + 1) · handling / agents, exact in M/M/n. The wait is Erlang distributed."""
    return patience(ahead, agents, handling_us, 0.0)


def head_of_line(head_waited_us: int, agents: int, handling_us: float) -> Expected:
    """As long as the first in line has waited; 0 where nobody waits.

    Asks for no knowledge of patience, and lags behind when the load changes (Ibrahim and Whitt, "Real-time delay
    estimation based on delay history", M&SOM 11, 2009). The variance is theirs for heavy traffic, 2 · wait · handling /
    agents, at most that of an exponential time.
    """
    if agents <= 0:
        return UNKNOWN
    waited = float(head_waited_us)
    return _expected(waited, min(2.0 * waited * handling_us / agents, waited * waited))


def _sums(rate: float, step: float, count: int) -> tuple[float, float]:
    """Sums of 1/r and 1/r² over r = rate + j · step for j below `count`; late terms by the midpoints of blocks, which
    is less than 0.5 % off."""
    if step <= 0.0:
        return count / rate, count / (rate * rate)
    mean = variance = 0.0
    at = 0
    while at < count:
        length = 1 if at < _SINGLE else min(at // 8, count - at)
        middle = rate + (at + (length - 1) / 2.0) * step
        mean += length / middle
        variance += length / (middle * middle)
        at += length
    return mean, variance


def _expected(mean: float, variance: float) -> Expected:
    return Expected(round(mean), round(_nine_of_ten(mean, variance)))


def _nine_of_ten(mean: float, variance: float) -> float:
    """The 90 % quantile of the gamma distribution of this mean and variance (Wilson and Hilferty, PNAS 17, 1931);
    1 % low for the exponential distribution, closer for all that vary less."""
    if mean <= 0.0:
        return 0.0
    ninth = variance / (9.0 * mean * mean)
    root = 1.0 - ninth + _NINE_OF_TEN * sqrt(ninth)
    return mean * root * root * root
