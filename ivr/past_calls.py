"""What a flow knows of the caller's earlier calls: the variables `history.…`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

#: Minutes since the last call where there was none: more than any that a condition asks for.
NEVER_MINUTES = 999_999
#: How a call may have ended; one that goes on has none of them yet.
OUTCOMES = (
    "served",
    "self_served",
    "voicemail",
    "abandoned_in_flow",
    "abandoned_in_queue",
    "abandoned_ringing",
    "callback_failed",
    "called_in",
    "transferred_out",
    "refused",
    "lost",
)
#: What stands in the variables of who has never called, and of who withholds their number.
NO_HISTORY: Mapping[str, str] = {
    "history.calls_today": "0",
    "history.last_queue": "",
    "history.last_outcome": "",
    "history.minutes_since_last": str(NEVER_MINUTES),
    "history.open_case": "false",
}


class PastCall(Protocol):
    """One earlier interaction. `at`: when it came, microseconds UTC; `promised`: they are still to be called back."""

    @property
    def at(self) -> int: ...
    @property
    def queue(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def disposition(self) -> str: ...
    @property
    def promised(self) -> bool: ...


def history_of(past: Sequence[PastCall], open_ones: Collection[str], now: datetime, time_zone: str) -> dict[str, str]:
    """The variables for these calls, the newest first. `open_ones`: dispositions with which a case stays open."""
    if not past:
        return dict(NO_HISTORY)
    zone = ZoneInfo(time_zone)
    came = [datetime.fromtimestamp(call.at / 1e6, UTC) for call in past]
    minutes = int((now - came[0]).total_seconds() // 60)
    today = now.astimezone(zone).date()
    said = next((call.disposition for call in past if call.disposition), "")
    is_open = said in open_ones or any(call.promised for call in past)
    return {
        "history.calls_today": str(sum(at.astimezone(zone).date() == today for at in came)),
        "history.last_queue": past[0].queue,
        "history.last_outcome": past[0].outcome,
        "history.minutes_since_last": str(min(max(minutes, 0), NEVER_MINUTES)),
        "history.open_case": "true" if is_open else "false",
    }
