"""What callers thought of it, for supervisors."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from screenpop.db import surveys
from screenpop.model import Value
from screenpop.routes.services import SignedIn, WithServices, refuse_agents

router = APIRouter(tags=["surveys"])

_WEEK_US = 7 * 24 * 3600 * 1_000_000


class QuestionTotals(Value):
    """Answers to one question by callers of one queue (empty: no agent had served them). `values`: key → how often."""

    survey: str
    question: str
    queue: str
    answers: int
    mean: float
    values: dict[str, int]


@router.get("/surveys", summary="Answers by survey, question and queue; of the last week, or since an instant")
async def totals(
    session: SignedIn,
    services: WithServices,
    since: Annotated[int | None, Query(ge=0, lt=2**62)] = None,
    until: Annotated[int | None, Query(ge=0, lt=2**62)] = None,
) -> list[QuestionTotals]:
    refuse_agents(session)
    now = services.desk.now()
    async with services.store.read() as connection:
        found = await surveys.tally(
            connection,
            since=now - _WEEK_US if since is None else since,
            until=now + 1 if until is None else until,
        )
    return [
        QuestionTotals(
            survey=each.survey,
            question=each.question,
            queue=each.queue,
            answers=each.answers,
            mean=round(each.mean, 3),
            values=each.values,
        )
        for each in found
    ]
