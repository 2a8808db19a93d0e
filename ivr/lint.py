"""What the files of a site mean together: names that must exist, nodes that must be reached, loops that must wait.

A file that could not be read takes part as unknown (None), so that one mistake is reported once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path as Folder

from ivr.conditions import Condition, ConditionError
from ivr.errors import Problem, did_you_mean, one_of, quote
from ivr.layout import Layout, Placed
from ivr.past_calls import NO_HISTORY, OUTCOMES
from ivr.positions import Document, Entry, Path
from ivr.prompt_texts import PromptTexts
from ivr.prompts import names_in, unknown_form
from ivr.recordings import SOUND_ENDINGS
from ivr.settings import CUSTOMER_FIELDS, NumberRule, Settings
from ivr.step_kinds.base import Named, Thing
from ivr.step_kinds.leading import SubflowStep
from ivr.values import Texts, forms
from ivr.verdicts import can_hold

#: Values that every call brings along.
CALL_VARIABLES = ("caller", "dialled", "interaction_id", "language")


#: Names that a flow may not give values to.
RESERVED = (*CALL_VARIABLES, "customer", "history")


@dataclass(frozen=True)
class Names:
    """What the files give names to; None where a file could not be read."""

    folder: Folder
    settings: Settings | None
    numbers: tuple[NumberRule, ...]
    queues: frozenset[str] | None
    hours: frozenset[str] | None
    skills: frozenset[str] | None
    flows: frozenset[str]
    layouts: Mapping[str, Layout]
    #: Queues that call back; None where that is unknown.
    calling_back: frozenset[str] | None = None
    #: Queues of calls; None where that is unknown.
    taking_calls: frozenset[str] | None = None

    trunks: frozenset[str] | None = None
    #: Queues of messages; None where that is unknown.
    taking_messages: frozenset[str] | None = None
    webhooks: frozenset[str] | None = None

    def of(self, thing: Thing) -> frozenset[str] | None:
        """The names that there are of a kind of thing; None where that is unknown."""
        return {
            Thing.CALENDAR: self.hours,
            Thing.FLOW: self.flows,
            Thing.QUEUE: self.queues,
            Thing.CALLING_BACK: self.queues,
            Thing.MESSAGES: self.queues,
            Thing.SKILL: self.skills,
            Thing.TRUNK: self.trunks,
            Thing.WEBHOOK: self.webhooks,
            Thing.GATEWAY: self._gateways,
        }[thing]

    @property
    def _gateways(self) -> frozenset[str] | None:
        return None if self.settings is None else frozenset((self.settings.text_messages and ("",)) or ())

    @property
    def languages(self) -> tuple[str, ...]:
        """The site's languages, none while they are unknown."""
        return self.settings.languages if self.settings else ()

    @property
    def default_language(self) -> str:
        """The site's default language, empty while it is unknown."""
        return self.settings.default_language if self.settings else ""

    @cached_property
    def _named(self) -> Mapping[str, Sequence[str]]:
        return {name: flows_named(layout) for name, layout in self.layouts.items()}

    @cached_property
    def _reached(self) -> dict[str, frozenset[str]]:
        """What was asked for already: with many flows, each is asked for at every step of all others."""
        return {}

    def reached_from(self, flow: str) -> frozenset[str]:
        """The flows that a call which starts in `flow` may come to, itself included."""
        if flow not in self._reached:
            reached: set[str] = set()
            waiting = [flow]
            while waiting:
                name = waiting.pop()
                if name not in reached and name in self.layouts:
                    reached.add(name)
                    waiting += self._named[name]
            self._reached[flow] = frozenset(reached)
        return self._reached[flow]

    def variables(self, flow: str) -> frozenset[str]:
        """The variables that a text or condition of a flow may use."""
        known = {*CALL_VARIABLES, *NO_HISTORY, "customer.matches", *(f"customer.{name}" for name in CUSTOMER_FIELDS)}
        if self.settings is not None:
            known |= {f"customer.{name}" for name in self.settings.customer_fields}
        for rule in self.numbers:
            known |= rule.labels.keys()
        for layout in self.leading_to(flow):
            known |= assigned(layout)
        return frozenset(known)

    def secrets(self, flow: str) -> frozenset[str]:
        """Those of the variables that are kept secret somewhere."""
        steps = (placed.step for layout in self.leading_to(flow) for placed in layout.steps.values())
        return frozenset(name for step in steps for name in step.secrets())

    @cached_property
    def _leading(self) -> dict[str, tuple[Layout, ...]]:
        return {}

    def leading_to(self, flow: str) -> Sequence[Layout]:
        """The flows that a call may have been in when it is in this one, itself included, and sub-flows of them."""
        if flow not in self._leading:
            leading = {name for name in self.layouts if flow in self.reached_from(name)}
            entered = {step.subflow for name in leading for step in self._subflows(name)}
            come_back = {name for subflow in entered for name in self.reached_from(subflow)}
            among = leading | come_back
            self._leading[flow] = tuple(layout for name, layout in self.layouts.items() if name in among)
        return self._leading[flow]

    def _subflows(self, flow: str) -> Iterator[SubflowStep]:
        steps = (placed.step for placed in self.layouts[flow].steps.values())
        return (step for step in steps if isinstance(step, SubflowStep))


