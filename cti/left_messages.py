"""Messages that agents get: each is an interaction of its own, of medium `message`, in a queue of messages.

Its id is the name of its file without the ending, made from the call's id and a number: so however often it is told,
by the flow, by the hang-up, after a restart, it is one. Of callers who hang up while no server is there, slips tell. A
message needs nobody on a line. One that its queue gives away ends as voicemail, unheard: supervisors have it in their
list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import structlog

from acd.commands import Command, VisitClosed
from acd.events import Attributes, FlowEnded, InteractionArrived, InteractionQueued
from acd.model import Outcome, Stage, VisitOutcome
from cti.dispatcher import Dispatcher
from cti.messages import Messages
from cti.ports import Directory
from cti.slips import Slip, read_in, remove

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
    if call is not None and file:
        slip = Slip(call_id, call.caller, call.dialled, call.flow, wish.queue, wish.priority, wish.attributes)
        _queue(dispatcher, directory, PurePath(file).stem, slip, call.first_asked_at)


def _queue(dispatcher: Dispatcher, directory: Directory, message_id: str, slip: Slip, asked_at: int) -> None:
    if dispatcher.stage(message_id) is not None:
        return
    dispatcher.submit(
        InteractionArrived(message_id, slip.caller, slip.dialled, slip.flow, MEDIUM, arrived_at=dispatcher.now())
    )
    directory.pass_on(slip.call, message_id)
    dispatcher.submit(
        InteractionQueued(message_id, slip.queue, slip.priority, (), slip.attributes, first_asked_at=asked_at or None)
    )
    close_unheard(dispatcher, message_id)


async def collect(
    dispatcher: Dispatcher, directory: Directory, messages: Messages, is_alive: Callable[[str], bool]
) -> None:
    """Hand over what callers left who hung up while no server was there, and end their calls as such.

    Must come before anything else ends these calls. Who is still there is left alone: their call brings the message.
    """
    found = [each for each in await asyncio.to_thread(read_in, messages.folder) if not is_alive(each[1].call)]
    await asyncio.gather(*(directory.recall(slip.call, slip.caller) for _, slip in found))
    for file, slip in found:
        if name := messages.name(file):
            _collect(dispatcher, directory, name, slip)
        else:
            messages.discard(file)
        remove(file)


def _collect(dispatcher: Dispatcher, directory: Directory, name: str, slip: Slip) -> None:
    call = dispatcher.interaction(slip.call)
    if slip.queue:
        _queue(dispatcher, directory, PurePath(name).stem, slip, 0 if call is None else call.first_asked_at)
    if call is not None and call.stage is Stage.IN_FLOW:
        dispatcher.submit(FlowEnded(slip.call, Outcome.VOICEMAIL, name))
    log.info("message.collected", interaction_id=slip.call, file=name, queue=slip.queue)


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
