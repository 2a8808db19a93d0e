"""What a command reads of callers in versions: what the running server wrote, and nothing of one that is gone."""

from __future__ import annotations

from pathlib import Path

from cti.version_calls import VersionCalls, read_calls


async def test_a_command_reads_what_the_running_server_wrote(tmp_path: Path) -> None:
    server = VersionCalls(tmp_path / "versions")
    assert read_calls(tmp_path / "versions") is None
    async with server.serving():
        assert read_calls(tmp_path / "versions") is None, "nothing is written yet"
        await server.write({"abc": 2, "": 3, "gone": 0})
        assert read_calls(tmp_path / "versions") == {"abc": 2}
        await server.write({})
        assert read_calls(tmp_path / "versions") == {}


async def test_what_a_killed_server_left_is_not_believed(tmp_path: Path) -> None:
    async with VersionCalls(tmp_path).serving():
        await (server := VersionCalls(tmp_path)).write({"abc": 2})
    assert (tmp_path / "calls.json").exists()
    assert read_calls(tmp_path) is None
    async with server.serving():
        assert read_calls(tmp_path) is None


async def test_the_disk_is_touched_only_when_something_has_changed(tmp_path: Path) -> None:
    server = VersionCalls(tmp_path)
    async with server.serving():
        await server.write({"abc": 2})
        (tmp_path / "calls.json").unlink()
        await server.write({"abc": 2, "other": 0})
        assert not (tmp_path / "calls.json").exists()
        await server.write({"abc": 3})
        assert read_calls(tmp_path) == {"abc": 3}


async def test_a_damaged_file_tells_nothing(tmp_path: Path) -> None:
    async with VersionCalls(tmp_path).serving():
        for content in ("", "[]", '{"abc": "many"}', "{"):
            (tmp_path / "calls.json").write_text(content)
            assert read_calls(tmp_path) is None
