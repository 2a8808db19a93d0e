"""Numbers in words are read back by grammars of their own, and give the number again."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ivr.number_words import (
    CURRENCIES,
    CURRENCY_OF,
    MOST,
    counted_in_words,
    digits_in_words,
    in_words,
    money_in_words,
)

ENGLISH = {
    **{"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9},
    **{"ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16},
    **{"seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50},
    **{"sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90},
}
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
CHINESE = {each: at for at, each in enumerate("零一二三四五六七八九")} | {"两": 2}
UNITS = {"十": 10, "百": 100, "千": 1000}

numbers = st.integers(0, 999_999_999) | st.integers(0, 9).map(lambda power: 10**power) | st.integers(0, 20_000)


def read_english(text: str) -> int:
    total = group = 0
    for word in re.split("[ -]", text):
        if word in SCALES:
            total, group = total + group * SCALES[word], 0
        elif word == "hundred":
            group *= 100
        else:
            group += ENGLISH[word]
    return total + group


def read_chinese(text: str) -> int:
    total = section = digit = 0
    for sign in text:
        if sign in CHINESE:
            digit = CHINESE[sign]
        elif sign in UNITS:
            section, digit = section + (digit or 1) * UNITS[sign], 0
        else:
            total, section, digit = total + (section + digit) * {"万": 10**4, "亿": 10**8}[sign], 0, 0
    return total + section + digit


@given(numbers)
@example(0)
@example(999_999_999)
def test_english_words_give_the_number_again(number: int) -> None:
    words = in_words(number, "en")

    assert read_english(words) == number
    assert not re.search("zero .|  |one-|zero-", words)


@given(numbers)
@example(0)
@example(100_010_001)
@example(999_999_999)
def test_chinese_words_give_the_number_again_and_have_zeros_where_places_are_left_out(number: int) -> None:
    words = in_words(number, "zh")

    assert read_chinese(words) == number
    assert "零零" not in words
    assert not words.endswith("零") or number == 0
    # A zero stands exactly before a digit that does not follow the one on its left: ten thousand and one.
    inner = re.findall("0+(?=[1-9])", _sections(number))
    assert words.count("零") == (1 if number == 0 else len(inner))


def _sections(number: int) -> str:
    """The digits; zeros at the end of a section that stand before a digit of the next are not said."""
    digits = str(number).zfill(12)
    said = ""
    for at in range(0, 12, 4):
        section = digits[at : at + 4]
        begins_right_on = section[0] != "0"
        if said and begins_right_on and said.rstrip("0") != said and not said.endswith("0000"):
            said = said.rstrip("0")
        said += section
    return said.lstrip("0")


@pytest.mark.parametrize(
    ("number", "english", "chinese"),
    [
        (0, "zero", "零"),
        (10, "ten", "十"),
        (12, "twelve", "十二"),
        (20, "twenty", "二十"),
        (110, "one hundred ten", "一百一十"),
        (202, "two hundred two", "二百零二"),
        (1234, "one thousand two hundred thirty-four", "一千二百三十四"),
        (2000, "two thousand", "两千"),
        (10_010, "ten thousand ten", "一万零一十"),
        (20_002, "twenty thousand two", "两万零二"),
        (120_000, "one hundred twenty thousand", "十二万"),
        (1_005_000, "one million five thousand", "一百万五千"),
        (100_001_000, "one hundred million one thousand", "一亿零一千"),
        (MOST, "nine hundred ninety-nine billion nine hundred ninety-nine million nine hundred ninety-nine thousand "
         "nine hundred ninety-nine", "九千九百九十九亿九千九百九十九万九千九百九十九"),
    ],
)  # fmt: skip
def test_numbers_are_said_as_people_say_them(number: int, english: str, chinese: str) -> None:
    assert in_words(number, "en") == english
    assert in_words(number, "zh") == chinese


def test_digits_are_said_one_by_one() -> None:
    assert digits_in_words("205", "en") == "two zero five"
    assert digits_in_words("205", "zh") == "二零五"


def test_chinese_counts_with_a_two_of_its_own() -> None:
    assert [counted_in_words(number, "zh") for number in (1, 2, 12)] == ["一", "两", "十二"]
    assert counted_in_words(2, "en") == "two"


@pytest.mark.parametrize(
    ("whole", "part", "currency", "english", "chinese"),
    [
        (12, 50, "EUR", "twelve euros and fifty cents", "十二欧元五十分"),
        (1, 1, "GBP", "one pound and one penny", "一英镑一便士"),
        (0, 0, "USD", "zero dollars", "零美元"),
        (0, 5, "EUR", "five cents", "五分"),
        (2, 0, "EUR", "two euros", "两欧元"),
        (12, 50, "CNY", "twelve yuan and fifty fen", "十二元五角"),
        (12, 5, "CNY", "twelve yuan and five fen", "十二元零五分"),
        (0, 5, "CNY", "five fen", "五分"),
        (3, 25, "CNY", "three yuan and twenty-five fen", "三元两角五分"),
        (3, 0, "CNY", "three yuan", "三元"),
        (1000, 0, "JPY", "one thousand yen", "一千日元"),
    ],
)
def test_amounts_are_said_in_their_currency(whole: int, part: int, currency: str, english: str, chinese: str) -> None:
    assert money_in_words(whole, part, currency, "en") == english
    assert money_in_words(whole, part, currency, "zh") == chinese


def test_every_country_has_a_currency_that_has_words() -> None:
    assert set(CURRENCY_OF.values()) <= set(CURRENCIES)
