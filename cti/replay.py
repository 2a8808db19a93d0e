"""Reading the journal again: why somebody got a caller, and whether a day repeats byte for byte.

Files are only read, a line at a time, also while a server writes them: a last line without its end is still being
written, or was torn. A damaged line ends its segment for us; the next one brings a whole state and goes on.

What does not belong here: what a journal is (`cti.journal`), what stands in somebody's way (`acd.why`), and what other
rules would change (`acd.eligibility`). All questions read the same way and stand together: hence more than 400 lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import orjson

from acd.codec import encode_command
from acd.commands import (
    Command,
    InteractionClosed,
    InteractionOpened,
    OfferClosed,
    OfferInteraction,
    StageChanged,
)
from acd.engine import Engine
from acd.errors import AcdError
from acd.model import OfferOutcome, Stage
from acd.snapshot import dump, interaction_view, restore
from acd.why import Why, explain_offer, explain_waiting
from cti.errors import CtiError
from cti.journal import Entry, JournalError, parse_entry, parse_opening, segment_paths
from cti.logs import NUMBER_FIELDS

#: A longer line is damage: no state of ours comes near it.
MOST_LINE_BYTES = 256 << 20
#: So often does the second of two replays go through a snapshot.
SNAPSHOT_EVERY = 2_000
#: So often is `pause` called while events are replayed.
PAUSE_EVERY = 64
#: The same while lines are only looked through.
PAUSE_READING_EVERY = 2_048

Pause = Callable[[], None]


class ReplayError(CtiError):
    """Nothing to be told: no journal there, an unknown id, an interaction that never asked for an agent."""

    code = "replay"


@dataclass(frozen=True, slots=True)
class Answer:
    """Why, and where that stands. `position` is that of the event that decided, or of the last one that is known
    for who still waits. `damage`: what could not be read on the way."""

    why: Why
    segment: Path
    line: int
    position: int
    damage: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the journal says one thing and its replay another; `field` is a path as in `state.agents[3].phone`."""

    segment: Path
    line: int
    position: int
    field: str
    expected: str
    got: str

    def __str__(self) -> str:
        where = f"{self.segment}:{self.line}: position {self.position}"
        return f"{where}: {self.field}: expected {self.expected}, the replay gave {self.got}"


@dataclass(frozen=True, slots=True)
class Repetition:
    """What a replay gave. `digest` is the SHA-256 of all commands in order: equal wherever it is repeated."""

    segments: int
    events: int
    commands: int
    digest: str
    damage: tuple[str, ...]
    difference: Difference | None


# --- reading ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opening:
    """A segment's first line."""

    path: Path
    position: int
    state: Mapping[str, Any]

    def engine(self) -> Engine:
        """The engine as the segment begins. Raises `JournalError` for a state that this version cannot read."""
        try:
            return restore(dict(self.state))
        except AcdError as error:
            raise JournalError(f"{self.path}:1: not a state of this version: {error}") from error


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The whole lines with their numbers from 1; raises `JournalError` when the file cannot be read."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MOST_LINE_BYTES):
                number += 1
                if not line.endswith(b"\n"):
                    if len(line) == MOST_LINE_BYTES:
                        raise JournalError(f"{path}:{number}: expected a line of less than {MOST_LINE_BYTES} bytes")
                    return
                yield number, line[:-1]
    except OSError as error:
        raise JournalError(f"{path}: cannot be read: {error.strerror}") from error


def opening_of(path: Path) -> Opening:
    """The segment's first line. Raises `JournalError`."""
    for _, line in _lines(path):
        head = parse_opening(path, line)
        return Opening(path, head["n"], head["state"])
    raise JournalError(f"{path}:1: expected a segment's opening line, got none")


def entries_of(opening: Opening) -> Iterator[tuple[int, Entry]]:
    """The segment's events with their line numbers. Raises `JournalError` at the first damaged line."""
    for number, line in _lines(opening.path):
        if number > 1:
            entry = parse_entry(opening.path, number, line)
            expected = opening.position + number - 1
            if entry.position != expected:
                raise JournalError(f"{opening.path}:{number}: expected position {expected}, got {entry.position}")
            yield number, entry


