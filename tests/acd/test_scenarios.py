"""Every scenario table says exactly what the engine answers, row by row."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acd.table import load, run

TABLES = sorted((Path(__file__).parent / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_table(path: Path) -> None:
    table = load(path)
    answers, counts = run(table)
    for row, answer in zip(table["steps"], answers, strict=True):
        assert answer == row.get("expect", []), f"{path.name}, at {row['at']}: {row['event']}"
    assert counts == table.get("counted", {})


def test_there_are_tables() -> None:
    assert len(TABLES) >= 12
