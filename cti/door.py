"""Who is let in before a flow begins: blocked callers, withheld numbers, callers who call too often.

Nobody here is asked anything and nothing is waited for. How often somebody called is counted in memory, by the
server's clock: a restart forgets it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

from ivr.callers import Rate, Turned, patterns_of, turned
from ivr.site import Site
from ivr.steps import Cause

#: Numbers whose calls are counted; whoever called longest ago is forgotten first.
MOST_COUNTED = 10_000


class Blocklist(Protocol):
    """Who is blocked by order, beside the files."""

    def reason(self, patterns: Collection[str]) -> str | None:
        """Why one of these is blocked now; None: none of them is."""


class NobodyBlocked:
    """Nothing is ordered."""

    def reason(self, patterns: Collection[str]) -> str | None:
        return None


class Calls:
    """When each number called last."""

    def __init__(self, most: int = MOST_COUNTED) -> None:
        self._most = most
        self._calls: OrderedDict[str, deque[datetime]] = OrderedDict()

    def are_too_many(self, number: str, rate: Rate, now: datetime) -> bool:
        """Count a call, and say whether it is one more than the rate allows. Refused ones count too: who goes on
        calling stays outside."""
        calls = self._calls.setdefault(number, deque())
        self._calls.move_to_end(number)
        while len(self._calls) > self._most:
            self._calls.popitem(last=False)
        while calls and ((now - calls[0]).total_seconds() >= rate.within_s or len(calls) > rate.calls):
            calls.popleft()
        calls.append(now)
        return len(calls) > rate.calls


class Door:
    """Judges each new call once. `utc`: the engine's time."""

    def __init__(self, site: Callable[[], Site], blocklist: Blocklist, utc: Callable[[], datetime]) -> None:
        self._site = site
        self._blocklist = blocklist
        self._utc = utc
        self._calls = Calls()
        #: Callers who were not let in, by why.
        self.counts: Counter[str] = Counter()

    def judge(self, forms: Collection[str]) -> Turned | None:
        """Why a caller is not let in; None: they are. `forms`: ways to write their number, the surest last; none when
        it is withheld."""
        found = self._judge([form for form in forms if form])
        if found is not None:
            self.counts[found.word] += 1
        return found

    def _judge(self, forms: list[str]) -> Turned | None:
        site, now = self._site(), self._utc()
        if forms:
            ordered = self._blocklist.reason(tuple(patterns_of(forms)))
            if ordered is not None:
                return Turned("blocked", f"blocked: {ordered}" if ordered else "blocked", Cause.BLOCKED)
        found = site.callers.turned_away(forms, now, site.settings.time_zone)
        rate = site.callers.rate
        if found is None and forms and rate is not None and self._calls.are_too_many(forms[-1], rate, now):
            why = f"called more than {rate.calls} times in {rate.within_s} s"
            found = turned("too_often", why, site.callers.too_often)
        return found
