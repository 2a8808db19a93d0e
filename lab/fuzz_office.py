"""The real application on an empty database of its own, for the fuzzers that send to it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from screenpop.db.migrate import migrate
from screenpop.db.store import Store
from tests.screenpop.office import Office, office


@asynccontextmanager
async def own_office() -> AsyncIterator[Office]:
    """Opened with its people; gone with everything that it wrote."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as folder:
        url = f"sqlite:///{Path(folder) / 'callyard.db'}"
        await migrate(url)
        store = Store(url)
        try:
            async with office(store) as opened:
                yield opened
        finally:
            await store.close()
