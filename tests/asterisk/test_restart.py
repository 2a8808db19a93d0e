"""The server is killed with -9 and started again in the middle of a menu, a ring, a talk, a wrap-up.

Whoever calls or talks must not notice; whoever waits keeps their place; nobody is rung twice at once.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio

from lab.desktop import Habits
from lab.phone import Behaviour, PhoneCall
from tests.asterisk.peers import AmiWatch
from tests.asterisk.world import (
    MAIN_LINE,
    PATIENT,
    STRAIGHT,
    Ears,
    Stage,
    copy_site,
    eventually,
    open_stage,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

RING_S = 9
WHEN_ASKED = Behaviour(answer_after_s=None, talk_s=None)
KEEPS_WRAP_UP = Habits(wrap_up_s=None, back_after_s=None, starts_ready=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("restart")
    site = copy_site(folder, ring=f"{RING_S}s", wrap_up="30s")
    async with open_stage(
        folder / "world", site, people_with_phones=("maria", "wei", "olga"), node_changes={"away_ungreeted_s": 10}
    ) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage) -> AsyncIterator[None]:
    yield
    if stage.world.process is None or stage.world.process.returncode is not None:
        await stage.world.start_server()
    await stage.clear()


async def _stands_at(ami: AmiWatch, channel: str, node: str) -> None:
    async def there() -> bool:
        return f'"{node}:' in await ami.variable(channel, "CALLYARD_STATE")

    await eventually(f"the flow at {node}", there)


async def _channel(ami: AmiWatch, interaction_id: str) -> str:
    channels = await ami.act("CoreShowChannels")
    return next(each["Channel"] for each in channels if each.get("Uniqueid") == interaction_id)


async def _is_back(ami: AmiWatch, channel: str) -> None:
    """Return when the server has the call again."""

    async def back() -> bool:
        away = await ami.variable(channel, "CALLYARD_AWAY")
        application = await ami.act("Status", Channel=channel)
        return away == "" and application[1].get("Application") == "AGI"

    await eventually("the call in the server's hands", back)


def _never_two_at_once(calls: list[PhoneCall]) -> None:
    for before, after in pairwise(calls):
        assert before.end_ns is not None
        assert before.end_ns < after.invite_ns + 200_000_000, "two phones rang for one caller"


async def test_a_menu_goes_on_where_it_was_with_what_was_chosen(stage: Stage) -> None:
    await stage.at_work("maria", "wei")  # Maria has been idle longer, but does not speak Mandarin
    caller = stage.new_number()
    async with stage.ami() as ami:
        call = await stage.dial(MAIN_LINE, caller)
        await call.answered.wait()
        await call.media.press("31")
        channel = await _channel(ami, await stage.arrived(caller))
        await _stands_at(ami, channel, "billing")
        await stage.restart()
        await _is_back(ami, channel)
        await call.media.press("100312#")
        ringing = await stage.rings("wei")
    assert [each.extension for each in stage.rung(ringing.offer.rpartition("/")[0])] == ["1003"]
    work = stage.seen.works[ringing.offer]
    assert work["queue"] == "billing"
    assert work["customer"] is not None, work
    assert work["customer"]["account"] == "100312"
    await stage.talking(call)


async def test_a_phone_that_rings_goes_on_ringing_and_its_answer_counts(stage: Stage) -> None:
    await stage.at_work("olga", behaviour=WHEN_ASKED)
    call, interaction_id = await stage.queued()
    ringing = await stage.rings("olga")
    await stage.restart()
    assert ringing.end_ns is None, "the server took too long to start for this test"
    ringing.pick_up()
    await stage.talking(call)
    await stage.becomes("olga", "talking")
    assert [each.offer for each in stage.rung(interaction_id)] == [f"{interaction_id}/1"]
    await call.hang_up()
    assert await stage.outcome(interaction_id) == "served"
    assert await stage.offers(interaction_id, 1) == [("olga", "accepted")]


async def test_a_phone_that_nobody_answers_stops_and_the_next_one_rings(stage: Stage) -> None:
    await stage.at_work("olga", behaviour=PATIENT)
    await stage.at_work("wei")
    call, interaction_id = await stage.queued()
    await stage.rings("olga")
    await stage.restart()
    await stage.rings("wei", RING_S + 5)
    await stage.talking(call)
    rung = stage.rung(interaction_id)
    assert [each.extension for each in rung] == ["1004", "1003"]
    _never_two_at_once(rung)
    query = "SELECT agent_id FROM offer WHERE interaction_id = ? AND outcome = ?"
    assert await stage.row("the accepted offer", query, interaction_id, "accepted") == {"agent_id": "wei"}
    assert stage.rows(query, interaction_id, "expired") == [{"agent_id": "olga"}]


async def test_a_caller_who_was_about_to_be_rung_for_is_offered_again(stage: Stage) -> None:
    """Killed between pop and ring: the offer is open in the journal, and no phone rings."""
    await stage.at_work("olga")
    stage.desktop("olga").habits = Habits(wrap_up_s=0.0, back_after_s=None, starts_ready=False, shows=False)
    before = len(stage.seen.works)
    caller = stage.new_number()
    call = await stage.dial(STRAIGHT, caller)
    await eventually("the pop", lambda: len(stage.seen.works) > before)
    await stage.world.kill_server()
    [interaction_id] = [work["interaction_id"] for work in list(stage.seen.works.values())[before:]]
    assert stage.rung(interaction_id) == [], "killed too late for this test"
    await stage.world.start_server()
    await stage.rings("olga")
    await stage.talking(call)
    assert await stage.offers(interaction_id, 2) == [("olga", "withdrawn"), ("olga", "accepted")]


async def test_a_talk_goes_on_unheard_of_and_its_wrap_up_follows(stage: Stage) -> None:
    await stage.at_work("olga", behaviour=Behaviour(answer_after_s=0.1, talk_s=7.0))
    call, interaction_id = await stage.queued()
    await stage.rings("olga")
    await stage.talking(call)
    ears = Ears(call)
    stage.desktop("olga").habits = KEEPS_WRAP_UP
    snapshots = _snapshots(stage, "olga")
    await stage.restart()
    await stage.becomes("olga", "talking")
    await eventually("the pop is there again", lambda: [each for each in snapshots if each["work"]])
    work = snapshots[-1]["work"]
    assert (work["stage"], work["interaction_id"]) == ("talking", interaction_id)
    assert ears.longest_silence_s < 0.5
    assert not call.ended.is_set()
    await stage.becomes("olga", "wrap_up")
    assert await stage.outcome(interaction_id) == "served"
    assert await stage.offers(interaction_id, 1) == [("olga", "accepted")]


def _snapshots(stage: Stage, username: str) -> list[dict[str, Any]]:
    """The snapshots that this desktop is given from now on."""
    snapshots: list[dict[str, Any]] = []

    def watch(who: str, message: dict[str, Any]) -> None:
        stage.seen.take(who, message)
        if message["type"] == "snapshot":
            snapshots.append(message)

    stage.desktop(username).watch = watch
    return snapshots


async def test_a_talk_that_ends_meanwhile_is_served_and_not_queued_again(stage: Stage) -> None:
    await stage.at_work("olga", "wei", behaviour=Behaviour(answer_after_s=0.1, talk_s=1.5))
    call, interaction_id = await stage.queued()
    talk = await stage.rings("olga")
    await stage.talking(call)
    await stage.world.kill_server()
    await talk.over.wait()
    await stage.world.start_server()
    assert await stage.outcome(interaction_id) == "served"
    assert call.ended_by == "remote", "the flow goes on after the talk, and ends"
    assert len(stage.rung(interaction_id)) == 1
    assert await stage.offers(interaction_id, 1) == [("olga", "accepted")]


async def test_an_offer_that_was_answered_and_talked_out_meanwhile_is_not_queued_again(stage: Stage) -> None:
    await stage.at_work("olga", "wei", behaviour=Behaviour(answer_after_s=0.7, talk_s=1.0))
    call, interaction_id = await stage.queued()
    talk = await stage.rings("olga")
    await stage.world.kill_server()
    assert talk.answer_ns is None, "killed too late for this test"
    await talk.over.wait()
    assert talk.answer_ns is not None
    await stage.world.start_server()
    assert await stage.outcome(interaction_id) == "served"
    assert call.ended_by == "remote"
    assert len(stage.rung(interaction_id)) == 1
    row = await stage.row("the talk", "SELECT * FROM talk WHERE interaction_id = ?", interaction_id)
    assert (row["agent_id"], row["ended_in_gap"]) == ("olga", 1)


async def test_a_wrap_up_goes_on_and_ends_with_what_the_agent_chose(stage: Stage) -> None:
    await stage.at_work("olga")
    stage.desktop("olga").habits = KEEPS_WRAP_UP
    call, interaction_id = await stage.queued()
    await stage.talking(call)
    await call.hang_up()
    before = dict(await stage.becomes("olga", "wrap_up"))
    await stage.restart()
    await stage.desktop("olga").is_connected.wait()
    after = await stage.becomes("olga", "wrap_up")
    assert after["deadline"] == before["deadline"]
    stage.desktop("olga").send(
        {"type": "finish", "interaction_id": interaction_id, "disposition": "follow_up", "note": "after a restart"}
    )
    await stage.becomes("olga", "ready")
    row = await stage.row(
        "the disposition",
        "SELECT disposition, note FROM talk WHERE interaction_id = ? AND disposition IS NOT NULL",
        interaction_id,
    )
    assert row == {"disposition": "follow_up", "note": "after a restart"}


def _has_started(stage: Stage, times: int) -> bool:
    return stage.log().count("server.ready") >= times


async def test_killed_again_while_it_starts_it_still_loses_nobody(stage: Stage) -> None:
    calls = [await stage.queued() for _ in range(3)]
    lives = stage.log().count("server.ready")
    for again in range(1, 3):
        await stage.world.kill_server()
        starting = asyncio.create_task(stage.world.start_server())
        await eventually("a sign of life", partial(_has_started, stage, lives + again))
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
    await stage.world.kill_server()
    await stage.world.start_server()
    await stage.at_work("olga")
    for call, interaction_id in calls:
        assert (await stage.rings("olga")).offer == f"{interaction_id}/1"
        await stage.talking(call)
        await call.hang_up()
        assert await stage.outcome(interaction_id) == "served"


async def test_who_waits_hears_music_all_the_while(stage: Stage) -> None:
    call, _ = await stage.queued()
    ears = Ears(call)
    await eventually("music", lambda: ears.loud > 50)
    heard = ears.loud
    await stage.restart()
    await eventually("music after it", lambda: ears.loud > heard + 100)
    assert ears.longest_silence_s < 1.0


async def test_who_comes_back_without_a_desktop_is_offered_nothing(stage: Stage) -> None:
    await stage.at_work("olga", "wei")
    await stage.world.kill_server()
    call = await stage.dial(STRAIGHT, stage.new_number())
    await stage.unseat("olga")
    await stage.world.start_server()
    ringing = await stage.rings("wei")
    await stage.talking(call)
    assert [each.extension for each in stage.rung(ringing.offer.rpartition("/")[0])] == ["1003"]
    await stage.seat("olga")


async def test_who_leaves_a_number_with_the_fail_safe_stands_in_the_table_once(stage: Stage) -> None:
    await stage.world.kill_server()
    caller = stage.new_number()
    call = await stage.dial(STRAIGHT, caller)
    async with asyncio.timeout(45):
        while not call.ended.is_set():  # "press 1 for a call back", "press 1 for this number"
            if call.answered.is_set():
                await call.media.press("1")
            with suppress(TimeoutError):
                async with asyncio.timeout(1.5):
                    await call.ended.wait()
    await stage.world.start_server()
    row = await stage.row("the interaction", "SELECT * FROM interaction WHERE caller = ? AND outcome != ''", caller)
    assert (row["outcome"], row["arrived_in_gap"], row["detail"]) == ("voicemail", 1, f"call back {caller}")
    await stage.restart()
    assert len(stage.rows("SELECT id FROM interaction WHERE caller = ?", caller)) == 1


async def test_a_short_stop_is_a_gap_like_others(stage: Stage) -> None:
    """SIGSTOP, sooner than the dead man's switch, and longer than a phone may ring: an answer and a hang-up
    meanwhile are learnt of afterwards."""
    await stage.at_work("olga", behaviour=WHEN_ASKED)
    call, interaction_id = await stage.queued()
    ringing = await stage.rings("olga")
    waiting, waiting_id = await stage.queued()
    leaving, leaving_id = await stage.queued()
    stage.world.signal_server(signal.SIGSTOP)
    ringing.pick_up()
    await stage.talking(call)
    await leaving.hang_up()
    await asyncio.sleep(RING_S)
    stage.world.signal_server(signal.SIGCONT)
    await stage.becomes("olga", "talking")
    assert await stage.outcome(leaving_id) == "abandoned_in_queue"
    await stage.at_work("wei")
    await stage.talking(waiting)
    assert [each.extension for each in stage.rung(waiting_id)] == ["1003"]
    assert await stage.offers(interaction_id, 1) == [("olga", "accepted")]
    assert not call.ended.is_set()
