"""What is now: totals of queues and states of agents."""

from __future__ import annotations

from fastapi import APIRouter

from screenpop.messages import AgentNow, QueueTotals
from screenpop.routes.services import SignedIn, WithServices

router = APIRouter(tags=["floor"])


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
