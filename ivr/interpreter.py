"""One call's way through a flow, without any input or output of its own.

The session asks `advance` what to do, does it, and feeds the result back. Retries, time-outs and ways out are
decided here; the session only plays and reads. What a call must carry so that another process can go on is
`flow`, `node` and `variables`: a new `Execution` made from them repeats the step that was being carried out,
and no prompt before it.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

from ivr.callback_dialogue import lead
from ivr.conditions import ConditionError
from ivr.errors import ExecutionError, UnknownPlaceError
from ivr.layout import Layout, Placed, Way
from ivr.prompts import fill, sound_prompt, text_prompt
from ivr.schema import (
    PROMISED_EXIT,
    AnswerStep,
    BaseStep,
    CallbackStep,
    CollectStep,
    FlowStep,
    GotoStep,
    HangupStep,
    HoursStep,
    IfStep,
    LookupStep,
    MenuStep,
    PlayStep,
    QueueStep,
    RefuseStep,
    SayStep,
    SetStep,
    VoicemailStep,
)
from ivr.site import Site, texts
from ivr.step_values import KEY_WORDS
from ivr.steps import (
    Answer,
    Cause,
    CustomerFound,
    Digits,
    Done,
    End,
    Ending,
    Enqueue,
    Instruction,
    LookUpCustomer,
    MessageRecorded,
    Play,
    Promise,
    Promised,
    Prompt,
    QueueEnded,
    ReadDigits,
    RecordMessage,
    Result,
    Waiting,
)
from ivr.values import Texts
from ivr.waiting import waiting_in

__all__ = ["CHOSEN", "STEP_BUDGET", "Execution", "texts"]

#: Steps that a call may take without the caller pressing a key or an agent answering.
STEP_BUDGET = 1000
#: Choices that are kept; the oldest go first.
MOST_CHOSEN = 20
#: Under this name `variables` carries what the caller chose.
CHOSEN = "_chosen"

_END_KEYS = {"hash": "#", "star": "*", "none": ""}
#: Results for which the caller or an agent was waited for.
_WAITED = (QueueEnded, Promised, MessageRecorded)
_RESULTS: Mapping[type[Instruction], type[Result]] = {
    Answer: Done,
    Play: Done,
    ReadDigits: Digits,
    LookUpCustomer: CustomerFound,
    Enqueue: QueueEnded,
    Promise: Promised,
    RecordMessage: MessageRecorded,
}

_Leave = Way | End | None
_Steps = Generator[Instruction, Result, _Leave]


class Execution:
    """A call in a flow, from its start or from `node` on.

    Making one raises UnknownPlaceError (a LookupError) if the site has no such flow or node. Every failure of a
    flow while it runs becomes an `End`; only wrong driving raises, ExecutionError.
    """

    def __init__(
        self, site: Site, flow: str, variables: Mapping[str, str], language: str, *, node: str | None = None
    ) -> None:
        self.flow = flow
        self.node = node or ""
        self.language = variables.get("language", language)
        #: What went wrong without ending the call, for the log.
        self.notes: list[str] = []
        self._site = site
        self._variables = {name: value for name, value in variables.items() if name not in (CHOSEN, "language")}
        self._chosen = _read_chosen(variables.get(CHOSEN, ""))
        self._secrets: dict[str, str] = {}
        self._now = datetime.min.replace(tzinfo=UTC)
        self._budget = STEP_BUDGET
        self._asked: Instruction | None = None
        self._steps = self._run(*self._begin(node))

    @property
    def variables(self) -> Mapping[str, str]:
        """What the call carries: values by name, without secrets, with what the caller chose under `_chosen`."""
        carried = {**self._variables, "language": self.language}
        return {**carried, CHOSEN: json.dumps(self._chosen, ensure_ascii=False)} if self._chosen else carried

    @property
    def chosen(self) -> tuple[tuple[str, str], ...]:
        """What the caller chose and typed, in order, as label and value; secrets never."""
        return tuple(self._chosen)

    def advance(self, result: Result | None, now: datetime) -> Instruction:
        """The next instruction. `result` answers the last one and is None only at first; `now` is aware UTC.

        Raises ExecutionError if the result does not belong to the last instruction, or after the `End`.
        """
        if isinstance(self._asked, End):
            raise ExecutionError(
                f"flow {self.flow} has ended at {self.node}: expected no further result, got {result!r}"
            )
        expected = type(None) if self._asked is None else _RESULTS[type(self._asked)]
        if not isinstance(result, expected):
            raise ExecutionError(f"flow {self.flow} at {self.node}: expected {expected.__name__}, got {result!r}")
        self._now = now
        if isinstance(result, QueueEnded | Promised | MessageRecorded) or (
            isinstance(result, Digits) and result.pressed
        ):
            self._budget = STEP_BUDGET
        try:
            self._asked = next(self._steps) if result is None else self._steps.send(result)
        except StopIteration as over:
            self._asked = over.value
        return self._asked

    def waiting_in(self, queue: str) -> Waiting:
        """How this caller waits in a queue of the site, to which they may have been moved; KeyError if unknown."""
        return waiting_in(self._site.queues[queue], self.language, self._site.settings.default_language, self._all())

    def _begin(self, node: str | None) -> tuple[Layout, str | None]:
        layout = self._site.layouts.get(self.flow)
        if layout is None:
            raise UnknownPlaceError(f"there is no flow {self.flow}: expected one of {', '.join(self._site.layouts)}")
        return layout, layout.resume(node) if node else layout.first()

    def _run(self, layout: Layout, address: str | None) -> Generator[Instruction, Result, End]:
        while address is not None:
            placed = layout.steps[address]
            self.node = address
            self._budget -= 1
            if self._budget < 0:
                return End(Ending.BROKEN, detail=f"{self.flow} {address}: {STEP_BUDGET} steps without the caller")
            leave = yield from self._take(placed.step)
            if isinstance(leave, End):
                return leave
            layout, address = self._next(layout, placed, leave)
        return End(Ending.DESIGNED)

    def _next(self, layout: Layout, placed: Placed, leave: Way | None) -> tuple[Layout, str | None]:
        if isinstance(placed.step, FlowStep):
            self.flow = placed.step.flow
            layout = self._site.layouts[self.flow]
            return layout, layout.first()
        return layout, placed.after if leave is None else placed.exits[leave]

    def _take(self, step: BaseStep) -> _Steps:
        """Carry out one step; returns the way out, None for the next step, or the end."""
        match step:
            case AnswerStep():
                yield Answer()
            case RefuseStep():
                return End(Ending.REFUSED, Cause(step.refuse), f"{self.flow} {self.node}")
            case SayStep():
                yield Play((self._say(step.say),), step.barge_in)
            case PlayStep():
                default = self._site.settings.default_language
                yield Play((sound_prompt(step.play, self.language, default),), step.barge_in)
            case MenuStep():
                return (yield from self._menu(step))
            case CollectStep():
                return (yield from self._collect(step))
            case HoursStep():
                return ("open",) if self._site.hours[step.hours].is_open(self._now) else ("closed",)
            case LookupStep():
                return (yield from self._look_up(step))
            case SetStep():
                self._set(step)
            case IfStep():
                return ("then",) if self._holds(step) else ("else",)
            case QueueStep():
                return (yield from self._queue(step))
            case CallbackStep():
                return (yield from self._call_back(step))
            case VoicemailStep():
                return (yield from self._record(step))
            case GotoStep():
                return ("goto",)
            case HangupStep():
                return End(Ending.DESIGNED)
        return None

    def _menu(self, step: MenuStep) -> _Steps:
        prompts: tuple[Prompt, ...] = (self._say(step.menu),)
        for _ in range(step.retries + 1):
            read = yield ReadDigits(prompts, most=1, first_s=step.wait_s, barge_in=step.barge_in)
            assert isinstance(read, Digits)
            if read.pressed in step.keys:
                self._choose(f"menu {self.node.partition(':')[0]}", _choice(step, read.pressed))
                return ("keys", read.pressed)
            prompts = self._again(step.menu, step.invalid if read.pressed else None)
        return ("otherwise",)

    def _collect(self, step: CollectStep) -> _Steps:
        least, most = step.digits
        terminator = _END_KEYS[step.end]
        prompts: tuple[Prompt, ...] = (self._say(step.collect),)
        for _ in range(step.retries + 1):
            # One more than wanted leaves room for the ending key, which must not stay behind for the next menu.
            read = yield ReadDigits(
                prompts,
                most=most + len(terminator),
                terminator=terminator,
                first_s=step.wait_s,
                between_s=step.between_s,
                barge_in=step.barge_in,
                secret=step.secret,
            )
            assert isinstance(read, Digits)
            if least <= len(read.pressed) <= most and read.pressed.isdigit():
                self._keep(step, read.pressed)
                return None
            prompts = self._again(step.collect, step.invalid if read.pressed else None)
        return ("otherwise",)

    def _keep(self, step: CollectStep, digits: str) -> None:
        if step.secret:
            self._variables.pop(step.into, None)
            self._secrets[step.into] = digits
        else:
            self._variables[step.into] = digits
            self._choose(step.into, digits)

    def _again(self, texts: Texts, first: Texts | None) -> tuple[Prompt, ...]:
        return (self._say(texts),) if first is None else (self._say(first), self._say(texts))

    def _look_up(self, step: LookupStep) -> _Steps:
        ((by, value),) = step.lookup.items()
        wanted = self._fill(value)
        found = CustomerFound(0)
        if wanted:
            answer = yield LookUpCustomer(by, wanted)
            assert isinstance(answer, CustomerFound)
            found = answer
        if found.matches == 1:
            self._know(found.values)
        self._variables["customer.matches"] = str(found.matches)
        return ("found",) if found.matches == 1 else ("several",) if found.matches else ("unknown",)

    def _know(self, values: Mapping[str, str]) -> None:
        """A record that was found replaces the one before; a look-up that finds none leaves it."""
        kept = {name: text for name, text in self._variables.items() if not name.startswith("customer.")}
        self._variables = kept | {f"customer.{name}": text for name, text in values.items()}

    def _set(self, step: SetStep) -> None:
        for name, value in step.set.items():
            filled = self._fill(value)
            if name != "language":
                self._variables[name] = filled
            elif filled in self._site.settings.languages:
                self.language = filled

    def _holds(self, step: IfStep) -> bool:
        """A condition that cannot be evaluated does not hold: the caller goes on, the log says why."""
        try:
            return step.condition.holds(self._all())
        except ConditionError as error:
            self.notes.append(f"{self.flow} {self.node}: {error}")
            return False

    def _queue(self, step: QueueStep) -> _Steps:
        queue = self._site.queues[step.queue]
        ended = yield Enqueue(
            waiting=self._waiting(step),
            priority=step.priority,
            skills=tuple(sorted(step.skills.items())),
            any_skill=tuple(tuple(choice.items()) for choice in step.any_skill),
            attributes=self._attributes(step),
            max_wait_s=queue.max_wait_s if step.max_wait_s is None else step.max_wait_s,
            preferred=tuple(dict.fromkeys(filter(None, map(self._fill, step.prefer)))),
            preferred_s=step.prefer_for_s if step.prefer else 0.0,
        )
        assert isinstance(ended, QueueEnded)
        exits = step.exits()
        if ended.outcome == PROMISED_EXIT and (PROMISED_EXIT,) not in exits:
            return End(Ending.DESIGNED)
        return next((way for way in ((ended.outcome,), ("then",)) if way in exits), None)

    def _call_back(self, step: CallbackStep) -> _Steps:
        wish = Promise(step.callback, "", step.priority, self._attributes(step))
        is_promised = yield from self.promise(wish)
        return ("promised",) if is_promised else ("otherwise",)

    def promise(self, wish: Promise) -> Generator[Instruction, Result, bool]:
        """Lead the dialogue that ends in a promise to call back for a queue of the site, or in none; the caller's own
        number is tried first. KeyError if the queue calls nobody back."""
        rules = self._site.queues[wish.queue].callback
        if rules is None:
            raise KeyError(wish.queue)
        wish = replace(wish, number=self._variables.get("caller", ""))
        return (yield from lead(rules, wish, self.language, self._site.settings.default_language))

    def _record(self, step: VoicemailStep) -> _Steps:
        recorded = yield RecordMessage((self._say(step.voicemail),), step.at_most_s, step.silence_s)
        assert isinstance(recorded, MessageRecorded)
        return None if recorded.file else ("otherwise",)

    def _waiting(self, step: QueueStep) -> Waiting:
        """The queue's way of waiting, with what the step says in place of it."""
        waiting = self.waiting_in(step.queue)
        if step.announcement is not None:
            waiting = replace(waiting, comfort=tuple(self._say(each) for each in step.announcement))
        if step.announce_every_s is not None:
            waiting = replace(waiting, announce_every_s=step.announce_every_s)
        return waiting if step.music is None else replace(waiting, music=step.music)

    def _attributes(self, step: QueueStep | CallbackStep) -> tuple[tuple[str, str], ...]:
        """What the agent is told: what the caller chose and typed, what the flow set, and what the step adds."""
        was_set = ((name, value) for name, value in self._variables.items() if name in self._site.topics)
        added = ((name, self._fill(value)) for name, value in step.attributes.items())
        return tuple(chain(self._chosen, was_set, added))

    def _choose(self, label: str, value: str) -> None:
        self._chosen = [*self._chosen, (label, value)][-MOST_CHOSEN:]

    def _all(self) -> dict[str, str]:
        return {**self._variables, **self._secrets, "language": self.language}

    def _fill(self, value: str) -> str:
        return fill(value, self._all(), whole=True)

    def _say(self, texts: Texts) -> Prompt:
        return text_prompt(texts, self.language, self._site.settings.default_language, self._all())


def _choice(step: MenuStep, key: str) -> str:
    """The key and where it leads, in words: `1 billing`."""
    spoken = next((word for word, sign in KEY_WORDS.items() if sign == key), key)
    target = step.keys[key]
    if isinstance(target, str):
        return f"{spoken} {target}"
    named = (getattr(each, each.word) for each in target if isinstance(each, QueueStep | GotoStep | FlowStep))
    return " ".join([spoken, *(name for name in [next(named, "")] if name)])


def _read_chosen(text: str) -> list[tuple[str, str]]:
    """What an earlier process wrote; nothing if it cannot be read, because a call must go on."""
    try:
        return [(str(label), str(value)) for label, value in json.loads(text)][-MOST_CHOSEN:] if text else []
    except (ValueError, TypeError):
        return []