def _again(engine: Engine, entry: Entry) -> tuple[Command, ...]:
    """What the engine refused it refuses again, and nothing had changed."""
    try:
        return engine.handle(entry.event, entry.now)
    except AcdError:
        return ()


def _segments(place: Path) -> list[Path]:
    """All segments of a folder, oldest first, or the one file. Raises `ReplayError` when there is none."""
    paths = [place] if place.is_file() else segment_paths(place)
    if not paths:
        raise ReplayError(f"{place}: expected a journal (000001.jsonl …), found none")
    return paths


def local_zone(at: int) -> tzinfo:
    """This machine's zone as it is at that instant (µs)."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).astimezone().tzinfo or UTC


# --- why -------------------------------------------------------------------------------------------------


def explain(place: Path, wanted: str, pause: Pause = lambda: None) -> Answer:
    """Explain an offer (`…/1`), or of an interaction: why it waits, else what came last: its last offer, or why it
    still waited when it left the queue without one.

    `place` is a journal's folder or one segment; `pause` is called now and then and may raise to give up.
    Raises `ReplayError` for what cannot be found.
    """
    interaction_id, slash, number = wanted.rpartition("/")
    if not slash:
        interaction_id = wanted
    elif not number.isdecimal():
        raise ReplayError(f"{wanted}: expected an interaction or an offer (interaction/number); this was not offered")
    paths, damage, seen = _segments(place), [], False
    for path in reversed(paths):
        try:
            if not _concerns(path, interaction_id, pause):
                continue
            opening = opening_of(path)
            search = _Search(opening, interaction_id, wanted if slash else "", opening.engine())
        except JournalError as error:
            damage.append(str(error))
            continue
        search.run(pause)
        seen = seen or search.known
        damage += search.damage
        answer = search.answer(pause, tuple(damage))
        if answer is not None:
            return answer
    raise ReplayError(_not_found(wanted, place, len(paths), seen, damage))


def _not_found(wanted: str, place: Path, segments: int, seen: bool, damage: Sequence[str]) -> str:
    if seen and "/" not in wanted:
        what = "it was not offered to anybody, and did not wait for an agent"
    elif seen:
        what = "the interaction is there, this offer is not"
    else:
        what = "unknown id (an older one may have been in a segment that is no longer kept)"
    return "\n".join([f"{wanted}: not found in {place} ({segments} segments): {what}", *damage])


def _concerns(path: Path, interaction_id: str, pause: Pause) -> bool:
    """Whether the interaction was open when the segment began, or an event in it names it."""
    quoted = orjson.dumps(interaction_id)
    for number, line in _lines(path):
        if not number % PAUSE_READING_EVERY:
            pause()
        if quoted in line:
            if number > 1:
                return True
            opened = parse_opening(path, line)["state"].get("interactions", ())
            if any(each.get("id") == interaction_id for each in opened):
                return True
    return False


@dataclass(slots=True)
class _Search:
    """One segment, replayed for one interaction: where it was offered last (or as wanted), and where it left a queue
    without an offer. `offer_id` empty: any."""

    opening: Opening
    interaction_id: str
    offer_id: str
    engine: Engine
    known: bool = False
    offered: str = ""
    offered_at: int = 0
    left_at: int = 0
    line: int = 1
    position: int = 0
    stage: Stage = Stage.IN_FLOW
    damage: list[str] = field(default_factory=list)

    def run(self, pause: Pause) -> None:
        self.position = self.opening.position
        view = interaction_view(self.engine, self.interaction_id)
        self.known, self.stage = view is not None, view.stage if view else Stage.IN_FLOW
        try:
            for line, entry in entries_of(self.opening):
                self.line, self.position = line, entry.position
                if not line % PAUSE_EVERY:
                    pause()
                if self._is_over(_again(self.engine, entry)):
                    return
        except JournalError as error:
            self.damage.append(str(error))

    def _is_over(self, commands: Sequence[Command]) -> bool:
        waited = self.stage is Stage.QUEUED
        over = False
        for command in commands:
            if isinstance(command, OfferInteraction):
                self._see_offer(command)
            elif isinstance(command, OfferClosed):
                self._see_answer(command)
            elif isinstance(command, StageChanged):
                if command.interaction_id == self.interaction_id:
                    self.stage = command.stage
            elif isinstance(command, InteractionOpened):
                self.known = self.known or command.interaction_id == self.interaction_id
            elif isinstance(command, InteractionClosed) and command.interaction_id == self.interaction_id:
                self.stage, over = Stage.IN_FLOW, True
        if waited and not self.offer_id and self.stage in (Stage.IN_FLOW, Stage.TALKING):
            self.left_at = self.position
        return over or bool(self.offer_id and self.offered)

    def _see_offer(self, command: OfferInteraction) -> None:
        """Of several made together the first stands for all, until one of them is answered."""
        if command.interaction_id == self.interaction_id:
            is_first = self.offered_at != self.position
            if command.offer_id == self.offer_id or (not self.offer_id and is_first):
                self.offered, self.offered_at = command.offer_id, self.position

    def _see_answer(self, command: OfferClosed) -> None:
        mine = command.interaction_id == self.interaction_id and self.offered and not self.offer_id
        if mine and command.outcome is OfferOutcome.ACCEPTED:
            self.offered = command.offer_id

    def answer(self, pause: Pause, damage: tuple[str, ...]) -> Answer | None:
        path = self.opening.path
        if not self.offer_id and self.stage is Stage.QUEUED:
            return Answer(explain_waiting(self.engine, self.interaction_id), path, self.line, self.position, damage)
        if not self.offered and not self.left_at:
            return None
        engine, line, entry = self._before(max(self.offered_at, self.left_at), pause)
        if self.offered_at > self.left_at:
            why = explain_offer(engine, entry.event, entry.now, self.offered)
        else:
            why = explain_waiting(engine, self.interaction_id)
        return Answer(why, path, line, entry.position, damage)

    def _before(self, position: int, pause: Pause) -> tuple[Engine, int, Entry]:
        """The engine as it stood before the event at `position`, and that event."""
        engine = self.opening.engine()
        for line, entry in entries_of(self.opening):
            if entry.position == position:
                return engine, line, entry
            if not line % PAUSE_EVERY:
                pause()
            _again(engine, entry)
        raise JournalError(f"{self.opening.path}: position {position} was there and is not any more")


# --- as it was left ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Left:
    """The engine as the journal left it, after the event at `position`. `damage`: what could not be read on the way;
    then it is older than the journal's end."""

    engine: Engine
    segment: Path
    position: int
    damage: tuple[str, ...]


