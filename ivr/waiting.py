"""What a waiting caller is told, and when: comfort messages in turn, their place, the expected wait, an offer.

Pure: `say` is given what was told before and what is true now, and answers what to say now. The session plays it.

Nobody is told a worse place or a longer wait than the last time, unless they have come to another queue or fewer
agents work in it: then what was told before is void, and the new figures may be told. Seconds are the session's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ivr.callback_dialogue import key_offer
from ivr.prompts import fill, spoken_in, text_prompt
from ivr.settings import Queue, TellRules
from ivr.steps import KeyOffer, Prompt, Waiting
from ivr.values import Texts
from ivr.waiting_texts import MINUTES, OURS, WAITS, counted, placed, words

#: How long a caller hears music before anything is said.
FIRST_S = 1.0
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Seen:
    """What is true now. `position` from 1; `expected_wait_us` 0: unknown. `agents`: how many work in the queue."""

    queue: str
    position: int
    expected_wait_us: int
    agents: int


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller has been told in `queue`, and when the next is due.

    `position` and `wait` are counted among the prompts from 1; 0: nothing was told. `agents`: how many worked there
    then. `turn`: how many comfort messages were told.
    """

    queue: str
    announce_at: float = NEVER
    tell_at: float = NEVER
    position: int = 0
    wait: int = 0
    agents: int = 0
    turn: int = 0
    has_told: bool = False

    @property
    def due_at(self) -> float:
        """When something is to be said next."""
        return min(self.announce_at, self.tell_at)

    def after(self, spoken_s: float) -> Told:
        """The same, with the pauses counted from the end of what was said."""
        return replace(self, announce_at=self.announce_at + spoken_s, tell_at=self.tell_at + spoken_s)

    def pack(self) -> str:
        """As one word, for the call to carry."""
        return f"{self.queue}|{self.position}|{self.wait}|{self.agents}|{self.turn}"


def begin(waiting: Waiting, now: float) -> Told:
    """Somebody comes into the queue: everything is said for the first time soon."""
    first = now + FIRST_S
    return Told(waiting.queue, first if waiting.announces else NEVER, first if waiting.tells else NEVER)


def resume(waiting: Waiting, carried: str, now: float) -> Told:
    """Somebody comes back into the queue with what `Told.pack` gave, or something else: the pauses begin anew."""
    queue, *numbers = carried.split("|")
    told = Told(
        waiting.queue,
        now + waiting.announce_every_s if waiting.announces else NEVER,
        now + waiting.tell_every_s if waiting.tells else NEVER,
        has_told=True,
    )
    if queue != waiting.queue or len(numbers) != 4 or not all(each.isascii() and each.isdigit() for each in numbers):
        return told
    position, wait, agents, turn = (int(each[:9]) for each in numbers)
    return replace(told, position=position, wait=wait, agents=agents, turn=turn)


def say(waiting: Waiting, told: Told, seen: Seen, now: float) -> tuple[tuple[Prompt, ...], Told]:
    """What to say now, perhaps nothing, and what was told then."""
    prompts: tuple[Prompt, ...] = ()
    if now >= told.announce_at:
        if waiting.comfort:
            prompts += (waiting.comfort[told.turn % len(waiting.comfort)],)
        told = replace(told, announce_at=now + waiting.announce_every_s, turn=told.turn + 1)
        offered = _offered(waiting.offer, seen)
    else:
        offered = ()
    if now >= told.tell_at:
        figures, told = _tell(waiting, told, seen)
        prompts += figures or (waiting.thanks if told.has_told and not prompts else ())
        told = replace(told, tell_at=now + waiting.tell_every_s, has_told=True)
    return prompts + offered, told


def _offered(offer: KeyOffer | None, seen: Seen) -> tuple[Prompt, ...]:
    if offer is None or (offer.over_s and seen.expected_wait_us <= offer.over_s * 1_000_000):
        return ()
    return offer.prompts


def _tell(waiting: Waiting, told: Told, seen: Seen) -> tuple[tuple[Prompt, ...], Told]:
    """The figures that may be told: none that is worse than the last time without a cause."""
    if seen.agents < told.agents:
        told = replace(told, position=0, wait=0)
    position = min(seen.position, len(waiting.positions))
    wait = wait_told(seen.expected_wait_us) if waiting.waits else 0
    prompts: tuple[Prompt, ...] = ()
    if position and position <= (told.position or position):
        prompts += (waiting.positions[position - 1],)
        told = replace(told, position=position)
    if wait and wait <= (told.wait or wait):
        prompts += (waiting.waits[wait - 1],)
        told = replace(told, wait=wait)
    return prompts, replace(told, agents=seen.agents)


def wait_told(expected_wait_us: int) -> int:
    """Which of the waits is told, counted from 1: less than a minute, each of `MINUTES`, more than an hour.

    0: it is not known, and nothing is told.
    """
    minutes = expected_wait_us / 60_000_000
    if expected_wait_us <= 0:
        return 0
    if minutes < 1:
        return 1
    if minutes > MINUTES[-1]:
        return WAITS
    nearest = min(MINUTES, key=lambda each: (abs(each - minutes), -each))
    return MINUTES.index(nearest) + 2


# --- texts -----------------------------------------------------------------------------------------------------


def waiting_in(queue: Queue, language: str, default: str, variables: Mapping[str, str]) -> Waiting:
    """How a caller of this language waits there."""
    tell = queue.tell
    return Waiting(
        queue=queue.id,
        music=queue.music,
        comfort=tuple(text_prompt(each, language, default, variables) for each in queue.announcement),
        announce_every_s=queue.announce_every_s,
        positions=positions(tell, language, default),
        waits=waits(tell, language, default),
        thanks=thanks(tell, language, default),
        tell_every_s=tell.every_s,
        offer=key_offer(queue.callback, language, default) if queue.callback is not None else None,
    )


def figures(tell: TellRules, language: str, default: str) -> tuple[Prompt, ...]:
    """Everything that a caller of this language may be told of their place and wait."""
    return positions(tell, language, default) + waits(tell, language, default) + thanks(tell, language, default)


def positions(tell: TellRules, language: str, default: str) -> tuple[Prompt, ...]:
    """The prompts for all places, in a language or, where there are no words in it, in the default one."""
    if not tell.position:
        return ()
    at, most = _text(tell, "position", language, default), tell.position_at_most
    beyond = _text(tell, "beyond", language, default)
    told = (_fill(at, number=placed(place, at.language)) for place in range(1, most + 1))
    return (*told, _fill(beyond, number=counted(most, beyond.language)))


def waits(tell: TellRules, language: str, default: str) -> tuple[Prompt, ...]:
    """The prompts for all waits."""
    if not tell.wait:
        return ()
    soon, minute, minutes, long = (
        _text(tell, each, language, default) for each in ("soon", "minute", "minutes", "long")
    )
    several = (_fill(minutes, minutes=counted(each, minutes.language)) for each in MINUTES[1:])
    return (soon, minute, *several, long)


def thanks(tell: TellRules, language: str, default: str) -> tuple[Prompt, ...]:
    """What is said where no figure may be told."""
    return (_text(tell, "thanks", language, default),) if tell.position or tell.wait else ()


def _text(tell: TellRules, which: str, language: str, default: str) -> Prompt:
    given: Texts | None = getattr(tell.texts, which)
    return spoken_in(words(given, OURS[which], default), language, default)


def _fill(prompt: Prompt, **values: str) -> Prompt:
    return replace(prompt, text=fill(prompt.text, values, language=prompt.language))
