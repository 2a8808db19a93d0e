"""What every route works with, and how it learns who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from screenpop.audit import AuditLog
from screenpop.auth import COOKIE, Session, Sessions
from screenpop.blocks import Blocks
from screenpop.customers import CustomerDirectory
from screenpop.db.store import Store
from screenpop.emergencies import Emergencies
from screenpop.errors import ForbiddenError
from screenpop.live import Live
from screenpop.model import Role
from screenpop.moves import Moves
from screenpop.ports import Desk, Exposition, Flows, Inquiry, Publishing, Standing
from screenpop.settings import WebSettings
from screenpop.wishes import Wishes


@dataclass(frozen=True, slots=True)
class Services:
    desk: Desk
    directory: CustomerDirectory
    live: Live
    wishes: Wishes
    sessions: Sessions
    store: Store
    settings: WebSettings
    audit: AuditLog
    inquiry: Inquiry | None
    emergencies: Emergencies | None = None
    moves: Moves | None = None
    blocks: Blocks | None = None
    flows: Flows | None = None
    footfall: Standing | None = None
    publishing: Publishing | None = None
    exposition: Exposition | None = None


def services_of(connection: HTTPConnection) -> Services:
    services: Services = connection.app.state.services
    return services


async def session_of(connection: HTTPConnection) -> Session:
    """Who asks. Raises NotSignedInError."""
    return await services_of(connection).sessions.find(connection.cookies.get(COOKIE, ""))


def refuse_agents(session: Session) -> None:
    """Raises ForbiddenError for whoever is neither supervisor nor admin."""
    if not session.person.sees_everything:
        raise ForbiddenError(f"{session.person.username}: expected a supervisor or an admin")


def refuse_all_but_admins(session: Session) -> None:
    """Raises ForbiddenError."""
    if Role.ADMIN not in session.person.roles:
        raise ForbiddenError(f"{session.person.username}: expected an admin")


WithServices = Annotated[Services, Depends(services_of)]
SignedIn = Annotated[Session, Depends(session_of)]
