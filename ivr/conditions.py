"""Conditions of a flow: CEL behind our own small border.

CEL has no loops and no access to Python. What it lacks is a time limit, so comprehensions (`all`, `map` …) are
refused and the text is short. Variables of a call are text, save those that are true or false (`customer.vip`,
`history.open_case`) and numbers (`customer.matches`, `history.calls_today`, `history.minutes_since_last`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import cel

from ivr.errors import IvrError, did_you_mean, one_of, quote
from ivr.past_calls import NO_HISTORY

MOST_CHARACTERS = 400
MOST_VALUE_CHARACTERS = 256

#: All that may be called in a condition.
FUNCTIONS = ("contains", "endsWith", "int", "matches", "size", "startsWith", "string")

_YES_OR_NO = ("customer.vip", "history.open_case")
_NUMBERS = ("customer.matches", "history.calls_today", "history.minutes_since_last")
_KINDS = f"{' and '.join(_YES_OR_NO)} are true or false, {', '.join(_NUMBERS)} numbers, all else text"
_TRUE = frozenset({"true", "yes", "1"})
_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?P<name>[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)(?P<call>\s*\()?"""
    r"""|(?P<chained>\.\s*(?P<method>[A-Za-z_]\w*))(?P<called>\s*\()?"""
)
_WORDS = frozenset({"true", "false", "null", "in"})
_SYNTAX = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")


class ConditionError(IvrError):
    """The condition cannot be used. `offset`: where in the text, counted from 0."""

    code = "condition"

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class Condition:
    """A compiled condition. Making one raises ConditionError; `holds` never does anything but answer or raise it."""

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > MOST_CHARACTERS:
            raise ConditionError(f"the condition has {len(text)} characters: expected at most {MOST_CHARACTERS}")
        self._check_calls()
        try:
            self._program = cel.compile(text)
        except ValueError as error:
            raise _syntax_error(text, str(error)) from error

    @cached_property
    def names(self) -> tuple[tuple[str, int], ...]:
        """The variables that the condition uses, dotted as written, each with its offset in the text."""
        found = []
        for match in _TOKEN.finditer(self.text):
            if match["name"] is None:
                continue
            parts = re.split(r"\s*\.\s*", match["name"])
            if match["call"]:
                parts.pop()
            if parts and parts[0] not in _WORDS:
                found.append((".".join(parts), match.start()))
        return tuple(found)

    @cached_property
    def functions(self) -> frozenset[str]:
        """What the condition calls, operators among them, as CEL names them: `_==_`, `int`."""
        return frozenset(self._program.references()["functions"])

    def _check_calls(self) -> None:
        # Forms of text that the pattern would read differently from CEL, so that a call could hide in them.
        hidden = max(self.text.find('"""'), self.text.find("'''"))
        if hidden >= 0:
            raise ConditionError("a text in three quotes is not allowed in a condition: expected one quote", hidden)
        for match in _TOKEN.finditer(self.text):
            if match["name"] and not match["call"] and self.text[match.end() : match.end() + 1] in ('"', "'"):
                raise ConditionError("a letter in front of a quote is not allowed in a condition", match.start())
            called = match["name"].rsplit(".", 1)[-1].strip() if match["call"] else match["called"] and match["method"]
            if called and called not in FUNCTIONS and called not in _WORDS:
                message = f"{quote(called)} cannot be called in a condition: {one_of(FUNCTIONS)}"
                raise ConditionError(message + did_you_mean(called, FUNCTIONS), match.start())

    def check(self, known: Iterable[str]) -> None:
        """Raise ConditionError if a name is not among `known` or if the types cannot fit."""
        known = sorted(known)
        for name, offset in self.names:
            if name not in known:
                raise ConditionError(
                    f"unknown variable {quote(name)}: {one_of(known)}{did_you_mean(name, known)}", offset
                )
        # "1" fits wherever a text may be turned into a number.
        result = self._evaluate(dict.fromkeys(known, "1"))
        if not isinstance(result, bool | str):
            raise ConditionError(f"the condition gives {result}: expected true or false")

    def holds(self, variables: Mapping[str, str]) -> bool:
        """Whether the condition is true for these variables; a text holds if it is true, yes or 1."""
        result = self._evaluate(variables)
        return result in _TRUE if isinstance(result, str) else bool(result)

    def _evaluate(self, variables: Mapping[str, str]) -> Any:
        try:
            return self._program.execute(_context(variables, (name for name, _ in self.names)))
        except (TypeError, ValueError, KeyError, RuntimeError, OverflowError, ZeroDivisionError) as error:
            said = str(error)
            if "No such overload" in said:
                said = f"the kinds do not fit; {_KINDS}"
            raise ConditionError(f"the condition cannot be evaluated: {said.splitlines()[0]}") from error


def _context(variables: Mapping[str, str], names: Iterable[str]) -> dict[str, Any]:
    context: dict[str, Any] = {}
    for name in names:
        value = _typed(name, variables.get(name, NO_HISTORY.get(name, "")))
        root, _, rest = name.partition(".")
        if rest:
            context.setdefault(root, {})[rest] = value
        else:
            context.setdefault(root, value)
    return context


def is_yes_or_no(name: str) -> bool:
    """Whether a variable is true or false, and no text."""
    return name in _YES_OR_NO


def is_number(name: str) -> bool:
    """Whether a variable is a number that is at least 0, and no text."""
    return name in _NUMBERS


def _typed(name: str, value: str) -> str | bool | int:
    if is_yes_or_no(name):
        return value.lower() in _TRUE
    if is_number(name):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0
    return value[:MOST_VALUE_CHARACTERS]


def _syntax_error(text: str, said: str) -> ConditionError:
    match = _SYNTAX.search(said)
    line, column, what = (int(match[1]), int(match[2]), match[3]) if match else (1, 1, "it is not CEL")
    what = "something is missing" if "Context" in what else what
    before = sum(len(each) + 1 for each in text.split("\n")[: line - 1])
    return ConditionError(f"the condition cannot be read: {what.split(' expecting ')[0]}", before + max(column - 1, 0))
