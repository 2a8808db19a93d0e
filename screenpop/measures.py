"""What emergency orders mean now: for callers, for queues, and on screens.

Heeds the orders that `screenpop.orders.Standing` knows. What callers meet is worked out at each call, to the
microsecond; queues are told to the engine, which opens them again by itself at their time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from acd.events import Event, QueueClosed, QueueOpened
from screenpop.emergencies import KINDS, Kind
from screenpop.messages import Emergency
from screenpop.orders import Order


@dataclass(frozen=True, slots=True)
class Announced:
    """What a caller hears because of an order: `texts` by language, the site's default language among them; none:
    nothing is said. `why` names the order for the records."""

    why: str
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Closure:
    until_at: int
    keep_waiting: bool
    by: str
    reason: str


class Measures:
    """`submit`: to the engine. `closed`: the queues that the engine believes closed when the server starts: what
    was ended meanwhile is opened. `show`: is called with what screens show when it has changed."""

    def __init__(
        self,
        submit: Callable[[Event], None],
        now: Callable[[], int],
        *,
        closed: Collection[str] = (),
        show: Callable[[Sequence[Emergency]], None] | None = None,
    ) -> None:
        self._submit = submit
        self._now = now
        self._show = show or (lambda shown: None)
        self._orders: tuple[Order, ...] = ()
        self._told: dict[str, _Closure] = {}
        self._told_until = dict.fromkeys(closed, 0)

    kinds = KINDS

    def heed(self, orders: Sequence[Order], now: int) -> None:
        """See `screenpop.orders.Heed`."""
        self._orders = tuple(orders)
        self._show(self.shown())
        self._tell_queues(now)

    def tell_again(self) -> None:
        """The rules have changed: a queue that is new to the engine may be closed already."""
        self._told.clear()
        self._tell_queues(self._now())

    # --- callers ---------------------------------------------------------------------------------------

    def closed(self, numbers: Collection[str]) -> Announced | None:
        """Whether a call to a number is not taken now; `numbers`: it and its rule, as orders name them."""
        found = self._of(Kind.CLOSE_NUMBER, numbers)
        with_text = [order for order in found if order.detail.get("texts")]
        return _announced((with_text or found)[-1]) if found else None

    def notices(self, numbers: Collection[str]) -> list[Announced]:
        """What a caller of a number hears first, in the order in which it was given."""
        return [_announced(order) for order in self._of(Kind.NOTICE, {*numbers, ""})]

    def _of(self, kind: Kind, targets: Collection[str]) -> list[Order]:
        now = self._now()
        return [each for each in self._orders if each.kind == kind and each.target in targets and each.holds(now)]

    # --- screens ---------------------------------------------------------------------------------------

    def shown(self) -> tuple[Emergency, ...]:
        """What holds now, as screens show it."""
        now = self._now()
        return tuple(Emergency.of(order) for order in self._orders if order.holds(now))

    # --- queues ----------------------------------------------------------------------------------------

    def _tell_queues(self, now: int) -> None:
        wanted: dict[str, list[Order]] = {}
        for order in self._orders:
            if order.kind == Kind.CLOSE_QUEUE and order.holds(now):
                wanted.setdefault(order.target, []).append(order)
        for queue, orders in wanted.items():
            closure = _joined(orders)
            if self._told.get(queue) != closure:
                self._submit(QueueClosed(queue, closure.until_at, closure.keep_waiting, closure.by, closure.reason))
                self._told[queue] = closure
                self._told_until[queue] = closure.until_at
        for queue in [queue for queue in self._told_until if queue not in wanted]:
            until = self._told_until[queue]
            if until == 0 or until > now:  # else the engine opens it by itself
                self._submit(QueueOpened(queue, self._ended_by(queue)))
            del self._told_until[queue]
            self._told.pop(queue, None)

    def _ended_by(self, queue: str) -> str:
        ended = [order for order in self._orders if order.kind == Kind.CLOSE_QUEUE and order.target == queue]
        return max(ended, key=lambda order: order.ended_at).ended_by if ended else ""


def _joined(orders: Sequence[Order]) -> _Closure:
    """Several orders close one queue until the last of them ends; who waits goes unless all let them wait."""
    last = orders[-1]
    return _Closure(
        until_at=0 if any(order.ends_at == 0 for order in orders) else max(order.ends_at for order in orders),
        keep_waiting=all(bool(order.detail.get("keep_waiting")) for order in orders),
        by=last.given_by,
        reason=last.reason,
    )


def _announced(order: Order) -> Announced:
    why = f"emergency {order.id}: {order.reason}" if order.reason else f"emergency {order.id}"
    return Announced(why, _texts(order))


def _texts(order: Order) -> Mapping[str, str]:
    found: Mapping[str, str] = order.detail.get("texts") or {}
    return found
