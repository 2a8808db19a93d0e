"""Customers prove who they are by a PIN: kept as a hash, tried a few times at most, and never told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select
from structlog.testing import capture_logs

from screenpop.customer_file import COLUMNS, import_customers
from screenpop.customers import CustomerDirectory, Match
from screenpop.db import customers
from screenpop.db.records import Records
from screenpop.db.store import Store
from screenpop.db.tables import audit, customer_pin
from screenpop.errors import ImportFileError, InvalidRequestError, NotFoundError
from screenpop.pins import PinLimits, Pins, WrongTries, set_pin
from tests.screenpop.test_customers import ANNA, BERT, CARL, GERMANY, linked

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HOUR_US = 3_600_000_000


class Counted(Pins):
    """Counts how often a hash is worked on."""

    worked = 0

    def _verify(self, known: str, pin: str) -> bool:
        self.worked += 1
        return super()._verify(known, pin)


class Watch:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def pins(watch: Watch) -> Counted:
    return Counted(watch, lambda: PinLimits(per_call=2, per_hour=3), hasher=CHEAP)


@pytest.fixture
async def records(store: Store) -> AsyncIterator[Records]:
    async with store.write() as connection:
        await customers.put(store, connection, [ANNA, BERT, CARL])
    await set_pin(store, "c1", "2580", "the boss", 7)
    async with Records(store, interval_s=0.01) as opened:
        yield opened


@pytest.fixture
async def directory(store: Store, records: Records, pins: Pins) -> AsyncIterator[CustomerDirectory]:
    async with CustomerDirectory(store, GERMANY, records, pins=pins) as opened:
        yield opened


async def tried(directory: CustomerDirectory, pin: str, *, call: str = "i1", account: str = "4711") -> Match:
    return await directory.look_up(call, "account", account, pin)


def word(match: Match) -> str:
    return match.refused or match.word


async def test_who_has_the_pin_is_found_and_stands_in_the_pop(
    store: Store, records: Records, directory: CustomerDirectory
) -> None:
    await directory.match_caller("i1", "+4930123456")
    match = await tried(directory, "2580")
    assert (word(match), match.values["name"]) == ("one", "Anna Acht")
    kept = directory.kept("i1")
    assert kept is not None
    assert kept.customers == (ANNA,)
    assert await linked(store, records, "i1") == ("+4930123456", "c1", "looked_up")


async def test_a_wrong_pin_finds_nobody_and_changes_nothing(directory: CustomerDirectory) -> None:
    await directory.match_caller("i1", "+4930123456")
    match = await tried(directory, "2581")
    assert (word(match), match.matches, dict(match.values)) == ("wrong", 0, {})
    kept = directory.kept("i1")
    assert kept is not None
    assert kept.customers == ()


@pytest.mark.parametrize(
    ("account", "expected"), [("4711", "wrong"), ("9999", "none"), ("4712", "several"), ("", "none")]
)
async def test_the_work_is_the_same_whoever_there_is(
    directory: CustomerDirectory, pins: Counted, account: str, expected: str
) -> None:
    assert word(await tried(directory, "1111", account=account)) == expected
    assert pins.worked == 1


async def test_nobody_without_a_pin_is_found_by_any(store: Store, directory: CustomerDirectory) -> None:
    match = await directory.look_up("i1", "id", "c2", "0000")
    assert word(match) == "wrong", "also not by the PIN of the hash that stands in for none"


async def test_too_many_wrong_ones_in_a_call_block_it_also_for_others(
    directory: CustomerDirectory, pins: Counted
) -> None:
    assert [word(await tried(directory, "1111")) for _ in range(3)] == ["wrong", "wrong", "blocked"]
    assert word(await tried(directory, "2580")) == "blocked"
    assert word(await tried(directory, "2580", account="9999")) == "blocked"
    assert word(await tried(directory, "2580", call="i2")) == "one", "another call may"
    assert pins.worked == 3


async def test_too_many_wrong_ones_for_a_customer_block_them_in_every_call_for_an_hour(
    directory: CustomerDirectory, watch: Watch
) -> None:
    answers = [word(await tried(directory, "1111", call=f"i{call}")) for call in range(4)]
    assert answers == ["wrong", "wrong", "wrong", "blocked"]
    assert word(await directory.look_up("i9", "number", "+4930901820", "2580")) == "blocked", (
        "by whatever they are found"
    )
    watch.now += HOUR_US
    assert word(await tried(directory, "2580", call="i9")) == "one"


async def test_an_account_that_nobody_has_is_blocked_just_the_same(directory: CustomerDirectory) -> None:
    answers = [word(await tried(directory, "1111", call=f"i{call}", account="77")) for call in range(4)]
    assert answers == ["none", "none", "none", "blocked"]


async def test_right_ones_are_not_counted(directory: CustomerDirectory) -> None:
    assert {word(await tried(directory, "2580")) for _ in range(6)} == {"one"}


async def test_many_tries_at_once_are_as_many_as_one_after_the_other(
    directory: CustomerDirectory, pins: Counted
) -> None:
    answers = await asyncio.gather(*(tried(directory, "1111", call=f"i{call}") for call in range(20)))
    assert [word(each) for each in answers].count("wrong") == 3
    assert pins.worked == 3


async def test_keys_that_are_remembered_are_bounded(watch: Watch) -> None:
    tries = WrongTries(watch, keys=2)
    for key in ("a", "b", "c"):
        tries.add(key)
    assert [tries.are_used_up(key, 1) for key in ("a", "b", "c")] == [False, True, True]


async def test_no_log_has_a_pin(directory: CustomerDirectory) -> None:
    with capture_logs() as logs:
        for _ in range(4):
            await tried(directory, "86420")
    assert len(logs) == 4
    assert "86420" not in str(logs)


# --- setting -------------------------------------------------------------------------------------------------


async def hashes(store: Store) -> dict[str, str]:
    async with store.read() as connection:
        return {row.customer_id: row.hash for row in await connection.execute(select(customer_pin))}


async def test_a_pin_is_kept_as_a_hash_only_and_who_set_it_is_noted(store: Store, records: Records) -> None:
    assert (await hashes(store))["c1"].startswith("$argon2id$")
    await set_pin(store, "c1", "", "the boss", 8)
    assert await hashes(store) == {}
    async with store.read() as connection:
        noted = [(row.action, row.actor, row.subject, row.detail) for row in await connection.execute(select(audit))]
    assert noted == [("pin_set", "the boss", "c1", {}), ("pin_removed", "the boss", "c1", {})]


async def test_what_is_no_pin_or_nobodys_is_refused_without_being_told(store: Store, records: Records) -> None:
    for pin in ("123", "12a4", "1" * 17, "١٢٣٤"):
        with pytest.raises(InvalidRequestError) as refused:
            await set_pin(store, "c1", pin, "the boss", 8)
        assert str(refused.value) == "PIN: expected 4 to 16 digits, got something else"
    with pytest.raises(NotFoundError):
        await set_pin(store, "c9", "1234", "the boss", 8)


async def test_a_file_brings_pins_and_one_without_the_column_or_a_value_leaves_them(
    store: Store, records: Records, tmp_path: Path
) -> None:
    file = tmp_path / "customers.csv"
    header = ",".join(COLUMNS)
    file.write_text(f"{header},pin\nc1,Anna,,4711,,,,,1357\nc2,Bert,,4712,,,,,\nc3,Carl,,4712,,,,,0000\n")
    await import_customers(store, GERMANY, file)
    known = await hashes(store)
    assert known.keys() == {"c1", "c3"}
    assert "1357" not in str(known)
    file.write_text(f"{header}\nc1,Anna,,4711,,,,\n")
    await import_customers(store, GERMANY, file)
    assert await hashes(store) == known
    file.write_text(f"{header},pin\nc1,Anna,,4711,,,,,secret-word\n")
    with pytest.raises(ImportFileError) as refused:
        await import_customers(store, GERMANY, file)
    assert refused.value.faults == (f"{file}:2: pin: expected 4 to 16 digits, got something else",)
