"""Reading the settings: defaults < `callyard.yaml` < environment (`CALLYARD_…`, nested by `__`).

What belongs here: where settings come from and what is said about wrong ones. The values are `cti.settings`'s.
Nothing is read but by `load_settings`: `Settings(data_dir=…)` in a test is exactly what it says.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from cti.settings import PREFIX, AmiNode, ConfigError, Settings
from ivr.positions import read_document

__all__ = ["AmiNode", "ConfigError", "Settings", "describe", "load_settings"]

FILE_VARIABLE = "CALLYARD_CONFIG"
DEFAULT_FILE = "callyard.yaml"
# For programs around the server (where the lab keeps its things), not for the server itself.
_FOREIGN = ("CALLYARD_HOME", "CALLYARD_LAB_")
_LARGEST_FILE = 256 * 1024
_MASK = "********"
_PATH_KEYS = {"data_dir", "site_dir", "secret_file", "spool_dir", "token_file"}


def load_settings(file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the merged settings.

    `file`: else the one that CALLYARD_CONFIG names, else `callyard.yaml` here if there is one. Relative paths
    in it start at its folder. All faults are reported at once, one a line, in one `ConfigError`.
    """
    environment = os.environ if environment is None else environment
    file = file or _chosen_file(environment)
    written, positions = _read_file(file) if file else ({}, None)
    from_environment = _read_environment(environment)
    try:
        return Settings(**_merged(written, from_environment))
    except ValidationError as error:
        faults = [_fault(item, file, positions, from_environment) for item in error.errors()]
        raise ConfigError("\n".join(faults)) from None


def describe(settings: Settings) -> str:
    """Return the settings as lines `key: value`, secrets masked."""
    return "\n".join(_lines(settings.model_dump(mode="python"), ""))


def _chosen_file(environment: Mapping[str, str]) -> Path | None:
    if named := environment.get(FILE_VARIABLE):
        return Path(named)
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None


def _read_file(file: Path) -> tuple[dict[str, Any], Any]:
    """Return plain values, and the tree that knows their lines."""
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise ConfigError(f"{file}: expected at most {_LARGEST_FILE} bytes")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    _refuse_bombs(file, text)
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        # A doubled key is quoted with its value, which may be a secret.
        what = (error.problem or error.context or "not YAML").partition(" with value ")[0]
        raise ConfigError(f"{where}: {what}") from None
    except (YAMLError, ValueError) as error:  # ValueError: an integer of thousands of digits
        raise ConfigError(f"{file}: not YAML: {error}") from None
    if tree is None:
        return {}, None
    if not isinstance(tree, Mapping):
        raise ConfigError(f"{file}:1:1: expected keys and values, came {type(tree).__name__}")
    return _plain(tree, file.absolute().parent), tree


def _refuse_bombs(file: Path, text: str) -> None:
    """Aliases, tags and deep nesting, by which a small file becomes one without end. Syntax is told by who reads it."""
    document, problems = read_document(str(file), text.encode())
    refused = [each for each in problems if "not YAML" not in each.message]
    if document is None and refused:
        raise ConfigError("\n".join(map(str, refused)))


def _plain(node: Any, folder: Path, key: str = "") -> Any:
    if isinstance(node, Mapping):
        return {str(name): _plain(value, folder, str(name)) for name, value in node.items()}
    if isinstance(node, Sequence) and not isinstance(node, str | bytes):
        return [_plain(value, folder) for value in node]
    if key in _PATH_KEYS and isinstance(node, str):
        return str(folder / Path(node).expanduser())
    return node


class _Environment(EnvSettingsSource):
    """pydantic-settings' reading of the environment, on a mapping of our own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environment.items()}


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    ours = {name: value for name, value in environment.items() if name.upper().startswith(PREFIX)}
    for name in sorted(ours):
        key = name[len(PREFIX) :].split("__")[0].lower()
        if name != FILE_VARIABLE and not name.startswith(_FOREIGN) and key not in Settings.model_fields:
            known = (PREFIX + field.upper() for field in Settings.model_fields)
            raise ConfigError(f"environment variable {name}: not a setting{_did_you_mean(name, known)}")
    try:
        return _Environment(ours)()
    except SettingsError as error:
        raise ConfigError(f"environment: {error} (lists are written as JSON)") from error


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result


def _fault(item: Any, file: Path | None, positions: Any, from_environment: Mapping[str, Any]) -> str:
    loc = tuple(item["loc"])
    key = ".".join(str(part) for part in loc)
    if item["type"] == "extra_forbidden":
        what = f"unknown key{_did_you_mean(str(loc[-1]), _known_keys(loc[:-1]))}"
    else:
        what = item["msg"].removeprefix("Value error, ")
        what = what[:1].lower() + what[1:]
        if isinstance(item["input"], str | int | float) and not _is_secret(loc):
            what += f", came {item['input']!r}"
    if _reaches(from_environment, loc):
        return f"environment variable {PREFIX}{'__'.join(str(part).upper() for part in loc)}: {what}"
    if file is None:
        return f"{key}: {what}"
    line, column = _position(positions, loc)
    return f"{file}:{line}:{column}: {key}: {what}"


def _reaches(tree: Any, loc: Iterable[str | int]) -> bool:
    for part in loc:
        if isinstance(tree, list):
            return True
        if not isinstance(tree, Mapping) or part not in tree:
            return False
        tree = tree[part]
    return True


def _position(tree: Any, loc: Iterable[str | int]) -> tuple[int, int]:
    """Return the 1-based line and column of the last part of `loc` that stands in the file."""
    line, column = 0, 0
    for part in loc:
        try:
            line, column = tree.lc.item(part) if isinstance(part, int) else tree.lc.key(part)
            tree = tree[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line + 1, column + 1


def _known_keys(loc: Sequence[str | int]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in loc:
        if isinstance(part, str):
            annotation = model.model_fields[part].annotation
            candidates = (annotation, *get_args(annotation))
            model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), model)
    return list(model.model_fields)


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {close[0]}?" if close else ""


def _is_secret(loc: Sequence[str | int]) -> bool:
    return any(str(part) in {"secret", "database_url"} for part in loc)


def _lines(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:"
            yield from _lines(value, indent + "  ")
        elif isinstance(value, Sequence) and not isinstance(value, str) and value:
            yield f"{indent}{key}:"
            for item in value:
                yield from _list_item(item, indent)
        else:
            yield f"{indent}{key}: {_shown(key, value)}"


def _list_item(item: Any, indent: str) -> Iterator[str]:
    if not isinstance(item, Mapping):
        yield f"{indent}  - {_shown('', item)}"
        return
    mark = "- "
    for line in _lines(item, ""):
        yield f"{indent}  {mark}{line}"
        mark = "  "


def _shown(key: str, value: object) -> str:
    if isinstance(value, SecretStr):
        return f'"{_MASK}"'
    if key == "database_url":
        value = re.sub(r"(://[^:/@]*):.*@", rf"\1:{_MASK}@", str(value))
    if isinstance(value, str | Path):
        bare = re.fullmatch(r"(?!(true|false|null)$)[A-Za-z/][\w./:+@*-]*[\w/]", str(value))
        return str(value) if bare else json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, tuple | list):
        return "[]"
    return json.dumps(value)
