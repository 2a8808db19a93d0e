"""`callyard people move`, `moves` and `unmove`: agents who serve other queues for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from cti.clock import Clock
from cti.config import load_settings
from cti.errors import CtiError
from cti.instants import instant, told
from cti.terminal import fail, giver, zone_of
from ivr.errors import SiteError
from ivr.site import Site
from screenpop.errors import ScreenpopError
from screenpop.moves import Moves, WantedMove
from screenpop.orders import Order

Work = Callable[[Moves, Site, int], Awaitable[None]]


def move(
    agent: Annotated[str, typer.Argument(help="the agent's username")],
    add: Annotated[list[str] | None, typer.Option(help="a queue to serve too; several times for several")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="a queue to serve no more")] = None,
    from_: Annotated[str, typer.Option("--from", help="15:00, 2h, 2027-03-01T08:00; now if left out")] = "",
    until: Annotated[str, typer.Option(help="15:00, 2h, 2027-03-01T08:00; in the site's time zone")] = "",
    until_ended: Annotated[
        bool, typer.Option("--until-ended", help="no end time: until callyard people unmove")
    ] = False,
    reason: Annotated[str, typer.Option(help="stands in the records")] = "",
) -> None:
    """Let an agent serve other queues for a while. What rings or is being talked about goes on."""
    if bool(until) == until_ended:
        fail("expected either --until, such as --until 15:00 or --until 2h, or --until-ended")

    async def work(moves: Moves, site: Site, now: int) -> None:
        zone = zone_of(site)
        begins_at = instant(from_, now, zone) if from_ else 0
        ends_at = instant(until, now, zone) if until else 0
        wanted = WantedMove(agent, tuple(add or ()), tuple(remove or ()), begins_at, ends_at, reason)
        given = await moves.give(wanted, giver())
        print(_line(given, given.given_at, zone))

    _run(work)


def listed(
    everything: Annotated[bool, typer.Option("--all", help="also what is over, newest first")] = False,
) -> None:
    """Say who is moved, or is to be."""

    async def work(moves: Moves, site: Site, now: int) -> None:
        orders = await (moves.newest() if everything else moves.open())
        for order in orders:
            print(_line(order, now, zone_of(site)))
        if not orders:
            print("nobody was ever moved" if everything else "nobody is moved")

    _run(work)


def end(order: Annotated[int, typer.Argument(help="its number, as callyard people moves lists it")]) -> None:
    """End a move before its time."""

    async def work(moves: Moves, site: Site, now: int) -> None:
        ended = await moves.end(order, giver())
        print(f"ended: {_line(ended, now, zone_of(site))}")

    _run(work)


def _run(work: Work) -> None:
    from cti.main import with_moves

    async def connected() -> None:
        async with with_moves(load_settings()) as (moves, site):
            await work(moves, site, Clock().now())

    try:
        asyncio.run(connected())
    except (CtiError, ScreenpopError, SiteError) as error:
        fail(str(error))


def _line(order: Order, now: int, zone: ZoneInfo) -> str:
    add, remove = order.detail.get("add") or (), order.detail.get("remove") or ()
    parts = [*add, *(f"not {queue}" for queue in remove)]
    begins = f" from {told(order.begins_at, now, zone)}" if order.begins_at > order.given_at else ""
    ends = f" until {told(order.ends_at, now, zone)}" if order.ends_at else " until it is ended"
    ended = f", ended {told(order.ended_at, now, zone)} by {order.ended_by}" if order.ended_at else ""
    reason = f": {order.reason}" if order.reason else ""
    return f"{order.id}: {order.target} serves {', '.join(parts)}{begins}{ends}{ended}{reason} (by {order.given_by})"
