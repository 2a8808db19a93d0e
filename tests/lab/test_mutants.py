"""Faults planted in a source, and a small package whose tests find all of them but one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from lab import mutants
from lab.mutations import Mutation, mutations, planted

SOURCE = '''"""Words."""
import math
LIMIT = 3
def price(count: int, name: str = "x", *, free: bool = False) -> int:
    """Text."""
    total = 0
    for each in range(count):
        if each == 2 and not free:
            continue
        total += each * 2
    names.append(name)
    if total < 0:
        raise ValueError(f"wrong {total}" + "text")
    return total
'''


def test_one_fault_for_each_operator_constant_condition_and_statement() -> None:
    found = [(each.line, each.was, each.now) for each in mutations("shop", SOURCE)]
    assert found == [
        (3, "3", "4"),
        (4, "False", "True"),
        (4, "'x'", "'xXX'"),
        (6, "0", "1"),
        (8, "each == 2 and (not free)", "each == 2 or not free"),
        (8, "each == 2", "each != 2"),
        (8, "2", "3"),
        (8, "not free", "free"),
        (9, "continue", "pass"),
        (10, "total += each * 2", "total -= each * 2"),
        (10, "total += each * 2", "pass"),
        (10, "each * 2", "each // 2"),
        (10, "2", "3"),
        (11, "names.append(name)", "pass"),
        (12, "total < 0", "total <= 0"),
        (12, "0", "1"),
        (14, "return total", "return None"),
    ]


def test_what_is_planted_is_that_fault_alone() -> None:
    for mutation in mutations("shop", SOURCE):
        lines = ast.unparse(planted(SOURCE, mutation)).splitlines()
        usual = ast.unparse(ast.parse(SOURCE)).splitlines()
        assert len(lines) == len(usual)
        assert [was != now for was, now in zip(usual, lines, strict=True)].count(True) == 1, str(mutation)


@pytest.mark.parametrize(
    ("source", "now"),
    [
        ("x if a else b", ["b if a else x"]),
        ("[x for x in y if x]", ["for x in y"]),
        ("del a[0]", ["pass", "1"]),
        ("a.b = c", ["pass"]),
        ("while a.b: break", ["while not a.b: break", "pass"]),
        ("isinstance(a, int | str)", ["pass"]),
        ("-a", ["a"]),
        ("def f(a: 'str') -> 'int': return None", []),
        ("a % b", ["a // b"]),
        ("a is not b", ["a is b"]),
    ],
)
def test_kinds(source: str, now: list[str]) -> None:
    assert [each.now for each in mutations("m", source)] == now


def test_the_interval_of_a_score() -> None:
    low, high = mutants.wilson(85, 100)
    assert (round(low, 3), round(high, 3)) == (
        0.767,
        0.907,
    )  # as prop.test of R prints it
    assert mutants.wilson(0, 0) == (0.0, 1.0)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "__init__.py").write_text("")
    (tmp_path / "small" / "sums.py").write_text(
        "LEAST = 1\n\n\ndef more(a):\n    return a + LEAST\n\n\ndef unseen(a):\n    return a\n\n\n"
        "def down(a):\n    while a > 0:\n        a -= 1\n    return a\n"
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_sums.py").write_text(
        "from small.sums import down, more, unseen\n\n\ndef test_more():\n    assert more(2) == 3\n\n\n"
        "def test_unseen():\n    unseen(1)\n\n\ndef test_down():\n    assert down(3) == 0\n"
    )
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '--import-mode=importlib'\n")
    return tmp_path


def test_faults_that_tests_find_and_one_that_they_do_not(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "ALLOWED_S", 1)
    monkeypatch.setenv("PYTHONPATH", str(Path(mutants.__file__).parent.parent))
    base = mutants.baseline(package, "small", "tests")
    faults = mutants.every(package, "small")
    assert base.tests_of(Mutation("small.sums", 0, 5, "", "")) == ["tests/test_sums.py::test_more"]
    assert len(base.tests_of(Mutation("small.sums", 0, 1, "", ""))) == 3
    told: list[mutants.Verdict] = []
    verdicts = mutants.judge(package, faults, base, 2, told.append)
    assert told == verdicts
    missed = {str(each.mutation) for each in verdicts if not each.found}
    assert missed == {"small.sums:9: return a → return None"}
    endless = {str(each.mutation) for each in verdicts if each.too_long}
    assert endless == {"small.sums:14: a -= 1 → a += 1", "small.sums:14: a -= 1 → pass"}
    lines = mutants.report(verdicts, len(faults))
    assert "  small.sums:9: return a → return None" in lines
    assert lines[1].split() == ["small.sums", str(len(faults) - 1), str(len(faults))]


def test_tests_that_fail_as_they_are_judge_nothing(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(mutants.__file__).parent.parent))
    (package / "tests" / "test_sums.py").write_text("def test_wrong():\n    assert False\n")
    with pytest.raises(mutants.MutantsError, match="expected them to pass as they are"):
        mutants.baseline(package, "small", "tests")
