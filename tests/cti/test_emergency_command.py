"""`callyard emergency` as somebody types it in a hurry."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cti.cli import app
from cti.config import load_settings
from cti.sounds import sound_cache

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `callyard emergency …` in a new installation with the example site."""
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
    return lambda *words: invoke("emergency", *words)


def told(result: Result) -> str:
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_a_queue_is_closed_listed_and_opened(run: Run) -> None:
    assert told(run()) == "nothing is in force\n"
    line = told(run("close", "--queue", "billing", "--until", "2h", "--reason", "fire drill", "--keep-waiting"))
    assert re.fullmatch(
        r"1: queue billing is closed until (\d{4}-\d\d-\d\d )?\d\d:\d\d, who waits stays: fire drill "
        r"\(by kim \(command\)\)\n",
        line,
    )
    assert told(run()) == told(run("list")) == line
    assert re.fullmatch(
        r"ended: 1: queue billing is closed since .*, ended .* by kim \(command\), .*\n", told(run("end", "1"))
    )
    assert told(run()) == "nothing is in force\n"
    assert "1: queue billing is closed since" in told(run("list", "--all"))


def test_a_number_is_closed_with_a_text_in_two_languages_and_the_sounds_are_made(run: Run, tmp_path: Path) -> None:
    line = told(
        run(
            "close",
            "--number",
            "+49 89 9999 8100",
            "--until-ended",
            "--text",
            "We are closed.",
            "--text-zh",
            "关门了。",
        )
    )
    assert line.startswith("1: number 498999998100 is closed until it is ended (by kim")
    assert '    en: "We are closed."\n    zh: "关门了。"' in line
    cache = sound_cache(load_settings(environment={}))
    assert len(list((tmp_path / "data" / "sounds").glob("*.wav"))) == 2, cache


def test_a_notice_is_for_some_numbers_or_for_all(run: Run) -> None:
    both = told(
        run("notice", "--text", "Hi", "--number", "+498999998100", "--number", "+49899999888x", "--until", "1h")
    )
    assert "1: a notice is played to callers of 498999998100 until" in both
    assert "2: a notice is played to callers of 49899999888x until" in both
    assert "3: a notice is played to callers of all numbers until" in told(
        run("notice", "--text=Hi", "--text-zh=嗨", "--until", "1h")
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("close", "--queue", "billing"), "expected either --until, such as --until 15:00 or --until 2h, or"),
        (("close", "--queue", "billing", "--until", "2h", "--until-ended"), "expected either --until"),
        (("close", "--until", "2h"), "expected either --queue or --number"),
        (("close", "--queue", "billing", "--number", "+491", "--until", "2h"), "expected either --queue or --number"),
        (("close", "--queue", "sales", "--until", "2h"), "queue 'sales': expected one of billing, messages, support"),
        (("close", "--number", "+491", "--until", "2h"), "number '+491': expected one that numbers.yaml"),
        (("close", "--queue", "billing", "--until", "noon"), "'noon': expected a time such as 15:00"),
        (("close", "--queue", "billing", "--until", "2h", "--txet", "Hi"), "--txet: expected --text-LANGUAGE"),
        (("notice", "--text", "Hi", "--until", "2h", "--text-zh"), "--text-zh: expected --text-LANGUAGE with a text"),
        (("notice", "--text", "Hi", "--text-fr", "Salut", "--until", "2h"), "text in 'fr': expected one of en, zh"),
        (("notice", "--until", "2h"), "text: expected what callers hear, got none"),
        (("end", "7"), "7: expected the number of an order, there is none"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_ordered(run: Run, words: tuple[str, ...], said: str) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert result.stderr.startswith(said)
    assert told(run("list", "--all")) == "nothing was ever ordered\n"


def test_a_voice_that_is_not_there_is_said_before_anything_is_ordered(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLYARD_SPEECH__PROGRAM", "no-such-program")
    result = run("notice", "--text", "Hi", "--until", "2h")
    assert result.exit_code == 1
    assert "text in 'en': cannot be spoken: no-such-program: program not found" in result.stderr
    assert told(run("list", "--all")) == "nothing was ever ordered\n"
