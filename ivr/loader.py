"""A site folder to a `Site`, or to everything that is wrong with it in one `SiteError`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from ivr import recordings
from ivr.alarms import Alarms
from ivr.callers import Callers
from ivr.endpoints import Endpoint
from ivr.errors import Problem, SiteError, quote
from ivr.files import read_file
from ivr.hours import Calendar
from ivr.ics_lines import MOST_BYTES as MOST_CALENDAR_BYTES
from ivr.ics_lines import CalendarFileError
from ivr.layout import lay_out
from ivr.lint import (
    CALL_VARIABLES,
    RESERVED,
    Names,
    check_flow,
    check_languages,
    check_names,
    unknown,
    untranslated,
)
from ivr.lint_waiting import check_dialogue, check_tell
from ivr.lint_ways import check_ways
from ivr.messages import problems_of
from ivr.overflow import FLOW, circles
from ivr.positions import MOST_BYTES, Document, read_document
from ivr.positions import Path as Place
from ivr.prompt_texts import PromptBook
from ivr.reasons import Reasons, ReasonsFile
from ivr.recordings import PromptRule
from ivr.schema import Flow
from ivr.settings import NumberRule, Queue, Settings, Skill, Trunk, canonical, check_number
from ivr.site import Site
from ivr.values import NAME_RULE, is_name

MOST_FLOWS = 200

Model = TypeVar("Model", bound=BaseModel)


def load_site(folder: Path) -> Site:
    """Read and check a site folder. Raises SiteError with every problem of every file."""
    return _Loading(folder).load()


class _Loading:
    """One run over the files; problems gather in `problems`, and a file with problems leaves gaps, not guesses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[Problem] = []
        self.digest = hashlib.sha256()
        self.book = PromptBook({}, None)

    def load(self) -> Site:
        settings_file = self._read("site.yaml")
        prompts_file, prompts = self._prompts(_default_language(settings_file))
        settings = self._model(settings_file, Settings)
        language = settings.default_language if settings else "en"
        zone = settings.time_zone if settings else "UTC"
        numbers_file, _, numbers = self._named("numbers.yaml", NumberRule, "number", needed=True, language=language)
        _, trunk_names, trunks = self._named("trunks.yaml", Trunk, "name")
        _, webhook_names, webhooks = self._named("webhooks.yaml", Endpoint, "name")
        queues_file, queue_names, queues = self._named("queues.yaml", Queue, "id")
        _, skill_names, skills = self._named("skills.yaml", Skill, "id", short="title")
        hours_file, calendar_names, hours = self._named("hours.yaml", Calendar, "id", time_zone=zone)
        reasons = self._model(self._read("reasons.yaml", needed=False), ReasonsFile)
        callers_file = self._read("callers.yaml", needed=False)
        callers = self._model(callers_file, Callers)
        alarms_file = self._read("alarms.yaml", needed=False)
        alarms = self._model(alarms_file, Alarms)
        flow_files = dict(self._flow_files())
        flows = {name: flow for name, file in flow_files.items() if (flow := self._model(file, Flow))}
        names = Names(
            folder=self.folder,
            settings=settings,
            numbers=tuple(sorted(numbers.values(), key=lambda rule: rule.rank)),
            queues=queue_names,
            hours=calendar_names,
            skills=skill_names,
            trunks=trunk_names,
            webhooks=webhook_names,
            flows=frozenset(flow_files),
            layouts={name: lay_out(flow) for name, flow in flows.items()},
            calling_back=_those(queue_names, queues, lambda queue: queue.callback is not None),
            taking_messages=_those(queue_names, queues, lambda queue: queue.medium == "message"),
            taking_calls=_those(queue_names, queues, lambda queue: queue.medium == "voice"),
        )
        documents = {name: file for name, file in flow_files.items() if file is not None}
        for name in flows:
            self.problems += check_flow(name, documents[name], names)
        self.problems += check_ways(documents, names)
        if prompts_file is not None:
            for prompt_id, rule in prompts.items():
                self.problems += check_languages(prompts_file, (prompt_id,), rule.texts, settings)
        if numbers_file is not None:
            self.problems += _check_numbers(numbers_file, names)
        for calendar in hours.values():
            if hours_file is not None and calendar.calendar is not None:
                self._take_events(hours_file, calendar)
            if hours_file is not None and calendar.never_opens:
                never = f"calendar {quote(calendar.id)} never opens: expected a time range on some day"
                self.problems.append(hours_file.problem((calendar.id,), never, at_key=True))
        if callers is not None and callers_file is not None:
            self.problems += _check_callers(callers_file, callers, names)
        if alarms is not None and alarms_file is not None:
            known = {"queue": queue_names, "trunk": trunk_names, "webhook": webhook_names}
            self.problems += _check_alarms(alarms_file, alarms, known)
        if queues_file is not None:
            self.problems += _check_queues(queues_file, queues, names, trunk_names)
        if settings_file is not None and settings is not None:
            message = settings.fail_safe.message
            self.problems += check_languages(settings_file, ("fail_safe", "message"), message, settings)
            self.problems += check_names(settings_file, ("fail_safe", "message"), message, frozenset())
            self.problems += _check_gateway(settings_file, settings, webhook_names)
        unheard = recordings.hints(self.folder, prompts_file, prompts, self.book.used) if prompts_file else ()
        if self.problems or settings is None:
            raise SiteError(self.problems)
        return Site(
            folder=self.folder,
            version=self.digest.hexdigest(),
            settings=settings,
            numbers=names.numbers,
            flows=flows,
            queues=queues,
            hours=hours,
            trunks=trunks,
            webhooks=webhooks,
            skills=skills,
            reasons=reasons.reasons() if reasons else Reasons(),
            callers=callers or Callers(),
            alarms=alarms or Alarms(),
            layouts=names.layouts,
            untranslated=tuple(untranslated(documents, names)),
            prompts=prompts,
            unheard=tuple(unheard),
        )

    def _take_events(self, hours_file: Document, calendar: Calendar) -> None:
        """The events of a calendar's own file."""
        file = calendar.calendar or ""
        try:
            content = read_file(self.folder / file, MOST_CALENDAR_BYTES)
            self.digest.update(f"{file}\0{len(content)}\0".encode() + content)
            calendar.take_events(content)
        except FileNotFoundError:
            message = f"there is no file {quote(file)}: expected it in the site's folder"
            self.problems.append(hours_file.problem((calendar.id, "calendar"), message))
        except OSError as error:
            self._wrong(file, f"the file cannot be read: {error.strerror}")
        except CalendarFileError as error:
            self.problems.append(Problem(file, error.line, 1, str(error)))

    def _read(self, file: str, *, needed: bool = True) -> Document | None:
        """A file's values; None if it is not there or cannot be relied on. A file that need not be there is empty."""
        try:
            content = read_file(self.folder / file, MOST_BYTES)
        except FileNotFoundError:
            if not needed:
                return Document(file)
            self._wrong(file, "there is no such file")
            return None
        except OSError as error:
            self._wrong(file, f"the file cannot be read: {error.strerror}")
            return None
        self.digest.update(f"{file}\0{len(content)}\0".encode() + content)
        document, problems = read_document(file, content)
        self.problems += problems
        return document

    def _wrong(self, file: str, message: str) -> None:
        self.problems.append(Problem(file, 1, 1, message))

    def _validate(self, document: Document, model: type[Model], value: Any, place: Place, key: str) -> Model | None:
        try:
            return TypeAdapter(model).validate_python(value, context=self.book)
        except ValidationError as error:
            self.problems += problems_of(document, model, error, place, key)
            return None

    def _model(self, document: Document | None, model: type[Model]) -> Model | None:
        if document is None:
            return None
        return self._validate(document, model, {} if document.value is None else document.value, (), "")

    def _named(
        self, file: str, model: type[Model], key: str, *, needed: bool = False, short: str = "", **defaults: str
    ) -> tuple[Document | None, frozenset[str] | None, dict[str, Model]]:
        """A file of name → rules: the document, all names that stand in it (None: unknown), and the checked rules."""
        document = self._read(file, needed=needed)
        if document is None:
            return None, None, {}
        entries = {} if document.value is None else document.value
        if not isinstance(entries, dict):
            self.problems.append(document.problem((), "expected names with their rules, such as billing:"))
            return document, None, {}
        found: dict[str, Model] = {}
        for name, rules in entries.items():
            if short and not isinstance(rules, dict):
                rules = {short: rules}
            if isinstance(rules, dict):
                if key in rules:
                    message = f"unknown key {quote(key)}: expected it before the colon, as {name} stands"
                    self.problems.append(document.problem((name, key), message, at_key=True))
                rules = {**defaults, **rules, key: name}
            checked = self._validate(document, model, rules, (name,), key)
            if checked is not None:
                found[name] = checked
        return document, frozenset(entries), found

    def _prompts(self, default: str) -> tuple[Document | None, Mapping[str, PromptRule]]:
        """`prompts.yaml`, and the book in which all other files find its prompts, with their recordings."""
        document = self._read("prompts.yaml", needed=False)
        entries = document.value if document is not None else None
        if document is None or not isinstance(entries, dict | None):
            if document is not None:
                self.problems.append(document.problem((), "expected prompts with their texts, such as welcome:"))
            return document, {}
        rules: dict[str, PromptRule] = {}
        for prompt_id, entry in (entries or {}).items():
            texts = {default: entry} if not isinstance(entry, dict) else {**entry}
            note = texts.pop("note", None)
            value = {"id": prompt_id, "texts": texts, "note": note}
            rule = self._validate(document, PromptRule, value, (prompt_id,), "id")
            if rule is not None:
                rules[prompt_id] = rule
        for file in recordings.files(self.folder):
            self.digest.update(f"{file.relative_to(self.folder)}\0".encode())
        texts_by_id = {prompt_id: recordings.with_recordings(self.folder, rule) for prompt_id, rule in rules.items()}
        self.book = PromptBook(texts_by_id, frozenset(entries or ()))
        return document, rules

    def _flow_files(self) -> Iterator[tuple[str, Document | None]]:
        for stray in sorted([*self.folder.glob("*.yml"), *self.folder.glob("flows/*.yml")]):
            self._wrong(stray.relative_to(self.folder).as_posix(), "this file is not read: expected the ending .yaml")
        files = sorted((self.folder / "flows").glob("*.yaml"))
        if not files:
            self._wrong("flows", "there is no flow: expected at least one file such as flows/main.yaml")
        if len(files) > MOST_FLOWS:
            self._wrong("flows", f"{len(files)} flows: expected at most {MOST_FLOWS}")
        for file in files[:MOST_FLOWS]:
            if not is_name(file.stem):
                self._wrong(f"flows/{file.name}", f"{quote(file.stem)} cannot name a flow: expected {NAME_RULE}")
            yield file.stem, self._read(f"flows/{file.name}")


