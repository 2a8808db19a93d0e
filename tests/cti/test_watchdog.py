"""With real processes: each child blocks its loop, or is stopped, and lives or dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cti.watchdog import LoopWatchdog

CHILD = """
import asyncio, re, sys, time
from cti.watchdog import LoopWatchdog

async def main():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    with LoopWatchdog(loop, {limit}):
        print("up", flush=True)
        while order := (await reader.readline()).decode().strip():
            if order == "block":
                blocked_here()
            if order == "hog":
                hogged_here()
            print("turned", flush=True)

def blocked_here():
    time.sleep(60)

def hogged_here():
    re.match("(a+)+$", "a" * 60 + "b")

asyncio.run(main())
"""


@contextmanager
def child(limit_s: float) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(limit=limit_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        process.kill()
        process.wait(timeout=10)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def order(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def last_words(process: subprocess.Popen[str]) -> str:
    process.wait(timeout=30)
    assert process.stderr is not None
    return process.stderr.read()


def test_a_blocked_loop_ends_the_process_and_shows_where() -> None:
    with child(0.5) as process:
        order(process, "block")
        words = last_words(process)
        assert process.returncode == -signal.SIGKILL
        assert words.startswith("callyard: the event loop has not turned for 0.5 s; ending the process\n")
        assert "in blocked_here" in words


def test_code_that_keeps_the_interpreters_lock_ends_the_process_too() -> None:
    with child(0.5) as process:
        order(process, "hog")
        words = last_words(process)
        assert process.returncode == -signal.SIGPROF
        assert "in hogged_here" in words


def test_a_stopped_process_is_not_a_stuck_one() -> None:
    with child(0.4) as process:
        for _ in range(2):
            process.send_signal(signal.SIGSTOP)
            assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
            # Nothing happens that could be awaited: the time itself, three limits of it, is what is tested.
            threading.Event().wait(1.2)
            process.send_signal(signal.SIGCONT)
            order(process, "go on")
            assert process.stdout is not None
            assert process.stdout.readline() == "turned\n"
        assert process.poll() is None
        order(process, "block")
        assert "in blocked_here" in last_words(process)


async def test_a_turning_loop_is_left_alone_and_a_stopped_watchdog_says_nothing() -> None:
    loop = asyncio.get_running_loop()
    stuck = threading.Event()
    watchdog = LoopWatchdog(loop, 0.2, stuck.set, guard_cpu=False)
    with watchdog:
        async with asyncio.timeout(5):
            for _ in range(40):
                await asyncio.sleep(0.01)
    assert not stuck.is_set()
    watchdog.stop()


async def test_the_caller_may_choose_what_happens() -> None:
    stuck = threading.Event()
    with LoopWatchdog(asyncio.get_running_loop(), 0.1, stuck.set, guard_cpu=False):
        assert stuck.wait(10)
