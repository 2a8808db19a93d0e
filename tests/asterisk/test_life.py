"""What befalls a call on its way to an agent: real callers, real phones, real desktops, one server.

The tests share one world and leave nobody at work; each has callers of its own.
"""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lab.desktop import Habits
from lab.phone import Behaviour, Phone
from lab.sip_message import Credentials
from tests.asterisk.world import (
    MAIN_LINE,
    PATIENT,
    SHORT_WAIT,
    TALKATIVE,
    Stage,
    copy_site,
    eventually,
    open_stage,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

AT_ONCE_S = 0.5
"""Within this a phone stops ringing once its caller or desktop has gone."""
RING_S = 3
GRACE_S = 2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("life")
    site = copy_site(folder, ring=f"{RING_S}s", wrap_up="3s", grace=f"{GRACE_S}s")
    # Tom's phone is none of the lab's: it has no address and registers, when a test lets it.
    async with open_stage(folder / "world", site, people_with_phones=("maria", "wei", "olga", "visitor")) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage) -> AsyncIterator[None]:
    yield
    await stage.clear()


# --- callers who leave -------------------------------------------------------------------------------------


async def test_a_caller_who_leaves_in_the_menu_is_abandoned_in_the_flow(stage: Stage) -> None:
    caller = stage.new_number()
    call = await stage.dial(MAIN_LINE, caller)
    await call.answered.wait()
    interaction_id = await stage.arrived(caller)
    await call.hang_up()
    assert await stage.outcome(interaction_id) == "abandoned_in_flow"
    assert stage.rows("SELECT * FROM queue_visit WHERE interaction_id = ?", interaction_id) == []


async def test_a_caller_who_leaves_the_queue_is_abandoned_there_and_offered_to_nobody(stage: Stage) -> None:
    call, interaction_id = await stage.queued()
    await call.hang_up()
    assert await stage.outcome(interaction_id) == "abandoned_in_queue"
    [visit] = stage.rows("SELECT queue, outcome FROM queue_visit WHERE interaction_id = ?", interaction_id)
    assert visit == {"queue": "support", "outcome": "abandoned"}
    await stage.at_work("olga")
    _, other = await stage.queued()
    assert (await stage.rings("olga")).offer == f"{other}/1"
    assert stage.rung(interaction_id) == []


async def test_a_phone_stops_ringing_at_once_when_its_caller_leaves_and_its_agent_is_free_again(stage: Stage) -> None:
    await stage.at_work("olga", behaviour=PATIENT)
    call, interaction_id = await stage.queued()
    ringing = await stage.rings("olga")
    await call.hang_up()
    async with asyncio.timeout(AT_ONCE_S):
        await ringing.over.wait()
    assert ringing.answer_ns is None
    assert await stage.outcome(interaction_id) == "abandoned_ringing"
    assert await stage.offers(interaction_id, 1) == [("olga", "withdrawn")]
    await stage.becomes("olga", "ready")
    _, second = await stage.queued()
    assert (await stage.rings("olga")).offer == f"{second}/1"


async def test_a_caller_who_waited_too_long_goes_on_in_the_flow(stage: Stage) -> None:
    call, interaction_id = await stage.queued(number=SHORT_WAIT)
    async with asyncio.timeout(15):
        await call.ended.wait()
    assert call.ended_by == "remote"
    assert await stage.outcome(interaction_id) == "self_served"
    [visit] = stage.rows("SELECT outcome FROM queue_visit WHERE interaction_id = ?", interaction_id)
    assert visit == {"outcome": "overflowed"}


# --- agents who do not take it -----------------------------------------------------------------------------


async def test_a_busy_phone_rejects_and_the_caller_keeps_their_place(stage: Stage) -> None:
    await stage.at_work("olga", "wei")
    stage.phone("olga").behaviour = Behaviour(reject=486)
    stage.desktop("wei").choose("not_ready", "break")
    await stage.becomes("wei", "not_ready")
    first, first_id = await stage.queued()
    rejected = await stage.rings("olga")
    agent = await stage.becomes("olga", "not_ready")
    assert agent["presence_reason"] == "rejected"
    second, second_id = await stage.queued()
    await stage.ready("wei")
    assert (await stage.rings("wei")).offer == f"{first_id}/2"
    await stage.talking(first)
    assert rejected.status == 486
    assert await stage.offers(first_id, 2) == [("olga", "rejected"), ("wei", "accepted")]
    await first.hang_up()
    assert (await stage.rings("wei")).offer == f"{second_id}/1"
    await stage.talking(second)
    [visit] = stage.rows("SELECT outcome, agent_id FROM queue_visit WHERE interaction_id = ?", first_id)
    assert visit == {"outcome": "answered", "agent_id": "wei"}


