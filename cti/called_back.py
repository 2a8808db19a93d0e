"""A customer who has answered our call back: what they hear first, and where their flow goes on."""

from __future__ import annotations

from dataclasses import dataclass

from acd.snapshot import InteractionView
from cti.call_state import CallState
from ivr.interpreter import Execution
from ivr.prompts import text_prompt
from ivr.site import Site
from ivr.step_kinds.agents import QueueStep
from ivr.steps import Prompt, ReadDigits

#: So long after the greeting the key may come.
KEY_S = 8.0
KEY = "1"


@dataclass(frozen=True, slots=True)
class Opening:
    """What comes before the flow: the greeting and, if `needs_key`, the key by which somebody says that they are there.
    A machine presses none."""

    offer_id: str
    prompts: tuple[Prompt, ...] = ()
    needs_key: bool = False

    @property
    def step(self) -> ReadDigits:
        """How the key is asked for."""
        return ReadDigits(self.prompts, most=1, first_s=KEY_S)


def opening_of(site: Site, view: InteractionView, offer_id: str, language: str) -> Opening:
    """The queue's greeting in the customer's language."""
    queue = site.queues.get(view.queue)
    rules = queue.callback if queue is not None else None
    if rules is None:
        return Opening(offer_id)
    greeting = text_prompt(rules.greeting, language, site.settings.default_language, {})
    return Opening(offer_id, (greeting,), rules.confirm)


def execution_at_queue(site: Site, view: InteractionView, state: CallState) -> Execution:
    """The flow at its queue step: the customer waits there, and what comes after the talk comes after it.

    Raises LookupError when no flow of the site puts anybody into a queue.
    """
    flow, node = _queue_step(site, state, view.queue)
    return Execution(site, flow, state.variables, state.variables.get("language", ""), node=node)


def _queue_step(site: Site, state: CallState, queue: str) -> tuple[str, str]:
    here = site.layouts.get(state.flow)
    if here is not None and state.node in here.steps and isinstance(here.steps[state.node].step, QueueStep):
        return state.flow, state.node
    found = [
        (flow != state.flow, placed.step.queue != queue, flow, address)
        for flow, layout in site.layouts.items()
        for address, placed in layout.steps.items()
        if isinstance(placed.step, QueueStep)
    ]
    if not found:
        raise LookupError(f"no flow has a queue step: expected one for {queue!r}")
    *_, flow, address = min(found, key=lambda each: each[:2])
    return flow, address
