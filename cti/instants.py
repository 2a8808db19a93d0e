"""Instants as people type and read them: `15:00`, `2h`, `2027-03-01T08:00`; in the site's time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cti.clock import utc
from cti.errors import CtiError

LONGEST_DAYS = 366
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_SPAN = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(s|m|h|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class InstantError(CtiError):
    """A time that cannot be understood, or that is over or too far away."""

    code = "instant"


def instant(text: str, now: int, zone: ZoneInfo) -> int:
    """The instant that `text` means, in microseconds UTC.

    `HH:MM`: the next such time in `zone`. A number with s, m, h or d: so long from now. A date, or date and time
    (ISO 8601, without an offset in `zone`). Raises InstantError.
    """
    found = _meant(text.strip(), now, zone)
    if found is None:
        raise InstantError(f"{text!r}: expected a time such as 15:00, a span such as 90m or 2h, or 2027-03-01T08:00")
    if found <= now:
        raise InstantError(f"{text!r}: expected a time to come, that was {told(found, now, zone)}")
    if found - now > LONGEST_DAYS * 86_400_000_000:
        raise InstantError(f"{text!r}: expected a time within {LONGEST_DAYS} days")
    return found


def told(at: int, now: int, zone: ZoneInfo) -> str:
    """The instant as a person reads it: the time alone when it is today."""
    local, today = utc(at).astimezone(zone), utc(now).astimezone(zone)
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%Y-%m-%d %H:%M}"


def _meant(text: str, now: int, zone: ZoneInfo) -> int | None:
    if match := _CLOCK.fullmatch(text):
        return _next_time(int(match[1]), int(match[2]), now, zone)
    if match := _SPAN.fullmatch(text):
        return now + round(float(match[1]) * _UNITS[match[2]] * 1_000_000)
    try:
        at = datetime.fromisoformat(text)
        return _us(at if at.tzinfo is not None else at.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return None


def _next_time(hour: int, minute: int, now: int, zone: ZoneInfo) -> int:
    """The next instant at which the clocks on the wall show this time, on the day on which they are set too."""
    today = utc(now).astimezone(zone).date()
    for days in range(3):
        day = today + timedelta(days=days)
        for fold in (0, 1):  # the hour that comes twice when summer time ends
            at = _us(datetime(day.year, day.month, day.day, hour, minute, fold=fold, tzinfo=zone))
            if at > now:
                return at
    raise AssertionError("one of three days is to come")


def _us(at: datetime) -> int:
    return (at.astimezone(UTC) - utc(0)) // timedelta(microseconds=1)
