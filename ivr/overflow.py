"""What a queue's `overflow` may say, and what the overflows of all queues mean together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ivr.errors import quote
from ivr.values import Name, Part, Seconds, wrong

#: Where an overflow leads that names no queue.
FLOW = "flow"

_CONDITIONS = ("after", "longer_than", "expected_over", "signed_in_below", "ready_below")
_WHEN = {
    "after": ("waiting",),
    "longer_than": ("joining",),
    "expected_over": ("joining", "waiting"),
    "signed_in_below": ("joining", "waiting"),
    "ready_below": ("joining",),
}


def _some(seconds: float) -> float:
    if seconds <= 0:
        raise wrong("expected some time, such as 60s")
    return seconds


def _count(count: int) -> int:
    if not 1 <= count <= 10_000:
        raise wrong(f"{count}: expected 1 to 10000")
    return count


def _moments(when: tuple[str, ...]) -> tuple[str, ...]:
    if not when or len(set(when)) != len(when):
        raise wrong("expected joining or waiting or both, each once")
    return when


Count = Annotated[int, AfterValidator(_count)]
SomeTime = Annotated[Seconds, AfterValidator(_some)]


class OverflowRule(Part):
    """When a queue gives somebody away, and where to: another queue, or `flow`. Exactly one condition."""

    after_s: SomeTime | None = Field(None, alias="after")
    longer_than: Count | None = None
    expected_over_s: SomeTime | None = Field(None, alias="expected_over")
    signed_in_below: Count | None = None
    ready_below: Count | None = None
    to: Name = FLOW
    when: Annotated[tuple[Literal["joining", "waiting"], ...], AfterValidator(_moments)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_condition(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        given = [each for each in _CONDITIONS if each in value]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise wrong(f"expected exactly one of {', '.join(_CONDITIONS[:-1])} or {_CONDITIONS[-1]}, got {found}")
        return value

    @model_validator(mode="after")
    def _when_it_can_hold(self) -> OverflowRule:
        possible = _WHEN[self.condition]
        for moment in self.when or ():
            if moment not in possible:
                only = {"joining": "on joining", "waiting": "while waiting"}[possible[0]]
                raise wrong(f"{self.condition} is looked at {only} only: leave out {quote(moment)}")
        return self

    @property
    def condition(self) -> str:
        """The word of its condition."""
        given = {
            "after": self.after_s,
            "longer_than": self.longer_than,
            "expected_over": self.expected_over_s,
            "signed_in_below": self.signed_in_below,
            "ready_below": self.ready_below,
        }
        return next(name for name, value in given.items() if value is not None)

    @property
    def moments(self) -> tuple[str, ...]:
        """When it is looked at: as written, else on joining where it can be."""
        return self.when or _WHEN[self.condition][:1]


def circles(overflows: Mapping[str, tuple[OverflowRule, ...]]) -> Iterator[tuple[str, int, list[str]]]:
    """Queues that send those whom they refuse on to each other, and none of them to the flow: the queue where it is
    seen, the place in its list, and the way round. Each circle once."""
    onward = {
        queue: [(at, rule.to) for at, rule in enumerate(rules) if "joining" in rule.moments]
        for queue, rules in overflows.items()
    }
    told: set[frozenset[str]] = set()
    for start in onward:
        for way, at in _ways_back(start, onward):
            members = frozenset(way)
            leads_out = any(to == FLOW for queue in members for _, to in onward[queue])
            if not leads_out and members not in told:
                told.add(members)
                yield way[-1], at, [*way, start]


def _ways_back(start: str, onward: Mapping[str, list[tuple[int, str]]]) -> Iterator[tuple[list[str], int]]:
    """The shortest way from a queue back to itself, with the place of its last rule."""
    ways = [[start]]
    seen = {start}
    for way in ways:  # grows as it is walked: breadth first
        for at, to in onward[way[-1]]:
            if to == start and len(way) > 1:  # a queue that names itself has been told of
                yield way, at
                return
            if to in onward and to not in seen:
                seen.add(to)
                ways.append([*way, to])
