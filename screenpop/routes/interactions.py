"""What happened: lists of interactions, and one with all its parts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from screenpop.db import history
from screenpop.errors import NotFoundError
from screenpop.model import PastInteraction, Value
from screenpop.routes.services import SignedIn, WithServices
from screenpop.text import storable

router = APIRouter(tags=["interactions"])


class Visit(Value):
    """Instants are microseconds UTC. What is still open, or not yet written, is null."""

    id: str
    interaction_id: str | None
    queue: str | None
    priority: int | None
    first_asked_at: int | None
    entered_at: int | None
    position: int | None
    attributes: dict[str, str]
    outcome: str | None
    agent_id: str | None
    closed_at: int | None


class Offer(Value):
    id: str
    visit_id: str | None
    interaction_id: str | None
    agent_id: str | None
    queue: str | None
    outcome: str | None
    detail: str | None
    offered_at: int | None
    closed_at: int | None


class Talk(Value):
    id: str
    interaction_id: str | None
    agent_id: str | None
    queue: str | None
    started_at: int | None
    ended_at: int | None
    wrap_up_until: int | None
    ended_in_gap: bool | None
    disposition: str | None
    note: str | None
    wrap_up_started_at: int | None
    wrap_up_ended_at: int | None
    wrap_up_timed_out: bool | None


class Interaction(Value):
    id: str
    caller: str | None
    caller_number: str | None
    dialled: str | None
    flow: str | None
    medium: str | None
    arrived_at: int | None
    arrived_in_gap: bool | None
    customer_id: str | None
    customer_how: str | None
    outcome: str | None
    detail: str | None
    short: bool | None
    agent_id: str | None
    closed_at: int | None
    closed_in_gap: bool | None
    visits: list[Visit]
    offers: list[Offer]
    talks: list[Talk]


@router.get("/interactions", summary="The last ones, newest first; of one customer, or of everybody")
async def several(
    _session: SignedIn,
    services: WithServices,
    customer: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=history.MOST_LISTED)] = 20,
) -> list[PastInteraction]:
    async with services.store.read() as connection:
        if customer:
            return list(await history.of_customer(connection, storable(customer), limit=limit))
        return list(await history.latest(connection, limit=limit))


@router.get("/interactions/{interaction_id}", summary="One, with its visits, offers and talks")
async def one(interaction_id: str, _session: SignedIn, services: WithServices) -> Interaction:
    async with services.store.read() as connection:
        found = await history.one(connection, storable(interaction_id))
    if found is None:
        raise NotFoundError(f"interaction {interaction_id[:80]!r}: expected one that exists")
    return Interaction.model_validate(found)
