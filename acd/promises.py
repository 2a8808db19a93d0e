"""A promise to call a customer back, as the interaction carries it, and what is told of it.

What does not belong here: offers, visits and ends (`acd.moves`), and which event causes what (`acd.callbacks`).
"""

from __future__ import annotations

from acd.commands import CallbackChanged
from acd.floor import Floor
from acd.interactions import Interaction
from acd.model import VOICE, CallbackRules, CallbackState


def make_promise(interaction: Interaction, number: str, rules: CallbackRules | None, carried: str, now: int) -> None:
    """From now on nobody need be there; the rules are kept with the promise, so that new ones do not touch it. Whatever
    it was, it is a call now."""
    interaction.medium = VOICE
    interaction.callback_number, interaction.callback = number, rules
    interaction.promised_at, interaction.carried = now, carried
    interaction.attempts = interaction.not_before = 0
    interaction.on_line = False


def tell_promise(floor: Floor, interaction: Interaction, state: CallbackState, detail: str = "") -> None:
    """Say how the promise stands."""
    floor.out.append(
        CallbackChanged(
            interaction_id=interaction.id,
            queue=interaction.queue,
            number=interaction.callback_number,
            state=state,
            attempts=interaction.attempts,
            not_before=interaction.not_before,
            promised_at=interaction.promised_at,
            changed_at=floor.now,
            detail=detail,
        )
    )


def begin_call(floor: Floor, interaction: Interaction) -> None:
    """An agent is held, the customer is called."""
    interaction.attempts += 1
    tell_promise(floor, interaction, CallbackState.CALLING)


def take_back(floor: Floor, interaction: Interaction, detail: str) -> None:
    """The call ended by no fault of the customer: it does not count, and the next may be at once."""
    interaction.attempts -= 1
    tell_promise(floor, interaction, CallbackState.PROMISED, detail)


def put_off(floor: Floor, interaction: Interaction, detail: str) -> None:
    """The call reached nobody, or they left: the next may be later."""
    interaction.on_line = interaction.attached = False
    interaction.not_before = floor.now + (interaction.callback or CallbackRules()).every_us
    tell_promise(floor, interaction, CallbackState.PROMISED, detail)


def keep_promise(floor: Floor, interaction: Interaction) -> None:
    """Customer and agent talk."""
    interaction.attached = True
    _end(floor, interaction, CallbackState.KEPT, "")


def fail_promise(floor: Floor, interaction: Interaction, detail: str) -> None:
    """Nobody is called any more."""
    _end(floor, interaction, CallbackState.FAILED, detail)


def cancel_promise(floor: Floor, interaction: Interaction, detail: str) -> None:
    """Somebody said that nobody is to be called any more."""
    _end(floor, interaction, CallbackState.CANCELLED, detail)


def hand_over_promise(floor: Floor, interaction: Interaction, to: str) -> None:
    """The customer has asked again by themselves, as interaction `to`."""
    _end(floor, interaction, CallbackState.CALLED_IN, to)


def _end(floor: Floor, interaction: Interaction, state: CallbackState, detail: str) -> None:
    interaction.not_before = 0
    tell_promise(floor, interaction, state, detail)
    queue = floor.queues.get(interaction.queue)
    if queue is not None:
        queue.unlist(interaction)
    interaction.callback_number, interaction.callback, interaction.carried = "", None, ""
    interaction.promised_at = interaction.attempts = 0
    interaction.on_line = False
    floor.file(interaction)
