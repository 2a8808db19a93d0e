"""Rules of iCalendar (RRULE) as days. No I/O, and bounded: every day that is looked at is counted as `Effort`.

A rule is worked out period by period (day, week, month, year): each has its candidates, of which positions choose.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from ivr.errors import one_of, quote

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS", "WKST")
MOST_INTERVAL = 1_000
MOST_COUNT = 100_000
#: Days that may be looked at for one file.
MOST_EFFORT = 100_000

_BYDAY = re.compile(r"([-+]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"[-+]?[0-9]{1,6}")


class RuleError(Exception):
    """A rule is not understood, or never gives a day; the message says what and why."""


class EffortError(Exception):
    """More days would have to be looked at than `MOST_EFFORT`."""


class Effort:
    """What working out a file has taken so far."""

    def __init__(self) -> None:
        self.spent = 0

    def spend(self, days: int) -> None:
        """Raises EffortError."""
        self.spent += days
        if self.spent > MOST_EFFORT:
            raise EffortError


@dataclass(frozen=True, slots=True)
class Rule:
    """One RRULE. `weekdays`: which one of its month or year (0: each), and the weekday from 0. `until`: as written."""

    frequency: str
    interval: int = 1
    count: int | None = None
    until: str | None = None
    weekdays: tuple[tuple[int, int], ...] = ()
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 0

    def days(self, start: date, last: date, effort: Effort) -> Iterator[date]:
        """The days from the start until `last` on which the rule falls, in order. Raises EffortError."""
        found = 0
        for first in self._periods(start, last):
            candidates = sorted(set(self._candidates(first, start)))
            effort.spend(max(1, len(candidates)))
            for day in self._chosen(candidates):
                if day > last:
                    return
                if day >= start:
                    yield day
                    found += 1
                    if found == self.count:
                        return

    def _periods(self, start: date, last: date) -> Iterator[date]:
        """The first day of each period that counts."""
        if self.frequency in ("DAILY", "WEEKLY"):
            step = timedelta(days=self.interval * (7 if self.frequency == "WEEKLY" else 1))
            week_begun = (start.weekday() - self.week_start) % 7 if self.frequency == "WEEKLY" else 0
            first = start - timedelta(days=week_begun)
            while first <= last:
                yield first
                first += step
            return
        months = self.interval * (12 if self.frequency == "YEARLY" else 1)
        begun = start.year * 12 + (0 if self.frequency == "YEARLY" else start.month - 1)
        for month in range(begun, last.year * 12 + last.month, months):
            yield date(month // 12, month % 12 + 1, 1)

    def _candidates(self, first: date, start: date) -> Iterable[date]:
        match self.frequency:
            case "DAILY":
                return [first] if self._fits(first) else []
            case "WEEKLY":
                wanted = {day for _, day in self.weekdays} or {start.weekday()}
                week = (first + timedelta(days=at) for at in range(7))
                return [day for day in week if day.weekday() in wanted and self._in_month(day)]
            case "MONTHLY":
                return self._in_span(first, _end_of_month(first), start) if self._in_month(first) else []
        if self.weekdays and not self.months and not self.month_days:
            return self._in_span(first, date(first.year, 12, 31), start)
        months = self.months or (range(1, 13) if self.month_days else (start.month,))
        begins = [date(first.year, month, 1) for month in months]
        return [day for begun in begins for day in self._in_span(begun, _end_of_month(begun), start)]

    def _fits(self, day: date) -> bool:
        return (
            self._in_month(day)
            and (not self.month_days or not {day.day, day.day - 1 - _end_of_month(day).day}.isdisjoint(self.month_days))
            and (not self.weekdays or day.weekday() in {weekday for _, weekday in self.weekdays})
        )

    def _in_month(self, day: date) -> bool:
        return not self.months or day.month in self.months

    def _in_span(self, first: date, last: date, start: date) -> list[date]:
        """The days of a month, or of a year for weekdays alone."""
        by_number = [
            first + timedelta(days=number - 1 if number > 0 else last.day + number)
            for number in (self.month_days or (start.day,))
            if abs(number) <= last.day
        ]
        if not self.weekdays:
            return by_number
        by_weekday = [day for which, weekday in self.weekdays for day in _weekdays(first, last, which, weekday)]
        return [day for day in by_weekday if day in by_number] if self.month_days else by_weekday

    def _chosen(self, candidates: list[date]) -> list[date]:
        if not self.positions:
            return candidates
        fitting = (at for at in self.positions if abs(at) <= len(candidates))
        return sorted({candidates[at - 1 if at > 0 else at] for at in fitting})


def _end_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def _weekdays(first: date, last: date, which: int, weekday: int) -> list[date]:
    begun = first + timedelta(days=(weekday - first.weekday()) % 7)
    found = [begun + timedelta(days=at) for at in range(0, (last - begun).days + 1, 7)]
    if not which:
        return found
    return [found[which - 1 if which > 0 else which]] if abs(which) <= len(found) else []


def read_rule(text: str) -> Rule:
    """An RRULE's value. Raises RuleError."""
    parts: dict[str, str] = {}
    for part in text.strip().rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        name = name.strip().upper()
        if not equals or name not in PARTS:
            raise RuleError(f"{quote(part)} is not understood in RRULE: {one_of(PARTS)}")
        if name in parts:
            raise RuleError(f"{name} stands in the rule twice: expected it once")
        parts[name] = value.strip().upper()
    frequency = parts.get("FREQ", "")
    if frequency not in FREQUENCIES:
        raise RuleError(f"FREQ {quote(frequency)} is not understood: {one_of(FREQUENCIES)}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise RuleError("COUNT and UNTIL stand in the same rule: expected one of them")
    week_start = parts.get("WKST", "MO")
    if week_start not in WEEKDAYS:
        raise RuleError(f"WKST {quote(week_start)} is not a weekday: {one_of(WEEKDAYS)}")
    rule = Rule(
        frequency=frequency,
        interval=_numbers(parts, "INTERVAL", 1, MOST_INTERVAL, most_listed=1)[0] if "INTERVAL" in parts else 1,
        count=_numbers(parts, "COUNT", 1, MOST_COUNT, most_listed=1)[0] if "COUNT" in parts else None,
        until=parts.get("UNTIL"),
        weekdays=_days_of_week(parts),
        months=_numbers(parts, "BYMONTH", 1, 12),
        month_days=_numbers(parts, "BYMONTHDAY", 1, 31, may_be_negative=True),
        positions=_numbers(parts, "BYSETPOS", 1, 366, may_be_negative=True),
        week_start=WEEKDAYS.index(week_start),
    )
    _check(rule)
    return rule


def _numbers(
    parts: dict[str, str], name: str, least: int, most: int, *, may_be_negative: bool = False, most_listed: int = 62
) -> tuple[int, ...]:
    if name not in parts:
        return ()
    written = parts[name].split(",")
    if len(written) > most_listed:
        raise RuleError(f"{name} lists {len(written)} values: expected at most {most_listed}")
    for each in written:
        value = int(each) if _NUMBER.fullmatch(each) else 0
        if not least <= (abs(value) if may_be_negative else value) <= most:
            signed = f", or -{least} to -{most} from the end" if may_be_negative else ""
            raise RuleError(f"{name} {quote(each)}: expected {least} to {most}{signed}")
    return tuple(dict.fromkeys(map(int, written)))


def _days_of_week(parts: dict[str, str]) -> tuple[tuple[int, int], ...]:
    if "BYDAY" not in parts:
        return ()
    found = []
    for each in parts["BYDAY"].split(",")[:400]:
        match = _BYDAY.fullmatch(each.strip())
        if match is None or (match[1] and int(match[1]) == 0):
            raise RuleError(f"BYDAY {quote(each)} is not a weekday: expected for example MO, 1MO or -1FR")
        found.append((int(match[1] or 0), WEEKDAYS.index(match[2])))
    return tuple(dict.fromkeys(found))


def _check(rule: Rule) -> None:
    """What each frequency understands, so that no rule is one that can never fall on a day without it being told."""
    of_a_year = rule.frequency == "YEARLY" and not rule.months and not rule.month_days
    most = 53 if of_a_year else 5 if rule.frequency in ("MONTHLY", "YEARLY") else 0
    for which, weekday in rule.weekdays:
        if abs(which) > most:
            what = f"{which}{WEEKDAYS[weekday]}"
            if not most:
                raise RuleError(f"BYDAY {what} cannot stand in FREQ={rule.frequency}: expected a weekday alone")
            raise RuleError(f"BYDAY {what} never comes: expected 1 to {most} or -1 to -{most} before the weekday")
    if rule.month_days and rule.frequency == "WEEKLY":
        raise RuleError("BYMONTHDAY cannot stand in FREQ=WEEKLY: expected it in DAILY, MONTHLY or YEARLY")
    months = rule.months or range(1, 13)
    if rule.month_days and all(abs(day) > monthrange(2028, month)[1] for day in rule.month_days for month in months):
        raise RuleError(f"BYMONTHDAY {rule.month_days[0]} never comes in these months: expected a day that they have")
