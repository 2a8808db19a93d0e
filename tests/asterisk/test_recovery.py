"""The server is killed with -9 while 20 callers wait and 5 talk, and started again: judged by SIPp.

SIPp makes the calls and answers them; what it counts, and the order of its own log, decide. The tables are read as
any other program reads them.
"""

import asyncio
import itertools
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import sipp
from lab.caller import Caller, CallRecord, Identity, StayOn
from lab.ports import free_ports
from lab.sipp import SippCaller, SippLine, SippRun
from tests.asterisk.world import STRAIGHT, Stage, copy_site, eventually, open_stage

pytestmark = pytest.mark.asterisk

TALKERS = tuple(f"+4989100{index:03d}" for index in range(5))
STAYERS = tuple(f"+4989200{index:03d}" for index in range(15))
LEAVERS = tuple(f"+4989300{index:03d}" for index in range(5))
PASSERS_BY = tuple(f"+4989400{index:03d}" for index in range(5))
FIRST_SHIFT = ("maria", "wei", "olga", "tom", "visitor")
SECOND_SHIFT = ("anna", "bela", "carl", "dora", "emil")
TALK_S = 14.0
LEAVE_AFTER_S = 5.0
SAME_INSTANT_MS = 100
"""Five agents are served at once: within this, the order in which their phones ring says nothing."""


@dataclass
class Crowd:
    """Everybody who calls and who answers; the ports from which SIPp calls must be known before Asterisk starts."""

    folder: Path
    exits: AsyncExitStack

    def __post_init__(self) -> None:
        self.ports = dict(zip(("first", "second", "talkers", "stayers", "leavers"), free_ports(5), strict=True))

    async def agents(self, shift: str, *, ring_s: float, talk_s: float) -> SippRun:
        run = sipp.agents(self.folder / shift, ring_s=ring_s, talk_s=talk_s, port=self.ports[shift])
        return await self.exits.enter_async_context(run)

    async def callers(
        self, stage: Stage, who: str, numbers: tuple[str, ...], *, rate: float, gives_up_after_s: float | None = None
    ) -> SippRun:
        calls = [SippCaller(number, STRAIGHT) for number in numbers]
        run = sipp.callers(
            self.folder / who, stage.world.sip, calls, rate=rate, gives_up_after_s=gives_up_after_s, limit_s=100,
            port=self.ports[who],
        )  # fmt: skip
        return await self.exits.enter_async_context(run)


async def _waiting(stage: Stage, count: int) -> None:
    """Return when so many callers wait, as the tables say."""
    query = "SELECT id FROM queue_visit WHERE outcome IS NULL"
    await eventually(f"{count} callers waiting", lambda: len(stage.rows(query)) == count)


async def _call_in_vain(stage: Stage, number: str) -> tuple[CallRecord, float]:
    """Call while nobody is there, and hang up after 2 s."""
    called_at = time.time()
    record = await Caller(Identity(number), stage.world.sip, line=stage.line).call(
        STRAIGHT, (StayOn(),), patience_s=2.0
    )
    return record, called_at


def _talks(lines: tuple[SippLine, ...]) -> dict[str, float]:
    """How long each caller talked, in seconds, by the agents' own log."""
    began = {line.number: line.tick_ms for line in lines if line.what == "answered"}
    return {line.number: (line.tick_ms - began[line.number]) / 1000 for line in lines if line.what == "hung_up"}


def overtaken(asked: list[str], rang: list[SippLine]) -> list[tuple[str, str]]:
    """Pairs of whom the second was served clearly before the first, who had asked before."""
    at = {line.number: line.tick_ms for line in rang}
    return [
        (before, after)
        for before, after in itertools.combinations(asked, 2)
        if at[after] < at[before] - SAME_INSTANT_MS
    ]


