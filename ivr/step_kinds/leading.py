"""Steps that only lead elsewhere, or end the call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ivr.step_kinds.base import BaseStep, Enter, Jump, Named, Place, Return, Steps, Target, Thing, Way
from ivr.step_values import CONTINUE
from ivr.steps import Cause, End, Ending
from ivr.values import Name, VariableName

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
    """Go on at the start of another flow."""

    word = "flow"
    example = "flow: main"
    flow: Name

    @property
    def leads_to(self) -> str:
        return self.flow

    def take(self, call: Progress) -> Steps:
        yield from ()
        return Jump(self.flow)

    def named(self) -> Iterator[Named]:
        yield Named(Thing.FLOW, self.flow, ("flow",))


class SubflowStep(BaseStep):
    """Go through another flow, and come back."""

    word = "subflow"
    example = "subflow: identify"
    subflow: Name
    with_: Mapping[VariableName, str] = Field(default_factory=dict, alias="with")
    returns: Mapping[Name, Target] = Field(default_factory=dict)
    then: Target = CONTINUE

    def exits(self) -> Mapping[Way, Target]:
        return {**{("returns", way): target for way, target in self.returns.items()}, ("then",): self.then}

    def way_of(self, word: str) -> Way:
        """The way out for what the other flow returned by."""
        return ("returns", word) if word in self.returns else ("then",)

    def take(self, call: Progress) -> Steps:
        yield from ()
        return Enter(self.subflow, {name: call.fill(value) for name, value in self.with_.items()})

    def values(self) -> Iterator[tuple[Place, str]]:
        for name, value in self.with_.items():
            yield ("with", name), value

    def assigned(self) -> Iterator[tuple[Place, str]]:
        for name in self.with_:
            yield ("with", name), name

    def named(self) -> Iterator[Named]:
        yield Named(Thing.FLOW, self.subflow, ("subflow",))


class ReturnStep(BaseStep):
    """Come back from a flow that another one goes through."""

    word = "return"
    return_: Name | None = Field(alias="return")

    def take(self, call: Progress) -> Steps:
        yield from ()
        return Return(self.return_ or "")


class HangupStep(BaseStep):
    """End the call as designed; the network is told why."""

    word = "hangup"
    hangup: Literal["normal", "busy", "congestion", "closed", "blocked", "unallocated"] | None

    def take(self, call: Progress) -> Steps:
        yield from ()
        return End(Ending.DESIGNED, Cause(self.hangup or Cause.NORMAL))
