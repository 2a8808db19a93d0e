from __future__ import annotations

from pathlib import Path

import pytest

from screenpop.csv_file import Faults, Row, read_rows
from screenpop.errors import ImportFileError

COLUMNS = ("id", "name", "numbers")


def read(path: Path, data: str | bytes) -> tuple[list[Row], list[str]]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    faults = Faults(path.name)
    return read_rows(path, COLUMNS, ("id",), faults), faults.found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "c.csv"


def test_rows_know_their_line_and_lists(file: Path) -> None:
    rows, faults = read(file, '\ufeffid,name,numbers\r\n\r\n1,"two\nlines", +1 ;;+2\r\n2,张伟\r\n')
    assert faults == []
    assert [(row.line, row["name"], row.list_of("numbers")) for row in rows] == [
        (3, "two\nlines", ["+1", "+2"]),
        (5, "张伟", []),
    ]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ("", "c.csv:1: missing column id, name, numbers; expected id, name, numbers"),
        ("id,name\n", "c.csv:1: missing column numbers; expected id, name, numbers"),
        ("id,name,numbers,naem\n", "c.csv:1: unknown column 'naem', expected id, name, numbers"),
        ("id,id,name,numbers\n", "c.csv:1: column 'id' stands there twice"),
        ("id,name,numbers\n1,a,b,c\n", "c.csv:2: expected 3 cells, got 4"),
        ("id,name,numbers\n,a,b\n", "c.csv:2: id: expected a value, got nothing"),
        ('id,name,numbers\n1,"a"b,c\n', "c.csv:2: expected CSV, got a fault in it: ',' expected after '\"'"),
    ],
)
def test_faults_say_where_what_was_expected_and_what_came(file: Path, data: str, fault: str) -> None:
    assert read(file, data)[1][0] == fault


@pytest.mark.parametrize(
    ("data", "fault"),
    [(b"id,name,numbers\n1,M\xfcller,\n", ":2: expected UTF-8, got byte 0xfc"), (None, ": cannot be read: No such")],
)
def test_a_file_that_cannot_be_read_says_why(file: Path, data: bytes | None, fault: str) -> None:
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(ImportFileError) as refused:
        read_rows(file, COLUMNS, (), Faults("c.csv"))
    assert fault in refused.value.faults[0]


def test_a_file_full_of_faults_lists_only_the_first(file: Path) -> None:
    file.write_text("id,name,numbers\n" + ",a,b\n" * 250)
    faults = Faults("c.csv")
    read_rows(file, COLUMNS, ("id",), faults)
    with pytest.raises(ImportFileError) as refused:
        faults.raise_if_any()
    assert (len(refused.value.faults), refused.value.faults[-1]) == (101, "c.csv: and 150 more")
