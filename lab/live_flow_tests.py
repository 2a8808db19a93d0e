"""Flow tests as real calls: `callyard flow test --live`, or `python -m lab.live_flow_tests [--site FOLDER] [FILE …]`.

Each test is walked without a telephone first; the tape of that walk says what a caller hears, presses and meets, step
by step. Then a SIP caller calls a real Asterisk with a server of its own, presses the same keys (RFC 4733) at the same
questions, and has to hear the same prompts in the same order (`lab.live_call`).

Several tests are played at the same time, each on a stage of its own (`lab.live_stage`), on a copy of the site in which
nobody waits for long (`lab.live_site`).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import uvloop

from ivr.dialogue import run_test
from ivr.errors import SiteError
from ivr.flow_tests import ReadTest, files_of_tests, read_tests
from ivr.loader import load_site
from ivr.site import Site
from ivr.steps import MessageRecorded, QueueEnded, TransferEnded
from ivr.walk import Answered, Entry, Heard, Pressed
from lab.live_site import KEY_S, RING_S, SILENCE_S, WAIT_S
from lab.live_stage import LiveStage, Verdict, open_live_stage
from lab.stage import FAULTS, cancelled_by_signals
from lab.system import ensure

AT_ONCE = 4
_LETTERS_A_SECOND, _SIGNS_A_SECOND = 14, 3


def _as_it_is(stage: LiveStage) -> LiveStage:
    return stage


@dataclass(frozen=True, slots=True)
class Job:
    """A test to play. `on`: the stage to play it on, made of a free one."""

    test: ReadTest
    on: Callable[[LiveStage], LiveStage] = _as_it_is


async def play(
    site_dir: Path, jobs: Sequence[Job], tell: Callable[[Verdict], None], *, at_once: int = AT_ONCE
) -> list[Verdict]:
    """Play the tests of a site, so many at the same time; the verdicts are in their order."""
    if not jobs:
        return []
    site = load_site(site_dir)
    longest_first = deque(sorted(range(len(jobs)), key=lambda at: -_expected_s(site, jobs[at].test)))
    verdicts: dict[int, Verdict] = {}
    count = min(at_once, len(jobs))
    # To open a stage holds this process up for seconds. So they open one after the other, and nobody calls before the
    # last is open: a caller must press in time.
    opening, opened = asyncio.Lock(), asyncio.Barrier(count)

    async def work(folder: Path) -> None:
        async with AsyncExitStack() as stack:
            async with opening:
                stage = await stack.enter_async_context(open_live_stage(site_dir, folder))
            await opened.wait()
            while longest_first:
                at = longest_first.popleft()
                verdicts[at] = await jobs[at].on(stage).judge(jobs[at].test)
                tell(verdicts[at])

    with tempfile.TemporaryDirectory(prefix="callyard-live-") as folder:
        async with asyncio.TaskGroup() as stages:
            for number in range(count):
                (Path(folder) / str(number)).mkdir()
                stages.create_task(work(Path(folder) / str(number)))
    return [verdicts[at] for at in range(len(jobs))]


def _expected_s(site: Site, test: ReadTest) -> float:
    """How long the call takes, about."""
    tape: list[Entry] = []
    run_test(site, test, tape)
    return sum(_takes_s(entry) for entry in tape)


def _takes_s(entry: Entry) -> float:
    match entry:
        case Heard():
            text = entry.prompt.text
            return len(text) / (_LETTERS_A_SECOND if text.isascii() else _SIGNS_A_SECOND)
        case Pressed(keys=keys):
            return 0.2 * len(keys) or KEY_S
        case Answered(result=QueueEnded(outcome="timed_out")):
            return WAIT_S
        case Answered(result=TransferEnded(outcome="no_answer")):
            return RING_S
        case Answered(result=MessageRecorded()):
            return SILENCE_S
    return 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.live_flow_tests", description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, required=True)
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="calls at the same time")
    parser.add_argument("files", type=Path, nargs="*")
    chosen = parser.parse_args(arguments)
    try:
        ensure(["espeak-ng", "sox"], print)
        site = load_site(chosen.site)
        files = chosen.files or files_of_tests(site)[0]
        read = [read_tests(site, f"tests/{file.name}", file.read_bytes()) for file in files]
        problems = [problem for _, found in read for problem in found]
        if problems:
            print("\n".join(map(str, sorted(problems))), file=sys.stderr)
            return 1
        jobs = [Job(test) for tests, _ in read for test in tests]
        print(f"{len(jobs)} tests as real calls", flush=True)
        began = time.monotonic()
        verdicts = uvloop.run(cancelled_by_signals(play(chosen.site, jobs, _tell, at_once=max(chosen.at_once, 1))))
    except asyncio.CancelledError:
        return 130
    except (OSError, SiteError, *FAULTS) as error:
        print(str(error), file=sys.stderr)
        return 1
    except ExceptionGroup as errors:
        print("\n".join(map(str, errors.exceptions)), file=sys.stderr)
        return 1
    failed = sum(verdict.failure is not None for verdict in verdicts)
    left = sum(bool(verdict.not_played) for verdict in verdicts)
    passed = len(verdicts) - failed - left
    took = f"{time.monotonic() - began:.0f} s"
    print(f"{len(verdicts)} tests in {took}: {passed} passed, {failed} failed, {left} not played")
    return 1 if failed else 0


def _tell(verdict: Verdict) -> None:
    if verdict.failure is not None:
        print(f"FAILED {verdict.failure}", flush=True)
    elif verdict.not_played:
        print(f"not played: {verdict.name}: {verdict.not_played}", flush=True)
    else:
        print(f"passed: {verdict.name}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
