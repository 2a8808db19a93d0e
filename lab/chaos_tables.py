"""The database of a run of chaos: how it goes away and comes back, and what stands in its tables at the end.

Read with plain SQL and drivers of our own, not with the server's code.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Protocol

import psycopg

from lab.postgres import Cluster, postgres

Row = tuple[object, ...]


class Tables(Protocol):
    """A database that can be away."""

    url: str

    def away(self) -> AbstractAsyncContextManager[None]:
        """Away within the context."""

    def rows(self, query: str) -> list[Row]:
        """What a query finds."""


class SqliteTables:
    """A file; away means that somebody else has it locked. `url` is empty: the server's own choice."""

    url = ""

    def __init__(self, file: Path) -> None:
        self._file = file

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        def lock() -> sqlite3.Connection:
            connection = sqlite3.connect(self._file, timeout=30, isolation_level=None, check_same_thread=False)
            connection.execute("BEGIN EXCLUSIVE")
            return connection

        connection = await asyncio.to_thread(lock)
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    def rows(self, query: str) -> list[Row]:
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(query).fetchall()


class PostgresTables:
    """A PostgreSQL of our own; away means that it is stopped."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.url = cluster.database()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        await asyncio.to_thread(self._cluster.stop)
        try:
            yield
        finally:
            await asyncio.to_thread(self._cluster.resume)

    def rows(self, query: str) -> list[Row]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()


@contextmanager
def tables(kind: str, folder: Path) -> Iterator[Tables]:
    """A database of this kind (`sqlite`, `postgres`); PostgreSQL ends with the context."""
    if kind == "sqlite":
        yield SqliteTables(folder / "data" / "callyard.db")
        return
    with postgres() as cluster:
        yield PostgresTables(cluster)
