"""Counting what callers do at the steps of flows: sums, batches that are added once, and who stands where."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DataError

from screenpop.db.flow_numbers import QUARTER_US, Sums, add, sums_of, versions_of
from screenpop.db.store import Store
from screenpop.footfall import Footfall

S = 1_000_000
T = 1_800_000_000 * S
V1, V2 = "a" * 64, "b" * 64
MENU, SAY = (V1, "main", "door:1"), (V1, "main", "door:0")
LATEST = 2**62


async def read(store: Store, since: int = 0, until: int = LATEST, flow: str = "", version: str = "") -> dict[str, Sums]:
    found = await store.look(lambda connection: sums_of(connection, since, until, flow, version))
    return {step: sums for (_, step), sums in found.items()}


async def test_happenings_become_sums_by_quarters_of_an_hour(store: Store) -> None:
    async with Footfall(store, lambda: T, interval_s=0.0) as footfall:
        for at in (T, T + 1, T + QUARTER_US):
            footfall.enter(MENU, at)
        footfall.leave(MENU, T, "keys.1", 3 * S)
        footfall.leave(MENU, T + QUARTER_US, "keys.1", 4 * S)
        footfall.leave(MENU, T, "otherwise", S)
        footfall.miss(MENU, T, timed_out=True)
        footfall.miss(MENU, T, timed_out=False)
        footfall.miss(MENU, T, timed_out=False)
        footfall.hang_up(MENU, T, 2 * S)
        await footfall.flush()
        assert await read(store) == {
            "door:1": Sums(3, 3, 1, 1, 2, 10 * S, {"keys.1": 2, "otherwise": 1}),
        }
        footfall.enter(MENU, T)
        await footfall.flush()
    assert (await read(store, until=T + QUARTER_US))["door:1"].entered == 3
    assert (await read(store, since=T + QUARTER_US))["door:1"].entered == 1
    assert (footfall.left_out, footfall.trouble) == (0, "")


async def test_versions_and_flows_are_told_apart(store: Store) -> None:
    async with Footfall(store, lambda: T) as footfall:  # leaving writes
        footfall.enter((V1, "main", "door:0"), T)
        footfall.enter((V2, "main", "door:0"), T + QUARTER_US)
        footfall.enter((V2, "other", "door:9"), T)
    assert set(await read(store, flow="main")) == {"door:0"}
    assert (await read(store, flow="main", version=V2))["door:0"].entered == 1
    assert (await read(store, flow="main"))["door:0"].entered == 2
    assert await store.look(lambda connection: versions_of(connection, "main", 0, LATEST)) == ["b" * 12, "a" * 12]


async def test_a_batch_is_added_once(store: Store) -> None:
    batch = {("main", T, "a" * 12, "door:0"): Sums(entered=1, ways={"next": 1})}
    added: list[bool] = []

    def put(writer: str, number: int) -> Callable[[Connection], None]:
        return lambda connection: added.append(add(store, connection, writer, number, T, batch))

    for writer, number in (("w", 1), ("w", 1), ("w", 2), ("other", 1), ("w", 1)):
        await store.change(put(writer, number))
    assert added == [True, False, True, True, False]
    assert (await read(store))["door:0"].entered == 3


async def test_a_batch_that_was_written_but_said_to_have_failed_does_not_count_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, failed = store.change, 0

    async def written_but(work: Callable[[Connection], None]) -> None:
        nonlocal failed
        await change(work)
        if failed < 2:
            failed += 1
            raise OSError("the answer was lost")

    monkeypatch.setattr(store, "change", written_but)
    async with Footfall(store, lambda: T, interval_s=0.0) as footfall:
        footfall.enter(SAY, T)
        await footfall.flush()
    assert (failed, (await read(store))["door:0"].entered) == (2, 1)


async def test_nothing_is_lost_while_the_database_is_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    change, is_away, tried = store.change, True, asyncio.Event()

    async def away(work: Callable[[Connection], None]) -> None:
        if is_away:
            tried.set()
            raise OSError("away")
        await change(work)

    monkeypatch.setattr(store, "change", away)
    async with Footfall(store, lambda: T, interval_s=0.0, longest_pause_s=0.01, capacity=2) as footfall:
        footfall.enter(SAY, T)
        await asyncio.wait_for(tried.wait(), 10)
        assert footfall.trouble == "OSError: away"
        footfall.enter(SAY, T)
        footfall.enter(MENU, T)
        footfall.enter(MENU, T + QUARTER_US)  # no room for a third sum
        is_away = False
        await footfall.flush()
    assert {step: sums.entered for step, sums in (await read(store)).items()} == {"door:0": 2, "door:1": 1}
    assert footfall.left_out == 1


async def test_what_the_database_refuses_stops_nothing(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    change, is_refusing = sqlite_store.change, True

    async def refuse(work: Callable[[Connection], None]) -> None:
        if is_refusing:
            raise DataError("insert", {}, ValueError("too long"))
        await change(work)

    monkeypatch.setattr(sqlite_store, "change", refuse)
    async with Footfall(sqlite_store, lambda: T, interval_s=0.0) as footfall:
        footfall.enter(SAY, T)
        await footfall.flush()
        is_refusing = False
        footfall.enter(MENU, T)
        await footfall.flush()
    assert (set(await read(sqlite_store)), footfall.left_out) == ({"door:1"}, 1)


async def test_leaving_does_not_wait_for_ever(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(work: Callable[[Connection], None]) -> None:
        raise OSError("away")

    monkeypatch.setattr(sqlite_store, "change", away)
    async with Footfall(sqlite_store, lambda: T, interval_s=0.0, leave_s=0.05) as footfall:
        footfall.enter(SAY, T)
    assert footfall.trouble == "OSError: away"


async def test_who_stands_where(sqlite_store: Store) -> None:
    footfall = Footfall(sqlite_store, lambda: T)
    footfall.move(None, SAY)
    footfall.move(None, SAY)
    footfall.move(SAY, MENU)
    footfall.move(None, (V2, "main", "door:1"))
    assert footfall.standing() == {("main", "door:0"): 1, ("main", "door:1"): 2}
    footfall.move(MENU, None)
    footfall.move(SAY, None)
    footfall.move((V2, "main", "door:1"), None)
    assert footfall.standing() == {}
