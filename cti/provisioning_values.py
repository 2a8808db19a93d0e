"""What is configured for one Asterisk node, as plain values, and the checks that keep a value a value.

What belongs here: settings, trunks, phones, and the emergency numbers of the countries. What does not:
files and templates (`cti.provisioning`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cti.errors import CtiError

__all__ = [
    "EMERGENCY_NUMBERS",
    "NodeSettings",
    "PhoneKind",
    "PhoneSettings",
    "ProvisioningError",
    "Transport",
    "Trunk",
    "checked",
    "checked_name",
    "emergency_numbers",
]

CODECS = ("ulaw", "alaw", "g722", "opus")

_EU = ("112",)
EMERGENCY_NUMBERS: dict[str, tuple[str, ...]] = {
    "AR": ("911", "100", "101", "107"),
    "AT": ("112", "122", "133", "144"),
    "AU": ("000", "112", "106"),
    "BE": ("112", "100", "101"),
    "BG": _EU,
    "BR": ("190", "192", "193", "112", "911"),
    "CA": ("911",),
    "CH": ("112", "117", "118", "144"),
    "CN": ("110", "119", "120", "122"),
    "CY": ("112", "199"),
    "CZ": ("112", "150", "155", "158"),
    "DE": ("112", "110"),
    "DK": _EU,
    "EE": _EU,
    "ES": ("112", "061", "062", "080", "091"),
    "FI": _EU,
    "FR": ("112", "15", "17", "18", "114"),
    "GB": ("999", "112"),
    "GR": ("112", "100", "166", "199"),
    "HR": ("112", "192", "193", "194"),
    "HU": ("112", "104", "105", "107"),
    "IE": ("112", "999"),
    "IL": ("100", "101", "102", "112"),
    "IN": ("112", "100", "101", "102", "108"),
    "IS": _EU,
    "IT": ("112", "113", "115", "118"),
    "JP": ("110", "118", "119"),
    "KR": ("112", "119"),
    "LT": _EU,
    "LU": ("112", "113"),
    "LV": _EU,
    "MT": _EU,
    "MX": ("911",),
    "NL": _EU,
    "NO": ("112", "110", "113"),
    "NZ": ("111",),
    "PL": ("112", "997", "998", "999"),
    "PT": _EU,
    "RO": _EU,
    "RU": ("112", "101", "102", "103", "104"),
    "SE": _EU,
    "SG": ("995", "999"),
    "SI": ("112", "113"),
    "SK": ("112", "150", "155", "158"),
    "TR": _EU,
    "UA": ("112", "101", "102", "103", "104"),
    "US": ("911",),
    "ZA": ("112", "10111", "10177"),
}
"""Emergency numbers by ISO 3166 country, as the national authorities publish them; 112 is the EU's common one."""


class ProvisioningError(CtiError):
    """A setting that cannot be written into Asterisk's configuration; names the field and what was expected."""

    code = "provisioning_error"


class Transport(StrEnum):
    """How a trunk carries SIP."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class PhoneKind(StrEnum):
    """What a person's phone is: a device or program with plain SIP, or the browser."""

    HARD = "hard"
    WEBRTC = "webrtc"


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """One Asterisk node. Times in seconds.

    `module_dir` and `data_dir` of None mean the places compiled into Asterisk; `sounds_dir` (the site's prompts)
    and `spool_dir` (what the fail-safe leaves) of None mean folders beside the configuration. `fallback` is a dial
    string that the fail-safe tries before anything else.
    """

    node: str
    sip_port: int
    http_port: int
    ami_port: int
    agi_port: int
    rtp_first: int
    rtp_last: int
    country: str
    bind: str = "127.0.0.1"
    agi_host: str = "127.0.0.1"
    external_address: str | None = None
    local_networks: tuple[str, ...] = ()
    max_calls: int = 300
    language: str = "en"
    module_dir: Path | None = None
    data_dir: Path | None = None
    sounds_dir: Path | None = None
    spool_dir: Path | None = None
    extra_modules: tuple[str, ...] = ()
    http_sessions: int = 5000
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_port: int = 5061
    https_port: int = 8089
    deadman_s: int = 45
    deadman_retry_s: int = 10
    silent_s: int = 25
    away_s: int = 45
    away_ungreeted_s: int = 10
    failsafe_s: int = 300
    failsafe_python: Path | None = None
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A line to the outside: known by its address (`match`), or registered with `username` and `secret`.

    `match` holds addresses that calls come from, each with or without `:port`; empty means `host`, with the
    port where the transport keeps it (UDP). `max_calls` 0 means no limit of its own. `caller_id` is the number
    shown on calls that leave by this trunk. `emergency` marks the trunk that emergency calls take first.
    """

    name: str
    host: str
    port: int = 5060
    transport: Transport = Transport.UDP
    match: tuple[str, ...] = ()
    register: bool = False
    username: str = ""
    secret: str = ""
    codecs: tuple[str, ...] = CODECS
    max_calls: int = 0
    caller_id: str = ""
    srtp: bool = False
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class PhoneSettings:
    """A person's phone. `address` is a fixed SIP URI for a phone that does not register."""

    extension: str
    kind: PhoneKind
    secret: str
    address: str = ""
    codecs: tuple[str, ...] = ()
    context: str = "callyard-phones"


def emergency_numbers(country: str) -> tuple[str, ...]:
    """Return the emergency numbers of the ISO 3166 `country`; an unknown one is an error, never a guess."""
    numbers = EMERGENCY_NUMBERS.get(country.upper())
    if numbers is None:
        known = ", ".join(sorted(EMERGENCY_NUMBERS))
        raise ProvisioningError(f"country: no emergency numbers known for {country!r}; known are {known}")
    return numbers


_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f;\[\]]|^\s|\s$|^[>#]")


def checked(field: str, value: object) -> str:
    """Return `value` as text that stays one value on one configuration line, or raise ProvisioningError."""
    text = str(value)
    found = _FORBIDDEN.search(text)
    if found is not None:
        raise ProvisioningError(
            f"{field}: {text!r} holds {found.group()!r}, expected text without line breaks, `;`, `[`, `]`, "
            "outer blanks, and without `>` or `#` at its beginning"
        )
    return text


def checked_name(field: str, value: str) -> str:
    """Return `value` if it can name a section or a dialplan value: letters, digits, `_` and `-` only."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", value) is None:
        raise ProvisioningError(
            f"{field}: {value!r}, expected 1 to 40 letters, digits, `_` or `-`, beginning with a letter or digit"
        )
    return value


def checked_codecs(field: str, codecs: Sequence[str]) -> str:
    """Return the comma-separated list of `codecs`, each of which Callyard loads."""
    unknown = [codec for codec in codecs if codec not in CODECS]
    if unknown or not codecs:
        raise ProvisioningError(f"{field}: {', '.join(unknown) or 'none'}, expected some of {', '.join(CODECS)}")
    return ",".join(codecs)
