"""`callyard callers block`, `list` and `unblock`: who is refused before any flow begins."""

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
from screenpop.blocks import Blocks
from screenpop.errors import ScreenpopError
from screenpop.orders import Order

app = typer.Typer(no_args_is_help=True, help="Who is refused before any flow begins.")

Work = Callable[[Blocks, Site, int], Awaitable[None]]
Number = Annotated[str, typer.Argument(help='a number, or how several begin: "+4930*"')]


@app.command()
def block(
    number: Number,
    for_: Annotated[str, typer.Option("--for", help="15:00, 2h, 7d, 2027-03-01T08:00; in the site's time zone")] = "",
    until_ended: Annotated[bool, typer.Option("--until-ended", help="no end time: until unblock")] = False,
    reason: Annotated[str, typer.Option(help="stands in the records")] = "",
) -> None:
    """Refuse calls of a number or a prefix, without answering them."""
    if bool(for_) == until_ended:
        fail("expected either --for, such as --for 7d, or --until-ended")

    async def work(blocks: Blocks, site: Site, now: int) -> None:
        zone = zone_of(site)
        given = await blocks.block(number, instant(for_, now, zone) if for_ else 0, reason, giver())
        print(_line(given, given.given_at, zone))

    _run(work)


@app.command("list")
def listed(
    everything: Annotated[bool, typer.Option("--all", help="also what is over, newest first")] = False,
) -> None:
    """Say who is blocked by an order; those of callers.yaml stand there."""

    async def work(blocks: Blocks, site: Site, now: int) -> None:
        orders = await (blocks.newest() if everything else blocks.open())
        for order in orders:
            print(_line(order, now, zone_of(site)))
        if not orders:
            print("nobody was ever blocked" if everything else "nobody is blocked")

    _run(work)


@app.command()
def unblock(number: Number) -> None:
    """Let a number or a prefix in again."""

    async def work(blocks: Blocks, site: Site, now: int) -> None:
        for ended in await blocks.unblock(number, giver()):
            print(f"ended: {_line(ended, now, zone_of(site))}")

    _run(work)


def _run(work: Work) -> None:
    from cti.main import with_blocks

    async def connected() -> None:
        async with with_blocks(load_settings()) as (blocks, site):
            await work(blocks, site, Clock().now())

    try:
        asyncio.run(connected())
    except (CtiError, ScreenpopError, SiteError) as error:
        fail(str(error))


def _line(order: Order, now: int, zone: ZoneInfo) -> str:
    ends = f" until {told(order.ends_at, now, zone)}" if order.ends_at else " until it is ended"
    ended = f", ended {told(order.ended_at, now, zone)} by {order.ended_by}" if order.ended_at else ""
    reason = f": {order.reason}" if order.reason else ""
    return f"{order.id}: {order.target} is blocked{ends}{ended}{reason} (by {order.given_by})"
