"""The journal: every input of the engine, written before it is acted on, so that nothing lives in memory alone.

A journal is a folder of segments `000001.jsonl`. A segment opens with one line that holds the engine's whole
state (with the configuration); each further line is one input: `{"n": position, "t": now, "e": event}`. Lines are
written with one `write` each before the engine sees the event: a killed process loses nothing. The disk is synced
in the background at most every `sync_every_s` (0.05): a power cut loses at most that.

A torn last line (power cut in the middle of a write) is cut off and reported; a damaged line before the last one is
a `JournalError` that names file and line, because what follows it cannot be trusted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog

from acd.codec import decode_event, encode_event
from acd.engine import Engine
from acd.errors import AcdError
from acd.events import Event
from acd.snapshot import dump, restore
from cti import collector
from cti.errors import CtiError

log = structlog.get_logger(__name__)

#: How long another writer's lock is waited for.
_LOCK_EVERY_S, _LOCK_TRIES = 0.1, 10


class JournalError(CtiError):
    """A journal cannot be read or written; the message names the file and the line."""

    code = "journal"


@dataclass(frozen=True, slots=True)
class Entry:
    """One journaled input. `position` counts over all segments, `now` is the engine's clock in microseconds."""

    position: int
    now: int
    event: Event


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment as read: the engine's state at its start, its entries, and what was cut off at its end."""

    path: Path
    position: int
    now: int
    state: Mapping[str, Any]
    entries: tuple[Entry, ...]
    torn_bytes: int


def segment_paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.jsonl"))


def read_segment(path: Path) -> Segment:
    """Read a whole segment.

    Raises `JournalError` for damage anywhere but in the last line.
    """
    data = path.read_bytes()
    whole, newline, torn = data.rpartition(b"\n")
    lines = whole.split(b"\n") if newline else []
    if not lines:
        raise JournalError(f"{path}:1: expected a segment's opening line, got {len(data)} bytes without a line end")
    head = parse_opening(path, lines[0])
    entries = tuple(parse_entry(path, number, line) for number, line in enumerate(lines[1:], start=2))
    for number, entry in enumerate(entries, start=2):
        expected = head["n"] + number - 1
        if entry.position != expected:
            raise JournalError(f"{path}:{number}: expected position {expected}, got {entry.position}")
    return Segment(path, head["n"], head["t"], head["state"], entries, len(torn))


def parse_opening(path: Path, line: bytes) -> dict[str, Any]:
    """A segment's first line: `n` (position), `t` (now), `state`. Raises `JournalError` for another format."""
    head = _parse(path, 1, line)
    if head.get("journal") != 1:
        raise JournalError(f"{path}:1: expected journal format 1, got {head.get('journal')!r}")
    if not isinstance(head.get("n"), int) or not isinstance(head.get("state"), dict):
        raise JournalError(f"{path}:1: expected a position n and a state, got {sorted(head)}")
    return head


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise JournalError(f"{path}:{number}: not a journal line: {error}") from error
    if not isinstance(value, dict):
        raise JournalError(f"{path}:{number}: expected an object, got {type(value).__name__}")
    return value


def parse_entry(path: Path, number: int, line: bytes) -> Entry:
    """One of the further lines. Raises `JournalError` that names file and line."""
    value = _parse(path, number, line)
    try:
        return Entry(int(value["n"]), int(value["t"]), decode_event(value["e"]))
    except (KeyError, TypeError, ValueError, AcdError) as error:
        raise JournalError(f"{path}:{number}: not a journal entry: {error!r}") from error


def replay(segment: Segment) -> Iterator[tuple[Entry | None, Engine, tuple[Any, ...]]]:
    """Rebuild the engine: first (None, engine at the start, ()), then each entry with the commands it gave."""
    engine = restore(dict(segment.state))
    yield None, engine, ()
    for entry in segment.entries:
        yield entry, engine, _handle_again(engine, entry)


def _handle_again(engine: Engine, entry: Entry) -> tuple[Any, ...]:
    """What the engine refused it refuses again, and nothing had changed: that must not keep a server from starting."""
    try:
        return engine.handle(entry.event, entry.now)
    except AcdError as error:
        log.error("journal.event_refused", position=entry.position, error=str(error))
        return ()


