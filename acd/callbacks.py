"""Calling customers back (virtual hold): what becomes of a promise, event by event.

A promise stands in the one line of all like a caller, with the time they first asked, but nobody need be there. When
its turn comes an agent is held and the customer called; they answer and the agent's phone rings. From then on they
wait like any caller until they talk (the promise is kept) or leave (that call has failed). A call that reaches nobody
counts, and the next is made later; one that an agent ended does not count, and the next may be at once. There is one
promise per number and queue, and at most one call for it at a time, because there is one offer at a time.

What does not belong here: what a promise consists of (`acd.promises`).
"""

from __future__ import annotations

from heapq import heappush

from acd.events import CallbackCancelled
from acd.floor import Floor
from acd.interactions import Interaction
from acd.model import CallbackRules, CallbackState, Outcome, Stage, VisitOutcome
from acd.moves import close_interaction, close_offers, place
from acd.promises import (
    cancel_promise,
    fail_promise,
    hand_over_promise,
    put_off,
    tell_promise,
)

#: How a customer who has answered may end by themselves; any other end of the flow is a call that failed.
OWN_ENDS = (Outcome.VOICEMAIL, Outcome.TRANSFERRED_OUT)


def take_over(floor: Floor, interaction: Interaction, queue: str, *numbers: str) -> None:
    """Who asks by themselves takes over what was promised to their number in this queue: the earlier time is theirs,
    and nobody is called for it any more."""
    for number in dict.fromkeys(numbers):
        promised = floor.interactions.get(floor.queues[queue].promises.get(number, ""))
        if promised is not None and promised is not interaction:
            _join(floor, promised, interaction)


def _join(floor: Floor, promised: Interaction, newcomer: Interaction) -> None:
    times = (each.first_asked_at for each in (promised, newcomer) if each.first_asked_at is not None)
    newcomer.first_asked_at = min(times)
    hand_over_promise(floor, promised, newcomer.id)
    close_interaction(floor, promised, Outcome.CALLED_IN, VisitOutcome.WITHDRAWN, newcomer.id)


def answer(floor: Floor, interaction: Interaction) -> None:
    """The customer is on the line: they wait like any caller, and the agent's phone rings."""
    interaction.on_line = interaction.attached = True
    agent = floor.agents[interaction.agent_id]
    held = agent.held(interaction.id)
    held.deadline = floor.now + floor.queues[interaction.queue].rules.ring_us
    heappush(floor.due, (held.deadline, "offer", agent.id, interaction.id))
    floor.file(interaction)
    floor.refresh(agent)
    tell_promise(floor, interaction, CallbackState.ANSWERED)


def fail(floor: Floor, interaction: Interaction, detail: str) -> None:
    """The call reached nobody, or they left before a talk: later again, or given up. Nobody's fault but chance: the
    agent stays ready, with the idle time they had."""
    rules = interaction.callback or CallbackRules()
    if interaction.attempts >= rules.attempts or floor.now >= interaction.lapses_at:
        give_up(floor, interaction, detail)
        return
    other = floor.interactions.get(floor.queues[interaction.queue].promises.get(interaction.callback_number, ""))
    if other is not None and other is not interaction:
        _give_way(floor, interaction, other)
        return
    if interaction.stage is Stage.OFFERED:
        close_offers(floor, interaction, detail)
        put_off(floor, interaction, detail)
        place(floor, interaction, Stage.QUEUED, interaction.queue, "")
    else:
        put_off(floor, interaction, detail)
        floor.file(interaction)
        floor.watch_callback(interaction)


def _give_way(floor: Floor, interaction: Interaction, other: Interaction) -> None:
    """While they were on the line the same number was promised once more: that promise stays, with the earlier time."""
    floor.take_out(other)
    other.first_asked_at = min(other.rank[1], interaction.rank[1])
    floor.rank(other)
    floor.file(other)
    hand_over_promise(floor, interaction, other.id)
    close_interaction(floor, interaction, Outcome.CALLED_IN, VisitOutcome.WITHDRAWN, other.id)


def give_up(floor: Floor, interaction: Interaction, detail: str) -> None:
    """The promise ends without a talk."""
    fail_promise(floor, interaction, detail)
    close_interaction(floor, interaction, Outcome.CALLBACK_FAILED, VisitOutcome.WITHDRAWN, detail)


def cancel(floor: Floor, interaction: Interaction, event: CallbackCancelled) -> None:
    """Somebody says that nobody is to be called; a call in progress is hung up."""
    cancel_promise(floor, interaction, ": ".join(each for each in (event.by, event.reason) if each))
    close_interaction(floor, interaction, Outcome.CALLBACK_FAILED, VisitOutcome.WITHDRAWN, "cancelled")


def take_due(floor: Floor, interaction: Interaction) -> None:
    """Time: it may be called now, or it has lasted too long."""
    if floor.now >= interaction.lapses_at:
        give_up(floor, interaction, "lapsed")
        return
    interaction.not_before = 0
    floor.file(interaction)
    floor.watch_callback(interaction)
