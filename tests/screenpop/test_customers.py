from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from acd import commands
from screenpop.csv_file import ImportResult
from screenpop.customer_file import COLUMNS, import_customers
from screenpop.customers import CustomerDirectory
from screenpop.db import customers, history
from screenpop.db.records import Records
from screenpop.db.store import Answer, Store
from screenpop.errors import ImportFileError, NotFoundError
from screenpop.model import Customer
from screenpop.numbers import NumberPlan
from tests.screenpop.db.test_records import T, life_of

GERMANY = NumberPlan("DE", {"2001"})
HEADER = ",".join(COLUMNS) + "\n"
ANNA = Customer(
    id="c1", name="Anna Acht", company="Acht AG", account="4711", language="de", vip=True, numbers=("+4930901820",)
)
BERT = Customer(id="c2", name="Bert", account="4712", numbers=("+4930901821", "+4930901899"))
CARL = Customer(id="c3", name="Carl", account="4712", numbers=("+4930901899",))


@pytest.fixture
async def records(store: Store) -> AsyncIterator[Records]:
    async with store.write() as connection:
        await customers.put(store, connection, [ANNA, BERT, CARL])
    async with Records(store, interval_s=0.01) as opened:
        yield opened


@pytest.fixture
async def directory(store: Store, records: Records) -> AsyncIterator[CustomerDirectory]:
    async with CustomerDirectory(store, GERMANY, records) as opened:
        yield opened


async def linked(store: Store, records: Records, interaction_id: str) -> tuple[Any, ...]:
    await records.flush()
    async with store.read() as connection:
        found = await history.one(connection, interaction_id)
    assert found is not None
    return found["caller_number"], found["customer_id"], found["customer_how"]


async def test_one_match_gives_the_record_to_the_flow_and_the_pop(
    store: Store, records: Records, directory: CustomerDirectory
) -> None:
    match = await directory.match_caller("i1", "030 901820")
    assert (match.word, match.matches) == ("one", 1)
    assert match.values == {
        "id": "c1",
        "name": "Anna Acht",
        "company": "Acht AG",
        "account": "4711",
        "language": "de",
        "vip": "true",
        "note": "",
    }
    kept = directory.kept("i1")
    assert kept is not None
    assert kept.customers == (ANNA,)
    assert await linked(store, records, "i1") == ("+4930901820", "c1", "matched")


@pytest.mark.parametrize(
    ("number", "word", "matches", "kept_number"),
    [
        ("+4930901899", "several", 2, "+4930901899"),
        ("+4930123456", "none", 0, "+4930123456"),
        ("", "withheld", 0, ""),
        ("2001", "none", 0, ""),
    ],
)
async def test_what_is_not_one_match_is_nobody_to_the_flow(
    store: Store, records: Records, directory: CustomerDirectory, number: str, word: str, matches: int, kept_number: str
) -> None:
    match = await directory.match_caller("i1", number)
    assert (match.word, match.matches, match.values) == (word, matches, {})
    assert await linked(store, records, "i1") == (kept_number, None, "")


@pytest.mark.parametrize(
    ("by", "value", "found"),
    [
        ("account", "4711", ["c1"]),
        ("account", "4712", ["c2", "c3"]),
        ("account", "", []),
        ("number", "030 901820", ["c1"]),
        ("number", "2001", []),
        ("id", "c3", ["c3"]),
        ("id", "' OR 1=1 --\x00", []),
        ("shoe_size", "44", []),
    ],
)
async def test_look_up_by_a_field(directory: CustomerDirectory, by: str, value: str, found: list[str]) -> None:
    match = await directory.look_up("i1", by, value)
    assert [customer.id for customer in match.customers] == found


