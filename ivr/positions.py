"""YAML text to plain values whose every place in the file is known.

Works on ruamel's event stream (YAML 1.2), not on its constructed objects, because only the events still have
the source text (`0123`), the quotes, every duplicate key and every anchor. Marks stand beside the values, in a
table by path, so that values stay plain. Lines and columns count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from ivr.errors import Problem, quote

Path = tuple[str | int, ...]
Value = None | bool | int | float | str | tuple["Value", ...] | dict[str, "Value"]

MOST_BYTES = 512 * 1024
MOST_DEPTH = 24
#: A flow of 500 nodes with four steps each has 12,000; so many take the parser most of a second.
MOST_VALUES = 16_000
MOST_REPEATED = 100
_TOO_MANY = f"more than {MOST_VALUES} values: expected a smaller file"

_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,18}|[0-9]{1,18}(\.[0-9]{0,18})?)([eE][-+]?[0-9]{1,2})?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
#: The same by an escape of a quoted text, and halves of characters, which no file, database or message can hold.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
#: A line that begins a value. Lines within a text may look the same; no text has so many of them.
_VALUE_LINE = re.compile(r"^ *(?:- |[\w.-]+:(?: |$))", re.MULTILINE)
_LOST_HASH = re.compile(r"^(\s*)#\s*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one value stands: its own place, its key's place, and its source text if it is a scalar."""

    value: Mark
    key: Mark
    text: str = ""
    is_quoted: bool = True
    key_is_quoted: bool = True
    style: str = ""


@dataclass(slots=True)
class Document:
    """One file as plain values (sequences are tuples, keys are always text) with a mark for each."""

    file: str
    value: Value = None
    entries: dict[Path, Entry] = field(default_factory=dict)

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem:
        """A problem at `path`, or at the nearest place around it that stands in the file."""
        entry = self.entry(path)
        mark = entry.key if at_key else entry.value
        return Problem(self.file, mark.line, mark.column, message)

    def entry(self, path: Path) -> Entry:
        """The entry at `path`, or of the nearest value around it."""
        while path not in self.entries and path:
            path = path[:-1]
        return self.entries.get(path, Entry(Mark(1, 1), Mark(1, 1)))


class _Refused(Exception):
    def __init__(self, mark: Any, message: str) -> None:
        self.line, self.column = mark.line + 1, mark.column + 1
        self.message = message


def read_document(file: str, content: bytes) -> tuple[Document | None, list[Problem]]:
    """Read one file. The document is None when nothing of it can be relied on; the problems say why."""
    if len(content) > MOST_BYTES:
        return None, [Problem(file, 1, 1, f"the file has more than {MOST_BYTES} bytes: expected a smaller one")]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return None, [Problem(file, line, 1, f"byte 0x{content[error.start]:02x} is not UTF-8: expected UTF-8 text")]
    if (found := _CONTROL.search(text)) is not None:
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        return None, [Problem(file, line, column, f"character 0x{ord(found[0]):02x} cannot stand in a file: remove it")]
    if (place := _overflow(text)) is not None:
        line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
        return None, [Problem(file, line, column, _TOO_MANY)]
    builder = _Builder(Document(file))
    lost = [_lost_hash(file, text, match) for match in _LOST_HASH.finditer(text)]
    try:
        builder.build(YAML(typ="safe", pure=True).parse(text))
    except _Refused as error:
        return None, [*lost, *builder.problems, Problem(file, error.line, error.column, error.message)]
    except YAMLError as error:
        return None, [*lost, _syntax_problem(file, error)]
    return builder.document, lost + builder.problems


def _overflow(text: str) -> int | None:
    """Where there are too many values, as far as that shows without a parser, which takes 50 µs for each."""
    if text.count("\n") > MOST_VALUES and (found := _beyond(_VALUE_LINE.finditer(text))) is not None:
        return found
    if text.count(",") > MOST_VALUES:
        for line in re.finditer(".+", text):
            if line[0].count(",") > MOST_VALUES:
                return line.start()
    return None


def _beyond(values: Iterator[re.Match[str]]) -> int | None:
    """Where the first stands that is one too many."""
    found = next(islice(values, MOST_VALUES, None), None)
    return None if found is None else found.start()


def _lost_hash(file: str, text: str, match: re.Match[str]) -> Problem:
    line = text.count("\n", 0, match.end()) + 1
    return Problem(
        file, line, len(match[1]) + 1, 'a line that begins with "#:" is only a comment: write hash for the key #'
    )


