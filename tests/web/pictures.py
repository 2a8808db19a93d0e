"""Takes the pictures of the desktop for the documentation: `python -m tests.web.pictures`.

Everything on them is real: the real page in a real browser on the real engine; the callers are made up.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

from acd.events import CallerLeft, DesktopChanged, FlowEnded, PhoneChanged, PresenceChosen, WrapUpEnded
from acd.model import Desktop, Outcome, Phone, Presence
from lab.web import ROOT, build, say
from tests.web.floor import PASSWORD, Floor, open_floor

OUT = ROOT / "docs" / "pictures"
WIDE = ViewportSize(width=1440, height=900)
NARROW = ViewportSize(width=400, height=860)
THREE_DAYS = 3 * 86_400_000_000
AMELIA = "+442079460101"


class Photographer:
    """Maria's page in four looks, all signed in and all live at once."""

    def __init__(self, browser: Browser, floor: Floor) -> None:
        self._browser = browser
        self._floor = floor
        self._pages: dict[str, Page] = {}
        self._cookies: BrowserContext | None = None

    async def open(self) -> None:
        for look, size, scheme in (
            ("light", WIDE, "light"),
            ("dark", WIDE, "dark"),
            ("narrow-light", NARROW, "light"),
            ("narrow-dark", NARROW, "dark"),
        ):
            context = await self._browser.new_context(
                viewport=size, color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
            )
            page = await context.new_page()
            await page.goto(self._floor.address)
            await page.get_by_label("User name").fill("maria")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.keyboard.press("Enter")
            await page.get_by_role("status", name="Your state").wait_for()
            self._pages[look] = page

    async def take(self, name: str, look: str, see: str) -> None:
        page = self._pages[look]
        await page.get_by_text(see).first.wait_for()
        await self.shot(page, name)

    async def shot(self, page: Page, name: str) -> None:
        await page.wait_for_timeout(300)
        await page.screenshot(path=OUT / f"desk-{name}.png")
        say(f"docs/pictures/desk-{name}.png {(OUT / f'desk-{name}.png').stat().st_size // 1000} kB")

    async def write(self, look: str, disposition: str, note: str) -> None:
        page = self._pages[look]
        await page.get_by_role("radio", name=disposition).check()
        await page.get_by_label("Note", exact=True).fill(note)


async def _past(floor: Floor) -> None:
    """Three earlier calls of Amelia's: served, given up, served."""
    for agent_id in ("ben", "wei"):
        floor.desk.submit(PhoneChanged(agent_id, Phone.FREE))
        floor.desk.submit(DesktopChanged(agent_id, Desktop.THERE))
    for agent_id, hours, disposition, note in (
        ("ben", 26, "follow_up", "Asked for the yearly plan; call back after the 15th."),
        ("", 21, "", ""),
        ("wei", 20, "solved", "Invoice 20391 explained, copy sent by post."),
    ):
        if agent_id:
            floor.desk.submit(PresenceChosen(agent_id, Presence.READY))
        call = await floor.call(AMELIA)
        floor.move_on(14)
        if agent_id:
            floor.pick_up(call)
            floor.move_on(190)
            floor.hang_up(call, agent_id)
            floor.desk.submit(WrapUpEnded(agent_id, call, disposition, note))
            floor.desk.submit(FlowEnded(call, Outcome.SERVED))
            floor.desk.submit(PresenceChosen(agent_id, Presence.NOT_READY, "lunch"))
        else:
            floor.desk.submit(CallerLeft(call))
        floor.move_on(hours * 3600)
    floor.move_on(-floor.clock.ahead_us / 1_000_000)
    await floor.records.flush()


async def _colleagues(floor: Floor) -> None:
    """Ben talks, Wei is at lunch, somebody waits for help."""
    floor.desk.submit(PresenceChosen("ben", Presence.READY))
    floor.pick_up(await floor.call("+442079460188"))
    await floor.call("+442079460177", queue="support")


async def _day(floor: Floor, photographer: Photographer) -> None:
    await photographer.open()
    await _colleagues(floor)
    first = await floor.call(AMELIA, priority=1, reason="An invoice", invoice_number="20417", language="English")
    floor.move_on(37)
    # The one who waits for help asked first, but Amelia has priority.
    floor.desk.submit(PresenceChosen("maria", Presence.READY))
    floor.move_on(3)
    for look in ("light", "dark"):
        await photographer.take(f"pop-{look}", look, "Pick up your phone")
    await photographer.take("narrow", "narrow-light", "Pick up your phone")
    floor.pick_up(first)
    floor.move_on(96)
    await photographer.write("dark", "Follow-up needed", "Credit note for invoice 20417 promised by Friday.")
    await photographer.take("talking-dark", "dark", "Finish after the call")
    floor.hang_up(first)
    floor.move_on(4)
    await photographer.write("light", "Follow-up needed", "Credit note for invoice 20417 promised by Friday.")
    await photographer.take("wrapup", "light", "Saved by itself")
    floor.desk.submit(WrapUpEnded("maria", first, "follow_up", ""))
    await photographer.take("narrow-dark", "narrow-dark", "New caller")


async def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no `chromium` on this machine: install the package chromium")
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with open_floor(Path(folder), build(), ahead_us=-THREE_DAYS) as floor, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            await _past(floor)
            await _day(floor, Photographer(browser, floor))
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
