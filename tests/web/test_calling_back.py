"""While a customer is called back their agent reads so, and picks up nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.async_api import Page, expect

from acd.events import (
    CallbackAnswered,
    CallbackFailed,
    CallerLeft,
    ConfigurationChanged,
    InteractionArrived,
    InteractionQueued,
)
from acd.model import CallbackRules, Configuration, Presence
from tests.web.floor import BEN, MARIA, QUEUES, WEI, Floor

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

AMELIA = "+442079460101"


async def called(floor: Floor) -> None:
    """Amelia was promised a call; Maria is ready, so she is being called."""
    rules = tuple(replace(queue, callback=CallbackRules()) for queue in QUEUES)
    floor.desk.submit(ConfigurationChanged(Configuration(queues=rules, agents=(MARIA, BEN, WEI))))
    await floor.choose(Presence.READY)
    floor.desk.submit(InteractionArrived("c0ffee-1", AMELIA, dialled="+442079460000", flow="main"))
    await floor.directory.match_caller("c0ffee-1", AMELIA)
    floor.desk.submit(InteractionQueued("c0ffee-1", "billing", callback_number=AMELIA))
    floor.desk.submit(CallerLeft("c0ffee-1"))


async def test_first_the_customer_is_called_then_the_phone_rings(desk: Page, floor: Floor) -> None:
    await called(floor)
    work = desk.get_by_role("article", name="Call in hand")
    state = desk.get_by_role("status", name="Your state")
    said = desk.get_by_role("status", name="Call announcements")
    await expect(work.get_by_text("Calling the customer back")).to_be_visible()
    await expect(work.get_by_text("Your phone 1001 rings once they have answered")).to_be_visible()
    await expect(work.get_by_text("Pick up your phone")).to_have_count(0)
    await expect(state).to_contain_text("Calling the customer back")
    await expect(desk).to_have_title("☎ Calling back Amelia Hart")
    await expect(said).to_contain_text("Calling the customer back: Amelia Hart, Hart Interiors, VIP, for Billing.")

    floor.desk.submit(CallbackAnswered("c0ffee-1/1"))
    await expect(work.get_by_text("Pick up your phone 1001")).to_be_visible()
    await expect(desk.get_by_text("Calling the customer back")).to_have_count(0)
    await expect(state).to_contain_text("Ringing")
    await expect(desk).to_have_title("☎ Amelia Hart is calling")


async def test_a_customer_who_is_not_reached_is_said(desk: Page, floor: Floor) -> None:
    await called(floor)
    await expect(desk.get_by_text("Calling the customer back").first).to_be_visible()
    floor.desk.submit(CallbackFailed("c0ffee-1/1", "no_answer"))
    await expect(desk.get_by_text("The customer could not be connected")).to_be_visible()
    await expect(desk.get_by_role("status", name="Your state")).to_contain_text("Ready")


@pytest.mark.parametrize("width", [1440, 400, 340])
async def test_the_words_have_room(desk: Page, floor: Floor, width: int) -> None:
    await desk.set_viewport_size({"width": width, "height": 860})
    await called(floor)
    await expect(desk.get_by_text("Calling the customer back").first).to_be_visible()
    assert await desk.evaluate("document.documentElement.scrollWidth") <= width
