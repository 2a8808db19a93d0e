"""Messages that callers leave: one WAV file each, under the interaction's id, written by Asterisk.

A file too short for anybody to have spoken is no message, and is removed. Asterisk writes plain PCM, 8 kHz, 16 bit.
"""

from __future__ import annotations

import re
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

#: What silence detection leaves of a recording on which nobody spoke is about a second.
SHORTEST_S = 1.5
_BYTES_PER_S = 16_000
_WAV_HEADER = 44
_SAFE = re.compile(r"[^A-Za-z0-9._-]")


class Messages:
    """The folder of messages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        return self._folder

    def make(self) -> None:
        """Make the folder; group-writable, for an Asterisk that runs as another user of our group."""
        self._folder.mkdir(mode=0o770, parents=True, exist_ok=True)

    def path(self, interaction_id: str, number: int) -> Path:
        """Where the interaction's message of this number lies, with its ending."""
        return self._folder / f"{_SAFE.sub('_', interaction_id)}-{number}.wav"

    def name(self, file: Path) -> str:
        """The message's name; empty when there is none, or too short a one."""
        try:
            seconds = (file.stat().st_size - _WAV_HEADER) / _BYTES_PER_S
        except OSError:
            return ""
        return file.name if seconds >= SHORTEST_S else ""

    def discard(self, file: Path) -> None:
        """Remove a recording that is no message."""
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            log.warning("message.not_removed", file=str(file), error=str(error))
