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
from cti.publishing import Outcome, Publisher
from cti.settings import Settings
from cti.sounds import sound_cache
from cti.terminal import fail
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
    """List what was published: number, hash, when, by whom, and which is live."""
    try:
        history = _versions(load_settings()).history()
    except CtiError as error:
        fail(str(error))
        return
    for each in reversed(history):
        at = datetime.fromtimestamp(each.published_at / 1e6, tz=UTC).astimezone()
        again = f" (files of version {each.of})" if each.of else ""
        live = "  live" if each == history[-1] else ""
        typer.echo(
            f"{each.number:>5}  {each.hash}  {at:%Y-%m-%d %H:%M:%S}  {each.by}{again}  {each.note}{live}".rstrip()
        )
    if not history:
        typer.echo("nothing has been published yet: the first start of the server does it, or callyard flow publish")


def diff(
    old: Annotated[int, typer.Argument(min=1, help="a version")],
    new: Annotated[int, typer.Argument(min=0, help="another; left out: the working files")] = 0,
) -> None:
    """Show what differs between two versions, or between one and the working files."""
    try:
        settings = load_settings()
        found = Publisher(_versions(settings), settings.site_dir, sound_cache(settings)).diff(old, new)
    except CtiError as error:
        fail(str(error))
        return
    typer.echo(found or "no differences")


def _versions(settings: Settings) -> Versions:
    return Versions(settings.versions_dir, Clock().now, kept=settings.keep_versions)


def _done(work: Callable[[Publisher], Awaitable[Outcome]]) -> Outcome:
    async def run() -> Outcome:
        settings = load_settings()
        sounds = sound_cache(settings)
        try:
            return await work(Publisher(_versions(settings), settings.site_dir, sounds))
        finally:
            await sounds.close()

    try:
        return asyncio.run(run())
    except (SiteError, CtiError) as error:
        fail(str(error))
        raise AssertionError from error
