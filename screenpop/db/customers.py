"""Reading and writing customer records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from screenpop.db.store import Store
from screenpop.db.tables import customer, customer_number
from screenpop.model import Customer

#: So many records are shown where several fit; who needs more looks closer.
MOST_FOUND = 20


def _owners(number: Any) -> Select[tuple[str]]:
    return select(customer_number.c.customer_id).where(customer_number.c.number == number)


def _people(condition: ColumnElement[bool]) -> Select[Any]:
    """Those who fit, a row for each of their numbers (or one without), in the order in which they are shown."""
    columns = (customer.c[name] for name in ("id", "name", "company", "account", "language", "vip", "note"))
    some = select(*columns).where(condition).order_by(customer.c.name, customer.c.id).limit(MOST_FOUND).subquery()
    owned = some.outerjoin(customer_number, customer_number.c.customer_id == some.c.id)
    order = (some.c.name, some.c.id, customer_number.c.place)
    return select(*some.c, customer_number.c.number).select_from(owned).order_by(*order)


# Made once: to make one takes longer than to carry it out, and these are for every call.
_BY_ID = _people(customer.c.id == bindparam("value"))
_BY_NUMBER = _people(customer.c.id.in_(_owners(bindparam("value"))))
_BY_ACCOUNT = _people(customer.c.account == bindparam("value"))


def look_by_id(connection: Connection, customer_id: str) -> tuple[Customer, ...]:
    """The customer with this id, or nobody."""
    return _find(connection, _BY_ID, customer_id)


def look_by_number(connection: Connection, number: str) -> tuple[Customer, ...]:
    """Everybody who has this number (E.164)."""
    return _find(connection, _BY_NUMBER, number)


def look_by_account(connection: Connection, account: str) -> tuple[Customer, ...]:
    return _find(connection, _BY_ACCOUNT, account)


async def by_id(connection: AsyncConnection, customer_id: str) -> Customer | None:
    found = await connection.run_sync(look_by_id, customer_id)
    return found[0] if found else None


async def by_number(connection: AsyncConnection, number: str) -> tuple[Customer, ...]:
    """Everybody who has this number (E.164)."""
    return await connection.run_sync(look_by_number, number)


async def search(connection: AsyncConnection, words: str, number: str | None) -> tuple[Customer, ...]:
    """Records whose name, company or account hold all `words`, or that have `number` (E.164)."""
    holds = [customer.c.folded.contains(word, autoescape=True) for word in folded(words).split()]
    conditions: list[ColumnElement[bool]] = []
    if holds:
        all_words = holds[0]
        for condition in holds[1:]:
            all_words = all_words & condition
        conditions.append(all_words)
    if number is not None:
        conditions.append(customer.c.id.in_(_owners(number)))
    if not conditions:
        return ()
    return await connection.run_sync(_find, _people(or_(*conditions)))


async def put(store: Store, connection: AsyncConnection, records: Sequence[Customer]) -> int:
    """Write these records, replacing those with the same ids and their numbers; return how many were new."""
    known = await _known(connection, [record.id for record in records])
    columns = ("id", "name", "company", "account", "language", "vip", "note")
    rows = [
        {**record.model_dump(include=set(columns)), "folded": folded(record.name, record.company, record.account)}
        for record in records
    ]
    await store.upsert(connection, customer, ("id",), rows)
    for some in _slices([record.id for record in records]):
        await connection.execute(delete(customer_number).where(customer_number.c.customer_id.in_(some)))
    numbers = [
        {"customer_id": record.id, "number": number, "place": place}
        for record in records
        for place, number in enumerate(record.numbers)
    ]
    await store.upsert(connection, customer_number, ("customer_id", "number"), numbers)
    return len(records) - len(known)


def folded(*parts: str) -> str:
    """Text for searching: case does not matter, in any alphabet."""
    return " ".join(parts).casefold()


async def _known(connection: AsyncConnection, ids: list[str]) -> set[str]:
    known: set[str] = set()
    for some in _slices(ids):
        known.update(await connection.scalars(select(customer.c.id).where(customer.c.id.in_(some))))
    return known


def _slices(ids: list[str], size: int = 500) -> list[list[str]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def _find(connection: Connection, statement: Select[Any], value: str | None = None) -> tuple[Customer, ...]:
    found = connection.execute(statement, None if value is None else {"value": value})
    people: dict[str, dict[str, Any]] = {}
    numbers: defaultdict[str, list[str]] = defaultdict(list)
    for row in found.mappings():
        fields = dict(row)
        number = fields.pop("number")
        people.setdefault(fields["id"], fields)
        if number is not None:
            numbers[fields["id"]].append(number)
    return tuple(Customer(**fields, numbers=tuple(numbers[owner])) for owner, fields in people.items())
