"""A real call, the page in Chromium, a real phone: the customer's record is on the screen before the phone rings."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from lab.caller import Caller, Identity, Press, StayOn, Wait
from lab.phone import Behaviour
from lab.world import open_world

pytestmark = [
    pytest.mark.web,
    pytest.mark.asterisk,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

_LINE = "+498999998100"


async def _sign_in(page: Page, address: str, username: str, password: str) -> None:
    await page.goto(address)
    await page.get_by_label("User name").fill(username)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("status", name="Connection").get_by_text("Connected").wait_for()


async def _marked_at_ns(page: Page, offer_id: str) -> int:
    """When the page itself marked the pop as shown, on this machine's wall clock."""
    at_ms: float = await page.evaluate(
        "id => performance.timeOrigin + performance.getEntriesByName(`shown:${id}`)[0].startTime", offer_id
    )
    return round(at_ms * 1_000_000)


async def test_the_record_is_on_the_screen_before_the_phone_rings(
    browser: Browser, web_files: Path, tmp_path: Path
) -> None:
    async with open_world(tmp_path / "w", people_with_phones=["maria"]) as world:
        phone = world.phones["maria"]
        phone.behaviour = Behaviour(answer_after_s=1.0, talk_s=2.0)
        context = await browser.new_context(viewport={"width": 1440, "height": 900})
        page = await context.new_page()
        page.set_default_timeout(15_000)
        await _sign_in(page, world.address, "maria", world.passwords["maria"])
        await page.get_by_role("button", name="Ready", exact=True).click()
        await page.get_by_role("status", name="Your state").get_by_text("Ready").wait_for()

        steps = (Wait(0.5), Press("1"), Wait(0.5), Press("100238#"), StayOn(40))
        calling = asyncio.create_task(Caller(Identity("+493023125101"), world.sip).call(_LINE, steps, patience_s=40))
        await page.get_by_role("heading", name="Jonas Weber").wait_for()
        async with asyncio.timeout(10):
            call = await phone.next_call()
        wall_ns = time.time_ns() - time.monotonic_ns()

        assert await page.evaluate("document.documentElement.dataset.shownOffer") == call.offer
        assert await _marked_at_ns(page, call.offer) < call.invite_ns + wall_ns

        state = page.get_by_role("status", name="Your state")
        await state.get_by_text("Talking").wait_for()
        await page.get_by_text("1 billing").first.wait_for()
        await state.get_by_text("Wrap-up").wait_for()
        await page.get_by_role("button", name="Finish").click()
        await state.get_by_text("Ready").wait_for()

        record = await calling
        await context.close()
    assert record.agent_was_heard
    assert call.caller_heard_ns is not None
