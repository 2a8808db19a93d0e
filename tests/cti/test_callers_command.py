"""`callyard callers` as somebody types it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cti.cli import app

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `callyard callers …` in a new installation with the example site."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("CALLYARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LOGNAME", "kim")

    def invoke(*words: str) -> Result:
        result = CliRunner().invoke(app, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    assert invoke("init", str(tmp_path)).exit_code == 0
    return lambda *words: invoke("callers", *words)


def said(result: Result) -> str:
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_a_caller_is_blocked_listed_and_let_in_again(run: Run) -> None:
    assert said(run("list")) == "nobody is blocked\n"
    line = said(run("block", "030 901820", "--for", "7d", "--reason", "fax"))
    assert re.fullmatch(
        r"1: \+4930901820 is blocked until \d{4}-\d\d-\d\d \d\d:\d\d: fax \(by kim \(command\)\)\n", line
    )
    assert (
        said(run("block", "+4931*", "--until-ended")) == "2: +4931* is blocked until it is ended (by kim (command))\n"
    )
    assert said(run("list")).startswith(line)
    assert re.match(r"ended: 1: \+4930901820 .*, ended .* by kim \(command\)", said(run("unblock", "+4930901820")))
    assert said(run("list")).startswith("2: ")
    assert len(said(run("list", "--all")).splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("block", "+4930901820"), "expected either --for, such as --for 7d, or --until-ended"),
        (("block", "+4930901820", "--for", "7d", "--until-ended"), "expected either --for"),
        (("block", "+4930901820", "--for", "soon"), "'soon': expected a time"),
        (("block", "12", "--for", "7d"), "expected a phone number"),
        (("unblock", "+4930901820"), "+4930901820: expected a number that is blocked by an order, it is not"),
    ],
)
def test_what_cannot_be_is_told(run: Run, words: tuple[str, ...], told: str) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert told in result.stderr