_HINTS = {
    "mapping values are not allowed here": 'a text with ": " in it needs quotes, keys of one block equal indentation',
    "found character '\\t' that cannot start any token": "indent with spaces, not with tabs",
    "found unexpected end of stream": "a quote is not closed",
    "expected <block end>, but found '<scalar>'": "check the indentation and the quotes",
    "expected <block end>, but found '<block sequence start>'": "check the indentation",
}


def _syntax_problem(file: str, error: YAMLError) -> Problem:
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return Problem(file, 1, 1, f"not YAML: {str(error).splitlines()[0]}")
    said = str(error.problem)
    hint = _HINTS.get(said, error.context or "check the line and the one before it")
    mark = error.problem_mark
    return Problem(file, mark.line + 1, mark.column + 1, f"not YAML: {said}: {hint}")


class _Builder:
    """Folds the event stream into a document; recursion is bounded by `MOST_DEPTH`."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self.values = 0

    def build(self, events: Iterator[Any]) -> None:
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Refused(event.start_mark, "a second document begins here: expected one document per file")
                if event.version not in (None, (1, 2)):
                    raise _Refused(event.start_mark, "a %YAML directive of another version: expected YAML 1.2")
            elif isinstance(event, NodeEvent):
                self.document.value = self._value(events, event, (), event, True)

    def _value(self, events: Iterator[Any], event: Any, path: Path, key: Any, key_is_quoted: bool) -> Value:
        self._check(event, path)
        scalar = isinstance(event, ScalarEvent)
        style = (event.style or "") if scalar else ""
        text = event.value if scalar else ""
        # An empty value has no place of its own: the parser puts it where the next token begins.
        place = key if scalar and not style and not text else event
        self.document.entries[path] = Entry(
            _mark(place), _mark(key), text, bool(style) or not scalar, key_is_quoted, style
        )
        if isinstance(event, SequenceStartEvent):
            return self._sequence(events, path)
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, path)
        return event.value if style else _plain(event.value)

    def _check(self, event: Any, path: Path) -> None:
        self.values += 1
        if self.values > MOST_VALUES:
            raise _Refused(event.start_mark, _TOO_MANY)
        if len(path) > MOST_DEPTH:
            raise _Refused(event.start_mark, f"nested deeper than {MOST_DEPTH} levels: name a node and go there")
        if isinstance(event, AliasEvent):
            hint = " (for the key * write star)" if str(event.anchor).startswith(":") else ""
            raise _Refused(
                event.start_mark, f"an alias (*{event.anchor}) is not allowed here: write the value out{hint}"
            )
        if event.anchor is not None:
            raise _Refused(event.start_mark, f"an anchor (&{event.anchor}) is not allowed here: write the value out")
        if event.tag is not None:
            raise _Refused(event.start_mark, f"a tag ({_short(event.tag)}) is not allowed here: remove it")
        if isinstance(event, ScalarEvent) and (found := _UNWRITABLE.search(event.value)) is not None:
            code = f"0x{ord(found[0]):02x}"
            raise _Refused(
                event.start_mark, f"character {code}, written as an escape, cannot stand in a file: remove it"
            )

    def _sequence(self, events: Iterator[Any], path: Path) -> Value:
        values: list[Value] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            values.append(self._value(events, event, (*path, len(values)), event, True))
        return tuple(values)

    def _mapping(self, events: Iterator[Any], path: Path) -> Value:
        values: dict[str, Value] = {}
        while not isinstance(key := next(events), MappingEndEvent):
            if not isinstance(key, ScalarEvent):
                self._check(key, path)
                raise _Refused(key.start_mark, "a list or a mapping cannot be a key: expected a word")
            self._check(key, path)
            name = str(key.value)
            if name in values:
                self._repeated(name, key, self.document.entries[(*path, name)])
                # Read on under a path that nothing looks up, so that the first value keeps its places.
                self._value(events, next(events), (*path, f"{name} again"), key, True)
            else:
                values[name] = self._value(events, next(events), (*path, name), key, bool(key.style))
        return values

    def _repeated(self, name: str, key: Any, earlier: Entry) -> None:
        message = f"{quote(name)} stands here twice: first at line {earlier.key.line}, column {earlier.key.column}"
        mark = _mark(key)
        if len(self.problems) >= MOST_REPEATED:
            raise _Refused(key.start_mark, f"{message}; more than {MOST_REPEATED} keys of this file do")
        self.problems.append(Problem(self.document.file, mark.line, mark.column, message))


def _short(tag: object) -> str:
    return str(tag).replace("tag:yaml.org,2002:", "!!")


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _plain(text: str) -> Value:
    """An unquoted scalar by the core schema of YAML 1.2: `on`, `12:30` and dates are text."""
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