def flows_named(layout: Layout) -> list[str]:
    """The flows that a call may go to from here, for good or to come back."""
    named = (each for placed in layout.steps.values() for each in placed.step.named())
    return [each.name for each in named if each.thing is Thing.FLOW]


def assigned(layout: Layout) -> frozenset[str]:
    """The names to which a flow gives values."""
    return frozenset(name for placed in layout.steps.values() for _, name in placed.step.assigned())


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """`unknown queue "x": expected …; did you mean …`."""
    words = sorted(known)
    return f"unknown {kind} {quote(name)}: {one_of(words)}{did_you_mean(name, words)}"


def check_flow(flow: str, document: Document, names: Names) -> Iterator[Problem]:
    """Everything wrong with one flow that its own models cannot see."""
    layout = names.layouts[flow]
    for missing in layout.missing:
        yield document.problem(missing.path, unknown("node", missing.node, layout.nodes))
    variables, secrets = names.variables(flow), names.secrets(flow)
    for placed in layout.steps.values():
        yield from _check_names(document, placed, names)
        yield from _check_assignments(document, placed, names)
        yield from _check_values(document, placed, variables, names)
        yield from _check_compared(document, placed, names)
        yield from _check_secrets(document, placed, secrets)
        yield from _check_own_words(document, placed, names)
        for path, texts in worded(placed):
            yield from check_languages(document, path, texts, names.settings)
            yield from check_names(document, path, texts, variables)


def _check_names(document: Document, placed: Placed, names: Names) -> Iterator[Problem]:
    """Queues, calendars, flows, skills, trunks and sounds that the step names."""
    for named in placed.step.named():
        known = names.of(named.thing)
        path = (*placed.path, *named.place)
        if named.thing is Thing.TRUNK and not named.name:
            if known is not None and not known:
                message = "no number can be called without a trunk: expected one in trunks.yaml"
                yield document.problem(path, message)
        elif named.thing is Thing.GATEWAY:
            if known is not None and not known:
                yield document.problem(path, "no text message can be sent: expected text_messages in site.yaml")
        elif known is not None and named.name not in known:
            kind = Thing.QUEUE if named.thing in (Thing.CALLING_BACK, Thing.MESSAGES) else named.thing
            yield document.problem(path, unknown(kind, named.name, known), at_key=named.at_key)
        elif message := _unfit(named, names):
            yield document.problem(path, message)
    for place, sounds in placed.step.sounds():
        yield from _check_sounds(document, (*placed.path, *place), sounds, names)


def takes_no_messages(queue: str) -> str:
    """What is said where messages are to get into a queue of something else."""
    return f"queue {quote(queue)} takes no messages: expected medium: message in queues.yaml"


