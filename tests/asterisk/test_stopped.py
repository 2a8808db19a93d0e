"""The server is stopped with SIGSTOP for two minutes while 10 callers wait and 2 talk, and goes on with SIGCONT.

A stopped server is worse than a dead one: its sockets stay open and say nothing. Judged by the ears of those who
talk, by the phones, and by a second AMI client that sees where Asterisk has the callers.
"""

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from lab.phone import Behaviour
from lab.sip_call import SipCall
from lab.sip_message import Credentials
from tests.asterisk.peers import AmiWatch
from tests.asterisk.world import STRAIGHT, TALKATIVE, Ears, Stage, copy_site, eventually, open_stage

pytestmark = pytest.mark.asterisk

STOPPED_S = 120.0
IN_FAIL_SAFE_S = 90.0
LONGEST_SILENCE_S = 0.5
WAITING = 10


async def _in_fail_safe(ami: AmiWatch) -> set[str]:
    """The channels that Asterisk has in the fail-safe now."""
    channels = await ami.act("CoreShowChannels")
    return {each["Uniqueid"] for each in channels if each.get("Context") == "callyard-failsafe"}


async def _all_in_fail_safe(ami: AmiWatch, waiting: set[str]) -> float:
    """Return when each of these has been in the fail-safe, and how many seconds it took."""
    began = time.monotonic()
    seen: set[str] = set()
    while not waiting <= seen:
        seen |= await _in_fail_safe(ami)
        assert time.monotonic() - began < IN_FAIL_SAFE_S, f"{len(waiting - seen)} of {len(waiting)} are not there"
        await asyncio.sleep(0.5)
    return time.monotonic() - began


async def _private_call(stage: Stage) -> SipCall:
    """Olga talks with a colleague: her phone is busy with something that is not ours."""
    [olga] = stage.rows("SELECT extension, phone_secret FROM person WHERE username = 'olga'")
    host, port = stage.world.sip
    stage.phone("visitor").behaviour = TALKATIVE
    call = await stage.phone("olga").dial(
        f"sip:1009@{host}:{port}", Credentials(olga["extension"], olga["phone_secret"])
    )
    async with asyncio.timeout(5):
        await call.answered.wait()
    return call


@pytest.mark.timeout(220)
async def test_a_stopped_server_lets_its_callers_go_and_takes_up_its_work_again(tmp_path: Path) -> None:
    site = copy_site(tmp_path, wrap_up="1s")
    async with (
        open_stage(tmp_path / "world", site, people_with_phones=("maria", "wei", "olga", "visitor")) as stage,
        stage.ami() as ami,
    ):
        await stage.at_work("maria", "wei", behaviour=Behaviour(answer_after_s=0.1, talk_s=None))
        talks = [await stage.dial(STRAIGHT, stage.new_number()) for _ in range(2)]
        for talk in talks:
            await stage.talking(talk)
        private = await _private_call(stage)
        await stage.at_work("olga")
        await stage.becomes("olga", "phone_busy")
        waiting = dict([(await stage.queued())[::-1] for _ in range(WAITING)])
        rung = {username: len(phone.calls) for username, phone in stage.world.phones.items()}
        pops = len(stage.seen.works)
        ears = [Ears(talk) for talk in talks] + [Ears(phone_call) for phone_call in _agents_side(stage)]

        stage.world.signal_server(signal.SIGSTOP)
        stopped = time.monotonic()
        await _all_in_fail_safe(ami, set(waiting))
        await private.hang_up()  # from here on olga could be offered somebody, if the server knew no better
        await asyncio.sleep(STOPPED_S - (time.monotonic() - stopped))
        stage.world.signal_server(signal.SIGCONT)
        await stage.world.until_ready()
        await stage.becomes("olga", "ready")

        assert stage.world.process is not None
        assert stage.world.process.returncode is None, "the server survives being stopped"
        for talk, ear in zip([*talks, *_agents_side(stage)], ears, strict=True):
            assert not talk.ended.is_set()
            assert ear.loud > 0.95 * 50 * STOPPED_S
            assert ear.longest_silence_s < LONGEST_SILENCE_S
        await _goes_on(stage, talks)
        assert {username: len(phone.calls) for username, phone in stage.world.phones.items()} == rung | {
            "olga": rung["olga"] + 1
        }, "nobody was rung for a caller who is in the fail-safe"
        assert len(stage.seen.works) == pops + 1
        await _end(stage, waiting)


def _agents_side(stage: Stage) -> list[SipCall]:
    """The two talks as the agents' phones have them."""
    return [
        call
        for username in ("maria", "wei")
        for call in stage.phone(username).endpoint.calls.values()
        if not call.ended.is_set()
    ]


async def _goes_on(stage: Stage, talks: list[SipCall]) -> None:
    """A new caller is served; the talks end as ever, with their wrap-up."""
    call, interaction_id = await stage.queued()
    ringing = await stage.rings("olga")
    assert ringing.offer == f"{interaction_id}/1"
    await stage.talking(call)
    await talks[0].hang_up()
    await eventually("a wrap-up", lambda: _served(stage) == 1)
    await talks[1].hang_up()
    await eventually("both served", lambda: _served(stage) == 2)


def _served(stage: Stage) -> int:
    [row] = stage.rows("SELECT count(*) AS n FROM interaction WHERE outcome = 'served'")
    return int(row["n"])


async def _end(stage: Stage, waiting: dict[str, SipCall]) -> None:
    """Those of the fail-safe who are still there hang up; each interaction has one outcome, and no offer."""
    await stage.hang_up_all()
    outcomes = Counter([await stage.outcome(interaction_id) for interaction_id in waiting])
    assert sum(outcomes.values()) == WAITING
    assert set(outcomes) <= {"abandoned_in_queue", "voicemail"}, outcomes
    marks = ",".join("?" * len(waiting))
    assert stage.rows(f"SELECT id FROM offer WHERE interaction_id IN ({marks})", *waiting) == []
