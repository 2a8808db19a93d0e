"""Totals of queues for screens: known at every instant, sent at most so often, encoded once for all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from acd.commands import QueueChanged
from acd.snapshot import Board
from screenpop.messages import QueueTotals
from screenpop.model import Person


class Totals:
    """The totals of every queue. `send` is called when they have changed, at most once in `every_s`."""

    def __init__(self, titles: Mapping[str, str], every_s: float, send: Callable[[], None]) -> None:
        self._titles = titles
        self._every_s = every_s
        self._send = send
        self._totals: dict[str, QueueTotals] = {}
        self._encoded: dict[str, str] = {}
        self._due: asyncio.TimerHandle | None = None
        self._sent_at = float("-inf")

    def name(self, titles: Mapping[str, str]) -> None:
        """Other titles; they show once the board has been seen again."""
        self._titles = titles

    def see(self, board: Board) -> None:
        """Take everything from the board: queues that are gone go."""
        self._totals = {
            view.id: QueueTotals(
                queue=view.id,
                title=self._titles.get(view.id) or view.title or view.id,
                waiting=view.waiting,
                oldest_asked_at=view.oldest_asked_at,
                agents_ready=view.agents_ready,
                agents_signed_in=view.agents_signed_in,
            )
            for view in board.queues
        }
        self._encoded.clear()

    def change(self, fact: QueueChanged) -> None:
        self._totals[fact.queue] = QueueTotals(
            queue=fact.queue,
            title=self.title(fact.queue),
            waiting=fact.waiting,
            oldest_asked_at=fact.oldest_asked_at,
            agents_ready=fact.agents_ready,
            agents_signed_in=fact.agents_signed_in,
        )
        self._encoded.pop(fact.queue, None)
        if self._due is None:
            loop = asyncio.get_running_loop()
            self._due = loop.call_at(max(loop.time(), self._sent_at + self._every_s), self._send_now)

    def title(self, queue: str) -> str:
        known = self._totals.get(queue)
        return self._titles.get(queue) or (known.title if known else "") or queue

    def seen_by(self, person: Person) -> tuple[str, ...]:
        """The queues whose totals a person sees."""
        return tuple(self._totals) if person.sees_everything else person.queues

    def of(self, person: Person) -> tuple[QueueTotals, ...]:
        return tuple(self._totals[queue] for queue in self.seen_by(person) if queue in self._totals)

    def body(self, queues: Iterable[str]) -> str:
        """A `queues` message about these queues, put together from what is encoded already."""
        parts = (self._encoding(queue) for queue in queues if queue in self._totals)
        return f'{{"type":"queues","queues":[{",".join(parts)}]}}'

    def stop(self) -> None:
        if self._due is not None:
            self._due.cancel()

    def _encoding(self, queue: str) -> str:
        if queue not in self._encoded:
            self._encoded[queue] = self._totals[queue].model_dump_json()
        return self._encoded[queue]

    def _send_now(self) -> None:
        self._due = None
        self._sent_at = asyncio.get_running_loop().time()
        self._send()
