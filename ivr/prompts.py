"""Texts to hear: the language that is chosen, and the values that stand in them.

In a text `{name}` stands for a value and `{name:money}` for how it is said as money (`ivr.spoken_values`). In `set`,
`lookup` and `attributes` a value that is just `$name` stands for that value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ivr.errors import did_you_mean, one_of, quote
from ivr.prompt_texts import PromptTexts
from ivr.spoken_values import FORMS, spoken
from ivr.steps import Prompt

_PLACE = re.compile(r"\{([^{}]*)\}")
_INSIDE = re.compile(r"([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?)(?::([a-z]+))?")
_WHOLE = re.compile(r"\$([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?)")
_UNSAYABLE = re.compile(r"[\x00-\x1f\x7f]+")

MOST_VALUE_CHARACTERS = 256
_KEYS: Mapping[str, Mapping[str, str]] = {"en": {"*": "star", "#": "hash"}, "zh": {"*": "星号", "#": "井号"}}


def names_in(text: str, *, whole: bool = False) -> Iterator[str]:
    """The names that a text uses, as written; one that is not well formed is given as it stands."""
    match = _WHOLE.fullmatch(text) if whole else None
    if match is not None:
        yield match[1]
        return
    for match in _PLACE.finditer(text):
        inside = _INSIDE.fullmatch(match[1])
        yield inside[1] if inside else match[1]


def forms_in(text: str) -> Iterator[str]:
    """The forms in which a text says its values, as written."""
    for match in _PLACE.finditer(text):
        inside = _INSIDE.fullmatch(match[1])
        if inside and inside[2]:
            yield inside[2]


def unknown_form(text: str) -> str | None:
    """What is wrong with the forms of a text, or None."""
    for form in forms_in(text):
        if form not in FORMS:
            return f"unknown form {quote(form)}: {one_of(FORMS)}{did_you_mean(form, FORMS)}"
    return None


def fill(
    text: str,
    variables: Mapping[str, str],
    *,
    whole: bool = False,
    language: str = "en",
    currency: str = "",
    unfit: list[str] | None = None,
) -> str:
    """The text with its values; an unset value is empty. Control characters in values become spaces.

    Values are said in `language`, amounts that name no currency in `currency`. A value that is not what its form
    says stands as it is; `unfit` is told which.
    """
    match = _WHOLE.fullmatch(text) if whole else None
    if match is not None:
        return _value(variables, match[1])

    def said(place: re.Match[str]) -> str:
        name, _, form = place[1].partition(":")
        value = _value(variables, name)
        if not form:
            return value
        as_said = spoken(value, form, language, currency)
        if as_said is None and unfit is not None:
            unfit.append(f"the value of {name} cannot be said as {form}: it is read as it stands")
        return value if as_said is None else as_said

    return _PLACE.sub(said, text)


def _value(variables: Mapping[str, str], name: str) -> str:
    return _UNSAYABLE.sub(" ", variables.get(name, ""))[:MOST_VALUE_CHARACTERS]


def text_prompt(
    texts: str | Mapping[str, str],
    language: str,
    default: str,
    variables: Mapping[str, str],
    *,
    currency: str = "",
    unfit: list[str] | None = None,
) -> Prompt:
    """The prompt for a caller's language, or in the default language where there is none; values as in `fill`."""
    text, spoken_language = _choose(texts, language, default)
    filled = fill(text, variables, language=spoken_language, currency=currency, unfit=unfit)
    return Prompt(text=filled, language=spoken_language, sound=_recording(texts, spoken_language))


def spoken_in(texts: Mapping[str, str], language: str, default: str) -> Prompt:
    """A text that is said as it stands, whatever braces are in it."""
    text, chosen = _choose(texts, language, default)
    return Prompt(text=text, language=chosen, sound=_recording(texts, chosen))


def _recording(texts: str | Mapping[str, str], language: str) -> str:
    return texts.recorded.get(language, "") if isinstance(texts, PromptTexts) else ""


def sound_prompt(sounds: str | Mapping[str, str], language: str, default: str) -> Prompt:
    """The sound file for a caller's language, or the default language's."""
    sound, chosen = _choose(sounds, language, default)
    return Prompt(sound=sound, language=chosen)


def _choose(texts: str | Mapping[str, str], language: str, default: str) -> tuple[str, str]:
    if isinstance(texts, str):
        return texts, default
    if language in texts:
        return texts[language], language
    return texts[default], default


def spoken_key(key: str, language: str) -> str:
    """A key of the telephone as it is said."""
    return _KEYS.get(language, _KEYS["en"]).get(key, key)


def static_prompts(texts: str | Mapping[str, str], default: str) -> Iterator[Prompt]:
    """All forms of a text that can be rendered in advance: those without values in them."""
    for language, text in ({default: texts} if isinstance(texts, str) else texts).items():
        if not any(names_in(text)):
            yield Prompt(text=text, language=language)
