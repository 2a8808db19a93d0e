from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.engine import Connection

from screenpop.db.migrate import migrate, newest_revision, revision_of
from screenpop.db.store import Store
from screenpop.db.tables import metadata
from screenpop.errors import DatabaseAddressError


@pytest.fixture
async def migrated(url: str) -> AsyncIterator[Store]:
    await migrate(url)
    store = Store(url)
    yield store
    await store.close()


async def test_migrations_make_the_tables_that_the_code_uses(migrated: Store) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    async with migrated.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrating_again_changes_nothing(url: str, migrated: Store) -> None:
    async with migrated.write() as connection:
        await connection.execute(text("INSERT INTO customer (id, name, vip, folded) VALUES ('c1', 'A', true, 'a')"))
    await migrate(url)
    async with migrated.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM customer")) == 1


async def test_two_databases_of_one_process_take_turns(tmp_path: Path) -> None:
    urls = [f"sqlite+aiosqlite:///{tmp_path}/{name}.db" for name in ("one", "other", "third")]

    await asyncio.gather(*map(migrate, urls))

    for url in urls:
        store = Store(url)
        assert (await revision_of(store))[0] == newest_revision()
        await store.close()


async def test_a_database_tells_its_revision(url: str) -> None:
    store = Store(url)
    before, newest = await revision_of(store)
    await migrate(url)
    after, _ = await revision_of(store)
    await store.close()
    assert before is None
    assert after == newest


async def test_a_failed_migration_leaves_nothing_behind(url: str) -> None:
    with pytest.raises(Exception, match="no_such_revision"):
        await migrate(url, "no_such_revision")
    await migrate(url)


async def test_sqlite_is_set_up_for_a_server(sqlite_store: Store) -> None:
    async with sqlite_store.read() as connection:
        for pragma, expected in (("journal_mode", "wal"), ("synchronous", 1), ("foreign_keys", 1)):
            assert await connection.scalar(text(f"PRAGMA {pragma}")) == expected


@pytest.mark.parametrize("address", ["mysql://root@localhost/x", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(DatabaseAddressError, match="expected"):
        Store(address)


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(DatabaseAddressError) as refused:
        Store("mysql://root:geheim@localhost/x")
    assert "geheim" not in str(refused.value)


async def test_a_folder_that_is_missing_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatabaseAddressError, match=r"expected a folder at .*/none, there is none"):
        await migrate(f"sqlite:///{tmp_path / 'none' / 'callyard.db'}")
