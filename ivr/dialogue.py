"""Runs a flow's tests: each a call that is walked through its flow, held against what the test says."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from ivr.errors import Problem, quote
from ivr.flow_tests import NUMBER, Given, ReadTest
from ivr.kept_values import KINDS, as_kind
from ivr.lint import unknown
from ivr.positions import Path
from ivr.settings import CUSTOMER_FIELDS, canonical
from ivr.site import Site
from ivr.step_values import PIN
from ivr.steps import (
    CallWebhook,
    CustomerFound,
    Ending,
    Enqueue,
    KeepAnswer,
    LookUpCustomer,
    PlayMusic,
    Promise,
    Prompt,
    ReadDigits,
    RecordCall,
    RecordMessage,
    SendText,
    Transfer,
    WebhookEnded,
)
from ivr.turns import (
    Answers,
    CalledBack,
    Expected,
    Expects,
    HangsUp,
    Hears,
    Keeps,
    Presses,
    Recorded,
    Records,
    Texted,
    Transferred,
    Turn,
    Waited,
    written,
)
from ivr.walk import Entry, Over, Spot, walk

#: Texts that a failure tells as heard last.
MOST_HEARD = 3
#: What a test says of a callback → why nobody will be called, as the engine says it.
_REFUSED = {"promised": "", "refused": "number", "never": "no_callback"}


class _Stopped(Exception):
    """The test is over before the call is: with what is wrong, or with nothing more to see."""

    def __init__(self, problem: Problem | None) -> None:
        self.problem = problem


def run_test(site: Site, test: ReadTest, tape: list[Entry] | None = None) -> Problem | None:
    """What came otherwise than the test says, at the entry that says it; None when the test passes.

    `tape` gets what happened, up to where the test ends.
    """
    given = test.given
    actors = _Actors(site, test)
    try:
        return actors.ends(
            walk(
                site, given.number, given.caller or "", actors, time_of(site, test), history=given.remembered, tape=tape
            )
        )
    except _Stopped as stopped:
        return stopped.problem


def time_of(site: Site, test: ReadTest) -> datetime:
    """The instant of a test's call."""
    return test.given.at.replace(tzinfo=ZoneInfo(site.settings.time_zone))


