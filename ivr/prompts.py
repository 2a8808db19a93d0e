"""Texts to hear: the language that is chosen, and the values that stand in them.

In a text `{name}` stands for a value and `{name:digits}` for its characters one by one. In `set`, `lookup` and
`attributes` a value that is just `$name` stands for that value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ivr.steps import Prompt

_PLACE = re.compile(r"\{([^{}]*)\}")
_INSIDE = re.compile(r"([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?)(:digits)?")
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


def fill(text: str, variables: Mapping[str, str], *, whole: bool = False) -> str:
    """The text with its values; an unset value is empty. Control characters in values become spaces."""
    match = _WHOLE.fullmatch(text) if whole else None
    if match is not None:
        return _value(variables, match[1])
    return _PLACE.sub(lambda place: _inside(place[1], variables), text)


def _inside(place: str, variables: Mapping[str, str]) -> str:
    name, _, form = place.partition(":")
    value = _value(variables, name)
    return " ".join(value.replace(" ", "")) if form else value


def _value(variables: Mapping[str, str], name: str) -> str:
    return _UNSAYABLE.sub(" ", variables.get(name, ""))[:MOST_VALUE_CHARACTERS]


def text_prompt(texts: str | Mapping[str, str], language: str, default: str, variables: Mapping[str, str]) -> Prompt:
    """The prompt for a caller's language, or in the default language where there is none."""
    text, spoken = _choose(texts, language, default)
    return Prompt(text=fill(text, variables), language=spoken)


def spoken_in(texts: Mapping[str, str], language: str, default: str) -> Prompt:
    """A text that is said as it stands, whatever braces are in it."""
    text, spoken = _choose(texts, language, default)
    return Prompt(text=text, language=spoken)


def sound_prompt(sounds: str | Mapping[str, str], language: str, default: str) -> Prompt:
    """The sound file for a caller's language, or the default language's."""
    sound, spoken = _choose(sounds, language, default)
    return Prompt(sound=sound, language=spoken)


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
