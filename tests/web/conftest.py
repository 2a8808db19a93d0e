"""A built page, a real Chromium, a running web side.

One Chromium serves all tests of the session (starting it takes a second), so they share one event loop; each test has
a browser context, a database and a server of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from lab.web import build
from tests.web.floor import PASSWORD, Floor, open_floor

_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_ACTION_LIMIT_MS = 10_000


@pytest.fixture(scope="session")
def web_files() -> Path:
    return build()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The machine's Chromium; a missing one is an error, not a reason to skip."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "no `chromium` on this machine: install the package chromium"
    return found


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium_path, args=_FLAGS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def floor(tmp_path: Path, web_files: Path) -> AsyncIterator[Floor]:
    async with open_floor(tmp_path, web_files) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def faults() -> list[str]:
    """What the page complained about; `page` fails the test when it is not empty."""
    return []


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, floor: Floor, faults: list[str]) -> AsyncIterator[Page]:
    """The page at its sign-in. Script errors and content-policy violations fail the test."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    opened = await context.new_page()
    opened.set_default_timeout(_ACTION_LIMIT_MS)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
    await opened.goto(floor.address)
    yield opened
    await context.close()
    assert faults == []


@pytest_asyncio.fixture(loop_scope="session")
async def desk(page: Page) -> Page:
    """The page signed in as Maria, connected."""
    await page.get_by_label("User name").fill("maria")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("status", name="Connection").get_by_text("Connected").wait_for()
    await page.get_by_role("status", name="Your state").wait_for()
    return page
