"""The entries of a flow test's dialogue: what is heard and pressed, what others answer, what is expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Tag, WithJsonSchema, model_validator

from ivr.errors import quote
from ivr.step_values import KEY_WORDS, Priority
from ivr.values import Language, Name, Part, SkillLevel, Text, VariableName, shape, wrong

#: What is written for a caller who presses nothing.
NOTHING = "nothing"
MOST_KEYS = 64
#: What may become of a call.
EXPECTED = ("queue", "callback", "message", "transfer", "ended", "refused")


def _keys(value: Any) -> str:
    keys = KEY_WORDS.get(value, value) if isinstance(value, str) else None
    if keys == NOTHING:
        return ""
    if not keys or len(keys) > MOST_KEYS or not set(keys) <= set("0123456789*#"):
        shown = "nothing stands here" if value is None else f"{quote(value)} are not keys"
        raise wrong(f'{shown}: expected keys such as 1, 123456# or "*", or the word {NOTHING}')
    return keys


def _figure(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_Answer = Annotated[str, BeforeValidator(_figure), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]})]


def written(value: Any) -> Any:
    """A number, true or false as text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _or(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _one_answer(answers: Mapping[str, str]) -> Mapping[str, str]:
    if len(answers) != 1:
        raise wrong("expected exactly one answer, such as { satisfaction: 5 }")
    return answers


Keys = Annotated[
    str,
    BeforeValidator(_keys),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": f"^([0-9*#]+|star|hash|{NOTHING})$"}, {"type": "integer"}]}
    ),
]


class Turn(Part):
    """One entry of a dialogue, known by its word."""

    word: ClassVar[str]


class Hears(Turn):
    """From here on, the caller hears something with these words in it."""

    word = "hears"
    hears: Text


class Presses(Turn):
    """What the caller presses at the next question."""

    word = "presses"
    presses: Keys


class Expected(Part):
    """What must have become of the call: one of the words of `EXPECTED`, and more about it."""

    queue: Name | None = None
    callback: Name | None = None
    message: Name | None = None
    transfer: Text | None = None
    priority: Priority | None = None
    skills: Mapping[Name, SkillLevel] | None = None
    attributes: Mapping[str, Text] | None = None
    language: Language | None = None
    ended: Literal["normal", "broken"] | None = None
    refused: Literal["busy", "closed", "blocked", "unallocated"] | None = None

    @model_validator(mode="after")
    def _one(self) -> Expected:
        outcomes = [word for word in EXPECTED if getattr(self, word) is not None]
        if len(outcomes) != 1:
            found = " and ".join(outcomes) or "none"
            raise wrong(f"expected exactly one of {_or(EXPECTED)}, got {found}")
        for word in ("priority", "skills", "attributes", "language"):
            fits = ("queue",) if word == "skills" else ("queue", "callback", "message")
            if outcomes[0] not in fits and getattr(self, word) is not None:
                raise wrong(f"{word} can only be expected together with {_or(fits)}")
        return self

    @property
    def is_of_the_end(self) -> bool:
        """Whether the call must be over."""
        return self.ended is not None or self.refused is not None


class Expects(Turn):
    """The call waits in a queue, asks to be called back, leaves a message, is given to somebody, or is over, so."""

    word = "expects"
    expects: Expected


class Waited(Turn):
    """How the wait in the queue ends."""

    word = "queue"
    queue: Literal["served", "timed_out", "full", "long_wait", "nobody", "closed", "promised"]


class CalledBack(Turn):
    """Whether the caller is promised to be called back: under this number not (`refused`), or under none (`never`)."""

    word = "callback"
    callback: Literal["promised", "refused", "never"]


class Recorded(Turn):
    """Whether the caller says something after the tone."""

    word = "message"
    message: Literal["left", "none"]


class Records(Turn):
    """From here on the call is recorded, by this consent, or not, or no longer."""

    word = "records"
    records: Literal["yes", "no", "notice", "stop"]


class Keeps(Turn):
    """An answer to a survey is kept: the question's id and the key."""

    word = "keeps"
    keeps: Annotated[Mapping[VariableName, _Answer], AfterValidator(_one_answer)]


class Transferred(Turn):
    """How a transfer ends: `answered` and talked, or not."""

    word = "transfer"
    transfer: Literal["answered", "busy", "no_answer", "failed", "refused"]


class Answers(Turn):
    """What a webhook answers: the values that its step keeps, by name, or how it ended. `sends`: what was sent."""

    word = "webhook"
    webhook: Annotated[
        Annotated[Mapping[VariableName, Annotated[str, BeforeValidator(written)]], Tag("kind:many")]
        | Annotated[Literal["ok", "not_found", "failed"], Tag("kind:one")],
        Discriminator(shape),
    ]
    sends: Mapping[str, Annotated[str, BeforeValidator(written)]] | None = None


class Texted(Turn):
    """Whether a text message is sent. `says`: words in it; `to`: whom it goes to."""

    word = "send_text"
    send_text: Literal["sent", "otherwise"]
    says: Text | None = None
    to: Text | None = None


class HangsUp(Turn):
    """The caller hangs up at the next question, in the queue, in a transfer or instead of a message."""

    word = "hangs_up"
    hangs_up: None = None


TURNS: Mapping[str, type[Turn]] = {
    turn.word: turn
    for turn in (
        Hears,
        Presses,
        Expects,
        Waited,
        CalledBack,
        Recorded,
        Records,
        Keeps,
        Transferred,
        Answers,
        Texted,
        HangsUp,
    )
}
