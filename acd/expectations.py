"""What a caller may expect of a queue, and the keeping of what the queue sees (`acd.experience`).

An agent at work for several queues counts in full for each of them: where queues share agents and all have callers
waiting, an estimate is too short by about the share that the others take.
"""

from __future__ import annotations

from dataclasses import replace

from acd.estimators import AT_ONCE, Expected, head_of_line, patience, staffing
from acd.experience import HALVING_US, ONE, Seen
from acd.floor import Floor
from acd.interactions import Interaction
from acd.model import Estimator, Stage
from acd.presence import AT_WORK
from acd.queues import Queue
from acd.selection import anybody


def note_waited(floor: Floor, queue: str, waited_us: int, *, gave_up: bool) -> None:
    """A visit ended after so long."""
    seen = _seen(floor, queue)
    seen.waited_us += waited_us
    if gave_up:
        seen.leavers += ONE


def note_talked(floor: Floor, queue: str, handled_us: int) -> None:
    """A talk ended; it and the ringing before took an agent so long."""
    seen = _seen(floor, queue)
    seen.talks += ONE
    seen.handled_us += handled_us


def note_wrapped_up(floor: Floor, queue: str, handled_us: int) -> None:
    """A wrap-up ended; its talk has been counted."""
    _seen(floor, queue).handled_us += handled_us


def _seen(floor: Floor, queue: str) -> Seen:
    seen = floor.seen.get(queue)
    if seen is None:
        seen = Seen(queue, floor.now // HALVING_US)
        if queue in floor.queues:  # else its rules are gone: nobody will ask
            floor.seen[queue] = seen
    seen.age(floor.now)
    return seen


def _as_of_now(floor: Floor, queue: str) -> Seen:
    """The same to read, changing nothing."""
    seen = floor.seen.get(queue)
    if seen is None:
        return Seen(queue, 0)
    if seen.hour != floor.now // HALVING_US:
        seen = replace(seen)
        seen.age(floor.now)
    return seen


def expect(floor: Floor, interaction: Interaction) -> Expected:
    """How long somebody in a queue will wait from now on; at once where a phone rings or an agent is ready for them."""
    if interaction.stage is Stage.OFFERED or anybody(floor, interaction):
        return AT_ONCE
    queue = floor.queues[interaction.queue]
    rules = queue.rules
    states = queue.states
    ready, reserved, talking, wrap_up = AT_WORK
    agents = states[ready] + states[reserved] + states[talking] + states[wrap_up]
    seen = _as_of_now(floor, rules.id)
    handling_us = max(seen.handling_us(rules), 1.0)
    if rules.estimator is Estimator.HEAD_OF_LINE:
        return head_of_line(_head_waited(floor, queue, interaction), agents, handling_us)
    ahead = max(0, queue.line.position(interaction.rank) - 1 - len(queue.ringing))
    if rules.estimator is Estimator.STAFFING:
        return staffing(ahead, agents, handling_us)
    return patience(ahead, agents, handling_us, seen.leave_rate(rules))


def _head_waited(floor: Floor, queue: Queue, interaction: Interaction) -> int:
    """How long the first in line, for whom no phone rings yet, has waited in this visit."""
    head = next((rank[2] for rank in queue.line if rank[2] not in queue.ringing), interaction.id)
    return floor.now - floor.interactions[head].entered_at
