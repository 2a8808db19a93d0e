"""The pop: on the screen and acknowledged before the phone may ring, and right for every kind of match."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from acd.commands import OfferClosed
from acd.events import FlowEnded
from acd.model import OfferOutcome, Outcome, Presence
from tests.web.floor import Floor

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


async def test_the_pop_is_on_the_screen_when_the_server_hears_shown(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    call = await floor.call("+442079460101", reason="An invoice", invoice_number="20417")
    assert await floor.pop_shown(f"{call}/1")
    # Without waiting: what the server was told must already be true.
    assert await desk.evaluate("document.documentElement.dataset.shownOffer") == f"{call}/1"
    assert await desk.evaluate(f"performance.getEntriesByName('shown:{call}/1').length") == 1
    assert await desk.get_by_role("heading", name="Amelia Hart").is_visible()
    assert floor.desk.shown_in_us[f"{call}/1"] < 2_000_000


async def test_a_hidden_tab_acknowledges_too(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    # A hidden page gets no frames; Chromium without a window cannot hide one, so the page is told so.
    await desk.evaluate(
        """() => {
            Object.defineProperty(document, 'hidden', { get: () => true })
            window.requestAnimationFrame = () => 0
        }"""
    )
    call = await floor.call("+442079460101")
    assert await floor.pop_shown(f"{call}/1")


async def test_frames_that_never_come_do_not_hold_the_pop_up(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    await desk.evaluate("() => { window.requestAnimationFrame = () => 0 }")
    call = await floor.call("+442079460101")
    assert await floor.pop_shown(f"{call}/1")


async def test_one_record_with_why_they_call_and_why_me(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    await floor.call("+442079460101", priority=3, reason="An invoice", invoice_number="20417")
    work = desk.get_by_role("article", name="Call in hand")
    await expect(work.get_by_role("heading", name="Amelia Hart VIP")).to_be_visible()
    for words in (
        "Hart Interiors",
        "+44 20 7946 0101",
        "100201",
        "Prefers to be called back after 15:00",
        "Invoice number",
        "20417",
        "Billing",
        "Raised (3)",
        "You were the only one free for this caller",
        "Pick up your phone 1001",
    ):
        await expect(work.get_by_text(words).first).to_be_visible()
    await expect(desk).to_have_title("☎ Amelia Hart is calling")
    await expect(desk.locator("#favicon")).to_have_attribute("href", "/icon-ringing.svg")
    said = desk.get_by_role("status", name="Call announcements")
    await expect(said).to_have_text("Incoming call: Amelia Hart, Hart Interiors, VIP, for Billing. Pick up your phone.")


async def test_what_happened_before_is_on_the_pop(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    before = await floor.call("+442079460101")
    floor.pick_up(before)
    floor.hang_up(before)
    await desk.get_by_role("radio", name="Follow-up needed").check()
    await desk.get_by_label("Note", exact=True).fill("Copy of invoice 20417 sent")
    await desk.get_by_role("button", name="Finish").click()
    await floor.wrapped_up(before)
    floor.desk.submit(FlowEnded(before, Outcome.SERVED))
    await floor.records.flush()
    await floor.call("+442079460101")
    history = desk.get_by_role("region", name="Last interactions")
    await expect(history.get_by_role("listitem")).to_have_count(1)
    for words in ("Today", "Billing", "Maria Alvarez", "Follow-up needed", "Copy of invoice 20417 sent"):
        await expect(history.get_by_text(words).first).to_be_visible()


async def test_nobody_has_the_number(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    await floor.call("+442079460999")
    await expect(desk.get_by_role("heading", name="New caller").first).to_be_visible()
    await expect(desk.get_by_text("No customer has this number")).to_be_visible()
    await expect(desk.get_by_text("nothing was chosen or typed")).to_be_visible()


async def test_several_are_a_choice_and_never_a_guess(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    call = await floor.call("+492214710101")
    await expect(desk.get_by_role("heading", name="One of 2 customers")).to_be_visible()
    await expect(desk.get_by_role("heading", name="Customer record")).to_have_count(0)
    floor.pick_up(call)
    await desk.get_by_role("list", name="Customers with this number").get_by_role("button", name="Paul Schulz").click()
    await expect(desk.get_by_role("heading", name="Paul Schulz")).to_be_visible()
    await expect(desk.get_by_role("heading", name="Customer record")).to_be_visible()


async def test_a_withheld_number_is_said(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    await floor.call("anonymous")
    await expect(desk.get_by_role("heading", name="Number withheld")).to_be_visible()
    await expect(desk.get_by_text("Number withheld", exact=True)).to_have_count(1)
    await expect(desk.get_by_text("we cannot tell who it is")).to_be_visible()


async def test_a_record_that_comes_late_is_filled_in(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    call = await floor.call("+442079460101", looked_up=False)
    await expect(desk.get_by_role("heading", name="Record not available right now")).to_be_visible()
    await expect(desk.get_by_role("heading", name="+44 20 7946 0101")).to_be_visible()
    await floor.directory.match_caller(call, "+442079460101")
    await expect(desk.get_by_role("heading", name="Amelia Hart")).to_be_visible()
    await expect(desk.get_by_role("heading", name="Customer record")).to_be_visible()


async def test_beside_a_crm_nothing_sticks_out(desk: Page, floor: Floor) -> None:
    await desk.set_viewport_size({"width": 380, "height": 800})
    await floor.choose(Presence.READY)
    await floor.call("+442079460101", reason="W" * 200, a_name_of_many_words_that_nobody_reads="short")
    await expect(desk.get_by_role("heading", name="Amelia Hart")).to_be_visible()
    assert await desk.evaluate("document.documentElement.scrollWidth") <= 380


HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'


async def test_what_callers_typed_is_text(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    await floor.call("+442079460101", reason=HOSTILE)
    await expect(desk.get_by_text(HOSTILE)).to_be_visible()
    assert await desk.locator("main img, main script").count() == 0
    await expect(desk).to_have_title("☎ Amelia Hart is calling")


async def test_a_hostile_number_is_text(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    await floor.call("<b>1</b>")
    await expect(desk.get_by_text("<b>1</b>").first).to_be_visible()
    assert await desk.locator("main b").count() == 0


async def test_declining_gives_the_call_back(desk: Page, floor: Floor) -> None:
    await floor.choose(Presence.READY)
    call = await floor.call("+442079460101")
    await expect(desk.get_by_role("heading", name="Amelia Hart")).to_be_visible()
    await desk.keyboard.press("Shift+D")
    await floor.desk.until(OfferClosed, offer_id=f"{call}/1", outcome=OfferOutcome.REJECTED)
    await expect(desk.get_by_role("heading", name="Not ready: Call declined")).to_be_visible()
