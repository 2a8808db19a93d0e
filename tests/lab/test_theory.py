"""The table of theory in the document: rows of a case replaced or put in their place, the rest as it was."""

from __future__ import annotations

import pytest

from lab.theory import DOCUMENT, HEAD, rows, with_rows
from rehearsal.cases import Result, all_cases, erlang_b_case
from rehearsal.intervals import Interval

WRITTEN = f"Before.\n\n{HEAD}\n| a | T | wait | 1 |\n|  |  | share | 2 |\n| gone | T | wait | 4 |\n\nAfter | all.\n"


def test_rows_of_a_case_are_replaced_and_new_ones_stand_in_their_place() -> None:
    once = with_rows(WRITTEN, "b", ["| b | T | wait | 3 |"], ["b", "a"])
    assert once == (
        f"Before.\n\n{HEAD}\n| b | T | wait | 3 |\n| a | T | wait | 1 |\n|  |  | share | 2 |\n\nAfter | all.\n"
    )
    assert with_rows(once, "a", ["| a | T | wait | 9 |"], ["a", "b"]).count("\n| a ") == 1


def test_a_document_without_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the table"):
        with_rows("Nothing.", "a", [], [])


def test_rows_mark_what_lies_outside() -> None:
    case = erlang_b_case(10, 200, 180)
    share, occupancy = case.figures
    result = Result(case, (Interval(0.5, 0.01, 60, 0.99), Interval(occupancy.theory, 0.001, 60, 0.99)), 1_234)
    assert rows(result) == [
        f"| nobody waits, 10 agents | Erlang B (M/M/n/n) | abandoned | {share.theory:.4f} | 0.5000 **outside** "
        "| 0.0100 | 1,234 |",
        f"|  |  | occupancy | {occupancy.theory:.4f} | {occupancy.theory:.4f} | 0.0010 |  |",
    ]


def test_what_the_document_shows_is_what_theory_says() -> None:
    """Every case of the table is one that is measured, with theory's figures to the digit, and none lies outside."""
    _, _, table = DOCUMENT.read_text().partition(HEAD + "\n")
    shown = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.split("\n\n")[0].splitlines()]
    names = [row[0] for row in shown if row[0]]
    cases = {case.name: case for case in all_cases()}
    assert set(names) <= set(cases)
    assert len(names) >= 12
    expected = [
        (figure.name, f"{figure.theory:.{4 if figure.is_share else 2}f}")
        for name in names
        for figure in cases[name].figures
    ]
    assert [(row[2], row[3]) for row in shown] == expected
    for row in shown:
        low, high = float(row[4]) - float(row[5]), float(row[4]) + float(row[5])
        rounding = 0.5 * 10 ** -(4 if row[3].startswith("0.") and len(row[3]) == 6 else 2)
        assert low - 2 * rounding <= float(row[3]) <= high + 2 * rounding, row
