"""The caller whom the arrival found is not searched for again by the same number, for a moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import OperationalError

from acd.commands import CallbackChanged
from acd.model import CallbackState
from screenpop.customers import CustomerDirectory
from screenpop.db import customers, history
from screenpop.db.records import Records
from screenpop.db.store import Store
from screenpop.db.tables import customer
from screenpop.model import PastInteraction
from tests.screenpop.db.test_records import T, life_of
from tests.screenpop.test_customers import ANNA, BERT, CARL, GERMANY, linked

NUMBER = "030 901820"


@asynccontextmanager
async def _directory(store: Store, fresh_s: float = 5.0) -> AsyncIterator[tuple[CustomerDirectory, Records]]:
    async with store.write() as connection:
        await customers.put(store, connection, [ANNA, BERT, CARL])
    async with (
        Records(store, interval_s=0.01) as records,
        CustomerDirectory(store, GERMANY, records, fresh_s=fresh_s) as directory,
    ):
        yield directory, records


async def _marry_anna(store: Store) -> None:
    async with store.write() as connection:
        await connection.execute(update(customer).where(customer.c.id == ANNA.id).values(name="Anna Neun"))


async def test_the_caller_whom_the_arrival_found_is_not_searched_for_again(store: Store) -> None:
    async with _directory(store) as (directory, records):
        arrived = await directory.match_caller("i1", NUMBER)
        await directory.idle()
        await _marry_anna(store)
        assert await directory.look_up("i1", "number", NUMBER) == arrived
        assert await linked(store, records, "i1") == ("+4930901820", "c1", "looked_up")
        assert (await directory.look_up("i1", "number", "030 901821")).customers == (BERT,)


@pytest.mark.parametrize("between", ["another look-up", "a choice", "time"])
async def test_what_the_arrival_found_is_searched_for_again_after(store: Store, between: str) -> None:
    async with _directory(store, fresh_s=0.0 if between == "time" else 5.0) as (directory, _):
        await directory.match_caller("i1", NUMBER)
        if between == "another look-up":
            await directory.look_up("i1", "id", "c3")
        elif between == "a choice":
            await directory.choose("i1", "c2", NUMBER)
        await directory.idle()
        await _marry_anna(store)
        match = await directory.look_up("i1", "number", NUMBER)
        assert [each.name for each in match.customers] == ["Anna Neun"]


async def test_a_history_that_cannot_be_read_does_not_hide_who_calls(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **options: object) -> tuple[()]:
        raise OperationalError("select", {}, Exception("damaged"))

    monkeypatch.setattr(history, "look_of_customer", fail)
    async with _directory(store) as (directory, _):
        match = await directory.match_caller("i1", NUMBER)
        assert (match.word, match.customers, match.history) == ("one", (ANNA,), ())
        assert directory.kept("i1") == match


async def test_the_history_of_who_was_found_before_is_read_once_a_call(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    look = history.look_of_customer

    def note(connection: Connection, customer_id: str, *, limit: int, besides: str) -> tuple[PastInteraction, ...]:
        asked.append(customer_id)
        return look(connection, customer_id, limit=limit, besides=besides)

    monkeypatch.setattr(history, "look_of_customer", note)
    async with _directory(store) as (directory, records):
        await directory.match_caller("old", NUMBER)
        records.keep(1, life_of("old"))
        await records.flush()
        await directory.match_caller("i1", NUMBER)
        again = await directory.look_up("i1", "account", ANNA.account)
        assert [each.interaction_id for each in again.history] == ["old"]
        assert asked == ["c1", "c1"]
        await directory.look_up("i1", "id", "c2")
        assert asked == ["c1", "c1", "c2"]


async def test_an_arrival_knows_more_of_what_was_before_than_the_pop_shows(store: Store) -> None:
    async with _directory(store) as (directory, records):
        for number in range(7):
            await directory.match_caller(f"old{number}", NUMBER)
            records.keep(number + 1, life_of(f"old{number}"))
        promised = CallbackChanged("old6", "billing", "+4930901820", CallbackState.PROMISED, 0, 0, T, T, "")
        records.keep(8, [promised])
        await records.flush()
        match = await directory.match_caller("i1", NUMBER)
        assert (len(match.past), len(match.history)) == (7, 5)
        assert [each.interaction_id for each in match.past if each.promised] == ["old6"]
        records.keep(9, [replace(promised, state=CallbackState.KEPT, changed_at=T + 1)])
        await records.flush()
        match = await directory.match_caller("i2", NUMBER)
        assert not [each for each in match.past if each.promised]
        assert (await directory.match_caller("i3", "")).past == (), "who withholds the number has none"
