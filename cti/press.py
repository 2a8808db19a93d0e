"""What the web side asks of publishing (`screenpop.ports.Publishing`): versions, differences, publish, roll back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cti.publishing import Outcome, Published, Publisher
from cti.versions import VersionError
from ivr.errors import SiteError


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version in a list. `calls`: callers in progress who began on its files."""

    number: int
    hash: str
    published_at: int
    by: str
    note: str
    is_live: bool
    calls: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The version that is live now, whether it is new, or everything that is wrong with the files."""

    number: int = 0
    is_new: bool = False
    problems: tuple[str, ...] = ()


class Press:
    """`read`: makes the running server go on with what was made live."""

    def __init__(self, publisher: Publisher, published: Published, read: Callable[[], Awaitable[None]]) -> None:
        self._publisher = publisher
        self._published = published
        self._read = read

    def versions(self) -> Sequence[VersionLine]:
        """Newest first."""
        history = self._publisher.versions.history()
        newest = history[-1].number if history else 0
        return [
            VersionLine(
                each.number,
                each.hash,
                each.published_at,
                each.by,
                each.note,
                each.number == newest,
                # Files that were made live again have their calls at the newest entry.
                self._published.calls[each.hash] if each == _last(history, each.hash) else 0,
            )
            for each in reversed(history)
        ]

    async def diff(self, old: int, new: int) -> str | None:
        """The differences of two versions, `new` 0: of the working files; None where one is not kept."""
        try:
            return await asyncio.to_thread(self._publisher.diff, old, new)
        except VersionError:
            return None

    async def publish(self, by: str, note: str) -> Answered:
        """Check, render and make live the working files."""
        return await self._answered(self._publisher.publish(by, note))

    async def roll_back(self, by: str, number: int, note: str) -> Answered:
        """Make an earlier version live again; 0: the one before."""
        return await self._answered(self._publisher.roll_back(by, number, note))

    async def _answered(self, work: Awaitable[Outcome]) -> Answered:
        try:
            outcome = await work
        except SiteError as error:
            return Answered(problems=tuple(map(str, error.problems)))
        except VersionError as error:
            return Answered(problems=(str(error),))
        if outcome.is_new:
            await self._read()
        return Answered(outcome.version.number, outcome.is_new)


def _last(history: Sequence[object], digest: str) -> object:
    return next(each for each in reversed(history) if getattr(each, "hash", "") == digest)
