"""The example site's people and customers can be imported as they are."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

from screenpop.customer_file import import_customers
from screenpop.db import customers
from screenpop.db.store import Store
from screenpop.numbers import NumberPlan
from screenpop.people import People

SITE = Path("site")


async def test_the_people_of_the_example_site(sqlite_store: Store) -> None:
    people = People(sqlite_store)
    assert (await people.import_people(SITE / "people.csv")).added >= 3
    known = set(YAML(typ="safe").load(SITE / "queues.yaml"))
    used = {queue for profile in await people.profiles() for queue in profile.queues}
    assert used
    assert used <= known


async def test_the_customers_of_the_example_site(sqlite_store: Store) -> None:
    plan = NumberPlan(YAML(typ="safe").load(SITE / "site.yaml")["country"])
    assert (await import_customers(sqlite_store, plan, SITE / "customers.csv")).added >= 10
    async with sqlite_store.read() as connection:
        ambiguous = await customers.by_number(connection, "+492214710101")
        known = await customers.by_number(connection, "+442079460101")
    assert (len(ambiguous), len(known)) == (2, 1)
