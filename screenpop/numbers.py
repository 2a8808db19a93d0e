"""Who a caller's number says they are: a phone number, an extension of ours, or nobody.

Phone numbers are kept as E.164 (`+4930…`) and nowhere in another form.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from screenpop.errors import InvalidRequestError

#: What networks and equipment put where a number is withheld.
_WITHHELD = {"", "anonymous", "restricted", "private", "unknown", "unavailable", "withheld", "blocked", "s"}
#: Shorter ones without a plus are extensions: no country has subscriber numbers that short in international form.
_SHORTEST_NUMBER = 7
_LONGEST_TEXT = 64
#: Digits and what people put between them; `;ext=…` and the like may follow.
_NUMBER_SHAPE = re.compile(r"\+?[0-9 ()./\u2010-\u2015-]+(;.*)?")

CallerKind = Literal["number", "internal", "withheld", "unreadable"]


@dataclass(frozen=True, slots=True)
class Caller:
    """`number`: E.164 when `kind` is `number`, else empty. `text`: as a person would write it."""

    kind: CallerKind
    number: str
    text: str


class NumberPlan:
    """Numbers as this site sees them: its country (ISO 3166, two letters) and, if known, its own extensions."""

    def __init__(self, country: str, extensions: Collection[str] = ()) -> None:
        if country not in phonenumbers.SUPPORTED_REGIONS:
            raise InvalidRequestError(f"country: expected two letters like DE, got {country!r}")
        self.country = country
        self._extensions = frozenset(extensions)

    def caller(self, raw: str) -> Caller:
        """Read the number that Asterisk gave; never raises."""
        text = raw.strip()[:_LONGEST_TEXT]
        if text.lower() in _WITHHELD:
            return Caller("withheld", "", "")
        if self._is_extension(text):
            return Caller("internal", "", text)
        number = self._e164(text)
        if number is None:
            return Caller("unreadable", "", text)
        return Caller("number", number, written(number))

    def e164(self, raw: str) -> str:
        """A phone number that a person wrote, as E.164.

        Raises InvalidRequestError when it cannot be one, or is one of our extensions.
        """
        text = raw.strip()
        number = None if len(text) > _LONGEST_TEXT or self._is_extension(text) else self._e164(text)
        if number is None:
            raise InvalidRequestError(f"expected a phone number of {self.country} or with +, got {raw[:80]!r}")
        return number

    def _is_extension(self, text: str) -> bool:
        if text in self._extensions:
            return True
        return not text.startswith("+") and len(re.sub(r"\D", "", text)) < _SHORTEST_NUMBER

    def _e164(self, text: str) -> str | None:
        if not _NUMBER_SHAPE.fullmatch(text):
            return None
        national = _parsed(text, self.country)
        if national is not None and phonenumbers.is_valid_number(national):
            return _format(national, PhoneNumberFormat.E164)
        # Some trunks send international numbers without the plus.
        if text.isascii() and text.isdigit():
            international = _parsed("+" + text, self.country)
            if international is not None and phonenumbers.is_valid_number(international):
                return _format(international, PhoneNumberFormat.E164)
        # New and special ranges are possible before the library knows them as valid.
        if national is not None and phonenumbers.is_possible_number(national):
            return _format(national, PhoneNumberFormat.E164)
        return None


def written(number: str) -> str:
    """An E.164 number with the spaces that people put in: `+49 30 901820`."""
    parsed = _parsed(number, None)
    return number if parsed is None else _format(parsed, PhoneNumberFormat.INTERNATIONAL)


def _parsed(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except NumberParseException:
        return None


def _format(number: phonenumbers.PhoneNumber, how: int) -> str:
    # An extension behind the number (`;ext=12`) is not part of who calls.
    number.extension = None
    return phonenumbers.format_number(number, how)
