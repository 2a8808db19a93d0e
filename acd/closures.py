"""Closed queues: nobody joins; who waits goes back to their flow, or is still served where the closing says so."""

from __future__ import annotations

from acd.commands import QueueClosureChanged
from acd.events import QueueClosed, QueueOpened
from acd.floor import Floor
from acd.interactions import Interaction
from acd.model import OverflowCause
from acd.overflows import give_away
from acd.queues import Closure


def close_queue(floor: Floor, event: QueueClosed) -> None:
    """Close it, also where it is closed already: the later closing counts."""
    if event.queue not in floor.queues:
        floor.count("QueueClosed:unknown_queue")
        return
    if event.until_at and event.until_at <= floor.now:
        floor.count("QueueClosed:over")
        return
    closure = Closure(event.queue, event.until_at, event.keep_waiting, event.by, event.reason)
    if floor.closures.get(event.queue) == closure:
        floor.count("QueueClosed:unchanged")
        return
    floor.closures[event.queue] = closure
    floor.watch_closure(closure)
    _tell(floor, closure, is_closed=True)
    if not event.keep_waiting:
        for interaction in _who_waits(floor, event.queue):
            give_away(floor, interaction, OverflowCause.CLOSED)


def open_queue(floor: Floor, event: QueueOpened) -> None:
    """Take callers again."""
    if event.queue in floor.closures:
        end_closure(floor, event.queue, event.by)
    else:
        floor.count("QueueOpened:not_closed" if event.queue in floor.queues else "QueueOpened:unknown_queue")


def end_closure(floor: Floor, queue: str, by: str = "") -> None:
    """The queue takes callers again: somebody said so, or the closing's time is over."""
    closure = floor.closures.pop(queue)
    floor.queues[queue].closure = None
    for each in floor.queues.values():
        if any(wanted.queue == queue for wanted in each.rules.overflow):
            floor.changed.add(each.rules.id)
    _tell(floor, Closure(queue, 0, False, by, closure.reason), is_closed=False)


def _who_waits(floor: Floor, queue: str) -> list[Interaction]:
    """But for those whom we call back: they have nobody in a flow, or were called by us."""
    line = (floor.interactions[rank[2]] for rank in floor.queues[queue].line)
    return [each for each in line if not each.callback_number]


def _tell(floor: Floor, closure: Closure, *, is_closed: bool) -> None:
    floor.touched_queues.add(closure.queue)
    floor.out.append(
        QueueClosureChanged(
            queue=closure.queue,
            is_closed=is_closed,
            until_at=closure.until_at,
            by=closure.by,
            reason=closure.reason,
            changed_at=floor.now,
        )
    )
