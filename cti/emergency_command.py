"""The command `callyard emergency`: close a queue or a number at once, or say something to everybody who calls."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from cti.clock import Clock
from cti.config import Settings, load_settings
from cti.errors import CtiError
from cti.instants import instant, told
from cti.terminal import fail, giver, zone_of
from ivr.errors import SiteError
from ivr.site import Site
from screenpop.emergencies import Emergencies, Kind, Wanted
from screenpop.errors import ScreenpopError
from screenpop.orders import Order

app = typer.Typer(invoke_without_command=True, help="Close a queue or a number at once, or play a notice first.")

_TEXTS = {"allow_extra_args": True, "ignore_unknown_options": True}
_TEXT = re.compile(r"--text-([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)(?:=(.*))?", re.DOTALL)

Until = Annotated[str, typer.Option(help="15:00, 2h, 2027-03-01T08:00; in the site's time zone")]
UntilEnded = Annotated[bool, typer.Option("--until-ended", help="no end time: until callyard emergency end")]
Text = Annotated[str, typer.Option(help="what callers hear, in the default language; --text-zh in another")]
WhyGiven = Annotated[str, typer.Option(help="stands in the records and on the screens")]


class EmergencyCommandError(CtiError):
    """Options that do not fit together; the message says what was expected."""

    code = "emergency_command"


Work = Callable[[Emergencies, Site, int], Awaitable[None]]


def _run(work: Work) -> None:
    from cti.main import with_emergencies

    async def connected(settings: Settings) -> None:
        async with with_emergencies(settings) as (emergencies, site):
            await work(emergencies, site, Clock().now())

    try:
        asyncio.run(connected(load_settings()))
    except (CtiError, ScreenpopError, SiteError) as error:
        fail(str(error))


@app.callback()
def emergency(context: typer.Context) -> None:
    """Without a further word: what is in force, and until when."""
    if context.invoked_subcommand is None:
        listed(everything=False)


@app.command(context_settings=_TEXTS)
def close(
    context: typer.Context,
    queue: Annotated[list[str] | None, typer.Option(help="a queue; several times for several")] = None,
    number: Annotated[list[str] | None, typer.Option(help="a number that is dialled, or a pattern")] = None,
    until: Until = "",
    until_ended: UntilEnded = False,
    text: Text = "",
    reason: WhyGiven = "",
    keep_waiting: Annotated[bool, typer.Option(help="who waits in the queue stays there")] = False,
) -> None:
    """Close queues (who waits goes on in their flow) or numbers (callers are refused, or hear the text)."""
    if bool(queue) == bool(number):
        fail("expected either --queue or --number")
    kind = Kind.CLOSE_QUEUE if queue else Kind.CLOSE_NUMBER
    targets = tuple(queue or number or ())
    _give(kind, targets, text, context.args, until, until_ended, reason, keep_waiting)


@app.command(context_settings=_TEXTS)
def notice(
    context: typer.Context,
    text: Text = "",
    number: Annotated[list[str] | None, typer.Option(help="only callers of this number; else all")] = None,
    until: Until = "",
    until_ended: UntilEnded = False,
    reason: WhyGiven = "",
) -> None:
    """Say something to every new caller before anything else."""
    _give(Kind.NOTICE, tuple(number or ()), text, context.args, until, until_ended, reason, False)


@app.command()
def end(order: Annotated[int, typer.Argument(help="its number, as callyard emergency lists it")]) -> None:
    """End an emergency order before its time."""

    async def work(emergencies: Emergencies, site: Site, now: int) -> None:
        ended = await emergencies.end(order, giver())
        print(f"ended: {_line(ended, now, zone_of(site))}")

    _run(work)


@app.command("list")
def listed(
    everything: Annotated[bool, typer.Option("--all", help="also what is over, newest first")] = False,
) -> None:
    """Say what is in force, and until when."""

    async def work(emergencies: Emergencies, site: Site, now: int) -> None:
        orders = await (emergencies.newest() if everything else emergencies.open())
        for order in orders:
            print(_line(order, now, zone_of(site)))
        if not orders:
            print("nothing was ever ordered" if everything else "nothing is in force")

    _run(work)


def _give(
    kind: Kind,
    targets: tuple[str, ...],
    text: str,
    extra: Sequence[str],
    until: str,
    until_ended: bool,
    reason: str,
    keep_waiting: bool,
) -> None:
    if bool(until) == until_ended:
        fail("expected either --until, such as --until 15:00 or --until 2h, or --until-ended")

    async def work(emergencies: Emergencies, site: Site, now: int) -> None:
        texts = {site.settings.default_language: text} if text else {}
        texts.update(_texts(extra))
        ends_at = instant(until, now, zone_of(site)) if until else 0
        wanted = Wanted(kind, targets, texts, keep_waiting, 0, ends_at, reason)
        for order in await emergencies.give(wanted, giver()):
            print(_line(order, order.given_at, zone_of(site)))

    _run(work)


def _texts(extra: Sequence[str]) -> dict[str, str]:
    """`--text-zh TEXT` and `--text-zh=TEXT`; the languages are the site's, so that they are no options of ours."""
    texts: dict[str, str] = {}
    words = iter(extra)
    for word in words:
        match = _TEXT.fullmatch(word)
        said = None if match is None else match[2] if match[2] is not None else next(words, None)
        if match is None or said is None:
            raise EmergencyCommandError(f"{word}: expected --text-LANGUAGE with a text, such as --text-zh TEXT")
        texts[match[1]] = said
    return texts


def _line(order: Order, now: int, zone: ZoneInfo) -> str:
    what = {
        Kind.CLOSE_QUEUE: f"queue {order.target} is closed",
        Kind.CLOSE_NUMBER: f"number {order.target} is closed",
        Kind.NOTICE: f"a notice is played to callers of {order.target or 'all numbers'}",
    }[Kind(order.kind)]
    reason = f": {order.reason}" if order.reason else ""
    keeps = ", who waits stays" if order.detail.get("keep_waiting") else ""
    said = "".join(f'\n    {language}: "{text}"' for language, text in (order.detail.get("texts") or {}).items())
    return f"{order.id}: {what} {_span(order, now, zone)}{keeps}{reason} (by {order.given_by}){said}"


def _span(order: Order, now: int, zone: ZoneInfo) -> str:
    if order.ended_at:
        return f"since {told(order.begins_at, now, zone)}, ended {told(order.ended_at, now, zone)} by {order.ended_by}"
    end = f"until {told(order.ends_at, now, zone)}" if order.ends_at else "until it is ended"
    if order.is_over(now):
        return f"since {told(order.begins_at, now, zone)}, over {end}"
    return end if order.holds(now) else f"from {told(order.begins_at, now, zone)} {end}"
