"""Signing in and out at the desktop."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from acd.commands import AgentChanged
from acd.model import Desktop, Presence
from tests.web.floor import Floor

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


async def test_a_wrong_password_is_said_and_lets_nobody_in(page: Page, floor: Floor) -> None:
    await page.get_by_label("User name").fill("maria")
    await page.get_by_label("Password").fill("wrong horse 7")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    await expect(page.get_by_label("Password")).to_have_value("")
    await expect(page.get_by_label("Password")).to_be_focused()
    assert floor.live.connected == 0


async def test_the_right_password_opens_the_desk_and_tells_the_engine(desk: Page, floor: Floor) -> None:
    await floor.desk.until(AgentChanged, agent_id="maria", desktop=Desktop.THERE)
    await expect(desk.get_by_text("Maria Alvarez")).to_be_visible()
    await expect(desk.get_by_text("Phone 1001")).to_be_visible()
    await expect(desk.get_by_role("heading", name="Not taking calls yet")).to_be_visible()
    await expect(desk.get_by_role("row", name="Technical help")).to_be_visible()


async def test_a_reload_needs_no_second_sign_in(desk: Page) -> None:
    await desk.reload()
    await expect(desk.get_by_role("status", name="Your state")).to_be_visible()


async def test_too_many_tries_are_slowed_down(page: Page) -> None:
    button = page.get_by_role("button", name="Sign in")
    for _ in range(11):
        await page.get_by_label("User name").fill("maria")
        await page.get_by_label("Password").fill("wrong horse 7")
        async with page.expect_response("**/api/session"):
            await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("Too many tries")
    await expect(button).to_be_disabled()


async def test_signing_out_ends_the_presence_and_the_connection(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    await desk.get_by_role("button", name="Sign out").click()
    await expect(desk.get_by_role("button", name="Sign in")).to_be_visible()
    await floor.desk.until(AgentChanged, agent_id="maria", presence=Presence.LOGGED_OUT, desktop=Desktop.GONE)
