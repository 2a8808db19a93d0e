"""The kinds of value that a site's files are made of: names, durations, telephone numbers, texts, targets.

Each kind says in its own words what it expects; `Part` is the base of every model that a file is checked by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ivr.errors import did_you_mean, quote
from ivr.prompt_texts import PromptBook, PromptTexts

MOST_SECONDS = 24 * 3600.0

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m|h)")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_PHONE = re.compile(r"\+?[0-9]{1,20}")
_SOUND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*){0,5}")


class Part(BaseModel):
    """Base of all checked models: frozen, strict (nothing is converted silently), unknown keys refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", validate_default=False)


def wrong(message: str) -> PydanticCustomError:
    """An error in our own words; braces in it are harmless."""
    return PydanticCustomError("callyard", "{said}", {"said": message})


#: What a name is, in words.
NAME_RULE = "small letters, digits, - and _, a letter first, at most 40"


def is_name(text: str) -> bool:
    """Whether the text can name a flow, node, queue and so on."""
    return _NAME.fullmatch(text) is not None


def _name(text: str) -> str:
    if not is_name(text):
        raise wrong(f"{quote(text)} is not a name: expected {NAME_RULE}")
    return text


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise wrong(f"{quote(text)} is not a variable's name: expected small letters, digits and _, a letter first")
    return text


def check_language(text: str) -> str:
    """The text, if it is a language code such as en or pt-BR."""
    if not _LANGUAGE.fullmatch(text):
        raise wrong(f"{quote(text)} is not a language: expected a code such as en, zh or pt-BR")
    return text


def _phone(text: str) -> str:
    if not _PHONE.fullmatch(text):
        raise wrong(f"{quote(text)} is not a telephone number: expected digits, with + in front of a country code")
    return text


def _duration(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong("expected a duration such as 5s, 2m or 500ms")
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        unit = f": write {value}s for seconds" if not isinstance(value, str) else ""
        raise wrong(f"{quote(value)} is not a duration: expected a number with ms, s, m or h, such as 5s{unit}")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > MOST_SECONDS:
        raise wrong(f"{quote(value)} is too long: expected at most 24h")
    return seconds


def _time_zone(text: str) -> str:
    if text not in available_timezones():
        raise wrong(
            f"{quote(text)} is not a time zone: expected a name such as Europe/Berlin"
            + did_you_mean(text, sorted(available_timezones()))
        )
    return text


def _sound(text: str) -> str:
    if not _SOUND.fullmatch(text):
        raise wrong(f"{quote(text)} is not a sound: expected a file below the folder sounds, such as welcome.wav")
    return text


def _said(text: str) -> str:
    if not text.strip():
        raise wrong("the text is empty: expected something to say")
    if len(text) > 1000:
        raise wrong(f"the text has {len(text)} characters: expected at most 1000")
    return text


def _some(texts: Mapping[str, str]) -> Mapping[str, str]:
    if not texts:
        raise wrong("no text in any language: expected at least one, such as en: Welcome.")
    return texts


def in_turn(value: Any) -> Any:
    """One value where several may stand counts as several of one."""
    return value if isinstance(value, tuple) else (value,)


class OneOrSeveral:
    """Tells editors of `in_turn`, of which the type alone says only that there are several."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        several = handler(core)
        return {"anyOf": [several["items"], several]}


def _few(texts: tuple[Any, ...]) -> tuple[Any, ...]:
    if not 1 <= len(texts) <= 20:
        raise wrong(f"{len(texts)} texts in turn: expected 1 to 20")
    return texts


def shape(value: Any) -> str:
    """The tag of a value that may stand once or per language."""
    return "kind:many" if isinstance(value, dict) else "kind:one"


def text_shape(value: Any) -> str:
    """As `shape`, of a text that may also be a prompt."""
    return "kind:prompt" if isinstance(value, dict) and "prompt" in value else shape(value)


def _alone(value: Any) -> Any:
    if len(value) != 1:
        raise wrong("a prompt has its texts in prompts.yaml: expected nothing beside its id, as in { prompt: welcome }")
    return value


def _find(value: Any, info: ValidationInfo) -> PromptTexts:
    if not isinstance(value, str):
        raise wrong("expected the id of a prompt, such as welcome")
    if not isinstance(info.context, PromptBook):
        return PromptTexts(value, {}, {})
    texts = info.context.find(value)
    if texts is None:
        raise wrong(info.context.missing(value))
    return texts


class ByPrompt:
    """Reads `{ prompt: welcome }` as the texts of that prompt in the `PromptBook` of the validation."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        field = core_schema.typed_dict_field(core_schema.with_info_plain_validator_function(_find))
        named = core_schema.typed_dict_schema({"prompt": field})
        unwrapped = core_schema.no_info_after_validator_function(lambda found: found["prompt"], named)
        return core_schema.no_info_before_validator_function(_alone, unwrapped)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        name = {"type": "string", "pattern": f"^{_NAME.pattern}$"}
        return {
            "type": "object",
            "properties": {"prompt": name},
            "required": ["prompt"],
            "additionalProperties": False,
        }


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"})]
VariableName = Annotated[
    str, AfterValidator(_variable), WithJsonSchema({"type": "string", "pattern": f"^{_VARIABLE.pattern}$"})
]
Language = Annotated[
    str, AfterValidator(check_language), WithJsonSchema({"type": "string", "pattern": f"^{_LANGUAGE.pattern}$"})
]
PhoneNumber = Annotated[str, AfterValidator(_phone), WithJsonSchema({"type": "string", "pattern": "^\\+?[0-9]{1,20}$"})]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Seconds = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["5s", "2m", "500ms"]}),
]
SoundFile = Annotated[str, AfterValidator(_sound), WithJsonSchema({"type": "string", "pattern": f"^{_SOUND.pattern}$"})]
Text = Annotated[str, AfterValidator(_said)]
TextsByLanguage = Annotated[Mapping[Language, Text], AfterValidator(_some)]

TextsOfPrompt = Annotated[Mapping[str, str], ByPrompt()]

#: One text in the site's default language, one per language, or a prompt by its id.
Texts = Annotated[
    Annotated[Text, Tag("kind:one")]
    | Annotated[TextsByLanguage, Tag("kind:many")]
    | Annotated[TextsOfPrompt, Tag("kind:prompt")],
    Discriminator(text_shape),
]
#: One sound file for all languages, or one per language.
Sounds = Annotated[
    Annotated[SoundFile, Tag("kind:one")]
    | Annotated[Mapping[Language, SoundFile], AfterValidator(_some), Tag("kind:many")],
    Discriminator(shape),
]

#: One text, or several that are told in turn.
Announcements = Annotated[tuple[Texts, ...], BeforeValidator(in_turn), AfterValidator(_few), OneOrSeveral()]

Codec = Literal["ulaw", "alaw", "g722", "opus"]
SkillLevel = Annotated[
    int, AfterValidator(lambda level: _level(level)), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 10})
]


#: Of these skills an agent needs one, at its level.
SkillChoice = Annotated[Mapping[Name, SkillLevel], AfterValidator(lambda skills: _alternatives(skills))]


def _alternatives(skills: Mapping[str, int]) -> Mapping[str, int]:
    if len(skills) < 2:
        raise wrong("expected at least two skills to choose from")
    return skills


def _level(level: int) -> int:
    if not 1 <= level <= 10:
        raise wrong(f"{level} is not a skill level: expected a number from 1 to 10")
    return level


def forms(texts: Texts) -> Iterable[str]:
    """A text in each language."""
    return (texts,) if isinstance(texts, str) else texts.values()
