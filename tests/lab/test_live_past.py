"""A test's history becomes calls that were, and what no past can be is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from ivr.flow_tests import Given, ReadTest
from ivr.loader import load_site
from ivr.past_calls import NO_HISTORY, history_of
from ivr.positions import Document
from lab.live_past import as_it_can_be, differences, past_of, write_past
from lab.paths import repository
from screenpop.db import history
from screenpop.db.migrate import migrate
from screenpop.db.store import Store
from screenpop.db.tables import interaction

SITE = load_site(repository() / "site")
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
NUMBER = "+4930901820"
FULL: Mapping[str, object] = {
    "calls_today": 3,
    "last_queue": "support",
    "last_outcome": "served",
    "minutes_since_last": 40,
    "open_case": True,
}


def _test(**told: object) -> ReadTest:
    given = Given.model_validate({"number": "+491", "at": "2026-11-23T10:00", "caller": NUMBER, "history": told})
    return ReadTest(Document("tests/x.yaml"), "a test", given, ())


def _known(test: ReadTest) -> Mapping[str, str]:
    past = past_of(SITE, test, NOW)
    return history_of(past, SITE.reasons.open, NOW, SITE.settings.time_zone)


@pytest.mark.parametrize(
    "told",
    [
        FULL,
        {"calls_today": 1, "minutes_since_last": 0},
        {"last_outcome": "abandoned_in_queue", "minutes_since_last": 1440},
        {"open_case": True},
        {"last_queue": "billing"},
        {},
    ],
)
def test_flows_know_of_the_past_what_the_test_gives(told: Mapping[str, object]) -> None:
    test = _test(**told)

    assert {**NO_HISTORY, **test.given.remembered} == dict(_known(test))
    assert differences(test, as_it_can_be(SITE, test, past_of(SITE, test, NOW), NOW)) == []


def test_what_a_test_leaves_out_may_have_to_be_otherwise() -> None:
    test = _test(calls_today=2)

    told = differences(test, as_it_can_be(SITE, test, past_of(SITE, test, NOW), NOW))

    assert told == ["minutes_since_last 999999 would be 1"]


def test_what_cannot_be_together_is_told() -> None:
    test = _test(calls_today=0, minutes_since_last=5)

    told = differences(test, as_it_can_be(SITE, test, past_of(SITE, test, NOW), NOW))

    assert told == ["calls_today 0 would be 1"]


@pytest.mark.parametrize("has_words", [True, False])
async def test_the_server_finds_the_past_that_was_written(tmp_path: Path, has_words: bool) -> None:
    site = SITE if has_words else replace(SITE, reasons=type(SITE.reasons)())
    test = _test(**FULL)
    url = f"sqlite+aiosqlite:///{tmp_path}/callyard.db"
    await migrate(url)
    store = Store(url)
    async with store.write() as connection:
        await write_past(connection, past_of(site, test, NOW), NUMBER, None)
        await write_past(connection, past_of(site, test, NOW), NUMBER, None)  # in place of those before

    async with store.read() as connection:
        found = await history.of_number(connection, NUMBER, limit=20)
        rows = (await connection.execute(select(interaction.c.id))).all()
    await store.close()

    assert len(rows) == 3
    known = history_of(found, site.reasons.open, NOW, site.settings.time_zone)
    assert known == {**NO_HISTORY, **test.given.remembered}
