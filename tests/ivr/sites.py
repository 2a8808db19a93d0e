"""Sites to test with: a small valid one, changed by what a test writes into it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent, indent

from ivr.errors import SiteError
from ivr.interpreter import Execution
from ivr.loader import load_site
from ivr.site import Site
from ivr.steps import CustomerFound, Digits, Done, Instruction, QueueEnded, Result

SMALL = Path(__file__).parent / "small"
NOON = datetime(2027, 3, 3, 12, 0, tzinfo=UTC)  # a Wednesday


def write_site(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """A copy of the small site with these files in place of its own; an empty text removes a file."""
    shutil.copytree(SMALL, folder, dirs_exist_ok=True)
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        if content:
            file.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def flow(steps: str, rest: str = "") -> str:
    """A flow whose node `welcome` has these steps; `rest` holds further nodes."""
    nodes = "  welcome:\n" + indent(dedent(steps).strip("\n"), "    ") + "\n"
    return "start: welcome\nnodes:\n" + nodes + indent(dedent(rest).strip("\n"), "  ") + "\n"


def site_with(folder: Path, steps: str, rest: str = "", **files: str) -> Site:
    """The small site with one flow of these steps; other files by name, with _ for the dot before yaml."""
    others = {name.replace("_yaml", ".yaml"): content for name, content in files.items()}
    return load_site(write_site(folder, {"flows/main.yaml": flow(steps, rest), **others}))


def problems_in(folder: Path, files: Mapping[str, str | bytes]) -> list[str]:
    """What is wrong with the small site once these files are in it."""
    try:
        load_site(write_site(folder, files))
    except SiteError as error:
        return str(error).splitlines()
    return []


class Ride:
    """Drives an execution as a session would: each call feeds one result and returns the next instruction."""

    def __init__(
        self,
        site: Site,
        variables: Mapping[str, str] | None = None,
        *,
        language: str = "en",
        at: str | None = None,
        now: datetime = NOON,
        flow: str = "main",
    ) -> None:
        self.now = now
        self.execution = Execution(site, flow, variables or {}, language, node=at)
        self.heard = self.feed(None)

    def feed(self, result: Result | None) -> Instruction:
        self.heard = self.execution.advance(result, self.now)
        return self.heard

    def done(self) -> Instruction:
        return self.feed(Done())

    def press(self, keys: str) -> Instruction:
        return self.feed(Digits(keys))

    def silence(self) -> Instruction:
        return self.feed(Digits("", timed_out=True))

    def found(self, matches: int, **values: str) -> Instruction:
        return self.feed(CustomerFound(matches, values))

    def leave_queue(self, outcome: str) -> Instruction:
        return self.feed(QueueEnded(outcome))
