"""`reasons.yaml`: why agents are not ready, and what came of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag

from ivr.errors import quote
from ivr.values import Name, Part, Text, shape, wrong

#: Reasons for not being ready that the system sets itself.
SYSTEM_REASONS = ("no_answer", "rejected", "phone_failed", "desktop_lost")


class Reason(Part):
    """A code that agents choose, and its words. `open`: what came of the call is not done with."""

    code: Name
    title: Text
    open: bool = False


class Reasons(Part):
    """`reasons.yaml`: why an agent is not ready, and what came of a call."""

    not_ready: tuple[Reason, ...] = ()
    dispositions: tuple[Reason, ...] = ()

    @property
    def open(self) -> frozenset[str]:
        """Dispositions with which a case stays open."""
        return frozenset(each.code for each in self.dispositions if each.open)


def _own_reason(code: str) -> str:
    if code in SYSTEM_REASONS:
        raise wrong(f"{quote(code)} is set by the system: expected another code")
    return code


OwnReason = Annotated[Name, AfterValidator(_own_reason)]


class Disposition(Part):
    """What came of a call, with more than its words."""

    title: Text
    open: bool = False


#: The words alone, or with more.
WrittenDisposition = Annotated[
    Annotated[Text, Tag("kind:one")] | Annotated[Disposition, Tag("kind:many")], Discriminator(shape)
]


class ReasonsFile(Part):
    """`reasons.yaml` as it is written: code → title, or for a disposition also title and more."""

    not_ready: Mapping[OwnReason, Text] = Field(default_factory=dict)
    dispositions: Mapping[Name, WrittenDisposition] = Field(default_factory=dict)

    def reasons(self) -> Reasons:
        """The codes in the order of the file."""
        return Reasons(
            not_ready=tuple(Reason(code=code, title=title) for code, title in self.not_ready.items()),
            dispositions=tuple(_disposition(code, written) for code, written in self.dispositions.items()),
        )


def _disposition(code: str, written: str | Disposition) -> Reason:
    if isinstance(written, str):
        return Reason(code=code, title=written)
    return Reason(code=code, title=written.title, open=written.open)
