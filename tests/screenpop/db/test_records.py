from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from acd import commands
from acd.commands import Fact
from acd.model import AgentState, CallbackState, Desktop, OfferOutcome, Outcome, Phone, Presence, VisitOutcome
from screenpop.db import callbacks, history, tables
from screenpop.db.records import _PLACES, Records, row_of
from screenpop.db.store import Store

T = 1_700_000_000_000_000


def life_of(interaction_id: str) -> list[Fact]:
    """The facts of one call that Maria served."""
    visit, offer = f"{interaction_id}#1", f"{interaction_id}/1"
    return [
        commands.InteractionOpened(interaction_id, "+4930901820", "+49301234567", "main", "voice", T, False),
        commands.VisitOpened(visit, interaction_id, "billing", 5, T + 1, T + 1, 2, (("choice", "1"),)),
        commands.OfferClosed(offer, visit, interaction_id, "maria", "billing", OfferOutcome.ACCEPTED, "", T + 2, T + 3),
        commands.VisitClosed(visit, interaction_id, "billing", VisitOutcome.ANSWERED, "maria", T + 1, T + 3),
        commands.TalkOpened(offer, interaction_id, "maria", "billing", T + 3),
        commands.TalkClosed(offer, interaction_id, "maria", "billing", T + 3, T + 9, T + 20, False),
        commands.InteractionClosed(interaction_id, Outcome.SERVED, "", False, "maria", T + 9, False),
        commands.WrapUpClosed(offer, interaction_id, "maria", "solved", "paid", T + 9, T + 12, False),
        commands.AgentIntervalClosed(f"maria@{T}", "maria", AgentState.READY, "", T, T + 2),
    ]


def promise(state: CallbackState, changed_at: int, attempts: int = 0, detail: str = "") -> commands.CallbackChanged:
    return commands.CallbackChanged("i1", "billing", "+4930901820", state, attempts, 0, T, T + changed_at, detail)


async def whole(store: Store, interaction_id: str) -> dict[str, Any]:
    async with store.read() as connection:
        found = await history.one(connection, interaction_id)
    assert found is not None
    return found


async def test_a_call_is_written_with_all_its_parts(store: Store) -> None:
    async with Records(store) as records:
        records.keep(7, life_of("i1"))
        await records.flush()
        found = await whole(store, "i1")
        assert await records.written_position() == 7
    assert found["outcome"] == "served"
    assert found["arrived_at"] == T
    assert found["visits"][0]["attributes"] == {"choice": "1"}
    assert found["visits"][0]["outcome"] == "answered"
    assert found["offers"][0]["outcome"] == "accepted"
    assert found["talks"][0]["disposition"] == "solved"
    assert (found["talks"][0]["started_at"], found["talks"][0]["wrap_up_started_at"]) == (T + 3, T + 9)


async def test_order_and_repetition_do_not_matter(store: Store) -> None:
    async with Records(store) as records:
        records.keep(1, life_of("forward"))
        for position, fact in enumerate(reversed(life_of("backward")), start=2):
            records.keep(position, [fact])
            await records.flush()
        records.keep(20, life_of("forward"))
        await records.flush()
        forward, backward = await whole(store, "forward"), await whole(store, "backward")
    assert repr(forward).replace("forward", "backward") == repr(backward)


async def test_a_replay_does_not_move_the_position_back(store: Store) -> None:
    async with Records(store) as records:
        records.keep(9, [])
        await records.flush()
        records.keep(3, life_of("i1"))
        await records.flush()
        assert await records.written_position() == 9


async def test_an_empty_database_has_position_zero(store: Store) -> None:
    assert await Records(store).written_position() == 0


async def test_a_customer_stays_when_facts_come_later(store: Store) -> None:
    async with store.write() as connection:
        await connection.execute(text("INSERT INTO customer (id, name, vip, folded) VALUES ('c1', 'A', true, 'a')"))
    async with Records(store) as records:
        records.keep_customer("i1", "+4930901820", "c1", "matched")
        records.keep(1, life_of("i1"))
        await records.flush()
    assert (await whole(store, "i1"))["customer_id"] == "c1"


async def test_a_row_that_the_database_refuses_costs_no_other(store: Store) -> None:
    async with Records(store) as records:
        records.keep(1, life_of("before"))
        records.keep_customer("orphan", "+4930901820", "nobody has this id", "matched")
        records.keep(2, life_of("after"))
        await records.flush()
        assert records.refused == 1
        assert await records.written_position() == 2
    assert (await whole(store, "before"))["outcome"] == (await whole(store, "after"))["outcome"] == "served"


async def test_a_row_that_cannot_be_written_at_all_costs_no_other(store: Store) -> None:
    async with Records(store) as records:
        records._take(1, [(tables.interaction, {"id": "i9", "no_such_column": 1})])
        records.keep(2, life_of("i2"))
        async with asyncio.timeout(5):
            await records.flush()
        assert records.refused == 1
        assert await records.written_position() == 2


async def test_hostile_text_is_written_as_it_is_but_for_what_no_database_takes(store: Store) -> None:
    caller = "'; DROP TABLE talk; --\"<script>张伟\r\n\x00\ud800"
    async with Records(store) as records:
        records.keep(1, [commands.InteractionOpened("i1", caller, "", "main", "voice", T, False)])
        await records.flush()
    assert (await whole(store, "i1"))["caller"] == "'; DROP TABLE talk; --\"<script>张伟\r\n��"