def as_left(place: Path, pause: Pause = lambda: None) -> Left:
    """Read the newest segment that can be begun. Raises `ReplayError` when there is none."""
    paths, damage = _segments(place), []
    for path in reversed(paths):
        try:
            opening = opening_of(path)
            engine = opening.engine()
        except JournalError as error:
            damage.append(str(error))
            continue
        position = opening.position
        try:
            for line, entry in entries_of(opening):
                if not line % PAUSE_EVERY:
                    pause()
                _again(engine, entry)
                position = entry.position
        except JournalError as error:
            damage.append(str(error))
        return Left(engine, path, position, tuple(damage))
    raise ReplayError("\n".join([f"{place}: expected a segment that can be read, found none", *damage]))


# --- a day again -----------------------------------------------------------------------------------------


def replay_journal(place: Path, pause: Pause = lambda: None) -> Repetition:
    """Replay every segment twice: both must give the same commands, and end in the next segment's opening state.

    The second replay goes through a snapshot now and then. `place` is a folder, or one segment, which is then held
    against the one after it. Stops at the first difference. Raises `ReplayError` when there is no journal.
    """
    paths = _segments(place)
    day = _Day(pause)
    for path in paths:
        if day.difference is None:
            day.repeat(path)
    if place.is_file() and day.difference is None:
        day.meet(next((each for each in segment_paths(place.parent) if each.name > place.name), None))
    return Repetition(day.segments, day.events, day.commands, day.digest.hexdigest(), tuple(day.damage), day.difference)


