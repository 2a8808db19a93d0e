"""Orders in their table, and as the running server knows them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from screenpop.db.store import Store
from screenpop.db.tables import audit
from screenpop.errors import InvalidRequestError, NotFoundError
from screenpop.orders import TOLD_AFTER_US, NewOrder, Order, OrderBook, Standing
from tests.fakes.clock import settle

START = 1_700_000_000_000_000
SECOND = 1_000_000


class Time:
    def __init__(self) -> None:
        self.at = START

    def now(self) -> int:
        return self.at


@pytest.fixture
def time() -> Time:
    return Time()


class Heard:
    """Who heeds: what was told, and a wait for it."""

    def __init__(self) -> None:
        self.told: list[list[int]] = []
        self.ended_by: dict[int, str] = {}
        self.fails = 0
        self._news = asyncio.Event()

    def heed(self, orders: Sequence[Order], now: int) -> None:
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the journal refuses")
        self.told.append([order.id for order in orders if order.holds(now)])
        self.ended_by = {order.id: order.ended_by for order in orders}
        self._news.set()

    async def until(self, *ids: int) -> None:
        async with asyncio.timeout(10):
            while not self.told or self.told[-1] != list(ids):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def running(standing: Standing) -> AsyncIterator[None]:
    task = asyncio.create_task(standing.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# --- the table ------------------------------------------------------------------------------------------


async def test_an_order_is_kept_with_who_and_why_and_stands_in_the_audit(store: Store, time: Time) -> None:
    book = OrderBook(store, time.now)
    wanted = NewOrder("close_queue", "billing", {"keep_waiting": True}, ends_at=START + SECOND, reason="fire drill")
    [given] = await book.give([wanted], "susi")
    assert given == Order(
        given.id, "close_queue", "billing", {"keep_waiting": True}, START, START + SECOND, "susi", "fire drill", START
    )
    assert await book.open() == [given]
    time.at += SECOND // 2
    ended = await book.end(given.id, "root\x00")
    assert (ended.ended_by, ended.ended_at) == ("root�", START + SECOND // 2)
    assert await book.newest() == [ended]
    async with store.read() as connection:
        noted = [tuple(row) for row in await connection.execute(select(audit.c.actor, audit.c.action, audit.c.subject))]
    assert noted == [("susi", "order_close_queue", "billing"), ("root�", "order_ended", "billing")]


async def test_what_is_over_cannot_be_ended_and_what_is_not_there_neither(sqlite_store: Store, time: Time) -> None:
    book = OrderBook(sqlite_store, time.now)
    [brief, other] = await book.give([NewOrder("notice", "", ends_at=START + 1), NewOrder("move", "maria")], "susi")
    with pytest.raises(NotFoundError, match=f"^{other.id}: expected the number of an order"):
        await book.end(other.id, "susi", {"notice"})
    with pytest.raises(NotFoundError, match=r"^999: expected the number of an order"):
        await book.end(999, "susi")
    time.at += 1
    with pytest.raises(NotFoundError, match="not over yet"):
        await book.end(brief.id, "susi")


async def test_what_was_ended_is_told_for_a_while_longer(sqlite_store: Store, time: Time) -> None:
    book = OrderBook(sqlite_store, time.now)
    [order] = await book.give([NewOrder("notice", "")], "susi")
    ended = await book.end(order.id, "root")
    time.at += TOLD_AFTER_US - 1
    assert await book.open({"notice"}) == [ended]
    assert await book.open({"move"}) == []
    time.at += 1
    assert await book.open() == []


async def test_too_many_open_orders_are_refused_all_or_none(
    sqlite_store: Store, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("screenpop.orders.MOST_OPEN", 2)
    book = OrderBook(sqlite_store, time.now)
    await book.give([NewOrder("notice", "", ends_at=START + 1)], "susi")
    with pytest.raises(InvalidRequestError, match="at most 2 open orders, there are 1"):
        await book.give([NewOrder("notice", ""), NewOrder("notice", "")], "susi")
    assert len(await book.newest()) == 1
    time.at += 1
    assert len(await book.give([NewOrder("notice", ""), NewOrder("notice", "")], "susi")) == 2


# --- the server's side ----------------------------------------------------------------------------------


async def test_what_another_process_orders_is_told_by_itself(sqlite_store: Store, time: Time) -> None:
    book, heard, others = OrderBook(sqlite_store, time.now), Heard(), Heard()
    standing = Standing(book, time.now, every_s=0.01)
    standing.heed({"notice"}, heard.heed)
    standing.heed({"move"}, others.heed)
    async with running(standing):
        await heard.until()
        [order] = await book.give([NewOrder("notice", "")], "susi")
        await heard.until(order.id)
        assert standing.orders({"notice"}) == [order]
        await book.end(order.id, "root")
        await heard.until()
        assert heard.ended_by == {order.id: "root"}
    assert others.told == [[]]


async def test_an_order_begins_and_ends_at_its_instants_without_being_read(sqlite_store: Store) -> None:
    """Also while the database does not answer: the server knows them already."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    def now() -> int:
        return START + round((loop.time() - began) * SECOND)

    book, heard = OrderBook(sqlite_store, now), Heard()
    standing = Standing(book, now, every_s=3600)
    standing.heed({"notice"}, heard.heed)
    [order] = await book.give([NewOrder("notice", "", begins_at=now() + 200_000, ends_at=now() + 400_000)], "susi")
    async with running(standing):
        await heard.until(order.id)
        assert order.begins_at <= now() < order.begins_at + SECOND
        await heard.until()
        assert order.ends_at <= now() < order.ends_at + SECOND
    assert heard.told == [[], [order.id], []]


