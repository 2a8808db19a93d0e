"""Talking and the work after the call."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from acd.model import Presence
from tests.web.floor import PASSWORD, Floor

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


async def test_what_was_written_during_the_call_is_finished_after_it(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    call = await floor.call("+442079460101")
    floor.pick_up(call)
    state = desk.get_by_role("status", name="Your state")
    await expect(state).to_contain_text("Talking")
    await desk.get_by_role("radio", name="Follow-up needed").check()
    await desk.get_by_label("Note", exact=True).fill("Copy of invoice 20417 sent; R N ? are only letters here")
    await expect(desk.get_by_role("button", name="Finish")).to_have_count(0)
    floor.hang_up(call)
    await expect(state).to_contain_text("Wrap-up")
    await expect(desk.get_by_text("Then the next caller may come")).to_be_visible()
    await desk.get_by_role("button", name="Finish").click()
    closed = await floor.wrapped_up(call)
    assert (closed.disposition, closed.timed_out) == ("follow_up", False)
    assert closed.note == "Copy of invoice 20417 sent; R N ? are only letters here"
    await expect(desk.get_by_role("heading", name="You are ready")).to_be_visible()


async def test_a_reload_keeps_what_was_written(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    call = await floor.call("+442079460101")
    floor.pick_up(call)
    await desk.get_by_label("Note", exact=True).fill("half a thought")
    await desk.reload()
    await expect(desk.get_by_label("Note", exact=True)).to_have_value("half a thought")
    await expect(desk.get_by_role("heading", name="Amelia Hart")).to_be_visible()


async def test_when_time_runs_out_what_was_written_is_saved(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    call = await floor.call("+442079460101")
    floor.pick_up(call)
    await desk.get_by_label("Note", exact=True).fill("nearly lost")
    floor.hang_up(call)
    await expect(desk.get_by_role("button", name="Finish")).to_be_visible()
    floor.clock.ahead_us += 59_000_000  # the next message tells the page the server's time
    await floor.call("+442079460999", queue="support")
    closed = await floor.wrapped_up(call)
    assert (closed.note, closed.timed_out) == ("nearly lost", False)


async def test_a_shift_by_keyboard_only(page: Page, floor: Floor) -> None:
    await page.keyboard.type("maria")
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Not taking calls yet")).to_be_visible()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("r")
    await expect(page.get_by_role("heading", name="You are ready")).to_be_visible()
    call = await floor.call("+442079460101")
    assert await floor.pop_shown(f"{call}/1")
    floor.pick_up(call)
    await expect(page.get_by_role("status", name="Your state")).to_contain_text("Talking")
    await page.keyboard.press("1")
    await page.keyboard.press("m")
    await page.keyboard.type("r n 2 ?")
    floor.hang_up(call)
    await expect(page.get_by_role("button", name="Finish")).to_be_visible()
    await page.keyboard.press("Control+Enter")
    closed = await floor.wrapped_up(call)
    assert (closed.disposition, closed.note) == ("solved", "r n 2 ?")
    await expect(page.get_by_role("heading", name="You are ready")).to_be_visible()


async def test_more_time_by_button_and_by_key_as_far_as_it_goes(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    call = await floor.call("+442079460101")
    floor.pick_up(call)
    await expect(desk.get_by_role("button", name="More time")).to_have_count(0)
    floor.hang_up(call)
    await desk.get_by_role("button", name="More time (+30 s)").click()
    # 60 s and 30 s of at most 100 s: ten are left.
    await expect(desk.get_by_role("button", name="More time (+10 s)")).to_be_visible()
    await desk.get_by_label("Note", exact=True).press("t")
    await expect(desk.get_by_label("Note", exact=True)).to_have_value("t")
    await desk.get_by_role("heading", name="Wrap-up").click()
    await desk.keyboard.press("t")
    await expect(desk.get_by_role("button", name="More time")).to_have_count(0)
    agent = floor.desk.engine.floor.agents["maria"]
    assert agent.assignments[0].deadline == agent.assignments[0].since + 100_000_000
    floor.move_on(99)
    await expect(desk.get_by_role("button", name="Finish")).to_be_visible()
    assert agent.assignments


async def test_what_is_chosen_during_a_call_is_shown_as_next(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    call = await floor.call("+442079460101")
    await expect(desk.get_by_role("group", name="Presence", exact=True)).to_be_visible()
    floor.pick_up(call)
    await expect(desk.get_by_role("group", name="Presence after this call")).to_be_visible()
    await desk.get_by_role("button", name="Not ready").click()
    await desk.get_by_role("menuitemradio", name="Lunch").click()
    await expect(desk.get_by_text("Then not ready (Lunch)")).to_be_visible()
    state = desk.get_by_role("status", name="Your state")
    await expect(state).to_contain_text("Talking")
    floor.hang_up(call)
    await desk.get_by_role("button", name="Finish").click()
    await expect(state).to_contain_text("Not ready")
    await expect(state).to_contain_text("Lunch")
    await expect(desk.get_by_text("Then not ready")).to_have_count(0)
