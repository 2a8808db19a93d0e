"""Tests of flows as they stand in a site's `tests/*.yaml`: who calls, what is heard and pressed, what is expected."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path as Folder
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from ivr.conditions import is_number, is_yes_or_no
from ivr.errors import Problem, did_you_mean, one_of, quote
from ivr.lint import takes_no_messages, unknown
from ivr.messages import problems_of
from ivr.past_calls import NO_HISTORY
from ivr.positions import Document, Path, read_document
from ivr.settings import CUSTOMER_FIELDS
from ivr.site import Site
from ivr.step_values import PIN
from ivr.turns import TURNS, Expected, Expects, HangsUp, Presses, Turn
from ivr.values import Part, PhoneNumber, VariableName, wrong

#: Under this key of a customer stands a telephone number; it is no field that flows see.
NUMBER = "number"

#: Whether a customer is a VIP: as it is written → as flows see it.
YES_NO = {"yes": "true", "no": "false", "true": "true", "false": "false"}

Model = TypeVar("Model", bound=Part)


def _instant(value: Any) -> datetime:
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}", value):
            raise ValueError(value)
        return datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise wrong(f"{quote(value)} is not a time: expected a date and a time such as 2026-11-23T10:00") from None


def _yes_no(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _record(fields: Mapping[str, str]) -> Mapping[str, str]:
    vip = fields.get("vip", "no")
    if vip not in YES_NO:
        raise wrong(f"vip {quote(vip)}: expected yes or no")
    return {**fields, "vip": YES_NO[vip]}


def _history(value: Any) -> Any:
    """Numbers and yes or no are written as such, and are the texts that flows keep."""
    if not isinstance(value, dict):
        return value
    known = [name.removeprefix("history.") for name in NO_HISTORY]
    for name in value:
        if name not in known:
            raise wrong(f"unknown word {quote(name)} of history: {one_of(known)}{did_you_mean(name, known)}")
    written = {name: str(each).lower() if isinstance(each, bool | int) else each for name, each in value.items()}
    for name, each in written.items():
        if is_number(f"history.{name}") and not re.fullmatch(r"[0-9]{1,6}", str(each)):
            raise wrong(f"{name} {quote(each)}: expected a number")
        if is_yes_or_no(f"history.{name}"):
            if each not in YES_NO:
                raise wrong(f"{name} {quote(each)}: expected yes or no")
            written[name] = YES_NO[each]
    return written


def _some(entries: tuple[Any, ...]) -> tuple[Any, ...]:
    if not entries:
        raise wrong("the dialogue is empty: expected at least one entry, such as - hears: Welcome")
    return entries


#: Local time of the site.
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$"}),
]
History = Annotated[
    Mapping[VariableName, str],
    BeforeValidator(_history),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}]},
        }
    ),
]
Record = Annotated[Mapping[VariableName, Annotated[str, BeforeValidator(_yes_no)]], AfterValidator(_record)]


class Given(Part):
    """Who calls, which number, when, and which customers there are. No `caller`: the number is withheld.

    `customer` is the one who calls from the caller's number; `customers` are others, with a `number` of their own.
    """

    number: PhoneNumber
    at: Instant
    caller: PhoneNumber | None = None
    customer: Record | None = None
    customers: tuple[Record, ...] = ()
    history: History = Field(default_factory=dict)

    @property
    def remembered(self) -> Mapping[str, str]:
        """The variables of earlier calls; what is not given is as if there was none."""
        return {f"history.{name}": value for name, value in self.history.items()}


class FlowTest(Part):
    """One test as it is written; the dialogue's entries are read one by one."""

    given: Given
    dialogue: Annotated[tuple[Any, ...], AfterValidator(_some)]


@dataclass(frozen=True, slots=True)
class ReadTest:
    """A test that can be run, with its places in the file. `turns`: each with its place."""

    document: Document
    name: str
    given: Given
    turns: tuple[tuple[Path, Turn], ...]

    def problem(self, path: Path, message: str) -> Problem:
        """Something at a place of this test, which is named."""
        return self.document.problem(path, f"{self.name}: {message}")


