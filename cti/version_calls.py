"""How many callers are in each version, written down by the running server for commands to read.

The server holds a lock as long as it runs, so that what a killed one left behind is not taken for the present.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import orjson

_FILE, _LOCK = "calls.json", "serving"
#: A command looks whether the lock is held by taking it for a moment.
_TRIES, _TRY_EVERY_S = 40, 0.05


class VersionCalls:
    """The server's side: `write` whenever it may have changed; the disk is touched only if it has."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[str, int] | None = None

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """While this lasts, commands believe what is written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / _FILE).unlink(missing_ok=True)
        with (self._folder / _LOCK).open("w") as lock:
            for _ in range(_TRIES):
                with contextlib.suppress(OSError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                await asyncio.sleep(_TRY_EVERY_S)
            yield

    async def write(self, calls: Mapping[str, int]) -> None:
        """Callers in progress by the hash of the version that they began on."""
        there = {key: number for key, number in calls.items() if key and number > 0}
        if there != self._written:
            await asyncio.to_thread(self._replace, there)
            self._written = there

    def _replace(self, calls: Mapping[str, int]) -> None:
        new = self._folder / f".{_FILE}-{os.getpid()}"
        new.write_bytes(orjson.dumps(calls))
        new.rename(self._folder / _FILE)


def read_calls(folder: Path) -> Mapping[str, int] | None:
    """What the running server wrote last; None where none runs, or none has written yet."""
    try:
        with (folder / _LOCK).open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                told = orjson.loads((folder / _FILE).read_bytes())
                return {str(key): int(number) for key, number in told.items()}
            return None
    except (OSError, ValueError, AttributeError, TypeError):
        return None
