"""The emergency switch, for supervisors and admins."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from screenpop.emergencies import LONGEST_REASON, LONGEST_TEXT, Emergencies, Kind, Wanted
from screenpop.errors import NotFoundError
from screenpop.messages import Emergency
from screenpop.model import Value
from screenpop.routes.services import Services, SignedIn, WithServices, refuse_agents

router = APIRouter(tags=["emergencies"])

_LATEST = 2**62


class NewEmergency(Value):
    """`targets`: queues or numbers; for a notice none means all numbers. `begins_at` 0: now; `ends_at` 0: until it is
    ended."""

    kind: Kind
    targets: tuple[str, ...] = Field(default=(), max_length=100)
    texts: dict[str, str] = Field(default_factory=dict, max_length=50)
    keep_waiting: bool = False
    begins_at: int = Field(default=0, ge=0, lt=_LATEST)
    ends_at: int = Field(ge=0, lt=_LATEST)
    reason: str = Field(default="", max_length=LONGEST_REASON)


@router.post("/emergencies", status_code=201, summary="Close a queue or a number, or play a notice, now")
async def give(wanted: NewEmergency, session: SignedIn, services: WithServices) -> list[Emergency]:
    emergencies = _allowed(session, services)
    order = Wanted(
        wanted.kind,
        wanted.targets,
        {language[:16]: text[: LONGEST_TEXT + 1] for language, text in wanted.texts.items()},
        wanted.keep_waiting,
        wanted.begins_at,
        wanted.ends_at,
        wanted.reason,
    )
    return [Emergency.of(each) for each in await emergencies.give(order, session.person.username)]


@router.get("/emergencies", summary="What is in force or to come; with all=true what was ordered last")
async def listed(session: SignedIn, services: WithServices, all: bool = False) -> list[Emergency]:
    emergencies = _allowed(session, services)
    return [Emergency.of(each) for each in await (emergencies.newest() if all else emergencies.open())]


@router.delete("/emergencies/{order_id}", summary="End one now")
async def end(order_id: int, session: SignedIn, services: WithServices) -> Emergency:
    emergencies = _allowed(session, services)
    if not 0 < order_id < _LATEST:
        raise NotFoundError(f"{order_id}: expected the number of an order, there is none")
    return Emergency.of(await emergencies.end(order_id, session.person.username))


def _allowed(session: SignedIn, services: Services) -> Emergencies:
    refuse_agents(session)
    if services.emergencies is None:
        raise NotFoundError("This server heeds no emergency orders.")
    return services.emergencies
