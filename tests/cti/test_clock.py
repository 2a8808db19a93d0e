from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from cti.clock import Clock, utc
from tests.fakes.clock import START, FakeClock, settle


class Hardware:
    """A wall clock and a steady clock set by hand, in nanoseconds."""

    def __init__(self, wall: int, steady: int) -> None:
        self.wall, self.steady = wall, steady

    def clock(self, floor: int = 0) -> Clock:
        return Clock(floor, wall_ns=lambda: self.wall, steady_ns=lambda: self.steady)


def test_now_is_wall_time_in_microseconds() -> None:
    before, now, after = time.time_ns() // 1000, Clock().now(), time.time_ns() // 1000
    second = 1_000_000  # a busy machine may stop between two readings; what is tested is the unit and the epoch
    assert before - second <= now <= after + second


def test_a_wall_clock_that_is_set_back_changes_nothing() -> None:
    hardware = Hardware(wall=5_000_000_000, steady=7_000)
    clock = hardware.clock()
    hardware.wall = 0
    hardware.steady += 3_000_000
    assert clock.now() == 5_003_000


def test_now_never_runs_back_even_if_the_steady_clock_does() -> None:
    hardware = Hardware(wall=5_000_000_000, steady=9_000_000)
    clock = hardware.clock()
    first = clock.now()
    hardware.steady = 0
    assert clock.now() == first


def test_time_goes_on_from_a_raised_floor_at_normal_speed() -> None:
    hardware = Hardware(wall=1_000_000, steady=0)
    clock = hardware.clock(floor=50_000)
    assert clock.now() == 50_000
    hardware.steady += 7_000
    assert clock.now() == 50_007
    clock.raise_floor(40_000)
    assert clock.now() == 50_007
    clock.raise_floor(60_000)
    assert clock.now() == 60_000


def test_utc_keeps_microseconds() -> None:
    assert utc(1_700_000_000_123_456) == datetime(2023, 11, 14, 22, 13, 20, 123_456, tzinfo=UTC)


async def test_sleep_until_returns_at_or_after_its_instant() -> None:
    clock = Clock()
    at = clock.now() + 20_000
    await clock.sleep_until(at)
    assert at <= clock.now() < at + 5_000_000


async def test_sleep_until_the_past_lets_the_loop_turn() -> None:
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    await Clock().sleep_until(0)
    assert turned.is_set()


async def test_fake_sleepers_wake_in_order_and_see_their_own_instant() -> None:
    clock, woken = FakeClock(), []

    async def sleeper(name: str, after: int) -> None:
        await clock.sleep_until(START + after)
        woken.append((name, clock.now() - START))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper("late", 300))
        group.create_task(sleeper("early", 100))
        await settle()
        assert clock.sleepers == 2
        await clock.tick(200)
        assert woken == [("early", 100)]
        await clock.tick(100)
    assert woken == [("early", 100), ("late", 300)]


async def test_a_cancelled_fake_sleeper_does_not_disturb_the_others() -> None:
    clock = FakeClock()
    first = asyncio.create_task(clock.sleep_until(START + 10))
    second = asyncio.create_task(clock.sleep_until(START + 10))
    await settle()
    first.cancel()
    await settle()
    assert clock.sleepers == 1
    clock.advance(10)
    await second
