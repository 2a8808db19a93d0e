"""A site's files are read within bounds, and nothing is waited for that is no file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ivr.files import read_file


def test_of_a_large_file_one_byte_more_than_wanted_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"x" * 10_000_000)

    assert len(read_file(file, 100)) == 101


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")

    with pytest.raises(OSError, match="it is no file"):
        read_file(tmp_path / "a.yaml", 100)


def test_a_device_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("/dev/zero")

    with pytest.raises(OSError, match="it is no file"):
        read_file(tmp_path / "a.yaml", 100)


def test_links_in_a_circle_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("b.yaml")
    (tmp_path / "b.yaml").symlink_to("a.yaml")

    with pytest.raises(OSError, match="symbolic links"):
        read_file(tmp_path / "a.yaml", 100)
