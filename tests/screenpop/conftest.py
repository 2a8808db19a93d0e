"""Databases for the tests of the web side: SQLite in a file, and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from lab.postgres import Cluster, postgres
from screenpop.db.migrate import migrate
from screenpop.db.store import Store


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database; every test with it runs on both engines."""
    if request.param == "postgres":
        found: Cluster = request.getfixturevalue("cluster")
        return found.database()
    return f"sqlite:///{tmp_path / 'callyard.db'}"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest tables, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "callyard.db"
    asyncio.run(migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def migrated_database(cluster: Cluster) -> str:
    """The name of a PostgreSQL database with the newest tables, to be copied."""
    url = make_url(cluster.database())
    asyncio.run(migrate(url.render_as_string()))
    assert url.database is not None
    return url.database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the newest tables; every test with it runs on both engines."""
    if request.param == "postgres":
        found: Cluster = request.getfixturevalue("cluster")
        return found.database(like=request.getfixturevalue("migrated_database"))
    return f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_file'), tmp_path)}"


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    opened = Store(migrated_url)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_store(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Store]:
    """For what does not depend on the engine."""
    opened = Store(f"sqlite:///{shutil.copy(migrated_file, tmp_path)}")
    yield opened
    await opened.close()
