"""Signing in and out, and one's own presence."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import Field

from acd.model import Presence
from screenpop.auth import COOKIE, Session
from screenpop.errors import ForbiddenError
from screenpop.model import Role, Value
from screenpop.routes.services import Services, SignedIn, WithServices

router = APIRouter(tags=["session"])


class Credentials(Value):
    username: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=1000)


class WhoAmI(Value):
    id: str
    name: str
    roles: tuple[Role, ...]
    extension: str


class OwnPresence(Value):
    presence: Presence
    reason: str = Field(default="", max_length=64)


@router.post("/session", summary="Sign in")
async def sign_in(wanted: Credentials, request: Request, response: Response, services: WithServices) -> WhoAmI:
    address = request.client.host if request.client else ""
    token, opened = await services.sessions.sign_in(wanted.username, wanted.password, address)
    response.set_cookie(
        COOKIE,
        token,
        max_age=services.sessions.length_s,
        httponly=True,
        samesite="lax",
        secure=services.settings.secure_cookie,
        path="/",
    )
    return _who(opened)


@router.get("/session", summary="Who am I?")
async def who_am_i(session: SignedIn) -> WhoAmI:
    return _who(session)


@router.delete("/session", status_code=204, summary="Sign out; presence becomes logged out")
async def sign_out(session: SignedIn, response: Response, services: WithServices) -> None:
    if Role.AGENT in session.person.roles:
        services.wishes.choose_presence(session.person, Presence.LOGGED_OUT, "")
    await services.sessions.sign_out(session)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=services.settings.secure_cookie)


@router.get("/me/presence", summary="My presence")
async def presence(session: SignedIn, services: WithServices) -> OwnPresence:
    return _presence(session, services)


@router.put("/me/presence", summary="Choose my presence")
async def choose_presence(wanted: OwnPresence, session: SignedIn, services: WithServices) -> OwnPresence:
    services.wishes.choose_presence(session.person, wanted.presence, wanted.reason)
    return _presence(session, services)


def _presence(session: Session, services: Services) -> OwnPresence:
    for agent in services.desk.board().agents:
        if agent.id == session.person.username:
            return OwnPresence(presence=agent.presence, reason=agent.presence_reason)
    raise ForbiddenError(f"{session.person.username} has no presence: expected somebody who serves queues")


def _who(session: Session) -> WhoAmI:
    person = session.person
    return WhoAmI(id=person.username, name=person.name, roles=person.roles, extension=person.extension)
