"""Where the laboratory keeps what it fetched and built.

What belongs here: the one folder of our own, and nothing else. `make clean` removes exactly this folder.
"""

import os
from pathlib import Path

__all__ = ["home", "repository"]


def repository() -> Path:
    """Return the root of the source tree that this package lies in."""
    return Path(__file__).resolve().parent.parent


def home() -> Path:
    """Return the folder for everything fetched: `$CALLYARD_HOME`, else `.callyard` in the source tree."""
    chosen = os.environ.get("CALLYARD_HOME", "")
    return Path(chosen).expanduser().resolve() if chosen else repository() / ".callyard"
