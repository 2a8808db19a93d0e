"""Temporary moves of agents between queues: who may order them, and how the engine is told.

An order stands in the table (`screenpop.orders`), so that a command and the server are one; the engine plans, makes
and ends the move by its own deadlines (`acd.temporary_moves`), also when the database is away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from acd.events import AgentMoveCancelled, AgentMoved, Event
from acd.model import Move
from acd.snapshot import Board
from screenpop.errors import InvalidRequestError
from screenpop.model import Role
from screenpop.orders import NewOrder, Order, OrderBook
from screenpop.people import People

KIND = "agent_move"
LONGEST_REASON = 200
MOST_QUEUES = 50
_PREFIX = "order-"


@dataclass(frozen=True, slots=True)
class WantedMove:
    """What somebody wants. `begins_at` 0: now; `ends_at` 0: until it is ended."""

    agent_id: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    begins_at: int = 0
    ends_at: int = 0
    reason: str = ""


class Moves:
    """Gives and ends moves. `queues`: those that the site's files name. `changed` is awaited after each: the server
    heeds it at once."""

    kinds = frozenset({KIND})

    def __init__(
        self,
        book: OrderBook,
        people: People,
        queues: Callable[[], Collection[str]],
        now: Callable[[], int],
        changed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._book = book
        self._people = people
        self._queues = queues
        self._now = now
        self._changed = changed

    async def give(self, wanted: WantedMove, by: str) -> Order:
        """Order a move. Raises InvalidRequestError that names field and value."""
        await self._check_agent(wanted.agent_id)
        self._check_queues(wanted)
        if wanted.ends_at and wanted.ends_at <= max(self._now(), wanted.begins_at):
            raise InvalidRequestError("until: expected a time to come, after the beginning")
        if len(wanted.reason) > LONGEST_REASON:
            raise InvalidRequestError(f"reason: expected at most {LONGEST_REASON} characters, got {len(wanted.reason)}")
        detail = {"add": list(wanted.add), "remove": list(wanted.remove)}
        new = NewOrder(KIND, wanted.agent_id, detail, wanted.begins_at, wanted.ends_at, wanted.reason)
        (given,) = await self._book.give([new], by)
        await self._tell()
        return given

    async def end(self, order_id: int, by: str) -> Order:
        """Raises NotFoundError for an order that is no move or is over."""
        ended = await self._book.end(order_id, by, self.kinds)
        await self._tell()
        return ended

    async def open(self) -> list[Order]:
        """What holds now or is to begin, oldest first."""
        now = self._now()
        return [order for order in await self._book.open(self.kinds) if not order.is_over(now)]

    async def newest(self, most: int = 200) -> list[Order]:
        """What was ordered last, over or not; newest first."""
        return await self._book.newest(self.kinds, most)

    async def _tell(self) -> None:
        if self._changed is not None:
            await self._changed()

    async def _check_agent(self, agent_id: str) -> None:
        found = await self._people.find(agent_id)
        if found is None or Role.AGENT not in found.roles:
            raise InvalidRequestError(f"agent {agent_id[:80]!r}: expected somebody with the role agent")

    def _check_queues(self, wanted: WantedMove) -> None:
        named = (*wanted.add, *wanted.remove)
        known = self._queues()
        if not named:
            raise InvalidRequestError("add, remove: expected a queue, got none")
        if len(named) > MOST_QUEUES:
            raise InvalidRequestError(f"add, remove: expected at most {MOST_QUEUES} queues, got {len(named)}")
        for queue in named:
            if queue not in known:
                raise InvalidRequestError(f"queue {queue[:80]!r}: expected one of {', '.join(sorted(known)) or 'none'}")
            if named.count(queue) > 1:
                raise InvalidRequestError(f"queue {queue!r}: expected it once, in add or in remove")


class MovesHeeded:
    """The server's side: tells the engine of moves that were ordered or ended.

    `board`: what the engine knows. `trouble`: why the table cannot be read now; then what is not in it may only be
    not known, and nothing is cancelled.
    """

    def __init__(
        self, submit: Callable[[Event], None], board: Callable[[], Board], trouble: Callable[[], str] = lambda: ""
    ) -> None:
        self._submit = submit
        self._board = board
        self._trouble = trouble
        self._orders: Sequence[Order] = ()
        self._told: set[str] = set()

    def heed(self, orders: Sequence[Order], now: int) -> None:
        """See `screenpop.orders.Heed`."""
        self._orders = tuple(orders)
        known = self._known()
        listed = {_move_id(order): order for order in orders}
        self._told &= listed.keys()
        for move_id, order in listed.items():
            if not order.is_over(now) and move_id not in known and move_id not in self._told:
                self._told.add(move_id)
                self._submit(_moved(move_id, order))
        for move_id, (agent_id, move) in known.items():
            ended = listed[move_id].ended_by if move_id in listed and listed[move_id].ended_at else None
            if ended is None and (move_id in listed or self._trouble()):
                continue
            if move.until_at == 0 or move.until_at > now:  # else the engine ends it by itself
                self._submit(AgentMoveCancelled(move_id, agent_id, ended or ""))

    def tell_again(self, now: int) -> None:
        """The rules have changed: an agent or a queue that was unknown may be known now."""
        self._told.clear()
        self.heed(self._orders, now)

    def _known(self) -> Mapping[str, tuple[str, Move]]:
        """The moves of the engine that were ordered here, with their agents."""
        return {
            move.id: (agent.id, move)
            for agent in self._board().agents
            for move in agent.moves
            if move.id.startswith(_PREFIX)
        }


def _move_id(order: Order) -> str:
    return f"{_PREFIX}{order.id}"


def _moved(move_id: str, order: Order) -> AgentMoved:
    return AgentMoved(
        move_id,
        order.target,
        tuple(order.detail.get("add") or ()),
        tuple(order.detail.get("remove") or ()),
        order.begins_at,
        order.ends_at,
        order.given_by,
        order.reason,
    )
