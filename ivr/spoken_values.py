"""Values as they are said: `{amount:money}` in a text is `twelve euros and fifty cents`, or 十二欧元五十分.

English and Chinese are complete. In other languages a value is put so that most voices read it: numbers and dates as
they stand (2026-11-27), amounts as `12.50 EUR`. A value that is not what its form says is read as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal

from ivr.number_words import (
    CURRENCIES,
    MOST,
    counted_in_words,
    digits_in_words,
    in_words,
    money_in_words,
)

_NUMBER = re.compile(r"(-?)([0-9]{1,30})(?:\.([0-9]{1,20}))?")
_AMOUNT = re.compile(r"(?:([A-Z]{3}) ?)?(-?[0-9]{1,12}(?:\.[0-9]{1,4})?)(?: ?([A-Z]{3}))?")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ].*)?")
_TIME = re.compile(r"(?:.*[T ])?([0-9]{1,2}):([0-9]{2})(?::[0-9]{2}.*)?")
_LENGTH = re.compile(r"(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,6})s?)?")

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January February March April May June July August September October November December").split()
_UNITS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "en": (("hour", "hours"), ("minute", "minutes"), ("second", "seconds")),
    "zh": (("小时", "小时"), ("分钟", "分钟"), ("秒", "秒")),
}
#: From which hour on a part of the day is called so.
_PARTS_OF_DAY = ((18, "晚上"), (13, "下午"), (12, "中午"), (9, "上午"), (6, "早上"), (0, "凌晨"))
_SIGNS: Mapping[str, Mapping[str, str]] = {
    "en": {"-": "dash", "_": "underscore", ".": "dot", "@": "at", "/": "slash", "+": "plus", "*": "star", "#": "hash"},
    "zh": {"-": "杠", "_": "下划线", ".": "点", "@": "艾特", "/": "斜杠", "+": "加", "*": "星号", "#": "井号"},
}


def spoken(value: str, form: str, language: str, currency: str = "") -> str | None:
    """The value as it is said in this form, one of `FORMS`; None if it is not such a value.

    `currency`: of amounts that name none; without it they are read as numbers.
    """
    if not value.strip():
        return ""
    base = language.partition("-")[0]
    if form == "money":
        return _money(value.strip(), base, currency)
    return FORMS[form](value.strip(), base)


def _digits(value: str, _language: str) -> str:
    return " ".join(value.replace(" ", ""))


def _spelled(value: str, language: str) -> str:
    """Letters, digits and signs one by one; commas, so that voices take no letters for a word."""
    signs = _SIGNS.get(language, {})
    return ", ".join(signs.get(each, each.upper()) for each in value if not each.isspace())


def _name(value: str, language: str) -> str:
    """`MEIER, ANNA` is Anna Meier: the last name does not come first, and nothing is shouted."""
    last, comma, first = (part.strip() for part in value.partition(","))
    said = value
    if comma and first and last and "," not in first:
        said = f"{last}{first}" if language == "zh" and not value.isascii() else f"{first} {last}"
    return said.title() if said.isupper() else said


def _number(value: str, language: str) -> str | None:
    match = _NUMBER.fullmatch(value)
    if match is None:
        return None
    if language not in _UNITS:
        return value
    sign, whole, fraction = match.groups()
    said = in_words(int(whole), language) if int(whole) <= MOST else digits_in_words(whole, language)
    if fraction:
        said += {"en": " point ", "zh": "点"}[language] + digits_in_words(fraction, language)
    return {"en": "minus ", "zh": "负"}[language] + said if sign and Decimal(value) else said


def _money(value: str, language: str, own: str) -> str | None:
    match = _AMOUNT.fullmatch(value)
    if match is None or (match[1] and match[3]):
        return None
    currency = match[1] or match[3] or own
    amount = Decimal(match[2])
    hundredths = abs(amount) * 100
    if language not in _UNITS:
        return f"{match[2]} {currency}".rstrip()
    if not currency:
        return _number(match[2], language)
    if currency not in CURRENCIES or hundredths % 1 or (hundredths % 100 and not CURRENCIES[currency][2]):
        return None
    whole, part = divmod(int(hundredths), 100)
    said = money_in_words(whole, part, currency, language)
    return {"en": "minus ", "zh": "负"}[language] + said if amount < 0 else said


def _day(value: str, language: str) -> str | None:
    match = _DATE.fullmatch(value)
    try:
        day = date.fromisoformat(match[1]) if match else None
    except ValueError:
        day = None
    if day is None or match is None:
        return None
    if language == "en":
        return f"{_WEEKDAYS[day.weekday()]}, {_MONTHS[day.month - 1]} {_ordinal(day.day)}"
    if language == "zh":
        return f"{day.month}月{day.day}日星期{'一二三四五六日'[day.weekday()]}"
    return match[1]


def _ordinal(day: int) -> str:
    ending = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _clock(value: str, language: str) -> str | None:
    match = _TIME.fullmatch(value)
    try:
        at = time(int(match[1]), int(match[2])) if match else None
    except ValueError:
        at = None
    if at is None:
        return None
    if language == "en":
        return _english_clock(at)
    if language == "zh":
        return _chinese_clock(at)
    return f"{at:%H:%M}"


def _english_clock(at: time) -> str:
    if not at.minute and at.hour in (0, 12):
        return "noon" if at.hour else "midnight"
    hour, half = at.hour % 12 or 12, "PM" if at.hour >= 12 else "AM"
    if not at.minute:
        return f"{hour} {half}"
    return f"{hour}:{at.minute} {half}" if at.minute > 9 else f"{hour} oh {at.minute} {half}"


def _chinese_clock(at: time) -> str:
    part = next(name for since, name in _PARTS_OF_DAY if at.hour >= since)
    hour = counted_in_words(at.hour - 12 if at.hour > 12 else at.hour, "zh") + "点"
    match at.minute:
        case 0:
            return part + hour
        case 30:
            return part + hour + "半"
        case minute:
            return part + hour + ("零" if minute < 10 else "") + in_words(minute, "zh") + "分"


def _length(value: str, language: str) -> str | None:
    match = _LENGTH.fullmatch(value)
    if match is None:
        return None
    seconds = sum(int(part or 0) * each for part, each in zip(match.groups(), (3600, 60, 1), strict=True))
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    counts = [(count, at) for at, count in enumerate((hour, minute, second)) if count] or [(0, 2)]
    if language not in _UNITS:
        return " ".join(f"{count} {('h', 'min', 's')[at]}" for count, at in counts)
    units = _UNITS[language]
    if language == "zh":
        return "".join(counted_in_words(count, "zh") + units[at][0] for count, at in counts)
    words = [f"{in_words(count, 'en')} {units[at][0 if count == 1 else 1]}" for count, at in counts]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _plain_money(value: str, language: str) -> str | None:
    return _money(value, language, "")


#: How a value may be said. A form gives None for what is not such a value.
FORMS: Mapping[str, Callable[[str, str], str | None]] = {
    "digits": _digits,
    "number": _number,
    "date": _day,
    "time": _clock,
    "duration": _length,
    "money": _plain_money,
    "name": _name,
    "spell": _spelled,
}
