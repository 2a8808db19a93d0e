"""Published versions of the site's files: listed, compared, made live; for supervisors to see, for admins to do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from screenpop.errors import NotFoundError, UnpublishableError
from screenpop.model import Value
from screenpop.ports import PublishAnswer, Publishing
from screenpop.routes.services import Services, SignedIn, WithServices, refuse_agents, refuse_all_but_admins
from screenpop.text import storable

router = APIRouter(tags=["flows"])

MOST_NUMBER = 2**31
#: More are not told at once.
MOST_PROBLEMS = 100


class VersionRow(Value):
    """A version. `calls`: callers in progress who began on its files; `of`: the version whose files these are, or 0."""

    number: int
    hash: str
    published_at: int
    by: str
    note: str
    of: int
    is_live: bool
    calls: int


class FlowDifference(Value):
    """A flow whose graph in words differs; `what`: `added`, `removed` or `changed`."""

    flow: str
    what: str
    diff: str


class Difference(Value):
    """As `diff -u` tells it; empty where nothing differs. `problems`: why flows cannot be compared."""

    diff: str
    flows: list[FlowDifference]
    problems: list[str]


class Checked(Value):
    """`problems` and `hints`: `file:line:column: message`; `is_live`: the working files are those that are live."""

    problems: list[str]
    hints: list[str]
    is_live: bool


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
            of=each.of,
            is_live=each.is_live,
            calls=each.calls,
        )
        for each in await _publishing(services).versions()
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
    return Difference(
        diff=found.diff,
        flows=[FlowDifference(flow=each.flow, what=each.what, diff=each.diff) for each in found.flows],
        problems=list(found.problems[:MOST_PROBLEMS]),
    )


@router.post("/flows/check")
async def check(session: SignedIn, services: WithServices) -> Checked:
    """Hold the working files against everything but the voice; changes nothing."""
    _admin(session)
    found = await _publishing(services).check()
    problems, hints = found.problems[:MOST_PROBLEMS], found.hints[:MOST_PROBLEMS]
    return Checked(problems=list(problems), hints=list(hints), is_live=found.is_live)


@router.post("/flows/publish")
async def publish(wish: PublishWish, session: SignedIn, services: WithServices) -> MadeLive:
    """Check, render and make live the working files."""
    return _made_live(await _publishing(services).publish(_admin(session), storable(wish.note)))


@router.post("/flows/rollback")
async def roll_back(wish: RollBackWish, session: SignedIn, services: WithServices) -> MadeLive:
    """Make an earlier version live again."""
    return _made_live(await _publishing(services).roll_back(_admin(session), wish.number, storable(wish.note)))


def _admin(session: SignedIn) -> str:
    refuse_all_but_admins(session)
    return session.person.username


def _publishing(services: Services) -> Publishing:
    if services.publishing is None:
        raise NotFoundError("nothing is published here")
    return services.publishing


def _made_live(answer: PublishAnswer) -> MadeLive:
    if answer.problems:
        raise UnpublishableError("\n".join(answer.problems[:MOST_PROBLEMS]))
    return MadeLive(number=answer.number, is_new=answer.is_new)
