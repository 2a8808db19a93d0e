"""The commands `callyard flow publish`, `versions`, `diff`, `rollback`. A running server heeds them within a second.

Also what publishing needs of the web side, for the server as for commands: people to hold files against, and the audit.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import structlog
import typer
from sqlalchemy.exc import SQLAlchemyError

from acd.configuration import validate
from acd.errors import AcdError
from cti.clock import Clock
from cti.config import load_settings
from cti.configuration import ConfigurationMismatchError, engine_configuration
from cti.errors import CtiError
from cti.press import VersionLine, version_lines
from cti.publishing import Attempt, Outcome, Publisher
from cti.settings import Settings
from cti.sounds import sound_cache
from cti.terminal import fail
from cti.version_calls import read_calls
from cti.versions import Versions
from ivr.errors import SiteError
from ivr.site import Site
from screenpop.audit import AuditLog
from screenpop.db.store import Store
from screenpop.errors import ScreenpopError
from screenpop.people import People

log = structlog.get_logger(__name__)

#: What the audit keeps of why somebody was refused.
MOST_PROBLEMS, MOST_SIGNS = 20, 500

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
    async def run() -> Outcome:
        async with with_publisher(load_settings()) as publisher:
            return await work(publisher)

    try:
        return asyncio.run(run())
    except (SiteError, CtiError) as error:
        fail(str(error))


async def examine_site(site: Site, people: People, seed: int) -> None:
    """Raises CtiError for files that the engine could not go by, with the people who are there."""
    try:
        profiles = await people.profiles()
    except (SQLAlchemyError, OSError) as error:
        raise CtiError(f"not published, people cannot be read: {type(error).__name__}: {error}"[:300]) from error
    try:
        validate(engine_configuration(site, profiles, seed))
    except AcdError as error:
        raise ConfigurationMismatchError(str(error)) from error


async def keep_attempt(audit: AuditLog, attempt: Attempt) -> None:
    """Into the audit. What was made live stays so where the database is away: the history of versions has it too."""
    verb = "roll_back" if attempt.is_roll_back else "publish"
    done = "flow_rolled_back" if attempt.is_roll_back else "flow_published"
    detail: dict[str, object] = {"way": attempt.way.value, "from": attempt.before, "to": attempt.after}
    if attempt.of:
        detail["of"] = attempt.of
    if attempt.note:
        detail["note"] = attempt.note
    if attempt.problems:
        detail["problems"] = [problem[:MOST_SIGNS] for problem in attempt.problems[:MOST_PROBLEMS]]
        detail["count"] = len(attempt.problems)
    action = f"flow_{verb}_refused" if attempt.problems else done
    try:
        await audit.note(attempt.by, action, str(attempt.after), detail)
    except (SQLAlchemyError, OSError) as error:
        log.error("audit.not_written", action=action, by=attempt.by, version=attempt.after, error=str(error)[:300])


@contextlib.asynccontextmanager
async def with_publisher(settings: Settings) -> AsyncIterator[Publisher]:
    """Publishing for a command; the server, if it runs, heeds it within a second."""
    from screenpop.db.migrate import migrate  # takes long to load, and most commands never need it

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        await migrate(settings.database_url)
        store = Store(settings.database_url)
    except (SQLAlchemyError, ScreenpopError, OSError) as error:
        raise CtiError(f"not published, the database cannot be used: {type(error).__name__}: {error}"[:300]) from error
    now, sounds = Clock().now, sound_cache(settings)

    async def examine(site: Site) -> None:
        await examine_site(site, People(store), settings.seed)

    try:
        yield Publisher(
            Versions(settings.versions_dir, now, kept=settings.keep_versions),
            settings.site_dir,
            sounds,
            examine=examine,
            tell=partial(keep_attempt, AuditLog(store, now)),
        )
    finally:
        await sounds.close()
        await store.close()