async def test_a_database_in_trouble_keeps_what_is_known_and_is_logged_once(sqlite_store: Store, time: Time) -> None:
    book, heard = OrderBook(sqlite_store, time.now), Heard()
    standing = Standing(book, time.now)
    standing.heed({"notice"}, heard.heed)
    [order] = await book.give([NewOrder("notice", "")], "susi")
    await standing.read()
    async with sqlite_store.write() as connection:
        await connection.execute(text("ALTER TABLE standing_order RENAME TO away"))
    with capture_logs() as logs:
        for _ in range(3):
            await standing.read()
        assert standing.trouble == "OperationalError"
        async with sqlite_store.write() as connection:
            await connection.execute(text("ALTER TABLE away RENAME TO standing_order"))
        await standing.read()
    assert standing.orders({"notice"}) == [order]
    assert [entry["event"] for entry in logs] == ["orders.not_read", "orders.read_again"]
    assert (standing.trouble, heard.told) == ("", [[order.id]])


async def test_a_row_that_cannot_be_read_ends_nothing(sqlite_store: Store, time: Time) -> None:
    book, heard = OrderBook(sqlite_store, time.now), Heard()
    standing = Standing(book, time.now, every_s=0.01)
    standing.heed({"notice"}, heard.heed)
    [order] = await book.give([NewOrder("notice", "")], "susi")
    async with running(standing):
        await heard.until(order.id)
        async with sqlite_store.write() as connection:
            await connection.execute(
                text(
                    "INSERT INTO standing_order SELECT 99, kind, target, 'no json', begins_at, "
                    "ends_at, given_by, reason, given_at, ended_by, ended_at FROM standing_order"
                )
            )
        async with asyncio.timeout(10):
            while not standing.trouble:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert standing.orders({"notice"}) == [order]
        async with sqlite_store.write() as connection:
            await connection.execute(text("DELETE FROM standing_order"))
        await heard.until()


async def test_a_database_that_hangs_is_left_after_a_while(sqlite_store: Store, time: Time) -> None:
    class Hanging(OrderBook):
        async def open(self, kinds: object = ()) -> list[Order]:
            await asyncio.Event().wait()
            return []

    standing = Standing(Hanging(sqlite_store, time.now), time.now, read_s=0.01)
    async with asyncio.timeout(5):
        await standing.read()
    assert standing.trouble == "TimeoutError"


async def test_who_could_not_heed_is_told_again_and_others_are_told(sqlite_store: Store, time: Time) -> None:
    book, failing, heard = OrderBook(sqlite_store, time.now), Heard(), Heard()
    failing.fails = 1
    standing = Standing(book, time.now)
    standing.heed({"notice"}, failing.heed)
    standing.heed({"notice"}, heard.heed)
    with capture_logs() as logs:
        await standing.read()
    assert [entry["event"] for entry in logs] == ["orders.not_heeded"]
    assert (failing.told, heard.told) == ([], [[]])
    await standing.read()
    await settle()
    assert (failing.told, heard.told) == ([[]], [[]])
