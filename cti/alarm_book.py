"""Which alarms stand, and what is worth telling of them: pure, by instants that it is told.

A condition becomes an alarm once it has held for its `for_s`, and is over when it has not held for as long. While it
stands it is told again every `repeat_s`. One that is over and comes back sooner than that stands again without being
told: so a condition that flutters tells people once in `repeat_s`, not at every turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SECOND = 1_000_000


class Told(StrEnum):
    """What is said of an alarm."""

    RAISED = "raised"
    LASTS = "lasts"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Condition:
    """What a rule looks at, at one subject (a queue, a node, or nothing). `says`: in words, with figures."""

    rule: str
    subject: str
    holds: bool
    says: str
    for_s: float
    repeat_s: float

    @property
    def key(self) -> str:
        return f"{self.rule}:{self.subject}" if self.subject else self.rule


@dataclass(frozen=True, slots=True)
class Notice:
    """To be told: what, of which alarm, since when it holds."""

    told: Told
    key: str
    says: str
    since: int


@dataclass(slots=True)
class Alarm:
    """What is remembered of a condition. 0 stands for never. `turned_at`: since when it holds, or does not."""

    says: str = ""
    holds: bool = False
    turned_at: int = 0
    raised_at: int = 0
    told_at: int = 0
    is_told: bool = False


@dataclass(slots=True)
class AlarmBook:
    """`see` it with all conditions there are, again and again."""

    alarms: dict[str, Alarm] = field(default_factory=dict)

    def see(self, conditions: Iterable[Condition], now: int) -> list[Notice]:
        """What is to be told now. A condition that is no more (its rule has gone) is forgotten; if people were told of
        it they are told that it is over."""
        seen = {condition.key: condition for condition in conditions}
        found = [notice for condition in seen.values() if (notice := self._look(condition, now)) is not None]
        for key in [key for key in self.alarms if key not in seen]:
            alarm = self.alarms.pop(key)
            if alarm.raised_at and alarm.is_told:
                found.append(Notice(Told.OVER, key, "no longer watched", alarm.raised_at))
        return found

    def standing(self) -> list[tuple[str, Alarm]]:
        """Alarms that stand, the oldest first."""
        return sorted(
            ((key, each) for key, each in self.alarms.items() if each.raised_at), key=lambda it: it[1].raised_at
        )

    def _look(self, condition: Condition, now: int) -> Notice | None:
        alarm = self.alarms.setdefault(condition.key, Alarm(turned_at=now))
        if alarm.holds is not condition.holds:
            alarm.holds, alarm.turned_at = condition.holds, now
        if condition.holds:
            alarm.says = condition.says
        for_us, repeat_us = round(condition.for_s * SECOND), round(condition.repeat_s * SECOND)
        is_long = now - alarm.turned_at >= for_us
        if condition.holds and is_long:
            return self._stand(condition, alarm, now, repeat_us)
        if not condition.holds and is_long and alarm.raised_at:
            return self._end(condition, alarm)
        return None

    def _stand(self, condition: Condition, alarm: Alarm, now: int, repeat_us: int) -> Notice | None:
        is_new = not alarm.raised_at
        if is_new:
            alarm.raised_at, alarm.is_told = alarm.turned_at, False
        if alarm.told_at and now - alarm.told_at < repeat_us:
            return None  # told a while ago: it lasts, or flutters
        alarm.told_at = now
        told, alarm.is_told = (Told.LASTS if alarm.is_told else Told.RAISED), True
        return Notice(told, condition.key, condition.says, alarm.raised_at)

    def _end(self, condition: Condition, alarm: Alarm) -> Notice | None:
        since, alarm.raised_at = alarm.raised_at, 0
        was_told, alarm.is_told = alarm.is_told, False
        return Notice(Told.OVER, condition.key, condition.says, since) if was_told else None

    # --- kept over a restart --------------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """What must not be told again after a restart."""
        return {
            key: {"raised_at": each.raised_at, "told_at": each.told_at, "is_told": each.is_told, "says": each.says}
            for key, each in self.alarms.items()
            if each.told_at
        }

    @classmethod
    def restored(cls, kept: object, now: int) -> AlarmBook:
        """From `dump`; what cannot be read is left out: then it is told once more."""
        book = cls()
        for key, each in kept.items() if isinstance(kept, dict) else ():
            if not isinstance(each, dict):
                continue
            raised, told, said = each.get("raised_at"), each.get("told_at"), each.get("says")
            if isinstance(raised, int) and isinstance(told, int) and isinstance(said, str):
                holds = bool(raised)
                book.alarms[str(key)] = Alarm(said, holds, raised or now, raised, told, bool(each.get("is_told")))
        return book
