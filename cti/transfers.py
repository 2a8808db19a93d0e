"""Whom a flow may give a caller to: the way to a number, an extension or a person, or why there is none.

What the flow says may be a stranger's words (typed, or fetched from elsewhere). So nothing of it reaches a dial string
but what is left when it is held against the guard of outgoing calls (`cti.outbound`) or the phones that there are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cti.outbound import Outbound, Refused, is_dialable
from ivr.steps import Transfer

_SHOWN = re.compile(r"\+?[0-9]{3,15}", re.ASCII)
_EXTENSION = re.compile(r"[0-9]{1,20}", re.ASCII)
#: How a Dial says it ended (DIALSTATUS) → the flow's way out; anything else is `failed`.
_ENDS: Mapping[str, str] = {"ANSWER": "answered", "BUSY": "busy", "NOANSWER": "no_answer"}
#: Hang-up causes by which a phone says that its user is busy or declined (Q.850).
_BUSY_CAUSES = ("17", "21")


@dataclass(frozen=True, slots=True)
class TrunkLine:
    """A line to the telephone network: the number that it shows, and how many calls it takes (0: any)."""

    name: str
    caller_id: str = ""
    most: int = 0


@dataclass(frozen=True, slots=True)
class Way:
    """How the far end is reached. `to`: who it is, for the record. `trunk` is empty for a phone of ours."""

    dial: str
    to: str
    trunk: str = ""
    caller_id: str = ""
    most: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """All ways that there are: the guard, the site's trunks (the first where a flow names none), people's phones."""

    outbound: Outbound = field(default_factory=Outbound)
    trunks: tuple[TrunkLine, ...] = ()
    #: Person → extension.
    extensions: Mapping[str, str] = field(default_factory=dict)

    def way(self, step: Transfer, dialled: str = "") -> Way | Refused:
        """The way, or why nobody is called. `dialled`: shown to who is called where nothing else is."""
        match step.kind:
            case "number":
                return self._by_trunk(step, dialled)
            case "agent":
                return self._to_phone(self.extensions.get(step.to, ""))
            case _:
                return self._to_phone(step.to if step.to in self.extensions.values() else "")

    def _to_phone(self, extension: str) -> Way | Refused:
        if not _EXTENSION.fullmatch(extension):
            return Refused("unknown")
        return Way(f"PJSIP/{extension}", extension)

    def _by_trunk(self, step: Transfer, dialled: str) -> Way | Refused:
        number = self.outbound.check(step.to)
        if isinstance(number, Refused):
            return number
        line = next((line for line in self.trunks if step.trunk in ("", line.name)), None)
        if line is None or not is_dialable(number):
            return Refused("no_line")
        shown = next((each for each in map(_plain, (step.caller_id, line.caller_id, dialled)) if each), "")
        return Way(f"PJSIP/{number}@trunk-{line.name}", number, line.name, shown, line.most)


def outcome_of(told: str) -> str:
    """The flow's way out for what the dialplan noted of a transfer: `DIALSTATUS|HANGUPCAUSE|seconds talked|to whom`."""
    status, _, rest = told.partition("|")
    if status != "ANSWER" and rest.partition("|")[0] in _BUSY_CAUSES:
        return "busy"
    return _ENDS.get(status, "failed")


def _plain(number: str) -> str:
    """A number to show; empty for anything that is none."""
    bare = re.sub(r"[ ()./-]", "", number)
    return bare if _SHOWN.fullmatch(bare) else ""
