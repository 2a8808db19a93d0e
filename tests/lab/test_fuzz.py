"""A short, fixed part of the hostile input of `make soak`, and the fuzzers held to faults that they must see."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from ivr.errors import Problem
from lab import fuzz
from lab.fuzz import MOST_GROWTH_KB, Play, Round, run, subjects
from lab.fuzz_schema import hold
from tests.effort import examples

SEED = 20_27
#: Each takes a few seconds.
INPUTS = {"ami": 1_500, "agi": 300, "yaml": 40, "desk": 600, "rest": 240}
#: Rounds whose memory is looked at; what the web side keeps to be quick is filled by more than there is time for.
GROWTH = {"ami": 4, "agi": 1, "yaml": 4, "desk": 4, "rest": 0}


@pytest.mark.parametrize("name", sorted(INPUTS))
@pytest.mark.timeout(1200)
async def test_only_documented_errors_come_out_of_hostile_input(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLYARD_HOME", str(tmp_path))
    told: list[str] = []
    result = await run(
        subjects()[name], SEED, inputs=examples(INPUTS[name]), growth_rounds=GROWTH[name], tell=told.append
    )
    assert told == []
    assert result.inputs >= INPUTS[name]
    assert result.growth_kb < MOST_GROWTH_KB


@pytest.mark.timeout(1200)
async def test_the_api_is_what_its_document_says() -> None:
    """All checks of schemathesis, shortly; `make soak` does it for longer."""
    status, said = await hold(examples(1), SEED, "fuzzing")
    assert status == 0, said[-6_000:]
    assert "Tested: 3" in said, said[-2_000:]


class Odd:
    """A subject that does what a test wants in its third round."""

    name = "odd"

    def __init__(self, fault: Callable[[], Awaitable[None]]) -> None:
        self._fault = fault

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Play]:
        async def play(round_: Round) -> None:
            round_.note(f"input {round_.number} {round_.chance.random()}")
            if round_.number == 3:
                await self._fault()

        yield play


async def _raises() -> None:
    raise KeyError("x")


async def _logs() -> None:
    try:
        raise ValueError("told in the log only")
    except ValueError:
        structlog.get_logger("x").exception("failed")


async def _logs_plainly() -> None:
    try:
        raise ValueError("told in the log only")
    except ValueError:
        logging.getLogger("x").exception("failed")


async def _fails_in_a_callback() -> None:
    asyncio.get_running_loop().call_soon(lambda: 1 // 0)
    await asyncio.sleep(0)


async def _spins() -> None:
    while True:
        pass


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (_raises, "KeyError"),
        (_logs, "told in the log only"),
        (_logs_plainly, "told in the log only"),
        (_fails_in_a_callback, "ZeroDivisionError"),
        (_spins, "not done after"),
    ],
)
async def test_a_fault_is_seen_counted_and_written_down_to_be_repeated(
    fault: Callable[[], Awaitable[None]], seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLYARD_HOME", str(tmp_path))
    monkeypatch.setattr(fuzz, "HANG_S", 1)
    told: list[str] = []
    result = await run(Odd(fault), 7, inputs=5, tell=told.append)
    assert (result.failures, result.inputs) == (1, 5)
    assert "python -m lab.fuzz odd --seed 7 --round 3" in told[0]
    kept = (tmp_path / "fuzz" / "odd-7-3.txt").read_text()
    assert seen in kept
    assert "input 3 " in kept


async def test_a_round_is_the_same_each_time() -> None:
    async def never() -> None: ...

    sent = []
    for _ in range(2):
        async with Odd(never).opened() as play:
            with fuzz.watched() as watch:
                sent.append((await fuzz.play_one(play, watch, "odd", 7, 5)).sent)
    assert sent[0] == sent[1] != []


def test_a_name_out_of_a_file_keeps_its_line() -> None:
    """Found by the fuzzer: names of one file stand in problems of another."""
    problem = Problem("a.yaml", 1, 1, "expected a\r\nAction: Hangup\u2028\x1b[2J\u202e or b")
    assert str(problem) == "a.yaml:1:1: expected a\\r\\nAction: Hangup\\u2028\\x1b[2J\\u202e or b"


def test_the_environment_is_as_before() -> None:
    before = (list(logging.getLogger().handlers), structlog.get_config())
    with fuzz.watched():
        pass
    assert (list(logging.getLogger().handlers), structlog.get_config()) == before
