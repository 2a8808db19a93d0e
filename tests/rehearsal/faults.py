"""The engine with one planted fault each: what a proof of the engine must be able to see."""

from __future__ import annotations

from dataclasses import replace
from heapq import heappop, heappush

from acd.commands import Command, TalkClosed, VisitOpened
from acd.engine import Engine
from acd.events import CallerLeft, ClockReached, Event, InteractionQueued, WrapUpEnded
from acd.model import Configuration, Stage
from acd.snapshot import interaction_view
from rehearsal.day import START_AT


class Faulty:
    """The real engine behind a wrapper that hears or tells something wrong."""

    def __init__(self, configuration: Configuration, now: int) -> None:
        self.engine = Engine(configuration, now)

    def next_due(self) -> int | None:
        return self.engine.next_due()

    def handle(self, event: Event, now: int) -> tuple[Command, ...]:
        return self.engine.handle(self.heard(event, now), now)

    def heard(self, event: Event, now: int) -> Event:
        return event


class LastComesFirst(Faulty):
    """The later somebody asks, the earlier they are said to have asked."""

    def heard(self, event: Event, now: int) -> Event:
        return replace(event, first_asked_at=2 * START_AT - now) if isinstance(event, InteractionQueued) else event


class PriorityIgnored(Faulty):
    def heard(self, event: Event, now: int) -> Event:
        return replace(event, priority=0) if isinstance(event, InteractionQueued) else event


class SkillsIgnored(Faulty):
    def heard(self, event: Event, now: int) -> Event:
        return replace(event, requirements=()) if isinstance(event, InteractionQueued) else event


class PlaceLostAtOverflow(Faulty):
    """Whoever is queued a second time stands behind everybody."""

    def __init__(self, configuration: Configuration, now: int) -> None:
        super().__init__(configuration, now)
        self.queued: set[str] = set()

    def heard(self, event: Event, now: int) -> Event:
        if not isinstance(event, InteractionQueued):
            return event
        again = event.interaction_id in self.queued
        self.queued.add(event.interaction_id)
        return replace(event, priority=event.priority - 1) if again else event


class WrapUpSkipped(Faulty):
    """A talk's end frees the agent at once."""

    def handle(self, event: Event, now: int) -> tuple[Command, ...]:
        commands = self.engine.handle(event, now)
        for command in commands:
            if isinstance(command, TalkClosed) and command.wrap_up_until:
                ended = WrapUpEnded(command.agent_id, command.interaction_id)
                commands += self.engine.handle(ended, now)
        return commands


class PatienceRestarted(Faulty):
    """Callers who were moved to a second queue, by their flow or by the engine's rule, are heard to leave only when
    their patience has run anew."""

    def __init__(self, configuration: Configuration, now: int) -> None:
        super().__init__(configuration, now)
        self.moved_after: dict[str, int] = {}
        self.held_back: list[tuple[int, str]] = []

    def next_due(self) -> int | None:
        dues = [due for due in (self.engine.next_due(), self.held_back[0][0] if self.held_back else None) if due]
        return min(dues, default=None)

    def handle(self, event: Event, now: int) -> tuple[Command, ...]:
        commands = self._held_back(event, now)
        for command in commands:
            if isinstance(command, VisitOpened) and now > command.first_asked_at:
                self.moved_after[command.interaction_id] = now - command.first_asked_at
        return commands

    def _held_back(self, event: Event, now: int) -> tuple[Command, ...]:
        if isinstance(event, CallerLeft) and self._waits(event.interaction_id):
            after = self.moved_after.pop(event.interaction_id, 0)
            if after:
                heappush(self.held_back, (now + after, event.interaction_id))
                return ()
        commands: tuple[Command, ...] = ()
        while isinstance(event, ClockReached) and self.held_back and self.held_back[0][0] <= now:
            _, interaction_id = heappop(self.held_back)
            if self._waits(interaction_id):
                commands += self.engine.handle(CallerLeft(interaction_id), now)
        return commands + self.engine.handle(event, now)

    def _waits(self, interaction_id: str) -> bool:
        found = interaction_view(self.engine, interaction_id)
        return found is not None and found.stage is Stage.QUEUED
