"""A server that begins while its database is away."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from screenpop.db.availability import open_when_available
from screenpop.db.migrate import migrate
from screenpop.db.store import Store
from screenpop.errors import DatabaseUnavailableError


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


class Database:
    """Answers after so many tries."""

    def __init__(self, tries: int) -> None:
        self.tries = tries
        self.closed = 0

    async def open(self, stack: AsyncExitStack) -> None:
        stack.callback(self._close)
        self.tries -= 1
        if self.tries >= 0:
            raise ConnectionRefusedError("nobody listens")

    def _close(self) -> None:
        self.closed += 1


async def test_it_is_waited_for_and_what_a_try_opened_is_closed() -> None:
    database = Database(tries=3)
    opened = await open_when_available(database.open, waits=True, stop=asyncio.Event(), pause_s=0)
    assert database.closed == 3
    await opened.aclose()
    assert database.closed == 4


async def test_a_first_start_says_that_it_is_away() -> None:
    with pytest.raises(DatabaseUnavailableError, match="does not answer: ConnectionRefusedError: nobody listens"):
        await open_when_available(Database(tries=1).open, waits=False, stop=asyncio.Event())


async def test_whoever_waits_can_be_stopped() -> None:
    stop = asyncio.Event()
    waiting = asyncio.create_task(open_when_available(Database(1_000_000).open, waits=True, stop=stop, pause_s=60))
    await asyncio.sleep(0)
    stop.set()
    with pytest.raises(DatabaseUnavailableError):
        await waiting


async def test_other_faults_are_not_waited_for() -> None:
    async def work(stack: AsyncExitStack) -> None:
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        await open_when_available(work, waits=True, stop=asyncio.Event())


async def test_a_locked_file_with_the_newest_tables_can_be_begun_with(tmp_path: Path) -> None:
    file = tmp_path / "callyard.db"
    await migrate(f"sqlite:///{file}")
    with locked(file):
        await migrate(f"sqlite:///{file}")
        store = Store(f"sqlite:///{file}")
        async with store.read() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM customer")) == 0
        await store.close()
