"""The commands `callyard flow publish`, `versions`, `diff`, `rollback`. A running server heeds them within a second."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from cti.clock import Clock
from cti.config import load_settings
from cti.errors import CtiError
from cti.press import VersionLine, version_lines
from cti.publishing import Outcome, Publisher
from cti.settings import Settings
from cti.sounds import sound_cache
from cti.terminal import fail
from cti.version_calls import read_calls
from cti.versions import Versions
from ivr.errors import SiteError

Note = Annotated[str, typer.Option(help="what changed, for who reads the history")]


def publish(note: Note = "") -> None:
    """Check the working files, render their prompts, make them live in one step; exit status 1 if they are wrong."""
    outcome = _done(lambda publisher: publisher.publish(getpass.getuser(), note))
    if outcome.is_new:
        typer.echo(f"version {outcome.version.number} is live ({outcome.version.hash})")
    else:
        typer.echo(f"nothing has changed: version {outcome.version.number} is live already")


def rollback(
    number: Annotated[int, typer.Argument(min=0, help="the version; left out: the one before")] = 0, note: Note = ""
) -> None:
    """Make the files of an earlier version live again, in one step."""
    outcome = _done(lambda publisher: publisher.roll_back(getpass.getuser(), number, note))
    if outcome.is_new:
        typer.echo(f"version {outcome.version.number} is live, with the files of version {outcome.version.of}")
    else:
        typer.echo(f"version {outcome.version.number} has these files and is live already")


def versions() -> None:
    """List what was published: number, hash, when, by whom, which is live; with the server running, calls in it."""
    try:
        settings = load_settings()
        history = _versions(settings).history()
    except CtiError as error:
        fail(str(error))
    calls = read_calls(settings.versions_dir)
    for each in version_lines(history, calls or {}):
        typer.echo(_told(each))
    if not history:
        typer.echo("nothing has been published yet: the first start of the server does it, or callyard flow publish")
    elif calls is None:
        typer.echo("the server does not run: nobody is in any version")


def diff(
    old: Annotated[int, typer.Argument(min=1, help="a version")],
    new: Annotated[int, typer.Argument(min=0, help="another; left out: the working files")] = 0,
    graph: Annotated[bool, typer.Option("--graph", help="the flows as graphs in words, not the files")] = False,
) -> None:
    """Show what differs between two versions, or between one and the working files."""
    try:
        settings = load_settings()
        publisher = Publisher(_versions(settings), settings.site_dir, sound_cache(settings))
        found = "\n".join(each.diff for each in publisher.flow_diff(old, new)) if graph else publisher.diff(old, new)
    except (SiteError, CtiError) as error:
        fail(str(error))
    typer.echo(found or "no differences")


def _told(line: VersionLine) -> str:
    at = datetime.fromtimestamp(line.published_at / 1e6, tz=UTC).astimezone()
    again = f" (files of version {line.of})" if line.of else ""
    live = "  live" if line.is_live else ""
    inside = f"  {line.calls} {'call' if line.calls == 1 else 'calls'} in it" if line.calls else ""
    begun = f"{line.number:>5}  {line.hash}  {at:%Y-%m-%d %H:%M:%S}  {line.by}{again}"
    return f"{begun}  {line.note}{live}{inside}".rstrip()


def _versions(settings: Settings) -> Versions:
    return Versions(settings.versions_dir, Clock().now, kept=settings.keep_versions)


def _done(work: Callable[[Publisher], Awaitable[Outcome]]) -> Outcome:
    from cti.main import with_publisher

    async def run() -> Outcome:
        async with with_publisher(load_settings()) as publisher:
            return await work(publisher)

    try:
        return asyncio.run(run())
    except (SiteError, CtiError) as error:
        fail(str(error))
