"""What is now: totals of queues and states of agents."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from screenpop.calibration import QueueWaits, calibrate
from screenpop.db.waits import answered_waits
from screenpop.messages import AgentNow, QueueTotals
from screenpop.routes.services import SignedIn, WithServices, refuse_agents

router = APIRouter(tags=["floor"])

HOUR_US = 3_600_000_000


class AgentOnFloor(AgentNow):
    id: str
    name: str
    queues: tuple[str, ...]


@router.get("/queues", summary="Live totals: my queues; all of them for supervisors")
async def queues(session: SignedIn, services: WithServices) -> tuple[QueueTotals, ...]:
    return services.live.totals_now(session.person)


@router.get("/agents", summary="Live states: those who share a queue with me; everybody for supervisors")
async def agents(session: SignedIn, services: WithServices) -> list[AgentOnFloor]:
    person = session.person
    mine = set(person.queues)
    return [
        AgentOnFloor(id=view.id, name=view.name, queues=view.queues, **AgentNow.of(view).model_dump())
        for view in services.desk.board().agents
        if person.sees_everything or view.id == person.username or mine.intersection(view.queues)
    ]


@router.get("/waits", summary="Expected waits against real ones, per queue, of the last hours; for supervisors")
async def waits(
    session: SignedIn, services: WithServices, hours: Annotated[int, Query(ge=1, le=8_760)] = 168
) -> tuple[QueueWaits, ...]:
    refuse_agents(session)
    async with services.store.read() as connection:
        return calibrate(await answered_waits(connection, services.desk.now() - hours * HOUR_US))
