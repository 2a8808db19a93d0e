"""Whether the server is well; asked by machines, without signing in."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from fastapi import APIRouter, Response

from screenpop.db.availability import trouble_of
from screenpop.routes.services import Services, WithServices

log = structlog.get_logger(__name__)
router = APIRouter(tags=["health"])

#: Why calls are not routed, as the routing side's own words, and ours.
DATABASE = "database"

# Anybody may ask: one question to the database at a time answers all who ask meanwhile.
_asking: dict[int, asyncio.Task[bool]] = {}


@router.get("/health", summary="live, ready, why not; 503 when not ready")
async def health(response: Response, services: WithServices) -> dict[str, Any]:
    state = services.desk.health()
    why_not = [str(word) for word in _list(state.get("why_not"))]
    if not await database_answers(services):
        why_not.append(DATABASE)
    ready = bool(state.get("ready")) and not why_not
    if not ready:
        response.status_code = 503
    return {**state, "live": True, "ready": ready, "why_not": why_not, "desktops": services.live.connected}


@router.get("/health/live", summary="that the server's loop turns; asks nothing else")
async def live() -> dict[str, bool]:
    return {"live": True}


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


async def database_answers(services: Services) -> bool:
    """Whether it does within two seconds."""
    key = id(services.store)
    task = _asking.get(key)
    if task is None:
        task = _asking[key] = asyncio.create_task(_ask(services))
        task.add_done_callback(lambda _done: _asking.pop(key, None))
    return await asyncio.shield(task)


async def _ask(services: Services) -> bool:
    why = await trouble_of(services.store)
    if why:
        log.warning("database does not answer", why=why)
    return not why
