"""The loop's lag: what is counted, what is kept as the worst, and a real loop that is held up."""

from __future__ import annotations

import asyncio
import time

import pytest

from cti.loop_lag import LoopLag, Spread


def test_a_spread_counts_up_to_each_bound() -> None:
    spread = Spread((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 3.0):
        spread.note(seconds)
    assert spread.buckets() == [("0.1", 2), ("1.0", 3), ("+Inf", 4)]
    assert spread.count == 4
    assert spread.sum == pytest.approx(3.65)


def test_the_worst_is_kept_for_a_minute_or_two() -> None:
    lag = LoopLag()
    lag.note(0.4, 1.0)
    lag.note(0.1, 61.0)
    assert lag.worst_s == 0.4
    lag.note(0.2, 90.0)
    lag.note(0.0, 122.0)
    assert lag.worst_s == 0.2
    lag.note(0.01, 1_000.0)
    assert lag.worst_s == 0.01, "after a long gap nothing of before counts"


async def test_who_holds_the_loop_up_is_measured() -> None:
    lag = LoopLag()
    running = asyncio.create_task(lag.run())
    try:
        async with asyncio.timeout(5):
            await asyncio.sleep(0.05)
            time.sleep(0.3)  # noqa: ASYNC251 - this is what is measured
            while lag.worst_s < 0.2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert lag.spread.count >= 1
