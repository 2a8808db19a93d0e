"""Databases for the tests of the web side: SQLite in a file, and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from screenpop.db.migrate import migrate
from screenpop.db.store import Store
from tests.fakes.postgres import Cluster, postgres


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


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """A database with the newest tables."""
    await migrate(url)
    opened = Store(url)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncIterator[Store]:
    """For what does not depend on the engine."""
    url = f"sqlite:///{tmp_path / 'callyard.db'}"
    await migrate(url)
    opened = Store(url)
    yield opened
    await opened.close()
