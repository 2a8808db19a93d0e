"""What docs/running.md says of backups, tried: taken while the server runs, put back elsewhere, gone on with."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

from acd.events import InteractionArrived, InteractionQueued
from acd.model import Stage
from tests.cti.test_main import HELLO, asterisk, serving, settings_for, until_ready
from tests.fakes.ami import FakeAmi
from tests.fakes.site import write_site

__all__ = ["asterisk"]


def back_up(data: Path, place: Path) -> None:
    """As the document says: the journal first, so that the database never knows more than it; then SQLite's own way."""
    shutil.copytree(data / "journal", place / "journal", ignore=shutil.ignore_patterns("lock"))
    source, target = sqlite3.connect(data / "callyard.db"), sqlite3.connect(place / "callyard.db")
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
    shutil.copytree(data / "versions", place / "versions")


async def test_a_backup_of_a_running_server_is_gone_on_with(tmp_path: Path, asterisk: FakeAmi) -> None:
    write_site(tmp_path / "site", HELLO)
    settings = settings_for(tmp_path, asterisk)
    async with serving(settings) as server:
        await until_ready(server)
        for number in range(20):
            server.dispatcher.submit(InteractionArrived(f"c{number}", caller="+4930123456"))
        server.dispatcher.submit(InteractionQueued("c19", "billing"))
        await server._records.flush()
        place = tmp_path / "backup"
        place.mkdir()
        await asyncio.to_thread(back_up, settings.data_dir, place)
        server.dispatcher.submit(InteractionArrived("after", caller="+4930123456"))
    shutil.rmtree(settings.data_dir)
    place.rename(settings.data_dir)
    async with serving(settings) as server:
        view = server.dispatcher.interaction("c19")
        assert view is not None
        assert (view.stage, view.queue) == (Stage.QUEUED, "billing")
        assert server.dispatcher.interaction("after") is None
        await server._records.flush()
    connection = sqlite3.connect(settings.data_dir / "callyard.db")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        ids = {row[0] for row in connection.execute("SELECT id FROM interaction")}
    finally:
        connection.close()
    assert ids == {f"c{number}" for number in range(20)}
