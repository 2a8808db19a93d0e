"""Ready, not ready and why: by mouse and by keyboard, and what the server decides itself."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from acd.commands import AgentChanged
from acd.events import PhoneChanged
from acd.model import Phone, Presence
from tests.web.floor import Floor

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


async def test_ready_and_not_ready_with_a_reason(desk: Page, floor: Floor) -> None:
    state = desk.get_by_role("status", name="Your state")
    await desk.get_by_role("button", name="Ready", exact=True).click()
    await expect(state).to_contain_text("Ready")
    await expect(desk.get_by_role("heading", name="You are ready")).to_be_visible()

    await desk.get_by_role("button", name="Not ready").click()
    await desk.get_by_role("menuitemradio", name="Training").click()
    await floor.desk.until(AgentChanged, presence=Presence.NOT_READY, presence_reason="training")
    await expect(state).to_contain_text("Not ready")
    await expect(state).to_contain_text("Training")


async def test_reasons_by_keyboard(desk: Page, floor: Floor) -> None:
    await desk.keyboard.press("n")
    await expect(desk.get_by_role("menuitemradio", name="Lunch")).to_be_focused()
    await desk.keyboard.press("ArrowDown")
    await expect(desk.get_by_role("menuitemradio", name="Training")).to_be_focused()
    await desk.keyboard.press("ArrowDown")
    await expect(desk.get_by_role("menuitemradio", name="Lunch")).to_be_focused()
    await desk.keyboard.press("Escape")
    await expect(desk.get_by_role("menu")).to_have_count(0)
    await desk.keyboard.press("n")
    await desk.keyboard.press("Enter")
    await floor.desk.until(AgentChanged, presence=Presence.NOT_READY, presence_reason="lunch")


async def test_an_unanswered_offer_explains_why_no_more_calls_come(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    await floor.call("+442079460101")
    await expect(desk.get_by_role("heading", name="Amelia Hart")).to_be_visible()
    floor.move_on(31)
    await expect(desk.get_by_role("heading", name="Not ready: No answer")).to_be_visible()
    await expect(desk.get_by_role("log", name="Notices")).to_contain_text("Not answered in time")
    await desk.get_by_role("button", name="Go ready").click()
    await expect(desk.get_by_role("heading", name="Amelia Hart")).to_be_visible()


async def test_a_lost_phone_is_said(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    floor.desk.submit(PhoneChanged("maria", Phone.GONE))
    await expect(desk.get_by_role("heading", name="No calls: your phone is gone")).to_be_visible()
    floor.desk.submit(PhoneChanged("maria", Phone.FREE))
    await expect(desk.get_by_role("heading", name="You are ready")).to_be_visible()
