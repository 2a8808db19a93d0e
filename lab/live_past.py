"""Earlier calls of a flow test's caller, written into the tables of a server as if they had been."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.flow_tests import ReadTest
from ivr.past_calls import NEVER_MINUTES, NO_HISTORY, history_of
from ivr.site import Site
from screenpop.db.tables import callback, interaction, queue_visit, talk

PAST = "past-"
#: How a past call is named, so that it is not taken for one that is made now.


@dataclass(frozen=True, slots=True)
class Past:
    """One earlier call, as flows see it (`ivr.past_calls.PastCall`)."""

    at: int
    queue: str = ""
    outcome: str = ""
    disposition: str = ""
    promised: bool = False


def past_of(site: Site, test: ReadTest, now: datetime) -> list[Past]:
    """The earlier calls that `given.history` tells of, the newest first."""
    given = test.given.history
    today, minutes = int(given.get("calls_today", "0")), int(given.get("minutes_since_last", str(NEVER_MINUTES)))
    said = {name: given.get(name, "") for name in ("last_queue", "last_outcome")}
    is_open = given.get("open_case") == "true"
    if not (today or is_open or any(said.values()) or minutes < NEVER_MINUTES):
        return []
    if minutes >= NEVER_MINUTES:
        minutes = 1 if today else NEVER_MINUTES
    newest = Past(_micros(now - timedelta(minutes=minutes)), said["last_queue"], said["last_outcome"])
    if is_open:
        disposition = next(iter(site.reasons.open), "")
        newest = replace(newest, disposition=disposition, promised=not disposition)
    return [newest, *(Past(newest.at - before) for before in range(1, today))]


def as_it_can_be(site: Site, test: ReadTest, past: list[Past], now: datetime) -> ReadTest:
    """The test with what flows will know of this past: no other past has what the test leaves out."""
    known = history_of(past, site.reasons.open, now, site.settings.time_zone)
    history = {name.removeprefix("history."): value for name, value in known.items()}
    return replace(test, given=test.given.model_copy(update={"history": history}))


def differences(test: ReadTest, possible: ReadTest) -> list[str]:
    """What flows take for the past without a telephone, and cannot be so together with the rest."""
    came = possible.given.remembered
    return [
        f"{name.removeprefix('history.')} {value or 'empty'} would be {came[name] or 'empty'}"
        for name, value in {**NO_HISTORY, **test.given.remembered}.items()
        if came[name] != value
    ]


async def write_past(connection: AsyncConnection, past: list[Past], number: str, customer_id: str | None) -> None:
    """These calls, and no others, are what is known of anybody."""
    for table in (callback, talk, queue_visit, interaction):
        await connection.execute(delete(table))
    for place, call in enumerate(past):
        call_id = f"{PAST}{place}"
        await connection.execute(
            insert(interaction).values(
                id=call_id, caller=number, caller_number=number, medium="voice", customer_id=customer_id,
                arrived_at=call.at, outcome=call.outcome or None, closed_at=call.at,
            )
        )  # fmt: skip
        if call.queue:
            visit = {"id": f"{call_id}/v", "interaction_id": call_id, "queue": call.queue, "entered_at": call.at}
            await connection.execute(insert(queue_visit).values(visit))
        if call.disposition:
            said = {"id": f"{call_id}/t", "interaction_id": call_id, "disposition": call.disposition}
            await connection.execute(insert(talk).values(**said, started_at=call.at, ended_at=call.at))
        if call.promised:
            wish = {"interaction_id": call_id, "number": number, "state": "promised"}
            await connection.execute(insert(callback).values(**wish, promised_at=call.at, changed_at=call.at))


def _micros(at: datetime) -> int:
    return round(at.timestamp() * 1e6)
