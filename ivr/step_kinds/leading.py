"""Steps that only lead elsewhere, or end the call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ivr.step_kinds.base import BaseStep, Named, Steps, Target, Thing, Way
from ivr.steps import End, Ending
from ivr.values import Name

if TYPE_CHECKING:
    from ivr.progress import Progress


class GotoStep(BaseStep):
    """Go on at another node."""

    word = "goto"
    example = "goto: welcome"
    goto: Name

    @property
    def leads_to(self) -> str:
        return self.goto

    def exits(self) -> Mapping[Way, Target]:
        return {("goto",): self.goto}

    def take(self, call: Progress) -> Steps:
        yield from ()
        return ("goto",)


class FlowStep(BaseStep):
    """Go on at the start of another flow; the interpreter changes flows."""

    word = "flow"
    example = "flow: main"
    flow: Name

    @property
    def leads_to(self) -> str:
        return self.flow

    def named(self) -> Iterator[Named]:
        yield Named(Thing.FLOW, self.flow, ("flow",))


class HangupStep(BaseStep):
    """End the call as designed."""

    word = "hangup"
    hangup: None

    def take(self, call: Progress) -> Steps:
        yield from ()
        return End(Ending.DESIGNED)