def files_of_tests(site: Site) -> tuple[list[Folder], list[Problem]]:
    """The files of tests that a site has, and those that only look like it."""
    folder = site.folder / "tests"
    stray = [
        Problem(f"tests/{file.name}", 1, 1, "this file is not read: expected the ending .yaml")
        for file in sorted(folder.glob("*.yml"))
    ]
    return sorted(folder.glob("*.yaml")), stray


def read_tests(site: Site, file: str, content: bytes) -> tuple[list[ReadTest], list[Problem]]:
    """The tests of one file, and everything that is wrong with it. A test with problems is left out."""
    document, problems = read_document(file, content)
    if document is None:
        return [], problems
    entries = {} if document.value is None else document.value
    if not isinstance(entries, dict):
        return [], [*problems, document.problem((), "expected tests by name, such as billing by key:")]
    reading = _Reading(site, document)
    tests = [reading.test(name, value) for name, value in entries.items()]
    return [test for test in tests if test is not None], [*problems, *reading.problems]


class _Reading:
    def __init__(self, site: Site, document: Document) -> None:
        self.site = site
        self.document = document
        self.problems: list[Problem] = []

    def test(self, name: str, value: Any) -> ReadTest | None:
        before = len(self.problems)
        test = self._model(FlowTest, value, (name,))
        if test is None:
            return None
        self.problems += self._unknown_fields(test.given, (name, "given"))
        turns = [
            (place, turn)
            for at, each in enumerate(test.dialogue)
            if (turn := self._turn(each, place := (name, "dialogue", at))) is not None
        ]
        if len(self.problems) > before:
            return None
        return ReadTest(self.document, name, test.given, tuple(turns))

    def _turn(self, value: Any, place: Path) -> Turn | None:
        if value == HangsUp.word:
            value = {value: None}
        if not isinstance(value, dict) or not value:
            self.problems.append(
                self.document.problem(place, f"expected an entry such as - hears: Welcome, {_known()}")
            )
            return None
        word = next((key for key in value if key in TURNS), None)
        if word is None:
            first = next(iter(value))
            message = f"unknown entry {quote(first)}: {_known()}{did_you_mean(first, TURNS)}"
            self.problems.append(self.document.problem((*place, first), message, at_key=True))
            return None
        if word == Presses.word and isinstance(value[word], int):
            # As it is written: a leading zero is a key too.
            value = {**value, word: self.document.entry((*place, word)).text}
        turn = self._model(TURNS[word], value, place)
        if isinstance(turn, Expects):
            self.problems += self._unknown_names(turn.expects, (*place, word))
        return turn

    def _model(self, model: type[Model], value: Any, place: Path) -> Model | None:
        try:
            return TypeAdapter(model).validate_python({} if value is None else value)
        except ValidationError as error:
            self.problems += problems_of(self.document, model, error, place)
            return None

    def _unknown_names(self, expected: Expected, place: Path) -> Iterator[Problem]:
        site = self.site
        for word in ("queue", "callback", "message"):
            queue = getattr(expected, word)
            if queue is not None and queue not in site.queues:
                yield self.document.problem((*place, word), unknown("queue", queue, site.queues))
        if expected.message is not None and expected.message in site.queues:
            if site.queues[expected.message].medium != "message":
                yield self.document.problem((*place, "message"), takes_no_messages(expected.message))
        for skill in expected.skills or ():
            if skill not in site.skills:
                yield self.document.problem(
                    (*place, "skills", skill), unknown("skill", skill, site.skills), at_key=True
                )
        if expected.language is not None and expected.language not in site.settings.languages:
            message = unknown("language", expected.language, site.settings.languages)
            yield self.document.problem((*place, "language"), message)

    def _unknown_fields(self, given: Given, place: Path) -> Iterator[Problem]:
        known = [*CUSTOMER_FIELDS, *self.site.settings.customer_fields, NUMBER, PIN]
        records: list[tuple[Path, Mapping[str, str]]] = [
            ((*place, "customers", at), record) for at, record in enumerate(given.customers)
        ]
        if given.customer is not None:
            records.append(((*place, "customer"), given.customer))
        for path, record in records:
            for name in record:
                if name not in known:
                    yield self.document.problem((*path, name), unknown("field", name, known), at_key=True)


def _known() -> str:
    return one_of(TURNS)
