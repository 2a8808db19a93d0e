"""What one call has in its flow: where it stands, what it knows, what the caller chose, in which language.

Kinds of step work on it; `ivr.interpreter` moves it from step to step.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from ivr.callback_dialogue import lead
from ivr.number_words import CURRENCY_OF
from ivr.past_calls import NO_HISTORY
from ivr.prompts import fill, sound_prompt, text_prompt
from ivr.steps import Digits, Instruction, Promise, Prompt, Result, Waiting
from ivr.trail import Entered, Happening, Left, Missed
from ivr.values import Texts
from ivr.waiting import waiting_in

if TYPE_CHECKING:
    from ivr.site import Site

#: Choices that are kept; the oldest go first.
MOST_CHOSEN = 20
#: Under these names `carried` has what the caller chose, and the steps that the call will come back to.
CHOSEN = "_chosen"
FRAMES = "_frames"
#: Under this name it has how many requests of the call are over, so that none is taken for another one.
REQUESTS = "_requests"
#: A call makes no more requests than this.
MOST_REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Frame:
    """A step that entered another flow, and what stood under the names that it gave there (None: nothing)."""

    flow: str
    address: str
    before: Mapping[str, str | None]


class Progress:
    """One call's values, and how they are said, filled in and kept."""

    def __init__(self, site: Site, flow: str, variables: Mapping[str, str], language: str, node: str) -> None:
        self.site = site
        self.flow = flow
        #: The address of the step that is carried out.
        self.node = node
        self.language = variables.get("language", language)
        self.now = datetime.min.replace(tzinfo=UTC)
        #: What went wrong without ending the call, for the log.
        self.notes: list[str] = []
        #: What happened at the steps, for who counts it.
        self.happenings: list[Happening] = []
        own = (CHOSEN, FRAMES, REQUESTS, "language")
        self._variables = {name: value for name, value in variables.items() if name not in own}
        self._chosen = _read_chosen(variables.get(CHOSEN, ""))
        #: The steps that entered the flows that the call is in, the outermost first.
        self.frames = _read_frames(variables.get(FRAMES, ""))
        self._requests = _read_count(variables.get(REQUESTS, ""))
        self._secrets: dict[str, str] = {}

    @property
    def carried(self) -> Mapping[str, str]:
        """What the call carries: values by name, without secrets, and two of our own."""
        carried = {**self._variables, "language": self.language}
        if self._chosen:
            carried[CHOSEN] = json.dumps(self._chosen, ensure_ascii=False)
        if self._requests:
            carried[REQUESTS] = str(self._requests)
        if self.frames:
            frames = [[frame.flow, frame.address, dict(frame.before)] for frame in self.frames]
            carried[FRAMES] = json.dumps(frames, ensure_ascii=False)
        return carried

    @property
    def chosen(self) -> tuple[tuple[str, str], ...]:
        """What the caller chose and typed, in order, as label and value; secrets never."""
        return tuple(self._chosen)

    @property
    def known(self) -> dict[str, str]:
        """All values, secrets among them."""
        return {**NO_HISTORY, **self._variables, **self._secrets, "language": self.language}

    # --- hearing -----------------------------------------------------------------------------------------

    def say(self, texts: Texts, besides: Mapping[str, str] | None = None, *, language: str = "") -> Prompt:
        """A text in the caller's or another language, with its values and those `besides`, which come first."""
        values = {**self.known, **(besides or {})}
        default, unfit = self.site.settings.default_language, list[str]()
        prompt = text_prompt(texts, language or self.language, default, values, currency=self._currency, unfit=unfit)
        self._note_once(unfit)
        return prompt

    def play(self, sounds: Texts) -> Prompt:
        """A sound file in the caller's language."""
        return sound_prompt(sounds, self.language, self.site.settings.default_language)

    def again(self, texts: Texts, first: Texts | None) -> tuple[Prompt, ...]:
        """A question once more, after what there is to say first."""
        return (self.say(texts),) if first is None else (self.say(first), self.say(texts))

    def waiting_in(self, queue: str) -> Waiting:
        """How this caller waits in a queue of the site, to which they may have been moved; KeyError if unknown."""
        return waiting_in(self.site.queues[queue], self.language, self.site.settings.default_language, self.known)

    # --- knowing -----------------------------------------------------------------------------------------

    def value(self, name: str) -> str:
        """What stands under a name, empty for nothing."""
        return self.known.get(name, "")

    def fill(self, value: str) -> str:
        """A value with its variables."""
        unfit = list[str]()
        language, currency = self.language, self._currency
        filled = fill(value, self.known, whole=True, language=language, currency=currency, unfit=unfit)
        self._note_once(unfit)
        return filled

    def keep(self, name: str, value: str, *, is_secret: bool = False) -> None:
        """Keep a value under a name; secret ones are neither carried nor told."""
        if is_secret:
            self._variables.pop(name, None)
            self._secrets[name] = value
        elif name != "language":
            self._secrets.pop(name, None)
            self._variables[name] = value
        elif value in self.site.settings.languages:
            self.language = value

    def know(self, values: Mapping[str, str]) -> None:
        """A customer's record that was found replaces the one before."""
        kept = {name: text for name, text in self._variables.items() if not name.startswith("customer.")}
        self._variables = kept | {f"customer.{name}": text for name, text in values.items()}

    def remember(self, history: Mapping[str, str]) -> None:
        """What is known of the caller's earlier calls."""
        self._variables |= history

    def choose(self, label: str, value: str) -> None:
        """The caller chose or typed something that agents are told."""
        self._chosen = [*self._chosen, (label, value)][-MOST_CHOSEN:]

    def note(self, text: str) -> None:
        """Something is wrong with the flow, and the call goes on."""
        self.notes.append(f"{self.flow} {self.node}: {text}")

    def _note_once(self, texts: list[str]) -> None:
        """A menu is repeated; what is wrong with its values is told once."""
        for text in texts:
            if f"{self.flow} {self.node}: {text}" not in self.notes:
                self.note(text)

    @property
    def _currency(self) -> str:
        return CURRENCY_OF.get(self.site.settings.country, "")

    # --- where the call has been -------------------------------------------------------------------------

    def come_to(self, address: str, *, again: bool) -> None:
        """The call is at this step."""
        self.node = address
        self.happenings.append(Entered(self.flow, address, again))

    def miss(self, read: Digits) -> None:
        """The caller did not press what the step asks for; each kind of step that asks for keys says so."""
        self.happenings.append(Missed(self.flow, self.node, timed_out=not read.pressed))

    def leave(self, way: str) -> None:
        """The call leaves the step that is carried out."""
        self.happenings.append(Left(self.flow, self.node, way))

    # --- other programs ----------------------------------------------------------------------------------

    @property
    def request_key(self) -> str:
        """What names the request of the step that is carried out: the same when it is repeated in another process."""
        return f"{self.value('interaction_id')}/{self.flow}/{self.node}/{self._requests}"

    @property
    def may_request(self) -> bool:
        """Whether the call may make a further request; a flow that goes round is not to flood other programs."""
        return self._requests < MOST_REQUESTS

    def end_request(self) -> None:
        """The request of this step is over, whatever came of it: the next one is another."""
        self._requests += 1

    # --- other flows -------------------------------------------------------------------------------------

    def enter(self, given: Mapping[str, str]) -> None:
        """Go through another flow with these values, to come back to the step that is carried out."""
        before = {name: self._variables.get(name) for name in given}
        self.frames = [*self.frames, Frame(self.flow, self.node, before)]
        for name, value in given.items():
            self.keep(name, value)

    def come_back(self) -> tuple[str, str]:
        """Leave the flow that was entered last: its values are what they were before. Returns flow and address."""
        *self.frames, frame = self.frames
        for name, value in frame.before.items():
            self._variables.pop(name, None)
            if value is not None:
                self._variables[name] = value
        return frame.flow, frame.address

    # --- agents ------------------------------------------------------------------------------------------

    def attributes(self, added: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """What the agent is told: what the caller chose and typed, what the flow set, and what the step adds."""
        was_set = ((name, value) for name, value in self._variables.items() if name in self.site.topics)
        filled: Iterator[tuple[str, str]] = ((name, self.fill(value)) for name, value in added.items())
        return tuple(chain(self._chosen, was_set, filled))

    def promise(self, wish: Promise) -> Generator[Instruction, Result, bool]:
        """Lead the dialogue that ends in a promise to call back for a queue of the site, or in none; the caller's own
        number is tried first. KeyError if the queue calls nobody back."""
        rules = self.site.queues[wish.queue].callback
        if rules is None:
            raise KeyError(wish.queue)
        wish = replace(wish, number=self.value("caller"))
        return (yield from lead(rules, wish, self.language, self.site.settings.default_language, self.miss))


def _read_chosen(text: str) -> list[tuple[str, str]]:
    """What an earlier process wrote; nothing if it cannot be read, because a call must go on."""
    try:
        return [(str(label), str(value)) for label, value in json.loads(text)][-MOST_CHOSEN:] if text else []
    except (ValueError, TypeError):
        return []


def _read_count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _read_frames(text: str) -> list[Frame]:
    """As what was chosen; without it the call ends where it would have come back."""
    try:
        return [Frame(str(flow), str(address), _texts(before)) for flow, address, before in json.loads(text or "[]")]
    except (ValueError, TypeError, AttributeError):
        return []


def _texts(values: Mapping[str, object]) -> Mapping[str, str | None]:
    return {name: None if value is None else str(value) for name, value in values.items()}