class _Actors:
    """Plays the caller, the records and the queues as a test says; raises _Stopped when the test is decided."""

    def __init__(self, site: Site, test: ReadTest) -> None:
        self._test = test
        self._turns = deque(test.turns)
        self._records = [_finding(site, test.given, record) for record in records_of(test.given)]
        self._wrong_pins, self._most_wrong_pins = 0, site.settings.pins.wrong_per_call
        self._heard: deque[str] = deque(maxlen=MOST_HEARD)
        self._place: Path = ()

    def hears(self, spot: Spot, prompt: Prompt) -> None:
        said = prompt.text or prompt.sound
        self._heard.append(said)
        if self._turns:
            _, turn = self._turns[0]
            if isinstance(turn, Hears) and turn.hears in said:
                self._turns.popleft()

    def hears_music(self, spot: Spot, wanted: PlayMusic) -> None:
        """Music is nothing that a test waits for."""

    def sees(self, spot: Spot, kept: RecordCall | KeepAnswer) -> None:
        turn = self._turns[0][1] if self._turns else None
        match kept:
            case RecordCall() if isinstance(turn, Records) and turn.records == (kept.consent or "stop"):
                self._turns.popleft()
            case KeepAnswer() if isinstance(turn, Keeps) and (kept.question, kept.value) in turn.keeps.items():
                self._turns.popleft()

    def presses(self, spot: Spot, wanted: ReadDigits) -> str | None:
        came = f"a question waits for keys at {spot}"
        turn = self._next()
        match turn:
            case Presses():
                return turn.presses
            case HangsUp():
                return None
        raise self._otherwise(turn, came)

    def finds(self, spot: Spot, wanted: LookUpCustomer) -> CustomerFound | None:
        sought = canonical(wanted.value) if wanted.by == NUMBER else wanted.value
        fitting = [(keys, values) for keys, values in self._records if keys.get(wanted.by) == sought]
        found = [values for _, values in fitting]
        if wanted.pin is not None:
            if self._wrong_pins >= self._most_wrong_pins:
                return CustomerFound(0, refused="blocked")
            if len(fitting) != 1 or not fitting[0][0][PIN] or fitting[0][0][PIN] != wanted.pin:
                self._wrong_pins += 1
                if len(fitting) == 1:
                    return CustomerFound(0, refused="wrong")
        return CustomerFound(len(found), found[0] if len(found) == 1 else {})

    def leaves_queue(self, spot: Spot, wanted: Enqueue) -> str | None:
        came = f"the caller waits in queue {wanted.queue} at {spot}"
        turn = self._next_but_expected(spot, "queue", wanted)
        match turn:
            case Waited():
                return turn.queue
            case HangsUp():
                return None
        raise self._otherwise(turn, came)

    def promises(self, spot: Spot, wanted: Promise) -> str | None:
        came = f"the caller asks to be called back by queue {wanted.queue} at {spot}"
        turn = self._next_but_expected(spot, "callback", wanted)
        match turn:
            case CalledBack():
                return _REFUSED[turn.callback]
            case HangsUp():
                return None
        raise self._otherwise(turn, came)

    def leaves_message(self, spot: Spot, wanted: RecordMessage) -> bool | None:
        came = f"a message is recorded {_whose(wanted)}at {spot}"
        turn = self._next_but_expected(spot, "message", wanted)
        match turn:
            case Recorded():
                return turn.message == "left"
            case HangsUp():
                return None
        raise self._otherwise(turn, came)

    def transfers(self, spot: Spot, wanted: Transfer) -> str | None:
        came = f"the caller is transferred to {wanted.kind} {wanted.to} at {spot}"
        turn = self._next_but_expected(spot, "transfer", wanted)
        match turn:
            case Transferred():
                return turn.transfer
            case HangsUp():
                return None
        raise self._otherwise(turn, came)

    def answers(self, spot: Spot, wanted: CallWebhook) -> WebhookEnded | None:
        came = f"webhook {wanted.endpoint.name} is called at {spot}"
        turn = self._next()
        match turn:
            case Answers():
                self._compare(_different_fields(turn, wanted), spot)
                return WebhookEnded(turn.webhook) if isinstance(turn.webhook, str) else kept(wanted, turn.webhook)
            case HangsUp():
                return None
        raise self._otherwise(turn, came)

    def sends(self, spot: Spot, wanted: SendText) -> str | None:
        came = f"a text message is sent to {wanted.to} at {spot}"
        turn = self._next()
        match turn:
            case Texted():
                self._compare(_different_message(turn, wanted), spot)
                return "" if turn.send_text == "sent" else turn.send_text
            case HangsUp():
                return None
        raise self._otherwise(turn, came)

    def _compare(self, differences: Iterator[str], spot: Spot) -> None:
        told = list(differences)
        if told:
            raise self._failed(f"{'; '.join(told)} at {spot}")

    def ends(self, over: Over) -> Problem | None:
        """What is wrong once the call is over."""
        while self._turns:
            self._place, turn = self._turns.popleft()
            if not (isinstance(turn, Expects) and turn.expects.is_of_the_end and _is_so(turn.expects, over)):
                return self._otherwise(turn, f"the call is over: {over}").problem
        return None

    def _next_but_expected(self, spot: Spot, word: str, came: Enqueue | Promise | RecordMessage | Transfer) -> Turn:
        """The entry after those that expect the caller to be here, which are held against what came."""
        turn = self._next()
        while isinstance(turn, Expects) and getattr(turn.expects, word) is not None:
            differences = list(_differences(turn.expects, word, came, spot.language))
            if differences:
                raise self._failed(f"{'; '.join(differences)} at {spot}")
            turn = self._next()
        return turn

    def _next(self) -> Turn:
        """The entry whose turn it is; the test is passed if there is none."""
        if not self._turns:
            raise _Stopped(None)
        self._place, turn = self._turns.popleft()
        return turn

    def _otherwise(self, turn: Turn, came: str) -> _Stopped:
        heard = f", having heard {', '.join(map(quote, self._heard))}" if self._heard else ""
        return self._failed(f"expected {_wanted(turn)}; came: {came}{heard}")

    def _failed(self, message: str) -> _Stopped:
        return _Stopped(self._test.problem(self._place, message))


def records_of(given: Given) -> Iterator[Mapping[str, str]]:
    """The customers that there are, with their numbers."""
    if given.customer is not None:
        yield {NUMBER: given.caller or "", **given.customer}
    yield from given.customers


