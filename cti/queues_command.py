"""The command `callyard queues`: what the rules of the queues, as they stand in the files, would change now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from acd.eligibility import Comparison, compare, tell
from acd.errors import AcdError
from acd.model import AgentProfile
from acd.why import Teller
from cti.config import Settings, load_settings
from cti.configuration import engine_configuration
from cti.errors import CtiError
from cti.journal import segment_paths
from cti.replay import Left, as_left, local_zone
from ivr.errors import SiteError
from ivr.loader import load_site
from ivr.site import Site

app = typer.Typer(no_args_is_help=True, help="The queues and their rules.")


@app.command()
def check(
    journal: Annotated[Path | None, typer.Option(help="a journal's folder; else the server's own")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object instead of words")] = False,
) -> None:
    """Check the site's files, then say what they would change for those who wait and work now. Only reads files."""
    try:
        settings = load_settings()
        site = load_site(settings.site_dir)
        place = journal or settings.journal_dir
        left = as_left(place) if journal is not None or segment_paths(place) else None
        comparison = None if left is None else _compared(settings, site, left)
    except (CtiError, SiteError, AcdError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(_plain(site, left, comparison), ensure_ascii=False))
    else:
        typer.echo("\n".join(_words(site, left, comparison)))


def _compared(settings: Settings, site: Site, left: Left) -> Comparison:
    known = left.engine.configuration
    people = _people(settings)
    profiles = known.agents if people is None else people
    return compare(left.engine, engine_configuration(site, profiles, known.seed))


def _people(settings: Settings) -> Sequence[AgentProfile] | None:
    from cti.main import people_as_they_are

    return asyncio.run(people_as_they_are(settings))


def _plain(site: Site, left: Left | None, comparison: Comparison | None) -> dict[str, Any]:
    """The answer as plain values; `comparison` is null where there is no journal yet."""
    return {
        "site": {"folder": str(site.folder), "version": site.version, "queues": list(site.queues)},
        "journal": None
        if left is None
        else {"segment": str(left.segment), "position": left.position, "damage": left.damage},
        "comparison": None if comparison is None else asdict(comparison),
    }


def _words(site: Site, left: Left | None, comparison: Comparison | None) -> list[str]:
    lines = [f"{site.folder}: {len(site.queues)} queues: no errors (version {site.version[:12]})"]
    if left is None or comparison is None:
        return [*lines, "no journal yet: nobody waits, nobody is signed in"]
    names = {profile.id: profile.name for profile in left.engine.configuration.agents}
    teller = Teller(names, local_zone(comparison.at), comparison.at)
    lines += [f"not read: {damage}" for damage in left.damage]
    lines.append(f"as the journal left it on {teller.day_and_time(comparison.at)} (position {left.position}):")
    return lines + tell(comparison, names)
