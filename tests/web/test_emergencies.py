"""What is closed, on every desktop until it is over."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from screenpop.messages import Emergency
from tests.web.floor import Floor

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


def order(number: int, kind: str, target: str, ends_at: int = 0, **more: object) -> Emergency:
    return Emergency.model_validate(
        {
            "id": number, "kind": kind, "target": target, "texts": {}, "keep_waiting": False, "begins_at": 1,
            "ends_at": ends_at, "given_by": "susi", "reason": "", "given_at": 1, "ended_by": "", "ended_at": 0, **more,
        }
    )  # fmt: skip


async def test_what_is_in_force_stands_on_the_page_until_its_end(desk: Page, floor: Floor) -> None:
    lines = desk.get_by_role("status", name="In force now").get_by_role("paragraph")
    await expect(lines).to_have_count(0)
    end = floor.desk.now() + 3_600_000_000
    hostile = "<img src=x onerror=alert(1)>"
    floor.live.show_emergencies(
        [
            order(1, "close_queue", "billing", end, reason="fire drill"),
            order(2, "notice", "", texts={"en": hostile}),
            order(3, "close_queue", "sales"),  # not hers
        ]
    )
    await expect(lines).to_have_count(2)
    await expect(lines.first).to_contain_text("Billing is closed until")
    await expect(lines.first).to_contain_text(": fire drill")
    await expect(lines.last).to_have_text(f"All callers hear “{hostile}” first")
    await desk.reload()
    await expect(lines).to_have_count(2)
    floor.clock.ahead_us += 3_600_000_000
    await floor.call("+442079460999", queue="support")  # any message tells the page the time
    await expect(lines).to_have_count(1)
    floor.live.show_emergencies([])
    await expect(lines).to_have_count(0)
