"""The emergency switch over REST, and what screens are told of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from screenpop.db.store import Store
from screenpop.orders import OrderBook
from tests.screenpop.office import START, Office, office

HOUR = 3_600_000_000
CLOSE = {"kind": "close_queue", "targets": ["support"], "ends_at": START + HOUR, "reason": "fire drill"}
NOTICE = {"kind": "notice", "texts": {"en": "We know."}, "ends_at": START + HOUR}


@pytest.fixture
async def opened(sqlite_store: Store) -> AsyncIterator[Office]:
    async with office(sqlite_store) as running:
        yield running


async def test_a_supervisor_closes_a_queue_and_opens_it_again(opened: Office) -> None:
    client = await opened.client("susi")
    answer = await client.post("/api/emergencies", json=CLOSE)
    assert answer.status_code == 201
    [given] = answer.json()
    assert (given["kind"], given["target"], given["ends_at"]) == ("close_queue", "support", START + HOUR)
    assert (given["given_by"], given["reason"], given["ended_at"]) == ("susi", "fire drill", 0)
    assert (await client.get("/api/emergencies")).json() == [given]
    ended = await client.delete(f"/api/emergencies/{given['id']}")
    assert (ended.status_code, ended.json()["ended_by"]) == (200, "susi")
    assert (await client.get("/api/emergencies")).json() == []
    assert (await client.get("/api/emergencies?all=true")).json() == [ended.json()]
    again = await client.delete(f"/api/emergencies/{given['id']}")
    assert (again.status_code, again.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("order", ["0", "-1", str(2**63), "999"])
async def test_an_order_that_is_not_there_cannot_be_ended(opened: Office, order: str) -> None:
    answer = await (await opened.client("susi")).delete(f"/api/emergencies/{order}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_agents_may_not_and_nobody_without_signing_in(opened: Office) -> None:
    for username, status in (("maria", 403), ("", 401)):
        client = await opened.client(username)
        assert (await client.post("/api/emergencies", json=CLOSE)).status_code == status
        assert (await client.get("/api/emergencies")).status_code == status
        assert (await client.delete("/api/emergencies/1")).status_code == status


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"targets": ["sales"]}, "queue 'sales': expected one of billing, support"),
        ({"ends_at": START - 1}, "until: expected a time to come"),
        ({"ends_at": -1}, "body.ends_at"),
        ({"ends_at": 2**63}, "body.ends_at"),
        ({"kind": "explode"}, "body.kind"),
        ({"reason": "x" * 201}, "body.reason"),
        ({"by": "somebody else"}, "body.by"),
    ],
)
async def test_what_cannot_be_names_the_field(opened: Office, changed: dict[str, object], said: str) -> None:
    answer = await (await opened.client("susi")).post("/api/emergencies", json={**CLOSE, **changed})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["message"].startswith(said)


async def test_an_end_has_to_be_named(opened: Office) -> None:
    """0 is until it is ended; left out by mistake it must not become that."""
    body = {name: value for name, value in CLOSE.items() if name != "ends_at"}
    answer = await (await opened.client("susi")).post("/api/emergencies", json=body)
    assert answer.json()["message"].startswith("body.ends_at")


async def test_agents_see_what_concerns_them_at_once_and_after_a_reload(opened: Office) -> None:
    maria, jonas, susi = [await opened.sit_down(name) for name in ("maria", "jonas", "susi")]
    client = await opened.client("susi")
    [closed] = (await client.post("/api/emergencies", json=CLOSE)).json()
    for desktop, seen in ((jonas, [closed]), (susi, [closed]), (maria, [])):
        assert (await desktop.until("emergencies"))["emergencies"] == seen
    [notice] = (await client.post("/api/emergencies", json=NOTICE)).json()
    for desktop, seen in ((jonas, [closed, notice]), (susi, [closed, notice]), (maria, [notice])):
        assert (await desktop.until("emergencies"))["emergencies"] == seen
    again = await opened.desktop(await opened.client("maria"))
    assert (await again.next())["emergencies"] == [notice]
    await client.delete(f"/api/emergencies/{notice['id']}")
    assert (await again.until("emergencies"))["emergencies"] == []


async def test_what_a_command_ordered_is_shown_when_the_table_is_read(opened: Office, sqlite_store: Store) -> None:
    from screenpop.orders import NewOrder

    maria = await opened.sit_down("maria")
    await OrderBook(sqlite_store, opened.desk.now).give([NewOrder("close_number", "49301234567")], "root")
    await opened.standing.read()
    [shown] = (await maria.until("emergencies"))["emergencies"]
    assert (shown["kind"], shown["target"], shown["given_by"]) == ("close_number", "49301234567", "root")
