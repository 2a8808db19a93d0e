"""`callyard flow numbers`: what callers did at each node and step of a flow."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from cti.config import load_settings
from cti.errors import CtiError
from cti.terminal import fail
from ivr.errors import SiteError, did_you_mean, one_of, quote
from screenpop.errors import ScreenpopError

_HOURS = {"h": 1, "d": 24}
_MOST_HOURS = 87_600


def numbers(
    flow: Annotated[str, typer.Argument(help="the flow's name")],
    since: Annotated[str, typer.Option(help="how far back: so many hours or days, as in 8h or 7d")] = "7d",
    version: Annotated[str, typer.Option(help="only callers who went by this version of the files")] = "",
) -> None:
    """Tell what callers did at each node and step: entered, time, hang-ups, time-outs, invalid keys, ways out."""
    from cti.main import told_numbers

    hours = hours_of(since)
    try:
        titles, lines = asyncio.run(told_numbers(load_settings(), flow, hours, version))
    except (CtiError, SiteError, ScreenpopError) as error:
        fail(str(error))
        return
    if flow not in titles:
        fail(f"unknown flow {quote(flow)}: {one_of(titles)}{did_you_mean(flow, titles)}")
    typer.echo("\n".join(lines))


def hours_of(since: str) -> int:
    """`8h` and `7d` in hours; fails for anything else."""
    count = since[:-1]
    hours = _HOURS.get(since[-1:], 0) * (int(count) if count.isascii() and count.isdecimal() else 0)
    if not 0 < hours <= _MOST_HOURS:
        fail(f"since: expected hours or days back, as in 8h or 7d, got {since!r}")
    return hours
