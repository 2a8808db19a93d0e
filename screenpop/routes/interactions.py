"""What happened: lists of interactions, and one with all its parts."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query

from acd.why import Why, tell
from screenpop.db import history
from screenpop.errors import BusyError, NotFoundError
from screenpop.model import PastInteraction, Value
from screenpop.routes.services import SignedIn, WithServices, refuse_agents
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
    expected_wait_us: int | None = None
    expected_most_us: int | None = None
    regained: str | None = None
    callback_number: str | None = None
    cause: str | None = None


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


class Recording(Value):
    """`consent`: yes, no or notice. `file` is empty where nothing is recorded: for the consent, or for `trouble`."""

    id: str
    interaction_id: str | None
    consent: str | None
    file: str | None
    trouble: str | None
    queue: str | None
    agent_id: str | None
    started_at: int | None
    ended_at: int | None
    detail: str | None


class Answer(Value):
    """To a question of a survey. `queue` and `agent_id`: who had served last before it."""

    id: str
    interaction_id: str | None
    survey: str | None
    question: str | None
    value: str | None
    queue: str | None
    agent_id: str | None
    answered_at: int | None


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
    recordings: list[Recording]
    answers: list[Answer]


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


@router.get("/interactions/{interaction_id}", summary="One, with its visits, offers, talks, recordings and answers")
async def one(interaction_id: str, _session: SignedIn, services: WithServices) -> Interaction:
    async with services.store.read() as connection:
        found = await history.one(connection, storable(interaction_id))
    if found is None:
        raise NotFoundError(f"interaction {interaction_id[:80]!r}: expected one that exists")
    return Interaction.model_validate(found)


class Candidate(Value):
    """An agent in the answer. `obstacles`: kinds, in words in `told`. `key`: of who could, as in an offer's reason."""

    agent_id: str
    name: str
    chosen: bool
    could: bool
    key: tuple[tuple[str, int | str], ...]
    obstacles: tuple[str, ...]
    told: str


class Explanation(Value):
    """`told`: the whole answer in lines. `offer_id`, `agent_id`, `rule` are empty for who waits."""

    interaction_id: str
    queue: str
    at: int
    offer_id: str
    agent_id: str
    rule: str
    agents: tuple[Candidate, ...]
    told: tuple[str, ...]


@router.get(
    "/interactions/{interaction_id}/why",
    summary="Why its last offer (or number `offer`) went where it went, or why it waits; for supervisors",
)
async def why(
    interaction_id: str,
    session: SignedIn,
    services: WithServices,
    offer: Annotated[int | None, Query(ge=1, le=9999)] = None,
) -> Explanation:
    refuse_agents(session)
    wanted = storable(interaction_id) + (f"/{offer}" if offer is not None else "")
    try:
        found = await services.inquiry.why(wanted) if services.inquiry is not None else None
    except TimeoutError:
        raise BusyError("The journal is being read for others, or it takes too long; ask again.") from None
    if found is None:
        raise NotFoundError(f"{wanted[:80]!r}: expected an offer or a wait that the journal still holds")
    return _explanation(found)


def _explanation(found: Why) -> Explanation:
    told = tell(found)
    agents = tuple(
        Candidate(
            agent_id=each.agent_id,
            name=each.name,
            chosen=each.is_chosen,
            could=each.could,
            key=each.key,
            obstacles=tuple(_kind(obstacle) for obstacle in each.obstacles),
            told=line,
        )
        for each, line in zip(found.agents, told[len(told) - len(found.agents) :], strict=True)
    )
    return Explanation(
        interaction_id=found.interaction_id,
        queue=found.queue,
        at=found.at,
        offer_id=found.offer_id,
        agent_id=found.agent_id,
        rule=found.rule,
        agents=agents,
        told=tuple(told),
    )


def _kind(obstacle: object) -> str:
    """`SkillMissing` → `skill_missing`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(obstacle).__name__).lower()
