"""`callyard people move` as somebody types it."""

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
    """Runs `callyard people …` in a new installation with the example site and zoe, who serves billing."""
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
    assert invoke("people", "add", "zoe", "Zoe Moss", "--queues", "billing").exit_code == 0
    return lambda *words: invoke("people", *words)


def said(result: Result) -> str:
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_somebody_is_moved_listed_and_moved_back(run: Run) -> None:
    assert said(run("moves")) == "nobody is moved\n"
    words = ("move", "zoe", "--add", "support", "--remove", "billing", "--from", "1h", "--until", "3h")
    line = said(run(*words, "--reason", "campaign"))
    at = r"(\d{4}-\d\d-\d\d )?\d\d:\d\d"
    assert re.fullmatch(
        rf"1: zoe serves support, not billing from {at} until {at}: campaign \(by kim \(command\)\)\n", line
    )
    assert said(run("moves")) == line
    assert re.match(r"ended: 1: zoe serves support.*, ended .* by kim \(command\)", said(run("unmove", "1")))
    assert said(run("moves")) == "nobody is moved\n"
    assert "1: zoe serves support" in said(run("moves", "--all"))


def test_until_it_is_ended(run: Run) -> None:
    assert (
        said(run("move", "zoe", "--add", "support", "--until-ended"))
        == "1: zoe serves support until it is ended (by kim (command))\n"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("move", "zoe", "--add", "support"), "expected either --until, such as --until 15:00 or --until 2h, or"),
        (("move", "zoe", "--add", "support", "--until", "2h", "--until-ended"), "expected either --until"),
        (
            ("move", "zoe", "--add", "sales", "--until", "2h"),
            "queue 'sales': expected one of billing, messages, support",
        ),
        (("move", "joe", "--add", "support", "--until", "2h"), "agent 'joe': expected somebody with the role agent"),
        (("move", "zoe", "--add", "support", "--until", "noon"), "'noon': expected a time such as 15:00"),
        (("move", "zoe", "--until", "2h"), "add, remove: expected a queue, got none"),
        (("unmove", "7"), "7: expected the number of an order, there is none"),
    ],
)
def test_a_mistake_is_said_and_nobody_is_moved(run: Run, words: tuple[str, ...], told: str) -> None:
    result = run(*words)
    assert (result.exit_code, result.stderr.startswith(told)) == (1, True), result.stderr
    assert said(run("moves", "--all")) == "nobody was ever moved\n"
