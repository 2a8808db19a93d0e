"""The connection goes and comes back: nothing is shown that is not so, nothing that was asked gets lost."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, WebSocketRoute, expect

from acd.commands import AgentChanged
from acd.model import Desktop, Presence
from tests.web.floor import Floor

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


class Network:
    """The wire between page and server, which a test can cut."""

    def __init__(self) -> None:
        self.is_up = True
        self.addresses: list[str] = []
        self._open: list[WebSocketRoute] = []

    async def install(self, context: BrowserContext) -> None:
        await context.route_web_socket("**/api/desk*", self._connect)

    async def _connect(self, wire: WebSocketRoute) -> None:
        self.addresses.append(wire.url)
        if not self.is_up:
            await wire.close(code=1013)
            return
        wire.connect_to_server()
        self._open.append(wire)

    async def cut(self) -> None:
        self.is_up = False
        while self._open:
            await self._open.pop().close(code=1013)


@pytest_asyncio.fixture(loop_scope="session")
async def network(page: Page) -> Network:
    made = Network()
    await made.install(page.context)
    await page.reload()
    return made


async def test_lost_and_back_with_what_was_asked_meanwhile(network: Network, desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    await expect(desk.get_by_role("heading", name="You are ready")).to_be_visible()
    await network.cut()
    await expect(desk.get_by_role("alert")).to_contain_text("Connection to the server lost")
    await expect(desk.get_by_role("heading", name="Not connected")).to_be_visible()
    await floor.desk.until(AgentChanged, agent_id="maria", desktop=Desktop.GONE)

    await desk.keyboard.press("n")
    await desk.keyboard.press("Enter")
    await expect(desk.get_by_role("alert")).to_contain_text("Not sent yet: going not ready")
    await expect(desk.get_by_role("button", name="Ready", exact=True)).to_have_attribute("aria-pressed", "true")

    network.is_up = True
    await desk.get_by_role("button", name="Try now").click()
    await floor.desk.until(AgentChanged, presence=Presence.NOT_READY, presence_reason="lunch")
    await expect(desk.get_by_role("alert")).to_have_count(0)
    await expect(desk.get_by_role("status", name="Your state")).to_contain_text("Not ready")
    assert "stream=" in network.addresses[-1]


async def test_what_was_missed_comes_after(network: Network, desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    call = await floor.call("+442079460101")
    floor.pick_up(call)
    await desk.get_by_label("Note", exact=True).fill("written before the cut")
    await network.cut()
    await expect(desk.get_by_role("alert")).to_contain_text("A call on your phone goes on")
    await expect(desk.get_by_role("heading", name="Amelia Hart")).to_be_visible()
    floor.hang_up(call)
    network.is_up = True
    await desk.get_by_role("button", name="Try now").click()
    await expect(desk.get_by_role("button", name="Finish")).to_be_visible()
    await expect(desk.get_by_label("Note", exact=True)).to_have_value("written before the cut")
    await desk.get_by_role("button", name="Finish").click()
    assert (await floor.wrapped_up(call)).note == "written before the cut"


async def test_a_note_that_came_too_late_is_not_lost_in_silence(network: Network, desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    call = await floor.call("+442079460101")
    floor.pick_up(call)
    floor.hang_up(call)
    await desk.get_by_label("Note", exact=True).fill("refund agreed")
    await network.cut()
    await desk.get_by_role("button", name="Finish").click()
    await expect(desk.get_by_text("Not saved yet: waits for the connection")).to_be_visible()
    floor.move_on(61)
    assert (await floor.wrapped_up(call)).timed_out
    network.is_up = True
    await desk.get_by_role("button", name="Try now").click()
    await expect(desk.get_by_role("log", name="Notices")).to_contain_text("refund agreed")


async def test_a_session_ended_elsewhere_leads_to_the_sign_in(desk: Page, floor: Floor) -> None:
    await desk.context.clear_cookies()
    floor.drop_connections()
    await expect(desk.get_by_role("button", name="Sign in")).to_be_visible()
    await expect(desk.get_by_text("Your session has ended")).to_be_visible()
