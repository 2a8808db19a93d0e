"""Published versions of the site: each a copy of its files, under the hash of what they say, and a history of who made
which one live.

What is live is the history's last entry. A copy is whole or not there (it is made beside and renamed); the history is
one file that is replaced at once, so that a crash leaves the old one or the new one. The newest `kept` versions stay,
and every one that somebody still holds (`spare`).
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from io import BufferedReader
from itertools import pairwise
from pathlib import Path

import orjson

from cti.errors import CtiError
from ivr.loader import load_site
from ivr.site import Site

KEPT = 50
#: What of a site's folder belongs to a version. Lists of people and customers are imported, not published.
_PATTERNS = ("*.yaml", "flows/*.yaml", "tests/*.yaml", "*.ics", "sounds/**/*")
#: Bounds of one version: an hour of recordings takes 58 MB.
MOST_FILES = 10_000
MOST_BYTES = 1 << 30
_HASH = 16
#: Larger files are compared by what they say as a whole, not by their lines.
_MOST_TEXT = 1 << 20
_MOST_DIFF_LINES = 20_000
#: No call lasts longer.
_REPLACED_US = 24 * 3600 * 1_000_000


class VersionError(CtiError):
    """A version cannot be kept, found or made live; the message says which and why."""

    code = "version"


@dataclass(frozen=True, slots=True)
class Version:
    """One entry of the history. `published_at`: microseconds UTC; `of`: the number whose files were made live again."""

    number: int
    hash: str
    published_at: int
    by: str
    note: str = ""
    of: int = 0


class Versions:
    """The folder of versions. Commands and the server use it at the same time."""

    def __init__(self, folder: Path, now: Callable[[], int], *, kept: int = KEPT) -> None:
        self._folder = folder
        self._now = now
        self._kept = kept

    # --- reading -----------------------------------------------------------------------------------------

    def history(self) -> Sequence[Version]:
        """Oldest first; the last one is live. Empty before the first is published."""
        try:
            entries = orjson.loads((self._folder / "history.json").read_bytes())
            return [Version(**entry) for entry in entries]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            raise VersionError(f"{self._folder / 'history.json'}: cannot be read: {error}") from error

    def live(self) -> Version | None:
        """What calls begin on; None before the first is published."""
        history = self.history()
        return history[-1] if history else None

    def of_number(self, number: int) -> Version:
        """VersionError where there is none of this number."""
        found = next((each for each in self.history() if each.number == number), None)
        if found is None:
            raise VersionError(f"there is no version {number}: expected {self._known()}")
        return found

    def folder(self, version: Version) -> Path:
        """The files of a version; VersionError where they are not kept any more."""
        folder = self._folder / version.hash
        if not folder.is_dir():
            raise VersionError(f"the files of version {version.number} are not kept any more: expected {self._known()}")
        return folder

    def find(self, digest: str) -> Path | None:
        """The files of the version with this hash, or its beginning; None where there are none."""
        if not digest.isalnum():
            return None
        folder = self._folder / digest[:_HASH]
        return folder if folder.is_dir() else None

    def holds(self, folder: Path) -> bool:
        """Whether this is a folder of a version, by its name: asked for every call, so the disk is not."""
        return folder.parent == self._folder

    def diff(self, old: Path, new: Path) -> str:
        """The differences of two folders of files, as `diff -u` tells them."""
        names = sorted({*_names(old), *_names(new)})
        lines: list[str] = []
        for name in names:
            before, after = _lines(old / name), _lines(new / name)
            if before != after:
                lines += difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm="")
        if len(lines) > _MOST_DIFF_LINES:
            lines = [*lines[:_MOST_DIFF_LINES], f"… {len(lines) - _MOST_DIFF_LINES} more lines"]
        return "\n".join(lines)

    def _known(self) -> str:
        kept = [str(each.number) for each in self.history() if (self._folder / each.hash).is_dir()]
        return f"one of {', '.join(kept)}" if kept else "one to be published first"

    # --- publishing --------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def publishing(self) -> Iterator[None]:
        """One at a time, whoever publishes; VersionError while somebody else does."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise VersionError("somebody else is publishing: expected nobody to; try again in a moment") from None
            yield

    def take(self, site_dir: Path) -> tuple[Site, Path]:
        """Copy the working files and check the copy: what was checked is what will be live, whatever is written
        meanwhile. Returns the site and its folder in here. Raises SiteError with every problem."""
        self._folder.mkdir(parents=True, exist_ok=True)
        copy = Path(tempfile.mkdtemp(prefix=".taken-", dir=self._folder))
        try:
            for name in _names(site_dir):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                with _open(site_dir / name) as source, (copy / name).open("wb") as copied:
                    shutil.copyfileobj(source, copied)
            site = load_site(copy)  # its problems name files of the site, not of the copy
            target = self._folder / content_hash(copy)
            if not target.is_dir():
                copy.chmod(0o755)
                copy.rename(target)
            return replace(site, folder=target), target
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    def make_live(self, folder: Path, by: str, note: str = "", *, of: int = 0) -> Version:
        """The last step: from now on calls begin on these files."""
        history = list(self.history())
        number = history[-1].number + 1 if history else 1
        made = Version(number, folder.name, self._now(), by, note, of)
        content = orjson.dumps([asdict(each) for each in (*history, made)], option=orjson.OPT_INDENT_2)
        new = self._folder / f".history-{os.getpid()}"
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.rename(self._folder / "history.json")
        return made

    def forget(self, spare: Collection[str]) -> None:
        """Remove the files of versions that are neither among the newest nor spared (hashes), nor were live within a
        day: calls that a server has not taken up again yet may still be in those."""
        history = self.history()
        kept = {each.hash for each in history[-self._kept :]} | {digest[:_HASH] for digest in spare}
        recent = self._now() - _REPLACED_US
        kept |= {older.hash for older, newer in pairwise(history) if newer.published_at > recent}
        for each in {entry.hash for entry in history} - kept:
            shutil.rmtree(self._folder / each, ignore_errors=True)


def content_hash(folder: Path) -> str:
    """What a folder's files say, recordings included, as a hash."""
    digest = hashlib.sha256()
    for name in _names(folder):
        with _open(folder / name) as file:
            content = file.read()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:_HASH]


def _names(folder: Path) -> list[str]:
    """The files of a version, within bounds: VersionError beyond them."""
    found = (file for pattern in _PATTERNS for file in folder.glob(pattern))
    # What is neither file nor folder (a pipe, a link to nothing) is named too, so that copying refuses it.
    names = {file.relative_to(folder).as_posix() for file in found if not file.is_dir()}
    if len(names) > MOST_FILES:
        raise VersionError(f"{folder}: {len(names)} files: expected at most {MOST_FILES}")
    total = sum(_size(folder / name) for name in names)
    if total > MOST_BYTES:
        raise VersionError(f"{folder}: files of {total >> 20} MB: expected at most {MOST_BYTES >> 20} MB together")
    return sorted(names)


def _size(file: Path) -> int:
    """0 for what will be refused when it is opened."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _open(file: Path) -> BufferedReader:
    """A file, and nothing that would be waited for or never ends. Raises OSError."""
    opened = open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        opened.close()
        raise OSError(errno.EINVAL, "it is no file", str(file))
    return opened


def _lines(file: Path) -> list[str]:
    if not file.is_file():
        return []
    if (size := file.stat().st_size) > _MOST_TEXT:
        return [f"({size} bytes, {_digest(file)})"]
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return [f"({size} bytes, {_digest(file)})"]


def _digest(file: Path) -> str:
    with _open(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:_HASH]
