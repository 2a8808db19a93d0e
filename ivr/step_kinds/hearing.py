"""Steps that let the caller hear something, or decide whether the call is answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from ivr.step_kinds.base import BaseStep, Place, Steps
from ivr.steps import Answer, Cause, End, Ending, Play
from ivr.values import Sounds, Texts

if TYPE_CHECKING:
    from ivr.progress import Progress


class AnswerStep(BaseStep):
    """Answer the call."""

    word = "answer"
    falls_through = True
    answer: None

    def take(self, call: Progress) -> Steps:
        yield Answer()
        return None


class RefuseStep(BaseStep):
    """End the call without answering it: the caller hears busy, or the network's notice."""

    word = "refuse"
    example = "refuse: busy"
    refuse: Literal["busy", "closed", "blocked"]

    def take(self, call: Progress) -> Steps:
        yield from ()
        return End(Ending.REFUSED, Cause(self.refuse), f"{call.flow} {call.node}")


class SayStep(BaseStep):
    """Say a text."""

    word = "say"
    example = "say: Welcome."
    falls_through = True
    say: Texts
    barge_in: bool = False

    def take(self, call: Progress) -> Steps:
        yield Play((call.say(self.say),), self.barge_in)
        return None

    def texts(self) -> Iterator[tuple[Place, Texts]]:
        yield ("say",), self.say


class PlayStep(BaseStep):
    """Play a sound file."""

    word = "play"
    example = "play: welcome.wav"
    falls_through = True
    play: Sounds
    barge_in: bool = False

    def take(self, call: Progress) -> Steps:
        yield Play((call.play(self.play),), self.barge_in)
        return None

    def sounds(self) -> Iterator[tuple[Place, Texts]]:
        yield ("play",), self.play
