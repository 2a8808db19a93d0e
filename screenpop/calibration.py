"""How right the expected waits were: what callers were told on joining, against what those who were answered waited.

Only the answered are counted. Who gave up would have waited longer than is known of them, so where many give up the
real waits here are a little shorter than what an estimator is asked for: the wait of somebody who stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from screenpop.model import Value

#: Upper ends of the bands by predicted wait, s; the last band has none.
BANDS_S = (30, 60, 120, 300, 600)


@dataclass(frozen=True, slots=True)
class Wait:
    """One visit that was answered: what was said on joining (mean, what nine of ten do not exceed), and what came."""

    queue: str
    expected_us: int
    most_us: int
    real_us: int


class Band(Value):
    """Visits of which so much was predicted: from `from_s` on, below `below_s` (null: without end). Seconds."""

    from_s: int
    below_s: int | None
    visits: int
    predicted_mean_s: float
    predicted_most_s: float
    real_mean_s: float
    real_median_s: float
    real_most_s: float
    within_most: float


class QueueWaits(Value):
    """Of one queue: `within_most` is the share of real waits that did not exceed what nine of ten should not: 0.9 where
    the estimator is right. `predicted_most_s` is the mean of those limits, `real_most_s` the 90 % quantile."""

    queue: str
    visits: int
    predicted_mean_s: float
    real_mean_s: float
    within_most: float
    bands: tuple[Band, ...]


def calibrate(waits: Iterable[Wait]) -> tuple[QueueWaits, ...]:
    """Per queue, in the order of their names; visits of which nothing was predicted are left out."""
    queues: dict[str, list[Wait]] = {}
    for wait in waits:
        if wait.expected_us > 0:
            queues.setdefault(wait.queue, []).append(wait)
    return tuple(_of_queue(queue, queues[queue]) for queue in sorted(queues))


def _of_queue(queue: str, waits: Sequence[Wait]) -> QueueWaits:
    bands = []
    for from_s, below_s in zip((0, *BANDS_S), (*BANDS_S, None), strict=True):
        most = below_s * 1_000_000 if below_s is not None else None
        inside = [each for each in waits if each.expected_us >= from_s * 1_000_000]
        inside = [each for each in inside if most is None or each.expected_us < most]
        if inside:
            bands.append(_band(from_s, below_s, inside))
    return QueueWaits(
        queue=queue,
        visits=len(waits),
        predicted_mean_s=_mean_s(each.expected_us for each in waits),
        real_mean_s=_mean_s(each.real_us for each in waits),
        within_most=_within(waits),
        bands=tuple(bands),
    )


def _band(from_s: int, below_s: int | None, waits: Sequence[Wait]) -> Band:
    real = sorted(each.real_us for each in waits)
    return Band(
        from_s=from_s,
        below_s=below_s,
        visits=len(waits),
        predicted_mean_s=_mean_s(each.expected_us for each in waits),
        predicted_most_s=_mean_s(each.most_us for each in waits),
        real_mean_s=_mean_s(real),
        real_median_s=_quantile_s(real, 50),
        real_most_s=_quantile_s(real, 90),
        within_most=_within(waits),
    )


def _mean_s(lengths_us: Iterable[int]) -> float:
    known = list(lengths_us)
    return sum(known) / len(known) / 1_000_000


def _quantile_s(in_order: Sequence[int], percent: int) -> float:
    """The smallest wait that so many per cent do not exceed."""
    return in_order[max(0, -(-percent * len(in_order) // 100) - 1)] / 1_000_000


def _within(waits: Sequence[Wait]) -> float:
    return sum(each.real_us <= each.most_us for each in waits) / len(waits)


def told(queues: Sequence[QueueWaits]) -> list[str]:
    """Lines for people: one for each queue, and one for each of its bands."""
    lines = []
    for queue in queues:
        lines.append(
            f"{queue.queue}: {queue.visits} answered after a predicted wait of {queue.predicted_mean_s:.0f} s on "
            f"average, really {queue.real_mean_s:.0f} s; "
            f"{queue.within_most:.1%} within what nine of ten should not exceed"
        )
        for band in queue.bands:
            span = f"{band.from_s}-{band.below_s} s" if band.below_s is not None else f"{band.from_s} s and more"
            lines.append(
                f"  predicted {span:>14}: {band.visits:6} visits, mean {band.predicted_mean_s:5.0f} s (real "
                f"{band.real_mean_s:.0f}, median {band.real_median_s:.0f}), nine of ten {band.predicted_most_s:5.0f} s "
                f"(real {band.real_most_s:.0f}), within {band.within_most:.1%}"
            )
    return lines