class _Day:
    """The state of a replay over segments. `end`: the engine where the segment before ended, if it is known."""

    def __init__(self, pause: Pause) -> None:
        self._pause = pause
        self._end: tuple[Engine, int] | None = None
        self.digest = hashlib.sha256()
        self.segments = self.events = self.commands = 0
        self.damage: list[str] = []
        self.difference: Difference | None = None

    def repeat(self, path: Path) -> None:
        try:
            opening = opening_of(path)
            self._compare(opening)
            if self.difference is None:
                self._end = None
                self._replay(opening)
        except JournalError as error:
            self._end = None
            self.damage.append(str(error))

    def meet(self, path: Path | None) -> None:
        """Hold the end that was reached against the opening of a segment that is not replayed itself."""
        try:
            if path is not None:
                self._compare(opening_of(path))
        except JournalError as error:
            self.damage.append(str(error))

    def _compare(self, opening: Opening) -> None:
        if self._end is None:
            return
        engine, position = self._end
        if opening.position > position:
            self.damage.append(f"{opening.path}: events {position + 1} to {opening.position} before it are not there")
        elif opening.position < position:
            self._differs(opening.path, 1, position, ("n", opening.position, position))
        else:
            self._differs(opening.path, 1, position, first_difference(dict(opening.state), dump(engine), "state"))

    def _replay(self, opening: Opening) -> None:
        first, second = opening.engine(), opening.engine()
        position = opening.position
        self.segments += 1
        for line, entry in entries_of(opening):
            position = entry.position
            commands, again = _again(first, entry), _again(second, entry)
            told = [encode_command(each) for each in commands]
            self.digest.update(orjson.dumps(told))
            self.events += 1
            self.commands += len(commands)
            if commands != again:
                twice = [encode_command(each) for each in again]
                self._differs(opening.path, line, position, first_difference(told, twice, "commands"))
                return
            if not line % PAUSE_EVERY:
                self._pause()
            if not line % SNAPSHOT_EVERY:
                second = restore(orjson.loads(orjson.dumps(dump(second))))
        self._differs(opening.path, 1, position, first_difference(dump(first), dump(second), "state"))
        self._end = (first, position)

    def _differs(self, path: Path, line: int, position: int, found: tuple[str, Any, Any] | None) -> None:
        if found is not None:
            name, expected, got = found
            self.difference = Difference(path, line, position, name, _shown(name, expected), _shown(name, got))


_NOTHING = object()


def first_difference(expected: Any, got: Any, where: str) -> tuple[str, Any, Any] | None:
    """The first path, in order, at which two plain values differ, with both values; None when they are equal."""
    if isinstance(expected, dict) and isinstance(got, dict):
        pairs = [(f".{name}", name) for name in [*expected, *(name for name in got if name not in expected)]]
        parts = [(label, expected.get(name, _NOTHING), got.get(name, _NOTHING)) for label, name in pairs]
    elif isinstance(expected, list) and isinstance(got, list):
        longer = max(len(expected), len(got))
        padded = [[*values, *[_NOTHING] * (longer - len(values))] for values in (expected, got)]
        parts = [(f"[{at}]", one, other) for at, (one, other) in enumerate(zip(*padded, strict=True))]
    else:
        return None if expected == got else (where, expected, got)
    for label, one, other in parts:
        if one != other:
            return first_difference(one, other, where + label)
    return None


def _shown(name: str, value: Any) -> str:
    """The value, short; numbers and what callers typed are not shown."""
    if value is _NOTHING:
        return "nothing"
    if ".attributes" in name or NUMBER_FIELDS & set(name.split(".")):
        return f"a {type(value).__name__} that is not shown"
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
