"""The words in which a waiting caller is told their place and the expected wait, and numbers as they are spoken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ivr.prompt_texts import PromptTexts
from ivr.values import Part, Texts

#: Minutes that are told; what lies between is told as the nearest of them, halfway as the longer.
MINUTES = (1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60)
#: How many waits there are to tell: less than a minute, the minutes, more than an hour.
WAITS = len(MINUTES) + 2

_DIGITS = "零一二三四五六七八九"


class TellTexts(Part):
    """Words in place of our own. `{number}` and `{minutes}` stand for the number."""

    position: Texts | None = None
    beyond: Texts | None = None
    soon: Texts | None = None
    minute: Texts | None = None
    minutes: Texts | None = None
    long: Texts | None = None
    thanks: Texts | None = None

    def given(self) -> Iterator[tuple[str, Texts]]:
        """Those that the site gives, by name."""
        for which in PLACES:
            texts: Texts | None = getattr(self, which)
            if texts is not None:
                yield which, texts


#: The value that may stand in each text.
PLACES: Mapping[str, frozenset[str]] = {
    "position": frozenset({"number"}),
    "beyond": frozenset({"number"}),
    "soon": frozenset(),
    "minute": frozenset(),
    "minutes": frozenset({"minutes"}),
    "long": frozenset(),
    "thanks": frozenset(),
}
OURS: Mapping[str, Mapping[str, str]] = {
    "position": {"en": "You are number {number} in the line.", "zh": "您排在第{number}位。"},
    "beyond": {
        "en": "There are at least {number} callers before you.",
        "zh": "您前面至少还有{number}位来电者。",
    },
    "soon": {"en": "The expected wait is less than a minute.", "zh": "预计等候时间不到一分钟。"},
    "minute": {"en": "The expected wait is about one minute.", "zh": "预计等候时间约一分钟。"},
    "minutes": {"en": "The expected wait is about {minutes} minutes.", "zh": "预计等候时间约{minutes}分钟。"},
    "long": {"en": "The expected wait is more than an hour.", "zh": "预计等候时间超过一小时。"},
    "thanks": {"en": "Thank you for waiting.", "zh": "感谢您的等候。"},
}


def words(given: Texts | None, ours: Mapping[str, str], default: str) -> Mapping[str, str]:
    """By language: ours, with what the site says in place of it."""
    if given is None:
        return ours
    if isinstance(given, PromptTexts):
        return PromptTexts(given.id, {**ours, **given}, given.recorded)
    return {**ours, **({default: given} if isinstance(given, str) else given)}


def counted(number: int, language: str) -> str:
    """A number (0 to 99) before what is counted: two callers, 两位来电者."""
    return "两" if number == 2 and _is_chinese(language) else placed(number, language)


def placed(number: int, language: str) -> str:
    """A number (0 to 99) that names a place: number two, 第二位."""
    if not _is_chinese(language):
        return str(number)
    tens, ones = divmod(number, 10)
    if not tens:
        return _DIGITS[ones]
    return ("" if tens == 1 else _DIGITS[tens]) + "十" + (_DIGITS[ones] if ones else "")


def _is_chinese(language: str) -> bool:
    return language.partition("-")[0] == "zh"
