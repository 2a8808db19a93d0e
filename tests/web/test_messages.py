"""A message that a caller left: offered without a ring, accepted, heard in the page, put down, wrapped up."""

from __future__ import annotations

import math
import os
import struct
import wave
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from acd.commands import InteractionClosed
from acd.events import ConfigurationChanged, InteractionArrived, InteractionQueued
from acd.model import Configuration, Outcome, Presence, QueueRules
from tests.web.floor import BEN, MARIA, QUEUES, WEI, Floor

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

AMELIA = "+442079460101"
MESSAGE = "lab1-17.1-1"
MESSAGES = QueueRules("messages", title="Messages", medium="message", ring_us=30_000_000, wrap_up_us=60_000_000)
#: Where pictures go to be looked at; nowhere if it is not set.
PICTURES = os.environ.get("CALLYARD_PICTURES", "")


def record(floor: Floor, name: str, seconds: float = 3.0) -> Path:
    file = floor.messages / f"{name}.wav"
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        tone = (round(8000 * math.sin(at * 0.7)) for at in range(round(8000 * seconds)))
        sound.writeframes(b"".join(struct.pack("<h", sample) for sample in tone))
    return file


async def left(floor: Floor) -> None:
    """Amelia has left a message; Maria is ready, takes messages, and is offered it."""
    maria = replace(MARIA, queues=(*MARIA.queues, "messages"), capacity=(("voice", 1), ("message", 1)))
    rules = Configuration(queues=(*QUEUES, MESSAGES), agents=(maria, BEN, WEI))
    floor.desk.submit(ConfigurationChanged(rules))
    await floor.choose(Presence.READY)
    record(floor, MESSAGE)
    floor.desk.submit(InteractionArrived(MESSAGE, AMELIA, dialled="+442079460000", flow="main", medium="message"))
    await floor.directory.match_caller(MESSAGE, AMELIA)
    floor.desk.submit(InteractionQueued(MESSAGE, "messages"))


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


async def test_a_message_is_accepted_heard_and_wrapped_up(desk: Page, floor: Floor) -> None:
    await left(floor)
    work = desk.get_by_role("article", name="Message in hand")
    await expect(work.get_by_text("They left a message.")).to_be_visible()
    await expect(work.get_by_role("heading", name="Amelia Hart")).to_be_visible()
    await expect(work.get_by_text("Pick up your phone")).to_have_count(0)
    await expect(desk.get_by_role("status", name="Your state")).to_contain_text("New message")
    await expect(desk).to_have_title("✉ Message from Amelia Hart")
    assert await desk.locator("audio").count() == 0, "nobody listens before they accept"
    await picture(desk, "message-offered")

    await work.get_by_role("button", name="Accept").click()
    player = work.get_by_label("The message")
    await expect(player).to_be_visible()
    await expect(desk.get_by_role("status", name="Your state")).to_contain_text("Message")
    await expect(player).to_have_js_property("duration", 3)
    await desk.locator("body").press("p")
    await expect(player).to_have_js_property("ended", True)  # it was heard to its end
    await picture(desk, "message-talking")

    await work.get_by_role("button", name="Done with the message").click()
    await expect(work.get_by_role("heading", name="Wrap-up")).to_be_visible()
    await expect(player).to_be_visible()
    await picture(desk, "message-wrap-up")
    await work.get_by_role("radio", name="Solved").check()
    await work.get_by_label("Note").fill("Called back")
    await work.get_by_role("button", name="Finish").click()
    closed = await floor.wrapped_up(MESSAGE)
    assert (closed.disposition, closed.note) == ("solved", "Called back")
    await floor.desk.until(InteractionClosed, interaction_id=MESSAGE, outcome=Outcome.SERVED)
    await expect(work).to_have_count(0)


async def test_it_can_be_done_with_the_keys_alone(desk: Page, floor: Floor) -> None:
    await left(floor)
    await expect(desk.get_by_text("They left a message.")).to_be_visible()
    await desk.locator("body").press("a")
    await expect(desk.get_by_label("The message")).to_be_visible()
    await desk.locator("body").press("1")
    await desk.locator("body").press("e")
    await expect(desk.get_by_role("heading", name="Wrap-up")).to_be_visible()
    await desk.locator("body").press("Enter")
    assert (await floor.wrapped_up(MESSAGE)).disposition == "solved"


async def test_one_that_is_declined_goes_back(desk: Page, floor: Floor) -> None:
    await left(floor)
    await desk.get_by_role("button", name="Decline").click()
    await expect(desk.get_by_text("Declined. The message kept its place in the queue.")).to_be_visible()
    view = next(each for each in floor.desk.board().interactions if each.id == MESSAGE)
    assert view.stage.value == "queued"


async def test_a_call_covers_a_message_and_gives_it_back(desk: Page, floor: Floor) -> None:
    await left(floor)
    await desk.get_by_role("button", name="Accept").click()
    await expect(desk.get_by_label("The message")).to_be_visible()
    call = await floor.call("+492214710101", queue="support")
    await expect(desk.get_by_text("Pick up your phone 1001")).to_be_visible()
    floor.pick_up(call)
    floor.hang_up(call)
    await expect(desk.get_by_role("heading", name="Wrap-up")).to_be_visible()
    await desk.locator("body").press("Enter")
    await expect(desk.get_by_role("article", name="Message in hand")).to_be_visible()
    await desk.locator("body").press("e")
    await expect(desk.get_by_role("heading", name="Wrap-up")).to_be_visible()


async def test_a_recording_that_is_gone_is_said(desk: Page, floor: Floor) -> None:
    await left(floor)
    (floor.messages / f"{MESSAGE}.wav").unlink()
    await desk.get_by_role("button", name="Accept").click()
    await expect(desk.get_by_role("alert")).to_contain_text("The recording cannot be played")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (400, "light"), (340, "dark")])
async def test_the_message_has_room(desk: Page, floor: Floor, width: int, scheme: str) -> None:
    await desk.set_viewport_size({"width": width, "height": 860})
    await desk.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    await left(floor)
    await expect(desk.get_by_text("They left a message.")).to_be_visible()
    assert await desk.evaluate("document.documentElement.scrollWidth") <= width
    await picture(desk, f"message-offered-{width}-{scheme}")
    await desk.get_by_role("button", name="Accept").click()
    await expect(desk.get_by_label("The message")).to_be_visible()
    assert await desk.evaluate("document.documentElement.scrollWidth") <= width
    await picture(desk, f"message-talking-{width}-{scheme}")
