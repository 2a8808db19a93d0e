"""What a process takes, and which part of the server took it."""

from __future__ import annotations

import os
import time

import pytest

from lab.process import memory, processor_s, threads_s
from lab.profile_parts import LOOP, part_of


def test_processor_time_of_a_process_and_its_threads_grows_with_work() -> None:
    pid = os.getpid()
    before = processor_s(pid)
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert 0.05 < processor_s(pid) - before < 5
    assert sum(threads_s(pid).values()) <= processor_s(pid) + 0.1


def test_memory_of_a_process_is_told_in_kilobytes() -> None:
    before = memory(os.getpid())
    kept = bytearray(os.urandom(1 << 20) * 32)
    after = memory(os.getpid())
    assert 30_000 < after.rss - before.rss < 40_000 + len(kept) // 1024
    assert 0 < after.pss <= after.rss


@pytest.mark.parametrize(
    ("modules", "part"),
    [
        (["sqlalchemy.engine.base", "screenpop.customers", "asyncio.runners"], "records and database"),
        (["json", "cti.journal", "cti.dispatcher"], "journal"),
        (["acd.codec", "cti.journal", "cti.dispatcher"], "journal"),
        (["acd.moves", "acd.engine", "cti.dispatcher"], "engine"),
        (["asyncio.streams", "cti.agi_conversation"], "AGI"),
        (["pydantic.main", "screenpop.streams"], "pops and web"),
        (["asyncio.runners", "cti.cli", "lab.profiled_server"], LOOP),
        ([], LOOP),
    ],
)
def test_a_stack_belongs_to_the_innermost_part_that_has_a_name(modules: list[str], part: str) -> None:
    assert part_of(modules) == part