async def test_a_single_match_of_a_look_up_replaces_what_the_number_said(
    store: Store, records: Records, directory: CustomerDirectory
) -> None:
    await directory.match_caller("i1", "+4930901899")
    await directory.look_up("i1", "account", "4712")
    kept = directory.kept("i1")
    assert kept is not None
    assert kept.word == "several"
    await directory.look_up("i1", "account", "4711")
    kept = directory.kept("i1")
    assert kept is not None
    assert (kept.word, kept.customers, kept.caller.number) == ("one", (ANNA,), "+4930901899")
    assert await linked(store, records, "i1") == ("+4930901899", "c1", "looked_up")


async def test_history_comes_with_the_match(store: Store, records: Records, directory: CustomerDirectory) -> None:
    for number in range(7):
        await directory.match_caller(f"old{number}", "+4930901820")
        records.keep(number, life_of(f"old{number}"))
    await records.flush()
    told = asyncio.Event()

    def tell(interaction_id: str) -> None:
        kept = directory.kept(interaction_id)
        if kept is not None and kept.history:
            told.set()

    directory.changed = tell
    await directory.match_caller("new", "+4930901820")
    await asyncio.wait_for(told.wait(), 5)
    kept = directory.kept("new")
    assert kept is not None
    assert len(kept.history) == 5
    first = kept.history[0]
    assert (first.interaction_id, first.at, first.queue, first.outcome, first.disposition, first.note) == (
        "old6",
        T,
        "billing",
        "served",
        "solved",
        "paid",
    )


async def test_a_number_without_a_customer_has_a_history_too(
    store: Store, records: Records, directory: CustomerDirectory
) -> None:
    await directory.match_caller("old", "+4930123456")
    records.keep(1, life_of("old"))
    await records.flush()
    await directory.match_caller("new", "+4930123456")
    async with store.read() as connection:
        past = await history.of_number(connection, "+4930123456", limit=5, besides="new")
    assert [each.interaction_id for each in past] == ["old"]


