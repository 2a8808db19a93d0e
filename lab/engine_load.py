"""The traffic that the engine's bench is driven by: a contact centre of any size in steady state, on a virtual clock.

Every agent is busy and a fixed number of callers waits: whoever is offered, or gives up, is followed by a new caller
for the same queue. Callers arrive, are queued, answered, talk, are wrapped up; some ask for more skills, some give up,
some phones are declined or not answered, some agents take a break. The same seed gives the same traffic.

What does not belong here: clocks and figures (`lab.bench_engine`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from acd.commands import Command, InteractionClosed, OfferClosed, OfferInteraction
from acd.events import (
    CallerLeft,
    ClockReached,
    DesktopChanged,
    Event,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    OfferRejected,
    PhoneChanged,
    PresenceChosen,
    TalkEnded,
    WrapUpEnded,
)
from acd.model import (
    AgentProfile,
    Configuration,
    Desktop,
    Estimator,
    OfferOutcome,
    Overflow,
    OverflowCause,
    Phone,
    Presence,
    PriorityStep,
    QueueRules,
    Requirement,
    Ring,
    Strategy,
)

SECOND = 1_000_000
TALK_S, WRAP_UP_S, RING_S, PATIENCE_S, BREAK_S = 180.0, 10.0, 4.0, 1_200.0, 300.0
#: The first agents and callers come within so long: about the wait that the traffic settles at.
_OPENING_S = 200.0
_IN_FLOW_S = 4.0
_LANGUAGES = 4
_ASKED_LEVEL = 3
_SHARE_DECLINED, _SHARE_UNANSWERED, _SHARE_BREAK, _SHARE_BY_HAND = 0.03, 0.03, 0.02, 0.5
_SHARE_CHOOSY = 0.3


@dataclass(frozen=True, slots=True)
class Size:
    """So many agents, queues and skills, and so many callers waiting all the time."""

    agents: int
    queues: int
    skills: int
    waiting: int


def of_agents(agents: int) -> Size:
    """As many waiting as agents, a queue for every ten, at most 200 skills."""
    return Size(agents, max(agents // 10, 1), max(min(agents // 10, 200), 1), agents)


FULL_SIZE = Size(agents=5_000, queues=500, skills=200, waiting=5_000)

# --- rules ---------------------------------------------------------------------------------------------------

Alter = Callable[[QueueRules, str], QueueRules]
"""The rules of a queue with a feature on; told the id of its neighbour."""


def _rings(rules: QueueRules, neighbour: str) -> QueueRules:
    lower = tuple((wanted.skill, 1) for wanted in rules.requirements)
    return replace(rules, relax=(Ring(30 * SECOND, levels=lower), Ring(90 * SECOND, queues=(neighbour,))))


def _ageing(rules: QueueRules, _: str) -> QueueRules:
    return replace(rules, raise_priority=(PriorityStep(60 * SECOND), PriorityStep(120 * SECOND)))


def _overflow(rules: QueueRules, neighbour: str) -> QueueRules:
    return replace(
        rules,
        overflow=(
            Overflow(OverflowCause.TIMED_OUT, 240 * SECOND, neighbour, joining=False, waiting=True),
            Overflow(OverflowCause.FEW_SIGNED_IN, 1, neighbour, joining=True, waiting=True),
        ),
    )


def _by(strategy: Strategy) -> Alter:
    return lambda rules, _: replace(rules, strategy=strategy)


def _estimated_by(estimator: Estimator) -> Alter:
    return lambda rules, _: replace(rules, estimator=estimator)


FEATURES: Mapping[str, Alter] = {
    "rings": _rings,
    "ageing": _ageing,
    "overflow": _overflow,
    **{strategy.value: _by(strategy) for strategy in Strategy},
    **{estimator.value: _estimated_by(estimator) for estimator in Estimator},
}
#: What is said of callers and agents, not of queues.
PREFERRED, LEVELS = "preferred", "levels"
WORDS = (*FEATURES, PREFERRED, LEVELS)


def configuration(size: Size, features: Sequence[str]) -> Configuration:
    """Each agent serves two queues, has their skills at a level from 3 on, and two languages of four."""
    queues = [f"q{number}" for number in range(size.queues)]
    rules = []
    for number, queue in enumerate(queues):
        wanted = (Requirement(_skill_of(number, size), _ASKED_LEVEL),)
        each = QueueRules(id=queue, requirements=wanted, wrap_up_us=round(WRAP_UP_S * SECOND))
        for feature in features:
            if feature in FEATURES:
                each = FEATURES[feature](each, queues[(number + 1) % size.queues])
        rules.append(each)
    agents = (_profile(number, size, LEVELS in features) for number in range(size.agents))
    return Configuration(queues=tuple(rules), agents=tuple(agents), seed=1)


def _skill_of(queue: int, size: Size) -> str:
    return f"s{queue % max(size.skills - _LANGUAGES, 1)}"


def _profile(number: int, size: Size, has_levels: bool) -> AgentProfile:
    served = sorted({number % size.queues, (number * 7 + 1) % size.queues})
    skills = {_skill_of(queue, size): _ASKED_LEVEL + number % 8 for queue in served}
    for language in (number // 3 % _LANGUAGES, (number // 3 + 1) % _LANGUAGES):
        skills[f"language{language}"] = 5
    queues = tuple(f"q{queue}" for queue in served)
    levels = tuple((queue, 1 + number % 3) for queue in queues) if has_levels else ()
    return AgentProfile(
        id=f"a{number:05d}", queues=queues, skills=tuple(skills.items()), weight=1 + number % 10, queue_levels=levels
    )


# --- traffic -------------------------------------------------------------------------------------------------


class Traffic:
    """What happens, one event at a time: `take` the next, and `hear` what the engine said to it."""

    def __init__(self, size: Size, features: Sequence[str] = (), seed: int = 1) -> None:
        unknown = sorted(set(features) - set(WORDS))
        if unknown:
            raise ValueError(f"expected features out of {', '.join(WORDS)}, got {', '.join(unknown)}")
        self.configuration = configuration(size, features)
        self.size = size
        self.now = 1_700_000_000 * SECOND
        self._prefers = PREFERRED in features
        self._chance = random.Random(seed)
        self._later: list[tuple[int, int, Event, bool]] = []
        self._n = 0
        self._queue_of: dict[str, str] = {}
        self._waiting: set[str] = set()
        self._open()

    def _open(self) -> None:
        """Everybody comes within the first minutes: the agents, the callers whom they take, and those who wait."""
        for profile in self.configuration.agents:
            after_s = self._chance.uniform(0.0, _OPENING_S)
            self._plan(after_s, DesktopChanged(profile.id, Desktop.THERE))
            self._plan(after_s, PhoneChanged(profile.id, Phone.FREE))
            self._plan(after_s, PresenceChosen(profile.id, Presence.READY))
        for number in range(self.size.agents + self.size.waiting):
            self._call(f"q{number % self.size.queues}", self._chance.uniform(0.0, _OPENING_S))

    @property
    def opening(self) -> int:
        """So many events it takes at least until the traffic is steady."""
        return 5 * self.size.agents + 2 * self.size.waiting + 4_000

    def take(self, due: int | None) -> tuple[Event, int]:
        """The next event and its instant, on the engine's earliest deadline `due`."""
        while self._is_stale():
            heappop(self._later)
        at, _, event, _ = self._later[0]
        if due is not None and due <= at:
            self.now = max(due, self.now)
            return ClockReached(), self.now
        heappop(self._later)
        self.now = at
        return event, at

    def _is_stale(self) -> bool:
        """Who talks does not give up, nor does who is gone."""
        _, _, event, while_waiting = self._later[0]
        return while_waiting and isinstance(event, CallerLeft) and event.interaction_id not in self._waiting

    def hear(self, commands: Sequence[Command]) -> None:
        """Plan what people do about it."""
        for command in commands:
            if isinstance(command, OfferInteraction):
                self._ring(command)
            elif isinstance(command, OfferClosed):
                self._end_offer(command)
            elif isinstance(command, InteractionClosed):
                self._follow(command)

    def _plan(self, after_s: float, event: Event, while_waiting: bool = False) -> None:
        self._n += 1
        heappush(self._later, (self.now + round(after_s * SECOND), self._n, event, while_waiting))

    def _call(self, queue: str, after_s: float) -> None:
        caller = f"lab1-{1_700_000_000 + self._n}.{self._n}"
        self._queue_of[caller] = queue
        self._waiting.add(caller)
        choosy = self._chance.random() < _SHARE_CHOOSY
        wanted = (Requirement(f"language{self._chance.randrange(_LANGUAGES)}", 2),) if choosy else ()
        named = tuple(f"a{self._chance.randrange(self.size.agents):05d}" for _ in range(2)) if self._prefers else ()
        self._plan(after_s, InteractionArrived(caller, "+4930123456", "+498001234", "main"))
        self._plan(
            after_s + _IN_FLOW_S,
            InteractionQueued(
                caller, queue, requirements=wanted, attributes=(("account", "4711"), ("language", "en")),
                preferred=named, preferred_us=20 * SECOND if named else 0,
            ),
        )  # fmt: skip
        gives_up_s = after_s + _IN_FLOW_S + self._chance.expovariate(1 / PATIENCE_S)
        self._plan(gives_up_s, CallerLeft(caller), while_waiting=True)

    def _follow(self, closed: InteractionClosed) -> None:
        """Somebody else calls for each who is gone."""
        self._waiting.discard(closed.interaction_id)
        self._call(self._queue_of.pop(closed.interaction_id), 0.0)

    def _ring(self, offer: OfferInteraction) -> None:
        drawn = self._chance.random()
        after_s = self._chance.uniform(0.5, 2 * RING_S)
        if drawn < _SHARE_DECLINED:
            self._plan(after_s, OfferRejected(offer.offer_id))
        elif drawn > _SHARE_DECLINED + _SHARE_UNANSWERED:
            self._plan(after_s, OfferAccepted(offer.offer_id))

    def _end_offer(self, closed: OfferClosed) -> None:
        if closed.outcome is OfferOutcome.ACCEPTED:
            self._waiting.discard(closed.interaction_id)
            self._talk(closed.interaction_id, closed.agent_id)
        elif closed.outcome in (OfferOutcome.REJECTED, OfferOutcome.EXPIRED):
            self._plan(5.0, PresenceChosen(closed.agent_id, Presence.READY))

    def _talk(self, interaction_id: str, agent_id: str) -> None:
        """As the exchange tells it: the bridge ends, the agent's phone is theirs again, the caller is gone."""
        talk_s = self._chance.expovariate(1 / TALK_S)
        self._plan(talk_s, TalkEnded(interaction_id, agent_id))
        self._plan(talk_s, PhoneChanged(agent_id, Phone.BUSY))
        self._plan(talk_s + 0.02, PhoneChanged(agent_id, Phone.FREE))
        self._plan(talk_s + 0.05, CallerLeft(interaction_id))
        if self._chance.random() < _SHARE_BY_HAND:
            wrapped_s = talk_s + self._chance.uniform(1.0, WRAP_UP_S)
            self._plan(wrapped_s, WrapUpEnded(agent_id, interaction_id, "solved"))
        if self._chance.random() < _SHARE_BREAK:
            self._plan(talk_s + 0.5, PresenceChosen(agent_id, Presence.NOT_READY, "break"))
            self._plan(talk_s + 0.5 + self._chance.expovariate(1 / BREAK_S), PresenceChosen(agent_id, Presence.READY))
