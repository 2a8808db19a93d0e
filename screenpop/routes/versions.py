"""Published versions of the site's files: listed, compared, made live; for supervisors to see, for admins to do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import insert

from screenpop.db.tables import audit
from screenpop.errors import ForbiddenError, NotFoundError, UnpublishableError
from screenpop.model import Role, Value
from screenpop.ports import PublishAnswer, Publishing
from screenpop.routes.services import Services, SignedIn, WithServices, refuse_agents
from screenpop.text import storable

router = APIRouter(tags=["flows"])

MOST_NUMBER = 2**31


class VersionRow(Value):
    """A version. `calls`: callers in progress who began on its files."""

    number: int
    hash: str
    published_at: int
    by: str
    note: str
    is_live: bool
    calls: int


class Difference(Value):
    """As `diff -u` tells it; empty where nothing differs."""

    diff: str


class PublishWish(Value):
    note: str = Field("", max_length=500)


class RollBackWish(Value):
    """`number` 0: the version before."""

    number: int = Field(0, ge=0, lt=MOST_NUMBER)
    note: str = Field("", max_length=500)


class MadeLive(Value):
    """What is live now; not `is_new` where it was before."""

    number: int
    is_new: bool


@router.get("/flows/versions")
async def versions(session: SignedIn, services: WithServices) -> list[VersionRow]:
    """Newest first."""
    refuse_agents(session)
    return [
        VersionRow(
            number=each.number,
            hash=each.hash,
            published_at=each.published_at,
            by=each.by,
            note=each.note,
            is_live=each.is_live,
            calls=each.calls,
        )
        for each in _publishing(services).versions()
    ]


@router.get("/flows/versions/{number}/diff")
async def diff(
    number: int,
    session: SignedIn,
    services: WithServices,
    against: Annotated[int, Query(ge=0, lt=MOST_NUMBER, description="0: the working files")] = 0,
) -> Difference:
    """From `against` to `number`; from `number` to the working files."""
    refuse_agents(session)
    press = _publishing(services)
    found = await (press.diff(against, number) if against else press.diff(number, 0))
    if found is None:
        raise NotFoundError(f"version {number} or {against}: expected two that are kept")
    return Difference(diff=found)


@router.post("/flows/publish")
async def publish(wish: PublishWish, session: SignedIn, services: WithServices) -> MadeLive:
    """Check, render and make live the working files."""
    by = _admin(session)
    answer = await _publishing(services).publish(by, wish.note)
    return await _made_live(services, by, "flow_published", answer)


@router.post("/flows/rollback")
async def roll_back(wish: RollBackWish, session: SignedIn, services: WithServices) -> MadeLive:
    """Make an earlier version live again."""
    by = _admin(session)
    answer = await _publishing(services).roll_back(by, wish.number, wish.note)
    return await _made_live(services, by, "flow_rolled_back", answer)


def _admin(session: SignedIn) -> str:
    if Role.ADMIN not in session.person.roles:
        raise ForbiddenError(f"{session.person.username}: expected an admin")
    return session.person.username


def _publishing(services: Services) -> Publishing:
    if services.publishing is None:
        raise NotFoundError("nothing is published here")
    return services.publishing


async def _made_live(services: Services, by: str, action: str, answer: PublishAnswer) -> MadeLive:
    if answer.problems:
        raise UnpublishableError("\n".join(answer.problems[:100]))
    if answer.is_new:
        row = insert(audit).values(
            at=services.desk.now(), actor=storable(by), action=action, subject=str(answer.number), detail={}
        )
        async with services.store.write() as connection:
            await connection.execute(row)
    return MadeLive(number=answer.number, is_new=answer.is_new)