def _unfit(named: Named, names: Names) -> str:
    """Why a queue that there is cannot be used so; empty when it can."""
    if named.thing is Thing.QUEUE and names.taking_calls is not None and named.name not in names.taking_calls:
        return f"queue {quote(named.name)} takes no calls: expected medium: voice in queues.yaml"
    if named.thing is Thing.MESSAGES and names.taking_messages is not None and named.name not in names.taking_messages:
        return takes_no_messages(named.name)
    if named.thing is Thing.CALLING_BACK and names.calling_back is not None and named.name not in names.calling_back:
        return f"queue {quote(named.name)} calls nobody back: expected callback in queues.yaml"
    return ""


def _check_sounds(document: Document, path: Path, sounds: Texts, names: Names) -> Iterator[Problem]:
    by_language = {"": sounds} if isinstance(sounds, str) else sounds
    for language, sound in by_language.items():
        if not _is_there(names.folder / "sounds", sound):
            message = f"there is no sound {quote(sound)}: expected it in the folder sounds"
            yield document.problem((*path, language) if language else path, message)
    yield from check_languages(document, path, sounds, names.settings)


def _is_there(folder: Folder, sound: str) -> bool:
    name, _, ending = sound.rpartition(".")
    bare = name if name and ending in SOUND_ENDINGS else sound
    return any((folder / f"{bare}.{each}").is_file() for each in SOUND_ENDINGS)


def _check_assignments(document: Document, placed: Placed, names: Names) -> Iterator[Problem]:
    """Names that get a value must be the flow's own; languages that callers are to hear must be the site's."""
    for place, name in placed.step.assigned():
        if name in RESERVED:
            message = f"{quote(name)} is taken: expected a name of your own"
            yield document.problem((*placed.path, *place), message, at_key=place[-1] == name)
    for place, language in placed.step.languages():
        if names.settings and not any(names_in(language, whole=True)) and language not in names.languages:
            yield document.problem((*placed.path, *place), unknown("language", language, names.languages))


def _check_values(document: Document, placed: Placed, known: frozenset[str], names: Names) -> Iterator[Problem]:
    """Variables in values and conditions."""
    for place, condition in placed.step.conditions():
        yield from _check_condition(document, (*placed.path, *place), condition, known, names)
    for place, value in placed.step.values():
        for name in names_in(value, whole=True):
            if name not in known:
                yield document.problem((*placed.path, *place), unknown("variable", name, known))
        if message := unknown_form(value):
            yield document.problem((*placed.path, *place), message)


def _check_secrets(document: Document, placed: Placed, secrets: frozenset[str]) -> Iterator[Problem]:
    """What was collected as a secret goes nowhere where people or files would see it."""
    for place, value in placed.step.open_secrets():
        if not secrets & {value.removeprefix("$")}:
            message = (
                f"{quote(value)} is no secret: expected a variable of a collect step with secret: true, as in $pin"
            )
            yield document.problem((*placed.path, *place), message)
    texts = (*placed.step.texts(), *placed.step.written())
    said = [(place, names_in(text)) for place, each in texts for text in forms(each)]
    for place, value in placed.step.values():
        if not placed.step.takes_secret_at(place):
            said.append((place, names_in(value, whole=True)))
    for place, used in said:
        for name in used:
            if name in secrets:
                message = f"{quote(name)} is secret: expected it only in lookup, switch, conditions and send"
                yield document.problem((*placed.path, *place), message)


def _check_own_words(document: Document, placed: Placed, names: Names) -> Iterator[Problem]:
    """Where our own words are to be said, there are some in the language that every caller may hear."""
    for place, ours in placed.step.own_words():
        if names.default_language and names.default_language not in ours:
            message = f"no words of our own in {names.default_language}: expected a text"
            yield document.problem((*placed.path, *place), message)


