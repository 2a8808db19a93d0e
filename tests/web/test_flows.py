"""The flows page of supervisors: the flow as a graph with what callers do in it, live; by keyboard; for nobody else."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from playwright.async_api import Page, expect

from acd.commands import InteractionClosed
from tests.web.floor import PASSWORD, Floor
from tests.web.flow_callers import Caller, call_all_day

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

HOSTILE = "<img src=x onerror=alert(1)>"


async def sign_in(page: Page, username: str) -> None:
    await page.get_by_label("User name").fill(username)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("status", name="Connection").get_by_text("Connected").wait_for()


async def open_flows(page: Page) -> None:
    await sign_in(page, "susi")
    await page.get_by_role("link", name="Flows").click()
    await page.locator("[data-node=main-menu]").wait_for()


async def test_callers_are_seen_where_they_are_and_what_they_did(page: Page, floor: Floor) -> None:
    await open_flows(page)
    await expect(page.get_by_role("button", name="Node main-menu, 0 callers now, entered 0")).to_be_visible()
    one, two, three = Caller(floor, "a"), Caller(floor, "b"), Caller(floor, "c")
    for caller in (one, two, three):
        caller.go_on()
    menu = page.locator("[data-node=main-menu]")
    await expect(menu.get_by_title("Callers here now")).to_have_text("3")
    two.press("9")
    two.press("")  # no key, after one that is none: on to billing
    one.press("2")
    three.hang_up()
    await floor.footfall.flush()
    await expect(menu.get_by_title("Callers here now")).to_have_count(0)
    await expect(menu.get_by_title("Entered")).to_have_text("→ 3")
    await expect(menu.get_by_title("Hang-ups here")).to_have_text("hung up 1")
    await expect(menu.get_by_title("Time-outs and invalid keys")).to_have_text("missed 2")
    await expect(page.locator("[data-node=billing]").get_by_title("Callers here now")).to_have_text("1")
    await menu.click()
    panel = page.get_by_role("region", name="main-menu")
    for told in ("Key 2 1", "Otherwise 1", "Hung up here 1"):
        await expect(panel.get_by_role("listitem").filter(has_text=told.rpartition(" ")[0]).last).to_contain_text("1")
    await expect(panel).to_contain_text("1 time-out")
    await expect(panel).to_contain_text("1 invalid key")


async def test_the_table_tells_the_same_as_the_graph(page: Page, floor: Floor) -> None:
    call_all_day(floor, 60)
    await floor.footfall.flush()
    await floor.records.flush()
    await open_flows(page)
    menu = page.locator("[data-node=main-menu]")
    await expect(menu.get_by_title("Entered")).not_to_have_text("→ 0")
    entered = (await menu.get_by_title("Entered").inner_text()).removeprefix("→").strip()
    await page.get_by_text("Table", exact=True).click()
    row = page.get_by_role("row", name="main-menu")
    await expect(row.get_by_role("cell").nth(1)).to_have_text(entered)
    await expect(page.get_by_role("region", name="By dialled number")).to_contain_text("+498999998101")
    over = sum(isinstance(fact, InteractionClosed) for fact in floor.desk.facts)
    await expect(page.get_by_text(f"of {over} calls")).to_be_visible()


async def test_by_keyboard_alone(page: Page, floor: Floor) -> None:
    await open_flows(page)
    node = page.get_by_role("button", name="Node billing,")
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await node.evaluate("node => node === document.activeElement"):
            break
    else:
        raise AssertionError("the node billing is not reached by Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="billing", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Close", exact=True).press("Enter")
    await expect(page.get_by_role("heading", name="billing", exact=True)).to_have_count(0)
    await node.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="billing", exact=True)).to_be_visible()


async def test_what_files_say_is_text_and_another_flow_is_a_click_away(page: Page, floor: Floor) -> None:
    flows = dict(floor.site.flows)
    flows["office"] = flows["office"].model_copy(update={"title": HOSTILE})
    floor.site = replace(floor.site, flows=flows, version="f" * 64)
    await open_flows(page)
    await page.get_by_role("navigation", name="Flows").get_by_text(HOSTILE).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    await page.locator("[data-node='flow main']").click()
    await page.get_by_role("button", name="Open flow main").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Main line")
    assert page.url.endswith("#/flows/main")


async def test_a_pop_of_the_desk_and_a_narrow_page_leave_room_for_all(page: Page, floor: Floor) -> None:
    await page.set_viewport_size({"width": 400, "height": 800})
    await open_flows(page)
    await page.locator("[data-node=main-menu]").click()
    await expect(page.get_by_role("heading", name="main-menu")).to_be_visible()
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 400, f"the page is {wide} wide"


async def test_agents_see_no_link_and_no_page(desk: Page, floor: Floor) -> None:
    await expect(desk.get_by_role("link", name="Flows")).to_have_count(0)
    await desk.goto(f"{floor.address}/#/flows/main")
    await desk.reload()
    await expect(desk.get_by_role("status", name="Your state")).to_be_visible()
    await expect(desk.locator("[data-node]")).to_have_count(0)
    answer = await desk.request.get(f"{floor.address}/api/flows")
    assert answer.status == 403


async def test_numbers_that_cannot_be_read_again_are_said_to_be_old(page: Page, floor: Floor) -> None:
    Caller(floor, "a").go_on()
    await floor.footfall.flush()
    await open_flows(page)
    menu = page.locator("[data-node=main-menu]")
    await expect(menu.get_by_title("Entered")).to_have_text("→ 1")
    await page.route("**/api/flows/**", lambda route: asyncio.ensure_future(route.abort()))
    await expect(page.get_by_role("status", name="Numbers")).to_contain_text("last known numbers")
    await expect(menu.get_by_title("Entered")).to_have_text("→ 1")
    await page.unroute_all()
    await expect(page.get_by_role("status", name="Numbers")).to_have_text("")
