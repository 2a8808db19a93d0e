"""Callers whom people block while the server runs, beside those of the site's files.

A block is an order (`screenpop.orders`): the running server heeds it within a second, also while the database is away.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from screenpop.errors import InvalidRequestError, NotFoundError
from screenpop.numbers import NumberPlan
from screenpop.orders import NewOrder, Order, OrderBook

KIND = "block_caller"
LONGEST_REASON = 200
#: Blocks at once. There is room left for other orders; whoever is to be blocked for good belongs into callers.yaml.
MOST_BLOCKS = 500
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}\*", re.ASCII)


class Blocks:
    """Blocks callers and lets them in again. `changed` is awaited after each: the server heeds it at once."""

    kinds = frozenset({KIND})

    def __init__(
        self,
        book: OrderBook,
        plan: NumberPlan,
        now: Callable[[], int],
        changed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._book = book
        self._plan = plan
        self._now = now
        self._changed = changed

    async def block(self, number: str, ends_at: int, reason: str, by: str) -> Order:
        """Refuse calls of a number, or of all that begin so (`+4930*`), until `ends_at` (0: until it is ended). Raises
        InvalidRequestError that names field and value."""
        target = self._target(number)
        if ends_at and ends_at <= self._now():
            raise InvalidRequestError("until: expected a time to come")
        if len(reason) > LONGEST_REASON:
            raise InvalidRequestError(f"reason: expected at most {LONGEST_REASON} characters, got {len(reason)}")
        if len(await self.open()) >= MOST_BLOCKS:
            raise InvalidRequestError(f"expected at most {MOST_BLOCKS} blocked at once: end some, or use callers.yaml")
        (given,) = await self._book.give([NewOrder(KIND, target, {}, 0, ends_at, reason)], by)
        await self._tell()
        return given

    async def unblock(self, number: str, by: str) -> list[Order]:
        """Let somebody in again. Raises NotFoundError where nothing blocks exactly this number or prefix."""
        target = self._target(number)
        found = [order for order in await self.open() if order.target == target]
        if not found:
            raise NotFoundError(f"{target}: expected a number that is blocked by an order, it is not")
        ended = [await self._book.end(order.id, by, self.kinds) for order in found]
        await self._tell()
        return ended

    async def end(self, order_id: int, by: str) -> Order:
        """Raises NotFoundError for an order that blocks nobody or is over."""
        ended = await self._book.end(order_id, by, self.kinds)
        await self._tell()
        return ended

    async def open(self) -> list[Order]:
        """Who is blocked now, oldest first."""
        now = self._now()
        return [order for order in await self._book.open(self.kinds) if not order.is_over(now)]

    async def newest(self, most: int = 200) -> list[Order]:
        """Who was blocked last, still or not; newest first."""
        return await self._book.newest(self.kinds, most)

    def _target(self, number: str) -> str:
        compact = re.sub(r"[ ()./-]", "", number)
        return compact if _PREFIX.fullmatch(compact) else self._plan.e164(number)

    async def _tell(self) -> None:
        if self._changed is not None:
            await self._changed()


class BlocksHeeded:
    """The server's side: who is blocked, for each call that comes."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._orders: Mapping[str, Order] = {}

    def heed(self, orders: Sequence[Order], now: int) -> None:
        """See `screenpop.orders.Heed`. Of several blocks of one number the one that lasts longest counts."""
        standing = sorted((order for order in orders if order.holds(now)), key=lambda order: order.ends_at or 2**62)
        self._orders = {order.target: order for order in standing}

    def reason(self, patterns: Collection[str]) -> str | None:
        """Why one of these is blocked now; None: none of them is."""
        now = self._now()
        found = next((order for each in patterns if (order := self._orders.get(each)) and order.holds(now)), None)
        return None if found is None else found.reason
