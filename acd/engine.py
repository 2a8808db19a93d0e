"""The decision: `Engine.handle(event, now) -> commands`.

The engine is the only thing in `acd` that changes. Same events at the same instants give the same commands, byte
for byte, in any process: no clock, no randomness, no order of sets or hashes decides anything. Each event is
applied, who waited too long is given away, more agents are let in where nobody is signed in, waiting interactions and
ready agents are matched, and what it touched is verified and shown.

Late, doubled and inapplicable events change nothing and are counted in `counts` as `EventName:why`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from acd.commands import Command
from acd.configuration import validate
from acd.errors import TimeOrderError
from acd.events import ConfigurationChanged, Event
from acd.floor import Floor
from acd.invariants import FULL_CHECK_EVERY, repair_all, repair_touched
from acd.model import Configuration
from acd.overflows import overflow
from acd.pairing import match
from acd.reactions import REACTIONS
from acd.showing import note_shown, publish
from acd.steps import settle


class Engine:
    """Who gets which interaction. One owner calls it; it keeps nothing outside itself."""

    def __init__(self, configuration: Configuration, now: int) -> None:
        """Start empty: everybody logged out, phones and desktops gone until events say otherwise.

        Raises ConfigurationError when the configuration contradicts itself.
        """
        validate(configuration)
        self._floor = Floor(configuration, now)
        for profile in configuration.agents:
            self._floor.add_agent(profile)
        self._floor.reindex()
        note_shown(self._floor)

    @classmethod
    def on(cls, floor: Floor) -> Engine:
        """An engine on a floor that was read back (`acd.snapshot.restore`)."""
        engine = cls.__new__(cls)
        engine._floor = floor
        return engine

    @property
    def floor(self) -> Floor:
        """The state, for `acd` itself (snapshot, invariants); others read `acd.snapshot.board`."""
        return self._floor

    @property
    def configuration(self) -> Configuration:
        return self._floor.configuration

    @property
    def now(self) -> int:
        """The instant of the last event."""
        return self._floor.now

    @property
    def counts(self) -> Mapping[str, int]:
        """Ignored events as `EventName:why`, broken invariants as `violation:name`, repairs as `repair:name`."""
        return MappingProxyType(self._floor.counts)

    def next_due(self) -> int | None:
        """The earliest deadline (µs), at which the driver sends ClockReached; None when none runs."""
        return self._floor.next_due()

    def handle(self, event: Event, now: int) -> tuple[Command, ...]:
        """Apply one event at `now` (µs, never backwards) and answer with orders and facts, in order.

        Raises TimeOrderError when `now` went back and ConfigurationError for rules that contradict themselves;
        in both cases nothing has changed.
        """
        floor = self._floor
        if now < floor.now:
            raise TimeOrderError(f"now went back: expected at least {floor.now} µs, got {now} µs")
        apply = REACTIONS.get(type(event))
        if apply is None:
            raise TypeError(f"expected an event of acd.events, got {event!r}")
        if isinstance(event, ConfigurationChanged):
            validate(event.configuration)
        floor.now = now
        floor.handled += 1
        apply(floor, event)
        if floor.returned or floor.changed:
            overflow(floor)
        settle(floor)
        match(floor)
        self._verify()
        publish(floor)
        answer = tuple(floor.out)
        floor.out.clear()
        return answer

    def _verify(self) -> None:
        floor = self._floor
        repaired = repair_touched(floor)
        if floor.handled % FULL_CHECK_EVERY == 0:
            repaired += repair_all(floor)
        if repaired:
            overflow(floor)
            settle(floor)
            match(floor)
