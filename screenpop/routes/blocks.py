"""Blocked callers, for supervisors and admins."""

from __future__ import annotations

from typing import Self

from fastapi import APIRouter
from pydantic import Field

from screenpop.blocks import LONGEST_REASON, Blocks
from screenpop.errors import NotFoundError
from screenpop.model import Value
from screenpop.orders import Order
from screenpop.routes.services import Services, SignedIn, WithServices, refuse_agents
from screenpop.text import storable

router = APIRouter(tags=["blocks"])

_LATEST = 2**62


class NewBlock(Value):
    """`ends_at` 0: until it is ended."""

    number: str = Field(max_length=64)
    ends_at: int = Field(ge=0, lt=_LATEST)
    reason: str = Field(default="", max_length=LONGEST_REASON)


class Block(Value):
    """A blocked number or prefix. Instants are microseconds UTC; `ended_at` 0: not ended before its time."""

    id: int
    number: str
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
            number=order.target,
            ends_at=order.ends_at,
            given_by=order.given_by,
            reason=order.reason,
            given_at=order.given_at,
            ended_by=order.ended_by,
            ended_at=order.ended_at,
        )


@router.post("/blocks", status_code=201, summary="Refuse calls of a number or a prefix")
async def give(wanted: NewBlock, session: SignedIn, services: WithServices) -> Block:
    blocks = _allowed(session, services)
    number, reason = storable(wanted.number), storable(wanted.reason)
    return Block.of(await blocks.block(number, wanted.ends_at, reason, session.person.username))


@router.get("/blocks", summary="Who is blocked; with all=true the last ones, newest first")
async def several(session: SignedIn, services: WithServices, all: bool = False) -> list[Block]:
    blocks = _allowed(session, services)
    return [Block.of(each) for each in await (blocks.newest() if all else blocks.open())]


@router.delete("/blocks/{order_id}", summary="Let a caller in again")
async def end(order_id: int, session: SignedIn, services: WithServices) -> Block:
    blocks = _allowed(session, services)
    if not 0 < order_id < _LATEST:
        raise NotFoundError(f"{order_id}: expected the number of an order, there is none")
    return Block.of(await blocks.end(order_id, session.person.username))


def _allowed(session: SignedIn, services: Services) -> Blocks:
    refuse_agents(session)
    if services.blocks is None:
        raise NotFoundError("This server heeds no orders.")
    return services.blocks
