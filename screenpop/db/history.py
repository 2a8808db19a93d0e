"""Reading what happened: the last interactions of somebody, and one interaction with all its parts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from screenpop.db.tables import interaction, offer, person, queue_visit, talk
from screenpop.model import PastInteraction

MOST_LISTED = 200
MOST_SEARCHED = 20


async def of_customer(
    connection: AsyncConnection, customer_id: str, *, limit: int, besides: str = ""
) -> tuple[PastInteraction, ...]:
    """The last interactions with this customer, newest first; `besides` is left out."""
    return await _past(connection, interaction.c.customer_id == customer_id, limit, besides)


async def of_number(
    connection: AsyncConnection, number: str, *, limit: int, besides: str = ""
) -> tuple[PastInteraction, ...]:
    """The last interactions from this number (E.164), newest first; `besides` is left out."""
    return await _past(connection, interaction.c.caller_number == number, limit, besides)


async def last_agent(connection: AsyncConnection, *, customer_id: str, number: str, besides: str) -> str:
    """Who last talked to this customer, or, where that is empty, to this number (E.164), within their last
    `MOST_SEARCHED` interactions; empty when nobody did."""
    whose = interaction.c.customer_id == customer_id if customer_id else interaction.c.caller_number == number
    recent = (
        select(interaction.c.id)
        .where(whose, interaction.c.id != besides)
        .order_by(interaction.c.arrived_at.desc())
        .limit(MOST_SEARCHED)
    )
    found = await connection.scalar(
        select(talk.c.agent_id)
        .where(talk.c.interaction_id.in_(recent), talk.c.agent_id.is_not(None))
        .order_by(talk.c.started_at.desc())
        .limit(1)
    )
    return found or ""


async def latest(connection: AsyncConnection, *, limit: int) -> tuple[PastInteraction, ...]:
    """The last interactions of everybody, newest first."""
    return await _past(connection, interaction.c.arrived_at.is_not(None), limit, "")


async def _past(
    connection: AsyncConnection, whose: ColumnElement[bool], limit: int, besides: str
) -> tuple[PastInteraction, ...]:
    found = await connection.execute(
        select(interaction.c.id, interaction.c.arrived_at, interaction.c.outcome, interaction.c.agent_id)
        .where(whose, interaction.c.arrived_at.is_not(None), interaction.c.id != besides)
        .order_by(interaction.c.arrived_at.desc(), interaction.c.id.desc())
        .limit(min(limit, MOST_LISTED))
    )
    rows = found.mappings().all()
    ids = [row["id"] for row in rows]
    talks = await _last_of(connection, ids, talk, "started_at", ("agent_id", "disposition", "note"))
    visits = await _last_of(connection, ids, queue_visit, "entered_at", ("queue",))
    agents = {row["id"]: row["agent_id"] or talks.get(row["id"], {}).get("agent_id") or "" for row in rows}
    names = await _names(connection, sorted({agent for agent in agents.values() if agent}))
    return tuple(
        PastInteraction(
            interaction_id=row["id"],
            at=row["arrived_at"],
            queue=visits.get(row["id"], {}).get("queue") or "",
            outcome=row["outcome"] or "",
            agent=names.get(agents[row["id"]], agents[row["id"]]),
            disposition=talks.get(row["id"], {}).get("disposition") or "",
            note=talks.get(row["id"], {}).get("note") or "",
        )
        for row in rows
    )


async def _last_of(
    connection: AsyncConnection, ids: list[str], table: Any, order: str, columns: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    if not ids:
        return {}
    chosen = [table.c[name] for name in columns]
    found = await connection.execute(
        select(table.c.interaction_id, *chosen)
        .where(table.c.interaction_id.in_(ids))
        .order_by(table.c[order], table.c.id)
    )
    return {row["interaction_id"]: dict(row) for row in found.mappings()}


async def _names(connection: AsyncConnection, usernames: list[str]) -> dict[str, str]:
    if not usernames:
        return {}
    found = await connection.execute(select(person.c.username, person.c.name).where(person.c.username.in_(usernames)))
    return {row.username: row.name for row in found}


async def one(connection: AsyncConnection, interaction_id: str) -> dict[str, Any] | None:
    """An interaction with its `visits`, `offers` and `talks` in the order they began, or None."""
    found = await connection.execute(select(interaction).where(interaction.c.id == interaction_id))
    row = found.mappings().first()
    if row is None:
        return None
    parts: dict[str, list[dict[str, Any]]] = {}
    for name, table, order in (
        ("visits", queue_visit, "entered_at"),
        ("offers", offer, "offered_at"),
        ("talks", talk, "started_at"),
    ):
        rows = await connection.execute(
            select(table)
            .where(table.c.interaction_id == interaction_id)
            .order_by(table.c[order], table.c.id)
            .limit(MOST_LISTED)
        )
        parts[name] = [dict(part) for part in rows.mappings()]
    for visit in parts["visits"]:
        visit["attributes"] = dict(visit["attributes"] or ())
    return {**row, **parts}
