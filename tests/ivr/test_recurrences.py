"""Rules of iCalendar files as days, held against those of another implementation (dateutil's)."""

from __future__ import annotations

from datetime import date, datetime, time
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ivr.recurrences import FREQUENCIES, WEEKDAYS, Effort, EffortError, RuleError, read_rule

LAST = date(2034, 12, 31)


def days(text: str, start: date, last: date = LAST) -> list[date]:
    return list(read_rule(text).days(start, last, Effort()))


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=3", "2026-11-26", ["2026-11-26", "2027-11-25", "2028-11-23"]),
        ("FREQ=YEARLY;COUNT=3", "2028-02-29", ["2028-02-29", "2032-02-29"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3", "2027-01-31", ["2027-01-31", "2027-02-28", "2027-03-31"]),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", "2027-01-29", ["2027-01-29", "2027-02-26"]),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=2", "2027-08-13", ["2027-08-13", "2028-10-13"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2", "2027-01-29", ["2027-01-29", "2027-02-26"]),
        (
            "freq=weekly;interval=2;wkst=su;byday=tu,su;count=4;",
            "2027-03-02",
            ["2027-03-02", "2027-03-14", "2027-03-16", "2027-03-28"],
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;WKST=MO;BYDAY=TU,SU;COUNT=4",
            "2027-03-02",
            ["2027-03-02", "2027-03-07", "2027-03-16", "2027-03-21"],
        ),
        ("FREQ=YEARLY;BYDAY=20MO;COUNT=2", "2027-05-17", ["2027-05-17", "2028-05-15"]),
        ("FREQ=YEARLY;BYDAY=53MO;COUNT=2", "2027-01-01", ["2029-12-31"]),
        ("FREQ=YEARLY;BYMONTHDAY=13;BYDAY=FR;COUNT=2", "2027-01-01", ["2027-08-13", "2028-10-13"]),
        (
            "FREQ=DAILY;BYMONTH=1;BYDAY=SA;BYMONTHDAY=1,-1;COUNT=3",
            "2027-01-01",
            ["2028-01-01", "2032-01-31", "2033-01-01"],
        ),
    ],
)
def test_rules_as_calendars_write_them(rule: str, start: str, expected: list[str]) -> None:
    assert [day.isoformat() for day in days(rule, date.fromisoformat(start))] == expected


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            "",
            '"" is not understood in RRULE: expected FREQ, INTERVAL, COUNT, UNTIL, BYDAY, BYMONTH, BYMONTHDAY,',
        ),
        ("FREQ=DAILY;BYHOUR=1", '"BYHOUR=1" is not understood in RRULE'),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ stands in the rule twice: expected it once"),
        ("INTERVAL=1", 'FREQ "" is not understood: expected DAILY, WEEKLY, MONTHLY or YEARLY'),
        ("FREQ=DAILY;COUNT=1;UNTIL=20270101", "COUNT and UNTIL stand in the same rule: expected one of them"),
        ("FREQ=WEEKLY;WKST=XX", 'WKST "XX" is not a weekday: expected MO, TU, WE, TH, FR, SA or SU'),
        ("FREQ=DAILY;INTERVAL=0", 'INTERVAL "0": expected 1 to 1000'),
        ("FREQ=DAILY;INTERVAL=99999999999999999999", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=1,2", "INTERVAL lists 2 values: expected at most 1"),
        ("FREQ=DAILY;COUNT=-1", 'COUNT "-1": expected 1 to 100000'),
        ("FREQ=YEARLY;BYMONTH=13", 'BYMONTH "13": expected 1 to 12'),
        ("FREQ=MONTHLY;BYMONTHDAY=-32", 'BYMONTHDAY "-32": expected 1 to 31, or -1 to -31 from the end'),
        ("FREQ=MONTHLY;BYMONTHDAY=" + ",".join(["1"] * 63), "BYMONTHDAY lists 63 values: expected at most 62"),
        ("FREQ=MONTHLY;BYSETPOS=0", 'BYSETPOS "0": expected 1 to 366, or -1 to -366 from the end'),
        ("FREQ=MONTHLY;BYDAY=0MO", 'BYDAY "0MO" is not a weekday: expected for example MO, 1MO or -1FR'),
        ("FREQ=MONTHLY;BYDAY=Monday", 'BYDAY "MONDAY" is not a weekday'),
        ("FREQ=MONTHLY;BYDAY=6MO", "BYDAY 6MO never comes: expected 1 to 5 or -1 to -5 before the weekday"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=-6MO", "BYDAY -6MO never comes"),
        ("FREQ=YEARLY;BYDAY=54MO", "BYDAY 54MO never comes: expected 1 to 53"),
        ("FREQ=WEEKLY;BYDAY=1MO", "BYDAY 1MO cannot stand in FREQ=WEEKLY: expected a weekday alone"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY cannot stand in FREQ=WEEKLY: expected it in DAILY, MONTHLY or YEARLY"),
        (
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "BYMONTHDAY 30 never comes in these months: expected a day that they have",
        ),
        ("FREQ=DAILY;BYMONTH=4,6;BYMONTHDAY=31", "BYMONTHDAY 31 never comes"),
    ],
)
def test_what_is_not_understood_or_never_comes_is_told(rule: str, said: str) -> None:
    with pytest.raises(RuleError) as refused:
        read_rule(rule)

    assert said in str(refused.value)


def test_a_rule_that_never_ends_stops_at_the_bound_even_where_it_gives_nothing() -> None:
    with pytest.raises(EffortError):
        list(read_rule("FREQ=DAILY;BYMONTHDAY=31;BYMONTH=12;BYDAY=MO").days(date(1, 1, 1), date(2060, 1, 1), Effort()))


def _listed(of: st.SearchStrategy[str], most: int) -> st.SearchStrategy[str]:
    return st.lists(of, min_size=1, max_size=most, unique=True).map(",".join)


MONTHS = _listed(st.integers(1, 12).map(str), 4)
MONTH_DAYS = _listed((st.integers(1, 31) | st.integers(-31, -1)).map(str), 4)
PLAIN_DAYS = _listed(st.sampled_from(WEEKDAYS), 4)
# The other implementation takes counted and plain weekdays in one rule for both at once; RFC 5545 for either.
COUNTED_DAYS = _listed(
    st.tuples(st.sampled_from(["1", "2", "5", "-1", "-3"]), st.sampled_from(WEEKDAYS)).map("".join), 4
)


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(FREQUENCIES))
    parts = [f"FREQ={frequency}"]
    if draw(st.booleans()):
        parts.append(f"INTERVAL={draw(st.integers(1, 5))}")
    if draw(st.booleans()):
        parts.append(f"WKST={draw(st.sampled_from(WEEKDAYS))}")
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 30))}")
    by_month = draw(st.booleans())
    if by_month:
        parts.append(f"BYMONTH={draw(MONTHS)}")
    by_month_day = frequency != "WEEKLY" and draw(st.booleans())
    if by_month_day:
        parts.append(f"BYMONTHDAY={draw(MONTH_DAYS)}")
    if draw(st.booleans()):
        counts = frequency == "MONTHLY" or (frequency == "YEARLY" and by_month == (not by_month_day))
        parts.append(f"BYDAY={draw(COUNTED_DAYS if counts and draw(st.booleans()) else PLAIN_DAYS)}")
    # In the first week the other implementation counts positions from the start, not from the week's first day.
    if frequency != "WEEKLY" and "BY" in parts[-1] and draw(st.booleans()):
        parts.append(f"BYSETPOS={draw(st.sampled_from(['1', '-1', '2,-2', '9']))}")
    return ";".join(parts)


# The same examples each time: a rule of which the other implementation looks long for a day would be slow by chance.
@settings(max_examples=300, deadline=None, derandomize=True)
@given(rule=rules(), start=st.dates(date(2024, 1, 1), date(2030, 12, 31)))
def test_rules_give_the_days_that_another_implementation_gives(rule: str, start: date) -> None:
    try:
        ours = days(rule, start)
    except RuleError:
        assume(False)
    assume(ours)  # where a rule gives nothing, the other one looks until the year 9999
    begun = datetime.combine(start, time())
    theirs = [each.date() for each in islice(rrulestr(rule, dtstart=begun), len(ours) + 1)]
    assert [day for day in theirs if day <= LAST] == ours
