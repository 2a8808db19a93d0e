"""The schemas for editors take the example site's files, and refuse what the files may not hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ivr.positions import read_document
from ivr.schemas import SCHEMAS, schema_of

SITE = Path(__file__).parents[2] / "site"
FILES = [*sorted(SITE.glob("*.yaml")), *sorted(SITE.glob("flows/*.yaml")), *sorted(SITE.glob("tests/*.yaml"))]
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": tuple, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    "null": type(None),
}  # fmt: skip
#: Words that do not decide whether a value fits.
TELLING = {"$schema", "$defs", "title", "description", "default", "examples", "discriminator"}


def kind_of(file: Path) -> str:
    return {"flows": "flow", "tests": "tests"}.get(file.parent.name, file.stem)


def fits(value: Any, schema: Any, root: dict[str, Any]) -> bool:
    """Whether a value is as a schema says; knows the words that our schemas use, and no others."""
    if isinstance(schema, bool):
        return schema
    return all(_fits_word(value, word, said, schema, root) for word, said in schema.items() if word not in TELLING)


def _fits_word(value: Any, word: str, said: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    match word:
        case "$ref":
            return fits(value, root["$defs"][said.removeprefix("#/$defs/")], root)
        case "type":
            is_flag = isinstance(value, bool) and said in ("integer", "number")
            return isinstance(value, TYPES[said]) and not is_flag
        case "anyOf" | "oneOf":
            return any(fits(value, each, root) for each in said)
        case "const":
            return bool(value == said)
        case "enum":
            return value in said
        case "pattern":
            return not isinstance(value, str) or re.search(said, value) is not None
        case "minimum":
            return not isinstance(value, int) or value >= said
        case "maximum":
            return not isinstance(value, int) or value <= said
        case "minItems":
            return not isinstance(value, tuple) or len(value) >= said
        case "items":
            return not isinstance(value, tuple) or all(fits(each, said, root) for each in value)
        case "required":
            return not isinstance(value, dict) or set(said) <= value.keys()
        case "propertyNames":
            return not isinstance(value, dict) or all(fits(key, said, root) for key in value)
        case "properties":
            return not isinstance(value, dict) or all(
                fits(value[key], below, root) for key, below in said.items() if key in value
            )
        case "patternProperties":
            return not isinstance(value, dict) or all(
                fits(each, below, root) for key, each in value.items() for form, below in said.items()
                if re.search(form, key)
            )  # fmt: skip
        case "additionalProperties":
            forms = "|".join(schema.get("patternProperties", {})) or "$^"
            others = value.keys() - schema.get("properties", {}).keys() if isinstance(value, dict) else set()
            return all(fits(value[key], said, root) for key in sorted(others) if not re.search(forms, key))
    raise AssertionError(f"a word of a schema that this test does not know: {word}")


def value_of(file: Path) -> Any:
    document, problems = read_document(file.name, file.read_bytes())
    assert document is not None
    assert problems == []
    return document.value


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_file_of_the_example_site_is_as_its_schema_says(file: Path) -> None:
    schema = schema_of(kind_of(file))

    assert fits(value_of(file), schema, schema)
    assert not fits("a text", schema, schema)


def test_every_kind_of_file_has_a_schema_that_an_editor_can_read() -> None:
    assert {kind_of(file) for file in FILES} == set(SCHEMAS)
    for kind in SCHEMAS:
        schema = json.loads(json.dumps(schema_of(kind)))
        assert schema["$schema"].startswith("https://json-schema.org/")


@pytest.mark.parametrize(
    ("kind", "value", "is_right"),
    [
        ("queues", {"billing": {"title": "Billing", "ring": "12s"}}, True),
        ("queues", {"billing": {"ring": "12s"}}, False),
        ("queues", {"billing": {"title": "Billing", "rnig": "12s"}}, False),
        ("queues", {"billing": {"title": "Billing", "ring": "soon"}}, False),
        ("queues", {"billing": {"title": "Billing", "announcement": "Please wait."}}, True),
        ("queues", {"billing": {"title": "Billing", "announcement": ("Please wait.", {"en": "Still."})}}, True),
        ("hours", {"office": {"week": {"monday": "09:00-12:00"}}}, True),
        ("hours", {"office": {"week": {"monday": "nine"}}}, False),
        ("numbers", {"+4989*": {"flow": "main"}}, True),
        ("numbers", {"+4989*": {}}, False),
        ("skills", {"billing": "Billing"}, True),
        ("skills", {"billing": {"title": "Billing"}}, True),
        ("skills", {"billing": 3}, False),
        ("tests", {"a": {"given": {"number": "1", "at": "2026-11-23T10:00"}, "dialogue": ("hangs_up",)}}, True),
        ("tests", {"a": {"given": {"number": "1", "at": "2026-11-23T10:00"}, "dialogue": ()}}, False),
        ("tests", {"a": {"given": {"number": "1", "at": "soon"}, "dialogue": ("hangs_up",)}}, False),
    ],
)
def test_a_schema_takes_what_is_right_and_nothing_else(kind: str, value: Any, is_right: bool) -> None:
    schema = schema_of(kind)

    assert fits(value, schema, schema) is is_right


def test_one_preferred_agent_needs_no_list_in_a_flow() -> None:
    schema = schema_of("flow")
    step = {"queue": "billing", "prefer": "last"}

    assert fits({"start": "a", "nodes": {"a": (step,)}}, schema, schema)
    assert not fits({"start": "a", "nodes": {"a": ({**step, "prefer": 3},)}}, schema, schema)


def test_durations_are_given_as_they_are_written() -> None:
    queue = schema_of("queues")["$defs"]["Queue"]

    assert queue["properties"]["ring"]["default"] == "20s"
    assert "id" not in queue["properties"]