@pytest.mark.timeout(180)
async def test_a_killed_server_loses_no_caller_and_no_place_in_line(tmp_path: Path) -> None:
    async with AsyncExitStack() as exits:
        crowd = Crowd(tmp_path, exits)
        addresses = {
            username: f"127.0.0.1:{crowd.ports[shift]}"
            for shift, usernames in (("first", FIRST_SHIFT), ("second", SECOND_SHIFT))
            for username in usernames
        }
        first = await crowd.agents("first", ring_s=0.0, talk_s=TALK_S)
        second = await crowd.agents("second", ring_s=0.2, talk_s=1.0)
        stage = await exits.enter_async_context(
            open_stage(
                tmp_path / "world", copy_site(tmp_path, wrap_up="1s", people=SECOND_SHIFT),
                more_callers=[crowd.ports[who] for who in ("talkers", "stayers", "leavers")],
                phone_addresses=addresses, people_with_phones=(),
            )
        )  # fmt: skip
        for username in (*FIRST_SHIFT, *SECOND_SHIFT):
            await stage.seat(username)
        await stage.ready(*FIRST_SHIFT)
        talkers = await crowd.callers(stage, "talkers", TALKERS, rate=10)
        await eventually("5 talks", lambda: sum(line.what == "answered" for line in first.lines()) == len(TALKERS))
        for username in FIRST_SHIFT:  # after this talk they go home
            stage.desktop(username).choose("not_ready", "break")
        stayers = await crowd.callers(stage, "stayers", STAYERS, rate=10)
        leavers = await crowd.callers(stage, "leavers", LEAVERS, rate=5, gives_up_after_s=LEAVE_AFTER_S)
        await _waiting(stage, len(STAYERS) + len(LEAVERS))

        await stage.world.kill_server()
        assert [line for line in leavers.lines() if line.what == "gave_up"] == [], "killed too late"
        passed_by = await asyncio.gather(*(_call_in_vain(stage, number) for number in PASSERS_BY))
        left = await leavers.finished(30)
        assert (left.successful, left.failed) == (len(LEAVERS), 0)
        assert sorted(left.order("gave_up")) == sorted(LEAVERS)
        assert second.lines() == (), "nobody was to be served yet"
        starting = asyncio.create_task(stage.world.start_server())
        await stage.ready(*SECOND_SHIFT)  # as soon as their desktops are back: callers may still be on their way
        await starting

        answered = (await talkers.finished(60), await stayers.finished(60))
        assert [(each.successful, each.failed) for each in answered] == [(len(TALKERS), 0), (len(STAYERS), 0)]
        _judge_talks(first.lines())
        served = [line for line in second.lines() if line.what == "ringing"]
        assert sorted(line.number for line in served) == sorted(STAYERS), "each rang at one phone, once"
        assert overtaken(answered[1].order("answered"), served) == []
        _judge_passers_by(await _rows_of(stage, PASSERS_BY), passed_by)
        await _judge_outcomes(stage)


def _judge_talks(lines: tuple[SippLine, ...]) -> None:
    assert Counter(line.what for line in lines) == {"ringing": 5, "answered": 5, "hung_up": 5}
    talks = _talks(lines)
    assert sorted(talks) == sorted(TALKERS)
    assert all(abs(talk_s - TALK_S) < 0.5 for talk_s in talks.values()), talks


async def _rows_of(stage: Stage, numbers: tuple[str, ...]) -> dict[str, dict[str, object]]:
    marks = ",".join("?" * len(numbers))
    query = f"SELECT * FROM interaction WHERE caller IN ({marks}) AND outcome IS NOT NULL"

    def all_there() -> list[dict[str, object]]:
        rows = stage.rows(query, *numbers)
        return rows if len(rows) >= len(numbers) else []

    rows = await eventually(f"{len(numbers)} outcomes", all_there)
    assert len(rows) == len(numbers), "one interaction each"
    return {str(row["caller"]): row for row in rows}


def _judge_passers_by(rows: dict[str, dict[str, object]], passed_by: list[tuple[CallRecord, float]]) -> None:
    """Who came and went while nobody was there stands in the table, marked, with the time they really came."""
    for record, called_at in passed_by:
        assert (record.ended_by, record.answer_ns) == ("caller", None)
        row = rows[str(record.number)]
        assert (row["outcome"], row["arrived_in_gap"], row["dialled"]) == ("abandoned_in_flow", 1, STRAIGHT)
        assert isinstance(row["arrived_at"], int)
        assert abs(row["arrived_at"] / 1e6 - called_at) < 1.5  # Asterisk's own record counts whole seconds


async def _judge_outcomes(stage: Stage) -> None:
    talkers, stayers, leavers = [await _rows_of(stage, who) for who in (TALKERS, STAYERS, LEAVERS)]
    assert Counter(str(row["outcome"]) for row in (talkers | stayers).values()) == {"served": 20}
    assert Counter((row["outcome"], row["closed_in_gap"]) for row in leavers.values()) == {
        ("abandoned_in_queue", 1): len(LEAVERS)
    }
    assert {row["arrived_in_gap"] for row in (talkers | stayers | leavers).values()} == {0}
    everybody = len(TALKERS) + len(STAYERS) + len(LEAVERS) + len(PASSERS_BY)
    assert stage.rows("SELECT count(*) AS n FROM interaction") == [{"n": everybody}]
    visits = stage.rows("SELECT outcome, count(*) AS n FROM queue_visit GROUP BY outcome ORDER BY outcome")
    assert visits == [{"outcome": "abandoned", "n": 5}, {"outcome": "answered", "n": 20}]
