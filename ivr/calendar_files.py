"""iCalendar files (`holidays.ics`) beside `hours.yaml`: the days and times that their events cover.

Everything is worked out when the file is read, to the end of a fixed year and within a bound on the days looked at
(`MOST_EFFORT`), so a file can be refused but never be slow, and a call only looks something up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from ivr.errors import quote
from ivr.ics_lines import CalendarFileError, Component, Property, read_components
from ivr.ics_values import LAST, LATEST, LONGEST, Length, Zones, duration, moment, one_of, wall_clock
from ivr.recurrences import MOST_EFFORT, Effort, EffortError, Rule, RuleError, read_rule


@dataclass(frozen=True, slots=True)
class Event:
    """One VEVENT: when it first begins, how long it lasts, when else, and when not."""

    start: date | datetime
    length: Length
    rules: tuple[tuple[Rule, Property], ...]
    more: tuple[date | datetime, ...]
    less: tuple[date | datetime, ...]
    uid: str
    #: The occurrence of the event of this uid in whose place this one stands.
    instead: date | datetime | None
    is_cancelled: bool
    line: int


class CalendarFile:
    """The events of one file. `zone`: of times that name none."""

    def __init__(self, content: bytes, zone: ZoneInfo) -> None:
        """Raises CalendarFileError."""
        self._effort = Effort()
        self._zone = zone
        days: set[date] = set()
        times: list[tuple[datetime, datetime]] = []
        parts = [part for calendar in read_components(content) for part in calendar.parts]
        described = {
            name.value: part for part in parts if part.name == "VTIMEZONE" if (name := part.one("TZID")) is not None
        }
        self._zones = Zones(described, zone, self._effort)
        self._line = 1
        try:
            events = [self._event(part) for part in parts if part.name == "VEVENT"]
            replaced: dict[str, set[date | datetime]] = defaultdict(set)
            for event in events:
                if event.instead is not None:
                    replaced[event.uid].add(event.instead)
            for event in events:
                if not event.is_cancelled:
                    without = replaced[event.uid] if event.instead is None and event.uid else set()
                    self._cover(event, without, days, times)
        except EffortError:
            message = (
                f"events of this file recur too often: expected no more than {MOST_EFFORT} days to look at until"
                f" {LATEST}, so give the rules an UNTIL or a COUNT"
            )
            raise CalendarFileError(message, self._line) from None
        self._days = frozenset(days)
        self._begins, self._ends = _merged(times)

    def covers_day(self, day: date) -> bool:
        """Whether an event lasts all of this day."""
        return day in self._days

    def covers(self, now: datetime) -> bool:
        """Whether an event with times is going on at an aware instant."""
        at = bisect_right(self._begins, now) - 1
        return at >= 0 and now < self._ends[at]

    # --- reading -----------------------------------------------------------------------------------------

    def _event(self, part: Component) -> Event:
        self._line = part.line
        self._effort.spend(1)
        start = moment(begins := one_of(part, "DTSTART"), self._zones)
        for given in part.all("EXRULE"):
            raise CalendarFileError("EXRULE is not understood: expected EXDATE", given.line)
        instead = part.one("RECURRENCE-ID")
        if instead is not None and "RANGE" in instead.parameters:
            message = "RANGE is not understood in RECURRENCE-ID: expected an event of its own for each change"
            raise CalendarFileError(message, instead.line)
        uid, status = part.one("UID"), part.one("STATUS")
        return Event(
            start=start,
            length=self._length(part, start, begins),
            rules=tuple((_rule(given), given) for given in part.all("RRULE")),
            more=tuple(self._listed(part, "RDATE", start)),
            less=tuple(self._listed(part, "EXDATE", start)),
            uid=uid.value if uid is not None else "",
            instead=_comparable(moment(instead, self._zones)) if instead is not None else None,
            is_cancelled=status is not None and status.value.strip().upper() == "CANCELLED",
            line=part.line,
        )

    def _length(self, part: Component, start: date | datetime, begins: Property) -> Length:
        end, lasts = part.one("DTEND"), part.one("DURATION")
        if end is not None and lasts is not None:
            raise CalendarFileError(f"{_named(part)} has a DTEND and a DURATION: expected one of them", lasts.line)
        if lasts is not None:
            length = duration(lasts)
            if not isinstance(start, datetime) and length.time:
                raise CalendarFileError("DURATION of a whole day: expected days or weeks", lasts.line)
        elif end is not None:
            until = moment(end, self._zones)
            if isinstance(start, datetime) != isinstance(until, datetime):
                message = (
                    f"{_named(part)} begins with a {_kind(start)} and ends with a {_kind(until)}: expected the same"
                )
                raise CalendarFileError(message, end.line)
            if isinstance(start, datetime) and isinstance(until, datetime):
                length = Length(time=until.astimezone(UTC) - start.astimezone(UTC))
            else:
                length = Length(days=(until - start).days)
        else:
            length = Length()
        if not timedelta(0) <= timedelta(days=length.days) + length.time <= LONGEST:
            message = f"{_named(part)} ends before it begins or lasts long: expected at most {LONGEST.days} days"
            raise CalendarFileError(message, (end or lasts or begins).line)
        return length

    def _listed(self, part: Component, name: str, start: date | datetime) -> Iterator[date | datetime]:
        for given in part.all(name):
            if given.parameters.get("VALUE", "").upper() == "PERIOD":
                raise CalendarFileError(f"PERIOD is not understood in {name}: expected dates or times", given.line)
            for text in filter(None, given.value.split(",")):
                self._effort.spend(1)
                found = moment(given, self._zones, text)
                if name == "EXDATE" and isinstance(found, datetime) and not isinstance(start, datetime):
                    found = found.date()
                if name == "RDATE" and isinstance(found, datetime) != isinstance(start, datetime):
                    message = f"RDATE is a {_kind(found)} where DTSTART is a {_kind(start)}: expected the same"
                    raise CalendarFileError(message, given.line)
                yield found

    # --- working out -------------------------------------------------------------------------------------

    def _cover(
        self,
        event: Event,
        without: set[date | datetime],
        days: set[date],
        times: list[tuple[datetime, datetime]],
    ) -> None:
        """Add what the event covers, without the occurrences that stand elsewhere or nowhere."""
        self._line = event.line
        less = {*map(_comparable, event.less), *without}
        for begins in self._occurrences(event):
            on = begins.date() if isinstance(begins, datetime) else begins
            if _comparable(begins) in less or on in less:
                continue
            if isinstance(begins, datetime):
                ends = (begins + timedelta(days=event.length.days)).astimezone(UTC) + event.length.time
                self._effort.spend(1)
                times.append((begins.astimezone(UTC), ends))
            else:
                length = max(1, event.length.days)
                self._effort.spend(length)
                days.update(begins + timedelta(days=at) for at in range(length))

    def _occurrences(self, event: Event) -> Iterator[date | datetime]:
        yield event.start
        yield from event.more
        for rule, given in event.rules:
            yield from self._by_rule(event.start, rule, given)

    def _by_rule(self, start: date | datetime, rule: Rule, given: Property) -> Iterator[date | datetime]:
        first = start.date() if isinstance(start, datetime) else start
        last, is_past = self._end(start, rule, given)
        found = False
        for day in rule.days(first, last, self._effort):
            found = True
            at = datetime.combine(day, start.timetz()) if isinstance(start, datetime) else day
            if is_past(at):
                return
            yield at
        if not found:
            message = f"the rule never gives a day from {first} until {last}: expected one that does"
            raise CalendarFileError(message, given.line)

    def _end(
        self, start: date | datetime, rule: Rule, given: Property
    ) -> tuple[date, Callable[[date | datetime], bool]]:
        """The last day to look at, and whether an occurrence is past the UNTIL of its rule."""
        if rule.until is None:
            return LAST, lambda at: False
        until = wall_clock(Property("UNTIL", rule.until, given.line))
        if isinstance(until, datetime) and isinstance(start, datetime):
            instant = until if until.tzinfo is not None else until.replace(tzinfo=start.tzinfo)
            last = min(LAST, until.date() if until.year > LATEST else until.date() + timedelta(days=1))
            return last, lambda at: isinstance(at, datetime) and at.astimezone(UTC) > instant.astimezone(UTC)
        return min(LAST, until.date() if isinstance(until, datetime) else until), lambda at: False


def _rule(given: Property) -> Rule:
    try:
        return read_rule(given.value)
    except RuleError as error:
        raise CalendarFileError(str(error), given.line) from error


def _comparable(at: date | datetime) -> date | datetime:
    """One instant is one value, in whatever zone it is written."""
    return at.astimezone(UTC) if isinstance(at, datetime) else at


def _kind(at: date | datetime) -> str:
    return "time" if isinstance(at, datetime) else "day"


def _named(part: Component) -> str:
    title = next((given.text for given in part.all("SUMMARY")), "")
    return f"the event {quote(title)}" if title else "the event"


def _merged(times: list[tuple[datetime, datetime]]) -> tuple[list[datetime], list[datetime]]:
    """Times that do not overlap, in order: when each begins and when it ends."""
    begins: list[datetime] = []
    ends: list[datetime] = []
    for begun, ended in sorted(times):
        if ends and begun <= ends[-1]:
            ends[-1] = max(ends[-1], ended)
        else:
            begins.append(begun)
            ends.append(ended)
    return begins, ends
