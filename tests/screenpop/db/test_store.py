"""Questions and changes that are carried out in one go beside the event loop."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from screenpop.db.store import Store
from screenpop.db.tables import customer

_ANNA = {"id": "c1", "name": "Anna", "folded": "anna"}


def _count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(customer)) or 0


def _add(connection: Connection) -> None:
    connection.execute(
        insert(customer), {**_ANNA, "company": "", "account": "", "language": "", "vip": False, "note": ""}
    )


async def test_a_change_is_seen_by_whoever_asks_next(store: Store) -> None:
    assert await store.look(_count) == 0
    await store.change(_add)
    assert await store.look(_count) == 1
    async with store.read() as connection:
        assert await connection.run_sync(_count) == 1


async def test_a_change_that_fails_changes_nothing(store: Store) -> None:
    def half(connection: Connection) -> None:
        _add(connection)
        raise ConnectionResetError("in the middle")

    with pytest.raises(ConnectionResetError):
        await store.change(half)
    assert await store.look(_count) == 0
    await store.change(_add)
    assert await store.look(_count) == 1


async def test_a_question_sees_one_moment(sqlite_store: Store) -> None:
    """Both of its statements, though somebody writes between them; on SQLite, beside the loop's thread."""
    asked, written = threading.Event(), threading.Event()
    threads = []

    def ask(connection: Connection) -> tuple[int, int]:
        threads.append(threading.current_thread())
        first = _count(connection)
        asked.set()
        assert written.wait(5)
        return first, _count(connection)

    def add(connection: Connection) -> None:
        assert asked.wait(5)
        _add(connection)

    asking = asyncio.create_task(sqlite_store.look(ask))
    await sqlite_store.change(add)
    written.set()
    assert await asking == (0, 0)
    assert await sqlite_store.look(_count) == 1
    assert threads[0] is not threading.current_thread()


async def test_a_change_waits_for_another_writer(sqlite_store: Store) -> None:
    async with sqlite_store.write() as connection:
        await connection.execute(delete(customer))
        other = Store(sqlite_store.engine.url.set(drivername="sqlite").render_as_string(hide_password=False))
        other_writes = asyncio.create_task(other.change(_add))
    await other_writes
    assert await sqlite_store.look(_count) == 1
    await other.close()


async def test_faults_of_the_database_are_told_as_such(store: Store) -> None:
    with pytest.raises(SQLAlchemyError, match="no_such_table"):
        await store.look(lambda connection: connection.execute(text("SELECT * FROM no_such_table")).all())


async def test_a_file_that_another_program_writes_for_long_is_a_fault_of_the_database(
    migrated_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not one of the row: the writer behind the records tries it again."""
    monkeypatch.setattr("screenpop.db.store.BUSY_TIMEOUT_S", 0.01)
    file = shutil.copy(migrated_file, tmp_path)
    opened = Store(f"sqlite:///{file}")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SQLAlchemyError, match="locked"):
            await opened.change(_add)
        assert await opened.look(_count) == 0
    await opened.change(_add)
    assert await opened.look(_count) == 1
    await opened.close()
