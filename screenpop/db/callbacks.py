"""Reading promises to call back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from screenpop.db.tables import audit, callback

MOST_LISTED = 200


async def these(connection: AsyncConnection, ids: Collection[str]) -> Sequence[dict[str, Any]]:
    """Those of these interactions (at most `MOST_LISTED`) that are written, oldest promise first."""
    found = await connection.execute(
        select(callback)
        .where(callback.c.interaction_id.in_(list(ids)[:MOST_LISTED]))
        .order_by(callback.c.promised_at, callback.c.interaction_id)
    )
    return [dict(row) for row in found.mappings()]


async def newest(connection: AsyncConnection, limit: int) -> Sequence[dict[str, Any]]:
    """The last ones promised, kept or not, newest first."""
    found = await connection.execute(
        select(callback)
        .order_by(callback.c.promised_at.desc(), callback.c.interaction_id.desc())
        .limit(min(limit, MOST_LISTED))
    )
    return [dict(row) for row in found.mappings()]


async def note_cancelled(connection: AsyncConnection, interaction_id: str, by: str, reason: str, now: int) -> None:
    """Into the audit: who called it off."""
    await connection.execute(
        insert(audit).values(
            at=now, actor=by, action="callback_cancelled", subject=interaction_id, detail={"reason": reason}
        )
    )
