"""Agents' screens that answer as a test says (cti.ports.Desktops)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from acd.commands import Fact, OfferInteraction
from acd.snapshot import InteractionView


class FakeDesktops:
    """Shows every pop at once unless told otherwise.

    `is_there` False: no browser is connected. `holds_pops`: a pop is shown only when `show` is called.
    `log`: everything that happened, in order, as (what, of whom).
    """

    def __init__(self) -> None:
        self.is_there = True
        self.holds_pops = False
        self.fails = False
        self.pops: list[tuple[OfferInteraction, InteractionView]] = []
        self.published: list[Fact] = []
        self.log: list[tuple[str, str]] = []
        self._shown = asyncio.Event()
        self._popped = asyncio.Event()

    async def show_offer(self, offer: OfferInteraction, interaction: InteractionView) -> bool:
        self.pops.append((offer, interaction))
        self.log.append(("pop", offer.offer_id))
        self._popped.set()
        if self.fails:
            raise RuntimeError("the screen is broken")
        if self.holds_pops:
            await self._shown.wait()
        return self.is_there

    def publish(self, facts: Sequence[Fact], now: int) -> None:
        self.published.extend(facts)

    def show(self) -> None:
        """Let the pops that are held be shown."""
        self._shown.set()

    async def popped(self) -> None:
        """Wait for the first pop."""
        await self._popped.wait()
