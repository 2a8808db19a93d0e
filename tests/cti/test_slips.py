"""What lies beside a recording survives the process, and no damage to it loses a message or stops anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from cti.slips import Slip, read_in, remove, write

SLIP = Slip("lab1-1.1", "+4930123456", "100", "main", "messages", 3, (("topic", "Invoice"), ("why", "nobody")))


def test_a_slip_is_read_as_it_was_written_until_it_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "lab1-1.1-1.wav"
    write(file, Slip("lab1-1.1"))
    write(file, SLIP)
    assert read_in(tmp_path) == [(file, SLIP)]
    assert [each.name for each in tmp_path.iterdir()] == ["lab1-1.1-1.slip"]
    remove(file)
    remove(file)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{}", b"\xff", b'{"call": 1}', b'{"call": "c"}', b"x" * 70_000,
        b'{"call":"c","caller":"","dialled":"","flow":"","queue":"q","priority":0,"attributes":[1]}',
        b'{"call":"c","caller":"","dialled":"","flow":"","queue":"q","priority":0,"attributes":[["a"]]}',
    ],
)  # fmt: skip
def test_a_damaged_slip_stays_and_the_others_are_read(content: bytes, tmp_path: Path) -> None:
    damaged = tmp_path / "a-1.slip"
    damaged.write_bytes(content)
    write(tmp_path / "b-1.wav", SLIP)
    assert [slip for _, slip in read_in(tmp_path)] == [SLIP]
    assert damaged.exists()


def test_where_nothing_can_be_written_the_call_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a-1.slip").mkdir()
    write(tmp_path / "a-1.wav", SLIP)
    remove(tmp_path / "a-1.wav")
    write(tmp_path / "none" / "a-1.wav", SLIP)
    assert read_in(tmp_path) == []
    assert read_in(tmp_path / "none") == []