def _default_language(settings: Document | None) -> str:
    """The language of texts that name none, before the settings are checked: they may have prompts in them."""
    written = settings.value.get("default_language") if settings and isinstance(settings.value, dict) else None
    return written if isinstance(written, str) else "en"


def _check_numbers(document: Document, names: Names) -> Iterator[Problem]:
    """Keys are numbers in quotes, no two the same; flows, languages and labels are known."""
    first: dict[str, str] = {}
    for number in document.value if isinstance(document.value, dict) else ():
        entry = document.entry((number,))
        if not entry.key_is_quoted:
            yield document.problem(
                (number,), f'{number} without quotes is not text: expected quotes, "{number}"', at_key=True
            )
        if message := check_number(number):
            yield document.problem((number,), message, at_key=True)
        earlier = first.setdefault(canonical(number), number)
        if earlier != number:
            yield document.problem((number,), f"{quote(number)} is the same number as {quote(earlier)}", at_key=True)
    for rule in names.numbers:
        if rule.flow not in names.flows:
            yield document.problem((rule.number, "flow"), unknown("flow", rule.flow, names.flows))
        if names.languages and rule.language not in names.languages:
            yield document.problem((rule.number, "language"), unknown("language", rule.language, names.languages))
        for label in rule.labels:
            if label in RESERVED:
                message = f"{quote(label)} is taken: expected a name of your own"
                yield document.problem((rule.number, "labels", label), message, at_key=True)


