"""`callers.yaml`: who is not let in, before any flow begins."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from ivr.errors import quote
from ivr.steps import Cause
from ivr.values import Name, Part, Text, shape, wrong

MOST_BLOCKED = 10_000
_PATTERN = re.compile(r"\+[1-9][0-9]{6,14}|\+[1-9][0-9]{0,14}\*", re.ASCII)
_RATE = re.compile(r"([0-9]{1,4}) in ([0-9]{1,4})(s|m|h)", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600}


def _pattern(text: str) -> str:
    if not _PATTERN.fullmatch(text):
        raise wrong(f'{quote(text)} is not a caller: expected a whole number such as "+4930123456", or "+4930*"')
    return text


def _some(blocked: Mapping[str, Any]) -> Mapping[str, Any]:
    if len(blocked) > MOST_BLOCKED:
        raise wrong(f"{len(blocked)} numbers: expected at most {MOST_BLOCKED}")
    return blocked


def _day(text: Any) -> date:
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except (ValueError, TypeError):
        raise wrong(f"{quote(text)} is not a date: expected for example 2027-12-24") from None


class Rate(NamedTuple):
    """At most so many calls of one number within so many seconds."""

    calls: int
    within_s: int


def _rate(text: Any) -> Rate:
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise wrong(f"{quote(text)} is not a rate: expected for example 5 in 10m")
    rate = Rate(int(match[1]), int(match[2]) * _UNITS[match[3]])
    if not 1 <= rate.calls <= 1000 or not 1 <= rate.within_s <= 24 * 3600:
        raise wrong(f"{quote(text)} cannot be counted: expected 1 to 1000 calls in 1s to 24h")
    return rate


class Instead(Part):
    """What becomes of a call that is not let in: refused unanswered, or led to a flow of its own."""

    refuse: Literal["busy", "closed", "blocked"] | None = None
    flow: Name | None = None

    @model_validator(mode="after")
    def _one(self) -> Instead:
        if (self.refuse is None) == (self.flow is None):
            raise wrong("expected either refuse, such as { refuse: busy }, or flow")
        return self


class Blocked(Part):
    """A caller who is refused, through the last day `until`."""

    reason: Text
    until: Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})] | None = None


WrittenBlocked = Annotated[
    Annotated[Text, Tag("kind:one")] | Annotated[Blocked, Tag("kind:many")], Discriminator(shape)
]


WrittenRate = Annotated[Rate, BeforeValidator(_rate), WithJsonSchema({"type": "string", "pattern": _RATE.pattern})]


class Turned(NamedTuple):
    """Why a caller is not let in, and what becomes of the call: `cause` when it is refused, else `flow`."""

    word: str
    why: str
    cause: Cause | None = None
    flow: str = ""


class Callers(Part):
    """`callers.yaml`. Without it everybody is let in."""

    blocked: Annotated[Mapping[Annotated[str, AfterValidator(_pattern)], WrittenBlocked], AfterValidator(_some)] = (
        Field(default_factory=dict)
    )
    withheld: Instead | None = None
    rate: WrittenRate | None = None
    too_often: Instead = Instead(refuse="busy")

    def flows(self) -> Iterator[tuple[str, str]]:
        """The flows that it names, each with the key above."""
        for key in ("withheld", "too_often"):
            instead: Instead | None = getattr(self, key)
            if instead is not None and instead.flow is not None:
                yield key, instead.flow

    def turned_away(self, forms: Collection[str], now: datetime, time_zone: str) -> Turned | None:
        """Why this caller is not let in now; `forms`: ways to write their number, none when it is withheld."""
        if not forms:
            return None if self.withheld is None else turned("withheld", "number withheld", self.withheld)
        today = now.astimezone(ZoneInfo(time_zone)).date()
        for pattern in patterns_of(forms):
            written = self.blocked.get(pattern)
            if isinstance(written, str):
                return Turned("blocked", f"blocked: {written}", Cause.BLOCKED)
            if written is not None and (written.until is None or today <= written.until):
                return Turned("blocked", f"blocked: {written.reason}", Cause.BLOCKED)
        return None


def turned(word: str, why: str, instead: Instead) -> Turned:
    """A call for which the site says what becomes of it."""
    return Turned(word, why, None if instead.refuse is None else Cause(instead.refuse), instead.flow or "")


def patterns_of(forms: Collection[str]) -> Iterator[str]:
    """All that may block a number: itself, then its beginnings, the longest first."""
    numbers = ["+" + re.sub("[^0-9]", "", form) for form in forms]
    yield from numbers
    for number in numbers:
        for length in range(len(number), 1, -1):
            yield number[:length] + "*"
