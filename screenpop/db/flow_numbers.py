"""The sums of what callers did at the steps of flows: added to in batches, each once, and read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Insert, Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from screenpop.db.store import Store
from screenpop.db.tables import flow_batch, flow_exit, flow_step, interaction

#: So much of a version is kept with each sum; commands show it as long.
VERSION_SIGNS = 12
QUARTER_US = 900_000_000
#: A run of the server that has written nothing for so long has ended.
_WRITERS_KEPT_US = 7 * 86_400_000_000
SUMS = ("entered", "left", "hung_up", "timed_out", "invalid", "stayed_us")


@dataclass(slots=True)
class Sums:
    """What happened at one step; `ways`: how often it was left by each."""

    entered: int = 0
    left: int = 0
    hung_up: int = 0
    timed_out: int = 0
    invalid: int = 0
    stayed_us: int = 0
    ways: dict[str, int] = field(default_factory=dict)


#: Flow, begin of the quarter of an hour, version, step.
Key = tuple[str, int, str, str]


def add(store: Store, connection: Connection, writer: str, number: int, now: int, batch: Mapping[Key, Sums]) -> bool:
    """Add a batch to the sums unless it has been added already; whether it was new. Batches of a writer are numbered
    upwards, and one is only written when the one before has been."""
    mark = _insert(store, flow_batch).values(writer=writer, number=number, written_at=now)
    marked = connection.execute(
        mark.on_conflict_do_update(
            index_elements=["writer"],
            set_={"number": mark.excluded.number, "written_at": mark.excluded.written_at},
            where=flow_batch.c.number < mark.excluded.number,
        ).returning(flow_batch.c.number)
    )
    if marked.first() is None:
        return False
    connection.execute(delete(flow_batch).where(flow_batch.c.written_at < now - _WRITERS_KEPT_US))
    places = [dict(zip(("flow", "from_at", "version", "step"), key, strict=True)) for key in batch]
    steps = [
        {**place, **{name: getattr(sums, name) for name in SUMS}}
        for place, sums in zip(places, batch.values(), strict=True)
    ]
    exits = [
        {**place, "way": way, "left": count}
        for place, sums in zip(places, batch.values(), strict=True)
        for way, count in sums.ways.items()
    ]
    _add_to(store, connection, flow_step, SUMS, steps)
    _add_to(store, connection, flow_exit, ("left",), exits)
    return True


def _insert(store: Store, table: Table) -> Any:
    return sqlite.insert(table) if store.is_sqlite else postgresql.insert(table)


def _add_to(
    store: Store, connection: Connection, table: Table, names: Iterable[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    if not rows:
        return
    insert = _insert(store, table)
    summed = {name: table.c[name] + insert.excluded[name] for name in names}
    statement: Insert = insert.on_conflict_do_update(index_elements=list(table.primary_key.columns.keys()), set_=summed)
    connection.execute(statement, [dict(row) for row in rows])


def sums_of(
    connection: Connection, since_at: int, until_at: int, flow: str = "", version: str = ""
) -> dict[tuple[str, str], Sums]:
    """Flow and step → what happened in the quarters of an hour that began in [since, until); of a flow and of a version
    (by its first signs), where one is given."""
    found: dict[tuple[str, str], Sums] = {}
    for table, names in ((flow_step, SUMS), (flow_exit, ("left",))):
        within = [table.c.from_at >= since_at, table.c.from_at < until_at]
        if flow:
            within.append(table.c.flow == flow)
        if version:
            within.append(table.c.version == version[:VERSION_SIGNS])
        place = [table.c.flow, table.c.step, *((flow_exit.c.way,) if table is flow_exit else ())]
        totals = [func.sum(table.c[name]).label(f"sum_{name}") for name in names]
        for row in connection.execute(select(*place, *totals).where(*within).group_by(*place)):
            sums = found.setdefault((row.flow, row.step), Sums())
            if table is flow_exit:
                sums.ways[row.way] = int(row.sum_left)
            else:
                for name in SUMS:
                    setattr(sums, name, int(getattr(row, f"sum_{name}")))
    return found


def versions_of(connection: Connection, flow: str, since_at: int, until_at: int) -> list[str]:
    """The versions by which callers went through a flow, the one used last first."""
    last = func.max(flow_step.c.from_at)
    within = (flow_step.c.flow == flow, flow_step.c.from_at >= since_at, flow_step.c.from_at < until_at)
    query = select(flow_step.c.version).where(*within).group_by(flow_step.c.version)
    return [row.version for row in connection.execute(query.order_by(last.desc(), flow_step.c.version))]


def endings(connection: Connection, since_at: int, until_at: int) -> list[tuple[str, str, str, int]]:
    """(flow that the call came into, dialled number, outcome, calls) of calls that arrived in [since, until) and are
    over."""
    place = (interaction.c.flow, interaction.c.dialled, interaction.c.outcome)
    query = (
        select(*place, func.count().label("calls"))
        .where(interaction.c.arrived_at >= since_at, interaction.c.arrived_at < until_at)
        .where(interaction.c.outcome.is_not(None), interaction.c.flow != "")
        .group_by(*place)
    )
    return [(row.flow, row.dialled or "", row.outcome, row.calls) for row in connection.execute(query)]
