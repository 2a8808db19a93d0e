"""Test support: an engine with a clock of its own, and short ways to bring it into a state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from acd.commands import Command, OfferInteraction
from acd.engine import Engine
from acd.events import (
    DesktopChanged,
    Event,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    PhoneChanged,
    PresenceChosen,
)
from acd.invariants import check
from acd.model import AgentProfile, Configuration, Desktop, Phone, Presence, QueueRules
from acd.snapshot import AgentView, InteractionView, agent_view, interaction_view

SECOND = 1_000_000

Found = TypeVar("Found")

BILLING = QueueRules("billing", ring_us=20 * SECOND, wrap_up_us=10 * SECOND, short_abandon_us=5 * SECOND)
TECH = QueueRules("tech", ring_us=15 * SECOND, wrap_up_us=0, short_abandon_us=5 * SECOND)
MARIA = AgentProfile("maria", "Maria", ("billing", "tech"), (("vpn", 5),))
JON = AgentProfile("jon", "Jon", ("billing",))
SITE = Configuration(queues=(BILLING, TECH), agents=(MARIA, JON))


class Desk:
    """Drives one engine; every event comes a second after the one before unless `after` (s) says otherwise.

    After each event all invariants must hold.
    """

    def __init__(self, configuration: Configuration = SITE, engine: Engine | None = None) -> None:
        self.now = engine.now if engine else 1_000 * SECOND
        self.engine = engine or Engine(configuration, self.now)

    def do(self, event: Event, after: float = 1) -> tuple[Command, ...]:
        self.now += round(after * SECOND)
        answer = self.engine.handle(event, self.now)
        assert check(self.engine) == ()
        return answer

    def sign_in(self, *agent_ids: str) -> None:
        """Phone free, desktop there, ready: in this order of idleness."""
        for agent_id in agent_ids:
            self.do(PhoneChanged(agent_id, Phone.FREE))
            self.do(DesktopChanged(agent_id, Desktop.THERE))
            self.do(PresenceChosen(agent_id, Presence.READY))

    def call(self, interaction_id: str, queue: str = "billing", priority: int = 0) -> tuple[Command, ...]:
        """A caller arrives and asks for an agent."""
        self.do(InteractionArrived(interaction_id))
        return self.do(InteractionQueued(interaction_id, queue, priority))

    def talk(self, interaction_id: str, queue: str = "billing") -> str:
        """A caller arrives, is offered and answered; returns the agent's id."""
        made = only(OfferInteraction, self.call(interaction_id, queue))
        self.do(OfferAccepted(made.offer_id))
        return made.agent_id

    def agent(self, agent_id: str) -> AgentView:
        view = agent_view(self.engine, agent_id)
        assert view is not None
        return view

    def interaction(self, interaction_id: str) -> InteractionView:
        view = interaction_view(self.engine, interaction_id)
        assert view is not None
        return view


def every(cls: type[Found], commands: Sequence[Command]) -> list[Found]:
    """The commands of this class, in order."""
    return [command for command in commands if isinstance(command, cls)]


def only(cls: type[Found], commands: Sequence[Command]) -> Found:
    """The one command of this class."""
    (found,) = every(cls, commands)
    return found
