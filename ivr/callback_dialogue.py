"""The promise to call somebody back, as it is made with them: whether we may, under which number, and that we will.

The same dialogue is led while they wait (they pressed the queue's key) and by a `callback` step of a flow. A caller
whose number is shown and may be called is promised at once; others type a number, hear it digit by digit and confirm.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace

from pydantic import Field

from ivr.prompts import spoken_key, text_prompt
from ivr.step_values import PressedKey
from ivr.steps import Digits, Instruction, KeyOffer, Play, Promise, Promised, Prompt, ReadDigits, Result
from ivr.values import Part, Seconds, Texts
from ivr.waiting_texts import words

#: How often somebody is asked for a number.
TRIES = 3
#: E.164 has 15 digits; two more for what is dialled before them abroad.
MOST_DIGITS = 17
#: The keys that `read_back` names.
RIGHT, AGAIN = "1", "2"
FIRST_S, BETWEEN_S = 8.0, 4.0
#: Reasons that no other number would change.
FINAL = frozenset({"no_callback", "not_waiting"})

#: The value that may stand in each text.
PLACES: Mapping[str, frozenset[str]] = {
    "offer": frozenset({"key"}),
    "ask": frozenset(),
    "read_back": frozenset({"number"}),
    "refused": frozenset(),
    "promised": frozenset(),
}
OURS: Mapping[str, Mapping[str, str]] = {
    "offer": {
        "en": "Press {key} and we call you back; you keep your place.",
        "zh": "按{key}键，我们会给您回电，您的位置会保留。",
    },
    "ask": {
        "en": "Please enter the number at which we can call you, then press hash.",
        "zh": "请输入您的回电号码，按井号键结束。",
    },
    "read_back": {
        "en": "We will call {number:digits}. If that is right, press 1. To enter it again, press 2.",
        "zh": "我们将拨打{number:digits}。正确请按一，重新输入请按二。",
    },
    "refused": {"en": "We cannot call that number.", "zh": "我们无法拨打这个号码。"},
    "promised": {
        "en": "We will call you back. You keep your place and may hang up now.",
        "zh": "我们会给您回电。您的位置已保留，现在可以挂机。",
    },
}


class Dialogue(Part):
    """How callers ask for a callback: `key`, pressed while they wait, and words in place of ours.

    `offer_over_s`: the key is told where the expected wait is longer; 0: with every announcement.
    """

    key: PressedKey | None = None
    offer_over_s: Seconds = Field(0.0, alias="offer_over")
    offer: Texts | None = None
    ask: Texts | None = None
    read_back: Texts | None = None
    refused: Texts | None = None
    promised: Texts | None = None

    def given(self) -> Iterator[tuple[str, Texts]]:
        """The texts that the site gives, by name."""
        for which in PLACES:
            texts: Texts | None = getattr(self, which)
            if texts is not None:
                yield which, texts


def key_offer(dialogue: Dialogue, language: str, default: str) -> KeyOffer | None:
    """The key that leads to a callback, and its prompt; None where there is no key."""
    if dialogue.key is None:
        return None
    spoken = spoken_key(dialogue.key, language)
    return KeyOffer(dialogue.key, (text(dialogue, "offer", language, default, key=spoken),), dialogue.offer_over_s)


def static(dialogue: Dialogue, language: str, default: str) -> Iterator[Prompt]:
    """What can be rendered in advance: everything but numbers that are read back."""
    if offer := key_offer(dialogue, language, default):
        yield from offer.prompts
    for which in ("ask", "refused", "promised"):
        yield text(dialogue, which, language, default)


def text(dialogue: Dialogue, which: str, language: str, default: str, **values: str) -> Prompt:
    """One prompt of the dialogue, in a language or, where there are no words in it, in the default one."""
    return text_prompt(words(getattr(dialogue, which), OURS[which], default), language, default, values)


def lead(
    dialogue: Dialogue, wish: Promise, language: str, default: str, miss: Callable[[Digits], None]
) -> Generator[Instruction, Result, bool]:
    """Lead the dialogue. `wish`: what to promise; its number is the caller's own, or empty. `miss` is told what was
    pressed in place of what was asked for. Returns whether it is promised."""

    def say(which: str, **values: str) -> Prompt:
        return text(dialogue, which, language, default, **values)

    number, is_typed = wish.number, False
    for tries_left in range(TRIES, -1, -1):
        if number:
            answer = yield replace(wish, number=number)
            assert isinstance(answer, Promised)
            if not answer.refused:
                yield Play((say("promised"),))
                return True
            if answer.refused in FINAL:
                return False
            if is_typed:
                miss(Digits(number))
                yield Play((say("refused"),))
        if tries_left:
            number, is_typed = (yield from _ask_number(say, miss)), True
    return False


def _ask_number(say: Callable[..., Prompt], miss: Callable[[Digits], None]) -> Generator[Instruction, Result, str]:
    """A number that the caller has typed and confirmed; empty where there is none."""
    typed = yield ReadDigits((say("ask"),), most=MOST_DIGITS + 1, terminator="#", first_s=FIRST_S, between_s=BETWEEN_S)
    assert isinstance(typed, Digits)
    if not typed.pressed.isdigit():
        miss(typed)
        return ""
    answer = yield ReadDigits((say("read_back", number=typed.pressed),), most=1, first_s=FIRST_S)
    assert isinstance(answer, Digits)
    if answer.pressed not in (RIGHT, AGAIN):
        miss(answer)
    return typed.pressed if answer.pressed == RIGHT else ""
