"""The step that gives the caller to somebody outside the queues."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from ivr.errors import quote
from ivr.prompts import names_in
from ivr.step_kinds.base import BaseStep, Named, Place, Steps, Target, Thing, Way
from ivr.step_values import CONTINUE
from ivr.steps import End, Ending, Transfer, TransferEnded
from ivr.values import Name, Part, Seconds, Text, wrong

if TYPE_CHECKING:
    from ivr.progress import Progress

#: How a transfer may end without a talk.
FAILED_EXITS = ("busy", "no_answer", "failed", "refused")
#: Shorter than this are emergency, short and internal numbers.
SHORTEST_NUMBER = 7
_NUMBER = re.compile(r"\+?[0-9 ()./-]+", re.ASCII)
_EXTENSION = re.compile(r"[0-9]{2,8}", re.ASCII)


def _number(text: str) -> str:
    """A number, or a value that stands for one."""
    digits = re.sub("[^0-9]", "", text)
    if not any(names_in(text, whole=True)) and (not _NUMBER.fullmatch(text) or len(digits) > 15):
        raise wrong(f'{quote(text)} is not a telephone number: expected for example "+498912345678" or $number')
    if not any(names_in(text, whole=True)) and len(digits) < SHORTEST_NUMBER:
        raise wrong(
            f'{quote(text)} is too short to be called: expected a whole number such as "+498912345678"; '
            "emergency and short numbers are never called by a transfer"
        )
    return text


def _extension(text: str) -> str:
    if not any(names_in(text, whole=True)) and not _EXTENSION.fullmatch(text):
        raise wrong(f'{quote(text)} is not an extension: expected 2 to 8 digits, such as "2001", or $extension')
    return text


def _ring(seconds: float) -> float:
    if not 5 <= seconds <= 120:
        raise wrong(f"{seconds:g}s of ringing: expected 5s to 2m")
    return seconds


def _one(to: Any) -> Any:
    given = [kind for kind in ("number", "extension", "agent") if getattr(to, kind) is not None]
    if len(given) != 1:
        raise wrong(f"expected exactly one of number, extension or agent, got {' and '.join(given) or 'none'}")
    return to


class Destination(Part):
    """Who gets the caller: exactly one of these; values may stand in them."""

    number: Annotated[Text, AfterValidator(_number)] | None = None
    extension: Annotated[Text, AfterValidator(_extension)] | None = None
    agent: Text | None = None

    @property
    def chosen(self) -> tuple[str, str]:
        """Which of them, and what stands there."""
        return next((kind, value) for kind, value in self if value is not None)


class TransferStep(BaseStep):
    """Give the caller to a number, an extension or a person, outside the queues."""

    word = "transfer"
    example = 'transfer: { number: "+498912345678" }'
    serves = True
    transfer: Annotated[Destination, AfterValidator(_one)]
    ring_s: Annotated[Seconds, AfterValidator(_ring)] = Field(30.0, alias="ring")
    trunk: Name | None = None
    caller_id: Annotated[Text, AfterValidator(_number)] | None = None
    then: Target | None = None
    busy: Target | None = None
    no_answer: Target | None = None
    failed: Target | None = None
    refused: Target | None = None
    otherwise: Target = CONTINUE

    def exits(self) -> Mapping[Way, Target]:
        named = {way: getattr(self, way) for way in ("then", *FAILED_EXITS)}
        given: dict[Way, Target] = {(way,): to for way, to in named.items() if to is not None}
        return (
            given if all(named[way] is not None for way in FAILED_EXITS) else {**given, ("otherwise",): self.otherwise}
        )

    def take(self, call: Progress) -> Steps:
        kind, to = self.transfer.chosen
        caller_id = call.fill(self.caller_id or "")
        ended = yield Transfer(kind, call.fill(to), self.ring_s, self.trunk or "", caller_id)
        assert isinstance(ended, TransferEnded)
        exits = self.exits()
        if ended.outcome != "answered":
            return next(way for way in ((ended.outcome,), ("otherwise",)) if way in exits)
        return ("then",) if ("then",) in exits else End(Ending.DESIGNED)

    def values(self) -> Iterator[tuple[Place, str]]:
        kind, to = self.transfer.chosen
        yield ("transfer", kind), to
        if self.caller_id is not None:
            yield ("caller_id",), self.caller_id

    def named(self) -> Iterator[Named]:
        if self.trunk is not None:
            yield Named(Thing.TRUNK, self.trunk, ("trunk",))
        elif self.transfer.number is not None:
            yield Named(Thing.TRUNK, "", ("transfer", "number"))
