"""The WebSocket of a desktop."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from fastapi import APIRouter, WebSocket
from sqlalchemy.exc import SQLAlchemyError
from starlette.websockets import WebSocketDisconnect

from screenpop.errors import NotSignedInError
from screenpop.routes.borders import is_own_origin
from screenpop.routes.services import services_of, session_of
from screenpop.streams import Tab
from screenpop.wishes import Wishes

log = structlog.get_logger(__name__)
router = APIRouter()

#: Close codes: 4401 sign in (again), 4408 too slow, 4429 too many messages, 1012 the server restarts.
_CODES = {"slow_reader": 4408, "too_many_messages": 4429, "server_stops": 1012, "gone": 1000}
_SIGN_IN = 4401
_MOST_A_SECOND = 50
_CLOSING_S = 1.0


@router.websocket("/desk")
async def desk(websocket: WebSocket, stream: str = "", after: int = 0) -> None:
    """One desktop, from its first message to its last."""
    services = services_of(websocket)
    if not is_own_origin(websocket, services.settings, required=True):
        log.warning("desktop of another site refused", origin=websocket.headers.get("origin", "")[:200])
        await websocket.close(1008)
        return
    try:
        session = await session_of(websocket)
    except NotSignedInError:
        await websocket.accept()
        await websocket.close(_SIGN_IN, "not_signed_in")
        return
    except (SQLAlchemyError, OSError):
        await websocket.close(1013)
        return
    await websocket.accept()
    tab = services.live.join(session, websocket.send_text, stream=stream[:64], after=after)
    reading = asyncio.create_task(_read(websocket, services.wishes, tab))
    ends: tuple[asyncio.Future[Any], ...] = (reading, tab.over)
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        why = tab.over.result() if tab.over.done() else "gone"
        services.live.leave(tab)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await tab.finish()
        await _close(websocket, why)


async def _read(websocket: WebSocket, wishes: Wishes, tab: Tab) -> None:
    loop = asyncio.get_running_loop()
    second, count = loop.time(), 0
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if loop.time() - second >= 1:
            second, count = loop.time(), 0
        count += 1
        if count > _MOST_A_SECOND:
            tab.drop("too_many_messages")
            return
        wishes.hear(tab, message.get("text") or "")


async def _close(websocket: WebSocket, why: str) -> None:
    code = _SIGN_IN if why.startswith("signed_out") else _CODES.get(why, 1000)
    try:
        async with asyncio.timeout(_CLOSING_S):
            await websocket.close(code, why)
    except (WebSocketDisconnect, RuntimeError, OSError, TimeoutError):
        return
