"""iCalendar files beside hours.yaml: days, times, recurrences, time zones, and files that are refused.

Longer than 400 lines: small cases of one parser.
"""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.calendar_files import CalendarFile
from ivr.hours import Calendar
from ivr.ics_lines import MOST_BYTES, CalendarFileError
from ivr.ics_values import DescribedZone
from tests.ivr.sites import problems_in, site_with

BERLIN = ZoneInfo("Europe/Berlin")
HOURS = """
shop:
  week: { daily: 09:00-18:00 }
  calendar: a.ics
  on_calendar: 10:00-12:00
  dates: { 2027-12-24: 09:00-13:00 }
  time_zone: Europe/Berlin
"""
OUTLOOK = """BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""


def calendar(*bodies: str, zones: str = "") -> str:
    joined = "".join(f"BEGIN:VEVENT\nUID:{at}\n{body}\nEND:VEVENT\n" for at, body in enumerate(bodies))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{zones}{joined}END:VCALENDAR\n"


def read(*bodies: str, zones: str = "") -> CalendarFile:
    return CalendarFile(calendar(*bodies, zones=zones).encode(), BERLIN)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.fixture
def shop(tmp_path: Path) -> Calendar:
    text = calendar(
        "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227\nRRULE:FREQ=YEARLY\nEXDATE;VALUE=DATE:20281224",
        "DTSTART;TZID=Europe/Berlin:20270325T150000\nDTEND;TZID=Europe/Berlin:20270325T160000\nRRULE:FREQ=DAILY;COUNT=8",
        "DTSTART:20270701T130000Z\nDTEND:20270701T140000Z",
        "DTSTART:20270702T130000\nDURATION:PT1H",
    )
    return site_with(tmp_path, "- hangup", hours_yaml=HOURS, **{"a.ics": text}).hours["shop"]


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-12-24T10:30", True),  # all day, with the ranges of on_calendar
        ("2026-12-24T12:30", False),
        ("2026-12-26T12:30", False),
        ("2026-12-27T12:30", True),
        ("2027-12-24T12:30", True),  # a date of its own
        ("2027-12-25T12:30", False),  # every year
        ("2028-12-24T12:30", True),  # but not in this one
        ("2028-12-25T12:30", True),
        ("2029-12-25T12:30", False),
        ("2060-12-25T12:30", False),  # the last year that is worked out
        ("2061-12-25T12:30", True),
        ("2027-03-27T15:30", False),  # before and after the clocks go forward, at the same time on the wall
        ("2027-03-28T15:30", False),
        ("2027-03-28T16:00", True),
        ("2027-03-29T14:59", True),
        ("2027-04-01T15:30", False),  # the eighth and last
        ("2027-04-02T15:30", True),
        ("2027-07-01T15:30", False),  # 13:30 UTC
        ("2027-07-01T14:30", True),
        ("2027-07-02T13:30", False),  # no zone: the calendar's
        ("2027-07-02T14:00", True),
    ],
)
def test_a_calendar_file_closes_days_and_times(shop: Calendar, at: str, is_open: bool) -> None:
    assert shop.is_open(berlin(at)) is is_open


def test_an_event_over_the_turn_of_the_year_counts_on_both_sides() -> None:
    file = read("DTSTART;VALUE=DATE:20271228\nDTEND;VALUE=DATE:20280105")

    assert [file.covers_day(date(*day)) for day in ((2027, 12, 31), (2028, 1, 4), (2028, 1, 5))] == [True, True, False]


@pytest.mark.parametrize("folded", ["\r\n ", "\n\t", "\r "])
def test_folded_lines_are_one_also_within_a_letter(folded: str) -> None:
    text = calendar("SUMMARY:Wei@hnachten, Schlüssel\\, zu\nDTSTART;VALUE=DA@TE:2027@1224").replace("@", folded)
    split = text.encode().replace("ü".encode(), b"\xc3" + folded.encode() + b"\xbc")

    assert CalendarFile(split, BERLIN).covers_day(date(2027, 12, 24))


@pytest.mark.parametrize(("at", "covered"), [("2027-01-15T09:30", True), ("2027-07-15T09:30", True)])
def test_a_zone_that_only_the_file_knows_is_taken_as_it_is_described(at: str, covered: bool) -> None:
    name = "W. Europe Standard Time"
    event = f'DTSTART;TZID="{name}":20270101T090000\nDTEND;TZID={name}:20270101T100000\nRRULE:FREQ=DAILY;COUNT=330'
    file = read(event, zones=OUTLOOK)

    for hour, expected in ((8, False), (9, covered), (10, False)):
        assert file.covers(berlin(at).replace(hour=hour)) is expected
    for day in ("2027-03-28", "2027-10-31"):  # where the clocks change
        assert [file.covers(berlin(f"{day}T{hour}:30")) for hour in ("08", "09", "10")] == [False, True, False]


def test_the_offset_before_the_first_change_is_the_one_it_changes_from() -> None:
    zone = "BEGIN:VTIMEZONE\nTZID:Moon\nBEGIN:STANDARD\nDTSTART:20270601T000000\nTZOFFSETFROM:-0330\nTZOFFSETTO:+0100\n"
    event = "DTSTART;TZID=Moon:20270101T120000\nDURATION:PT10M\nRDATE;TZID=Moon:20270701T120000"
    file = read(event, zones=zone + "END:STANDARD\nEND:VTIMEZONE\n")

    assert file.covers(datetime.fromisoformat("2027-01-01T15:30:00+00:00"))
    assert file.covers(datetime.fromisoformat("2027-07-01T11:00:00+00:00"))


def test_a_described_zone_is_one_as_python_asks_for_it() -> None:
    hour = timedelta(hours=1)
    moon = DescribedZone("Moon", [(datetime(2027, 6, 1), hour, 2 * hour)])  # noqa: DTZ001

    assert (moon.tzname(None), moon.utcoffset(None)) == ("Moon", 2 * hour)
    assert datetime(2027, 5, 31, tzinfo=moon).dst() is None
    assert str(datetime(2027, 5, 31, tzinfo=moon)) == "2027-05-31 00:00:00+01:00"


WEEKLY = "DTSTART;TZID=Europe/Berlin:20270301T120000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=5\nUID:lunch"


@pytest.mark.parametrize(
    ("change", "closed"),
    [
        ("", [1, 8, 15, 22, 29]),
        ("EXDATE:20270308T110000Z", [1, 15, 22, 29]),  # the same instant, written in UTC
        ("EXDATE;VALUE=DATE:20270308", [1, 15, 22, 29]),
        ("EXDATE;TZID=Europe/Berlin:20270308T120000,20270315T120000", [1, 22, 29]),
        ("EXDATE:20270308T120000Z", [1, 8, 15, 22, 29]),  # another instant: it excepts nothing
        ("RDATE;TZID=Europe/Berlin:20270302T120000,20270303T120000", [1, 2, 3, 8, 15, 22, 29]),
        ("STATUS:CANCELLED", []),
        ("STATUS:confirmed", [1, 8, 15, 22, 29]),
    ],
)
def test_exceptions_additions_and_cancelled_events(change: str, closed: list[int]) -> None:
    file = read(f"{WEEKLY}\n{change}".replace("UID:lunch", "").replace("\n\n", "\n").strip())

    assert [day for day in range(1, 32) if file.covers(berlin(f"2027-03-{day:02}T12:30"))] == closed


def test_one_occurrence_is_moved_and_another_cancelled() -> None:
    moved = "RECURRENCE-ID:20270308T110000Z\nDTSTART;TZID=Europe/Berlin:20270309T120000\nDURATION:PT1H"
    gone = (
        "RECURRENCE-ID;TZID=Europe/Berlin:20270315T120000\nDTSTART;TZID=Europe/Berlin:20270315T120000\nSTATUS:CANCELLED"
    )
    text = calendar(WEEKLY.replace("\nUID:lunch", ""), moved, gone).replace("UID:1", "UID:0").replace("UID:2", "UID:0")
    file = CalendarFile(text.encode(), BERLIN)

    assert [day for day in range(1, 32) if file.covers(berlin(f"2027-03-{day:02}T12:30"))] == [1, 9, 22, 29]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20270315", 15),
        ("20270315T110000Z", 15),  # noon in Berlin: the instant itself still counts
        ("20270315T105959Z", 8),
        ("20270315T120000", 15),  # without a zone: that of the event
        ("20270315T115959", 8),
        ("99991231T235959Z", 29),
    ],
)
def test_until_may_be_a_day_or_an_instant(until: str, last: int) -> None:
    file = read(f"DTSTART;TZID=Europe/Berlin:20270301T120000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;UNTIL={until}")

    assert max(day for day in range(1, 32) if file.covers(berlin(f"2027-03-{day:02}T12:30"))) == last


def test_whole_days_with_exceptions_and_ends_written_as_times() -> None:
    file = read(
        "DTSTART;VALUE=DATE:20270301\nDURATION:P2D\nRRULE:FREQ=WEEKLY;UNTIL=20270315T000000Z\nEXDATE:20270308T000000Z"
    )

    assert [day for day in range(1, 32) if file.covers_day(date(2027, 3, day))] == [1, 2, 15, 16]


def test_a_day_and_a_half_is_counted_by_the_calendar_then_by_the_clock() -> None:
    file = read("DTSTART;TZID=Europe/Berlin:20270327T120000\nDURATION:P1DT12H")  # over the change to summer time

    assert file.covers(berlin("2027-03-28T23:59"))
    assert not file.covers(berlin("2027-03-29T00:00"))


def test_overlapping_times_end_with_the_last() -> None:
    one, two = "DTSTART:20270301T100000Z\nDTEND:20270301T140000Z", "DTSTART:20270301T110000Z\nDTEND:20270301T120000Z"
    file = read(one, two)

    assert file.covers(datetime.fromisoformat("2027-03-01T13:00:00+00:00"))


def test_a_day_without_an_end_is_one_day_and_a_time_without_an_end_none() -> None:
    file = read(
        "DTSTART;VALUE=DATE:20270301",
        "DTSTART;VALUE=DATE:20270303\nDTEND;VALUE=DATE:20270303",
        "DTSTART:20270305T100000Z",
    )

    assert [day for day in range(1, 10) if file.covers_day(date(2027, 3, day))] == [1, 3]
    assert not file.covers(datetime.fromisoformat("2027-03-05T10:00:00+00:00"))


def test_what_is_no_event_is_passed_over() -> None:
    others = "BEGIN:VTODO\nDTSTART:never\nEND:VTODO\nX-WR-CALNAME:Ours\n"
    alarm = "DTSTART;VALUE=DATE:20270301\nBEGIN:VALARM\nTRIGGER:-PT30M\nEND:VALARM\nTRANSP:TRANSPARENT"
    file = read(alarm, zones=others)

    assert file.covers_day(date(2027, 3, 1))


def test_several_calendars_in_one_file_count() -> None:
    two = calendar("DTSTART;VALUE=DATE:20270301") + "\n" + calendar("DTSTART;VALUE=DATE:20270302")
    file = CalendarFile(b"\xef\xbb\xbf" + two.encode(), BERLIN)

    assert file.covers_day(date(2027, 3, 1))
    assert file.covers_day(date(2027, 3, 2))


DAY = "DTSTART;VALUE=DATE:20270101"
NOON = "DTSTART:20270101T120000Z"
TITLED = "SUMMARY:Team\\, lunch\n"


def zone(body: str, name: str = "TZID:Moon") -> str:
    return f"BEGIN:VTIMEZONE\n{name}\n{body}END:VTIMEZONE\n"


ON_THE_MOON = "DTSTART;TZID=Moon:20270101T120000"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("hello", 1, '"hello" is not a property: expected NAME:value'),
        ("X-A:hello", 1, "this is no calendar: expected BEGIN:VCALENDAR"),
        ("", 1, "this is no calendar: expected BEGIN:VCALENDAR"),
        ("\n\nBEGIN:VEVENT", 3, "BEGIN:VEVENT outside a calendar: expected BEGIN:VCALENDAR"),
        (calendar("DTSTART;VALUE=DATE:tomorrow"), 5, 'DTSTART "TOMORROW" is no day and no time: expected for example'),
        (calendar("DTSTART;VALUE=DATE:20270230"), 5, 'DTSTART "20270230" is no day and no time'),
        (calendar("DTSTART;VALUE=DATE:20270101T120000"), 5, "is no day and no time"),
        (calendar("DTSTART:20270101T250000"), 5, "is no day and no time"),
        (calendar("SUMMARY:When?"), 3, "VEVENT without DTSTART: expected one"),
        (calendar(DAY + "\n" + DAY), 6, "DTSTART stands here twice: first at line 5"),
        (calendar(DAY + "\nhello"), 6, '"hello" is not a property'),
        (calendar(DAY + "\nX-A;B:c"), 6, "is not a property"),
        (
            calendar(DAY, DAY).replace("END:VEVENT\nBEGIN", "BEGIN", 1),
            10,
            "END:VCALENDAR ends nothing: expected END:VEVENT, which begins at line 3",
        ),
        (calendar(DAY).replace("BEGIN:VEVENT\n", ""), 5, "END:VEVENT ends nothing: expected END:VCALENDAR"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + DAY, 2, "VEVENT does not end: expected END:VEVENT"),
        ("BEGIN:VCALENDAR\n" + "BEGIN:X\n" * 9, 9, "nested deeper than 8 levels"),
        (calendar("DTSTART;VALUE=DATE:18991231"), 5, "DTSTART is in 1899: expected 1900 to 2060"),
        (calendar("DTSTART;VALUE=DATE:20610101"), 5, "DTSTART is in 2061: expected 1900 to 2060"),
        (
            calendar(TITLED + DAY + "\nDTEND;VALUE=DATE:20290101"),
            7,
            'the event "Team, lunch" ends before it begins or lasts long: expected at most 366 days',
        ),
        (calendar(DAY + "\nDTEND;VALUE=DATE:20261231"), 6, "the event ends before it begins"),
        (calendar(DAY + "\nDURATION:P9999W"), 6, "the event ends before it begins or lasts long"),
        (calendar(DAY + "\nDTEND:20270101T120000Z"), 6, "begins with a day and ends with a time: expected the same"),
        (
            calendar(NOON + "\nDTEND;VALUE=DATE:20270102"),
            6,
            "begins with a time and ends with a day: expected the same",
        ),
        (
            calendar(DAY + "\nDTEND;VALUE=DATE:20270102\nDURATION:P1D"),
            7,
            "has a DTEND and a DURATION: expected one of them",
        ),
        (calendar(DAY + "\nDURATION:PT12H"), 6, "DURATION of a whole day: expected days or weeks"),
        (calendar(NOON + "\nDURATION:P"), 6, 'DURATION "P": expected for example P1D, PT1H30M or P2W'),
        (calendar(NOON + "\nDURATION:-PT1H"), 6, 'DURATION "-PT1H": expected'),
        (calendar(NOON + "\nDURATION:1 hour"), 6, 'DURATION "1 hour": expected'),
        (
            calendar("DTSTART;TZID=Moon:20270101T120000"),
            5,
            'time zone "Moon" is not known: expected a name such as Europe/Berlin, or its VTIMEZONE',
        ),
        (calendar("DTSTART;TZID=../../etc/passwd:20270101T120000"), 5, 'time zone "../../etc/passwd" is not known'),
        (calendar(ON_THE_MOON, zones=zone("")), 3, "the time zone says nothing: expected STANDARD or DAYLIGHT"),
        (
            calendar(ON_THE_MOON, zones=zone("BEGIN:STANDARD\nEND:STANDARD\n")),
            5,
            "STANDARD without DTSTART: expected one",
        ),
        (
            calendar(ON_THE_MOON, zones=zone("BEGIN:STANDARD\nDTSTART:19700101\nEND:STANDARD\n")),
            6,
            "DTSTART of a time zone: expected a date and a time",
        ),
        (
            calendar(
                ON_THE_MOON, zones=zone("BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:1\nEND:STANDARD\n")
            ),
            7,
            'TZOFFSETFROM "1": expected for example +0100',
        ),
        (
            calendar(
                ON_THE_MOON, zones=zone("BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+2400\nEND:STANDARD\n")
            ),
            7,
            "TZOFFSETFROM",
        ),
        (
            calendar(
                ON_THE_MOON,
                zones=zone(
                    "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0000\nRRULE:x\nEND:STANDARD\n"
                ),
            ),
            9,
            '"x" is not understood in RRULE',
        ),
        (
            calendar(DAY + "\nRRULE:FREQ=SECONDLY"),
            6,
            'FREQ "SECONDLY" is not understood: expected DAILY, WEEKLY, MONTHLY or YEARLY',
        ),
        (calendar(DAY + "\nRRULE:FREQ=YEARLY;UNTIL=never"), 6, 'UNTIL "NEVER" is no day and no time'),
        (
            calendar(DAY + "\nRRULE:FREQ=YEARLY;UNTIL=20260101"),
            6,
            "the rule never gives a day from 2027-01-01 until 2026-01-01",
        ),
        (calendar(DAY + "\nEXRULE:FREQ=WEEKLY"), 6, "EXRULE is not understood: expected EXDATE"),
        (
            calendar(DAY + "\nRDATE;VALUE=PERIOD:20270101T000000Z/PT1H"),
            6,
            "PERIOD is not understood in RDATE: expected dates or times",
        ),
        (calendar(DAY + "\nRDATE:20270101T000000Z"), 6, "RDATE is a time where DTSTART is a day: expected the same"),
        (calendar(DAY + "\nRECURRENCE-ID;RANGE=THISANDFUTURE:20270101"), 6, "RANGE is not understood in RECURRENCE-ID"),
        (
            calendar(*[DAY + "\nRRULE:FREQ=DAILY"] * 20),
            23,
            "events of this file recur too often: expected no more than 100000 days to look at until 2060",
        ),
        (calendar(DAY + "\nDURATION:P366D\nRRULE:FREQ=DAILY"), 3, "events of this file recur too often"),
        (
            calendar(*[NOON + "\nRRULE:FREQ=DAILY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO"] * 900),
            78,
            "events of this file recur too often",
        ),
        (
            calendar(*[DAY + "\nRRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-1"] * 900),
            38,
            "events of this file recur too often",
        ),
        (
            calendar("DTSTART;VALUE=DATE:19000101\nRRULE:FREQ=YEARLY\nRDATE:" + ",".join(["20270102"] * 50_000)),
            3,
            "recur too often",
        ),
        ("BEGIN:VCALENDAR\n" + "X" * MOST_BYTES, 1, "the file has more than 524288 bytes: expected a smaller one"),
        ("BEGIN:VCALENDAR\nX" + ';A="' * 120_000, 2, "is not a property"),
        ("BEGIN:VCALENDAR\nX" + ";A=,,,," * 70_000, 2, "is not a property"),
        ("BEGIN:VCALENDAR\n" + "A:\n" * 174_000, 1, "the file has more than 20000 lines"),
        ("BEGIN:VCALENDAR\n" + "A:\n" * 19_900, 1, "VCALENDAR does not end"),
        (calendar(*[DAY] * 4_900), 1, ""),
        ("BEGIN:VCALENDAR\n\udcff", 2, "byte 0xff is not UTF-8: expected UTF-8 text"),
        ("BEGIN:VCALENDAR\nX-A:\0", 2, "character 0x00 cannot stand in a calendar"),
    ],
)
def test_a_file_that_cannot_be_or_would_take_long_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    begun = time.perf_counter()
    if not said:  # as many events as there can be: that is not slow either
        CalendarFile(text.encode(), BERLIN)
    else:
        with pytest.raises(CalendarFileError) as refused:
            CalendarFile(text.encode(errors="surrogateescape"), BERLIN)
        assert said in str(refused.value)
        assert refused.value.line == line
    took = time.perf_counter() - begun

    assert took < 5  # below 1 s on a quiet machine


SOUP = st.lists(
    st.sampled_from(
        [
            *calendar(WEEKLY.replace("\nUID:lunch", ""), DAY, zones=OUTLOOK).splitlines(),
            "DTSTART;TZID=W. Europe Standard Time:20270101T120000",
            "RRULE:FREQ=MONTHLY;BYDAY=6MO",
            "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "EXDATE:20270101,20270102T000000Z",
            "DURATION:P1DT1H",
            " folded",
            "STATUS:CANCELLED",
            "RECURRENCE-ID:20270101",
        ]
    ),
    max_size=40,
)


def refused_at(content: bytes) -> int:
    """The line for which a file is refused; 0: it is read."""
    try:
        CalendarFile(content, BERLIN)
    except CalendarFileError as error:
        return error.line
    return 0


@settings(max_examples=150, deadline=None)
@given(lines=SOUP, noise=st.binary(max_size=12), at=st.integers(0, 2_000))
def test_whatever_stands_in_a_file_it_is_read_or_refused_with_a_line(lines: list[str], noise: bytes, at: int) -> None:
    content = calendar("\n".join(lines)).encode()
    content = content[: at % len(content)] + noise + content[at % len(content) :]
    most = content.count(b"\n") + content.count(b"\r") + 1

    assert 0 <= refused_at(content) <= most


def test_problems_are_told_with_the_others(tmp_path: Path) -> None:
    files = {"hours.yaml": "shop: { week: { daily: 09:00-18:00 }, calendar: a.ics }\n"}

    assert problems_in(tmp_path / "a", files) == [
        'hours.yaml:1:49: there is no file "a.ics": expected it in the site\'s folder'
    ]
    assert problems_in(tmp_path / "b", {**files, "a.ics": "X-A:hello"}) == [
        "a.ics:1:1: this is no calendar: expected BEGIN:VCALENDAR"
    ]
    bad = {"hours.yaml": "shop: { week: { daily: 09:00-18:00 }, calendar: ../a.ics }\n"}
    assert ['"../a.ics" is not a calendar file' in each for each in problems_in(tmp_path / "c", bad)] == [True]
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.ics").mkdir()
    assert problems_in(tmp_path / "d", files) == ["a.ics:1:1: the file cannot be read: Is a directory"]
