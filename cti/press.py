"""What the web side asks of publishing (`screenpop.ports.Publishing`): versions, differences, check, publish, roll
back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from cti.differences import FlowDifference
from cti.errors import CtiError
from cti.publishing import Outcome, Published, Publisher, Way
from cti.versions import Version, VersionError
from ivr.errors import SiteError


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version in a list. `calls`: callers in progress who began on its files; `of`: the version whose files were
    made live again, 0 for files that were published."""

    number: int
    hash: str
    published_at: int
    by: str
    note: str
    of: int
    is_live: bool
    calls: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The version that is live now, whether it is new, or everything that is wrong with the files."""

    number: int = 0
    is_new: bool = False
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with the working files, what might be, and whether they are those that are live."""

    problems: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class Differing:
    """Two versions held against each other. `problems`: why flows could not be compared; the files still are."""

    diff: str
    flows: tuple[FlowDifference, ...] = ()
    problems: tuple[str, ...] = ()


def version_lines(history: Sequence[Version], calls: Mapping[str, int]) -> Sequence[VersionLine]:
    """Newest first. Files that were made live again have their calls at the newest entry."""
    lines: list[VersionLine] = []
    told: set[str] = set()
    for each in reversed(history):
        in_it = calls.get(each.hash, 0) if each.hash not in told else 0
        told.add(each.hash)
        lines.append(
            VersionLine(
                each.number, each.hash, each.published_at, each.by, each.note, each.of, each == history[-1], in_it
            )
        )
    return lines


class Press:
    """`read`: makes the running server go on with what was made live."""

    def __init__(self, publisher: Publisher, published: Published, read: Callable[[], Awaitable[None]]) -> None:
        self._publisher = publisher
        self._published = published
        self._read = read

    async def versions(self) -> Sequence[VersionLine]:
        """Newest first."""
        history = await asyncio.to_thread(self._publisher.versions.history)
        return version_lines(history, self._published.calls)

    async def diff(self, old: int, new: int) -> Differing | None:
        """The differences of two versions, `new` 0: of the working files; None where one is not kept."""
        try:
            diff = await asyncio.to_thread(self._publisher.diff, old, new)
            return Differing(diff, tuple(await asyncio.to_thread(self._publisher.flow_diff, old, new)))
        except SiteError as error:
            return Differing(diff, problems=_problems(error))
        except VersionError:
            return None

    async def check(self) -> Checked:
        """Hold the working files against everything but the voice."""
        try:
            site = await self._publisher.check()
            return Checked(hints=tuple(map(str, site.hints)), is_live=await asyncio.to_thread(self._publisher.is_live))
        except (SiteError, CtiError) as error:
            return Checked(_problems(error))

    async def publish(self, by: str, note: str) -> Answered:
        """Check, render and make live the working files."""
        return await self._answered(self._publisher.publish(by, note, way=Way.WEB))

    async def roll_back(self, by: str, number: int, note: str) -> Answered:
        """Make an earlier version live again; 0: the one before."""
        return await self._answered(self._publisher.roll_back(by, number, note, way=Way.WEB))

    async def _answered(self, work: Awaitable[Outcome]) -> Answered:
        try:
            outcome = await work
        except (SiteError, CtiError) as error:
            return Answered(problems=_problems(error))
        if outcome.is_new:
            await self._read()
        return Answered(outcome.version.number, outcome.is_new)


def _problems(error: SiteError | CtiError) -> tuple[str, ...]:
    return tuple(map(str, error.problems)) if isinstance(error, SiteError) else (str(error),)
