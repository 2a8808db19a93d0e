"""Figures for programs that watch: from this machine, or with the token that the settings name."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from screenpop.errors import ForbiddenError
from screenpop.routes.health import database_answers
from screenpop.routes.services import WithServices

router = APIRouter(tags=["health"])

#: Whoever comes through a proxy comes from elsewhere, whatever address the proxy has.
_PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@router.get("/metrics", summary="figures in Prometheus' text form", response_class=Response)
async def metrics(request: Request, services: WithServices) -> Response:
    exposition = services.exposition
    if exposition is None:
        raise HTTPException(404, "this server tells no figures")
    if not (_is_local(request) or _knows(request, exposition.token)):
        raise ForbiddenError("figures are told on this machine only, or to whoever sends the token of the settings")
    text = exposition.text(database_up=await database_answers(services), desktops=services.live.connected)
    return Response(text, media_type=exposition.content_type)


def _is_local(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _PROXIED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _knows(request: Request, token: str) -> bool:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    return bool(token) and kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
