"""The lines of an iCalendar file (RFC 5545): folded lines, properties with their parameters, and components.

Every property keeps the line in which it begins, so that whatever is wrong with it later can be told with its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ivr.errors import IvrError, quote

MOST_BYTES = 512 * 1024
MOST_LINES = 20_000
#: Components within components: a calendar, its event, its alarm, and some room.
MOST_DEPTH = 8

_VALUE = r'(?:"[^"]*+"|[^";:,]*+)'
_LINE = re.compile(rf"([A-Za-z0-9-]++)((?:;[A-Za-z0-9-]++={_VALUE}(?:,{_VALUE})*+)*+):(.*)", re.DOTALL)
_PARAMETER = re.compile(rf";([A-Za-z0-9-]++)=({_VALUE}(?:,{_VALUE})*+)")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPED = re.compile(r"\\([\\;,nN])")


class CalendarFileError(IvrError):
    """The file cannot be used; `line` is where."""

    code = "calendar_file"

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Property:
    """One property: its name in capitals, its raw value, its parameters by names in capitals, and its line."""

    name: str
    value: str
    line: int
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The value of a property that is a text, without its escapes."""
        return _ESCAPED.sub(lambda match: " " if match[1] in "nN" else match[1], self.value)


@dataclass(slots=True)
class Component:
    """What stands between BEGIN and END."""

    name: str
    line: int
    properties: list[Property] = field(default_factory=list)
    parts: list[Component] = field(default_factory=list)

    def all(self, name: str) -> list[Property]:
        """Every property of this name, in the order of the file."""
        return [each for each in self.properties if each.name == name]

    def one(self, name: str) -> Property | None:
        """The property of this name. Raises CalendarFileError where there are several."""
        found = self.all(name)
        if len(found) > 1:
            raise CalendarFileError(f"{name} stands here twice: first at line {found[0].line}", found[1].line)
        return found[0] if found else None


def read_components(content: bytes) -> list[Component]:
    """The calendars of a file. Raises CalendarFileError."""
    if len(content) > MOST_BYTES:
        raise CalendarFileError(f"the file has more than {MOST_BYTES} bytes: expected a smaller one")
    lines = _lines(content)
    if len(lines) > MOST_LINES:
        raise CalendarFileError(f"the file has more than {MOST_LINES} lines: expected a smaller one")
    calendars: list[Component] = []
    around: list[Component] = []
    for number, line in _unfolded(lines):
        each = _property(line, number)
        if each.name == "BEGIN":
            name = each.value.strip().upper()
            if not around and name != "VCALENDAR":
                raise CalendarFileError(f"BEGIN:{_short(name)} outside a calendar: expected BEGIN:VCALENDAR", number)
            if len(around) >= MOST_DEPTH:
                raise CalendarFileError(f"nested deeper than {MOST_DEPTH} levels", number)
            begun = Component(name, number)
            (around[-1].parts if around else calendars).append(begun)
            around.append(begun)
        elif not around:
            raise CalendarFileError("this is no calendar: expected BEGIN:VCALENDAR", number)
        elif each.name == "END":
            if each.value.strip().upper() != around[-1].name:
                inner = around[-1]
                raise CalendarFileError(
                    f"END:{_short(each.value)} ends nothing: expected END:{_short(inner.name)}, which begins at line"
                    f" {inner.line}",
                    number,
                )
            around.pop()
        else:
            around[-1].properties.append(each)
    if around:
        inner = around[-1]
        raise CalendarFileError(f"{_short(inner.name)} does not end: expected END:{_short(inner.name)}", inner.line)
    if not calendars:
        raise CalendarFileError("this is no calendar: expected BEGIN:VCALENDAR")
    return calendars


def _short(text: str) -> str:
    return quote(text.strip())[1:-1]


def _lines(content: bytes) -> list[bytes]:
    return content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")


def _unfolded(lines: list[bytes]) -> Iterator[tuple[int, str]]:
    """Each line with its number, once what was folded is one again. On bytes: some programs fold within a letter."""
    begun, parts = 0, list[bytes]()
    for number, line in enumerate([*lines, b"end"], start=1):
        if line.startswith((b" ", b"\t")) and parts:
            parts.append(line[1:])
            continue
        if parts and (text := _decoded(b"".join(parts), begun)).strip():
            yield begun, text
        begun, parts = number, [line]


def _decoded(line: bytes, number: int) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise CalendarFileError(f"byte 0x{line[error.start]:02x} is not UTF-8: expected UTF-8 text", number) from error
    if (found := _CONTROL.search(text)) is not None:
        raise CalendarFileError(f"character 0x{ord(found[0]):02x} cannot stand in a calendar", number)
    return text


def _property(line: str, number: int) -> Property:
    match = _LINE.fullmatch(line)
    if match is None:
        raise CalendarFileError(f"{quote(line)} is not a property: expected NAME:value", number)
    parameters = {name.upper(): value.strip('"') for name, value in _PARAMETER.findall(match[2])}
    return Property(match[1].upper(), match[3], number, parameters)
