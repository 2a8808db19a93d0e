"""Publishing: the site's working files are checked, their prompts rendered, and only then made live in one step.
Whoever does it, and whatever comes of it, is told as an `Attempt`, for the audit.

`Published` is the server's side: which files calls begin on, and those that calls in progress began on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

from cti.differences import FlowDifference, flow_differences
from cti.errors import CtiError
from cti.sounds import SoundCache
from cti.versions import Version, VersionError, Versions, content_hash
from ivr.errors import SiteError
from ivr.loader import load_site
from ivr.site import Site, texts

log = structlog.get_logger(__name__)

#: Old versions that are kept in memory for calls that come back.
MOST_LOADED = 8


class Way(StrEnum):
    """How somebody came to publish."""

    WEB = "web"
    COMMAND = "command"
    SIGNAL = "signal"
    WATCH = "watch"
    START = "start"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What publishing came to: the version that is live now, whether it is a new one, and the one before (0: none)."""

    version: Version
    is_new: bool
    before: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody made a version live, or was refused: `problems` says why, and nothing has changed.

    `before`: what was live; `after`: what is live now. `of`: the version whose files are to be live again; 0 where the
    working files were published, or the one before was meant.
    """

    by: str
    way: Way
    is_roll_back: bool
    before: int
    after: int
    of: int = 0
    note: str = ""
    problems: tuple[str, ...] = ()


async def accept(site: Site) -> None:
    """Have nothing against these files."""


async def keep_quiet(attempt: Attempt) -> None:
    """Tell nobody."""


class Publisher:
    """Makes versions live, for commands, the API and the server itself.

    `examine` raises CtiError for files that the server could not go on with, whatever the checks of the files say;
    `tell` hears of every attempt that changed something or was refused.
    """

    def __init__(
        self,
        versions: Versions,
        site_dir: Path,
        sounds: SoundCache,
        *,
        examine: Callable[[Site], Awaitable[None]] = accept,
        tell: Callable[[Attempt], Awaitable[None]] = keep_quiet,
    ) -> None:
        self.versions = versions
        self._site_dir = site_dir
        self._sounds = sounds
        self._examine = examine
        self._tell = tell

    async def publish(self, by: str, note: str = "", *, way: Way = Way.COMMAND) -> Outcome:
        """Check, render, make live. Raises SiteError with every problem, CtiError when a prompt cannot be rendered,
        the server could not go on with the files, or somebody else is publishing; nothing has changed then."""
        return await self._told(self._publish(by, note), by, note, way)

    async def roll_back(self, by: str, number: int = 0, note: str = "", *, way: Way = Way.COMMAND) -> Outcome:
        """Make the files of an earlier version live again; 0: those before the live ones. Raises as `publish`."""
        return await self._told(self._roll_back(by, number, note), by, note, way, number, is_roll_back=True)

    async def check(self) -> Site:
        """Hold the working files against everything but the voice, and change nothing. Raises as `publish`."""
        site = await asyncio.to_thread(load_site, self._site_dir)
        await self._examine(site)
        return site

    async def _told(
        self, work: Awaitable[Outcome], by: str, note: str, way: Way, number: int = 0, *, is_roll_back: bool = False
    ) -> Outcome:
        try:
            outcome = await work
        except (SiteError, CtiError) as error:
            problems = tuple(map(str, error.problems)) if isinstance(error, SiteError) else (str(error),)
            live = self._live_number()
            await self._tell(Attempt(by, way, is_roll_back, live, live, number, note, problems))
            raise
        if outcome.is_new:
            made = outcome.version
            await self._tell(Attempt(by, way, is_roll_back, outcome.before, made.number, made.of, note))
        return outcome

    def _live_number(self) -> int:
        with contextlib.suppress(VersionError):
            live = self.versions.live()
            return live.number if live is not None else 0
        return 0

    async def _publish(self, by: str, note: str) -> Outcome:
        with _told_as_version_error(), self.versions.publishing():
            site, folder = await asyncio.to_thread(self.versions.take, self._site_dir)
            live = self.versions.live()
            if live is not None and live.hash == folder.name:
                return Outcome(live, is_new=False)
            await self._make_sure(site)
            return Outcome(self.versions.make_live(folder, by, note), is_new=True, before=live.number if live else 0)

    async def _roll_back(self, by: str, number: int, note: str) -> Outcome:
        with _told_as_version_error(), self.versions.publishing():
            history = self.versions.history()
            if not number:
                others = [each for each in history if each.hash != history[-1].hash]
                if not others:
                    raise VersionError("there is no earlier version: expected two different ones at least")
                number = others[-1].number
            wanted = self.versions.of_number(number)
            live = history[-1]
            if wanted.hash == live.hash:
                return Outcome(live, is_new=False)
            folder = self.versions.folder(wanted)
            await self._make_sure(await asyncio.to_thread(load_site, folder))
            return Outcome(self.versions.make_live(folder, by, note, of=number), is_new=True, before=live.number)

    def diff(self, old: int, new: int = 0) -> str:
        """The differences of two versions; 0: the working files."""
        return self.versions.diff(*self._folders(old, new))

    def flow_diff(self, old: int, new: int = 0) -> Sequence[FlowDifference]:
        """The flows that differ, as graphs. Raises SiteError for files that cannot be read as a site."""
        before, after = self._folders(old, new)
        return flow_differences(load_site(before), load_site(after))

    def is_live(self) -> bool:
        """Whether the working files are those that are live."""
        live = self.versions.live()
        return live is not None and live.hash == content_hash(self._site_dir)

    def _folders(self, old: int, new: int) -> tuple[Path, Path]:
        before = self.versions.folder(self.versions.of_number(old))
        after = self.versions.folder(self.versions.of_number(new)) if new else self._site_dir
        return before, after

    async def _make_sure(self, site: Site) -> None:
        await self._examine(site)
        prompts = [(prompt.text, prompt.language) for prompt in texts(site) if prompt.text]
        faults = await self._sounds.prepare(prompts)
        if faults:
            raise VersionError("not published, a prompt cannot be rendered: " + "; ".join(map(str, faults[:5])))


@contextlib.contextmanager
def _told_as_version_error() -> Iterator[None]:
    """A full disk or a file that nobody may read is as much a refusal as a fault in a file."""
    try:
        yield
    except OSError as error:
        raise VersionError(f"not published, a file cannot be read or written: {error}") from error


class Published:
    """What is live, and the sites that calls began on."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._loaded: dict[str, Site] = {}
        #: Calls in progress by the version that they began on.
        self.calls: Counter[str] = Counter()
        self.number = 0

    def current(self) -> tuple[Site, int] | None:
        """Load what is live, with its number; None before the first is published. Raises SiteError, VersionError."""
        live = self._versions.live()
        return (load_site(self._versions.folder(live)), live.number) if live is not None else None

    def in_force(self, number: int) -> None:
        """The server goes by this version now."""
        self.number = number

    def has_changed(self) -> bool:
        """Whether another version is live than is in force."""
        live = self._versions.live()
        return live is not None and live.number != self.number

    def key(self, site: Site) -> str:
        """What a call carries to find its version again; empty for files that were never published."""
        return site.folder.name if self._versions.holds(site.folder) else ""

    async def find(self, key: str) -> Site | None:
        """The site of a call that began on this version; None where it is not kept or cannot be read any more."""
        if key in self._loaded:
            return self._loaded[key]
        folder = self._versions.find(key) if key else None
        if folder is None:
            return None
        try:
            site = await asyncio.to_thread(load_site, folder)
        except SiteError as error:
            log.error("version.unreadable", version=key, error=str(error)[:500])
            return None
        while len(self._loaded) >= MOST_LOADED:
            del self._loaded[next(iter(self._loaded))]
        self._loaded[key] = site
        return site

    def forget_old(self) -> None:
        """Let go of versions that no call is in any more."""
        self._versions.forget([key for key, calls in self.calls.items() if calls])


async def watch_files(folder: Path, changed: Callable[[], None], *, every_s: float = 1.0) -> None:
    """Tell of every change of the working files, until cancelled; of a file that is being written once it rests."""
    known = await asyncio.to_thread(_marks, folder)
    told = known
    while True:
        await asyncio.sleep(every_s)
        found = await asyncio.to_thread(_marks, folder)
        if found == known and found != told:
            told = found
            changed()
        known = found


def _marks(folder: Path) -> Sequence[tuple[str, int, int]]:
    found = []
    for file in sorted(folder.rglob("*")):
        with contextlib.suppress(OSError):
            status = file.stat()
            found.append((str(file), status.st_mtime_ns, status.st_size))
    return found
