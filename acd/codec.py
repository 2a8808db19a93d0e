"""Events, commands and engine state as plain values (dict, list, str, int, bool, None), and back.

For the journal and for whoever replays it. Every dataclass becomes `{"type": name, field: value, …}`; names are
those of the classes and fields, so they are stable as those are. Reading is strict: an unknown type or field, a
missing one or a value of another type is a SnapshotError that names the field, what was expected and what came.
Only a field that has a default may be missing, and gets it: what was written before the field came is read for ever.

The converters are built once per class from its type hints; the hints used in `acd` are the only ones supported.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from acd.commands import Command
from acd.errors import SnapshotError
from acd.events import Event
from acd.model import Configuration

Plain = dict[str, Any]
"""JSON-able: dict with text keys, of str, int, bool, None, list and dict."""

Encode = Callable[[Any], Any]
Decode = Callable[[Any, str], Any]
Value = TypeVar("Value")

_SCALARS = (str, int, bool, types.NoneType)


def encode_event(event: Event) -> Plain:
    """The event as plain values."""
    return encode(event)


def decode_event(data: object) -> Event:
    """The event that `encode_event` gave; SnapshotError for anything else."""
    return cast(Event, _decode_one_of(_EVENTS, data, "event"))


def encode_command(command: Command) -> Plain:
    """The command as plain values."""
    return encode(command)


def decode_command(data: object) -> Command:
    """The command that `encode_command` gave; SnapshotError for anything else."""
    return cast(Command, _decode_one_of(_COMMANDS, data, "command"))


def encode_configuration(configuration: Configuration) -> Plain:
    """The configuration as plain values."""
    return encode(configuration)


def decode_configuration(data: object) -> Configuration:
    """The configuration that `encode_configuration` gave; SnapshotError for anything else."""
    return decode(Configuration, data, "Configuration")


def encode(value: Any) -> Plain:
    """Any dataclass of `acd` as plain values; derived fields are left out."""
    return cast(Plain, _encoder(cast(Any, type(value)))(value))


def decode(cls: type[Value], data: object, where: str) -> Value:
    """A `cls` from plain values; `where` begins the path that an error names."""
    return cast(Value, _decoder(cast(Any, cls))(data, where))


def _decode_one_of(classes: dict[str, type], data: object, what: str) -> object:
    if not isinstance(data, dict):
        raise SnapshotError(f"{what}: expected an object, got {_shown(data)}")
    name = data.get("type")
    cls = classes.get(name) if isinstance(name, str) else None
    if cls is None:
        raise SnapshotError(f"{what}.type: expected the name of a known {what}, got {_shown(name)}")
    return _decoder(cls)(data, cls.__name__)


# --- out -----------------------------------------------------------------------------------------------------


@cache
def _encoder(hint: Any) -> Encode:
    if is_dataclass(hint):
        return _dataclass_encoder(cast(type, hint))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _enum_value
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union_encoder(args)
    if origin in (tuple, list):
        return _sequence_encoder(args)
    if hint in _SCALARS:
        return _same
    raise TypeError(f"no plain form for {hint!r}")


def _same(value: Any) -> Any:
    return value


def _enum_value(value: StrEnum) -> str:
    return value.value


def _dataclass_encoder(cls: type) -> Encode:
    parts = [(name, _encoder(hint)) for name, hint in _stored_fields(cls)]
    plain = [(name, None if part is _same else part) for name, part in parts]

    def encode_dataclass(value: Any) -> Plain:
        data: Plain = {"type": cls.__name__}
        for name, part in plain:
            field_value = getattr(value, name)
            data[name] = field_value if part is None else part(field_value)
        return data

    return encode_dataclass


def _union_encoder(args: tuple[Any, ...]) -> Encode:
    structured = [each for each in args if each not in _SCALARS]
    if not structured:
        return _same
    part = _encoder(structured[0])
    return lambda value: None if value is None else part(value)


def _sequence_encoder(args: tuple[Any, ...]) -> Encode:
    if len(args) == 1 or args[1] is Ellipsis:
        part = _encoder(args[0])
        return lambda values: [part(value) for value in values]
    parts = [_encoder(each) for each in args]
    return lambda values: [part(value) for part, value in zip(parts, values, strict=True)]


# --- in ------------------------------------------------------------------------------------------------------


@cache
def _decoder(hint: Any) -> Decode:
    if is_dataclass(hint):
        return _dataclass_decoder(cast(type, hint))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _enum_decoder(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union_decoder(args)
    if origin in (tuple, list):
        return _sequence_decoder(origin, args)
    return _scalar_decoder((hint,))


def _scalar_decoder(kinds: tuple[type, ...]) -> Decode:
    expected = " or ".join("null" if kind is types.NoneType else kind.__name__ for kind in kinds)

    def decode_scalar(data: object, where: str) -> Any:
        if type(data) not in kinds:  # exact: a bool is no int here
            raise SnapshotError(f"{where}: expected {expected}, got {_shown(data)}")
        return data

    return decode_scalar


def _enum_decoder(cls: type[StrEnum]) -> Decode:
    values = {each.value: each for each in cls}

    def decode_enum(data: object, where: str) -> StrEnum:
        found = values.get(data) if isinstance(data, str) else None
        if found is None:
            raise SnapshotError(f"{where}: expected one of {', '.join(values)}, got {_shown(data)}")
        return found

    return decode_enum


def _union_decoder(args: tuple[Any, ...]) -> Decode:
    structured = [each for each in args if each not in _SCALARS]
    if not structured:
        return _scalar_decoder(args)
    part = _decoder(structured[0])
    return lambda data, where: None if data is None else part(data, where)


def _sequence_decoder(origin: type, args: tuple[Any, ...]) -> Decode:
    same = len(args) == 1 or args[1] is Ellipsis
    parts = [_decoder(args[0])] if same else [_decoder(each) for each in args]

    def decode_sequence(data: object, where: str) -> Any:
        if not isinstance(data, list):
            raise SnapshotError(f"{where}: expected a list, got {_shown(data)}")
        if not same and len(data) != len(parts):
            raise SnapshotError(f"{where}: expected {len(parts)} values, got {len(data)}")
        each = parts * len(data) if same else parts
        return origin(part(value, f"{where}[{at}]") for at, (part, value) in enumerate(zip(each, data, strict=True)))

    return decode_sequence


def _dataclass_decoder(cls: type) -> Decode:
    parts = {name: _decoder(hint) for name, hint in _stored_fields(cls)}
    optional = {each.name for each in fields(cls) if each.default is not MISSING or each.default_factory is not MISSING}

    def decode_dataclass(data: object, where: str) -> Any:
        if not isinstance(data, dict):
            raise SnapshotError(f"{where}: expected an object, got {_shown(data)}")
        if data.get("type") != cls.__name__:
            raise SnapshotError(f"{where}.type: expected {cls.__name__}, got {_shown(data.get('type'))}")
        for name in data:
            if name not in parts and name != "type":
                raise SnapshotError(f"{where}.{name}: expected no such field")
        values = {}
        for name, part in parts.items():
            if name in data:
                values[name] = part(data[name], f"{where}.{name}")
            elif name not in optional:
                raise SnapshotError(f"{where}.{name}: expected a value, got none")
        return cls(**values)

    return decode_dataclass


def _stored_fields(cls: type) -> list[tuple[str, Any]]:
    hints = get_type_hints(cls)
    return [(each.name, hints[each.name]) for each in fields(cls) if not each.metadata.get("derived")]


def _shown(data: object) -> str:
    text = repr(data)
    return f"{type(data).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


_EVENTS: dict[str, type] = {cls.__name__: cls for cls in get_args(Event)}
_COMMANDS: dict[str, type] = {cls.__name__: cls for cls in get_args(Command)}
