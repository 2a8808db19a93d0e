"""Reading how long visits took against what was expected of them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from acd.model import VisitOutcome
from screenpop.calibration import Wait
from screenpop.db.tables import queue_visit

#: So many of the last visits are looked at, at most.
MOST_VISITS = 200_000


async def answered_waits(connection: AsyncConnection, since_at: int) -> list[Wait]:
    """The last `MOST_VISITS` answered visits that began at or after `since_at` (µs) with a predicted wait."""
    columns = (
        queue_visit.c.queue,
        queue_visit.c.expected_wait_us,
        queue_visit.c.expected_most_us,
        queue_visit.c.entered_at,
        queue_visit.c.closed_at,
    )
    found = await connection.execute(
        select(*columns)
        .where(
            queue_visit.c.outcome == VisitOutcome.ANSWERED.value,
            queue_visit.c.expected_wait_us > 0,
            queue_visit.c.entered_at >= since_at,
        )
        .order_by(queue_visit.c.entered_at.desc())
        .limit(MOST_VISITS)
    )
    return [
        Wait(row.queue or "", row.expected_wait_us, row.expected_most_us or 0, row.closed_at - row.entered_at)
        for row in found
    ]
