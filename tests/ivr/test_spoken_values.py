"""Values are said the right way in each language; what is no such value is not guessed at."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.prompts import fill, text_prompt
from ivr.spoken_values import FORMS, spoken
from ivr.steps import Prompt, ReadDigits
from tests.ivr.sites import Ride, site_with


@pytest.mark.parametrize(
    ("value", "form", "english", "chinese", "other"),
    [
        ("4711", "digits", "4 7 1 1", "4 7 1 1", "4 7 1 1"),
        ("1234", "number", "one thousand two hundred thirty-four", "一千二百三十四", "1234"),
        ("-3.05", "number", "minus three point zero five", "负三点零五", "-3.05"),
        ("-0", "number", "zero", "零", "-0"),
        ("1000000000000", "number", "one" + " zero" * 12, "一" + "零" * 12, "1000000000000"),
        ("2026-11-27", "date", "Friday, November 27th", "11月27日星期五", "2026-11-27"),
        ("2028-02-29", "date", "Tuesday, February 29th", "2月29日星期二", "2028-02-29"),
        ("2027-01-01T08:00:00Z", "date", "Friday, January 1st", "1月1日星期五", "2027-01-01"),
        ("2026-12-22", "date", "Tuesday, December 22nd", "12月22日星期二", "2026-12-22"),
        ("2026-05-03", "date", "Sunday, May 3rd", "5月3日星期日", "2026-05-03"),
        ("2026-05-13", "date", "Wednesday, May 13th", "5月13日星期三", "2026-05-13"),
        ("14:30", "time", "2:30 PM", "下午两点半", "14:30"),
        ("9:05", "time", "9 oh 5 AM", "上午九点零五分", "09:05"),
        ("2026-11-27T07:15:00+01:00", "time", "7:15 AM", "早上七点十五分", "07:15"),
        ("00:00", "time", "midnight", "凌晨零点", "00:00"),
        ("12:00", "time", "noon", "中午十二点", "12:00"),
        ("0:30", "time", "12:30 AM", "凌晨零点半", "00:30"),
        ("20:00", "time", "8 PM", "晚上八点", "20:00"),
        ("EUR 12.50", "money", "twelve euros and fifty cents", "十二欧元五十分", "12.50 EUR"),
        ("12.5 USD", "money", "twelve dollars and fifty cents", "十二美元五十美分", "12.5 USD"),
        ("-3", "money", "minus three francs", "负三瑞士法郎", "-3 CHF"),
        ("-0.00", "money", "zero francs", "零瑞士法郎", "-0.00 CHF"),
        ("90", "duration", "one minute and thirty seconds", "一分钟三十秒", "1 min 30 s"),
        ("2h5m1s", "duration", "two hours, five minutes and one second", "两小时五分钟一秒", "2 h 5 min 1 s"),
        ("1h", "duration", "one hour", "一小时", "1 h"),
        ("0", "duration", "zero seconds", "零秒", "0 s"),
        ("MEIER, ANNA", "name", "Anna Meier", "Anna Meier", "Anna Meier"),
        ("王, 小明", "name", "小明 王", "王小明", "小明 王"),
        ("McDonald", "name", "McDonald", "McDonald", "McDonald"),
        ("Meier, Dr., Anna", "name", "Meier, Dr., Anna", "Meier, Dr., Anna", "Meier, Dr., Anna"),
        ("ab-1 c", "spell", "A, B, dash, 1, C", "A, B, 杠, 1, C", "A, B, -, 1, C"),
        (" ", "money", "", "", ""),
    ],
)
def test_a_value_is_said_the_right_way(value: str, form: str, english: str, chinese: str, other: str) -> None:
    assert [spoken(value, form, language, "CHF") for language in ("en-GB", "zh", "de")] == [english, chinese, other]


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("soon", "number"),
        ("1e5", "number"),
        ("27.11.2026", "date"),
        ("2026-02-30", "date"),
        ("25:00", "time"),
        ("noon", "time"),
        ("much", "money"),
        ("EUR 1 USD", "money"),
        ("XXX 5", "money"),
        ("EUR 1.005", "money"),
        ("JPY 1.50", "money"),
        ("a while", "duration"),
    ],
)
def test_what_is_no_such_value_is_not_guessed_at(value: str, form: str) -> None:
    assert spoken(value, form, "en") is None


def test_an_amount_of_no_currency_is_read_as_a_number() -> None:
    assert spoken("12.5", "money", "en") == "twelve point five"
    assert spoken("12.5", "money", "fr") == "12.5"
    assert FORMS["money"]("JPY 5", "en") == "five yen"


@given(st.text(max_size=20) | st.from_regex(r"-?[0-9]{1,12}([.:m-][0-9]{1,4})*", fullmatch=True))
def test_no_value_breaks_a_call(value: str) -> None:
    for form in FORMS:
        for language in ("en", "zh", "sv"):
            assert isinstance(spoken(value, form, language, "EUR"), str | None)


@given(st.integers(-(10**11), 10**11))
def test_amounts_below_nothing_are_the_same_with_a_minus(cents: int) -> None:
    whole, part = divmod(abs(cents), 100)
    amount = f"{whole}.{part:02}"

    assert spoken(f"-{amount}", "money", "en", "EUR") == ("minus " if cents else "") + str(
        spoken(amount, "money", "en", "EUR")
    )


@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)))
def test_the_day_after_is_another_day_of_the_week(day: date) -> None:
    said = [spoken(str(each), "date", "en") for each in (day, day + timedelta(1))]

    assert said[0] is not None
    assert said[0].startswith(f"{day:%A}, {day:%B} {day.day}")
    assert said[0] != said[1]


def test_a_value_that_cannot_be_said_so_stands_as_it_is_and_is_told() -> None:
    unfit: list[str] = []
    said = fill("On {day:date}, {day:spell}.", {"day": "???"}, unfit=unfit)

    assert said == "On ???, ?, ?, ?."
    assert unfit == ["the value of day cannot be said as date: it is read as it stands"]
    assert fill("On {day:date}.", {"day": "???"}) == "On ???."


def test_values_are_said_in_the_language_of_the_text() -> None:
    texts = {"en": "You owe {open:money}.", "fr": "Vous devez {open:money}."}

    assert text_prompt(texts, "zh", "en", {"open": "2"}, currency="EUR") == Prompt("You owe two euros.", "en")
    assert text_prompt(texts, "fr", "en", {"open": "2"}, currency="EUR") == Prompt("Vous devez 2 EUR.", "fr")


def test_a_call_goes_on_with_a_value_that_cannot_be_said_so_and_it_is_noted_once(tmp_path: Path) -> None:
    steps = """
    - set: { said: "{open:money}" }
    - menu: Until {due:date}, {open:money}.
      keys: { 1: continue }
      retries: 1
    """
    numbers = '"+49891000": { flow: main, labels: { due: soon, open: "3" } }\n'
    ride = Ride(site_with(tmp_path, steps, numbers_yaml=numbers), {"due": "soon", "open": "3"})
    ride.silence()

    menu = ride.heard
    assert isinstance(menu, ReadDigits)
    assert menu.prompts == (Prompt("Until soon, three euros.", "en"),)
    assert ride.execution.variables["said"] == "three euros"
    assert ride.execution.notes == ["main welcome:1: the value of due cannot be said as date: it is read as it stands"]
