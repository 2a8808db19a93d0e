"""Whom we may call: the guard before every number that leaves us.

A number that a caller types is a stranger's wish for us to pay for a call. So only ordinary lines and mobiles of the
site's own country, or of those that it names, are called: no premium or shared-cost numbers, nothing abroad, unless the
site allows what begins so. Short and emergency numbers are never called, however they are written and whatever is
allowed. What passes is E.164; only digits and the plus ever reach a dial string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType, shortnumberinfo

from cti.provisioning_values import EMERGENCY_NUMBERS
from ivr.site import Site

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


#: The shortest emergency number that a longer number is searched for; shorter ones begin ordinary numbers.
_SHORTEST_EMERGENCY, _LONGEST_EMERGENCY = 3, 6
#: Where other numbers begin with the digits of emergency numbers (as phonenumbers knows): Brazil's area code 11 …
_EXACT = frozenset({"BR", "CL", "NI"})


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody is called. `reason`, one word: invalid, short, abroad, costly, barred (the number); no_callback (the queue
    calls nobody back), not_waiting (the interaction is over or talks)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Outbound:
    """The site's `country`, two letters; none: nobody may be called.

    `countries`: whose ordinary numbers are called; none: the site's own. `allow`: beginnings (E.164) of numbers that
    are called although they are abroad or cost more; `deny`: of those that never are, which counts more.
    """

    country: str = ""
    countries: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

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
        written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        if written.startswith(self.deny):
            return Refused("barred")
        if not written.startswith(self.allow):
            if phonenumbers.region_code_for_number(number) not in (self.countries or (self.country,)):
                return Refused("abroad")
            if phonenumbers.number_type(number) not in _ORDINARY:
                return Refused("costly")
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
        return (
            shortnumberinfo.is_emergency_number(text, self.country)
            or shortnumberinfo.is_valid_short_number(number)
            or _begins_as_emergency(re.sub("[^0-9+]", "", text), self.country)
            or _is_local_emergency(number)
        )


def _begins_as_emergency(digits: str, region: str) -> bool:
    """Whether an exchange may take the first digits for an emergency number before it has heard the rest."""
    ends = range(_SHORTEST_EMERGENCY, min(len(digits), _LONGEST_EMERGENCY) + 1)
    if region in _EXACT:
        ends = range(len(digits), len(digits) + 1)
    ours = EMERGENCY_NUMBERS.get(region, ())
    return any(digits[:end] in ours or shortnumberinfo.is_emergency_number(digits[:end], region) for end in ends)


def _is_local_emergency(number: phonenumbers.PhoneNumber) -> bool:
    """The same of what stands behind the area code: exchanges connect it, so no subscriber's number begins so."""
    behind = phonenumbers.length_of_geographical_area_code(number)
    local = phonenumbers.national_significant_number(number)[behind:]
    regions = phonenumbers.region_codes_for_country_code(number.country_code or 0) if behind else ()
    return any(_begins_as_emergency(local, region) for region in regions)


def outbound_of(site: Site) -> Outbound:
    """Whom this site may call."""
    rules = site.settings.outgoing_calls
    return Outbound(site.settings.country, rules.countries, rules.allow, rules.deny)


def is_dialable(number: str) -> bool:
    """Whether this is E.164 and nothing else: what may stand in a dial string."""
    return _E164.fullmatch(number) is not None
