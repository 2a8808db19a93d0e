"""Orders that hold for a time: given by a command or a click, kept in a table, heeded by the running server.

A command and the server are two processes: the table is how one tells the other. `OrderBook` writes and reads it;
`Standing` is the server's side: it reads once a second (at once when asked to) and calls whoever heeds that kind of
order when something has changed, and at the instants at which one begins or ends. What an order means stands with
who gives and heeds it (`screenpop.emergencies`).

Rows are never deleted: they say who ordered what, why, and who ended it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy import Row, and_, func, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from screenpop.db.store import Store
from screenpop.db.tables import audit, standing_order
from screenpop.errors import InvalidRequestError, NotFoundError
from screenpop.text import storable

log = structlog.get_logger(__name__)

#: Orders that are not over yet, of all kinds together; more are refused.
MOST_OPEN = 1_000
#: What is over is still told this long, so that who heeds it learns by whom it was ended.
TOLD_AFTER_US = 60_000_000
_SOONEST_S = 0.001


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What somebody wants. `begins_at` 0: at once; `ends_at` 0: until it is ended. `detail` is JSON."""

    kind: str
    target: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    begins_at: int = 0
    ends_at: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it stands in the table. `ended_at`: when `ended_by` ended it before its time; else 0."""

    id: int
    kind: str
    target: str
    detail: Mapping[str, Any]
    begins_at: int
    ends_at: int
    given_by: str
    reason: str
    given_at: int
    ended_by: str = ""
    ended_at: int = 0

    def is_over(self, now: int) -> bool:
        return self.ended_at != 0 or 0 < self.ends_at <= now

    def holds(self, now: int) -> bool:
        """Whether it has begun and is not over."""
        return self.begins_at <= now and not self.is_over(now)


Heed = Callable[[Sequence[Order], int], None]
"""Is told the orders of its kinds, in the order in which they were given, and now: those that are not over, and
those that were ended in the last minute. Must not wait. What it raises is logged, and it is told again."""


class OrderBook:
    """The table of orders. `now`: microseconds UTC."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now

    async def give(self, wanted: Sequence[NewOrder], by: str) -> list[Order]:
        """Write orders, all or none. Raises InvalidRequestError when too many are open already."""
        now = self._now()
        async with self._store.write() as connection:
            count = await connection.scalar(select(func.count()).where(_is_open(now))) or 0
            if count + len(wanted) > MOST_OPEN:
                raise InvalidRequestError(f"expected at most {MOST_OPEN} open orders, there are {count}: end some")
            given = []
            for new in wanted:
                values = {
                    "kind": new.kind,
                    "target": storable(new.target),
                    "detail": dict(new.detail),
                    "begins_at": new.begins_at or now,
                    "ends_at": new.ends_at,
                    "given_by": storable(by),
                    "reason": storable(new.reason),
                    "given_at": now,
                }
                row = insert(standing_order).values(ended_by="", ended_at=0, **values).returning(standing_order)
                order = _order((await connection.execute(row)).one())
                await connection.execute(_noted(now, by, f"order_{new.kind}", order))
                given.append(order)
        return given

    async def end(self, order_id: int, by: str, kinds: Collection[str] = ()) -> Order:
        """End an order now. Raises NotFoundError for one that is not there, is over, or is none of `kinds`."""
        now = self._now()
        async with self._store.write() as connection:
            row = (await connection.execute(select(standing_order).where(standing_order.c.id == order_id))).first()
            order = None if row is None else _order(row)
            if order is None or (kinds and order.kind not in kinds):
                raise NotFoundError(f"{order_id}: expected the number of an order, there is none")
            if order.is_over(now):
                raise NotFoundError(f"{order_id}: expected an order that is not over yet, this one is")
            ended = replace(order, ended_by=storable(by), ended_at=now)
            changed = {"ended_by": ended.ended_by, "ended_at": now}
            await connection.execute(update(standing_order).where(standing_order.c.id == order_id).values(changed))
            await connection.execute(_noted(now, by, "order_ended", order))
        return ended

    async def open(self, kinds: Collection[str] = ()) -> list[Order]:
        """What is not over, or was ended in the last minute; oldest first."""
        now = self._now()
        wanted = or_(_is_open(now), standing_order.c.ended_at > now - TOLD_AFTER_US)
        return await self._orders(select(standing_order).where(wanted).order_by(standing_order.c.id), kinds)

    async def newest(self, kinds: Collection[str] = (), most: int = 200) -> list[Order]:
        """What was ordered last, over or not; newest first."""
        return await self._orders(select(standing_order).order_by(standing_order.c.id.desc()).limit(most), kinds)

    async def _orders(self, query: Any, kinds: Collection[str]) -> list[Order]:
        if kinds:
            query = query.where(standing_order.c.kind.in_(sorted(kinds)))
        async with self._store.read() as connection:
            return [_order(row) for row in await connection.execute(query)]