def _check_compared(document: Document, placed: Placed, names: Names) -> Iterator[Problem]:
    """Cases that can never be: a language that the site does not have, a VIP who is neither."""
    for place, value, case in placed.step.compared():
        yes_no = ("true", "false")
        domain = {
            "language": names.languages,
            "customer.vip": yes_no,
            "history.open_case": yes_no,
            "history.last_outcome": OUTCOMES,
        }
        used = tuple(names_in(value, whole=True))
        known = domain.get(used[0], ()) if len(used) == 1 else ()
        if known and case not in known:
            message = f"{quote(used[0])} is never {quote(case)}: {one_of(known)}{did_you_mean(case, known)}"
            yield document.problem((*placed.path, *place), message, at_key=True)


def _check_condition(
    document: Document, path: Path, text: str, known: frozenset[str], names: Names
) -> Iterator[Problem]:
    try:
        condition = Condition(text)
        condition.check(known)
        domains = {"history.last_outcome": ("", *OUTCOMES)} | ({"language": names.languages} if names.languages else {})
        if not can_hold(condition, domains):
            yield document.problem(path, "the condition can never hold: expected one that some caller fulfils")
    except ConditionError as error:
        problem = document.problem(path, str(error))
        yield replace(problem, column=problem.column + _offset(document.entry(path), error.offset))


def _offset(entry: Entry, offset: int) -> int:
    """How far right of its first character a place in a text stands; 0 where the source has another shape."""
    if "\n" in entry.text or entry.style in ("|", ">"):
        return 0
    return offset + len(entry.style)


def check_names(document: Document, path: Path, texts: Texts, known: frozenset[str]) -> Iterator[Problem]:
    """Values that stand in a text must be known."""
    for language, text in ({"": texts} if isinstance(texts, str) else texts).items():
        at = (*path, language) if language and not isinstance(texts, PromptTexts) else path
        for name in names_in(text):
            if name not in known:
                yield document.problem(at, unknown("variable", name, known))
        if message := unknown_form(text):
            yield document.problem(at, message)


def check_languages(document: Document, path: Path, texts: Texts, settings: Settings | None) -> Iterator[Problem]:
    """Texts must be in the site's languages, and among them in the default one; prompts are checked in their file."""
    if isinstance(texts, str | PromptTexts) or settings is None:
        return
    for language in texts:
        if language not in settings.languages:
            yield document.problem((*path, language), unknown("language", language, settings.languages), at_key=True)
    if settings.default_language not in texts:
        yield document.problem(path, f"no text in the default language: expected {settings.default_language}")


def worded(placed: Placed) -> Iterator[tuple[Path, Texts]]:
    """The texts that callers hear or read, each with its place."""
    yield from spoken(placed)
    for place, texts in placed.step.written():
        yield (*placed.path, *place), texts


def spoken(placed: Placed) -> Iterator[tuple[Path, Texts]]:
    """The texts of a step, each with its place."""
    for place, texts in placed.step.texts():
        yield (*placed.path, *place), texts


def untranslated(documents: Mapping[str, Document], names: Names) -> Iterator[Problem]:
    """Texts without a form in a language that callers of the flow may hear; they hear the default language."""
    for flow, layout in names.layouts.items():
        wanted = _languages_heard(flow, names)
        for placed in layout.steps.values():
            for path, texts in worded(placed):
                given = {names.default_language} if isinstance(texts, str) else texts.keys()
                missing = sorted(wanted - set(given))
                if missing:
                    yield documents[flow].problem(
                        path, f"no text in {' and '.join(missing)}: callers hear {names.default_language}"
                    )


def _languages_heard(flow: str, names: Names) -> set[str]:
    heard: set[str] = set()
    for rule in names.numbers:
        if flow in names.reached_from(rule.flow):
            heard.add(rule.language)
    for other, layout in names.layouts.items():
        if flow in names.reached_from(other):
            chosen = (language for placed in layout.steps.values() for _, language in placed.step.languages())
            heard |= {language for language in chosen if language in names.languages}
    return heard
