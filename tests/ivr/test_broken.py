"""Every file of the folder `broken` says exactly what its head promises: file, line, column and words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ivr.sites import problems_in

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))


def test_the_table_is_not_empty() -> None:
    assert len(BROKEN) >= 70


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_a_broken_file_says_where_and_what(file: Path, tmp_path: Path) -> None:
    text = file.read_text(encoding="utf-8")
    head, *promised = [line[1:].strip() for line in text.splitlines() if line.startswith(("# ", "#   "))]
    name = head.removesuffix(" must say:")

    assert promised
    assert problems_in(tmp_path, {name: text}) == promised
