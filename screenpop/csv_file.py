"""CSV files of people and customers: rows with the line they stand in, faults as `file:line: …`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from screenpop.errors import ImportFileError
from screenpop.text import storable

_LARGEST_FILE = 64 * 1024 * 1024
_LONGEST_FIELD = 16 * 1024
_MOST_FAULTS = 100


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How many rows were new and how many were already there (and are now as the file says)."""

    added: int
    updated: int


@dataclass(slots=True)
class Faults:
    """What is wrong with one file; `raise_if_any` ends the import before anything is written."""

    file: str
    found: list[str] = field(default_factory=list)
    _more: int = 0

    def add(self, line: int, what: str) -> None:
        if len(self.found) < _MOST_FAULTS:
            self.found.append(f"{self.file}:{line}: {what}")
        else:
            self._more += 1

    def raise_if_any(self) -> None:
        if self.found:
            more = [f"{self.file}: and {self._more} more"] if self._more else []
            raise ImportFileError(self.found + more)


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    values: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values[column]

    def list_of(self, column: str) -> list[str]:
        """The parts of a cell that holds several, separated by `;`; empty parts are left out."""
        return [part.strip() for part in self.values[column].split(";") if part.strip()]


def read_rows(
    path: Path, columns: tuple[str, ...], required: tuple[str, ...], faults: Faults, optional: tuple[str, ...] = ()
) -> list[Row]:
    """Read the CSV file at `path` (UTF-8, a header line, `,` between cells, every one of `columns` but `optional`).

    Cells are stripped; a row without any is skipped. A missing or unknown column, a row with more cells than the
    header and an empty `required` cell are faults. Raises ImportFileError when the file cannot be read at all.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        return list(_rows(reader, columns, required, faults, optional))
    except csv.Error as error:
        faults.add(reader.line_num, f"expected CSV, got a fault in it: {error}")
        return []


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ImportFileError([f"{path}: expected at most {_LARGEST_FILE // 2**20} MiB"])
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ImportFileError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ImportFileError([f"{path}:{line}: expected UTF-8, got byte 0x{error.object[error.start]:02x}"]) from error


def _rows(
    reader: Iterator[list[str]],
    columns: tuple[str, ...],
    required: tuple[str, ...],
    faults: Faults,
    optional: tuple[str, ...],
) -> Iterator[Row]:
    header = [cell.strip().lower() for cell in next(reader, [])]
    if not _header_fits(header, columns, faults, optional):
        return
    line = _line(reader) + 1
    for cells in reader:
        start, line = line, _line(reader) + 1
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            faults.add(start, f"expected {len(header)} cells, got {len(cells)}")
            continue
        values = dict.fromkeys(columns, "")
        values.update(zip(header, (storable(cell.strip()) for cell in cells), strict=False))
        empty = [column for column in required if not values[column]]
        for column in empty:
            faults.add(start, f"{column}: expected a value, got nothing")
        if not empty:
            yield Row(start, values)


def _line(reader: Iterator[list[str]]) -> int:
    return int(getattr(reader, "line_num", 0))


def _header_fits(header: list[str], columns: tuple[str, ...], faults: Faults, optional: tuple[str, ...]) -> bool:
    before = len(faults.found)
    expected = ", ".join(columns)
    for column in header:
        if column not in columns:
            faults.add(1, f"unknown column {column!r}, expected {expected}")
        elif header.count(column) > 1:
            faults.add(1, f"column {column!r} stands there twice")
    missing = [column for column in columns if column not in (*header, *optional)]
    if missing:
        faults.add(1, f"missing column {', '.join(missing)}; expected {expected}")
    return len(faults.found) == before
