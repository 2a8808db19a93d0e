"""What came out of a rehearsed day: one record per call, and the figures a supervisor would ask for.

Every figure is computed from the records, in seconds or as a share. Its formula stands in its docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rehearsal.chance import SECOND
from rehearsal.service_levels import Definition, Tally, negative_abandon


@dataclass(slots=True)
class Call:
    """One caller's day. Instants in µs, None where it never came to that.

    `left_at`: gave up waiting. `freed_at`: the agent was free again (the end of the wrap-up, where there is one).
    `reserved_at`: the accepted offer was made. `sent_away`: still waited when the rehearsal ended.
    """

    id: str
    callers: str
    queue: str
    handling_us: int
    patience_us: int | None
    asked_at: int
    answered_at: int | None = None
    left_at: int | None = None
    reserved_at: int | None = None
    talked_until: int | None = None
    freed_at: int | None = None
    agent_id: str = ""
    overflowed: bool = False
    sent_away: bool = False

    @property
    def waited_us(self) -> int:
        """From asking to the answer, or to giving up."""
        until = self.answered_at if self.answered_at is not None else self.left_at
        return (until if until is not None else self.asked_at) - self.asked_at


@dataclass(frozen=True, slots=True)
class Day:
    """A rehearsed day. Calls are in the order of arrival; figures count those who asked from `counted_from` on
    and before `counted_until`; occupancy and line are means over the same span."""

    calls: tuple[Call, ...]
    counted_from: int
    counted_until: int
    staffed_us: int
    events: int

    def counted(self, callers: str | None = None) -> list[Call]:
        """The calls that count, of one stream or of all."""
        return [
            call
            for call in self.calls
            if call.asked_at >= self.counted_from and (callers is None or call.callers == callers)
        ]

    def offered(self, callers: str | None = None) -> int:
        return len(self.counted(callers))

    def answered(self, callers: str | None = None) -> int:
        return sum(call.answered_at is not None for call in self.counted(callers))

    def abandoned(self, callers: str | None = None) -> int:
        return sum(call.answered_at is None for call in self.counted(callers))

    def mean_wait_s(self, callers: str | None = None) -> float:
        """Σ wait / offered, with those who gave up."""
        return _mean(call.waited_us for call in self.counted(callers)) / SECOND

    def waited(self, callers: str | None = None) -> float:
        """Share of the offered who were not answered at once."""
        return _share(self.counted(callers), lambda call: call.answered_at is None or call.waited_us > 0)

    def abandoned_share(self, callers: str | None = None) -> float:
        """Abandoned / offered."""
        return _share(self.counted(callers), lambda call: call.answered_at is None)

    def tally(self, within_s: float, callers: str | None = None) -> Tally:
        """How many were answered and gave up, in all and within this time of asking."""
        limit = round(within_s * SECOND)
        calls = self.counted(callers)
        in_time = [call for call in calls if call.waited_us <= limit]
        answered, answered_in_time = (
            sum(call.answered_at is not None for call in each) for each in (calls, in_time)
        )  # fmt: skip
        return Tally(answered, answered_in_time, len(calls) - answered, len(in_time) - answered_in_time)

    def service_level(
        self, within_s: float, callers: str | None = None, definition: Definition = negative_abandon
    ) -> float:
        """The share answered within this time, by one of the four definitions of `rehearsal.service_levels`; by
        default answered within / offered (abandons count against)."""
        return definition(self.tally(within_s, callers))

    def mean_line(self, callers: str | None = None) -> float:
        """How many wait, on average over time: the integral of the line's length / the span."""
        chosen = (call for call in self.calls if callers is None or call.callers == callers)
        waiting = sum(self._within(call.asked_at, call.asked_at + call.waited_us) for call in chosen)
        return waiting / (self.counted_until - self.counted_from)

    def occupancy(self) -> float:
        """Agents' time reserved, talking or wrapping up / time signed in."""
        busy = sum(
            self._within(call.reserved_at, call.freed_at)
            for call in self.calls
            if call.reserved_at is not None and call.freed_at is not None
        )
        return busy / self.staffed_us if self.staffed_us else 0.0

    def _within(self, start: int, end: int) -> int:
        return max(0, min(end, self.counted_until) - max(start, self.counted_from))


def _mean(values: Iterable[int]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def _share(calls: list[Call], holds: Callable[[Call], bool]) -> float:
    return sum(1 for call in calls if holds(call)) / len(calls) if calls else 0.0
