"""Steps that ask the caller for keys."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from ivr import confirmations
from ivr.confirmations import OURS, ReadBack
from ivr.prompts import names_in
from ivr.step_kinds.base import BaseStep, Place, Steps, Target, Way
from ivr.step_values import CONTINUE, KEY_WORDS, DigitCount, Key, Retries, some_keys
from ivr.steps import Digits, Instruction, Prompt, ReadDigits, Result
from ivr.values import Language, Seconds, Texts, VariableName, forms, wrong

if TYPE_CHECKING:
    from ivr.progress import Progress

_END_KEYS = {"hash": "#", "star": "*", "none": ""}


class MenuStep(BaseStep):
    """Let the caller choose by one key."""

    word = "menu"
    example = "menu: For sales, press 1."
    waits = True
    menu: Texts
    keys: Annotated[Mapping[Key, Target], BeforeValidator(some_keys)]
    wait_s: Seconds = Field(5.0, alias="wait")
    retries: Retries = 2
    barge_in: bool = True
    invalid: Texts | None = None
    otherwise: Target = CONTINUE

    def exits(self) -> Mapping[Way, Target]:
        return {**{("keys", key): target for key, target in self.keys.items()}, ("otherwise",): self.otherwise}

    def take(self, call: Progress) -> Steps:
        prompts: tuple[Prompt, ...] = (call.say(self.menu),)
        for _ in range(self.retries + 1):
            read = yield ReadDigits(prompts, most=1, first_s=self.wait_s, barge_in=self.barge_in)
            assert isinstance(read, Digits)
            if read.pressed in self.keys:
                call.choose(f"menu {call.node.partition(':')[0]}", self._choice(read.pressed))
                return ("keys", read.pressed)
            call.miss(read)
            prompts = call.again(self.menu, self.invalid if read.pressed else None)
        return ("otherwise",)

    def texts(self) -> Iterator[tuple[Place, Texts]]:
        yield ("menu",), self.menu
        if self.invalid is not None:
            yield ("invalid",), self.invalid

    def _choice(self, key: str) -> str:
        """The key and where it leads, in words: `1 billing`."""
        spoken = next((word for word, sign in KEY_WORDS.items() if sign == key), key)
        target = self.keys[key]
        if isinstance(target, str):
            return f"{spoken} {target}"
        place = next((place for step in target if (place := step.leads_to)), "")
        return f"{spoken} {place}".rstrip()


class LanguageStep(BaseStep):
    """Let the caller choose the language that they hear: each is offered in its own."""

    word = "language"
    example = "language: { en: For English press 1., zh: 中文请按二。 }"
    falls_through = True
    waits = True
    language: Texts
    keys: Annotated[Mapping[Key, Language], BeforeValidator(some_keys)]
    wait_s: Seconds = Field(5.0, alias="wait")
    retries: Retries = 1
    barge_in: bool = True
    otherwise: Target = CONTINUE

    @model_validator(mode="after")
    def _each_offered(self) -> LanguageStep:
        if isinstance(self.language, str):
            raise wrong("one text for all languages: expected one in each language that keys lead to")
        if len(set(self.keys.values())) < len(self.keys):
            raise wrong("two keys for one language: expected a key for each")
        for missing in set(self.keys.values()) - self.language.keys():
            raise wrong(f"nothing says which key leads to {missing}: expected a text in {missing}")
        return self

    def exits(self) -> Mapping[Way, Target]:
        return {("otherwise",): self.otherwise}

    def take(self, call: Progress) -> Steps:
        prompts = tuple(call.say(self.language, language=language) for language in self.keys.values())
        for _ in range(self.retries + 1):
            read = yield ReadDigits(prompts, most=1, first_s=self.wait_s, barge_in=self.barge_in)
            assert isinstance(read, Digits)
            if read.pressed in self.keys:
                call.keep("language", self.keys[read.pressed])
                return None
            call.miss(read)
        return ("otherwise",)

    def texts(self) -> Iterator[tuple[Place, Texts]]:
        yield ("language",), self.language

    def languages(self) -> Iterator[tuple[Place, str]]:
        for key, language in self.keys.items():
            yield ("keys", key), language


class CollectStep(BaseStep):
    """Let the caller type digits into a variable."""

    word = "collect"
    example = "collect: Please enter your account number."
    falls_through = True
    waits = True
    collect: Texts
    into: VariableName
    digits: DigitCount
    end: Literal["hash", "star", "none"] = "hash"
    wait_s: Seconds = Field(5.0, alias="wait")
    between_s: Seconds = Field(3.0, alias="between")
    retries: Retries = 2
    barge_in: bool = True
    invalid: Texts | None = None
    secret: bool = False
    confirm: ReadBack = False
    confirm_keys: confirmations.Keys = confirmations.Keys()
    otherwise: Target = CONTINUE

    @model_validator(mode="after")
    def _said_back(self) -> CollectStep:
        if self.confirm is False:
            if "confirm_keys" in self.model_fields_set:
                raise wrong("confirm_keys says how to confirm: expected confirm: with it")
            return self
        if self.secret:
            raise wrong("a secret is never said back: expected secret or confirm, not both")
        for text in () if self.confirm is True else forms(self.confirm):
            if self.into not in names_in(text):
                raise wrong(f"confirm does not say what was entered: expected {{{self.into}:digits}} in the text")
        return self

    def exits(self) -> Mapping[Way, Target]:
        return {("otherwise",): self.otherwise}

    def take(self, call: Progress) -> Steps:
        least, most = self.digits
        prompts: tuple[Prompt, ...] = (call.say(self.collect),)
        for _ in range(self.retries + 1):
            read = yield self._reading(prompts)
            assert isinstance(read, Digits)
            fits = least <= len(read.pressed) <= most and read.pressed.isdigit()
            answer = (yield from self._confirming(call, read.pressed)) if fits else "no"
            if answer == "yes":
                call.keep(self.into, read.pressed, is_secret=self.secret)
                if not self.secret:
                    call.choose(self.into, read.pressed)
                return None
            if not fits:
                call.miss(read)
            if not answer:
                break
            prompts = call.again(self.collect, self.invalid if read.pressed and not fits else None)
        return ("otherwise",)

    def _confirming(self, call: Progress, entered: str) -> Generator[Instruction, Result, str]:
        """Whether it is right, as the caller says; nothing when they say nothing. What is not confirmed is not kept."""
        if self.confirm is False:
            return "yes"
        question = confirmations.read_back(call, self.confirm, self.into, entered, self.confirm_keys)
        return (
            yield from confirmations.ask(
                call, question, self.confirm_keys, wait_s=self.wait_s, retries=self.retries, barge_in=self.barge_in
            )
        )

    def _reading(self, prompts: tuple[Prompt, ...]) -> ReadDigits:
        terminator = _END_KEYS[self.end]
        return ReadDigits(
            prompts,
            # One more than wanted leaves room for the ending key, which must not stay behind for the next menu.
            most=self.digits[1] + len(terminator),
            terminator=terminator,
            first_s=self.wait_s,
            between_s=self.between_s,
            barge_in=self.barge_in,
            secret=self.secret,
        )

    def texts(self) -> Iterator[tuple[Place, Texts]]:
        yield ("collect",), self.collect
        if self.invalid is not None:
            yield ("invalid",), self.invalid
        if not isinstance(self.confirm, bool):
            yield ("confirm",), self.confirm

    def own_words(self) -> Iterator[tuple[Place, Texts]]:
        if self.confirm is True:
            yield ("confirm",), OURS

    def assigned(self) -> Iterator[tuple[Place, str]]:
        yield ("into",), self.into

    def secrets(self) -> Iterator[str]:
        if self.secret:
            yield self.into


class ConfirmStep(BaseStep):
    """Say a text and let the caller answer yes or no."""

    word = "confirm"
    example = "confirm: You want billing. If that is right, press 1. If not, press 2."
    waits = True
    confirm: Texts
    keys: confirmations.Keys = confirmations.Keys()
    wait_s: Seconds = Field(5.0, alias="wait")
    retries: Retries = 2
    barge_in: bool = True
    invalid: Texts | None = None
    yes: Target = CONTINUE
    no: Target = CONTINUE
    otherwise: Target = CONTINUE

    def exits(self) -> Mapping[Way, Target]:
        return {("yes",): self.yes, ("no",): self.no, ("otherwise",): self.otherwise}

    def take(self, call: Progress) -> Steps:
        answer = yield from confirmations.ask(
            call,
            call.say(self.confirm),
            self.keys,
            wait_s=self.wait_s,
            retries=self.retries,
            barge_in=self.barge_in,
            invalid=self.invalid,
        )
        if answer:
            call.choose(f"confirm {call.node.partition(':')[0]}", answer)
        return (answer or "otherwise",)

    def texts(self) -> Iterator[tuple[Place, Texts]]:
        yield ("confirm",), self.confirm
        if self.invalid is not None:
            yield ("invalid",), self.invalid