class SlowStore(Store):
    """A database whose answers wait for `goes_on`, or that is away."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.goes_on = asyncio.Event()
        self.is_away = False

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        if self.is_away:
            raise OperationalError("SELECT", {}, ConnectionRefusedError("away"))
        await self.goes_on.wait()
        async with super().read() as connection:
            yield connection

    async def look(self, question: Callable[[Connection], Answer]) -> Answer:
        async with self.read():
            return await super().look(question)


@pytest.fixture
async def slow(store: Store) -> AsyncIterator[SlowStore]:
    opened = SlowStore(store.engine.url.render_as_string(hide_password=False))
    yield opened
    await opened.close()


async def test_a_slow_database_does_not_keep_the_caller_waiting_and_is_still_heard(
    slow: SlowStore, records: Records
) -> None:
    async with CustomerDirectory(slow, GERMANY, records, wait_s=0.01) as directory:
        told = asyncio.Event()
        directory.changed = lambda interaction_id: told.set()
        match = await directory.match_caller("i1", "+4930901820")
        assert (match.word, match.matches) == ("unavailable", 0)
        assert directory.kept("i1") == match
        slow.goes_on.set()
        await asyncio.wait_for(told.wait(), 5)
        kept = directory.kept("i1")
        assert kept is not None
        assert kept.customers == (ANNA,)


async def test_a_late_answer_for_a_call_that_is_over_is_forgotten(slow: SlowStore, records: Records) -> None:
    async with CustomerDirectory(slow, GERMANY, records, wait_s=0.01) as directory:
        directory.changed = lambda interaction_id: pytest.fail("told of a call that is over")
        await directory.match_caller("i1", "+4930901820")
        directory.forget("i1")
        slow.goes_on.set()
        await directory.idle()
        assert directory.kept("i1") is None


async def test_a_database_that_is_away_says_so(slow: SlowStore, records: Records) -> None:
    slow.is_away = True
    async with CustomerDirectory(slow, GERMANY, records) as directory:
        assert (await directory.match_caller("i1", "+4930901820")).word == "unavailable"
        assert (await directory.look_up("i1", "account", "4711")).word == "unavailable"
        assert await directory.recorded("i1") is None


async def test_look_ups_at_the_same_time_are_bounded(slow: SlowStore, records: Records) -> None:
    async with CustomerDirectory(slow, GERMANY, records, wait_s=5, at_once=2) as directory:
        waiting = [asyncio.create_task(directory.match_caller(f"i{number}", "+4930901820")) for number in range(2)]
        await asyncio.sleep(0)
        assert (await directory.match_caller("i2", "+4930901820")).word == "unavailable"
        slow.goes_on.set()
        assert [match.word for match in await asyncio.gather(*waiting)] == ["one", "one"]


async def test_leaving_ends_look_ups(slow: SlowStore, records: Records) -> None:
    async with asyncio.timeout(5):
        async with CustomerDirectory(slow, GERMANY, records, wait_s=0.01) as directory:
            await directory.match_caller("i1", "+4930901820")


async def test_kept_matches_are_bounded(store: Store, records: Records) -> None:
    async with CustomerDirectory(store, GERMANY, records, kept=2) as directory:
        for number in range(3):
            await directory.match_caller(f"i{number}", "")
        assert [directory.kept(f"i{number}") is None for number in range(3)] == [True, False, False]


async def test_after_a_restart_the_chosen_customer_is_found_again(
    store: Store, records: Records, directory: CustomerDirectory
) -> None:
    await directory.match_caller("i1", "+4930901899")
    await directory.choose("i1", "c3", "+4930901899")
    await records.flush()
    async with CustomerDirectory(store, GERMANY, records) as renewed:
        await renewed.recall("i1", "+4930901899")
        kept = renewed.kept("i1")
        assert kept is not None
        assert (kept.word, kept.customers) == ("one", (CARL,))
        await renewed.recall("i2", "+4930901820")
        kept = renewed.kept("i2")
        assert kept is not None
        assert kept.customers == (ANNA,)
    assert await linked(store, records, "i1") == ("+4930901899", "c3", "chosen")


async def test_only_customers_that_exist_can_be_chosen(directory: CustomerDirectory) -> None:
    with pytest.raises(NotFoundError, match="'c9'"):
        await directory.choose("i1", "c9", "")


# --- searching ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("anna", ["c1"]),
        ("ACHT anna", ["c1"]),
        ("4712", ["c2", "c3"]),
        ("張", []),
        ("%", []),
        ("_", []),
        ("", []),
        ("'; DROP TABLE customer; --", []),
    ],
)
async def test_search_by_words(store: Store, records: Records, words: str, found: list[str]) -> None:
    async with store.read() as connection:
        assert [customer.id for customer in await customers.search(connection, words, None)] == found


async def test_search_ignores_case_in_every_alphabet(store: Store) -> None:
    people = [Customer(id="ö", name="ÖLMÜHLE Ганна"), Customer(id="z", name="张伟")]
    async with store.write() as connection:
        await customers.put(store, connection, people)
        assert await customers.search(connection, "ölmühle ГАННА", None) == (people[0],)
        assert await customers.search(connection, "张", None) == (people[1],)


# --- import ---------------------------------------------------------------------------------------------


def written(tmp_path: Path, data: str) -> Path:
    file = tmp_path / "customers.csv"
    file.write_text(HEADER + data, encoding="utf-8")
    return file


async def test_import_writes_and_replaces(store: Store, records: Records, tmp_path: Path) -> None:
    file = written(
        tmp_path,
        'c1,"Anna ""die Acht""",,,de,no,,030 901820; +4930901822;030901820\nn1,张伟 <script>,,,,YES,"two\nlines",\n',
    )
    assert await import_customers(store, GERMANY, file) == ImportResult(1, 1)
    async with store.read() as connection:
        anna, new = await customers.by_id(connection, "c1"), await customers.by_id(connection, "n1")
    assert anna is not None
    assert (anna.name, anna.account, anna.vip) == ('Anna "die Acht"', "", False)
    assert anna.numbers == ("+4930901820", "+4930901822")
    assert new is not None
    assert (new.name, new.vip, new.note) == ("张伟 <script>", True, "two\nlines")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("x,X,,,,perhaps,,", "vip: expected yes or no, got 'perhaps'"),
        ("x,X,,,,,,12", "numbers: expected a phone number of DE or with +, got '12'"),
        ("x,X,,,,,,+4930901820;oops", "numbers: expected a phone number of DE or with +, got 'oops'"),
        ("x,,,,,,,", "name: expected a value, got nothing"),
        ("n1,Again,,,,,,", "id: 'n1' stands in line 2 already"),
        (f"{'x' * 65},X,,,,,,", "id: expected at most 64 characters, got 65"),
    ],
)
async def test_one_fault_stops_the_whole_import(store: Store, tmp_path: Path, row: str, fault: str) -> None:
    file = written(tmp_path, f"n1,New,,,,,,\n{row}\n")
    with pytest.raises(ImportFileError) as refused:
        await import_customers(store, GERMANY, file)
    assert refused.value.faults == (f"{file}:3: {fault}",)
    async with store.read() as connection:
        assert await customers.by_id(connection, "n1") is None


