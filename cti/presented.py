"""Who calls and whom, as the network presents it in the header of an AGI session."""

from __future__ import annotations

from collections.abc import Mapping

LONGEST_NAME = 80


def name_of(env: Mapping[str, str]) -> str:
    """The caller's name as the network gave it, without control characters; empty when there is none or withheld."""
    number, _ = variables_of(env)
    name = " ".join("".join(c if c.isprintable() else " " for c in env.get("agi_calleridname", "")).split())
    return "" if not number or name in {"unknown", "Anonymous", number} else name[:LONGEST_NAME]


def variables_of(env: Mapping[str, str]) -> tuple[str, str]:
    """(caller number or empty when withheld, dialled number) of an AGI header.

    Presentation 32 to 63 is "prohibited" (agi_callingpres, Q.951).
    """
    number = env.get("agi_callerid", "")
    shown = env.get("agi_callingpres", "")
    presentation = int(shown) if shown.isascii() and shown.isdigit() else 0
    if number in {"unknown", "anonymous", ""} or 32 <= presentation <= 67:
        number = ""
    return number, env.get("agi_dnid") or env.get("agi_extension", "")
