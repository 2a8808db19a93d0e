"""What the rules of `alarms.yaml` make of what is seen now: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from acd.snapshot import QueueView
from cti.alarm_book import Condition
from cti.metrics import longest_wait_s
from ivr.alarms import AlarmRule, Alarms

#: So long after a row was lost it counts as a loss of now.
LOST_LATELY_S = 600.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to see. `trunks`: name → what is wrong with it, empty when nothing is. `clocks_off_s`: by node.
    `lost_rows`: lately; `database`: what it said, empty when it answers."""

    at: int
    queues: Sequence[QueueView]
    why_not: Sequence[str]
    links: Mapping[str, bool]
    trunks: Mapping[str, str] = field(default_factory=dict)
    clocks_off_s: Mapping[str, float] = field(default_factory=dict)
    database: str = ""
    lost_rows: int = 0
    disk_free_mb: float = 0.0


def conditions(alarms: Alarms, seen: Seen) -> list[Condition]:
    """Each rule at each of its subjects."""
    return [
        Condition(name, subject, holds, says, rule.for_s, rule.repeat_s or alarms.repeat_s)
        for name, rule in alarms.rules.items()
        for subject, holds, says in _looked(rule, seen)
    ]


def _looked(rule: AlarmRule, seen: Seen) -> Iterator[tuple[str, bool, str]]:
    match rule.when:
        case "waiting" | "longest_wait" | "no_agents":
            for queue in seen.queues:
                if rule.queue in (None, queue.id):
                    yield (queue.id, *_at_queue(rule, queue, seen.at))
        case "not_routing":
            yield "", bool(seen.why_not), f"calls are not routed: {', '.join(seen.why_not)}"
        case "link_down":
            for node, is_up in seen.links.items():
                yield node, not is_up, "this Asterisk cannot be reached: its callers wait unoffered"
        case "trunk_down":
            for trunk, trouble in seen.trunks.items():
                if rule.trunk in (None, trunk):
                    yield trunk, bool(trouble), f"the trunk is down: {trouble}"
        case "database_away":
            yield "", bool(seen.database), f"the database does not answer, records wait: {seen.database}"
        case "records_lost":
            yield "", seen.lost_rows > 0, f"{seen.lost_rows} rows were refused or left out: see the log"
        case "disk_low":
            least = rule.less_than_mb or 0
            yield "", seen.disk_free_mb < least, f"{seen.disk_free_mb:.0f} MB are free (less than {least})"
        case "clock_off":
            most = rule.longer_than_s or 0.0
            for node, off_s in seen.clocks_off_s.items():
                yield node, off_s > most, f"its clock is {off_s:.1f} s away from ours (more than {most:g} s)"


def _at_queue(rule: AlarmRule, queue: QueueView, now: int) -> tuple[bool, str]:
    match rule.when:
        case "waiting":
            most = rule.more_than or 0
            return queue.waiting > most, f"{queue.waiting} wait (more than {most})"
        case "longest_wait":
            longest_s = rule.longer_than_s or 0.0
            waited_s = longest_wait_s(queue, now)
            return waited_s > longest_s, f"the first has waited {_told(waited_s)} (more than {_told(longest_s)})"
        case _:
            is_left_alone = queue.waiting > 0 and queue.agents_signed_in == 0
            return is_left_alone, f"{queue.waiting} wait, and nobody who serves them is signed in"


def _told(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
