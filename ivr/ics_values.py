"""Values of iCalendar properties: days and instants, how long something lasts, time zones.

A time zone is taken by its name where it is one of the IANA database; otherwise as the file describes it (VTIMEZONE),
as Outlook does.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from ivr.errors import quote
from ivr.ics_lines import CalendarFileError, Component, Property
from ivr.recurrences import Effort, RuleError, read_rule

#: Events begin in these years, and rules are followed to the end of the last one.
EARLIEST, LATEST = 1900, 2060
LAST = date(LATEST, 12, 31)
LONGEST = timedelta(days=366)

_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_TIME = re.compile(rf"{_DATE.pattern}T([0-9]{{2}})([0-9]{{2}})([0-9]{{2}})(Z?)")
_DURATION = re.compile(
    r"([-+]?)P(?:([0-9]{1,4})W|(?:([0-9]{1,4})D)?(?:T(?=[0-9])(?:([0-9]{1,6})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,8})S)?)?)"
)
_OFFSET = re.compile(r"([-+])([0-9]{2})([0-9]{2})(?:[0-9]{2})?")


class DescribedZone(tzinfo):
    """A zone as a file describes it: wall-clock times from which on an offset holds."""

    def __init__(self, name: str, onsets: Iterable[tuple[datetime, timedelta, timedelta]]) -> None:
        ordered = sorted(onsets)
        self._name = name
        self._at = [at for at, _, _ in ordered]
        self._offsets = [ordered[0][1], *(offset for _, _, offset in ordered)]

    def utcoffset(self, at: datetime | None, /) -> timedelta:
        return self._offsets[bisect_right(self._at, at.replace(tzinfo=None))] if at is not None else self._offsets[-1]

    def dst(self, at: datetime | None, /) -> None:
        return None

    def tzname(self, at: datetime | None, /) -> str:
        return self._name


class Zones:
    """The time zones of one file. `own`: of times that name none."""

    def __init__(self, described: dict[str, Component], own: ZoneInfo, effort: Effort) -> None:
        self.own = own
        self._described = described
        self._effort = effort
        self._known: dict[str, tzinfo] = {}

    def of(self, given: Property) -> tzinfo:
        """The zone that a property names. Raises CalendarFileError."""
        name = given.parameters.get("TZID", "")
        if not name:
            return self.own
        if name not in self._known:
            self._known[name] = self._find(name, given.line)
        return self._known[name]

    def _find(self, name: str, line: int) -> tzinfo:
        if name in available_timezones():
            return ZoneInfo(name)
        if name in self._described:
            return DescribedZone(name, self._onsets(self._described[name]))
        message = f"time zone {quote(name)} is not known: expected a name such as Europe/Berlin, or its VTIMEZONE"
        raise CalendarFileError(message, line)

    def _onsets(self, zone: Component) -> list[tuple[datetime, timedelta, timedelta]]:
        found = []
        for part in zone.parts:
            start = one_of(part, "DTSTART")
            begun = wall_clock(start)
            if not isinstance(begun, datetime):
                raise CalendarFileError("DTSTART of a time zone: expected a date and a time", start.line)
            before, after = (_offset(one_of(part, name)) for name in ("TZOFFSETFROM", "TZOFFSETTO"))
            days = {begun.date()}
            for rule in part.all("RRULE"):
                try:
                    days.update(read_rule(rule.value).days(begun.date(), LAST, self._effort))
                except RuleError as error:
                    raise CalendarFileError(str(error), rule.line) from error
            found += [(datetime.combine(day, begun.time()), before, after) for day in days]
        if not found:
            raise CalendarFileError("the time zone says nothing: expected STANDARD or DAYLIGHT", zone.line)
        return found


def one_of(part: Component, name: str) -> Property:
    """The property that must stand there once."""
    found = part.one(name)
    if found is None:
        raise CalendarFileError(f"{part.name} without {name}: expected one", part.line)
    return found


def wall_clock(given: Property, text: str | None = None) -> date | datetime:
    """A day, or a time as it is written: UTC where it says so, naive otherwise. Raises CalendarFileError."""
    written = (given.value if text is None else text).strip().upper()
    try:
        if (day := _DATE.fullmatch(written)) is not None:
            return date(int(day[1]), int(day[2]), int(day[3]))
        if (time := _TIME.fullmatch(written)) is not None and given.parameters.get("VALUE", "").upper() != "DATE":
            # A leap second is the second before it.
            parts = [int(time[at]) for at in range(1, 6)]
            return datetime(*parts, min(59, int(time[6])), tzinfo=UTC if time[7] else None)  # type: ignore[misc,arg-type]
    except ValueError:  # the 30th of February
        pass
    raise CalendarFileError(
        f"{given.name} {quote(written)} is no day and no time: expected for example 20271224 or 20271224T130000Z",
        given.line,
    )


def moment(given: Property, zones: Zones, text: str | None = None) -> date | datetime:
    """A day, or a time with its zone. Raises CalendarFileError."""
    found = wall_clock(given, text)
    if not EARLIEST <= found.year <= LATEST:
        raise CalendarFileError(f"{given.name} is in {found.year}: expected {EARLIEST} to {LATEST}", given.line)
    if isinstance(found, datetime) and found.tzinfo is None:
        return found.replace(tzinfo=zones.of(given))
    return found


@dataclass(frozen=True, slots=True)
class Length:
    """How long something lasts: days by the calendar, then time by the clock."""

    days: int = 0
    time: timedelta = timedelta(0)


def duration(given: Property) -> Length:
    """A DURATION. Raises CalendarFileError."""
    match = _DURATION.fullmatch(given.value.strip().upper())
    if match is None or not any(match.groups()[1:]) or match[1] == "-":
        raise CalendarFileError(f"DURATION {quote(given.value)}: expected for example P1D, PT1H30M or P2W", given.line)
    weeks, days, hours, minutes, seconds = (int(each or 0) for each in match.groups()[1:])
    return Length(weeks * 7 + days, timedelta(hours=hours, minutes=minutes, seconds=seconds))


def _offset(given: Property) -> timedelta:
    match = _OFFSET.fullmatch(given.value.strip())
    if match is None or int(match[2]) > 23 or int(match[3]) > 59:
        raise CalendarFileError(f"{given.name} {quote(given.value)}: expected for example +0100", given.line)
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return -offset if match[1] == "-" else offset
