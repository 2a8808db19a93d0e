"""`reasons.yaml`: why agents are not ready, and what came of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from ivr.errors import quote
from ivr.values import Name, Part, Text, wrong

#: Reasons for not being ready that the system sets itself.
SYSTEM_REASONS = ("no_answer", "rejected", "phone_failed", "desktop_lost")


class Reason(Part):
    """A code that agents choose, and its words."""

    code: Name
    title: Text


class Reasons(Part):
    """`reasons.yaml`: why an agent is not ready, and what came of a call."""

    not_ready: tuple[Reason, ...] = ()
    dispositions: tuple[Reason, ...] = ()


def _own_reason(code: str) -> str:
    if code in SYSTEM_REASONS:
        raise wrong(f"{quote(code)} is set by the system: expected another code")
    return code


OwnReason = Annotated[Name, AfterValidator(_own_reason)]


class ReasonsFile(Part):
    """`reasons.yaml` as it is written: code → title."""

    not_ready: Mapping[OwnReason, Text] = Field(default_factory=dict)
    dispositions: Mapping[Name, Text] = Field(default_factory=dict)

    def reasons(self) -> Reasons:
        """The codes in the order of the file."""
        return Reasons(
            not_ready=tuple(Reason(code=code, title=title) for code, title in self.not_ready.items()),
            dispositions=tuple(Reason(code=code, title=title) for code, title in self.dispositions.items()),
        )
