"""The database connection: SQLite built in, PostgreSQL by address. The only place that knows which one it is."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, Insert, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from screenpop.db.tables import NEWEST_BY
from screenpop.errors import DatabaseAddressError

#: How long one writer waits for another (a command line tool beside the server).
BUSY_TIMEOUT_S = 5.0

Answer = TypeVar("Answer")


class Store:
    """Connections to one database. `read` and `write` open a transaction; `write` commits when it is left.

    On SQLite there is one writer at a time: writers of this process queue up here, those of other processes wait
    for each other at most `BUSY_TIMEOUT_S`.
    """

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self._engine = _engine(url, pool_size)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        self._writer = asyncio.Lock() if self.is_sqlite else None
        self._direct = _direct_engine(url, pool_size) if self.is_sqlite else None
        self._threads = ThreadPoolExecutor(pool_size + 1, "store") if self.is_sqlite else None

    @property
    def engine(self) -> AsyncEngine:
        return self._engine

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        async with AsyncExitStack() as stack:
            if self._writer is not None:
                await stack.enter_async_context(self._writer)
            connection = await stack.enter_async_context(self._engine.connect())
            await connection.execution_options(callyard_writes=True)
            async with connection.begin():
                yield connection

    async def look(self, question: Callable[[Connection], Answer]) -> Answer:
        """Have `question` asked in one transaction that only reads; it must touch nothing of the event loop's.

        On SQLite one thread asks all of it: a hop there and back instead of several for each statement, which took
        longer than the statements. Who no longer waits does not end what is being asked.
        """
        if self._threads is None:
            async with self.read() as connection:
                return await connection.run_sync(question)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, question)

    async def change(self, work: Callable[[Connection], None]) -> None:
        """Have `work` done in one transaction, which commits; on SQLite in one thread, as `look`.

        Who no longer waits does not end it: it may be done or not, as with any writer that lost its connection.
        """
        if self._threads is None or self._writer is None:
            async with self.write() as connection:
                await connection.run_sync(work)
            return
        async with self._writer:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._do, work)

    def _ask(self, question: Callable[[Connection], Answer]) -> Answer:
        assert self._direct is not None
        with self._direct.connect() as connection:
            return question(connection)

    def _do(self, work: Callable[[Connection], None]) -> None:
        assert self._direct is not None
        with self._direct.connect().execution_options(callyard_writes=True) as connection, connection.begin():
            work(connection)

    def put(self, connection: Connection, table: Table, keys: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """As `upsert`, for `change`."""
        if rows:
            statement = _upsert(table, tuple(keys), tuple(rows[0]), self.is_sqlite)
            connection.execute(statement, [dict(row) for row in rows])

    async def upsert(
        self, connection: AsyncConnection, table: Table, keys: Sequence[str], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Insert each row, or update its other columns where `keys` exist. All rows have the same columns. In a table
        with `NEWEST_BY`, a row that is older than what is there changes nothing."""
        await connection.run_sync(self.put, table, keys, rows)

    async def close(self) -> None:
        if self._threads is not None and self._direct is not None:
            await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
            self._direct.dispose()
        await self._engine.dispose()


@lru_cache(maxsize=256)
def _upsert(table: Table, keys: tuple[str, ...], columns: tuple[str, ...], is_sqlite: bool) -> Insert:
    # Kept, because building one takes longer than carrying it out, and there are few kinds.
    insert = sqlite.insert(table) if is_sqlite else postgresql.insert(table)
    changed = {name: insert.excluded[name] for name in columns if name not in keys}
    if changed:
        order = table.info.get(NEWEST_BY)
        is_newer = None if order is None else insert.excluded[order] >= table.c[order]
        return insert.on_conflict_do_update(index_elements=list(keys), set_=changed, where=is_newer)
    return insert.on_conflict_do_nothing(index_elements=list(keys))


def _engine(url: str, pool_size: int) -> AsyncEngine:
    try:
        address = make_url(url)
    except ArgumentError:
        raise DatabaseAddressError(
            "database address: expected sqlite:///FILE or postgresql://USER@HOST/NAME, got something else"
        ) from None
    if address.get_backend_name() == "sqlite":
        if not address.database or address.database == ":memory:":
            raise DatabaseAddressError(f"database address {url}: expected a file, got a database in memory")
        folder = Path(address.database).absolute().parent
        if not folder.is_dir():
            raise DatabaseAddressError(f"database address {url}: expected a folder at {folder}, there is none")
        engine = create_async_engine(
            address.set(drivername="sqlite+aiosqlite"),
            pool_size=pool_size,
            connect_args={"timeout": BUSY_TIMEOUT_S},
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    if address.get_backend_name() == "postgresql":
        return create_async_engine(
            address.set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 5},
        )
    shown = address.render_as_string(hide_password=True)
    raise DatabaseAddressError(f"database address {shown}: expected sqlite or postgresql")


def _direct_engine(url: str, pool_size: int) -> Engine:
    """The same SQLite file without the event loop: one connection for each thread."""
    engine = create_engine(
        make_url(url).set(drivername="sqlite+pysqlite"),
        pool_size=pool_size,
        connect_args={"timeout": BUSY_TIMEOUT_S},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # The driver's own BEGIN comes late and is always deferred; `_begin_sqlite` sends the right one instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer that starts as a reader cannot wait for another writer: SQLite refuses the upgrade at once.
    writes = connection.get_execution_options().get("callyard_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


assert sqlite3.sqlite_version_info >= (3, 35), "SQLite 3.35 or newer is needed for upserts"
