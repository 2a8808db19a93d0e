"""Which offers are open in an engine that was restored, and after each thing that happened since."""

from __future__ import annotations

from collections.abc import Sequence

from acd.commands import Command, OfferClosed, OfferInteraction
from acd.engine import Engine
from acd.model import Reason
from acd.snapshot import agent_view, board


def open_offers(engine: Engine) -> list[OfferInteraction]:
    """The offers that are open in a restored engine."""
    return [
        OfferInteraction(
            each.offer_id, view.id, each.agent_id, view.queue, view.offered_at,
            deadline_of(engine, each.agent_id, view.offered_at), each.reason or Reason("restored", ()),
            tuple(other.offer_id for other in view.open_offers) if view.beside else (),
            view.callback_number if view.is_promised else "",
        )
        for view in board(engine).interactions
        for each in view.open_offers
    ]  # fmt: skip


def deadline_of(engine: Engine, agent_id: str, offered_at: int) -> int:
    agent = agent_view(engine, agent_id)
    return agent.deadline if agent is not None else offered_at


def follow_offers(offers: dict[str, OfferInteraction], commands: Sequence[Command]) -> None:
    """Keep `offers` the open ones while commands go by."""
    for command in commands:
        if isinstance(command, OfferInteraction):
            offers[command.offer_id] = command
        elif isinstance(command, OfferClosed):
            offers.pop(command.offer_id, None)
