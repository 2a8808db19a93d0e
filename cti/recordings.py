"""Recordings of calls: one WAV file each, both directions, from the caller's consent on, written by Asterisk.

A recording is MixMonitor on the caller's channel, so it goes on through queue and talk, and when the server restarts. A
call that cannot be recorded goes on without; why is logged and kept with the interaction.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

#: With less room than this on its disk nothing is begun: an hour takes 58 MB.
LEAST_FREE_BYTES = 200 << 20
#: So long after its beginning there must be something of it.
BEGUN_S = 5.0
_SAFE = re.compile(r"[^A-Za-z0-9._-]")


class Recordings:
    """The folder of recordings."""

    def __init__(self, folder: Path, *, least_free: int = LEAST_FREE_BYTES, begun_s: float = BEGUN_S) -> None:
        self._folder = folder
        self._least_free = least_free
        self._begun_s = begun_s
        self._tasks: set[asyncio.Task[None]] = set()

    def make(self) -> None:
        """Make the folder; group-writable, for an Asterisk that runs as another user of our group."""
        self._folder.mkdir(mode=0o770, parents=True, exist_ok=True)

    def path(self, interaction_id: str, number: int) -> Path:
        """Where the interaction's recording of this number lies."""
        return self._folder / f"{_SAFE.sub('_', interaction_id)}-{number}.wav"

    def trouble(self) -> str:
        """Why nothing can be recorded now; empty when it can."""
        if re.search(r'[,|"\\^]', str(self._folder)):
            return f"Asterisk cannot be told a folder with these characters: {self._folder}"
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            return f"{self._folder}: {error.strerror}"
        if free < self._least_free:
            return f"{self._folder}: {free >> 20} MB left, expected at least {self._least_free >> 20}"
        return "" if os.access(self._folder, os.W_OK | os.X_OK) else f"{self._folder}: not writable"

    def watch(self, file: Path, on_missing: Callable[[], None]) -> None:
        """See in a moment whether there is something of it, since Asterisk does not say so."""
        task = asyncio.get_running_loop().create_task(self._watch(file, on_missing))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, file: Path, on_missing: Callable[[], None]) -> None:
        await asyncio.sleep(self._begun_s)
        if not await asyncio.to_thread(file.exists):
            log.error("recording.not_written", file=str(file))
            on_missing()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
