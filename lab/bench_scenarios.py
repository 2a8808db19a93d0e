"""What the idle gap is measured in: plain, while announcements play, and with queues that share their agents.

Both sides of a scenario have the same phones, callers, music and announcement; `lab/bench-site` is ours, the rest
here is app_queue's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SITE = Path(__file__).parent / "bench-site"
EXTENSIONS = {f"agent{number}": f"{2000 + number}" for number in range(1, 11)}
TALK_S = 2.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """`numbers`: dialled in turn, by side. `queues`: app_queue's. `per_round`: callers of a round.

    `usernames`: the agents who serve every queue of it; whoever else there is has no part in it.
    """

    name: str
    title: str
    numbers: Mapping[str, tuple[str, ...]]
    queues: tuple[str, ...]
    usernames: tuple[str, ...]
    per_round: int

    @property
    def devices(self) -> tuple[str, ...]:
        """The agents' phones as Asterisk names them."""
        return tuple(f"PJSIP/{EXTENSIONS[username]}" for username in self.usernames)


def _of(name: str, title: str, first: int, queues: tuple[str, ...], agents: int) -> Scenario:
    """From `first` on the numbers are ours and app_queue's by turns. Eleven callers for an agent."""
    ours = tuple(f"+498999998{first + 2 * at}" for at in range(len(queues)))
    theirs = tuple(f"+498999998{first + 2 * at + 1}" for at in range(len(queues)))
    usernames = tuple(EXTENSIONS)[:agents]
    return Scenario(name, title, {"ours": ours, "app_queue": theirs}, queues, usernames, agents * 11 + 1)


SCENARIOS = (
    _of("plain", "five agents, one queue", 300, ("plain",), 5),
    _of("announcing", "the same, while announcements play", 310, ("announcing",), 5),
    _of("shared", "three queues that share ten agents", 320, ("shared1", "shared2", "shared3"), 10),
)
SIDES = ("ours", "app_queue")

#: As in our queues.yaml: what callers hear, and how long after its end they hear it again.
ANNOUNCEMENT = "Please stay on the line."
ANNOUNCED_EVERY_S = 2

# app_queue at its fastest: retry 1 is the least that it takes (0 means its default of 5).
_QUEUE = """
[{queue}]
strategy = leastrecent
musicclass = silent
autofill = yes
timeout = 15
retry = 1
wrapuptime = 0
ringinuse = no
joinempty = yes
leavewhenempty = no
announce-frequency = 0
"""
_ANNOUNCING = f"""periodic-announce = {{sound}}
periodic-announce-frequency = {ANNOUNCED_EVERY_S}
relative-periodic-announce = yes
"""
# `t`, as in our own Dial: the bridge is of the same kind on both sides.
_DIALPLAN = """
[bench-{queue}]
exten => s,1,Answer()
 same => n,Queue({queue},t)
 same => n,Hangup()
"""


def queues_conf(announcement: Path) -> str:
    """app_queue's side of all scenarios; `announcement` without its ending, as Asterisk wants it."""
    text = "[general]\npersistentmembers = no\nautofill = yes\nshared_lastcall = no\n"
    for scenario in SCENARIOS:
        for queue in scenario.queues:
            text += _QUEUE.format(queue=queue)
            if scenario.name == "announcing":
                text += _ANNOUNCING.format(sound=announcement)
    return text


def dialplan() -> str:
    """The numbers that app_queue answers."""
    text = "; The bench's own: numbers that app_queue answers.\n[callyard-inbound]\n"
    for scenario in SCENARIOS:
        for number, queue in zip(scenario.numbers["app_queue"], scenario.queues, strict=True):
            text += f"exten => {number},1,Goto(bench-{queue},s,1)\n"
    return text + "".join(_DIALPLAN.format(queue=queue) for scenario in SCENARIOS for queue in scenario.queues)
