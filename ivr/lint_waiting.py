"""What is wrong with the words that waiting callers are told: a language missing, a value that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ivr import callback_dialogue, waiting_texts
from ivr.callback_dialogue import Dialogue
from ivr.errors import Problem, quote
from ivr.lint import Names, check_names, unknown
from ivr.positions import Document, Path
from ivr.prompt_texts import PromptTexts
from ivr.settings import Queue, TellRules
from ivr.values import Texts
from ivr.waiting_texts import words


def check_tell(document: Document, queue: Queue, names: Names) -> Iterator[Problem]:
    """The site's own words for place and wait, and that there are words for whatever is told."""
    path, given = (queue.id, "tell", "texts"), dict(queue.tell.texts.given())
    yield from _check_words(document, path, given, waiting_texts.PLACES, names)
    yield from _check_default(document, path, given, waiting_texts.OURS, _told(queue.tell), names)


def check_dialogue(document: Document, path: Path, dialogue: Dialogue, names: Names) -> Iterator[Problem]:
    """The site's own words for the promise to call back, and that there are words for all of it."""
    given = dict(dialogue.given())
    yield from _check_words(document, path, given, callback_dialogue.PLACES, names)
    said = [which for which in callback_dialogue.PLACES if which != "offer" or dialogue.key is not None]
    yield from _check_default(document, path, given, callback_dialogue.OURS, said, names)


def _check_words(
    document: Document,
    path: Path,
    given: Mapping[str, Texts],
    places: Mapping[str, frozenset[str]],
    names: Names,
) -> Iterator[Problem]:
    """Languages and values are known. A language that is missing has words of our own, or is the next check's."""
    for which, texts in given.items():
        yield from check_names(document, (*path, which), texts, places[which])
        for language in () if isinstance(texts, str | PromptTexts) else texts:
            if names.languages and language not in names.languages:
                message = unknown("language", language, names.languages)
                yield document.problem((*path, which, language), message, at_key=True)


def _check_default(
    document: Document,
    path: Path,
    given: Mapping[str, Texts],
    ours: Mapping[str, Mapping[str, str]],
    used: Iterable[str],
    names: Names,
) -> Iterator[Problem]:
    default = names.default_language
    for which in used if default else ():
        if default not in words(given.get(which), ours[which], default):
            message = f"no words of our own in {default}: expected {quote(which)}"
            yield document.problem((*path, which), message)


def _told(tell: TellRules) -> tuple[str, ...]:
    """Which of the texts are used."""
    position = ("position", "beyond") if tell.position else ()
    wait = ("soon", "minute", "minutes", "long") if tell.wait else ()
    return (*position, *wait, *(("thanks",) if position or wait else ()))
