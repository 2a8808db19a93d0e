"""What the documents name is there, and what is there is documented."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import typer
from pydantic import BaseModel

import acd
import cti
import ivr
import screenpop
from acd.errors import AcdError
from cti.agi_errors import AgiError
from cti.cli import app
from cti.errors import CtiError
from cti.recovery import WhyNot
from cti.settings import Settings
from ivr.errors import IvrError
from ivr.schema import STEPS
from screenpop import messages
from screenpop.errors import ScreenpopError
from screenpop.routes.health import DATABASE

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code_of(document: Path) -> str:
    """What stands in code blocks and code spans."""
    content = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```.*?^```", content, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", content, flags=re.MULTILINE | re.DOTALL))
    return "\n".join([*blocks, *spans])


# --- settings ---------------------------------------------------------------------------------------------------


def settings_of(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting as the document writes it, with its default."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        parts = get_args(annotation) or (annotation,)
        below = next((part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)), None)
        if below is None:
            yield before + name, field.default
        else:
            is_list = get_origin(annotation) is tuple
            if is_list:
                yield before + name, field.default
            yield from settings_of(below, f"{before}{name}{'[]' if is_list else ''}.")


def documented_settings() -> dict[str, str]:
    """Setting → the cell of its default."""
    table = text("docs/running.md").partition("## Settings")[2].partition("\n## ")[0]
    found: dict[str, str] = {}
    for row in re.findall(r"^\| (`.*)\|$", table, re.MULTILINE):
        names, default, _ = (cell.strip() for cell in row.split("|", 2))
        listed = re.findall(r"`([^`]+)`", names)
        defaults = [each.strip() for each in default.split(",")]
        for place, name in enumerate(listed):
            found[name] = defaults[place] if len(defaults) == len(listed) else default
    return found


def test_every_setting_is_documented_and_no_other() -> None:
    assert set(documented_settings()) == {name for name, _ in settings_of(Settings)}


def test_defaults_that_are_numbers_or_words_are_the_real_ones() -> None:
    shown = documented_settings()
    checked = 0
    for name, default in settings_of(Settings):
        cell = shown[name].strip("`")
        if isinstance(default, bool) or not isinstance(default, int | float):
            continue
        assert cell.replace(".", "", 1).isdigit(), f"{name}: expected its default {default}, the document says {cell!r}"
        assert float(cell) == float(default), name
        checked += 1
    assert checked > 15


def test_every_setting_is_used() -> None:
    code = "\n".join(
        file.read_text() for package in ("cti", "lab") for file in sorted((ROOT / package).glob("*.py"))
        if file.name not in {"settings.py", "config.py"}
    )  # fmt: skip
    spread = {"failsafe.", "speech.", "metrics."}  # handed on as a whole, or read by the settings themselves
    names = [name for name, _ in settings_of(Settings) if not any(name.startswith(each) for each in spread)]
    unused = [name for name in names if not re.search(rf"\b{name.rpartition('.')[2]}\b", code)]
    paths = {"data_dir", "site_dir"}
    assert [name for name in unused if name not in paths] == []


# --- errors -----------------------------------------------------------------------------------------------------


def codes() -> dict[str, str]:
    """Code → class, of every error that we may raise."""
    for package in (acd, cti, ivr, screenpop):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in module.name:
                importlib.import_module(module.name)
    found: dict[str, str] = {}
    waiting: list[type[Exception]] = [AcdError, AgiError, CtiError, IvrError, ScreenpopError]
    while waiting:
        error = waiting.pop()
        code = error.__dict__.get("code")
        assert isinstance(code, str), f"{error.__qualname__} has no code of its own"
        assert found.setdefault(code, error.__qualname__) == error.__qualname__, f"{code} is two errors'"
        waiting += error.__subclasses__()
    return found


def test_every_error_code_is_documented_and_no_other() -> None:
    documented = re.findall(r"^\| `([a-z_]+)` \|", text("docs/errors.md"), re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == set(codes())


def test_every_code_of_the_api_is_an_error() -> None:
    table = text("docs/api.md").partition("| code | status | meaning |")[2]
    named = set(re.findall(r"^\| `([a-z_]+)` \|", table.partition("\n\n")[0], re.MULTILINE))
    assert named
    assert named - {"internal_error"} <= set(codes()), "all but a fault that has no name"


# --- commands ---------------------------------------------------------------------------------------------------


def commands() -> set[str]:
    """Every command as it is typed."""
    found = set()
    root = typer.main.get_command(app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        if not below or command.invoke_without_command:
            found.add(name)
        found |= {f"{name} {each}" for each in below or ()}
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_that_a_document_names_exist(document: Path) -> None:
    known = commands()
    groups = {name.partition(" ")[0] for name in known if " " in name}
    for name, below in re.findall(r"(?:^|[\s/(])callyard ([a-z]+)(?: ([a-z]+(?:-[a-z]+)*))?", code_of(document)):
        typed = f"{name} {below}".strip() if name in groups else name
        assert typed in known, f"{document.name}: callyard {typed}"


def test_every_command_is_documented() -> None:
    document = code_of(ROOT / "docs" / "running.md")
    missing = {name for name in commands() if f"callyard {name}" not in document}
    assert missing == set()


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_that_a_document_names_exist(document: Path) -> None:
    named = set(re.findall(r"\bmake ([a-z-]+)", code_of(document)))
    assert named <= targets()


def test_every_make_target_with_words_is_documented() -> None:
    told = set(re.findall(r"^([a-z-]+):.*##", text("Makefile"), re.MULTILINE)) - {"help"}
    assert told <= set(re.findall(r"\bmake ([a-z-]+)", code_of(ROOT / "docs" / "running.md")))


# --- health -----------------------------------------------------------------------------------------------------


def test_every_word_of_why_not_is_documented_and_no_other() -> None:
    table = text("docs/running.md").partition("| `why_not` | what it means |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(WhyNot)
    assert DATABASE == WhyNot.DATABASE


# --- messages, flows, links ----------------------------------------------------------------------------------------


def test_every_message_of_the_wire_is_documented() -> None:
    types: set[str] = set()
    for value in vars(messages).values():
        field = value.model_fields.get("type") if isinstance(value, type) and issubclass(value, BaseModel) else None
        if field is not None:
            types |= {each for each in get_args(field.annotation) if isinstance(each, str)}
    assert {"snapshot", "offer", "shown", "finish"} <= types
    document = text("docs/api.md")
    assert {name for name in types if f"`{name}`" not in document} == set()


def test_every_step_of_a_flow_is_documented() -> None:
    document = text("docs/flows.md")
    words = {each.word if hasattr(each, "word") else each for each in STEPS}
    assert "queue" in {str(word) for word in words}
    assert {word for word in words if f"`{word}" not in document} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name}: {target}"
