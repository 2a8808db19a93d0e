"""Steps that let the caller hear something, or decide whether the call is answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from ivr.step_kinds.base import BaseStep, Place, Steps
from ivr.steps import Answer, Cause, End, Ending, Play, PlayMusic
from ivr.values import Name, Seconds, Sounds, Texts, wrong

if TYPE_CHECKING:
    from ivr.progress import Progress


class AnswerStep(BaseStep):
    """Answer the call."""

    word = "answer"
    falls_through = True
    answers = True
    answer: None

    def take(self, call: Progress) -> Steps:
        yield Answer()
        return None


class RefuseStep(BaseStep):
    """End the call without answering it: the caller hears busy, or the network's notice."""

    word = "refuse"
    example = "refuse: busy"
    once_answered = "hangup: busy, for example"
    refuse: Literal["busy", "closed", "blocked"]

    def take(self, call: Progress) -> Steps:
        yield from ()
        return End(Ending.REFUSED, Cause(self.refuse), f"{call.flow} {call.node}")


class EarlyStep(BaseStep):
    """Say a text, or play music, before the call is answered: it costs the caller nothing."""

    word = "early"
    example = "early: Please hold the line."
    falls_through = True
    once_answered = "say or play, or this step before the one that answers"
    early: Texts | None
    music: Name | None = None
    for_s: Seconds = Field(5.0, alias="for")

    @model_validator(mode="after")
    def _something(self) -> EarlyStep:
        if self.early is None and self.music is None:
            raise wrong("nothing to hear: expected a text after early:, or music:")
        if self.music is None and "for_s" in self.model_fields_set:
            raise wrong("for says how long music plays: expected music: with it")
        return self

    def take(self, call: Progress) -> Steps:
        if self.early is not None:
            yield Play((call.say(self.early),))
        if self.music is not None:
            yield PlayMusic(self.music, self.for_s)
        return None

    def texts(self) -> Iterator[tuple[Place, Texts]]:
        if self.early is not None:
            yield ("early",), self.early


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