async def test_nobody_answers_so_the_offer_expires_and_the_next_agent_gets_it(stage: Stage) -> None:
    await stage.at_work("olga", "wei")
    stage.phone("olga").behaviour = PATIENT
    call, interaction_id = await stage.queued()
    missed = await stage.rings("olga")
    answered = await stage.rings("wei", RING_S + 3)
    await stage.talking(call)
    assert missed.end_ns is not None
    assert missed.end_ns < answered.invite_ns + 200_000_000, "two phones rang for one caller"
    assert RING_S - 0.3 < (missed.end_ns - missed.invite_ns) / 1e9 < RING_S + 0.7
    assert (await stage.becomes("olga", "not_ready"))["presence_reason"] == "no_answer"
    assert await stage.offers(interaction_id, 2) == [("olga", "expired"), ("wei", "accepted")]


# --- phones ------------------------------------------------------------------------------------------------


async def _register(stage: Stage, username: str) -> None:
    [person] = stage.rows("SELECT extension, phone_secret FROM person WHERE username = ?", username)
    phone = stage.phone(username)
    await phone.register(stage.world.sip, Credentials(person["extension"], person["phone_secret"]))


async def _unregister(stage: Stage, username: str) -> None:
    [person] = stage.rows("SELECT extension, phone_secret FROM person WHERE username = ?", username)
    phone = stage.phone(username)
    await phone.register(stage.world.sip, Credentials(person["extension"], person["phone_secret"]), 0)


@pytest_asyncio.fixture(loop_scope="module")
async def tom(stage: Stage) -> AsyncIterator[Stage]:
    """Tom with a phone that registers; it has not yet."""
    phone = stage.world.phones["tom"] = Phone("1005", TALKATIVE)
    await phone.start()
    try:
        yield stage
    finally:
        await _unregister(stage, "tom")
        await stage.clear()
        del stage.world.phones["tom"]
        await phone.stop()


async def test_an_agent_whose_phone_is_not_registered_is_offered_nothing_until_it_is(tom: Stage) -> None:
    if "tom" not in tom.world.desktops:
        await tom.seat("tom")
    tom.desktop("tom").choose("ready")
    agent = await tom.becomes("tom", "phone_gone")
    assert agent["presence"] == "ready"
    call, interaction_id = await tom.queued()
    await tom.at_work("wei")
    assert (await tom.rings("wei")).offer == f"{interaction_id}/1", "tom was passed over"
    tom.desktop("tom").choose("ready")
    await tom.becomes("tom", "phone_gone")
    call, interaction_id = await tom.queued()
    await _register(tom, "tom")
    assert (await tom.rings("tom")).offer == f"{interaction_id}/1"
    await tom.talking(call)


async def test_a_phone_that_vanishes_between_pop_and_ring_fails_and_the_caller_goes_on_waiting(tom: Stage) -> None:
    await _register(tom, "tom")
    if "tom" not in tom.world.desktops:
        await tom.seat("tom")
    await tom.at_work("tom")
    # A desktop that does not say "shown" leaves 150 ms between pop and ring.
    tom.desktop("tom").habits = Habits(wrap_up_s=0.0, back_after_s=None, starts_ready=False, shows=False)
    before = len(tom.seen.works)
    queued = asyncio.create_task(tom.queued())
    await eventually("the pop", lambda: len(tom.seen.works) > before)
    await _unregister(tom, "tom")
    call, interaction_id = await queued
    assert await tom.offers(interaction_id, 1) == [("tom", "failed")]
    assert tom.desktop("tom").agent["presence_reason"] == "phone_failed"
    assert tom.rung(interaction_id) == []
    await tom.at_work("wei")
    assert (await tom.rings("wei")).offer == f"{interaction_id}/2"
    await tom.talking(call)


