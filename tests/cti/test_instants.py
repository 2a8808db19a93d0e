"""Times as people type them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from cti.instants import InstantError, instant, told

BERLIN = ZoneInfo("Europe/Berlin")


def us(text: str) -> int:
    """An ISO time with its offset."""
    return round(datetime.fromisoformat(text).timestamp()) * 1_000_000


NOW = us("2026-11-22T13:30:00+01:00")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("15:00", "2026-11-22T15:00:00+01:00"),
        ("13:31", "2026-11-22T13:31:00+01:00"),
        ("13:30", "2026-11-23T13:30:00+01:00"),
        (" 9:05 ", "2026-11-23T09:05:00+01:00"),
        ("2h", "2026-11-22T15:30:00+01:00"),
        ("1.5h", "2026-11-22T15:00:00+01:00"),
        ("90m", "2026-11-22T15:00:00+01:00"),
        ("30s", "2026-11-22T13:30:30+01:00"),
        ("3d", "2026-11-25T13:30:00+01:00"),
        ("2026-11-23T08:00", "2026-11-23T08:00:00+01:00"),
        ("2026-11-23 08:00", "2026-11-23T08:00:00+01:00"),
        ("2026-11-23", "2026-11-23T00:00:00+01:00"),
        ("2026-11-22T14:00:00Z", "2026-11-22T15:00:00+01:00"),
        ("2026-11-22T15:00:00+00:00", "2026-11-22T16:00:00+01:00"),
    ],
)
def test_what_is_typed_is_the_instant_that_is_meant(typed: str, meant: str) -> None:
    assert instant(typed, NOW, BERLIN) == us(meant)


def test_clock_times_follow_the_clocks_when_they_are_set() -> None:
    before = us("2027-03-27T15:00:00+01:00")
    assert instant("14:00", before, BERLIN) == us("2027-03-28T14:00:00+02:00")
    in_summer_time = us("2026-10-25T02:10:00+02:00")
    assert instant("02:30", in_summer_time, BERLIN) == us("2026-10-25T02:30:00+02:00")
    after_the_first = us("2026-10-25T02:40:00+02:00")
    assert instant("02:30", after_the_first, BERLIN) == us("2026-10-25T02:30:00+01:00")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "'': expected a time such as 15:00"),
        ("25:00", "'25:00': expected a time such as 15:00"),
        ("tomorrow", "'tomorrow': expected a time such as 15:00"),
        ("0001-01-01", "'0001-01-01': expected a time such as 15:00"),
        ("-2h", "'-2h': expected a time such as 15:00"),
        ("0s", "'0s': expected a time to come, that was 13:30"),
        ("2026-11-21T08:00", "expected a time to come, that was 2026-11-21 08:00"),
        ("999999d", "expected a time within 366 days"),
        ("2028-01-01", "expected a time within 366 days"),
    ],
)
def test_what_cannot_be_is_said(typed: str, said: str) -> None:
    with pytest.raises(InstantError) as found:
        instant(typed, NOW, BERLIN)
    assert said in str(found.value)


def test_an_instant_is_told_with_its_day_unless_it_is_today() -> None:
    assert told(us("2026-11-22T23:59:00+01:00"), NOW, BERLIN) == "23:59"
    assert told(us("2026-11-23T00:00:00+01:00"), NOW, BERLIN) == "2026-11-23 00:00"
