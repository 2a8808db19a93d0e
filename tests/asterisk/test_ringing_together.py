"""Several phones ring at once for one caller: real phones, real desktops, one Dial of a real Asterisk."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.phone import Behaviour, PhoneCall
from tests.asterisk.world import PATIENT, TALKATIVE, Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

RING_S = 6
AT_ONCE_S = 0.5
PEOPLE = ("ann", "bob", "cal", "deb")
TOGETHER_NS = 50_000_000
"""The INVITEs of one Dial come within a few milliseconds; more than this is one phone after the other."""


def _ring_three_at_once(site: Path) -> Path:
    file = site / "queues.yaml"
    text = file.read_text(encoding="utf-8")
    assert "\nsupport:\n" in text
    rule = "\nsupport:\n  strategy: ring_all\n  ring_at_most: 3\n"
    file.write_text(text.replace("\nsupport:\n", rule), encoding="utf-8")
    return site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("together")
    site = _ring_three_at_once(copy_site(folder, ring=f"{RING_S}s", wrap_up="1s", people=PEOPLE))
    async with open_stage(folder / "world", site, people_with_phones=PEOPLE) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage) -> AsyncIterator[None]:
    yield
    await stage.clear()


async def all_ring(stage: Stage, *usernames: str) -> dict[str, PhoneCall]:
    """Their calls: at the same time, each after its own pop, each by an offer of its own."""
    calls = {username: await stage.rings(username) for username in usernames}
    invites = [call.invite_ns for call in calls.values()]
    assert max(invites) - min(invites) < TOGETHER_NS
    for username, call in calls.items():
        assert stage.seen.agents[call.offer] == username, "a phone rings by another's offer"
        assert stage.seen.pops_ns[call.offer] < call.invite_ns
    return calls


async def stops(call: PhoneCall) -> None:
    async with asyncio.timeout(AT_ONCE_S):
        await call.over.wait()
    assert call.answer_ns is None


async def test_three_phones_ring_at_once_and_the_first_who_answers_has_the_caller(stage: Stage) -> None:
    await stage.at_work("ann", "cal", "deb", behaviour=PATIENT)
    await stage.at_work("bob", behaviour=Behaviour(answer_after_s=0.7, talk_s=None))
    await stage.ready("ann")
    stage.desktop("deb").choose("not_ready", "break")
    await stage.becomes("deb", "not_ready")
    call, interaction_id = await stage.queued()
    calls = await all_ring(stage, "ann", "bob", "cal")
    await stage.talking(call)
    for username in ("ann", "cal"):
        await stops(calls[username])
        assert calls[username].status == 487, "cancelled"
        await stage.becomes(username, "ready")
    assert dict(await stage.offers(interaction_id, 3)) == {"ann": "withdrawn", "bob": "accepted", "cal": "withdrawn"}
    details = {stage.seen.agents[offer]: detail for offer, (_, detail) in stage.seen.ended.items()}
    assert details["ann"] == details["cal"] == "answered_by_colleague"
    assert stage.rung(interaction_id) == sorted(calls.values(), key=lambda each: each.invite_ns), "somebody else rang"
    await call.hang_up()
    assert await stage.outcome(interaction_id) == "served"
    [talk] = stage.rows("SELECT agent_id FROM talk WHERE interaction_id = ?", interaction_id)
    assert talk == {"agent_id": "bob"}


async def test_one_declines_and_nobody_answers_so_the_others_are_not_ready_and_the_next_round_begins(
    stage: Stage,
) -> None:
    await stage.at_work("ann", "bob", "cal", behaviour=PATIENT)
    stage.phone("bob").behaviour = Behaviour(reject=486)
    call, interaction_id = await stage.queued()
    calls = await all_ring(stage, "ann", "bob", "cal")
    assert (await stage.becomes("bob", "not_ready"))["presence_reason"] == "rejected"
    await stage.at_work("deb", behaviour=TALKATIVE)
    assert not calls["ann"].over.is_set()
    assert not calls["cal"].over.is_set()
    answered = await stage.rings("deb", RING_S + 3)
    await stage.talking(call)
    for username in ("ann", "cal"):
        end_ns = calls[username].end_ns
        assert end_ns is not None
        assert RING_S - 0.3 < (end_ns - calls[username].invite_ns) / 1e9 < RING_S + 0.7
        assert end_ns < answered.invite_ns + 200_000_000
        assert (await stage.becomes(username, "not_ready"))["presence_reason"] == "no_answer"
    assert dict(await stage.offers(interaction_id, 4)) == {
        "ann": "expired", "bob": "rejected", "cal": "expired", "deb": "accepted",
    }  # fmt: skip


async def test_one_who_declines_on_the_screen_stops_their_own_phone_alone(stage: Stage) -> None:
    await stage.at_work("ann", behaviour=PATIENT)
    await stage.at_work("bob", behaviour=Behaviour(answer_after_s=2.0, talk_s=None))
    call, interaction_id = await stage.queued()
    calls = await all_ring(stage, "ann", "bob")
    stage.desktop("ann").send({"type": "reject", "offer_id": calls["ann"].offer})
    await stops(calls["ann"])
    assert not calls["bob"].over.is_set()
    await stage.talking(call)
    assert dict(await stage.offers(interaction_id, 2)) == {"ann": "rejected", "bob": "accepted"}


async def test_a_caller_who_leaves_stops_all_phones_and_the_next_caller_has_them_all(stage: Stage) -> None:
    await stage.at_work("ann", "bob", "cal", "deb", behaviour=PATIENT)
    first, first_id = await stage.queued()
    calls = await all_ring(stage, "ann", "bob", "cal")
    _, second_id = await stage.queued()
    assert (await stage.rings("deb")).offer == f"{second_id}/1"
    await first.hang_up()
    for each in calls.values():
        await stops(each)
    assert {outcome for _, outcome in await stage.offers(first_id, 3)} == {"withdrawn"}
    assert await stage.outcome(first_id) == "abandoned_ringing"
    for username in ("ann", "bob", "cal"):
        await stage.becomes(username, "ready")


async def test_whoever_answers_while_the_server_is_dead_is_found_talking(stage: Stage) -> None:
    await stage.at_work("ann", behaviour=PATIENT)
    await stage.at_work("bob", behaviour=Behaviour(answer_after_s=2.0, talk_s=None))
    call, interaction_id = await stage.queued()
    calls = await all_ring(stage, "ann", "bob")
    await stage.world.kill_server()
    await eventually("the answer", lambda: calls["bob"].answer_ns is not None)
    await stage.world.start_server()
    await stage.becomes("bob", "talking")
    await stage.becomes("ann", "ready")
    assert dict(await stage.offers(interaction_id, 2)) == {"ann": "withdrawn", "bob": "accepted"}
    assert not call.ended.is_set()
    await call.hang_up()
    assert await stage.outcome(interaction_id) == "served"
