"""A call through its flow without telephony: an execution driven by whoever plays the caller, the customers' records
and the queues.

Keys are kept as a real call keeps them: what is pressed beyond a question answers the next one, and keys that wait
already cut a prompt before its first word.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ivr.interpreter import Execution
from ivr.site import Site
from ivr.steps import (
    Answer,
    CallWebhook,
    Cause,
    CustomerFound,
    Digits,
    Done,
    End,
    Ending,
    Enqueue,
    Instruction,
    KeepAnswer,
    LookUpCustomer,
    MessageRecorded,
    Play,
    PlayMusic,
    Promise,
    Promised,
    Prompt,
    QueueEnded,
    ReadDigits,
    RecordCall,
    RecordMessage,
    Result,
    SendText,
    TextSent,
    Transfer,
    TransferEnded,
    WebhookEnded,
)

#: The id of a call that nobody made.
INTERACTION = "walk"
#: What a left message is called in a walk.
MESSAGE = "message.wav"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a call is: the flow, the step's address and its word; and the language that the caller hears there."""

    flow: str
    address: str
    word: str
    language: str

    def __str__(self) -> str:
        return f"{self.flow} {self.address} ({self.word})"


@dataclass(frozen=True, slots=True)
class Heard:
    """The caller heard this."""

    spot: Spot
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Pressed:
    """What the caller pressed at a question in one go; empty for nothing."""

    spot: Spot
    keys: str


@dataclass(frozen=True, slots=True)
class Came:
    """The call came to something that others answer: a look-up, a queue, a recording."""

    spot: Spot
    instruction: Instruction


@dataclass(frozen=True, slots=True)
class Answered:
    """What they answered; None: the caller hung up instead."""

    result: Result | None


class Party(Protocol):
    """Who answers what a call is asked. None as an answer: the caller hangs up."""

    def hears(self, spot: Spot, prompt: Prompt) -> None:
        """The caller hears this."""

    def hears_music(self, spot: Spot, wanted: PlayMusic) -> None:
        """The caller hears music for a time."""

    def presses(self, spot: Spot, wanted: ReadDigits) -> str | None:
        """The keys pressed in one go; empty for none until the time is over."""

    def finds(self, spot: Spot, wanted: LookUpCustomer) -> CustomerFound | None:
        """What a look-up finds."""

    def leaves_queue(self, spot: Spot, wanted: Enqueue) -> str | None:
        """How the wait ends: one of the ways out of a `queue` step."""

    def promises(self, spot: Spot, wanted: Promise) -> str | None:
        """Why nobody will be called back, in one word; empty when somebody will."""

    def leaves_message(self, spot: Spot, wanted: RecordMessage) -> bool | None:
        """Whether something is said."""

    def sees(self, spot: Spot, kept: RecordCall | KeepAnswer) -> None:
        """The call is recorded from here on, or no longer, or may not be; or an answer to a survey is kept."""

    def transfers(self, spot: Spot, wanted: Transfer) -> str | None:
        """How a transfer ends: `answered` once the talk is over, or one of the ways out of a `transfer` step."""

    def answers(self, spot: Spot, wanted: CallWebhook) -> WebhookEnded | None:
        """What another program answers."""

    def sends(self, spot: Spot, wanted: SendText) -> str | None:
        """Why a text message is not sent, in one word; empty when it is."""


@dataclass(frozen=True, slots=True)
class Over:
    """How a walk ended, and where. `end` is None when the caller hung up; `spot` when no step was reached."""

    end: End | None
    spot: Spot | None

    def __str__(self) -> str:
        where = f" at {self.spot}" if self.spot else ""
        if self.end is None:
            return f"the caller hung up{where}"
        if self.end.ending is Ending.REFUSED:
            return f"refused ({self.end.cause}){where}"
        if self.end.ending is Ending.BROKEN:
            return f"broken{where}: {self.end.detail}"
        return f"ended as designed ({self.end.cause}){where}"


Entry = Heard | Pressed | Came | Answered | Over
"""What a tape of a walk has, in order."""


