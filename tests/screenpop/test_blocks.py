"""Callers whom supervisors block while the server runs: given, heeded, ended, over REST."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from screenpop import blocks as blocks_module
from screenpop.blocks import Blocks, BlocksHeeded
from screenpop.db.store import Store
from screenpop.db.tables import audit
from screenpop.errors import InvalidRequestError, NotFoundError
from screenpop.numbers import NumberPlan
from screenpop.orders import OrderBook, Standing
from tests.screenpop.office import START, Office, office

CALLER = "+4930901820"
HOUR = 3_600_000_000


class Watch:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def blocks(store: Store, watch: Watch) -> Blocks:
    return Blocks(OrderBook(store, watch), NumberPlan("DE"), watch)


async def test_a_block_is_heeded_until_it_ends_and_who_gave_it_is_noted(
    store: Store, blocks: Blocks, watch: Watch
) -> None:
    standing, heeded = Standing(OrderBook(store, watch), watch), BlocksHeeded(watch)
    standing.heed(Blocks.kinds, heeded.heed)
    given = await blocks.block("030 901820", watch.now + HOUR, "fax", "susi")
    await blocks.block("+49 30 77*", 0, "", "susi")
    assert given.target == CALLER
    await standing.read()
    assert (heeded.reason([CALLER]), heeded.reason(["+49307712", "+493077*"])) == ("fax", "")
    assert heeded.reason(["+4930901821"]) is None
    watch.now += HOUR
    assert heeded.reason([CALLER]) is None, "also before the table is read again"
    await blocks.unblock("+493077*", "kim")
    await standing.read()
    assert heeded.reason(["+493077*"]) is None
    async with store.read() as connection:
        noted = [(row.actor, row.action, row.subject) for row in await connection.execute(select(audit))]
    assert noted == [
        ("susi", "order_block_caller", CALLER),
        ("susi", "order_block_caller", "+493077*"),
        ("kim", "order_ended", "+493077*"),
    ]


async def test_of_two_blocks_the_longer_counts(store: Store, blocks: Blocks, watch: Watch) -> None:
    standing, heeded = Standing(OrderBook(store, watch), watch), BlocksHeeded(watch)
    standing.heed(Blocks.kinds, heeded.heed)
    await blocks.block(CALLER, 0, "for good", "susi")
    await blocks.block(CALLER, watch.now + HOUR, "for now", "susi")
    await standing.read()
    watch.now += HOUR
    assert heeded.reason([CALLER]) == "for good"
    assert len(await blocks.unblock(CALLER, "susi")) == 1, "one is over by itself"


async def test_what_cannot_be_blocked_is_refused(blocks: Blocks, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, ends_at, reason, said in (
        ("12", 0, "", "expected a phone number"),
        ("*", 0, "", "expected a phone number"),
        ("+0*", 0, "", "expected a phone number"),
        (CALLER, watch.now, "", "until: expected a time to come"),
        (CALLER, 0, "x" * 201, "reason: expected at most 200 characters, got 201"),
    ):
        with pytest.raises(InvalidRequestError, match=said):
            await blocks.block(number, ends_at, reason, "susi")
    with pytest.raises(NotFoundError, match="expected a number that is blocked by an order"):
        await blocks.unblock(CALLER, "susi")
    monkeypatch.setattr(blocks_module, "MOST_BLOCKS", 1)
    await blocks.block(CALLER, 0, "", "susi")
    with pytest.raises(InvalidRequestError, match="expected at most 1 blocked at once"):
        await blocks.block("+4930901821", 0, "", "susi")


# --- over REST -----------------------------------------------------------------------------------------------

BLOCK = {"number": "030 901820", "ends_at": START + HOUR, "reason": "fax"}


@pytest.fixture
async def opened(sqlite_store: Store) -> AsyncIterator[Office]:
    async with office(sqlite_store) as running:
        yield running


async def test_a_supervisor_blocks_a_caller_and_lets_them_in_again(opened: Office) -> None:
    client = await opened.client("susi")
    answer = await client.post("/api/blocks", json=BLOCK)
    given = answer.json()
    assert (answer.status_code, given["number"], given["given_by"]) == (201, CALLER, "susi")
    assert (await client.get("/api/blocks")).json() == [given]
    ended = await client.delete(f"/api/blocks/{given['id']}")
    assert (ended.status_code, ended.json()["ended_by"]) == (200, "susi")
    assert (await client.get("/api/blocks")).json() == []
    assert (await client.get("/api/blocks?all=true")).json() == [ended.json()]
    assert (await client.delete(f"/api/blocks/{given['id']}")).status_code == 404
    assert (await client.delete("/api/blocks/0")).status_code == 404
    bad = await client.post("/api/blocks", json={**BLOCK, "number": "12"})
    assert (bad.status_code, bad.json()["code"]) == (422, "invalid_request")


async def test_agents_may_not(opened: Office) -> None:
    for username, status in (("maria", 403), ("", 401)):
        client = await opened.client(username)
        assert (await client.post("/api/blocks", json=BLOCK)).status_code == status
        assert (await client.get("/api/blocks")).status_code == status
        assert (await client.delete("/api/blocks/1")).status_code == status
