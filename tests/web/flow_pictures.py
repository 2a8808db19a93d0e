"""Takes the pictures of the flows page: `python -m tests.web.flow_pictures [FOLDER]`; without a folder, the one for the
documentation."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from lab.web import ROOT, build, say
from tests.web.floor import PASSWORD, Floor, open_floor
from tests.web.flow_callers import call_all_day

WIDE = ViewportSize(width=1440, height=900)
NARROW = ViewportSize(width=400, height=860)
OUT = ROOT / "docs" / "pictures"


async def open_page(browser: Browser, floor: Floor, size: ViewportSize, scheme: str, username: str = "susi") -> Page:
    context = await browser.new_context(
        viewport=size, color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
    )
    page = await context.new_page()
    await page.goto(f"{floor.address}/#/flows/main")
    await page.get_by_label("User name").fill(username)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.locator("[data-node=main-menu]").wait_for()
    return page


async def main(folder: Path | None) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no `chromium` on this machine: install the package chromium")
    with tempfile.TemporaryDirectory() as data:
        async with open_floor(Path(data), build()) as floor, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            if folder is not None:
                await shoot(await open_page(browser, floor, WIDE, "light"), folder / "empty-light.png")
                await shoot(await open_page(browser, floor, NARROW, "dark"), folder / "empty-narrow-dark.png")
            call_all_day(floor, 400)
            await floor.footfall.flush()
            await floor.records.flush()
            page = await open_page(browser, floor, WIDE, "light")
            await choose(page)
            await shoot(page, (folder or OUT) / "flows.png")
            if folder is not None:
                await rest(browser, floor, page, folder)
            await publishing(browser, floor, folder or OUT, all_looks=folder is not None)
            await browser.close()


async def choose(page: Page) -> None:
    await page.locator("[data-node=main-menu]").click()
    await page.get_by_role("heading", name="main-menu").wait_for()


async def rest(browser: Browser, floor: Floor, page: Page, folder: Path) -> None:
    await page.get_by_text("Table", exact=True).click()
    await shoot(page, folder / "table-light.png")
    dark = await open_page(browser, floor, WIDE, "dark")
    await shoot(dark, folder / "full-dark.png")
    for scheme in ("light", "dark"):
        narrow = await open_page(browser, floor, NARROW, scheme)
        await choose(narrow)
        await shoot(narrow, folder / f"narrow-{scheme}.png", full=True)


async def publishing(browser: Browser, floor: Floor, folder: Path, *, all_looks: bool) -> None:
    """An admin's page: versions with their differences, the dialogs, refusals and the audit."""
    file, page = floor.files / "flows" / "office.yaml", await open_page(browser, floor, WIDE, "light", "ada")
    whole = await asyncio.to_thread(file.read_text, "utf-8")
    await asyncio.to_thread(file.write_text, whole.replace("You have reached", "Welcome to"), "utf-8")
    await page.get_by_role("button", name="Publish …").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Differences in office").wait_for()
    await dialog.get_by_label("What changed").fill("a shorter greeting for Munich")
    await shoot(page, folder / "publish.png")
    await dialog.get_by_role("button", name="Publish", exact=True).click()
    await page.get_by_text("Version 2 is live.").wait_for()
    if not all_looks:
        return
    floor.published.calls[floor.versions.history()[0].hash] = 3
    await asyncio.to_thread(file.write_text, whole.replace("You have reached", "{nobody}, and {nothing}"), "utf-8")
    for size, name in ((WIDE, "wide"), (NARROW, "narrow")):
        for scheme in ("light", "dark"):
            await looks(await open_page(browser, floor, size, scheme, "ada"), folder, f"{name}-{scheme}")


async def looks(page: Page, folder: Path, look: str) -> None:
    panel = page.get_by_role("region", name="Published versions")
    await panel.get_by_role("button", name="Check the files").click()
    await panel.get_by_role("button", name="Compare with 1").click()
    await panel.get_by_label("Differences in office").wait_for()
    await shoot(page, folder / f"versions-{look}.png", full=True)
    await panel.get_by_role("button", name="Publish …").click()
    await page.get_by_role("dialog").get_by_role("alert").wait_for()
    await shoot(page, folder / f"refused-{look}.png")
    await page.keyboard.press("Escape")
    await panel.get_by_role("button", name="Roll back to 1 …").click()
    await page.get_by_role("dialog").get_by_label("Differences in office").wait_for()
    await shoot(page, folder / f"rollback-{look}.png")
    await page.keyboard.press("Escape")
    await page.get_by_role("link", name="Audit").click()
    await page.get_by_role("row").nth(1).wait_for()
    await shoot(page, folder / f"audit-{look}.png")


async def shoot(page: Page, file: Path, *, full: bool = False) -> None:
    await page.wait_for_timeout(600)
    taken = await page.screenshot(path=file, full_page=full)
    say(f"{file} {len(taken) // 1000} kB")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
