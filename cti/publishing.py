"""Publishing: the site's working files are checked, their prompts rendered, and only then made live in one step.

`Published` is the server's side: which files calls begin on, and those that calls in progress began on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from cti.sounds import SoundCache
from cti.versions import Version, VersionError, Versions
from ivr.errors import SiteError
from ivr.loader import load_site
from ivr.site import Site, texts

log = structlog.get_logger(__name__)

#: Old versions that are kept in memory for calls that come back.
MOST_LOADED = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """What publishing came to: the version that is live now, and whether it is a new one."""

    version: Version
    is_new: bool


class Publisher:
    """Makes versions live, for commands, the API and the server itself."""

    def __init__(self, versions: Versions, site_dir: Path, sounds: SoundCache) -> None:
        self.versions = versions
        self._site_dir = site_dir
        self._sounds = sounds

    async def publish(self, by: str, note: str = "", *, speaks: bool = True) -> Outcome:
        """Check, render, make live. Raises SiteError with every problem, VersionError when a prompt cannot be rendered
        or somebody else is publishing; nothing has changed then. `speaks` False: prompts are rendered later."""
        with self.versions.publishing():
            site, folder = await asyncio.to_thread(self.versions.take, self._site_dir)
            live = self.versions.live()
            if live is not None and live.hash == folder.name:
                return Outcome(live, is_new=False)
            if speaks:
                await self._render(site)
            return Outcome(self.versions.make_live(folder, by, note), is_new=True)

    async def roll_back(self, by: str, number: int = 0, note: str = "") -> Outcome:
        """Make the files of an earlier version live again; 0: those before the live ones. Raises as `publish`."""
        with self.versions.publishing():
            history = self.versions.history()
            if not number:
                others = [each for each in history if each.hash != history[-1].hash]
                if not others:
                    raise VersionError("there is no earlier version: expected two different ones at least")
                number = others[-1].number
            wanted = self.versions.of_number(number)
            if wanted.hash == history[-1].hash:
                return Outcome(history[-1], is_new=False)
            folder = self.versions.folder(wanted)
            await self._render(await asyncio.to_thread(load_site, folder))
            return Outcome(self.versions.make_live(folder, by, note, of=number), is_new=True)

    def diff(self, old: int, new: int = 0) -> str:
        """The differences of two versions; 0: the working files."""
        before = self.versions.folder(self.versions.of_number(old))
        after = self.versions.folder(self.versions.of_number(new)) if new else self._site_dir
        return self.versions.diff(before, after)

    async def _render(self, site: Site) -> None:
        prompts = [(prompt.text, prompt.language) for prompt in texts(site) if prompt.text]
        faults = await self._sounds.prepare(prompts)
        if faults:
            raise VersionError("not published, a prompt cannot be rendered: " + "; ".join(map(str, faults[:5])))


class Published:
    """What is live, and the sites that calls began on."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._loaded: dict[str, Site] = {}
        #: Calls in progress by the version that they began on.
        self.calls: Counter[str] = Counter()
        self.number = 0

    def current(self) -> Site | None:
        """Load what is live; None before the first is published. Raises SiteError, VersionError."""
        live = self._versions.live()
        if live is None:
            return None
        self.number = live.number
        return load_site(self._versions.folder(live))

    def has_changed(self) -> bool:
        """Whether another version is live than was loaded last."""
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
