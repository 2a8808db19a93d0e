"""Customers: looking for them and reading their records."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from screenpop.db import customers
from screenpop.errors import InvalidRequestError, NotFoundError
from screenpop.model import Customer
from screenpop.numbers import NumberPlan
from screenpop.routes.services import SignedIn, WithServices
from screenpop.text import storable

router = APIRouter(tags=["customers"])


@router.get("/customers", summary="Find by words (q) or by exact number; at most 20")
async def find(
    _session: SignedIn,
    services: WithServices,
    q: Annotated[str, Query(max_length=200)] = "",
    number: Annotated[str, Query(max_length=64)] = "",
) -> list[Customer]:
    q, number = storable(q), storable(number)
    async with services.store.read() as connection:
        if number:
            return list(await customers.by_number(connection, services.directory.plan.e164(number)))
        return list(await customers.search(connection, q, _number_in(q, services.directory.plan)))


@router.get("/customers/{customer_id}", summary="One record")
async def one(customer_id: str, _session: SignedIn, services: WithServices) -> Customer:
    async with services.store.read() as connection:
        found = await customers.by_id(connection, storable(customer_id))
    if found is None:
        raise NotFoundError(f"customer {customer_id[:80]!r}: expected one that exists")
    return found


def _number_in(words: str, plan: NumberPlan) -> str | None:
    try:
        return plan.e164(words)
    except InvalidRequestError:
        return None
