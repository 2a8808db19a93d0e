from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from ivr.hours import Calendar, Opening

BERLIN = ZoneInfo("Europe/Berlin")


def calendar(**parts: object) -> Calendar:
    return Calendar.model_validate({"id": "office", "time_zone": "Europe/Berlin", "week": {}, **parts})


def at(text: str) -> datetime:
    """A wall-clock time in Berlin as an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("time", "is_open"),
    [("08:59", False), ("09:00", True), ("12:29", True), ("12:30", False), ("13:30", True), ("17:30", False)],
)
def test_a_range_begins_with_its_first_minute_and_ends_before_its_last(time: str, is_open: bool) -> None:
    office = calendar(week={"monday-friday": ("13:30-17:30", "09:00-12:30")})

    assert office.is_open(at(f"2027-03-03T{time}")) is is_open


def test_days_without_hours_are_closed() -> None:
    office = calendar(week={"monday": "09:00-17:00", "saturday-sunday": "closed"})

    assert not office.is_open(at("2027-03-02T12:00"))
    assert not office.is_open(at("2027-03-06T12:00"))


def test_daily_and_the_whole_day() -> None:
    always = calendar(week={"daily": "00:00-24:00"})

    assert always.is_open(at("2027-03-07T00:00"))
    assert always.is_open(at("2027-03-07T23:59"))


@pytest.mark.parametrize(
    ("when", "is_open"),
    [
        ("2027-03-05T21:59", False),
        ("2027-03-05T22:00", True),
        ("2027-03-06T05:59", True),
        ("2027-03-06T06:00", False),
        ("2027-03-06T22:30", False),
    ],
)
def test_a_range_over_midnight_belongs_to_the_day_on_which_it_begins(when: str, is_open: bool) -> None:
    night = calendar(week={"friday": "22:00-06:00"})

    assert night.is_open(at(when)) is is_open


def test_a_closed_date_does_not_cut_the_night_before() -> None:
    night = calendar(week={"daily": "22:00-06:00"}, dates={"2027-03-06": "closed"})

    assert night.is_open(at("2027-03-06T03:00"))
    assert not night.is_open(at("2027-03-06T23:00"))
    assert not night.is_open(at("2027-03-07T03:00"))


def test_spring_forward_keeps_wall_clock_times() -> None:
    office = calendar(week={"daily": "09:00-17:00"})

    assert not office.is_open(datetime(2027, 3, 27, 7, 30, tzinfo=UTC))  # 08:30 in winter time
    assert office.is_open(datetime(2027, 3, 28, 7, 30, tzinfo=UTC))  # 09:30 in summer time


def test_the_hour_that_comes_twice_in_autumn_is_open_twice() -> None:
    night = calendar(week={"sunday": "02:00-02:30"})

    assert night.is_open(datetime(2027, 10, 31, 0, 15, tzinfo=UTC))  # 02:15 summer time
    assert night.is_open(datetime(2027, 10, 31, 1, 15, tzinfo=UTC))  # 02:15 winter time
    assert not night.is_open(datetime(2027, 10, 31, 0, 45, tzinfo=UTC))


def test_a_range_over_the_spring_change_ends_by_the_new_clock() -> None:
    night = calendar(week={"saturday": "22:00-06:00"})

    assert night.is_open(datetime(2027, 3, 28, 3, 59, tzinfo=UTC))  # 05:59 summer time
    assert not night.is_open(datetime(2027, 3, 28, 4, 0, tzinfo=UTC))


def test_public_holidays_close_and_may_have_hours_of_their_own() -> None:
    week = {"daily": "09:00-17:00"}

    assert not calendar(week=week, holidays="DE").is_open(at("2027-10-03T12:00"))
    assert calendar(week=week, holidays="DE").is_open(at("2027-01-06T12:00"))
    assert not calendar(week=week, holidays="DE-BY").is_open(at("2027-01-06T12:00"))
    assert calendar(week=week, holidays="DE", on_holidays="11:00-13:00").openings(date(2027, 10, 3)) == (
        Opening(660, 780),
    )


def test_a_date_of_its_own_wins_over_holiday_and_week() -> None:
    dates = {"2027-10-03": "10:00-11:00", "2027-03-03": "closed"}
    office = calendar(week={"daily": "09:00-17:00"}, holidays="DE", dates=dates)

    assert office.is_open(at("2027-10-03T10:30"))
    assert not office.is_open(at("2027-03-03T10:30"))


def test_the_calendars_zone_decides_not_the_servers() -> None:
    tokyo = calendar(week={"thursday": "09:00-17:00"}, time_zone="Asia/Tokyo")

    assert tokyo.is_open(datetime(2027, 3, 4, 0, 30, tzinfo=UTC))
    assert not tokyo.is_open(datetime(2027, 3, 4, 12, 0, tzinfo=UTC))
