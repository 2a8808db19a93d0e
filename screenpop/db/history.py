"""Reading what happened: the last interactions of somebody, and one interaction with all its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Select, Table, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from acd.model import CallbackState
from screenpop.db.tables import callback, interaction, offer, person, queue_visit, recording, survey_answer, talk
from screenpop.model import PastInteraction

MOST_LISTED = 200
#: States of a promise that nobody has kept yet.
_STANDING = (CallbackState.PROMISED, CallbackState.CALLING, CallbackState.ANSWERED)
MOST_SEARCHED = 20


def _last(whose: ColumnElement[bool]) -> Select[Any]:
    """The last interactions, newest first, each with its last talk and visit and the name of who served."""
    columns = (interaction.c[name] for name in ("id", "arrived_at", "outcome", "agent_id"))
    some = (
        select(*columns)
        .where(whose, interaction.c.arrived_at.is_not(None), interaction.c.id != bindparam("besides"))
        .order_by(interaction.c.arrived_at.desc(), interaction.c.id.desc())
        .limit(bindparam("most", type_=Integer))
        .subquery()
    )
    served_by = func.coalesce(func.nullif(some.c.agent_id, ""), talk.c.agent_id, "")
    parts = (
        some.outerjoin(talk, talk.c.id == _newest(talk, "started_at", some.c.id))
        .outerjoin(queue_visit, queue_visit.c.id == _newest(queue_visit, "entered_at", some.c.id))
        .outerjoin(person, person.c.username == served_by)
        .outerjoin(callback, callback.c.interaction_id == some.c.id)
    )
    return (
        select(
            some.c.id,
            some.c.arrived_at,
            some.c.outcome,
            queue_visit.c.queue,
            talk.c.disposition,
            talk.c.note,
            callback.c.state.label("callback"),
            func.coalesce(person.c.name, served_by).label("agent"),
        )
        .select_from(parts)
        .order_by(some.c.arrived_at.desc(), some.c.id.desc())
    )


def _newest(table: Table, order: str, interaction_id: ColumnElement[str]) -> Any:
    """The id of the row of this interaction that began last."""
    one = table.alias()
    rows = select(one.c.id).where(one.c.interaction_id == interaction_id)
    return rows.order_by(one.c[order].desc(), one.c.id.desc()).limit(1).scalar_subquery()


# Made once: to make one takes longer than to carry it out, and the first two are for every call.
_OF_CUSTOMER = _last(interaction.c.customer_id == bindparam("value"))
_OF_NUMBER = _last(interaction.c.caller_number == bindparam("value"))
_LATEST = _last(interaction.c.arrived_at.is_not(None))


def look_of_customer(
    connection: Connection, customer_id: str, *, limit: int, besides: str = ""
) -> tuple[PastInteraction, ...]:
    """As `of_customer`, for `Store.look`."""
    return _past(connection, _OF_CUSTOMER, limit, besides, {"value": customer_id})


def look_of_number(
    connection: Connection, number: str, *, limit: int, besides: str = ""
) -> tuple[PastInteraction, ...]:
    """As `of_number`, for `Store.look`."""
    return _past(connection, _OF_NUMBER, limit, besides, {"value": number})


async def of_customer(
    connection: AsyncConnection, customer_id: str, *, limit: int, besides: str = ""
) -> tuple[PastInteraction, ...]:
    """The last interactions with this customer, newest first; `besides` is left out."""
    return await connection.run_sync(_past, _OF_CUSTOMER, limit, besides, {"value": customer_id})


async def of_number(
    connection: AsyncConnection, number: str, *, limit: int, besides: str = ""
) -> tuple[PastInteraction, ...]:
    """The last interactions from this number (E.164), newest first; `besides` is left out."""
    return await connection.run_sync(_past, _OF_NUMBER, limit, besides, {"value": number})


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
    return await connection.run_sync(_past, _LATEST, limit, "", {})


def _past(
    connection: Connection, statement: Select[Any], limit: int, besides: str, values: Mapping[str, str]
) -> tuple[PastInteraction, ...]:
    asked = {**values, "besides": besides, "most": min(limit, MOST_LISTED)}
    found = connection.execute(statement, asked)
    return tuple(
        PastInteraction(
            interaction_id=row["id"],
            at=row["arrived_at"],
            queue=row["queue"] or "",
            outcome=row["outcome"] or "",
            agent=row["agent"],
            disposition=row["disposition"] or "",
            note=row["note"] or "",
            promised=row["callback"] in _STANDING,
        )
        for row in found.mappings()
    )


async def one(connection: AsyncConnection, interaction_id: str) -> dict[str, Any] | None:
    """An interaction with its `visits`, `offers`, `talks`, `recordings` and `answers` in their order, or None."""
    found = await connection.execute(select(interaction).where(interaction.c.id == interaction_id))
    row = found.mappings().first()
    if row is None:
        return None
    parts: dict[str, list[dict[str, Any]]] = {}
    for name, table, order in (
        ("visits", queue_visit, "entered_at"),
        ("offers", offer, "offered_at"),
        ("talks", talk, "started_at"),
        ("recordings", recording, "started_at"),
        ("answers", survey_answer, "answered_at"),
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