async def test_a_large_import_is_one_transaction(sqlite_store: Store, tmp_path: Path) -> None:
    rows = "".join(f"k{number},Name {number},,,,,,+4930{1000000 + number}\n" for number in range(3_000))
    file = written(tmp_path, rows)
    assert await import_customers(sqlite_store, GERMANY, file) == ImportResult(3_000, 0)
    assert await import_customers(sqlite_store, GERMANY, file) == ImportResult(0, 3_000)


# --- who helped them last -----------------------------------------------------------------------------------


async def test_the_last_agent_is_the_customers_or_the_numbers(
    store: Store, records: Records, directory: CustomerDirectory
) -> None:
    records.keep_customer("old", "+4930123456", "c1", "chosen")
    records.keep(1, life_of("old"))
    records.keep_customer("stranger", "+4930777", None, "")
    records.keep(2, life_of("stranger"))
    await records.flush()
    for interaction_id, number in {"a": "030 901820", "b": "+4930777", "c": "+4930778", "d": "", "e": "2001"}.items():
        await directory.match_caller(interaction_id, number)
    await directory.idle()
    found = {each: await directory.last_agent(each) for each in ("a", "b", "c", "d", "e", "unheard of")}
    assert found == {"a": "maria", "b": "maria", "c": "", "d": "", "e": "", "unheard of": ""}


async def test_the_last_agent_is_who_talked_last_and_not_in_this_call(
    store: Store, records: Records, directory: CustomerDirectory
) -> None:
    for number, (agent, later) in enumerate([("maria", 0), ("jon", 100), ("ben", 50)]):
        records.keep_customer(f"old{number}", "+4930901820", "c1", "matched")
        facts = [commands.InteractionOpened(f"old{number}", "", "", "main", "voice", T + later, False)]
        records.keep(number + 1, [*facts, commands.TalkOpened(f"old{number}/1", f"old{number}", agent, "q", T + later)])
    await directory.match_caller("old1", "030 901820")
    await directory.match_caller("now", "030 901820")
    await directory.idle()
    await records.flush()
    assert await directory.last_agent("now") == "jon"
    assert await directory.last_agent("old1") == "ben"


async def test_a_last_agent_who_cannot_be_found_is_nobody(
    store: Store, records: Records, directory: CustomerDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await directory.match_caller("now", "030 901820")
    await directory.idle()

    async def fail(*args: object, **options: object) -> str:
        raise OperationalError("select", {}, Exception("away"))

    monkeypatch.setattr(history, "last_agent", fail)
    assert await directory.last_agent("now") == ""
