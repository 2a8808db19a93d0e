"""`callyard flow`: what admins and their scripts see of checks, tests and schemas."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cti.cli import app

EXAMPLE = Path(__file__).parents[2] / "site"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example site."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "site"))


def flow(*words: str, stdin: str = "") -> Result:
    result = CliRunner().invoke(app, ["flow", *words], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_right_site_is_said_to_be_so(folder: Path) -> None:
    result = flow("check", "--site", str(folder))

    assert result.exit_code == 0
    assert "2 flows, 17 tests: no errors (version " in result.output


def test_the_site_of_the_settings_is_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLYARD_SITE_DIR", str(folder))

    assert f"{folder}: 2 flows" in flow("check").output
    assert flow("test").exit_code == 0


def test_settings_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLYARD_CONFIG", str(tmp_path / "none.yaml"))

    result = flow("check")

    assert result.exit_code == 1
    assert "none.yaml" in result.stderr


def test_all_errors_come_at_once_also_as_json(folder: Path) -> None:
    change(folder / "flows" / "main.yaml", "goto: main-menu", "goto: main-menue")
    change(folder / "queues.yaml", "ring: 12s", "rnig: 12s")

    told = flow("check", "--site", str(folder))
    plain = flow("check", "--json", "--site", str(folder))

    assert (told.exit_code, plain.exit_code) == (1, 1)
    listed = json.loads(plain.stdout)
    assert told.stderr.splitlines() == ["{file}:{line}:{column}: {message}".format(**each) for each in listed]
    assert {each["file"] for each in listed} == {"flows/main.yaml", "queues.yaml"}
    assert {each["kind"] for each in listed} == {"error"}
    assert any('did you mean "main-menu"?' in each["message"] for each in listed)


def test_texts_in_no_language_of_their_callers_are_hints_and_no_errors(folder: Path) -> None:
    change(folder / "flows" / "main.yaml", "        zh: 感谢您的来电，再见。\n", "")

    told = flow("check", "--site", str(folder))
    plain = flow("check", "--json", "--site", str(folder))

    assert (told.exit_code, plain.exit_code) == (0, 0)
    (hint,) = json.loads(plain.stdout)
    assert (hint["kind"], hint["file"]) == ("hint", "flows/main.yaml")
    assert f"note: flows/main.yaml:{hint['line']}:{hint['column']}: no text in zh" in told.output


def test_mistakes_in_tests_are_errors_of_the_check_too(folder: Path) -> None:
    change(folder / "tests" / "main.yaml", "- message: left", "- mesage: left")
    (folder / "tests" / "more.yml").write_text("")

    result = flow("check", "--site", str(folder))

    assert result.exit_code == 1
    assert 'unknown entry "mesage"' in result.stderr
    assert "tests/more.yml:1:1: this file is not read: expected the ending .yaml" in result.stderr
    tested = flow("test", "--site", str(folder))
    assert tested.exit_code == 1
    assert "16 tests: 16 passed, 0 failed, 2 errors in the files" in tested.stdout


def test_all_tests_pass_or_those_that_fail_are_told(folder: Path) -> None:
    passed = flow("test", "--site", str(folder))
    change(folder / "flows" / "main.yaml", "priority: 10", "priority: 9")
    failed = flow("test", "--site", str(folder))

    assert (passed.exit_code, passed.stdout) == (0, "17 tests: 17 passed, 0 failed\n")
    assert failed.exit_code == 1
    assert failed.stdout == "17 tests: 15 passed, 2 failed\n"
    first = failed.stderr.splitlines()[0]
    assert first.startswith("tests/main.yaml:11:7: billing by key, with an account that nobody has: ")
    assert first.endswith("expected priority 10, came 9 at main ask-for-billing:1.then:0 (queue)")


def test_only_the_files_that_are_named_are_run(folder: Path) -> None:
    named = flow("test", str(folder / "tests" / "office.yaml"), "--site", str(folder))
    missing = flow("test", str(folder / "tests" / "offic.yaml"), "--site", str(folder))

    assert (named.exit_code, named.stdout) == (0, "6 tests: 6 passed, 0 failed\n")
    assert missing.exit_code == 1
    assert "offic.yaml:1:1: the file cannot be read: No such file or directory" in missing.stderr


def test_a_site_with_errors_is_not_tested(folder: Path) -> None:
    change(folder / "queues.yaml", "ring: 12s", "rnig: 12s")

    result = flow("test", "--site", str(folder))

    assert result.exit_code == 1
    assert 'unknown key "rnig"' in result.stderr
    assert "passed" not in result.output


def test_schemas_are_printed_for_editors() -> None:
    assert json.loads(flow("schema").stdout)["required"] == ["start", "nodes"]
    assert "Queue" in json.loads(flow("schema", "queues").stdout)["$defs"]
    unknown = flow("schema", "queue")
    assert unknown.exit_code == 1
    assert 'unknown kind of file "queue": expected flow, site' in unknown.stderr
    assert 'did you mean "queues"?' in unknown.stderr
