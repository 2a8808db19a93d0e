"""What pydantic found, in the words of the person who wrote the file, at the place where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ivr.errors import Problem, did_you_mean, one_of, quote
from ivr.positions import Document, Path
from ivr.schema import STEPS
from ivr.step_kinds.base import BaseStep

_EXPECTED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "tuple_type": "a list, each entry on its own line after a -",
    "dict_type": "a name and a value, such as name: value",
    "mapping_type": "a name and a value, such as name: value",
    "model_type": "keys and values",
    "none_required": "nothing after the colon",
}


def problems_of(
    document: Document, model: Any, error: ValidationError, prefix: Path = (), key: str = ""
) -> Iterator[Problem]:
    """The problems of one validation. `prefix`: where the value stands; `key`: the field that holds its name."""
    for detail in error.errors(include_url=False, include_context=True):
        loc = detail["loc"]
        if key and loc == (key,):
            yield document.problem(prefix, detail["msg"], at_key=True)
        else:
            at_key = detail["type"] == "extra_forbidden" or "[key]" in loc
            path = _path(document, prefix, loc)
            yield document.problem(path, _message(document, path, model, detail, key), at_key=at_key)


def _path(document: Document, prefix: Path, loc: Path) -> Path:
    """The place in the file: the location without what pydantic itself puts in."""
    path = prefix
    for part in loc:
        if (*path, part) in document.entries:
            path = (*path, part)
    return path


def _message(document: Document, path: Path, model: Any, detail: ErrorDetails, key: str) -> str:
    kind, loc = detail["type"], detail["loc"]
    if kind == "extra_forbidden":
        known, where = _keys_at(model, loc[:-1])
        known = [each for each in known if each != key]
        word = str(loc[-1])
        return f"unknown key {quote(word)}{where}: {one_of(known)}{did_you_mean(word, known)}"
    if kind == "missing":
        return f"{quote(loc[-1])} is missing{_keys_at(model, loc[:-1])[1]}"
    if kind == "string_type":
        return _not_text(document, path, detail["input"])
    if kind == "literal_error":
        return _not_a_choice(detail)
    if kind in _EXPECTED:
        return f"{_shown(detail['input'])}: expected {_EXPECTED[kind]}"
    return detail["msg"]


def _not_text(document: Document, path: Path, value: Any) -> str:
    written = document.entry(path).text
    if isinstance(value, bool | int | float):
        return f'{written} without quotes is not text: expected quotes, "{written}"'
    return f"{_shown(value)}: expected text"


def _not_a_choice(detail: ErrorDetails) -> str:
    choices = re.findall(r"'([^']+)'", str(detail.get("ctx", {}).get("expected", "")))
    value = detail["input"]
    if not isinstance(value, str):
        return f"{_shown(value)}: {one_of(choices)}"
    return f"unknown word {quote(value)}: {one_of(choices)}{did_you_mean(value, choices)}"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing stands here"
    if isinstance(value, dict):
        return "keys and values stand here"
    if isinstance(value, tuple):
        return "a list stands here"
    if isinstance(value, bool):
        return quote(str(value).lower())
    return quote(value)


def _keys_at(model: Any, loc: Path) -> tuple[list[str], str]:
    """The keys that may stand at a place, and how the place is called."""
    current = model
    for part in loc:
        word = str(part).removeprefix("step:")
        if str(part).startswith("step:"):
            current = STEPS[word]
        else:
            # What pydantic puts in (a tag, an index) is no field, and leaves the model as it is.
            current = _inner_model(_annotation(current, word)) or current
    keys = [field.alias or name for name, field in current.model_fields.items()]
    where = f" in a {current.word} step" if issubclass(current, BaseStep) else ""
    return keys, where


def _annotation(model: type[BaseModel], key: str) -> Any:
    return next((f.annotation for name, f in model.model_fields.items() if key in (name, f.alias)), None)


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _inner_model(each)) is not None), None)
