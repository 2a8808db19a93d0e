"""Promises to call back over REST: who may see them, which are open, and calling one off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import select

from acd.events import (
    CallbackAnswered,
    CallbackCancelled,
    CallbackFailed,
    CallerLeft,
    ConfigurationChanged,
    InteractionArrived,
    InteractionQueued,
    PhoneChanged,
    PresenceChosen,
)
from acd.model import CallbackRules, Configuration, Phone, Presence
from screenpop.db.store import Store
from screenpop.db.tables import audit
from tests.screenpop.office import QUEUES, Office, office

NUMBER = "+4930901820"


@pytest.fixture
async def opened(sqlite_store: Store) -> AsyncIterator[Office]:
    async with office(sqlite_store) as running:
        rules = tuple(replace(queue, callback=CallbackRules(every_us=60_000_000)) for queue in QUEUES)
        profiles = tuple(await running.people.profiles())
        running.desk.submit(ConfigurationChanged(Configuration(rules, profiles)))
        yield running


async def promised(opened: Office, interaction_id: str, number: str = NUMBER) -> None:
    """They asked to be called back and hung up; it is written."""
    opened.desk.submit(InteractionArrived(interaction_id, "030901820", "+49301234567", "main"))
    opened.desk.submit(InteractionQueued(interaction_id, "billing", callback_number=number))
    opened.desk.submit(CallerLeft(interaction_id))
    await opened.records.flush()


async def ready(opened: Office) -> None:
    """Maria sits down, and is held at once for whoever is to be called."""
    await opened.sit_down("maria")
    opened.desk.submit(PhoneChanged("maria", Phone.FREE))
    opened.desk.submit(PresenceChosen("maria", Presence.READY))


async def test_a_supervisor_sees_how_a_promise_stands_until_it_is_kept_or_failed(opened: Office) -> None:
    client = await opened.client("susi")
    await promised(opened, "i1")
    await promised(opened, "i2", "+4930901899")
    first, second = (await client.get("/api/callbacks")).json()
    assert (first["interaction_id"], first["queue"], first["number"]) == ("i1", "billing", NUMBER)
    assert (first["state"], first["attempts"], first["not_before"], first["detail"]) == ("promised", 0, 0, "")
    assert first["promised_at"] == first["changed_at"] < second["promised_at"]

    await ready(opened)
    await opened.records.flush()
    assert [each["state"] for each in (await client.get("/api/callbacks")).json()] == ["calling", "promised"]
    opened.desk.submit(CallbackAnswered("i1/1"))
    await opened.records.flush()
    assert [each["state"] for each in (await client.get("/api/callbacks?limit=1")).json()] == ["answered"]
    opened.desk.submit(CallbackFailed("i1/1", "left"))
    await opened.records.flush()
    failed = next(each for each in (await client.get("/api/callbacks")).json() if each["interaction_id"] == "i1")
    assert (failed["state"], failed["attempts"], failed["detail"]) == ("promised", 1, "left")
    assert failed["not_before"] == failed["changed_at"] + 60_000_000
    newest = (await client.get("/api/callbacks?all=true")).json()
    assert [each["interaction_id"] for each in newest] == ["i2", "i1"]
    assert newest[1] == failed
    assert [each["interaction_id"] for each in (await client.get("/api/callbacks?all=1&limit=1")).json()] == ["i2"]


async def test_a_promise_that_is_not_yet_written_is_shown(opened: Office) -> None:
    client = await opened.client("susi")
    opened.records.keep = lambda position, facts: None  # type: ignore[method-assign]
    await promised(opened, "i1")
    (shown,) = (await client.get("/api/callbacks")).json()
    assert (shown["interaction_id"], shown["state"], shown["changed_at"]) == ("i1", "promised", shown["promised_at"])


async def test_who_calls_one_off_stands_in_the_event_and_in_the_audit(opened: Office, sqlite_store: Store) -> None:
    client = await opened.client("susi")
    await promised(opened, "i1")
    ended = await client.delete("/api/callbacks/i1?reason=has+written+instead")
    assert ended.status_code == 200
    assert (ended.json()["state"], ended.json()["detail"]) == ("cancelled", "susi: has written instead")
    assert opened.desk.events[-1] == CallbackCancelled("i1", "susi", "has written instead")
    assert (await client.get("/api/callbacks")).json() == []
    await opened.records.flush()
    assert (await client.get("/api/callbacks?all=true")).json() == [ended.json()]
    assert (await client.delete("/api/callbacks/i1")).status_code == 404
    async with sqlite_store.read() as connection:
        rows = await connection.execute(select(audit).where(audit.c.action == "callback_cancelled"))
        noted = [(row.actor, row.subject, row.detail) for row in rows]
    assert noted == [("susi", "i1", {"reason": "has written instead"})]


async def test_whose_customer_has_answered_is_not_called_off(opened: Office) -> None:
    client = await opened.client("susi")
    await promised(opened, "i1")
    await ready(opened)
    opened.desk.submit(CallbackAnswered("i1/1"))
    answer = await client.delete("/api/callbacks/i1")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert not [event for event in opened.desk.events if isinstance(event, CallbackCancelled)]


async def test_agents_may_not_and_nobody_without_signing_in(opened: Office) -> None:
    opened.desk.submit(PhoneChanged("maria", Phone.FREE))
    await promised(opened, "i1")
    for username, status in (("maria", 403), ("", 401)):
        client = await opened.client(username)
        assert (await client.get("/api/callbacks")).status_code == status
        assert (await client.delete("/api/callbacks/i1")).status_code == status


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x"])
async def test_a_limit_that_cannot_be_is_refused(opened: Office, query: str) -> None:
    answer = await (await opened.client("susi")).get(f"/api/callbacks?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_reason_longer_than_a_line_is_refused(opened: Office) -> None:
    await promised(opened, "i1")
    answer = await (await opened.client("susi")).delete(f"/api/callbacks/i1?reason={'x' * 201}")
    assert answer.status_code == 422
    assert len((await (await opened.client("susi")).get("/api/callbacks")).json()) == 1
