"""An admin publishes, checks and rolls back on the page, with what changes before their eyes; nobody else does."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, Page, expect

from tests.web.floor import Floor
from tests.web.test_flows import HOSTILE, sign_in

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


def write(floor: Floor, old: str, new: str, name: str = "flows/office.yaml") -> None:
    file = floor.files / name
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def say(floor: Floor, said: str) -> None:
    """The office greets otherwise."""
    write(floor, "You have reached the Northwind office in Munich.", said)


async def open_versions(page: Page, username: str = "ada") -> Locator:
    await sign_in(page, username)
    await page.get_by_role("link", name="Flows").click()
    panel = page.get_by_role("region", name="Published versions")
    await expect(panel.get_by_role("listitem").first).to_contain_text("first start")
    return panel


async def publish(page: Page, panel: Locator, note: str = "") -> None:
    await panel.get_by_role("button", name="Publish …").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("No errors.")).to_be_visible()
    await dialog.get_by_label("What changed").fill(note)
    await dialog.get_by_role("button", name="Publish", exact=True).click()
    await expect(dialog).to_have_count(0)


def numbers(floor: Floor) -> list[int]:
    return [each.number for each in floor.versions.history()]


async def test_an_admin_sees_what_changes_and_publishes_it(page: Page, floor: Floor) -> None:
    panel = await open_versions(page)
    say(floor, "Welcome to Munich.")
    await panel.get_by_role("button", name="Publish …").click()
    dialog = page.get_by_role("dialog", name="Publish the files")
    changes = dialog.get_by_label("Differences in office")
    await expect(changes.get_by_text("+  say: Welcome to Munich.")).to_be_in_viewport()
    await expect(changes).to_contain_text("-  say: You have reached the Northwind office in Munich.")
    await dialog.get_by_text("In the files").click()
    await expect(dialog.get_by_label("Differences in the files").get_by_text("+++ b/flows/office")).to_be_in_viewport()
    assert numbers(floor) == [1], "nothing is published before it is confirmed"

    await dialog.get_by_label("What changed").fill(HOSTILE)
    await dialog.get_by_role("button", name="Publish", exact=True).click()

    await expect(panel.get_by_role("status", name="Files")).to_have_text("Version 2 is live. New calls begin on it.")
    newest = panel.get_by_role("listitem").first
    await expect(newest).to_contain_text(HOSTILE)
    await expect(newest).to_contain_text("ada · ")
    await expect(newest.get_by_text("Live")).to_be_visible()
    assert numbers(floor) == [1, 2]
    assert "Welcome to Munich." in str(floor.site.flows["office"])


async def test_what_is_wrong_is_told_with_its_place_and_nothing_is_replaced(page: Page, floor: Floor) -> None:
    panel = await open_versions(page)
    say(floor, '"{nobody}"')
    await panel.get_by_role("button", name="Check the files").click()
    told = panel.get_by_role("status", name="Files")
    await expect(told).to_contain_text("1 error in the files. What is live is not touched.")
    await expect(told.get_by_role("listitem")).to_contain_text('unknown variable "nobody"')
    await expect(told.locator("code")).to_have_text("flows/office.yaml:11:12")

    await panel.get_by_role("button", name="Publish …").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("alert")).to_contain_text("1 error. Nothing can be published")
    await expect(dialog.locator("code")).to_have_text("flows/office.yaml:11:12")
    await expect(dialog.get_by_role("button", name="Publish", exact=True)).to_have_count(0)
    await dialog.get_by_role("button", name="Close").last.click()
    assert numbers(floor) == [1]


async def test_a_file_that_breaks_after_the_check_is_refused_in_the_dialog(page: Page, floor: Floor) -> None:
    panel = await open_versions(page)
    say(floor, "Welcome to Munich.")
    await panel.get_by_role("button", name="Publish …").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("No errors.")).to_be_visible()
    write(floor, "Welcome to Munich.", '"{nobody}"')
    await dialog.get_by_role("button", name="Publish", exact=True).click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Refused. Nothing has changed: version 1 is live.")
    await expect(dialog.get_by_role("alert").locator("code")).to_have_text("flows/office.yaml:11:12")
    write(floor, '"{nobody}"', "Hello.")
    floor.voice.refused = "Hello."
    await dialog.get_by_role("button", name="Publish", exact=True).click()
    await expect(dialog.get_by_role("alert")).to_contain_text("a prompt cannot be rendered: cannot say Hello.")
    assert numbers(floor) == [1]


async def test_rolling_back_asks_first_and_says_what_would_change(page: Page, floor: Floor) -> None:
    panel = await open_versions(page)
    say(floor, "Welcome to Munich.")
    await publish(page, panel, "greeting")
    await expect(panel.get_by_role("button", name="Roll back to 2")).to_have_count(0)
    await panel.get_by_role("button", name="Roll back to 1 …").click()
    dialog = page.get_by_role("dialog", name="Roll back to version 1")
    await expect(dialog.get_by_label("Differences in office")).to_contain_text("-  say: Welcome to Munich.")
    await dialog.get_by_role("button", name="Cancel").click()
    assert numbers(floor) == [1, 2]

    await panel.get_by_role("button", name="Roll back to 1 …").click()
    await dialog.get_by_label("Why").fill("too short")
    await dialog.get_by_role("button", name="Roll back to 1").click()
    await expect(panel.get_by_role("status", name="Files")).to_contain_text("Version 3 is live.")
    newest = panel.get_by_role("listitem").first
    await expect(newest).to_contain_text("too short")
    await expect(newest).to_contain_text("files of version 1")
    assert [each.of for each in floor.versions.history()] == [0, 0, 1]
    assert "Welcome" not in str(floor.site.flows["office"])


async def test_files_that_are_live_already_cannot_be_published_again(page: Page, floor: Floor) -> None:
    panel = await open_versions(page)
    await panel.get_by_role("button", name="Check the files").click()
    await expect(panel.get_by_role("status", name="Files")).to_contain_text(
        "No errors in the files. They are what is live."
    )
    await panel.get_by_role("button", name="Publish …").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("There is nothing to publish.")).to_be_visible()
    await expect(dialog.get_by_role("button", name="Publish", exact=True)).to_have_count(0)


async def test_while_prompts_are_rendered_nobody_confirms_twice(page: Page, floor: Floor) -> None:
    panel = await open_versions(page)
    say(floor, "Welcome to Munich.")
    await panel.get_by_role("button", name="Publish …").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("No errors.")).to_be_visible()
    floor.voice.may.clear()
    await dialog.get_by_role("button", name="Publish", exact=True).click()
    await expect(dialog.get_by_role("button", name="Rendering prompts …")).to_be_disabled()
    assert numbers(floor) == [1]
    floor.voice.may.set()
    await expect(dialog).to_have_count(0)
    assert numbers(floor) == [1, 2]


async def test_calls_in_progress_stand_at_their_version(page: Page, floor: Floor) -> None:
    first = floor.versions.history()[0].hash
    floor.published.calls[first] = 2
    panel = await open_versions(page)
    say(floor, "Welcome to Munich.")
    await publish(page, panel)
    await expect(panel.get_by_role("listitem").filter(has_text="first start")).to_contain_text("2 calls on it")


async def test_by_keyboard_alone(page: Page, floor: Floor) -> None:
    panel = await open_versions(page)
    say(floor, "Welcome to Munich.")
    button = panel.get_by_role("button", name="Publish …")
    await reach(page, button)
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("No errors.")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(button).to_be_focused()
    await page.keyboard.press("Enter")
    await reach(page, dialog.get_by_label("What changed"))
    await page.keyboard.type("by keyboard")
    await reach(page, dialog.get_by_role("button", name="Publish", exact=True))
    await page.keyboard.press("Enter")
    await expect(panel.get_by_role("listitem").first).to_contain_text("by keyboard")
    await reach(page, panel.get_by_role("button", name="Compare with 1"))
    await page.keyboard.press("Enter")
    region = panel.get_by_role("region", name="Differences between 1 and 2")
    await expect(region.get_by_label("Differences in office")).to_contain_text("+  say: Welcome to Munich.")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowRight")
    await expect(region.get_by_label("Differences in the files")).to_be_visible()


async def reach(page: Page, wanted: Locator) -> None:
    """Go there by Tab."""
    await wanted.wait_for()
    for _ in range(80):
        if await wanted.evaluate("node => node === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} is not reached by Tab")


async def test_supervisors_see_versions_and_differences_and_no_button_that_changes(page: Page, floor: Floor) -> None:
    say(floor, "Welcome to Munich.")
    panel = await open_versions(page, "susi")
    await expect(panel.get_by_role("button")).to_have_count(0)
    for path in ("check", "publish", "rollback"):
        answer = await page.request.post(
            f"{floor.address}/api/flows/{path}", data={}, headers={"X-Callyard": "1", "Origin": floor.address}
        )
        assert answer.status == 403
    await expect(page.get_by_role("link", name="Audit")).to_have_count(0)
    await page.goto(f"{floor.address}/#/audit")
    await expect(page.get_by_role("heading", name="Audit")).to_have_count(0)
    assert (await page.request.get(f"{floor.address}/api/audit")).status == 403
    assert numbers(floor) == [1]


async def test_the_audit_tells_who_published_and_who_was_refused(page: Page, floor: Floor) -> None:
    panel = await open_versions(page)
    say(floor, "Welcome to Munich.")
    await publish(page, panel, HOSTILE)
    await floor.audit.note("reload", "flow_publish_refused", "2", {"way": "signal", "from": 2, "to": 2,
                           "problems": ['flows/office.yaml:11:12: unknown variable "x"'], "count": 1})  # fmt: skip
    await page.get_by_role("link", name="Audit").click()
    await page.get_by_label("What").select_option("Published and refused")
    rows = page.get_by_role("row")
    await expect(rows).to_have_count(4)
    await expect(rows.nth(1)).to_contain_text("version 2 stays live · by SIGHUP")
    await rows.nth(1).get_by_text("Why").click()
    await expect(rows.nth(1).locator("code")).to_have_text("flows/office.yaml:11:12")
    await expect(rows.nth(2)).to_contain_text("ada")
    await expect(rows.nth(2)).to_contain_text(f"version 1 → 2 · on this page · {HOSTILE}")
    await expect(rows.nth(3)).to_contain_text("version 1 · by command · first start")
    await page.get_by_label("Who").fill("reload")
    await page.get_by_role("button", name="Show again").click()
    await expect(rows).to_have_count(2)


async def test_older_rows_of_the_audit_are_a_click_away(page: Page, floor: Floor) -> None:
    for number in range(60):
        await floor.audit.note("ben", "order_given", f"queue-{number}", {})
    await sign_in(page, "ada")
    await page.get_by_role("link", name="Audit").click()
    await page.get_by_label("What").select_option("Orders")
    await expect(page.get_by_role("row")).to_have_count(51)
    await page.get_by_role("button", name="Older").click()
    await expect(page.get_by_role("row")).to_have_count(61)
    await expect(page.get_by_role("row").last).to_contain_text("queue-0")
    await expect(page.get_by_role("button", name="Older")).to_have_count(0)


@pytest.mark.parametrize("where", ["flows", "audit"])
async def test_a_narrow_page_leaves_room_for_all(page: Page, floor: Floor, where: str) -> None:
    await page.set_viewport_size({"width": 400, "height": 800})
    panel = await open_versions(page)
    say(floor, "Welcome to Munich, " + "and welcome again, " * 20 + "goodbye.")
    await publish(page, panel, "x" * 200)
    if where == "audit":
        await page.get_by_role("link", name="Audit").click()
        await page.get_by_text("version 1 → 2").wait_for()
    else:
        await panel.get_by_role("button", name="Compare with 1").click()
        await panel.get_by_label("Differences in office").wait_for()
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 400, f"the page is {wide} wide"
