"""The arithmetic of the idle gap: from what Asterisk told on AMI to gaps, and from gaps to a verdict. Pure.

The idle gap of an agent runs from the Hangup of their channel, after a talk, to the DialBegin of the next caller to
their phone. It counts only where somebody waited for this agent: when the agent hung up, at least as many callers
waited as there were idle agents, this one included. A caller waits from their first hold music to their DialBegin;
both sides play the same music, so nothing here depends on who does the queueing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

#: The bars: how many times app_queue's median ours goes into, and the largest share of it that our p95 may be.
RATIO_BAR = 80.0
P95_SHARE_BAR = 0.1
#: Fewer gaps than this on a side measure nothing.
FEWEST_GAPS = 200
#: The events that tell it.
READ = frozenset({"Newstate", "MusicOnHoldStart", "DialBegin", "DialEnd", "Hangup"})


@dataclass(frozen=True, slots=True)
class Sighting:
    """One AMI event: `at_us` stamped by Asterisk, `arrived_ns` read here on the monotonic clock."""

    name: str
    at_us: int
    arrived_ns: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Gap:
    """`stamped_ms` by Asterisk's own stamps; `arrived_ms` by the arrival of both events here, as a check."""

    agent: str
    stamped_ms: float
    arrived_ms: float


@dataclass(frozen=True, slots=True)
class Round:
    """The gaps of one round. `unserved`: agents for whom somebody waited and who were not rung again."""

    gaps: tuple[Gap, ...]
    rings: int
    unserved: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Milliseconds over `n` gaps."""

    n: int
    p50: float
    p95: float
    largest: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the bars hold; `ratio` of the medians, `share` of our p95 in app_queue's median."""

    ratio: float
    share: float

    @property
    def ratio_holds(self) -> bool:
        return self.ratio >= RATIO_BAR

    @property
    def share_holds(self) -> bool:
        return self.share <= P95_SHARE_BAR


def read_messages(chunks: Iterable[tuple[int, bytes]]) -> tuple[list[Sighting], bytes]:
    """The events of `READ` in the bytes, each with the arrival of its last one, and the rest that is not whole yet.

    ValueError names an event that Asterisk did not stamp (`timestampevents`).
    """
    sightings = []
    rest = b""
    for arrived_ns, data in chunks:
        *messages, rest = (rest + data).split(b"\r\n\r\n")
        for message in messages:
            headers = dict(_headers(message.decode("utf-8", "replace")))
            if headers.get("Event") in READ:
                sightings.append(_sighting(headers, arrived_ns))
    return sightings, rest


def _headers(message: str) -> Iterator[tuple[str, str]]:
    for line in message.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            yield name, value.strip()


def _sighting(headers: Mapping[str, str], arrived_ns: int) -> Sighting:
    stamp = headers.get("Timestamp", "")
    if not stamp.replace(".", "", 1).isdecimal():
        raise ValueError(f"event {headers['Event']}: expected a Timestamp of seconds, came {stamp!r}")
    return Sighting(headers["Event"], int(Decimal(stamp) * 1_000_000), arrived_ns, headers)


def endpoint_of(channel: str) -> str:
    """`PJSIP/2001-0000002a` → `PJSIP/2001`."""
    return channel.rpartition("-")[0]


def gaps_of(sightings: Iterable[Sighting], agents: Collection[str]) -> Round:
    """The gaps of one round, which begins and ends with nobody in the system. `agents`: `PJSIP/2001` and so on."""
    floor = _Floor(frozenset(agents))
    for sighting in sightings:
        floor.see(sighting)
    return Round(tuple(floor.gaps), floor.rings, sum(idle.is_awaited for idle in floor.idle.values()))


@dataclass(frozen=True, slots=True)
class _Idle:
    since: Sighting
    is_awaited: bool


@dataclass(slots=True)
class _Floor:
    """Who waits and who is idle, as the events tell."""

    agents: frozenset[str]
    gaps: list[Gap] = field(default_factory=list)
    rings: int = 0
    idle: dict[str, _Idle] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    dialling: set[str] = field(default_factory=set)
    connected: set[str] = field(default_factory=set)

    def see(self, sighting: Sighting) -> None:
        headers = sighting.headers
        match sighting.name:
            case "MusicOnHoldStart":
                caller = headers["Uniqueid"]
                if endpoint_of(headers["Channel"]) not in self.agents and caller not in self.dialling:
                    self.waiting.add(caller)
            case "DialBegin":
                self._begin_dial(sighting, headers.get("Uniqueid", ""), endpoint_of(headers["DestChannel"]))
            case "DialEnd" if endpoint_of(headers["DestChannel"]) in self.agents:
                self._end_dial(headers)
            case "Hangup":
                self._hang_up(sighting, headers["Uniqueid"], endpoint_of(headers["Channel"]))
            case _:
                pass

    def _begin_dial(self, sighting: Sighting, caller: str, agent: str) -> None:
        if agent not in self.agents:
            return
        self.rings += 1
        self.waiting.discard(caller)
        self.dialling.add(caller)
        idle = self.idle.pop(agent, None)
        if idle is not None and idle.is_awaited:
            stamped_ms = (sighting.at_us - idle.since.at_us) / 1e3
            self.gaps.append(Gap(agent, stamped_ms, (sighting.arrived_ns - idle.since.arrived_ns) / 1e6))

    def _end_dial(self, headers: Mapping[str, str]) -> None:
        if headers["DialStatus"] == "ANSWER":
            self.connected.add(headers["DestUniqueid"])
        elif (caller := headers.get("Uniqueid", "")) in self.dialling:
            self.dialling.discard(caller)
            self.waiting.add(caller)

    def _hang_up(self, sighting: Sighting, uniqueid: str, endpoint: str) -> None:
        if uniqueid in self.connected:
            self.connected.discard(uniqueid)
            others = sum(idle.is_awaited for idle in self.idle.values())
            self.idle[endpoint] = _Idle(sighting, len(self.waiting) > others)
        elif endpoint not in self.agents:
            self.waiting.discard(uniqueid)
            self.dialling.discard(uniqueid)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed (nearest rank)."""
    if not values or not 0 < share <= 1:
        raise ValueError(f"expected values and a share in (0, 1], came {len(values)} values and {share}")
    return sorted(values)[math.ceil(share * len(values)) - 1]


def summary(values: Sequence[float]) -> Summary:
    """Median, 95th percentile and largest; ValueError when there are none."""
    return Summary(len(values), percentile(values, 0.5), percentile(values, 0.95), max(values))


def verdict(ours: Summary, theirs: Summary) -> Verdict:
    """Ours against app_queue's. A gap below the clock's microsecond counts as one microsecond."""
    return Verdict(theirs.p50 / max(ours.p50, 0.001), ours.p95 / max(theirs.p50, 0.001))
