"""What can be wrong with a site's files, and how it is said."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

#: What would begin a new line, move a terminal's cursor or turn the order of what is read.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def one_line(text: str) -> str:
    """The text with every character that would not stay in its line written out (`\\n`, `\\x1b`)."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in one file of the site. `file` is relative to the site folder; line and column count from 1."""

    file: str
    line: int
    column: int
    message: str

    def __post_init__(self) -> None:
        # Names out of a site's files stand in messages, which are shown line by line.
        object.__setattr__(self, "message", one_line(self.message))

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class IvrError(Exception):
    """Base of all errors of this package."""

    code = "ivr"


class SiteError(IvrError):
    """The site's files cannot be used; `problems` holds every mistake found, in the order of file and line."""

    code = "site"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


class ExecutionError(IvrError):
    """The interpreter was driven wrongly: a result that does not belong to the instruction, or one too many."""

    code = "execution"


class UnknownPlaceError(IvrError, LookupError):
    """A call wants to go on in a flow or node that the site no longer has."""

    code = "unknown_place"


def quote(text: object) -> str:
    """The text in double quotes, cut to a length that fits a line."""
    shown = str(text)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    return '"' + shown.replace("\n", " ") + '"'


#: Words that a message lists before it only counts the rest.
MOST_LISTED = 24


def one_of(words: Iterable[str]) -> str:
    """`expected a, b or c`, in the given order; a long list is cut."""
    listed = list(words)
    if len(listed) > MOST_LISTED:
        return f"expected {', '.join(listed[:MOST_LISTED])} or one of {len(listed) - MOST_LISTED} more"
    if not listed:
        return "expected none"
    if len(listed) == 1:
        return f"expected {listed[0]}"
    return f"expected {', '.join(listed[:-1])} or {listed[-1]}"


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """`; did you mean "x"?` for the nearest known word, or nothing."""
    close = get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"; did you mean {quote(close[0])}?" if close else ""
