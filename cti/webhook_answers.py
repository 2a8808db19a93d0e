"""What is kept of another program's answer: values of JSON by their places, as text that is safe to say and carry."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from cti.errors import CtiError
from ivr.kept_values import Kept, Kind, as_kind
from ivr.prompts import MOST_VALUE_CHARACTERS

MOST_DEPTH = 32
_TEXT_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.?)*+"?|[\[\]{}]', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class AnswerError(CtiError):
    """The answer is not JSON that can be read, or not what the step expects. `reason`: in one word."""

    code = "webhook_answer"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_values(body: bytes, keep: Mapping[str, Kept]) -> dict[str, str]:
    """The values to keep, by name; one that is not there, or null, is empty. Raises AnswerError, also for a value of
    another kind than the step says.

    Numbers stay as they are written: 12.50 is not 12.5, and a long account number loses no digit.
    """
    if _depth(body) > MOST_DEPTH:
        raise AnswerError("too_deep")
    try:
        answer = json.loads(body, parse_int=str, parse_float=str, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise AnswerError("not_json") from error
    return {name: _text(_at(answer, kept.at), kept.type) for name, kept in keep.items()}


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _depth(body: bytes) -> int:
    """How deep brackets are nested, texts left out; known before anything recurses."""
    depth = deepest = 0
    for match in _TEXT_OR_BRACKET.finditer(body):
        bracket = match[0]
        if bracket in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in (b"]", b"}"):
            depth -= 1
    return deepest


def _at(value: Any, where: str) -> Any:
    for part in where.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isascii() and part.isdigit():
            value = value[int(part)] if len(part) < 6 and int(part) < len(value) else None
        else:
            return None
    return value


def _text(value: Any, kind: Kind) -> str:
    match value:
        case None:
            return ""
        case bool():
            found = as_kind("true" if value else "false", kind)
        case str():
            found = as_kind(_CONTROL.sub(" ", value)[:MOST_VALUE_CHARACTERS], kind)
        case _:
            found = None  # several values are no value
    if found is None:
        raise AnswerError("wrong_type")
    return found
