"""Messages that agents get: each is an interaction of its own, of medium `message`, in a queue of messages.

Its id is the name of its file without the ending, made from the call's id and a number: so however often it is told,
by the flow, by the hang-up, after a restart, it is one. A message needs nobody on a line. One that its queue gives away
ends as voicemail, unheard: supervisors have it in their list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import structlog

from acd.commands import Command, VisitClosed
from acd.events import Attributes, FlowEnded, InteractionArrived, InteractionQueued
from acd.model import Outcome, Stage, VisitOutcome
from cti.dispatcher import Dispatcher
from cti.ports import Directory

log = structlog.get_logger(__name__)

MEDIUM = "message"


@dataclass(frozen=True, slots=True)
class Wish:
    """Into which queue a message goes, and what its agent is told."""

    queue: str
    priority: int = 0
    attributes: Attributes = ()


def hand_over(dispatcher: Dispatcher, directory: Directory, call_id: str, file: str, wish: Wish) -> None:
    """Have agents get the message that this call has left, with its caller, its customer and its first-asked time."""
    call = dispatcher.interaction(call_id)
    message_id = PurePath(file).stem
    if call is None or not file or dispatcher.stage(message_id) is not None:
        return
    dispatcher.submit(
        InteractionArrived(message_id, call.caller, call.dialled, call.flow, MEDIUM, arrived_at=dispatcher.now())
    )
    directory.pass_on(call_id, message_id)
    asked_at = call.first_asked_at or None
    dispatcher.submit(
        InteractionQueued(message_id, wish.queue, wish.priority, (), wish.attributes, first_asked_at=asked_at)
    )
    close_unheard(dispatcher, message_id)


def close_unheard(dispatcher: Dispatcher, interaction_id: str) -> None:
    """A message that is in no queue and with nobody is over: there is no flow for it to go back to."""
    if dispatcher.stage(interaction_id) is not Stage.IN_FLOW:
        return
    view = dispatcher.interaction(interaction_id)
    if view is not None and view.medium == MEDIUM:
        log.warning("message.unheard", interaction_id=interaction_id, left_by=view.left_by)
        dispatcher.submit(FlowEnded(interaction_id, Outcome.VOICEMAIL, f"{interaction_id}.wav"))


def watch_messages(dispatcher: Dispatcher) -> None:
    """Close messages that their queue gives away, from now on."""

    def watch(commands: Sequence[Command], now: int) -> None:
        for command in commands:
            if isinstance(command, VisitClosed) and command.outcome is not VisitOutcome.ANSWERED:
                close_unheard(dispatcher, command.interaction_id)

    dispatcher.watch(watch)
