"""The JSON schemas of a site's files, for editors: from the same models that check the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter

from ivr.alarms import Alarms
from ivr.callers import Callers
from ivr.endpoints import Endpoint
from ivr.flow_tests import FlowTest
from ivr.hours import Calendar
from ivr.reasons import ReasonsFile
from ivr.recordings import PromptRule
from ivr.schema import flow_schema
from ivr.settings import NumberRule, Queue, Settings, Skill, Trunk
from ivr.turns import TURNS

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_BELOW = "#/$defs/"

Schema = dict[str, Any]


def schema_of(kind: str) -> Schema:
    """The JSON schema of a kind of file, one of `SCHEMAS`; KeyError for another."""
    return SCHEMAS[kind]()


def _file(model: type[BaseModel]) -> Schema:
    return {"$schema": _DIALECT, **_plain(model)}


def _plain(model: type[BaseModel]) -> Schema:
    schema = TypeAdapter(model).json_schema(by_alias=True)
    for part in (schema, *schema.get("$defs", {}).values()):
        for kind in part.get("properties", {}).values():
            if isinstance(kind.get("default"), float):
                kind["default"] = f"{kind['default']:g}s"
    return schema


def _named(model: type[BaseModel], key: str, *optional: str) -> Schema:
    """A file of name → rules. `key`: the field that stands before the colon; `optional`: those the site fills in."""
    entry = _plain(model)
    definitions = entry.pop("$defs", {})
    del entry["properties"][key]
    entry["required"] = [name for name in entry["required"] if name not in {key, *optional}]
    definitions[model.__name__] = entry
    return _mapping(model.__doc__ or "", {"$ref": f"{_BELOW}{model.__name__}"}, definitions)


def _mapping(description: str, entry: Schema, definitions: Schema) -> Schema:
    return {
        "$schema": _DIALECT,
        "description": description,
        "type": "object",
        "additionalProperties": entry,
        "$defs": definitions,
    }


def _prompts() -> Schema:
    """A prompt is written with its text in the default language alone, or with one per language and a note."""
    text = {"type": "string"}
    languages = {"patternProperties": {"^[a-z]{2,3}(-[A-Z]{2})?$": text}}
    prompt = {"type": "object", "properties": {"note": text}, **languages, "additionalProperties": False}
    return _mapping(PromptRule.__doc__ or "", {"anyOf": [text, {"$ref": f"{_BELOW}Prompt"}]}, {"Prompt": prompt})


def _skills() -> Schema:
    """A skill is written with its title alone, or with its keys."""
    schema = _named(Skill, "id")
    schema["additionalProperties"] = {"anyOf": [{"type": "string"}, schema["additionalProperties"]]}
    return schema


def _tests() -> Schema:
    entry = _plain(FlowTest)
    definitions: Schema = entry.pop("$defs")
    words: list[Schema] = []
    for turn in TURNS.values():
        schema = _plain(turn)
        definitions.update(schema.pop("$defs", {}))
        definitions[turn.__name__] = {**schema, "required": [turn.word]}
        words.append({"$ref": f"{_BELOW}{turn.__name__}"})
    entry["properties"]["dialogue"] |= {"minItems": 1, "items": {"anyOf": [*words, {"const": "hangs_up"}]}}
    definitions["FlowTest"] = entry
    return _mapping("Tests of flows by name.", {"$ref": f"{_BELOW}FlowTest"}, definitions)


#: Kind of file → how its schema is made.
SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "flow": flow_schema,
    "site": lambda: _file(Settings),
    "numbers": lambda: _named(NumberRule, "number", "language"),
    "queues": lambda: _named(Queue, "id"),
    "hours": lambda: _named(Calendar, "id", "time_zone"),
    "trunks": lambda: _named(Trunk, "name"),
    "webhooks": lambda: _named(Endpoint, "name"),
    "skills": _skills,
    "prompts": _prompts,
    "callers": lambda: _file(Callers),
    "alarms": lambda: _file(Alarms),
    "reasons": lambda: _file(ReasonsFile),
    "tests": _tests,
}
