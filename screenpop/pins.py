"""PINs by which customers prove who they are: kept as argon2id only, checked a few times at most.

How often somebody was wrong is counted in memory, so a restart of the server forgets it. Whether there is such a
customer makes no difference to the work that a try takes.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from screenpop.db.store import Store
from screenpop.db.tables import audit, customer, customer_pin
from screenpop.errors import InvalidRequestError, NotFoundError
from screenpop.text import storable

log = structlog.get_logger(__name__)

#: What a PIN is, in words.
PIN_RULE = "4 to 16 digits"
_PIN = re.compile(r"[0-9]{4,16}", re.ASCII)
_HOUR_US = 3_600_000_000
_MOST_KEYS = 10_000
#: How long a try may wait for those before it.
_LONGEST_S = 5.0


def is_pin(text: str) -> bool:
    return _PIN.fullmatch(text) is not None


def pin_hasher() -> PasswordHasher:
    """About 20 ms and 19 MiB for each: a caller waits for it, and imports have many."""
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@dataclass(frozen=True, slots=True)
class PinLimits:
    """How many wrong tries there may be."""

    per_call: int = 3
    per_hour: int = 5


class WrongTries:
    """Wrong tries of the last hour by key; of the keys that were not used for longest the oldest are forgotten."""

    def __init__(self, now: Callable[[], int], *, keys: int = _MOST_KEYS) -> None:
        self._now = now
        self._keys = keys
        self._tries: OrderedDict[str, deque[int]] = OrderedDict()

    def are_used_up(self, key: str, most: int) -> bool:
        """Whether there were `most` of them."""
        tries = self._tries.get(key)
        while tries and tries[0] <= self._now() - _HOUR_US:
            tries.popleft()
        return len(tries or ()) >= most

    def add(self, key: str) -> None:
        self._tries.setdefault(key, deque()).append(self._now())
        self._tries.move_to_end(key)
        while len(self._tries) > self._keys:
            self._tries.popitem(last=False)

    def take_back(self, key: str) -> None:
        """The last one was right after all."""
        if tries := self._tries.get(key):
            tries.pop()


class Pins:
    """Holds tries against hashes, and counts the wrong ones. `now`: microseconds UTC."""

    def __init__(
        self,
        now: Callable[[], int],
        limits: Callable[[], PinLimits] = PinLimits,
        *,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._limits = limits
        self._hasher = hasher or pin_hasher()
        self._calls = WrongTries(now)
        self._customers = WrongTries(now)
        self._nobody = self._hasher.hash("0000")
        self._hashing = asyncio.Semaphore(2)

    def is_blocked(self, interaction_id: str, whose: str) -> bool:
        """Whether this call, or anybody for this customer, was wrong too often."""
        limits = self._limits()
        return self._calls.are_used_up(interaction_id, limits.per_call) or self._customers.are_used_up(
            whose, limits.per_hour
        )

    async def fits(self, interaction_id: str, whose: str, known: str | None, pin: str) -> bool:
        """Whether the PIN is that of `known`, a hash; None: nobody's. It counts as wrong until it is seen to be right,
        so that many tries at once are as many as one after the other. Raises TimeoutError when too many wait."""
        self._calls.add(interaction_id)
        self._customers.add(whose)
        async with asyncio.timeout(_LONGEST_S), self._hashing:
            is_right = await asyncio.to_thread(self._verify, known or self._nobody, pin)
        if known is None or not is_right:
            log.info("pin.wrong", interaction_id=interaction_id)
            return False
        self._calls.take_back(interaction_id)
        self._customers.take_back(whose)
        return True

    def _verify(self, known: str, pin: str) -> bool:
        try:
            return self._hasher.verify(known, pin)
        except (VerificationError, InvalidHashError):
            return False


def look_hash(connection: Connection, customer_id: str) -> str | None:
    """The hash of a customer's PIN; None where they have none."""
    found: str | None = connection.scalar(select(customer_pin.c.hash).where(customer_pin.c.customer_id == customer_id))
    return found


def hashes_of(pins: Mapping[str, str]) -> list[dict[str, str]]:
    """PINs by customer as rows to write; takes a core for as long as there are many."""
    own = pin_hasher()
    return [{"customer_id": customer_id, "hash": own.hash(pin)} for customer_id, pin in pins.items()]


async def put(store: Store, connection: AsyncConnection, rows: Sequence[Mapping[str, str]]) -> None:
    """Write hashes, in place of those that were there."""
    await store.upsert(connection, customer_pin, ("customer_id",), [dict(row) for row in rows])


async def set_pin(store: Store, customer_id: str, pin: str, by: str, now: int) -> None:
    """Give a customer a PIN, or none when it is empty. Raises InvalidRequestError, NotFoundError."""
    if pin and not is_pin(pin):
        raise InvalidRequestError(f"PIN: expected {PIN_RULE}, got something else")
    rows = await asyncio.to_thread(hashes_of, {customer_id: pin} if pin else {})
    async with store.write() as connection:
        if await connection.scalar(select(customer.c.id).where(customer.c.id == customer_id)) is None:
            raise NotFoundError(f"customer {customer_id[:80]!r}: expected one that exists")
        if rows:
            await put(store, connection, rows)
        else:
            await connection.execute(delete(customer_pin).where(customer_pin.c.customer_id == customer_id))
        action = "pin_set" if pin else "pin_removed"
        noted = {"at": now, "actor": storable(by), "action": action, "subject": customer_id, "detail": {}}
        await connection.execute(insert(audit).values(noted))
