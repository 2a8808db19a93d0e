"""What went wrong in a run of chaos, told by others than the server: SIPp's logs, an AMI client of our own, the tables.

Pure: takes what was seen, returns the counts of the last line (`lab.chaos`). Numbers of callers are unique in a run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab.sipp import SippLine

#: Whoever was answered so much later than another must not be rung for sooner.
ORDER_SLACK_MS = 1_000
#: Two agents who are free at the same instant are offered in order and rung side by side: within this, the order in
#: which their phones ring says nothing.
SAME_INSTANT_MS = 250
#: How long two phones may ring for one caller by the logs' own grain.
DOUBLE_SLACK_MS = 200


@dataclass(frozen=True, slots=True)
class PhoneStory:
    """One call at one phone, by SIPp's log: ticks, None where it did not come to that."""

    caller: str
    extension: str
    ringing_ms: int
    answered_ms: int | None
    ended_ms: int | None


def phone_stories(lines: Iterable[SippLine]) -> list[PhoneStory]:
    """The calls at the phones, in the order in which they rang; one offer rings one phone once."""
    seen: dict[tuple[str, str, str], dict[str, int]] = {}
    for line in lines:
        ticks = seen.setdefault((line.number, line.extension, line.offer), {})
        ticks.setdefault(line.what, line.tick_ms)
    stories = []
    for (caller, extension, _), ticks in seen.items():
        if "ringing" in ticks:
            ended = ticks.get("caller_left", ticks.get("hung_up"))
            stories.append(PhoneStory(caller, extension, ticks["ringing"], ticks.get("answered"), ended))
    return sorted(stories, key=lambda each: each.ringing_ms)


def lost(callers: Iterable[str], stories: Iterable[PhoneStory]) -> list[str]:
    """Callers whom no phone answered."""
    served = {each.caller for each in stories if each.answered_ms is not None}
    return sorted(set(callers) - served)


def doubled(stories: Sequence[PhoneStory]) -> list[str]:
    """Callers whom two phones answered, or for whom two rang at the same time."""
    found = {
        caller for caller, times in Counter(s.caller for s in stories if s.answered_ms is not None).items() if times > 1
    }
    by_caller: defaultdict[str, list[PhoneStory]] = defaultdict(list)
    for each in stories:
        by_caller[each.caller].append(each)
    for caller, own in by_caller.items():
        for before, after in pairwise(own):
            over = before.ended_ms if before.ended_ms is not None else before.answered_ms
            if over is not None and after.ringing_ms < over - DOUBLE_SLACK_MS:
                found.add(caller)
    return sorted(found)


def order_violations(answered: Iterable[SippLine], stories: Iterable[PhoneStory]) -> list[tuple[str, str]]:
    """Pairs (who came first, who was rung for first), of callers of one line without priorities."""
    rung: dict[str, int] = {}
    for each in stories:
        rung.setdefault(each.caller, each.ringing_ms)
    came = sorted((line.tick_ms, line.number) for line in answered if line.number in rung)
    pairs = []
    for place, (came_ms, earlier) in enumerate(came):
        for later_ms, later in came[place + 1 :]:
            if later_ms > came_ms + ORDER_SLACK_MS and rung[later] < rung[earlier] - SAME_INSTANT_MS:
                pairs.append((earlier, later))
    return pairs


@dataclass(frozen=True, slots=True)
class PhoneLook:
    """A phone as Asterisk has it: `idle`, `ringing` or `talking` (in a bridge)."""

    at_s: float
    state: str


def wrong_states(
    before: Mapping[str, PhoneLook], after: Mapping[str, PhoneLook], told: Mapping[str, str], stable_s: float
) -> list[str]:
    """Extensions whose agent the server tells otherwise than Asterisk did all the while from `before` to `after`.

    `told`: the agents' states by extension, asked between the two. A look's `at_s` is when the phone was first seen so.
    """
    wrong = []
    for extension, state in told.items():
        first, last = before.get(extension), after.get(extension)
        if first is None or last is None or first != last or last.at_s > stable_s:
            continue
        if (last.state == "talking") != (state == "talking"):
            wrong.append(f"{extension}: Asterisk {last.state} since {last.at_s:.1f}, told {state}")
        elif last.state == "ringing" and state != "reserved":
            wrong.append(f"{extension}: Asterisk ringing since {last.at_s:.1f}, told {state}")
    return wrong


def records(callers: Iterable[str], rows: Iterable[tuple[str, str]]) -> tuple[list[str], list[str], list[str]]:
    """(missing, doubled, wrong) of the rows (caller, outcome): each caller was served once."""
    by_caller: defaultdict[str, list[str]] = defaultdict(list)
    for caller, outcome in rows:
        by_caller[caller].append(outcome)
    missing = [each for each in callers if not by_caller[each]]
    twice = [each for each in callers if len(by_caller[each]) > 1]
    wrong = [
        f"{each}: {by_caller[each][0]}"
        for each in callers
        if len(by_caller[each]) == 1 and by_caller[each][0] != "served"
    ]
    return missing, twice, wrong
