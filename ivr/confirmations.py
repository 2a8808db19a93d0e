"""Asking a caller for yes or no, and the words in which what was typed is read back to them."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Discriminator, Tag, model_validator

from ivr.prompts import spoken_key
from ivr.step_values import PressedKey
from ivr.steps import Digits, Instruction, Prompt, ReadDigits, Result
from ivr.values import Part, Text, Texts, TextsByLanguage, TextsOfPrompt, text_shape, wrong

if TYPE_CHECKING:
    from ivr.progress import Progress

#: Said where a site reads back and gives no words of its own.
OURS: Mapping[str, str] = {
    "en": "You entered {entered:digits}. Press {yes} if that is right, {no} to enter it again.",
    "zh": "您输入的是{entered:digits}。正确请按{yes}，重新输入请按{no}。",
}

#: Words to read back with, or `true` for ours.
ReadBack = Annotated[
    Annotated[bool, Tag("kind:ours")]
    | Annotated[Text, Tag("kind:one")]
    | Annotated[TextsByLanguage, Tag("kind:many")]
    | Annotated[TextsOfPrompt, Tag("kind:prompt")],
    Discriminator(lambda value: "kind:ours" if isinstance(value, bool) else text_shape(value)),
]


class Keys(Part):
    """The keys for yes and no."""

    yes: PressedKey = "1"
    no: PressedKey = "2"

    @model_validator(mode="after")
    def _two(self) -> Keys:
        if self.yes == self.no:
            raise wrong("yes and no are the same key: expected two different ones")
        return self


def ask(
    call: Progress,
    question: Prompt,
    keys: Keys,
    *,
    wait_s: float,
    retries: int,
    barge_in: bool,
    invalid: Texts | None = None,
) -> Generator[Instruction, Result, str]:
    """Ask until there is an answer: `yes`, `no`, or nothing when the retries are used up."""
    prompts: tuple[Prompt, ...] = (question,)
    for _ in range(retries + 1):
        read = yield ReadDigits(prompts, most=1, first_s=wait_s, barge_in=barge_in)
        assert isinstance(read, Digits)
        if read.pressed == keys.yes:
            return "yes"
        if read.pressed == keys.no:
            return "no"
        call.miss(read)
        prompts = (call.say(invalid), question) if invalid is not None and read.pressed else (question,)
    return ""


def read_back(call: Progress, texts: Texts | bool, name: str, entered: str, keys: Keys) -> Prompt:
    """What was entered for the variable `name`, one by one, with the question whether it is right."""
    one_by_one = " ".join(entered)
    if not isinstance(texts, bool):
        return call.say(texts, {name: one_by_one})
    spoken = call.language if call.language in OURS else call.site.settings.default_language
    said = {"yes": spoken_key(keys.yes, spoken), "no": spoken_key(keys.no, spoken)}
    return call.say(OURS, {"entered": one_by_one, **said})
