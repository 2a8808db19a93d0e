"""Steps that bring the caller, their wish or their message to agents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from ivr.step_kinds.base import BaseStep, Named, Place, Steps, Target, Thing, Way
from ivr.step_values import CONTINUE, MessageLength, Preferred, Priority, Silence
from ivr.steps import End, Ending, Enqueue, MessageRecorded, Promise, QueueEnded, RecordMessage, Waiting
from ivr.values import Announcements, Name, Seconds, SkillChoice, SkillLevel, Texts, VariableName

if TYPE_CHECKING:
    from ivr.progress import Progress

#: How a wait for an agent may end.
QUEUE_EXITS = ("served", "timed_out", "full", "long_wait", "nobody", "closed")
#: The wait ended in a promise to call back; where nothing else is said, with the call.
PROMISED_EXIT = "promised"


class QueueStep(BaseStep):
    """Wait for an agent."""

    word = "queue"
    example = "queue: billing"
    waits = True
    answers = True
    serves = True
    queue: Name
    priority: Priority = 0
    skills: Mapping[Name, SkillLevel] = Field(default_factory=dict)
    any_skill: tuple[SkillChoice, ...] = ()
    prefer: Preferred = ()
    prefer_for_s: Seconds = Field(30.0, alias="prefer_for")
    attributes: Mapping[VariableName, str] = Field(default_factory=dict)
    announcement: Announcements | None = None
    announce_every_s: Seconds | None = Field(None, alias="announce_every")
    max_wait_s: Seconds | None = Field(None, alias="max_wait")
    music: Name | None = None
    served: Target | None = None
    timed_out: Target | None = None
    full: Target | None = None
    long_wait: Target | None = None
    nobody: Target | None = None
    closed: Target | None = None
    promised: Target | None = None
    then: Target = CONTINUE

    @property
    def leads_to(self) -> str:
        return self.queue

    def exits(self) -> Mapping[Way, Target]:
        named = {way: getattr(self, way) for way in QUEUE_EXITS}
        given: dict[Way, Target] = {(way,): to for way, to in named.items() if to is not None}
        if len(given) < len(named):
            given["then",] = self.then
        return given if self.promised is None else {**given, (PROMISED_EXIT,): self.promised}

    def take(self, call: Progress) -> Steps:
        queue = call.site.queues[self.queue]
        ended = yield Enqueue(
            waiting=self._waiting(call),
            priority=self.priority,
            skills=tuple(sorted(self.skills.items())),
            any_skill=tuple(tuple(choice.items()) for choice in self.any_skill),
            attributes=call.attributes(self.attributes),
            max_wait_s=queue.max_wait_s if self.max_wait_s is None else self.max_wait_s,
            preferred=tuple(dict.fromkeys(filter(None, map(call.fill, self.prefer)))),
            preferred_s=self.prefer_for_s if self.prefer else 0.0,
        )
        assert isinstance(ended, QueueEnded)
        exits = self.exits()
        if ended.outcome == PROMISED_EXIT and (PROMISED_EXIT,) not in exits:
            return End(Ending.DESIGNED)
        return next((way for way in ((ended.outcome,), ("then",)) if way in exits), None)

    def _waiting(self, call: Progress) -> Waiting:
        """The queue's way of waiting, with what the step says in place of it."""
        waiting = call.waiting_in(self.queue)
        if self.announcement is not None:
            waiting = replace(waiting, comfort=tuple(call.say(each) for each in self.announcement))
        if self.announce_every_s is not None:
            waiting = replace(waiting, announce_every_s=self.announce_every_s)
        return waiting if self.music is None else replace(waiting, music=self.music)

    def texts(self) -> Iterator[tuple[Place, Texts]]:
        for at, announcement in enumerate(self.announcement or ()):
            yield ("announcement", at), announcement

    def values(self) -> Iterator[tuple[Place, str]]:
        for at, agent in enumerate(self.prefer):
            yield ("prefer", at), agent
        for name, value in self.attributes.items():
            yield ("attributes", name), value

    def named(self) -> Iterator[Named]:
        yield Named(Thing.QUEUE, self.queue, ("queue",))
        for skill in self.skills:
            yield Named(Thing.SKILL, skill, ("skills", skill), at_key=True)
        for at, choice in enumerate(self.any_skill):
            for skill in choice:
                yield Named(Thing.SKILL, skill, ("any_skill", at, skill), at_key=True)


class CallbackStep(BaseStep):
    """Promise to call the caller back."""

    word = "callback"
    example = "callback: billing"
    waits = True
    serves = True
    callback: Name
    priority: Priority = 0
    attributes: Mapping[VariableName, str] = Field(default_factory=dict)
    promised: Target = CONTINUE
    otherwise: Target = CONTINUE

    def exits(self) -> Mapping[Way, Target]:
        return {("promised",): self.promised, ("otherwise",): self.otherwise}

    def take(self, call: Progress) -> Steps:
        wish = Promise(self.callback, "", self.priority, call.attributes(self.attributes))
        is_promised = yield from call.promise(wish)
        return ("promised",) if is_promised else ("otherwise",)

    def values(self) -> Iterator[tuple[Place, str]]:
        for name, value in self.attributes.items():
            yield ("attributes", name), value

    def named(self) -> Iterator[Named]:
        yield Named(Thing.CALLING_BACK, self.callback, ("callback",))


class VoicemailStep(BaseStep):
    """Record a message."""

    word = "voicemail"
    example = "voicemail: Please leave a message."
    falls_through = True
    waits = True
    answers = True
    voicemail: Texts
    queue: Name | None = None
    priority: Priority = 0
    attributes: Mapping[VariableName, str] = Field(default_factory=dict)
    at_most_s: MessageLength = Field(120.0, alias="at_most")
    silence_s: Silence = Field(5.0, alias="silence")
    otherwise: Target = CONTINUE

    def exits(self) -> Mapping[Way, Target]:
        return {("otherwise",): self.otherwise}

    def take(self, call: Progress) -> Steps:
        recorded = yield RecordMessage(
            (call.say(self.voicemail),),
            self.at_most_s,
            self.silence_s,
            self.queue or "",
            self.priority,
            call.attributes(self.attributes) if self.queue else (),
        )
        assert isinstance(recorded, MessageRecorded)
        return None if recorded.file else ("otherwise",)

    def texts(self) -> Iterator[tuple[Place, Texts]]:
        yield ("voicemail",), self.voicemail

    def values(self) -> Iterator[tuple[Place, str]]:
        for name, value in self.attributes.items():
            yield ("attributes", name), value

    def named(self) -> Iterator[Named]:
        if self.queue is not None:
            yield Named(Thing.MESSAGES, self.queue, ("queue",))
