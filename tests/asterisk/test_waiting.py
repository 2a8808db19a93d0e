"""The waiting experience on a real Asterisk: what callers hear in the line, by ear, and how they leave it."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.hearing import Hearing
from tests.asterisk.world import Ears, Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

LOUNGE, AGAIN, MESSAGE = "+498999998320", "+498999998321", "+498999998322"
"""Straight into the queue `lounge`; the same with who helped last preferred; and a message to leave."""

FULL, LONG, NOBODY = "+498999998323", "+498999998324", "+498999998325"
"""Into queues that give callers away at once, each by another rule."""
KEYED = "+498999998326"
"""Into a queue with a key that leads to a callback."""

_QUEUE = """
lounge:
  title: Lounge
  ring: 12s
  wrap_up: 0s
  tell: { position: true, every: 2s }
small: { title: Small, overflow: [{ longer_than: 1 }] }
slow: { title: Slow, overflow: [{ expected_over: 1m }] }
keyed: { title: Keyed, callback: { greeting: This is us., key: 1 } }
empty: { title: Empty, overflow: [{ signed_in_below: 1 }] }
"""
_WAYS = "".join(
    f"      {way}: [say: The way of {way}., hangup]\n" for way in ("full", "long_wait", "nobody", "timed_out", "closed")
)
_FLOWS = {
    "lounge": "- answer\n    - queue: lounge\n",
    "again": "- answer\n    - queue: lounge\n      prefer: last\n      prefer_for: 10s\n",
    "message": "- voicemail: Please leave a message.\n    - hangup\n",
    **{queue: f"- queue: {queue}\n{_WAYS}" for queue in ("small", "slow", "empty")},
    "keyed": "- queue: keyed\n",
}
_DIALLED = (LOUNGE, AGAIN, MESSAGE, FULL, LONG, NOBODY, KEYED)
_NUMBERS = "".join(f'"{number}": {{ flow: {flow} }}\n' for number, flow in zip(_DIALLED, _FLOWS, strict=True))


def site_with_lounge(folder: Path) -> Path:
    site = copy_site(folder)
    with (site / "queues.yaml").open("a", encoding="utf-8") as file:
        file.write(_QUEUE)
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        file.write(_NUMBERS)
    for name, steps in _FLOWS.items():
        text = f"start: door\nnodes:\n  door:\n    {steps}"
        (site / "flows" / f"{name}.yaml").write_text(text, encoding="utf-8")
    with (site / "people.csv").open("a", encoding="utf-8", newline="") as file:
        for extension, username in enumerate(("pat", "quinn"), start=1101):
            csv.writer(file).writerow([username, username.title(), "agent", extension, "sip", "", "lounge", ""])
    return site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("waiting")
    async with open_stage(folder / "world", site_with_lounge(folder), people_with_phones=("pat", "quinn")) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage) -> AsyncIterator[None]:
    yield
    await stage.clear()


async def test_callers_hear_their_place_and_that_they_have_come_closer(stage: Stage) -> None:
    first, _ = await stage.queued(number=LOUNGE)
    second, _ = await stage.queued(number=LOUNGE)
    hearing = Hearing(second)
    await hearing.hears("You are number 2 in the line.")
    await first.hang_up()
    await hearing.hears("You are number 1 in the line.")


async def test_a_place_that_is_being_told_is_cut_at_once_when_an_agent_is_there(stage: Stage) -> None:
    waiting, interaction_id = await stage.queued(number=LOUNGE)
    async with stage.ami() as ami:
        await ami.event("MusicOnHoldStop", since=len(ami.blocks))
        await stage.at_work("pat")
        ringing = await stage.rings("pat")
        pop_ns = stage.seen.pops_ns[f"{interaction_id}/1"]
        assert (ringing.invite_ns - pop_ns) / 1e6 < 150
        await stage.talking(waiting)


async def test_who_helped_last_is_preferred(stage: Stage) -> None:
    caller = stage.new_number()
    await stage.at_work("pat")
    call, first_id = await stage.queued(caller, LOUNGE)
    await stage.talking(call)
    await call.hang_up()
    assert await stage.outcome(first_id) == "served"
    await stage.becomes("pat", "ready")
    stage.desktop("pat").choose("not_ready", "break")
    await stage.becomes("pat", "not_ready")
    await stage.ready("pat")
    await stage.at_work("quinn")
    # pat has been idle longer; a stranger comes to pat, and so quinn is the next by the strategy.
    stranger, stranger_id = await stage.queued(number=AGAIN)
    await stage.talking(stranger)
    assert (await stage.offers(stranger_id, 1))[0][0] == "pat"
    again = await stage.dial(AGAIN, caller)
    await eventually("the second call", lambda: len(_interactions(stage, caller)) == 2)
    await stranger.hang_up()
    await stage.talking(again)
    [second_id] = {*_interactions(stage, caller)} - {first_id}
    assert await stage.offers(second_id, 1) == [("pat", "accepted")]


def _interactions(stage: Stage, caller: str) -> list[str]:
    return [row["id"] for row in stage.rows("SELECT id FROM interaction WHERE caller = ?", caller)]


async def test_a_caller_leaves_a_message_by_hanging_up(stage: Stage) -> None:
    caller = stage.new_number()
    call = await stage.dial(MESSAGE, caller)
    await call.media_up.wait()
    hearing, ears = Hearing(call), Ears(call)
    await hearing.hears("Please leave a message.")
    interaction_id = await stage.arrived(caller)
    folder = stage.world.folder / "data" / "messages"
    await eventually("3 s on record", lambda: _seconds(folder) > 3)
    await call.hang_up()
    assert await stage.outcome(interaction_id) == "voicemail"
    row = await stage.row("detail", "SELECT detail FROM interaction WHERE id = ?", interaction_id)
    assert (folder / row["detail"]).stat().st_size > 44 + 3 * 16_000
    assert row["detail"] == f"{interaction_id}-1.wav"
    assert ears.loud > 0


def _seconds(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.glob("*.wav")) / 16_000


@pytest.mark.parametrize(("number", "way"), [(FULL, "full"), (LONG, "long_wait"), (NOBODY, "nobody")])
async def test_who_is_given_away_by_rule_hears_the_way_of_the_cause(stage: Stage, number: str, way: str) -> None:
    if number == FULL:
        await stage.queued(number=FULL)
    caller = stage.new_number()
    call = await stage.dial(number, caller)
    await Hearing(call).hears(f"The way of {way}.")
    interaction_id = await stage.arrived(caller)
    assert await stage.outcome(interaction_id) == "self_served"
    visit = await stage.row("the visit", "SELECT outcome FROM queue_visit WHERE interaction_id = ?", interaction_id)
    assert visit["outcome"] == "overflowed"


async def test_a_key_pressed_while_waiting_leads_to_a_promise(stage: Stage) -> None:
    caller = "+4930901820"
    call, interaction_id = await stage.queued(caller, KEYED)
    hearing = Hearing(call)
    await hearing.hears("Press 1 and we call you back; you keep your place.")
    await call.media.press("1")
    await hearing.hears("We will call you back. You keep your place and may hang up now.")
    async with asyncio.timeout(10):
        await call.ended.wait()
    query = "SELECT callback_number FROM queue_visit WHERE interaction_id = ? AND callback_number != ''"
    assert await stage.row("the promise", query, interaction_id) == {"callback_number": caller}


async def test_whose_number_is_withheld_types_one(stage: Stage) -> None:
    call = await stage.dial(KEYED, "")
    hearing = Hearing(call)
    await hearing.hears("Press 1 and we call you back; you keep your place.")
    await call.media.press("1")
    await hearing.hears("Please enter the number at which we can call you, then press hash.")
    await call.media.press("030901821#")
    await hearing.hears("We will call 0 3 0 9 0 1 8 2 1. If that is right, press 1. To enter it again, press 2.")
    await call.media.press("1")
    await hearing.hears("We will call you back. You keep your place and may hang up now.")
    await stage.row("the promise", "SELECT id FROM queue_visit WHERE callback_number = ?", "+4930901821")
