"""Steps about the call itself: whether it may be recorded, and what callers thought of it."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from ivr.errors import quote
from ivr.step_kinds.base import BaseStep, Place, Steps, Target, Way
from ivr.step_values import CONTINUE, Retries
from ivr.steps import Digits, Instruction, KeepAnswer, Play, Prompt, ReadDigits, RecordCall, Result
from ivr.values import Name, Part, Seconds, Texts, VariableName, wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ivr.progress import Progress

YES, NO = "1", "2"
#: What the agent reads of it, under this label.
LABEL = "recording"
MOST_QUESTIONS = 20


class RecordStep(BaseStep):
    """Record the call from here on: once the caller agrees, or has been told; or no longer."""

    word = "record"
    example = "record: ask"
    falls_through = True
    record: Literal["ask", "notice", "stop"]
    text: Texts | None = None
    wait_s: Seconds = Field(5.0, alias="wait")
    retries: Retries = 1
    agreed: Target = CONTINUE
    declined: Target = CONTINUE

    @model_validator(mode="after")
    def _fits(self) -> RecordStep:
        if self.record == "stop" and self.text is not None:
            raise wrong("record: stop says nothing: expected no text, or a say step before it")
        if self.record != "stop" and self.text is None:
            raise wrong(f"record: {self.record} needs text: expected what the caller hears before it is recorded")
        if self.record != "ask" and self.model_fields_set & {"wait_s", "retries", "agreed", "declined"}:
            raise wrong("wait, retries, agreed and declined go with record: ask, which waits for a key")
        return self

    def exits(self) -> Mapping[Way, Target]:
        return {("agreed",): self.agreed, ("declined",): self.declined} if self.record == "ask" else {}

    def take(self, call: Progress) -> Steps:
        if self.text is None:
            yield RecordCall("")
            return None
        if self.record == "notice":
            yield Play((call.say(self.text),))
            yield RecordCall("notice")
            call.choose(LABEL, "announced")
            return None
        agrees = yield from self._ask(call, self.text)
        yield RecordCall("yes" if agrees else "no")
        call.choose(LABEL, "agreed" if agrees else "declined")
        return ("agreed",) if agrees else ("declined",)

    def _ask(self, call: Progress, text: Texts) -> Generator[Instruction, Result, bool]:
        """Whether the caller agrees; who says nothing does not."""
        for _ in range(self.retries + 1):
            read = yield ReadDigits((call.say(text),), most=1, first_s=self.wait_s)
            assert isinstance(read, Digits)
            if read.pressed in (YES, NO):
                return read.pressed == YES
            call.miss(read)
        return False

    def texts(self) -> Iterator[tuple[Place, Texts]]:
        if self.text is not None:
            yield ("text",), self.text


def _answers(value: Any) -> str:
    """`1-5`, or one key: the keys that answer."""
    match = re.fullmatch("([0-9])(?:-([0-9]))?", str(value)) if isinstance(value, str | int) else None
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if first > last or isinstance(value, bool):
        raise wrong(f"{quote(value)} are not keys that answer: expected a range of digits such as 1-5")
    return "".join(map(str, range(first, last + 1)))


class Question(Part):
    """One question: what is said, under which name the answer is kept, and the keys that answer it."""

    ask: Texts
    id: VariableName
    keys: Annotated[
        str,
        BeforeValidator(_answers),
        WithJsonSchema({"anyOf": [{"type": "string", "pattern": "^[0-9](-[0-9])?$"}, {"type": "integer"}]}),
    ] = Field("12345", validate_default=False)


def _different(questions: tuple[Question, ...]) -> tuple[Question, ...]:
    names = [question.id for question in questions]
    if not 1 <= len(names) <= MOST_QUESTIONS or len(set(names)) < len(names):
        raise wrong(f"expected 1 to {MOST_QUESTIONS} questions, each with an id of its own")
    return questions


class SurveyStep(BaseStep):
    """Ask what the caller thought of it."""

    word = "survey"
    example = "survey: service"
    waits = True
    survey: Name
    questions: Annotated[tuple[Question, ...], AfterValidator(_different)]
    wait_s: Seconds = Field(5.0, alias="wait")
    retries: Retries = 1
    invalid: Texts | None = None
    done: Target = CONTINUE
    otherwise: Target = CONTINUE

    def exits(self) -> Mapping[Way, Target]:
        return {("done",): self.done, ("otherwise",): self.otherwise}

    def take(self, call: Progress) -> Steps:
        for question in self.questions:
            answer = yield from self._ask(call, question)
            if not answer:
                return ("otherwise",)
            call.keep(question.id, answer)
            yield KeepAnswer(self.survey, question.id, answer)
        return ("done",)

    def _ask(self, call: Progress, question: Question) -> Generator[Instruction, Result, str]:
        """The key that was pressed, empty for none that answers."""
        prompts: tuple[Prompt, ...] = (call.say(question.ask),)
        for _ in range(self.retries + 1):
            read = yield ReadDigits(prompts, most=1, first_s=self.wait_s)
            assert isinstance(read, Digits)
            if read.pressed and read.pressed in question.keys:
                return read.pressed
            call.miss(read)
            prompts = call.again(question.ask, self.invalid if read.pressed else None)
        return ""

    def texts(self) -> Iterator[tuple[Place, Texts]]:
        for at, question in enumerate(self.questions):
            yield ("questions", at, "ask"), question.ask
        if self.invalid is not None:
            yield ("invalid",), self.invalid

    def assigned(self) -> Iterator[tuple[Place, str]]:
        for at, question in enumerate(self.questions):
            yield ("questions", at, "id"), question.id
