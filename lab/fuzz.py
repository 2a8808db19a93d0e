"""`python -m lab.fuzz`: hostile input for everything that reads what others write, judged by one rule: only errors that
docs/errors.md names may come out, soon, with no traceback in the log and no memory kept.

    python -m lab.fuzz                          every subject, 20 s each
    python -m lab.fuzz ami yaml --minutes 5     these, so long each; --inputs 100000: so many each
    python -m lab.fuzz ami --seed 7 --round 123 one round again, as a failure says

A round is a short session (a link, a call, a desktop, a site), made from subject, seed and number alone. A round that
fails is written to `fuzz/` below CALLYARD_HOME with what was sent in it, and the command that repeats it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import random
import signal
import sys
import time
import traceback
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from lab.process import memory

HANG_S = 20
#: So many kilobytes may lie about after many more rounds: caches that fill, allocators that keep pages.
MOST_GROWTH_KB = 2_000
_KEPT_SENT = 400


class Fault(AssertionError):
    """What may never come out of hostile input."""


class Hung(Fault):
    """A round that did not end."""


@dataclass(slots=True)
class Round:
    """One round: its chance, and what was sent in it (the last of it)."""

    number: int
    chance: random.Random
    inputs: int = 0
    sent: list[str] = field(default_factory=list)

    def note(self, what: object) -> None:
        """An input goes out."""
        self.inputs += 1
        self.sent.append(repr(what)[:2_000])
        if len(self.sent) > _KEPT_SENT:
            del self.sent[: _KEPT_SENT // 2]


Play = Callable[[Round], Awaitable[None]]


class Subject(Protocol):
    """Something that reads what others write. `opened` gives what plays one round."""

    name: str

    def opened(self) -> AbstractAsyncContextManager[Play]: ...


@dataclass(slots=True)
class Result:
    """How a subject came through. Memory in kilobytes; `growth_kb`: Python objects kept from the later rounds."""

    subject: str
    seed: int
    rounds: int = 0
    inputs: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    rss_before_kb: int = 0
    rss_after_kb: int = 0
    growth_kb: int = 0
    failures: int = 0


# --- what nobody may see ------------------------------------------------------------------------------------------


class Watch(logging.Handler):
    """Gathers tracebacks in the log, and what the event loop reports."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[0] is not None:
            self.found.append(f"{record.name}: {record.getMessage()}\n" + _told(record.exc_info[1]))

    def hear(self, _logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """As a processor of structlog."""
        if event.get("exc_info"):
            told = event["exc_info"]
            error = told if isinstance(told, BaseException) else sys.exc_info()[1]
            self.found.append(f"{event.get('event')}: {event}\n" + _told(error))
        raise structlog.DropEvent

    def complain(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """As the loop's exception handler."""
        error = context.get("exception")
        self.found.append(f"{context.get('message')}\n" + _told(error if isinstance(error, BaseException) else None))

    def judge(self) -> None:
        """Fault, if there was any since the last time."""
        found, self.found = self.found, []
        if found:
            raise Fault("\n".join(found[:5]))


def _told(error: BaseException | None) -> str:
    return "" if error is None else "".join(traceback.format_exception(error))[-6_000:]


@contextmanager
def watched() -> Iterator[Watch]:
    """Everything that is logged goes to a Watch, and nowhere else."""
    watch = Watch()
    root = logging.getLogger()
    handlers, level, settings = list(root.handlers), root.level, structlog.get_config()
    root.handlers[:] = [watch]
    root.setLevel(logging.WARNING)
    structlog.configure(processors=[watch.hear], cache_logger_on_first_use=False)
    try:
        yield watch
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**settings)


@contextmanager
def _no_longer_than(seconds: int) -> Iterator[None]:
    """Hung, raised into whatever runs, also a loop that never waits. Only the main thread can be ended so."""

    def end(_signal: int, _frame: object) -> None:
        raise Hung(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    others_s, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    began = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if others_s:  # pytest's own
            signal.setitimer(signal.ITIMER_REAL, max(0.001, others_s - (time.monotonic() - began)))


# --- playing ------------------------------------------------------------------------------------------------------


async def play_one(play: Play, watch: Watch, name: str, seed: int, number: int) -> Round:
    """One round. Raises Fault, or whatever came out."""
    round_ = Round(number, random.Random(f"{name}/{seed}/{number}"))
    try:
        with _no_longer_than(HANG_S):
            await play(round_)
            await asyncio.sleep(0)
        watch.judge()
    except Exception as error:
        error.add_note(f"sent: {round_.sent[-3:]}")
        error.__dict__["round"] = round_
        raise
    return round_


async def run(
    subject: Subject,
    seed: int,
    *,
    inputs: int = 0,
    seconds: float = 0.0,
    most_failures: int = 5,
    growth_rounds: int = 8,
    tell: Callable[[str], None] = lambda text: None,
) -> Result:
    """Rounds until so many inputs were sent, or so long went by; failures are written down and counted."""
    result = Result(subject.name, seed)
    with watched() as watch:
        asyncio.get_running_loop().set_exception_handler(watch.complain)
        async with subject.opened() as play:
            began = time.monotonic()
            number = 0
            while (result.inputs < inputs if inputs else time.monotonic() - began < seconds) and (
                result.failures < most_failures
            ):
                number += 1
                try:
                    done = await play_one(play, watch, subject.name, seed, number)
                except Exception as error:  # noqa: BLE001  # whatever came out is what is looked for
                    done = error.__dict__.get("round") or Round(number, random.Random())
                    result.failures += 1
                    tell(_keep(subject.name, seed, done, error))
                result.rounds, result.inputs = number, result.inputs + done.inputs
                if not result.rss_before_kb and (number >= 50 or time.monotonic() - began > seconds / 5 > 0):
                    gc.collect()
                    result.rss_before_kb = memory(os.getpid()).rss
            result.seconds = round(time.monotonic() - began, 2)
            result.rate = round(result.inputs / max(result.seconds, 0.01), 1)
            gc.collect()
            result.rss_after_kb = memory(os.getpid()).rss
            result.growth_kb = await _growth(play, watch, subject.name, seed, growth_rounds)
    return result


async def _growth(play: Play, watch: Watch, name: str, seed: int, rounds: int) -> int:
    """Kilobytes of Python objects that rounds leave behind, once as many have warmed up."""
    tracemalloc.start()
    try:
        sizes = []
        for first in (1, rounds + 1):
            for number in range(first, first + rounds):
                try:
                    await play_one(play, watch, name, seed + 1_000_000, number)
                except Exception:  # noqa: BLE001  # counted above, were it one of the rounds that count
                    watch.found.clear()
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    return (sizes[1] - sizes[0]) // 1024


def _keep(name: str, seed: int, failed: Round, error: BaseException) -> str:
    folder = Path(os.environ.get("CALLYARD_HOME", ".callyard")) / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{seed}-{failed.number}.txt"
    command = f"python -m lab.fuzz {name} --seed {seed} --round {failed.number}"
    file.write_text(
        "\n".join([command, _told(error), "sent:", *failed.sent]), encoding="utf-8", errors="backslashreplace"
    )
    return f"{name}: {type(error).__name__}: {str(error)[:300]}\n  again: {command}\n  written down: {file}"


def subjects() -> dict[str, Subject]:
    """All of them, by name."""
    from lab.fuzz_agi import Agi
    from lab.fuzz_ami import Ami
    from lab.fuzz_desk import DeskSocket
    from lab.fuzz_rest import Rest
    from lab.fuzz_yaml import SiteFiles

    return {each.name: each for each in (Ami(), Agi(), SiteFiles(), DeskSocket(), Rest())}


def main(arguments: list[str] | None = None) -> int:
    known = subjects()
    parser = argparse.ArgumentParser(prog="python -m lab.fuzz")
    parser.add_argument("subjects", nargs="*", choices=[*known, []], help=f"of {', '.join(known)}; none: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inputs", type=int, default=0, help="so many for each subject")
    parser.add_argument("--minutes", type=float, default=1 / 3, help="so long for each subject")
    parser.add_argument("--round", type=int, default=0, help="only this one")
    chosen = parser.parse_args(arguments)
    results = []
    for name in chosen.subjects or list(known):
        if chosen.round:
            asyncio.run(_again(known[name], chosen.seed, chosen.round))
            print(f"{name}: round {chosen.round} of seed {chosen.seed} holds")
            continue
        result = asyncio.run(
            run(known[name], chosen.seed, inputs=chosen.inputs, seconds=chosen.minutes * 60, tell=print)
        )
        results.append(result)
        print(
            f"{name:5} {result.inputs:>9,} inputs  {result.rate:>8,.0f}/s  {result.rounds:>7,} rounds  RSS "
            f"{result.rss_before_kb // 1024} → {result.rss_after_kb // 1024} MB  objects {result.growth_kb:+} KB  "
            f"failures {result.failures}",
            flush=True,
        )
    if results:
        print(
            json.dumps({"inputs": sum(each.inputs for each in results), "subjects": [asdict(each) for each in results]})
        )
    return 1 if any(each.failures or each.growth_kb > MOST_GROWTH_KB for each in results) else 0


async def _again(subject: Subject, seed: int, number: int) -> None:
    with watched() as watch:
        asyncio.get_running_loop().set_exception_handler(watch.complain)
        async with subject.opened() as play:
            await play_one(play, watch, subject.name, seed, number)


if __name__ == "__main__":
    sys.exit(main())