def _is_open(now: int) -> Any:
    columns = standing_order.c
    return and_(columns.ended_at == 0, or_(columns.ends_at == 0, columns.ends_at > now))


def _order(row: Row[Any]) -> Order:
    return Order(**row._mapping)


def _noted(now: int, by: str, action: str, order: Order) -> Any:
    detail = {"order": order.id, "kind": order.kind, "reason": order.reason, "until": order.ends_at}
    return insert(audit).values(at=now, actor=storable(by), action=action, subject=order.target, detail=detail)


class Standing:
    """The orders as the running server knows them: what was read last, also while the database does not answer."""

    def __init__(self, book: OrderBook, now: Callable[[], int], *, every_s: float = 1.0, read_s: float = 5.0) -> None:
        self._book = book
        self._now = now
        self._every_s = every_s
        self._read_s = read_s
        self._orders: tuple[Order, ...] = ()
        self._heeding: list[_Heeding] = []
        self._changed = asyncio.Event()
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why the table cannot be read now; empty when it can."""
        return self._trouble

    def heed(self, kinds: Collection[str], heed: Heed) -> None:
        """Tell `heed` of orders of these kinds from the next reading on."""
        self._heeding.append(_Heeding(frozenset(kinds), heed))

    def orders(self, kinds: Collection[str]) -> list[Order]:
        """What is known of these kinds."""
        return [order for order in self._orders if order.kind in kinds]

    async def read(self) -> None:
        """Read the table now and tell what has changed. Never raises for a database that does not answer."""
        try:
            async with asyncio.timeout(self._read_s):
                self._orders = tuple(await self._book.open())
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            if not self._trouble:
                log.error("orders.not_read", why=f"{type(error).__name__}: {error}"[:300])
            self._trouble = type(error).__name__
        except Exception as error:
            # A row that nobody can read must not end the server, and with it the heeding of all others.
            if not self._trouble:
                log.exception("orders.not_read")
            self._trouble = type(error).__name__
        else:
            if self._trouble:
                log.info("orders.read_again")
            self._trouble = ""
        self._tell()
        self._changed.set()

    async def run(self) -> None:
        """Read every second, and tell at each beginning and end, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_reading(), name="orders read")
            tasks.create_task(self._keep_time(), name="orders in time")

    async def _keep_reading(self) -> None:
        while True:
            await self.read()
            await asyncio.sleep(self._every_s)

    async def _keep_time(self) -> None:
        """Apart from reading: a database that hangs must not keep an order from ending."""
        while True:
            self._changed.clear()
            due = self._next_instant()
            try:
                async with asyncio.timeout(None if due is None else max(_SOONEST_S, (due - self._now()) / 1e6)):
                    await self._changed.wait()
            except TimeoutError:
                self._tell()

    def _next_instant(self) -> int | None:
        now = self._now()
        open_ones = [order for order in self._orders if not order.is_over(now)]
        instants = [at for order in open_ones for at in (order.begins_at, order.ends_at) if at > now]
        return min(instants, default=None)

    def _tell(self) -> None:
        now = self._now()
        for each in self._heeding:
            each.tell(self._orders, now)


class _Heeding:
    """Somebody who is told, and what they were told last."""

    def __init__(self, kinds: frozenset[str], heed: Heed) -> None:
        self._kinds = kinds
        self._heed = heed
        self._told: tuple[object, ...] | None = None

    def tell(self, orders: Sequence[Order], now: int) -> None:
        mine = [order for order in orders if order.kind in self._kinds]
        state = tuple((order.id, order.ended_at, order.holds(now)) for order in mine)
        if state == self._told:
            return
        try:
            self._heed(mine, now)
        except Exception:
            # It must not keep others from being told; the next reading tells it again.
            self._told = None
            log.exception("orders.not_heeded", kinds=sorted(self._kinds))
        else:
            self._told = state
