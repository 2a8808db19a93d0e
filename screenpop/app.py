"""The web side put together: REST, the WebSocket and the page in one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, FastAPI, Request

from screenpop.audit import AuditLog
from screenpop.auth import Sessions
from screenpop.blocks import Blocks
from screenpop.customers import CustomerDirectory
from screenpop.db.store import Store
from screenpop.emergencies import Emergencies
from screenpop.live import Live
from screenpop.moves import Moves
from screenpop.people import People
from screenpop.ports import Desk, Exposition, Flows, Inquiry, Publishing, Standing
from screenpop.routes import audit as audit_routes
from screenpop.routes import blocks as blocks_routes
from screenpop.routes import (
    callbacks,
    customers,
    desktop,
    emergencies,
    floor,
    health,
    interactions,
    messages,
    metrics,
    session,
    statuses,
    surveys,
    versions,
)
from screenpop.routes import flows as flows_routes
from screenpop.routes import moves as moves_routes
from screenpop.routes.borders import Borders
from screenpop.routes.page import Page
from screenpop.routes.refusals import METHODS, REFUSALS, refusal
from screenpop.routes.services import Services
from screenpop.settings import WebSettings
from screenpop.wishes import Wishes


def create_app(
    desk: Desk,
    directory: CustomerDirectory,
    live: Live,
    store: Store,
    settings: WebSettings,
    people: People | None = None,
    inquiry: Inquiry | None = None,
    switch: Emergencies | None = None,
    moves: Moves | None = None,
    blocks: Blocks | None = None,
    flows: Flows | None = None,
    footfall: Standing | None = None,
    publishing: Publishing | None = None,
    exposition: Exposition | None = None,
) -> FastAPI:
    """The application. It opens `live` when it starts and closes it when it ends; the rest is its caller's.

    Without `inquiry` nobody can ask why, without `switch` nobody can give emergency orders, without `moves`
    nobody can move agents, without `flows` nobody sees them, without `publishing` nobody publishes over the web,
    without `exposition` nobody is told figures.
    """
    sessions = Sessions(store, people or People(store), desk.now, hours=settings.session_hours)

    wishes = Wishes(desk, live, directory)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with live.open(desk, sessions):
            yield

    app = FastAPI(
        title="Callyard",
        version=own_version(),
        openapi_url="/api/openapi.json",
        docs_url=None,  # these pages load scripts from elsewhere, which the content policy forbids
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.services = Services(
        desk,
        directory,
        live,
        wishes,
        sessions,
        store,
        settings,
        AuditLog(store, desk.now),
        inquiry,
        switch,
        moves,
        blocks,
        flows,
        footfall,
        publishing,
        exposition,
    )
    app.add_middleware(Borders, settings=settings)
    statuses.install(app)
    app.include_router(_api(), prefix="/api", responses=REFUSALS)
    app.mount("/", Page(settings.web_files), name="page")
    return app


def _api() -> APIRouter:
    api = APIRouter()
    for part in (
        session,
        customers,
        interactions,
        floor,
        versions,
        flows_routes,
        emergencies,
        moves_routes,
        blocks_routes,
        callbacks,
        messages,
        surveys,
        audit_routes,
        health,
        metrics,
        desktop,
    ):
        api.include_router(part.router)

    @api.api_route("/{rest:path}", methods=list(METHODS), include_in_schema=False)
    async def nothing(request: Request, rest: str) -> None:
        raise refusal(request, f"there is nothing at /api/{rest[:80]}")

    return api


def own_version() -> str:
    """Of the package that is installed; 0 in a tree that is not."""
    try:
        return version("callyard")
    except PackageNotFoundError:
        return "0"
