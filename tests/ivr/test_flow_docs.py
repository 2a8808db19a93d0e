"""docs/flows.md names every word that may stand in a site's files, and its examples are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from ivr.callers import Blocked, Callers, Instead
from ivr.conditions import FUNCTIONS
from ivr.dialogue import run_test
from ivr.flow_tests import Given, read_tests
from ivr.hours import Calendar
from ivr.lint import CALL_VARIABLES
from ivr.loader import load_site
from ivr.reasons import SYSTEM_REASONS, Disposition, ReasonsFile
from ivr.recordings import SOUND_ENDINGS
from ivr.schema import STEPS, Flow
from ivr.secret_references import SecretReference
from ivr.settings import (
    CUSTOMER_FIELDS,
    AgentRules,
    FailSafe,
    NumberRule,
    PinRules,
    Queue,
    Settings,
    Trunk,
)
from ivr.turns import NOTHING, TURNS, Expected
from tests.ivr.sites import problems_in

DOCS = (Path(__file__).parents[2] / "docs" / "flows.md").read_text(encoding="utf-8")
#: Keys that stand before the colon, as the name of an entry.
NAMES = {"id", "number"}


def section(heading: str) -> str:
    """The part of the document below a heading that begins so."""
    match = re.search(rf"^(#+) `{re.escape(heading)}.*?$(.*?)(?=^##+ |\Z)", DOCS, re.MULTILINE | re.DOTALL)
    assert match is not None, heading
    return match[2]


def keys(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()} - NAMES


@pytest.mark.parametrize("word", STEPS)
def test_every_step_and_its_options_are_documented(word: str) -> None:
    text = section(word)

    assert {key for key in keys(STEPS[word]) - {word} if f"`{key}" not in text} == set()


@pytest.mark.parametrize(
    ("model", "heading"),
    [
        (Settings, "site.yaml"),
        (AgentRules, "site.yaml"),
        (FailSafe, "site.yaml"),
        (PinRules, "site.yaml"),
        (NumberRule, "numbers.yaml"),
        (Queue, "queues.yaml"),
        (Calendar, "hours.yaml"),
        (Trunk, "trunks.yaml"),
        (SecretReference, "trunks.yaml"),
        (ReasonsFile, "skills.yaml"),
        (Disposition, "skills.yaml"),
        (Callers, "callers.yaml"),
        (Blocked, "callers.yaml"),
        (Instead, "callers.yaml"),
    ],
)
def test_every_key_of_the_other_files_is_documented(model: type[BaseModel], heading: str) -> None:
    text = section(heading)
    wanted = keys(model) - ({"name"} if model is Trunk else set())

    assert {key for key in wanted if not re.search(rf"\b{key}\b", text)} == set()


def test_words_that_flows_may_use_are_documented() -> None:
    words = [*keys(Flow), *CALL_VARIABLES, *FUNCTIONS, *SOUND_ENDINGS, *SYSTEM_REASONS]

    assert [word for word in words if f"`{word}`" not in DOCS] == []
    assert [name for name in CUSTOMER_FIELDS if f"`customer.{name}`" not in DOCS] == []


def test_the_example_flow_is_right(tmp_path: Path) -> None:
    example = next(block for block in re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL) if "nodes:" in block)

    assert problems_in(tmp_path, {"flows/main.yaml": example}) == []


def test_the_example_calendar_and_numbers_are_right(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    hours = next(block for block in blocks if "week:" in block)
    numbers = next(block for block in blocks if '"+4989*"' in block)

    assert problems_in(tmp_path, {"hours.yaml": hours, "numbers.yaml": numbers}) == []


def test_everything_that_a_flow_test_may_say_is_documented() -> None:
    text = DOCS.partition("### Tests of flows")[2].partition("\n## ")[0]
    wanted = keys(Given) | keys(Expected) | TURNS.keys() | {NOTHING, "number"}

    assert {key for key in wanted if f"`{key}`" not in text} == set()


def test_the_example_of_a_flow_test_passes() -> None:
    site = load_site(Path(__file__).parents[2] / "site")
    example = next(block for block in re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL) if "dialogue:" in block)
    tests, problems = read_tests(site, "tests/main.yaml", example.encode())

    assert problems == []
    assert [run_test(site, test) for test in tests] == [None]


def test_all_examples_are_yaml() -> None:
    for block in re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL):
        YAML(typ="safe", pure=True).load(block)