class Journal:
    """The open end of a journal: append, sync in the background, begin a new segment.

    One process at a time: the folder is locked.
    """

    def __init__(self, folder: Path, *, sync_every_s: float = 0.05, keep_segments: int = 16) -> None:
        self._folder = folder
        self._sync_every_s = sync_every_s
        self._keep = keep_segments
        self._fd = -1
        self._lock_fd = -1
        self._dirty = False
        self.position = 0
        self.bytes_in_segment = 0
        self.on_synced: Callable[[float], None] = lambda seconds: None
        self.on_sync_failed: Callable[[OSError], None] = lambda error: log.error(
            "journal.sync_failed", error=str(error)
        )

    def open(self) -> Segment | None:
        """Lock the folder and read the newest segment that can be read whole, or None for a new journal.

        A newest segment without even its opening line (killed while it was begun) is set aside; the one before
        it is complete, since a segment is begun only after the last entry of the one before.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock()
        for path in reversed(segment_paths(self._folder)):
            if b"\n" not in path.read_bytes():
                path.rename(path.with_suffix(".torn"))
                log.warning("journal.segment_torn", segment=path.name)
                continue
            segment = read_segment(path)
            if segment.torn_bytes:
                log.warning("journal.line_torn", segment=path.name, bytes=segment.torn_bytes)
            self.position = segment.entries[-1].position if segment.entries else segment.position
            return segment
        return None

    def earlier_segments(self, newest: Segment, after: int) -> Iterator[Segment]:
        """The segments before `newest` that hold entries beyond position `after`, oldest first.

        One that cannot be read ends the search back: what stood in it is logged as missing.
        """
        found: list[Segment] = []
        first = newest.position
        for path in reversed([path for path in segment_paths(self._folder) if path < newest.path]):
            if first <= after:
                break
            try:
                segment = read_segment(path)
            except JournalError as error:
                log.error("journal.segment_unreadable", error=str(error))
                break
            found.append(segment)
            first = segment.position
        return iter(reversed(found))

    def _lock(self) -> None:
        """One writer. A program that a killed server was just starting holds its lock until it runs: wait a moment."""
        import fcntl

        self._lock_fd = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for wait_s in (*[_LOCK_EVERY_S] * _LOCK_TRIES, 0.0):
            try:
                fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                cause = error
            time.sleep(wait_s)
        os.close(self._lock_fd)
        self._lock_fd = -1
        raise JournalError(f"{self._folder}: another process writes this journal; stop it first") from cause

    def size(self) -> tuple[int, int]:
        """How many segments there are, and their bytes."""
        sizes = []
        for path in segment_paths(self._folder):
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                sizes.append(path.stat().st_size)
        return len(sizes), sum(sizes)

    def begin_segment(self, engine: Engine, now: int) -> None:
        """Start a new segment with the engine's whole state; older ones beyond the limit are removed.

        Raises `JournalError` when it cannot be written: then there is no new one, and entries go where they went.
        """
        paths = segment_paths(self._folder)
        number = int(paths[-1].stem) + 1 if paths else 1
        path = self._folder / f"{number:06d}.jsonl"
        with collector.paused():
            line = orjson.dumps({"journal": 1, "n": self.position, "t": now, "state": dump(engine)}) + b"\n"
        self.bytes_in_segment = 0  # also when it fails: tried again after as many bytes, not with every event
        fd = self._create(path, line)
        self._close_file()
        self._fd = fd
        for old in paths[: max(0, len(paths) + 1 - self._keep)]:
            old.unlink(missing_ok=True)

    def _create(self, path: Path, line: bytes) -> int:
        """A new file that holds this line, safe on disk under its name; nothing at all if that cannot be."""
        fd = -1
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            written = 0
            while written < len(line):
                written += os.write(fd, line[written:])
            os.fsync(fd)
            folder = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            if fd >= 0:
                os.close(fd)
                path.unlink(missing_ok=True)
            raise JournalError(f"{path}: cannot begin a segment: {error}") from error
        return fd

    def append(self, event: Event, now: int) -> int:
        """Write one input; returns its position. Raises `JournalError` when the disk refuses it."""
        position = self.position + 1
        line = orjson.dumps({"n": position, "t": now, "e": encode_event(event)}) + b"\n"
        self._write(line)
        self.position = position
        self.bytes_in_segment += len(line)
        self._dirty = True
        return position

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            raise JournalError(f"{self._folder}: cannot write the journal: {error}") from error
        if written != len(line):
            # A short write leaves half a line: take it back, so that the next line is whole.
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise JournalError(f"{self._folder}: cannot write the journal: {written} of {len(line)} bytes fitted")

    async def keep_synced(self) -> None:
        """Sync to disk until cancelled, at most every `sync_every_s`."""
        while True:
            await asyncio.sleep(self._sync_every_s)
            if self._dirty:
                self._dirty = False
                fd = self._fd
                loop = asyncio.get_running_loop()
                began = loop.time()
                try:
                    await asyncio.to_thread(os.fdatasync, fd)
                    self.on_synced(loop.time() - began)
                except OSError as error:
                    if fd == self._fd:  # else a new segment was begun meanwhile, and the old one synced by that
                        self._dirty = True
                        self.on_sync_failed(error)

    def _close_file(self) -> None:
        if self._fd >= 0:
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1

    def close(self) -> None:
        """Sync, close, and let another process have the folder."""
        self._close_file()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1