def _check_gateway(document: Document, settings: Settings, webhooks: frozenset[str] | None) -> Iterator[Problem]:
    """What sends text messages is declared."""
    gateway = settings.text_messages
    if gateway is not None and webhooks is not None and gateway.webhook not in webhooks:
        yield document.problem(("text_messages", "webhook"), unknown("webhook", gateway.webhook, webhooks))


def _skill_paths(queue: Queue) -> Iterator[tuple[str | int, ...]]:
    """Where the queue names skills."""
    yield from (("skills", skill) for skill in queue.skills)
    yield from (("any_skill", at, skill) for at, choice in enumerate(queue.any_skill) for skill in choice)
    yield from (("relax", at, "skills", skill) for at, ring in enumerate(queue.relax) for skill in ring.skills)


def _check_callers(document: Document, callers: Callers, names: Names) -> Iterator[Problem]:
    for key, flow in callers.flows():
        if flow not in names.flows:
            yield document.problem((key, "flow"), unknown("flow", flow, names.flows))


def _check_alarms(document: Document, alarms: Alarms, known: Mapping[str, frozenset[str] | None]) -> Iterator[Problem]:
    """What rules watch is there, and what is told too."""
    for place, kind, name in alarms.named():
        names = known[kind]
        if names is not None and name not in names:
            yield document.problem(place, unknown(kind, name, names))


