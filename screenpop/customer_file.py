"""Customers from a CSV file."""

from __future__ import annotations

import asyncio
from pathlib import Path

from screenpop import pins
from screenpop.csv_file import Faults, ImportResult, Row, read_rows
from screenpop.db import customers
from screenpop.db.store import Store
from screenpop.errors import InvalidRequestError
from screenpop.model import Customer
from screenpop.numbers import NumberPlan

COLUMNS = ("id", "name", "company", "account", "language", "vip", "note", "numbers")
#: Kept as a hash only; never told in a fault.
PIN = "pin"
_YES = {"yes", "true", "1", "y"}
_NO = {"no", "false", "0", "n", ""}
_LONGEST = {"id": 64, "account": 64, "language": 16}


async def import_customers(store: Store, plan: NumberPlan, path: Path) -> ImportResult:
    """Write the customers of a CSV file with the columns `COLUMNS`; `numbers` are separated by `;`.

    A customer with a known id is replaced; others stay. All or nothing: ImportFileError lists every fault. The column
    `PIN` may be left out; where a cell of it is empty, whoever has a PIN keeps it.
    """
    faults = Faults(str(path))
    rows = await asyncio.to_thread(read_rows, path, (*COLUMNS, PIN), ("id", "name"), faults, (PIN,))
    records = await asyncio.to_thread(_records_of, rows, plan, faults)
    faults.raise_if_any()
    hashes = await asyncio.to_thread(pins.hashes_of, {row["id"]: row[PIN] for row in rows if row[PIN]})
    async with store.write() as connection:
        added = await customers.put(store, connection, records)
        await pins.put(store, connection, hashes)
    return ImportResult(added, len(records) - added)


def _records_of(rows: list[Row], plan: NumberPlan, faults: Faults) -> list[Customer]:
    seen: dict[str, int] = {}
    records = []
    for row in rows:
        first = seen.setdefault(row["id"], row.line)
        if first != row.line:
            faults.add(row.line, f"id: {row['id']!r} stands in line {first} already")
        if row[PIN] and not pins.is_pin(row[PIN]):
            faults.add(row.line, f"{PIN}: expected {pins.PIN_RULE}, got something else")
        for column, longest in _LONGEST.items():
            if len(row[column]) > longest:
                faults.add(row.line, f"{column}: expected at most {longest} characters, got {len(row[column])}")
        records.append(_record_of(row, plan, faults))
    return records


def _record_of(row: Row, plan: NumberPlan, faults: Faults) -> Customer:
    numbers: dict[str, None] = {}
    for text in row.list_of("numbers"):
        try:
            numbers[plan.e164(text)] = None
        except InvalidRequestError as error:
            faults.add(row.line, f"numbers: {error}")
    vip = row["vip"].lower()
    if vip not in _YES | _NO:
        faults.add(row.line, f"vip: expected yes or no, got {row['vip'][:80]!r}")
    return Customer(
        id=row["id"],
        name=row["name"],
        company=row["company"],
        account=row["account"],
        language=row["language"],
        vip=vip in _YES,
        note=row["note"],
        numbers=tuple(numbers),
    )