class Outage:
    """A store that is away until told otherwise; counts what was tried."""

    def __init__(self, store: Store) -> None:
        self.is_sqlite = store.is_sqlite
        self.put = store.put
        self.read = store.read
        self._store = store
        self.is_away = True
        self.tried = asyncio.Event()

    async def change(self, work: Callable[[Connection], None]) -> None:
        self.tried.set()
        if self.is_away:
            raise ConnectionRefusedError("the database is away")
        await self._store.change(work)


async def test_an_outage_is_waited_out(sqlite_store: Store) -> None:
    away = Outage(sqlite_store)
    async with Records(away, interval_s=0.01, longest_pause_s=0.02) as records:  # type: ignore[arg-type]
        records.keep(1, life_of("i1"))
        await away.tried.wait()
        flushed = asyncio.create_task(records.flush())
        away.tried.clear()
        await away.tried.wait()
        assert not flushed.done()
        assert "away" in records.trouble
        away.is_away = False
        await flushed
        assert records.trouble == ""
    assert (await whole(sqlite_store, "i1"))["outcome"] == "served"


async def test_when_full_the_oldest_stay_and_the_position_waits_for_a_replay(sqlite_store: Store) -> None:
    away = Outage(sqlite_store)
    async with Records(away, capacity=20, interval_s=0.01, longest_pause_s=0.02) as records:  # type: ignore[arg-type]
        for position in range(1, 5):  # 9 rows each
            records.keep(position, life_of(f"i{position}"))
        assert records.missing_from == 3
        assert records.left_out == 18
        away.is_away = False
        await records.flush()
        records.keep(5, life_of("i5"))
        await records.flush()
        assert await records.written_position() == 2
        assert (await whole(sqlite_store, "i5"))["outcome"] == "served"
    async with Records(sqlite_store) as replayed:
        for position in range(3, 6):
            replayed.keep(position, life_of(f"i{position}"))
        await replayed.flush()
        assert await replayed.written_position() == 5
    async with sqlite_store.read() as connection:
        ids = list(await connection.scalars(select(tables.interaction.c.id).order_by(tables.interaction.c.id)))
    assert ids == ["i1", "i2", "i3", "i4", "i5"]


async def test_leaving_writes_what_is_left(sqlite_store: Store) -> None:
    async with Records(sqlite_store, interval_s=60) as records:
        records.keep(1, life_of("i1"))
    assert (await whole(sqlite_store, "i1"))["outcome"] == "served"


async def test_leaving_during_an_outage_does_not_hang(sqlite_store: Store) -> None:
    async with asyncio.timeout(5):
        async with Records(Outage(sqlite_store), leave_s=0.05) as records:  # type: ignore[arg-type]
            records.keep(1, life_of("i1"))
        assert records.backlog > 0


def test_what_is_only_for_screens_is_not_recorded() -> None:
    facts: Sequence[Fact] = [
        commands.AgentChanged("maria", AgentState.READY, "", T, Presence.READY, "", Phone.FREE, Desktop.THERE, "", 0),
        commands.QueueChanged("billing", 1, T, 0, 1),
    ]
    assert [row_of(fact) for fact in facts] == [None, None]


@pytest.mark.parametrize("at_once", [True, False])
async def test_of_a_callback_the_latest_stays_however_late_the_others_come(store: Store, at_once: bool) -> None:
    facts = [
        promise(CallbackState.PROMISED, 0),
        promise(CallbackState.CALLING, 5, 1),
        promise(CallbackState.PROMISED, 9, 0, "no_answer"),
        promise(CallbackState.CALLING, 9, 1),
        promise(CallbackState.KEPT, 20, 1, "x"),
    ]
    async with Records(store) as records:
        for position, fact in enumerate([*facts, facts[1], facts[0]], start=1):
            records.keep(position, [fact])
            if not at_once:
                await records.flush()
        await records.flush()
        async with store.read() as connection:
            (row,) = await callbacks.newest(connection, 5)
        assert records.refused == 0
    assert (row["state"], row["attempts"], row["detail"], row["changed_at"]) == ("kept", 1, "x", T + 20)


async def test_of_a_callback_what_was_told_last_at_one_instant_stays(store: Store) -> None:
    async with Records(store) as records:
        records.keep(1, [promise(CallbackState.PROMISED, 9, 0), promise(CallbackState.CALLING, 9, 1)])
        await records.flush()
        async with store.read() as connection:
            (row,) = await callbacks.these(connection, ["i1", "i2"])
    assert (row["state"], row["attempts"]) == ("calling", 1)


@pytest.mark.parametrize("fact", life_of("i1"), ids=lambda fact: type(fact).__name__)
def test_every_recorded_field_has_its_column(fact: Fact) -> None:
    row = row_of(fact)
    assert row is not None
    table, columns = row
    assert set(columns) <= set(table.c.keys())


async def test_a_journal_goes_on_after_what_is_written(store: Store) -> None:
    async with Records(store) as records:
        records.keep(7, life_of("i1"))
    assert await Records(store).resume(9) == 7


async def test_a_new_journal_is_not_taken_for_written(store: Store) -> None:
    async with Records(store) as records:
        records.keep(700, life_of("i1"))
    async with Records(store) as records:
        assert await records.resume(0) == 0
        records.keep(1, life_of("i2"))
        await records.flush()
        assert await records.written_position() == 1


@pytest.mark.parametrize("fact", _PLACES, ids=lambda fact: fact.__name__)
def test_whatever_a_fact_says_has_a_column(fact: type) -> None:
    table, names = _PLACES[fact]
    assert {names.get(field.name, field.name) for field in fields(fact)} <= set(table.columns.keys())