def _finding(site: Site, given: Given, record: Mapping[str, str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """By what a record is found, and what a flow then sees; a field that is not given is empty."""
    names = (*CUSTOMER_FIELDS, *site.settings.customer_fields)
    keys = {NUMBER: canonical(record.get(NUMBER, "")), "account": record.get("account", ""), PIN: record.get(PIN, "")}
    return keys, {name: record.get(name, "") for name in names}


def _differences(
    expected: Expected, word: str, came: Enqueue | Promise | RecordMessage | Transfer, language: str
) -> Iterator[str]:
    if isinstance(came, Transfer):
        if expected.transfer != came.to:
            yield f"expected transfer to {expected.transfer}, came {came.to}"
        return
    queue, where = getattr(expected, word), "message for queue" if word == "message" else word
    if queue != came.queue:
        yield f"expected {where} {queue}, came {came.queue or 'none'}"
    if expected.priority is not None and expected.priority != came.priority:
        yield f"expected priority {expected.priority}, came {came.priority}"
    if isinstance(came, Enqueue) and expected.skills is not None and expected.skills != dict(came.skills):
        yield f"expected skills {_pairs(expected.skills)}, came {_pairs(dict(came.skills))}"
    attributes = dict(came.attributes)
    for name, value in (expected.attributes or {}).items():
        if attributes.get(name) != value:
            yield f"expected {name} {quote(value)}, came {quote(attributes[name]) if name in attributes else 'none'}"
    if expected.language is not None and expected.language != language:
        yield f"expected language {expected.language}, came {language}"


def kept(wanted: CallWebhook, values: Mapping[str, str]) -> WebhookEnded:
    """The answer of another program that has these values, each of its kind."""
    return WebhookEnded("ok", {name: as_kind(each, wanted.keep[name].type) or "" for name, each in values.items()})


def _different_fields(turn: Answers, came: CallWebhook) -> Iterator[str]:
    """What the step keeps and sends, held against what the test says of it."""
    for name, value in turn.webhook.items() if not isinstance(turn.webhook, str) else ():
        if name not in came.keep:
            yield unknown("value", name, came.keep)
        elif as_kind(value, came.keep[name].type) is None:
            yield f"{name} {quote(value)}: expected {KINDS[came.keep[name].type]}"
    fields = {**dict(came.query), **(came.send or {})}
    for name, value in (turn.sends or {}).items():
        if name not in fields:
            yield f"expected {name} to be sent, came none"
        elif written(fields[name]) != value:
            yield f"expected {name} {quote(value)}, came {quote(written(fields[name]))}"


def _different_message(turn: Texted, came: SendText) -> Iterator[str]:
    if turn.says is not None and turn.says not in came.prompt.text:
        yield f"expected a message with {quote(turn.says)}, came {quote(came.prompt.text)}"
    if turn.to is not None and turn.to != came.to:
        yield f"expected a message to {turn.to}, came {came.to}"


def _whose(came: RecordMessage) -> str:
    return f"for queue {came.queue} " if came.queue else ""


def _pairs(skills: Mapping[str, int]) -> str:
    return ", ".join(f"{skill} {level}" for skill, level in sorted(skills.items())) or "none"


def _is_so(expected: Expected, over: Over) -> bool:
    if over.end is None:
        return False
    ending, cause = over.end.ending, over.end.cause
    if expected.refused is not None:
        return ending is Ending.REFUSED and cause == expected.refused
    return ending is (Ending.BROKEN if expected.ended == "broken" else Ending.DESIGNED)


def _wanted(turn: Turn) -> str:
    match turn:
        case Hears():
            return f"to hear {quote(turn.hears)}"
        case Presses():
            return f"a question for the keys {turn.presses or 'that are not pressed'}"
        case Waited():
            return f"a wait in a queue, which ends {turn.queue}"
        case CalledBack():
            return f"a wish to be called back, which is {turn.callback}"
        case Recorded():
            return "a recording of a message"
        case Records():
            return f"the call to be recorded: {turn.records}"
        case Keeps():
            return f"the answer {', '.join(f'{name} {value}' for name, value in turn.keeps.items())} to be kept"
        case Answers(webhook=str(outcome)):
            return f"a webhook, which ends {outcome}"
        case Answers():
            return "a webhook, which answers"
        case Texted():
            return f"a text message: {turn.send_text}"
        case Transferred():
            return f"a transfer, which ends {turn.transfer}"
        case Expects(expects=expected):
            if expected.queue is not None:
                return f"a wait in queue {expected.queue}"
            if expected.callback is not None:
                return f"a wish to be called back by queue {expected.callback}"
            if expected.message is not None:
                return f"a message for queue {expected.message}"
            if expected.transfer is not None:
                return f"a transfer to {expected.transfer}"
            return f"refused {expected.refused}" if expected.refused else f"the end, {expected.ended}"
    return "a question, a wait, a transfer or a recording to hang up at"
