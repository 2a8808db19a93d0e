"""What an examination says: a level, what was found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """`ERROR`: calls fail or will; `WARNING`: something a site will regret; `OK`: looked at and good."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `advice` is what to do; empty when there is nothing to do."""

    level: Level
    what: str
    advice: str = ""


def good(what: str) -> Finding:
    return Finding(Level.OK, what)


def warning(what: str, advice: str) -> Finding:
    return Finding(Level.WARNING, what, advice)


def wrong(what: str, advice: str) -> Finding:
    return Finding(Level.ERROR, what, advice)
