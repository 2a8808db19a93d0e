"""A dispatcher on a real engine and a real journal, with fakes around it and a clock that a test moves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from acd.commands import Command, Order
from acd.engine import Engine
from acd.events import DesktopChanged, InteractionArrived, InteractionQueued, PhoneChanged, PresenceChosen
from acd.model import Configuration, Desktop, Phone, Presence
from cti.dispatcher import Dispatcher
from cti.journal import Journal
from tests.acd.desk import SITE
from tests.fakes.clock import FakeClock
from tests.fakes.desktops import FakeDesktops
from tests.fakes.records import FakeRecords

Found = TypeVar("Found")


class Office:
    """What a dispatcher needs, and what came out of it: `heard` (every command) and `orders`."""

    def __init__(self, folder: Path, configuration: Configuration = SITE, *, bytes_per_segment: int = 8 << 20) -> None:
        self.clock = FakeClock()
        self.journal = Journal(folder)
        self.journal.open()
        self.engine = Engine(configuration, self.clock.now())
        self.journal.begin_segment(self.engine, self.clock.now())
        self.records = FakeRecords()
        self.desktops = FakeDesktops()
        self.dispatcher = Dispatcher(
            self.engine, self.journal, self.clock, self.records, self.desktops, bytes_per_segment=bytes_per_segment
        )
        self.heard: list[Command] = []
        self.orders: list[Order] = []
        self.dispatcher.watch(self._hear)
        self.dispatcher.on_order = self.orders.append

    def _hear(self, commands: Sequence[Command], now: int) -> None:
        self.heard.extend(commands)

    def every(self, kind: type[Found]) -> list[Found]:
        """Commands of this kind so far."""
        return [command for command in self.heard if isinstance(command, kind)]

    def last(self, kind: type[Found]) -> Found:
        return self.every(kind)[-1]

    def sign_in(self, *agent_ids: str) -> None:
        """Phone free, desktop there, ready."""
        for agent_id in agent_ids:
            self.dispatcher.submit(PhoneChanged(agent_id, Phone.FREE))
            self.dispatcher.submit(DesktopChanged(agent_id, Desktop.THERE))
            self.dispatcher.submit(PresenceChosen(agent_id, Presence.READY))

    def call(self, interaction_id: str, queue: str = "billing", priority: int = 0) -> None:
        """A caller arrives and asks for an agent."""
        self.dispatcher.submit(InteractionArrived(interaction_id, "+4930123456", "100", "main"))
        self.dispatcher.submit(InteractionQueued(interaction_id, queue, priority))

    def close(self) -> None:
        self.journal.close()
