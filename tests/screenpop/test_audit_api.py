"""The audit over REST: for admins, newest first, page by page; nothing that the database cannot keep."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from screenpop.audit import AuditLog
from screenpop.db.store import Store
from tests.screenpop.office import START, Office, office


@pytest.fixture
async def opened(sqlite_store: Store) -> AsyncIterator[Office]:
    async with office(sqlite_store) as running:
        yield running


@pytest.fixture
def log(sqlite_store: Store) -> AuditLog:
    return AuditLog(sqlite_store, lambda: START)


async def test_rows_come_newest_first_and_page_by_page(opened: Office, log: AuditLog) -> None:
    client = await opened.client("ada")
    for number in range(5):
        await log.note("ben", "flow_published", str(number), {"from": number - 1})

    first = (await client.get("/api/audit?most=2&actor=ben")).json()
    second = (await client.get(f"/api/audit?most=2&actor=ben&before={first[-1]['id']}")).json()

    assert [row["subject"] for row in (*first, *second)] == ["4", "3", "2", "1"]
    assert first[0] == {
        "id": first[0]["id"],
        "at": START,
        "actor": "ben",
        "action": "flow_published",
        "subject": "4",
        "detail": {"from": 3},
    }


async def test_rows_of_one_kind(opened: Office, log: AuditLog) -> None:
    client = await opened.client("ada")
    for action in ("flow_published", "flow_publish_refused", "flowXpublished", "order_given"):
        await log.note("ben", action, "1", {})

    rows = (await client.get("/api/audit?action=flow_")).json()
    assert [row["action"] for row in rows] == ["flow_publish_refused", "flow_published"]
    assert "order_given" in {row["action"] for row in (await client.get("/api/audit")).json()}


async def test_what_the_database_cannot_keep_is_kept_as_far_as_it_can(opened: Office, log: AuditLog) -> None:
    await log.note("b\x00en", "flow_published", "\ud800", {"problems": ["a\x00b"], "way": {"x": "\x00"}, "from": 1})

    rows = (await (await opened.client("ada")).get("/api/audit?action=flow_")).json()
    assert len(rows) == 1
    assert "\x00" not in str(rows[0])
    assert rows[0]["detail"]["from"] == 1


async def test_only_admins_read_it(opened: Office) -> None:
    for username, status in (("susi", 403), ("maria", 403), ("", 401)):
        assert (await (await opened.client(username)).get("/api/audit")).status_code == status
    client = await opened.client("ada")
    for query in ("before=-1", "most=0", "most=99999", f"action={'x' * 65}"):
        assert (await client.get(f"/api/audit?{query}")).status_code == 422
