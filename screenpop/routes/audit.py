"""Who did what, and when; for admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from screenpop.audit import MOST_ROWS
from screenpop.model import Value
from screenpop.routes.services import SignedIn, WithServices, refuse_all_but_admins

router = APIRouter(tags=["audit"])

_LATEST = 2**62


class AuditRow(Value):
    """`at`: microseconds UTC; `subject`: what it was done to; `detail` differs from action to action."""

    id: int
    at: int
    actor: str
    action: str
    subject: str
    detail: dict[str, object]


@router.get("/audit")
async def rows(
    session: SignedIn,
    services: WithServices,
    before: Annotated[int, Query(ge=0, lt=_LATEST, description="only rows before this id; 0: from the newest")] = 0,
    actor: Annotated[str, Query(max_length=200, description="only what this one did")] = "",
    action: Annotated[str, Query(max_length=64, description="only actions that begin so")] = "",
    most: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
) -> list[AuditRow]:
    """Newest first."""
    refuse_all_but_admins(session)
    found = await services.audit.read(before=before, actor=actor, action=action, most=most)
    return [
        AuditRow(
            id=each.id,
            at=each.at,
            actor=each.actor,
            action=each.action,
            subject=each.subject,
            detail=dict(each.detail),
        )
        for each in found
    ]
