"""Promises to call back, for supervisors and admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from acd.events import CallbackCancelled
from acd.model import CallbackState, Stage
from acd.snapshot import InteractionView
from screenpop.db import callbacks
from screenpop.errors import NotFoundError
from screenpop.model import Value
from screenpop.routes.services import Services, SignedIn, WithServices, refuse_agents
from screenpop.text import storable

router = APIRouter(tags=["callbacks"])

LONGEST_REASON = 200


class Callback(Value):
    """A promise as it stands. `attempts`: calls begun; `not_before`: of the next, 0 for any time; `detail`: of the
    last call, or why it ended. Instants are microseconds UTC."""

    interaction_id: str
    queue: str
    number: str
    state: CallbackState
    attempts: int
    not_before: int
    promised_at: int
    changed_at: int
    detail: str


@router.get("/callbacks", summary="Promises that are open, oldest first; with all=true the last ones, newest first")
async def several(
    session: SignedIn,
    services: WithServices,
    all: bool = False,
    limit: Annotated[int, Query(ge=1, le=callbacks.MOST_LISTED)] = callbacks.MOST_LISTED,
) -> list[Callback]:
    refuse_agents(session)
    if all:
        async with services.store.read() as connection:
            return [Callback.model_validate(each) for each in await callbacks.newest(connection, limit)]
    return await _open(services, limit)


@router.delete("/callbacks/{interaction_id}", summary="Call nobody back; a call to them in progress is hung up")
async def cancel(
    interaction_id: str,
    session: SignedIn,
    services: WithServices,
    reason: Annotated[str, Query(max_length=LONGEST_REASON)] = "",
) -> Callback:
    refuse_agents(session)
    by, why = session.person.username, storable(reason)
    _promised(services, interaction_id)
    async with services.store.write() as connection:
        await callbacks.note_cancelled(connection, storable(interaction_id), by, why, services.desk.now())
    view = _promised(services, interaction_id)  # they may have answered while it was written
    services.desk.submit(CallbackCancelled(interaction_id, by, why))
    return _shown(view).model_copy(
        update={
            "state": CallbackState.CANCELLED,
            "not_before": 0,
            "changed_at": services.desk.now(),
            "detail": ": ".join(each for each in (by, why) if each),
        }
    )


async def _open(services: Services, limit: int) -> list[Callback]:
    """Which are open the engine knows; when and why they last changed stands in the records, a moment later."""
    board = services.desk.board().interactions
    views = sorted((each for each in board if each.callback_number), key=lambda each: (each.promised_at, each.id))[
        :limit
    ]
    async with services.store.read() as connection:
        written = {row["interaction_id"]: row for row in await callbacks.these(connection, [each.id for each in views])}
    return [
        _shown(each).model_copy(update={name: written[each.id][name] for name in ("changed_at", "detail")})
        if each.id in written
        else _shown(each)
        for each in views
    ]


def _shown(view: InteractionView) -> Callback:
    if view.on_line:
        state = CallbackState.ANSWERED
    else:
        state = CallbackState.CALLING if view.stage is Stage.OFFERED else CallbackState.PROMISED
    return Callback(
        interaction_id=view.id,
        queue=view.queue,
        number=view.callback_number,
        state=state,
        attempts=view.attempts,
        not_before=view.not_before,
        promised_at=view.promised_at,
        changed_at=view.promised_at,
        detail="",
    )


def _promised(services: Services, interaction_id: str) -> InteractionView:
    board = services.desk.board().interactions
    found = next((each for each in board if each.id == interaction_id and each.is_promised), None)
    if found is None:
        raise NotFoundError(
            f"interaction {interaction_id[:80]!r}: expected one that is to be called back, and has not answered"
        )
    return found
