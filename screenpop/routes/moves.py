"""Temporary moves of agents between queues, for supervisors and admins."""

from __future__ import annotations

from typing import Self

from fastapi import APIRouter
from pydantic import Field

from screenpop.errors import NotFoundError
from screenpop.model import Value
from screenpop.moves import LONGEST_REASON, MOST_QUEUES, Moves, WantedMove
from screenpop.orders import Order
from screenpop.routes.services import Services, SignedIn, WithServices, refuse_agents
from screenpop.text import storable

router = APIRouter(tags=["moves"])

_LATEST = 2**62


class NewMove(Value):
    """`begins_at` 0: now; `ends_at` 0: until it is ended."""

    agent: str = Field(max_length=64)
    add: tuple[str, ...] = Field(default=(), max_length=MOST_QUEUES)
    remove: tuple[str, ...] = Field(default=(), max_length=MOST_QUEUES)
    begins_at: int = Field(default=0, ge=0, lt=_LATEST)
    ends_at: int = Field(ge=0, lt=_LATEST)
    reason: str = Field(default="", max_length=LONGEST_REASON)


class MoveOrder(Value):
    """A move as it was ordered. Instants are microseconds UTC; `ended_at` 0: not ended before its time."""

    id: int
    agent: str
    add: tuple[str, ...]
    remove: tuple[str, ...]
    begins_at: int
    ends_at: int
    given_by: str
    reason: str
    given_at: int
    ended_by: str
    ended_at: int

    @classmethod
    def of(cls, order: Order) -> Self:
        return cls(
            id=order.id,
            agent=order.target,
            add=tuple(order.detail.get("add") or ()),
            remove=tuple(order.detail.get("remove") or ()),
            begins_at=order.begins_at,
            ends_at=order.ends_at,
            given_by=order.given_by,
            reason=order.reason,
            given_at=order.given_at,
            ended_by=order.ended_by,
            ended_at=order.ended_at,
        )


@router.post("/moves", status_code=201, summary="Move an agent to and from queues for a while")
async def give(wanted: NewMove, session: SignedIn, services: WithServices) -> MoveOrder:
    moves = _allowed(session, services)
    move = WantedMove(
        storable(wanted.agent), wanted.add, wanted.remove, wanted.begins_at, wanted.ends_at, wanted.reason
    )
    return MoveOrder.of(await moves.give(move, session.person.username))


@router.get("/moves", summary="Moves that hold or are to come; with all=true the last ones, newest first")
async def several(session: SignedIn, services: WithServices, all: bool = False) -> list[MoveOrder]:
    moves = _allowed(session, services)
    return [MoveOrder.of(each) for each in await (moves.newest() if all else moves.open())]


@router.delete("/moves/{order_id}", summary="End a move now")
async def end(order_id: int, session: SignedIn, services: WithServices) -> MoveOrder:
    moves = _allowed(session, services)
    if not 0 < order_id < _LATEST:
        raise NotFoundError(f"{order_id}: expected the number of an order, there is none")
    return MoveOrder.of(await moves.end(order_id, session.person.username))


def _allowed(session: SignedIn, services: Services) -> Moves:
    refuse_agents(session)
    if services.moves is None:
        raise NotFoundError("This server heeds no orders.")
    return services.moves