async def test_a_phone_that_is_busy_with_something_else_is_offered_nothing_until_it_is_free(stage: Stage) -> None:
    [olga] = stage.rows("SELECT extension, phone_secret FROM person WHERE username = 'olga'")
    await stage.at_work("olga")
    host, port = stage.world.sip
    stage.phone("visitor").behaviour = TALKATIVE
    private = await stage.phone("olga").dial(
        f"sip:1009@{host}:{port}", Credentials(olga["extension"], olga["phone_secret"])
    )
    async with asyncio.timeout(5):
        await private.answered.wait()
    await stage.becomes("olga", "phone_busy")
    call, interaction_id = await stage.queued()
    await stage.at_work("wei")
    assert (await stage.rings("wei")).offer == f"{interaction_id}/1", "olga was passed over"
    call, interaction_id = await stage.queued()
    assert stage.desktop("olga").agent["state"] == "phone_busy"
    await private.hang_up()
    assert (await stage.rings("olga")).offer == f"{interaction_id}/1"
    await stage.talking(call)


# --- desktops ----------------------------------------------------------------------------------------------


async def test_a_desktop_that_goes_during_an_offer_takes_it_back_and_its_agent_becomes_not_ready(stage: Stage) -> None:
    await stage.at_work("olga", behaviour=PATIENT)
    call, interaction_id = await stage.queued()
    ringing = await stage.rings("olga")
    now = time.time_ns() // 1000
    await stage.unseat("olga")
    async with asyncio.timeout(AT_ONCE_S):
        await ringing.over.wait()
    assert await stage.offers(interaction_id, 1) == [("olga", "withdrawn")]
    lost = await stage.row(
        "olga without a desktop for the grace time",
        "SELECT min(from_at) AS since, max(to_at) AS until FROM agent_interval"
        " WHERE agent_id = 'olga' AND state IN ('desktop_gone', 'phone_busy') AND from_at > ?"
        " HAVING max(to_at) - min(from_at) > 500000",
        now,
        limit_s=GRACE_S + 5,
    )
    assert GRACE_S - 0.1 < (lost["until"] - lost["since"]) / 1e6 < GRACE_S + 0.5
    await stage.seat("olga")
    agent = await stage.becomes("olga", "not_ready")
    assert agent["presence_reason"] == "desktop_lost"
    await stage.at_work("wei")
    assert (await stage.rings("wei")).offer == f"{interaction_id}/2", "the caller kept their place"
    await stage.talking(call)


async def test_a_call_in_progress_goes_on_without_the_desktop_and_its_wrap_up_follows(stage: Stage) -> None:
    await stage.at_work("olga")
    call, interaction_id = await stage.queued()
    talk = await stage.rings("olga")
    await stage.talking(call)
    await stage.unseat("olga")
    # Longer than the grace time: a talk is not ended by it.
    await asyncio.wait_for(_seconds_of_talk(call, GRACE_S + 1), 10)
    assert not talk.over.is_set()
    assert not call.ended.is_set()
    await stage.seat("olga", Habits(wrap_up_s=None, back_after_s=None, starts_ready=False))
    await stage.becomes("olga", "talking")
    await call.hang_up()
    await stage.becomes("olga", "wrap_up")
    assert await stage.outcome(interaction_id) == "served"


async def _seconds_of_talk(call: object, seconds: float) -> None:
    """Return when so much audio has come from the other side since now."""
    media = call.media  # type: ignore[attr-defined]
    until = media.received + round(seconds * 50)
    await eventually(f"{seconds} s of audio", lambda: media.received >= until)


# --- keys --------------------------------------------------------------------------------------------------


async def test_menu_and_account_dialled_in_one_breath_reach_the_agents_screen(stage: Stage) -> None:
    await stage.at_work("maria")
    caller = stage.new_number()
    call = await stage.dial(MAIN_LINE, caller)
    await call.answered.wait()
    await call.media.press("1100312#")
    ringing = await stage.rings("maria")
    work = stage.seen.works[ringing.offer]
    assert work["queue"] == "billing"
    assert "100312" in str(work["attributes"])
    assert work["match"] == "one"
    await stage.talking(call)
