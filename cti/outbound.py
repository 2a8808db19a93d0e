"""Whom we may call: the guard before every number that leaves us.

A number that a caller types is a stranger's wish for us to pay for a call. So only ordinary lines and mobiles of the
site's own country are called: no premium or shared-cost numbers, no short or emergency numbers, nothing abroad. What
passes is E.164; only digits and the plus ever reach a dial string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType, shortnumberinfo

_LONGEST = 32
_SHAPE = re.compile(r"\+?[0-9 ()./-]+", re.ASCII)
_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
#: What it costs to call these is known, and who pays.
_ORDINARY = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
    }
)


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody is called. `reason`, one word: invalid, short, abroad, costly (the number); no_callback (the queue calls
    nobody back), not_waiting (the interaction is over or talks)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Outbound:
    """The site's `country`, two letters; none: nobody may be called."""

    country: str = ""

    def check(self, raw: str) -> str | Refused:
        """The number as E.164 if we may call it, else why not. `raw`: as typed or as the network gave it."""
        text = raw.strip()
        if len(text) > _LONGEST or not _SHAPE.fullmatch(text):
            return Refused("invalid")
        try:
            number = phonenumbers.parse(text, self.country or None)
        except NumberParseException:
            return Refused("invalid")
        if self._is_short(text, number):
            return Refused("short")
        if not phonenumbers.is_valid_number(number):
            return Refused("invalid")
        if phonenumbers.region_code_for_number(number) != self.country:
            return Refused("abroad")
        if phonenumbers.number_type(number) not in _ORDINARY:
            return Refused("costly")
        written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        return written if is_dialable(written) else Refused("invalid")

    def written(self, raw: str) -> str:
        """The number of a caller, as the network gave it, in E.164: as `check` writes those that we promise to call.
        Empty when it is none, withheld, or an extension."""
        text = raw.strip()
        if len(text) > _LONGEST or not _SHAPE.fullmatch(text):
            return ""
        # Some trunks send international numbers without the plus.
        for form in (text, "+" + text) if text.isdigit() else (text,):
            try:
                number = phonenumbers.parse(form, self.country or None)
            except NumberParseException:
                continue
            if phonenumbers.is_valid_number(number):
                return phonenumbers.format_number(number, PhoneNumberFormat.E164)
        return ""

    def _is_short(self, text: str, number: phonenumbers.PhoneNumber) -> bool:
        return shortnumberinfo.is_emergency_number(text, self.country) or shortnumberinfo.is_valid_short_number(number)


def is_dialable(number: str) -> bool:
    """Whether this is E.164 and nothing else: what may stand in a dial string."""
    return _E164.fullmatch(number) is not None
