"""Calling customers back: the promise, as a flow makes it."""

from __future__ import annotations

from dataclasses import dataclass

from acd.events import Attributes, InteractionQueued
from acd.model import Requirement, Stage
from acd.snapshot import InteractionView
from cti.dispatcher import Dispatcher
from cti.outbound import Outbound, Refused


@dataclass(frozen=True, slots=True)
class Promised:
    """The customer will be called back under `number` (E.164); their place stays theirs, they may hang up."""

    number: str


def promise(
    dispatcher: Dispatcher,
    view: InteractionView | None,
    queue: str,
    number: str,
    outbound: Outbound,
    *,
    priority: int = 0,
    requirements: tuple[Requirement, ...] = (),
    attributes: Attributes = (),
    carried: str = "",
) -> Promised | Refused:
    """Promise the caller of `view` to call them back for `queue` under `number`, as typed or as the network gave it.

    `carried`: where the flow stands (`CallState.pack`), so that the call back goes on behind its queue step.
    Who waits in that queue keeps place, priority and requirements; who comes from the flow gets those given here. The
    flow goes on (and should say goodbye): its end and the caller's hang-up no longer end the interaction. Nothing has
    changed when it answers Refused.
    """
    if view is None or view.stage is Stage.TALKING:
        return Refused("not_waiting")
    checked = outbound.check(number)
    if isinstance(checked, Refused):
        return checked
    dispatcher.submit(
        InteractionQueued(view.id, queue, priority, requirements, attributes, callback_number=checked, carried=carried)
    )
    now = dispatcher.interaction(view.id)
    kept = now is not None and now.is_promised and (now.queue, now.callback_number) == (queue, checked)
    return Promised(checked) if kept else Refused("no_callback")
