"""Brings a database to the newest tables."""

from __future__ import annotations

import asyncio
from pathlib import Path
from weakref import WeakKeyDictionary

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from screenpop.db.availability import AWAY, why_of
from screenpop.db.store import Store
from screenpop.last_known import LastKnown

log = structlog.get_logger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
#: Alembic keeps the migration that runs in variables of the process: two databases take turns.
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


async def migrate(url: str, revision: str = "head") -> None:
    """Create or upgrade the tables in the database at `url`; up to date, they are only looked at (no lock is needed).

    One process migrates at a time: SQLite by its write lock, PostgreSQL by an advisory lock.
    """
    store = Store(url)
    try:
        if revision == "head" and await _is_newest(store):
            return
        async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()), store.write() as connection:
            await connection.run_sync(_upgrade, revision)
    finally:
        await store.close()


async def migrate_or_trust(url: str, known: LastKnown) -> None:
    """As `migrate`; while the database is away it is enough that its tables were the newest when last seen.

    Raises what the database raises when nothing, or something older, is known.
    """
    try:
        await migrate(url)
    except AWAY as error:
        if not known.revision or known.revision != newest_revision():
            raise
        log.error("database.away", why=why_of(error), goes_on_with="what was known last")
        return
    known.keep_revision(newest_revision() or "")


async def _is_newest(store: Store) -> bool:
    current, newest = await revision_of(store)
    return current is not None and current == newest


def _upgrade(connection: Connection, revision: str) -> None:
    command.upgrade(alembic_config(connection), revision)


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration without a file, for an open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def newest_revision() -> str | None:
    """The newest revision that there is."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


async def revision_of(store: Store) -> tuple[str | None, str | None]:
    """The revision that the database is at (None: no tables of ours), and the newest one that there is."""
    async with store.read() as connection:
        current = await connection.run_sync(lambda plain: MigrationContext.configure(plain).get_current_revision())
    return current, newest_revision()
