"""Whole numbers and amounts in words, in English and Chinese, as people say them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

#: Beyond this, numbers are read digit by digit: nobody hears a longer one as a number.
MOST = 999_999_999_999

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_GROUPS = ("", " thousand", " million", " billion")

_DIGITS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_SECTIONS = ("", "万", "亿")


def in_words(number: int, language: str) -> str:
    """A whole number from 0 to `MOST` in words; the language is `en` or `zh`."""
    return _chinese(number) if language == "zh" else _english(number)


def counted_in_words(number: int, language: str) -> str:
    """The number before what is counted, where Chinese has a two of its own: 两小时."""
    return "两" if (number, language) == (2, "zh") else in_words(number, language)


def digits_in_words(digits: str, language: str) -> str:
    """Digits one by one: `two five`, 二五."""
    if language == "zh":
        return "".join(_DIGITS[int(digit)] for digit in digits)
    return " ".join(_ONES[int(digit)] for digit in digits)


def _english(number: int) -> str:
    if number < 1000:
        return _below_thousand(number)
    parts = []
    for power in range(3, -1, -1):
        group = number // 1000**power % 1000
        if group:
            parts.append(_below_thousand(group) + _GROUPS[power])
    return " ".join(parts)


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return _below_hundred(rest)
    return f"{_ONES[hundreds]} hundred" + (f" {_below_hundred(rest)}" if rest else "")


def _below_hundred(number: int) -> str:
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else "")


def _chinese(number: int) -> str:
    """By sections of four digits; a zero stands once for all places that are left out within the number."""
    if number < 20:
        tens, ones = divmod(number, 10)
        return _DIGITS[ones] if not tens else "十" + (_DIGITS[ones] if ones else "")
    said = ""
    gap = False
    for power in range(2, -1, -1):
        section = number // 10_000**power % 10_000
        if section:
            linked = "零" if said and (gap or section < 1000) else ""
            said += linked + ("两" if section == 2 and power else _section(section, is_first=not said))
            said += _SECTIONS[power]
        gap = not section
    return said


def _section(section: int, *, is_first: bool) -> str:
    if is_first and 10 <= section < 20:
        return _chinese(section)
    places = [(place, section // 10**place % 10) for place in range(3, -1, -1)]
    said = ""
    for is_zero, run in groupby(places, key=lambda each: each[1] == 0):
        several = list(run)
        if is_zero:
            said += "零" if said and several[-1][0] else ""
        else:
            said += "".join(
                ("两" if (place, digit) == (3, 2) else _DIGITS[digit]) + _PLACES[place] for place, digit in several
            )
    return said


#: Currency → one and several of it, and of its hundredth (nothing: it has none), in English; both in Chinese.
CURRENCIES: Mapping[str, tuple[str, str, str, str, str, str]] = {
    "EUR": ("euro", "euros", "cent", "cents", "欧元", "分"),
    "USD": ("dollar", "dollars", "cent", "cents", "美元", "美分"),
    "GBP": ("pound", "pounds", "penny", "pence", "英镑", "便士"),
    "CHF": ("franc", "francs", "centime", "centimes", "瑞士法郎", "生丁"),
    "CNY": ("yuan", "yuan", "fen", "fen", "元", "分"),
    "HKD": ("Hong Kong dollar", "Hong Kong dollars", "cent", "cents", "港元", "分"),
    "TWD": ("Taiwan dollar", "Taiwan dollars", "cent", "cents", "新台币", "分"),
    "JPY": ("yen", "yen", "", "", "日元", ""),
    "SGD": ("Singapore dollar", "Singapore dollars", "cent", "cents", "新加坡元", "分"),
    "AUD": ("Australian dollar", "Australian dollars", "cent", "cents", "澳元", "分"),
    "NZD": ("New Zealand dollar", "New Zealand dollars", "cent", "cents", "新西兰元", "分"),
    "CAD": ("Canadian dollar", "Canadian dollars", "cent", "cents", "加元", "分"),
    "SEK": ("krona", "kronor", "ore", "ore", "瑞典克朗", "欧尔"),
    "NOK": ("krone", "kroner", "ore", "ore", "挪威克朗", "欧尔"),
    "DKK": ("krone", "kroner", "ore", "ore", "丹麦克朗", "欧尔"),
    "PLN": ("zloty", "zlotys", "grosz", "groszy", "兹罗提", "格罗希"),
    "CZK": ("koruna", "korunas", "haler", "halers", "捷克克朗", "赫勒"),
    "INR": ("rupee", "rupees", "paisa", "paise", "卢比", "派士"),
}
_EURO = "AT BE CY DE EE ES FI FR GR HR IE IT LT LU LV MC MT NL PT SI SK SM VA".split()
#: Country → its currency, of those above.
CURRENCY_OF: Mapping[str, str] = {
    **dict.fromkeys(_EURO, "EUR"),
    **{"US": "USD", "GB": "GBP", "CH": "CHF", "LI": "CHF", "CN": "CNY", "HK": "HKD", "TW": "TWD", "JP": "JPY"},
    **{"SG": "SGD", "AU": "AUD", "NZ": "NZD", "CA": "CAD", "SE": "SEK", "NO": "NOK", "DK": "DKK"},
    **{"PL": "PLN", "CZ": "CZK", "IN": "INR"},
}


def money_in_words(whole: int, hundredths: int, currency: str, language: str) -> str:
    """An amount: `twelve euros and fifty cents`, 十二欧元五十分. What is nothing is left out, unless both are."""
    one, several, part, parts, chinese, chinese_part = CURRENCIES[currency]
    if language == "zh":
        return _chinese_money(whole, hundredths, chinese, chinese_part, has_tenths=currency == "CNY")
    said = [f"{in_words(whole, language)} {one if whole == 1 else several}"] if whole or not hundredths else []
    if hundredths:
        said.append(f"{in_words(hundredths, language)} {part if hundredths == 1 else parts}")
    return " and ".join(said)


def _chinese_money(whole: int, hundredths: int, unit: str, part: str, *, has_tenths: bool) -> str:
    said = counted_in_words(whole, "zh") + unit if whole or not hundredths else ""
    if not has_tenths:
        return said + (counted_in_words(hundredths, "zh") + part if hundredths else "")
    tenths, rest = divmod(hundredths, 10)
    if tenths:
        said += counted_in_words(tenths, "zh") + "角"
    elif said and rest:
        said += "零"
    return said + (counted_in_words(rest, "zh") + part if rest else "")
