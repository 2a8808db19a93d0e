"""What is wrong with the words that waiting callers are told: a language missing, a value that nobody knows."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.errors import Problem, quote
from ivr.lint import Names, check_names, unknown
from ivr.positions import Document
from ivr.settings import Queue, TellRules
from ivr.waiting_texts import OURS, PLACES, words


def check_tell(document: Document, queue: Queue, names: Names) -> Iterator[Problem]:
    """The site's own words, and that there are words in the default language for whatever is told."""
    path = (queue.id, "tell", "texts")
    for which, given in queue.tell.texts.given():
        yield from check_names(document, (*path, which), given, PLACES[which])
        for language in () if isinstance(given, str) else given:
            if names.languages and language not in names.languages:
                message = unknown("language", language, names.languages)
                yield document.problem((*path, which, language), message, at_key=True)
    default = names.default_language
    for which in _told(queue.tell) if default else ():
        if default not in words(getattr(queue.tell.texts, which), OURS[which], default):
            yield document.problem(
                (*path, which), f"no words of our own in {default}: expected {quote(which)} in texts"
            )


def _told(tell: TellRules) -> tuple[str, ...]:
    """Which of the texts are used."""
    position = ("position", "beyond") if tell.position else ()
    wait = ("soon", "minute", "minutes", "long") if tell.wait else ()
    return (*position, *wait, *(("thanks",) if position or wait else ()))
