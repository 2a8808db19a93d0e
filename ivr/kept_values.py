"""What a step keeps of another program's answer: where in it a value stands, and of which kind it has to be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Discriminator, Tag

from ivr.errors import quote
from ivr.values import Part, shape, wrong

Kind = Literal["text", "number", "integer", "digits", "yes_no", "date"]
#: Kind → what is expected, in words.
KINDS: Mapping[Kind, str] = {
    "text": "a text",
    "number": "a number such as 12.50",
    "integer": "a whole number such as 12",
    "digits": "digits such as 004711",
    "yes_no": "true or false",
    "date": "a date such as 2026-11-27",
}
_WHERE = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,9}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?")
_SHAPES: Mapping[Kind, re.Pattern[str]] = {
    "integer": re.compile(r"-?[0-9]{1,15}"),
    "digits": re.compile(r"[0-9]{1,64}"),
}
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(T[0-9]{2}:[0-9]{2}.{0,20})?")
_YES_NO = {"true": "true", "false": "false", "yes": "true", "no": "false"}


def _where(text: str) -> str:
    if not _WHERE.fullmatch(text):
        raise wrong(f"{quote(text)} is not a place in an answer: expected for example account.balance or items.0.name")
    return text


class Kept(Part):
    """A value of an answer: `at` which place, and its `type`."""

    at: Annotated[str, AfterValidator(_where)]
    type: Kind = "text"


if TYPE_CHECKING:
    KeptValue = Kept
else:
    #: A place alone is that of a text.
    KeptValue = Annotated[
        Annotated[str, AfterValidator(_where), AfterValidator(lambda at: Kept(at=at)), Tag("kind:one")]
        | Annotated[Kept, Tag("kind:many")],
        Discriminator(shape),
    ]


def as_kind(text: str, kind: Kind) -> str | None:
    """The value as flows use it; None when it is not of this kind. Nothing at all is of every kind."""
    if not text or kind == "text":
        return text
    match kind:
        case "number":
            return _plain(text) if _NUMBER.fullmatch(text) else None
        case "yes_no":
            return _YES_NO.get(text.lower())
        case "date":
            return text if _is_date(text) else None
    return text if _SHAPES[kind].fullmatch(text) else None


def _plain(number: str) -> str:
    """Without an exponent, otherwise as it is written: 12.50 stays 12.50."""
    return format(Decimal(number), "f") if "e" in number.lower() else number


def _is_date(text: str) -> bool:
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    try:
        date.fromisoformat(match[1])
    except ValueError:
        return False
    return True