def walk(
    site: Site,
    dialled: str,
    caller: str,
    party: Party,
    now: datetime,
    *,
    language: str = "",
    history: Mapping[str, str] | None = None,
    tape: list[Entry] | None = None,
) -> Over:
    """A call to a number, from its first step to its end. `now` is aware; an unlisted number refuses the call.

    `history`: what is known of the caller's earlier calls. `tape` gets everything that happens, so that a real call
    can be held against it.
    """
    tape = [] if tape is None else tape
    rule = site.route(dialled)
    if rule is None:
        over = Over(End(Ending.REFUSED, Cause.UNALLOCATED, "unlisted number"), None)
        tape.append(over)
        return over
    turned = site.callers.turned_away([caller] if caller else [], now, site.settings.time_zone)
    if turned is not None and turned.cause is not None:
        over = Over(End(Ending.REFUSED, turned.cause, turned.why), None)
        tape.append(over)
        return over
    if turned is not None:
        rule = rule.model_copy(update={"flow": turned.flow})
    variables = {**rule.labels, **_brought(caller, dialled), **(history or {})}
    return _Walk(site, Execution(site, rule.flow, variables, language or rule.language), party, now, tape).go()


def walk_flow(site: Site, flow: str, caller: str, party: Party, now: datetime, *, language: str = "") -> Over:
    """A call that begins in a flow, whatever number leads there. Raises UnknownPlaceError if there is no such flow."""
    execution = Execution(site, flow, _brought(caller, ""), language or site.settings.default_language)
    return _Walk(site, execution, party, now, []).go()


def _brought(caller: str, dialled: str) -> dict[str, str]:
    return {"caller": caller, "dialled": dialled, "interaction_id": INTERACTION}


class _Walk:
    def __init__(self, site: Site, execution: Execution, party: Party, now: datetime, tape: list[Entry]) -> None:
        self._site = site
        self._execution = execution
        self._party = party
        self._now = now
        self._tape = tape
        self._ahead: deque[str] = deque()

    def go(self) -> Over:
        """The call to its end."""
        over = self._go()
        self._tape.append(over)
        return over

    def _go(self) -> Over:
        result: Result | None = None
        while True:
            instruction = self._execution.advance(result, self._now)
            spot = self._spot()
            if isinstance(instruction, End):
                return Over(instruction, spot)
            assert spot is not None
            result = self._carried_out(spot, instruction)
            if result is None:
                return Over(None, spot)

    def _spot(self) -> Spot | None:
        flow, address = self._execution.flow, self._execution.node
        placed = self._site.layouts[flow].steps.get(address)
        return None if placed is None else Spot(flow, address, placed.step.word, self._execution.language)

    def _carried_out(self, spot: Spot, instruction: Instruction) -> Result | None:
        if isinstance(instruction, Answer | Play | PlayMusic | ReadDigits):
            return self._carry_out(spot, instruction)
        self._tape.append(Came(spot, instruction))
        result = self._carry_out(spot, instruction)
        self._tape.append(Answered(result))
        return result

    def _carry_out(self, spot: Spot, instruction: Instruction) -> Result | None:
        match instruction:
            case Play():
                self._play(spot, instruction.prompts, barge_in=instruction.barge_in)
            case PlayMusic():
                self._party.hears_music(spot, instruction)
            case ReadDigits():
                return self._read(spot, instruction)
            case LookUpCustomer():
                return self._party.finds(spot, instruction)
            case Enqueue():
                outcome = self._party.leaves_queue(spot, instruction)
                return None if outcome is None else QueueEnded(outcome)
            case Promise():
                refused = self._party.promises(spot, instruction)
                return None if refused is None else Promised(refused)
            case RecordMessage():
                self._play(spot, instruction.prompts, barge_in=False)
                said = self._party.leaves_message(spot, instruction)
                return None if said is None else MessageRecorded(MESSAGE if said else "")
            case RecordCall() | KeepAnswer():
                self._party.sees(spot, instruction)
            case Transfer():
                ended = self._party.transfers(spot, instruction)
                return None if ended is None else TransferEnded(ended)
            case CallWebhook():
                return self._party.answers(spot, instruction)
            case SendText():
                refused = self._party.sends(spot, instruction)
                return None if refused is None else TextSent(refused)
        return Done()

    def _play(self, spot: Spot, prompts: Sequence[Prompt], *, barge_in: bool) -> None:
        if not (barge_in and self._ahead):
            for prompt in prompts:
                self._tape.append(Heard(spot, prompt))
                self._party.hears(spot, prompt)

    def _read(self, spot: Spot, wanted: ReadDigits) -> Digits | None:
        self._play(spot, wanted.prompts, barge_in=wanted.barge_in)
        if not self._ahead:
            keys = self._party.presses(spot, wanted)
            if keys is None:
                return None
            self._tape.append(Pressed(spot, keys))
            self._ahead.extend(keys)
        pressed = ""
        while len(pressed) < wanted.most:
            if not self._ahead:
                return Digits(pressed, timed_out=True)
            key = self._ahead.popleft()
            if key in wanted.terminator:
                break
            pressed += key
        return Digits(pressed)
