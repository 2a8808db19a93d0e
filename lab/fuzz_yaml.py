"""The files of a site, mistyped by people and by generators: text and structure of real files, a few slips in each.

A round is one whole site with one or two files changed. What comes out is a site, or problems with their places.
"""

from __future__ import annotations

import io
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from cti.config import ConfigError, load_settings
from ivr import loader
from ivr.errors import Problem, SiteError
from ivr.flow_tests import read_tests
from ivr.loader import load_site
from ivr.positions import read_document
from ivr.site import Site
from lab.fuzz import Fault, Play, Round
from lab.fuzz_words import slipped, text, value
from screenpop.csv_file import Faults, read_rows
from screenpop.customer_file import COLUMNS as CUSTOMERS
from screenpop.customer_file import PIN
from screenpop.entries import COLUMNS as PEOPLE
from screenpop.entries import OPTIONAL_COLUMNS, check_entry, entry_of
from screenpop.errors import ImportFileError

ROOT = Path(__file__).resolve().parent.parent
_PIECES = tuple(
    piece.encode()
    for piece in (
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "'",
        '"',
        "#",
        "*a",
        "&a ",
        "!x ",
        "|\n",
        ">-\n",
        "\t",
        "  ",
        "\n",
        "? ",
        "...\n",
        "---\n",
        "%YAML 1.1\n",
        "<<: *a\n",
        "\0",
        "\ufeff",
        "\u2028",
        "\x85",
        "$caller",
        "{account}",
        "1e99",
        "0x10",
        "~",
        "null",
        "then: ",
        "goto: ",
        "otherwise: ",
        "menu: ",
        "2027-02-30",
        "25:00-26:00",
        "mo-su",
        "99999999999s",
        "-5m",
    )
)
SETTINGS = "callyard.yaml"
_SETTINGS = b"""site_dir: site
data_dir: data
database_url: sqlite:///callyard.db
log: { level: info, format: json }
ami:
  - { node: lab1, host: 127.0.0.1, port: 5038, username: callyard, secret: "p" }
web: { host: 127.0.0.1, port: 8080 }
limits: { agi_sessions: 2000 }
"""


class SiteFiles:
    """The YAML side."""

    name = "yaml"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Play]:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            sites = [
                _Copy(ROOT / "site", Path(folder) / "example"),
                _Copy(ROOT / "tests/ivr/small", Path(folder) / "small"),
            ]
            intact = load_site(sites[0].folder)
            # Files that a round does not change are parsed once; what they mean together is worked out anew each time.
            with mock.patch.object(loader, "read_document", lru_cache(maxsize=64)(read_document)):

                async def play(round_: Round) -> None:
                    site = sites[round_.chance.random() < 0.7]
                    site.restore()
                    _change(round_, site)
                    _judge(site, intact)

                yield play


class _Copy:
    """A site that can be changed, and is as before in a moment."""

    def __init__(self, source: Path, folder: Path) -> None:
        shutil.copytree(source, folder)
        (folder / SETTINGS).write_bytes(_SETTINGS)
        self.folder = folder
        names = (file.relative_to(folder).as_posix() for file in sorted(folder.rglob("*")) if file.is_file())
        self.files = {name: (folder / name).read_bytes() for name in names if not name.endswith(".wav")}
        self.changed: set[str] = set()

    def restore(self) -> None:
        for name in self.changed:
            (self.folder / name).write_bytes(self.files[name])
        self.changed.clear()

    def write(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)
        self.changed.add(name)


def _change(round_: Round, site: _Copy) -> None:
    chance = round_.chance
    for name in chance.sample(sorted(site.files), chance.choice((1, 1, 1, 2))):
        before = site.files[name]
        after = _restructured(chance, before) if chance.random() < 0.5 else b""
        content = after or slipped(chance, before, _PIECES)
        round_.note((name, content))
        site.write(name, content)


def _restructured(chance: random.Random, before: bytes) -> bytes:
    """The file with one value in it taken away, doubled, or replaced; empty where it is none of YAML."""
    yaml = YAML(typ="safe", pure=True)
    try:
        whole = yaml.load(before)
    except YAMLError:
        return b""
    places: list[tuple[Any, Any]] = []
    _gather(whole, places)
    for _ in range(chance.randint(1, 3)):
        if not places:
            return b""
        holder, key = chance.choice(places)
        with suppress(KeyError, IndexError):
            match chance.randrange(5):
                case 0:
                    del holder[key]
                case 1 if isinstance(holder, dict):
                    holder[text(chance)[:60]] = holder.pop(key)
                case 2 if isinstance(holder, list):
                    holder.insert(key, holder[key])
                case 3:
                    holder[key] = chance.choice(places)[0]
                case _:
                    holder[key] = value(chance)
    written = io.StringIO()
    with suppress(YAMLError, RecursionError, ValueError):
        yaml.dump(whole, written)
        return written.getvalue().encode("utf-8", "surrogatepass")
    return b""


def _gather(value_: Any, places: list[tuple[Any, Any]]) -> None:
    pairs = value_.items() if isinstance(value_, dict) else enumerate(value_) if isinstance(value_, list) else ()
    for key, below in pairs:
        places.append((value_, key))
        _gather(below, places)


def _judge(site: _Copy, intact: Site) -> None:
    for name in site.changed:
        _judge_problems(_read_alone(site, name, intact))
    try:
        load_site(site.folder)
    except SiteError as error:
        if not error.problems:
            raise Fault("a site that is refused without a problem") from error
        _judge_problems(error.problems)


def _read_alone(site: _Copy, name: str, intact: Site) -> Iterable[Problem]:
    """A file that is read by somebody else than the site's loader."""
    file = site.folder / name
    if name.startswith("tests/"):
        return read_tests(intact, name, file.read_bytes())[1]
    if name.endswith(".csv"):
        faults = Faults(name)
        is_people = name == "people.csv"
        columns, optional = (PEOPLE, OPTIONAL_COLUMNS) if is_people else ((*CUSTOMERS, PIN), (PIN,))
        with suppress(ImportFileError):
            for row in read_rows(file, columns, columns[:2], faults, optional):
                if is_people:
                    check_entry(entry_of(row, faults), row.line, faults)
    if name == SETTINGS:
        with suppress(ConfigError):
            load_settings(file, {})
    return ()


def _judge_problems(problems: Iterable[Problem]) -> None:
    for each in problems:
        if not each.file or each.line < 1 or each.column < 1 or not each.message.strip() or "\n" in str(each):
            raise Fault(f"a problem without its place, or of more than a line: {each!r}")