def _check_queues(
    document: Document, queues: dict[str, Queue], names: Names, trunks: frozenset[str] | None
) -> Iterator[Problem]:
    """Skills and queues are known; overflow comes to an end; announcements can be said."""
    for queue_id, at, way in circles({queue.id: queue.overflow for queue in queues.values()}):
        message = f"callers who are refused would go round ({' → '.join(way)}): expected one of them to lead to flow"
        yield document.problem((queue_id, "overflow", at), message)
    for queue in queues.values():
        for path in _skill_paths(queue):
            if names.skills is not None and path[-1] not in names.skills:
                skill = str(path[-1])
                yield document.problem((queue.id, *path), unknown("skill", skill, names.skills), at_key=True)
        for at, ring in enumerate(queue.relax):
            for number, other in enumerate(ring.queues):
                if other == queue.id or other not in queues:
                    known = frozenset(queues) - {queue.id}
                    yield document.problem((queue.id, "relax", at, "queues", number), unknown("queue", other, known))
        for at, rule in enumerate(queue.overflow):
            if rule.to == queue.id or rule.to not in {*queues, FLOW}:
                known = frozenset({*queues, FLOW}) - {queue.id}
                yield document.problem((queue.id, "overflow", at, "to"), unknown("queue", rule.to, known))
        yield from _check_media(document, queue, queues)
        for number, announcement in enumerate(queue.announcement):
            path = (queue.id, "announcement", number)
            yield from check_languages(document, path, announcement, names.settings)
            yield from check_names(document, path, announcement, frozenset(CALL_VARIABLES))
        yield from check_tell(document, queue, names)
        yield from _check_callback(document, queue, names, trunks)


def _check_media(document: Document, queue: Queue, queues: dict[str, Queue]) -> Iterator[Problem]:
    """Who waits stays with their medium, wherever rings and overflow lead."""
    led: list[tuple[tuple[str | int, ...], str]] = [
        (("relax", at, "queues", number), other)
        for at, ring in enumerate(queue.relax)
        for number, other in enumerate(ring.queues)
    ]
    led += [(("overflow", at, "to"), rule.to) for at, rule in enumerate(queue.overflow)]
    for path, other in led:
        if other in queues and queues[other].medium != queue.medium:
            message = f"queue {quote(other)} is of medium {queues[other].medium}: expected one of {queue.medium}"
            yield document.problem((queue.id, *path), message)


def _those(
    names: frozenset[str] | None, queues: dict[str, Queue], wanted: Callable[[Queue], bool]
) -> frozenset[str] | None:
    """The queues that are wanted; None where a queue could not be read."""
    if names is None or len(queues) < len(names):
        return None
    return frozenset(queue.id for queue in queues.values() if wanted(queue))


def _check_callback(document: Document, queue: Queue, names: Names, trunks: frozenset[str] | None) -> Iterator[Problem]:
    """There is a line to call by, and the greeting can be said."""
    rules = queue.callback
    if rules is None:
        return
    at = (queue.id, "callback")
    yield from check_dialogue(document, at, rules, names)
    yield from check_languages(document, (*at, "greeting"), rules.greeting, names.settings)
    yield from check_names(document, (*at, "greeting"), rules.greeting, frozenset(CALL_VARIABLES))
    if trunks and rules.trunk is not None and rules.trunk not in trunks:
        yield document.problem((*at, "trunk"), unknown("trunk", rules.trunk, trunks))
    elif trunks is not None and not trunks:
        yield document.problem(
            at, "nobody can be called back without a trunk: expected one in trunks.yaml", at_key=True
        )
