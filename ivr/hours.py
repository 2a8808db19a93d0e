"""When a site is open: calendars of a weekly table, public holidays and single dates.

A date of its own wins over an event of a calendar file, such an event over a holiday, a holiday over the weekly
table. A range belongs to the day on which it begins, also when it goes on after midnight. Times are wall-clock times
of the calendar's zone, so a clock change moves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import holidays
from holidays import HolidayBase
from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, WithJsonSchema

from ivr.calendar_files import CalendarFile
from ivr.errors import did_you_mean, one_of, quote
from ivr.values import Name, Part, Text, TimeZone, wrong

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_RANGE = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")


class Opening(NamedTuple):
    """From and to in minutes after the midnight that begins the day; past 1440 it goes on into the next day."""

    begins: int
    ends: int


def _opening(text: Any) -> Opening:
    match = _RANGE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise wrong(f"{quote(text)} is not a time range: expected for example 09:00-17:30, or closed")
    begins, ends = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if begins >= 1440 or ends > 1440 or int(match[2]) > 59 or int(match[4]) > 59:
        raise wrong(f"{quote(text)} is not a time range: expected times from 00:00 to 24:00")
    if begins == ends:
        raise wrong(f"{quote(text)} is empty: expected two different times, or 00:00-24:00 for the whole day")
    return Opening(begins, ends if ends > begins else ends + 1440)


def _openings(value: Any) -> tuple[Opening, ...]:
    if value == "closed":
        return ()
    ranges = tuple(sorted(_opening(each) for each in (value if isinstance(value, tuple) else (value,))))
    if not ranges:
        raise wrong("no time range: expected for example 09:00-17:30, or closed")
    for earlier, later in pairwise(ranges):
        if later.begins < earlier.ends:
            raise wrong("the time ranges overlap: expected one to end before the next begins")
    return ranges


def _week(value: Mapping[str, Any]) -> Mapping[str, Any]:
    taken: dict[str, str] = {}
    for days in value:
        for day in _days(days):
            if day in taken:
                raise wrong(f"{quote(days)} gives {day} again: it stands in {quote(taken[day])} already")
            taken[day] = days
    return value


def _days(text: str) -> tuple[str, ...]:
    if text == "daily":
        return DAYS
    first, _, last = text.partition("-")
    for day in (first, last or first):
        if day not in DAYS:
            raise wrong(f"unknown day {quote(day)}: {one_of((*DAYS, 'daily'))}{did_you_mean(day, (*DAYS, 'daily'))}")
    begin, end = DAYS.index(first), DAYS.index(last or first)
    if end < begin:
        raise wrong(f"{quote(text)} runs backwards: expected the earlier day of the week first")
    return DAYS[begin : end + 1]


def _week_key(text: str) -> str:
    _days(text)
    return text


def _date(text: str) -> str:
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError(text)
        date.fromisoformat(text)
    except ValueError:
        raise wrong(f"{quote(text)} is not a date: expected for example 2027-12-24") from None
    return text


def _holidays(text: str) -> str:
    country, _, subdivision = text.partition("-")
    known = _holiday_countries()
    if country not in known:
        raise wrong(
            f"no holidays are known for {quote(country)}: expected a country such as DE, or its part such as DE-BY"
        )
    if subdivision and subdivision not in known[country]:
        raise wrong(f"no holidays are known for the part {quote(subdivision)} of {country}: {one_of(known[country])}")
    return text


def _calendar_file(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.ics", text):
        raise wrong(f"{quote(text)} is not a calendar file: expected one in the site's folder, such as holidays.ics")
    return text


@lru_cache(maxsize=1)
def _holiday_countries() -> Mapping[str, list[str]]:
    return holidays.list_supported_countries(include_aliases=False)


_WRITTEN = {"type": "string", "pattern": f"^({_RANGE.pattern}|closed)$"}
Openings = Annotated[
    tuple[Opening, ...],
    BeforeValidator(_openings),
    WithJsonSchema({"anyOf": [_WRITTEN, {"type": "array", "items": _WRITTEN}]}),
]


class Calendar(Part):
    """`hours.yaml`: one calendar. `time_zone` is the site's when the file gives none."""

    id: Name
    title: Text | None = None
    time_zone: TimeZone
    week: Annotated[Mapping[Annotated[str, AfterValidator(_week_key)], Openings], AfterValidator(_week)]
    holidays: Annotated[str, AfterValidator(_holidays)] | None = None
    on_holidays: Openings = ()
    dates: Mapping[Annotated[str, AfterValidator(_date)], Openings] = Field(default_factory=dict)
    calendar: Annotated[str, AfterValidator(_calendar_file)] | None = None
    on_calendar: Openings = ()
    _events: CalendarFile | None = PrivateAttr(None)

    def take_events(self, content: bytes) -> None:
        """Heed the events of the file `calendar`. Raises CalendarFileError."""
        self._events = CalendarFile(content, self._zone)

    @cached_property
    def _table(self) -> Mapping[str, tuple[Opening, ...]]:
        return {day: openings for days, openings in self.week.items() for day in _days(days)}

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @cached_property
    def _public(self) -> HolidayBase | None:
        if self.holidays is None:
            return None
        country, _, subdivision = self.holidays.partition("-")
        return holidays.country_holidays(country, subdiv=subdivision or None)

    @property
    def never_opens(self) -> bool:
        """Whether there is no day on which it is open."""
        given = (
            *self.week.values(),
            *self.dates.values(),
            self.on_holidays if self.holidays else (),
            self.on_calendar if self.calendar else (),
        )
        return not any(given)

    def openings(self, day: date) -> tuple[Opening, ...]:
        """The ranges that begin on a day."""
        own = self.dates.get(day.isoformat())
        if own is not None:
            return own
        if self._events is not None and self._events.covers_day(day):
            return self.on_calendar
        if self._public is not None and day in self._public:
            return self.on_holidays
        return self._table.get(DAYS[day.weekday()], ())

    def is_open(self, now: datetime) -> bool:
        """Whether the calendar is open at an aware instant."""
        local = now.astimezone(self._zone)
        if self._events is not None and local.date().isoformat() not in self.dates and self._events.covers(now):
            return False
        minute = local.hour * 60 + local.minute
        yesterday = local.date() - timedelta(days=1)
        return any(begins <= minute < ends for begins, ends in self.openings(local.date())) or any(
            minute + 1440 < ends for _, ends in self.openings(yesterday)
        )
