"""The fail-safe script against a scripted Asterisk on its pipes; on the real one in tests/asterisk."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cti.failsafe import write_failsafe
from cti.settings import FailsafeSettings, Settings

Answers = Callable[[str], str | None]


class Site:
    """A rendered fail-safe with its sounds in place."""

    def __init__(self, folder: Path, **chosen: Any) -> None:
        self.settings = Settings(data_dir=folder / "data", failsafe=FailsafeSettings(**{"take": "number"} | chosen))
        self.wrapper = write_failsafe(self.settings, folder / "out")
        self.spool = self.settings.spool_dir
        self.settings.sounds_dir.mkdir(parents=True)
        for name in ("", "-choose", "-own-number", "-callback", "-read-back", "-confirm", "-record", "-thanks"):
            (self.settings.sounds_dir / f"failsafe{name}.wav").touch()

    def entry(self) -> dict[str, Any]:
        (file,) = self.spool.glob("*.json")
        entry: dict[str, Any] = json.loads(file.read_text())
        return entry


class Asterisk:
    """The other end of the pipes: answers by what is pressed for each sound; None hangs up."""

    def __init__(self, pressed: dict[str, list[str | None]] | None = None, **variables: str) -> None:
        self.pressed = pressed or {}
        self.variables = {"CALLYARD_INTERACTION": "one-17.4", "CALLYARD_NUMBER": "4950"} | variables
        self.commands: list[str] = []
        self.set: dict[str, str] = {}
        self.database: dict[str, str] = {}
        self.is_up = True

    def answer(self, command: str) -> str | None:
        self.commands.append(command)
        if match := re.fullmatch(r'GET VARIABLE "(\w+)"', command):
            value = self.variables.get(match[1])
            return "200 result=0" if value is None else f"200 result=1 ({value})"
        if match := re.fullmatch(r'SET VARIABLE "(.+)" "(.*)"', command):
            self.set[match[1]] = match[2]
            return "200 result=1"
        if match := re.fullmatch(r'DATABASE PUT "(.+)" "(.+)" "(.*)"', command):
            self.database[f"{match[1]}/{match[2]}"] = match[3]
            return "200 result=1"
        if match := re.fullmatch(r"GET DATA (\S+) \d+ \d+", command):
            return self._press(Path(match[1]).name)
        if command == "CHANNEL STATUS":
            return "200 result=6" if self.is_up else "511 Command Not Permitted on a dead channel"
        return self.other(command)

    def other(self, command: str) -> str | None:
        return "200 result=0"

    def _press(self, sound: str) -> str | None:
        keys = self.pressed.get(sound, [])
        key = keys.pop(0) if keys else ""
        return None if key is None else f"200 result={key} (timeout)" if not key else f"200 result={key}"


@contextmanager
def started(site: Site, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [site.wrapper, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=10)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe and not pipe.closed:
                pipe.close()


def call(site: Site, asterisk: Asterisk, *arguments: str, caller: bytes = b"0301234567", name: bytes = b"Ann") -> int:
    """Run the script for one caller to its end; return its exit status."""
    with started(site, *arguments) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"agi_request: failsafe.sh\nagi_uniqueid: one-17.5\nagi_extension: s\n")
        process.stdin.write(b"agi_callerid: " + caller + b"\nagi_calleridname: " + name + b"\n\n")
        process.stdin.flush()
        for line in process.stdout:
            answer = asterisk.answer(line.decode().rstrip("\n"))
            if answer is None:
                break
            process.stdin.write(answer.encode() + b"\n")
            process.stdin.flush()
        process.stdin.close()
        status = process.wait(timeout=20)
        assert process.stderr is not None
        assert process.stderr.read() == b""
        return status


def test_a_typed_number_is_read_back_confirmed_and_kept(tmp_path: Path) -> None:
    site = Site(tmp_path)
    asterisk = Asterisk(
        {"failsafe-own-number": ["2"], "failsafe-callback": ["0307654321"], "failsafe-confirm": ["1"]},
        CALLYARD_STARTED="1700000000",
    )
    assert call(site, asterisk) == 0
    entry = site.entry()
    assert entry.pop("ended") > 1_700_000_000
    assert entry == {
        "version": 1,
        "id": "one-17.5",
        "interaction": "one-17.4",
        "caller": "0301234567",
        "dialled": "4950",
        "started": 1_700_000_000,
        "number": "0307654321",
        "confirmed": True,
        "recording": "",
        "cut_short": False,
    }
    assert asterisk.set["CALLYARD_FAILSAFE_DONE"] == "1"
    assert 'SAY DIGITS "0307654321" ""' in asterisk.commands
    assert asterisk.commands.index('SET VARIABLE "CALLYARD_FAILSAFE_DONE" "1"') < len(asterisk.commands) - 1
    assert asterisk.commands[-1].startswith(f"STREAM FILE {site.settings.sounds_dir}/failsafe-thanks ")
    assert list(site.spool.glob("*.tmp")) == []


def test_one_keeps_the_callers_own_number(tmp_path: Path) -> None:
    site = Site(tmp_path)
    assert call(site, Asterisk({"failsafe-own-number": ["7", "1"]}), caller=b"+4930123456") == 0
    assert (site.entry()["number"], site.entry()["confirmed"]) == ("+4930123456", True)


@pytest.mark.parametrize("caller", [b"", b"unknown", b"anonymous", b"17", b"1" * 30])
def test_a_caller_without_a_usable_number_is_not_offered_it(tmp_path: Path, caller: bytes) -> None:
    site = Site(tmp_path)
    asterisk = Asterisk({"failsafe-own-number": ["1"], "failsafe-callback": ["0307654321"]})
    assert call(site, asterisk, caller=caller) == 0
    assert site.entry()["number"] == "0307654321"
    assert not any("own-number" in command for command in asterisk.commands)


def test_two_types_it_again(tmp_path: Path) -> None:
    site = Site(tmp_path)
    keys: dict[str, list[str | None]] = {
        "failsafe-own-number": ["2"],
        "failsafe-callback": ["12", "0300000000", "0301111111"],
        "failsafe-confirm": ["2", "1"],
    }
    assert call(site, Asterisk(keys)) == 0
    assert site.entry()["number"] == "0301111111"


def test_a_caller_who_presses_nothing_is_kept_with_what_is_known(tmp_path: Path) -> None:
    site = Site(tmp_path, tries=2)
    asterisk = Asterisk()
    assert call(site, asterisk) == 0
    assert (site.entry()["number"], site.entry()["caller"]) == ("", "0301234567")
    assert sum("failsafe-callback" in command for command in asterisk.commands) == 2


@pytest.mark.parametrize(
    ("keys", "number"),
    [
        ({"failsafe-own-number": [None]}, ""),
        ({"failsafe-own-number": ["2"], "failsafe-callback": ["0307654321"], "failsafe-confirm": [None]}, "0307654321"),
    ],
)
def test_a_hangup_keeps_what_is_known(tmp_path: Path, keys: dict[str, list[str | None]], number: str) -> None:
    site = Site(tmp_path)
    assert call(site, Asterisk(keys)) == 0
    entry = site.entry()
    assert (entry["number"], entry["confirmed"], entry["cut_short"]) == (number, False, True)
    assert (entry["interaction"], entry["dialled"]) == ("one-17.4", "4950")


class Gone(Asterisk):
    """The caller hangs up during the message: Asterisk answers so, then permits nothing."""

    def other(self, command: str) -> str:
        if command.startswith("STREAM FILE"):
            self.is_up = False
        return "200 result=0" if self.is_up else "200 result=-1"


class DeadLine(Asterisk):
    """`HANGUP` in place of an answer."""

    def other(self, command: str) -> str:
        return "HANGUP" if command.startswith("STREAM FILE") else "200 result=0"


@pytest.mark.parametrize("kind", [Gone, DeadLine])
def test_every_way_that_asterisk_says_hangup_is_one(tmp_path: Path, kind: type[Asterisk]) -> None:
    site = Site(tmp_path)
    assert call(site, kind()) == 0
    assert site.entry()["cut_short"] is True


class Recorder(Asterisk):
    def __init__(self, sound: bytes, hangs_up: bool = False, **keys: list[str | None]) -> None:
        super().__init__({f"failsafe-{name}": value for name, value in keys.items()})
        self.sound, self.hangs_up = sound, hangs_up

    def other(self, command: str) -> str:
        if match := re.fullmatch(r'RECORD FILE "(\S+)" wav "#" 120000 0 beep s=5', command):
            Path(f"{match[1]}.wav").write_bytes(self.sound)
            return "200 result=-1 (hangup) endpos=8000" if self.hangs_up else "200 result=35 (dtmf) endpos=8000"
        return "200 result=0"


@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_message_is_recorded(tmp_path: Path, hangs_up: bool) -> None:
    site = Site(tmp_path, take="voice")
    assert call(site, Recorder(b"x" * 100, hangs_up)) == 0
    assert site.entry()["recording"] == "one-17.5.wav"
    assert (site.spool / "recordings/one-17.5.wav").stat().st_size == 100


def test_a_recording_of_nothing_is_none(tmp_path: Path) -> None:
    site = Site(tmp_path, take="voice")
    assert call(site, Recorder(b"x" * 44)) == 0
    assert site.entry()["recording"] == ""
    assert list((site.spool / "recordings").iterdir()) == []


@pytest.mark.parametrize(("key", "kept"), [("1", "number"), ("2", "recording"), ("", "recording")])
def test_both_lets_the_caller_choose_and_silence_means_voice(tmp_path: Path, key: str, kept: str) -> None:
    site = Site(tmp_path, take="both", tries=1)
    recorder = Recorder(b"x" * 100, choose=[key], callback=["0307654321"], confirm=["1"])
    recorder.pressed["failsafe-own-number"] = ["2"]
    assert call(site, recorder) == 0
    assert {name for name in ("number", "recording") if site.entry()[name]} == {kept}


def test_where_the_spool_cannot_be_written_asterisks_database_takes_it(tmp_path: Path) -> None:
    site = Site(tmp_path, take="both")
    asterisk = Asterisk({"failsafe-own-number": ["1"]}, CALLYARD_STARTED="1700000000")
    assert call(site, asterisk, str(tmp_path / "no/such/spool")) == 0
    row = asterisk.database["callyard-failsafe/one-17.5"]
    assert re.fullmatch(r"1700000000\|\d+\|4950\|0301234567\|one-17\.4\|0301234567", row)
    assert asterisk.set["CALLYARD_FAILSAFE_DONE"] == "1"


class NoDatabase(Asterisk):
    def answer(self, command: str) -> str | None:
        return "200 result=0" if command.startswith("DATABASE") else super().answer(command)


def test_if_nothing_can_keep_it_the_dialplan_is_not_told_that_it_is_done(tmp_path: Path) -> None:
    site = Site(tmp_path)
    asterisk = NoDatabase({"failsafe-own-number": ["1"]})
    assert call(site, asterisk, str(tmp_path / "no/such/spool")) == 1
    assert "CALLYARD_FAILSAFE_DONE" not in asterisk.set


def test_the_dialplan_may_name_spool_and_sounds(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (tmp_path / "other").mkdir()
    asterisk = Asterisk({"failsafe-own-number": ["1"]})
    assert call(site, asterisk, str(tmp_path / "other"), str(site.settings.sounds_dir)) == 0
    assert [file.name for file in (tmp_path / "other").glob("*.json")] == ["one-17.5.json"]


@pytest.mark.parametrize("damage", [None, b"", b"[1]", b'{"tries": "many", "take": 7}'])
def test_damaged_settings_mean_defaults(tmp_path: Path, damage: bytes | None) -> None:
    site = Site(tmp_path)
    file = site.wrapper.with_name("failsafe.json")
    file.unlink()
    if damage is not None:
        file.write_bytes(damage)
    asterisk = Asterisk({"failsafe-own-number": ["1"]})
    assert call(site, asterisk, str(site.spool), str(site.settings.sounds_dir)) == 0
    assert site.entry()["number"] == "0301234567"


def test_without_our_sounds_asterisks_own_are_played(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for file in site.settings.sounds_dir.iterdir():
        file.unlink()
    asterisk = Asterisk({"privacy-prompt": ["0307654321"], "1": ["1"]})
    assert call(site, asterisk) == 0
    assert site.entry()["number"] == "0307654321"
    played = [command.split()[2] for command in asterisk.commands if command.startswith("STREAM")]
    assert played == ["vm-nobodyavail", "vm-num-i-have", "if-correct-press", "auth-thankyou", "goodbye"]


class Mute(Asterisk):
    """No sound file is there at all: every playing command fails while the line is up."""

    def answer(self, command: str) -> str | None:
        if command.startswith(("STREAM", "SAY")) or (command.startswith("GET DATA") and "silence" not in command):
            self.commands.append(command)
            return "200 result=-1"
        return super().answer(command)


def test_missing_sounds_do_not_end_the_call(tmp_path: Path) -> None:
    site = Site(tmp_path)
    assert call(site, Mute({"1": ["1"]})) == 0
    assert site.entry()["number"] == "0301234567"


@pytest.mark.parametrize(
    "name",
    [b'"; SET VARIABLE X 1', "张伟".encode(), "Ян".encode("cp1251"), b"\xff\xfe", b"hangup"],
)
def test_no_caller_name_harms(tmp_path: Path, name: bytes) -> None:
    site = Site(tmp_path)
    asterisk = Asterisk({"failsafe-own-number": ["1"]})
    assert call(site, asterisk, name=name) == 0
    assert set(asterisk.set) == {"CHANNEL(language)", "CALLYARD_FAILSAFE_DONE"}


def test_a_hostile_number_reaches_no_command(tmp_path: Path) -> None:
    site = Site(tmp_path, number_least_digits=1)
    asterisk = Asterisk({"failsafe-own-number": ["1"]})
    assert call(site, asterisk, caller=b'030"|$(id)1') == 0
    assert site.entry()["caller"] == "030id1"
    assert site.entry()["number"] == "0301"


def test_the_whole_has_a_limit(tmp_path: Path) -> None:
    site = Site(tmp_path)
    settings = json.loads(site.wrapper.with_name("failsafe.json").read_text())
    site.wrapper.with_name("failsafe.json").write_text(json.dumps(settings | {"total_s": 1}))

    class Stuck(Asterisk):
        def other(self, command: str) -> str:
            return "" if command.startswith("STREAM FILE") and "thanks" not in command else "200 result=0"

    with started(site) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"agi_uniqueid: one-17.5\nagi_callerid: 0301234567\n\n")
        process.stdin.flush()
        asterisk = Stuck()
        for line in process.stdout:
            if answer := asterisk.answer(line.decode().rstrip("\n")):
                process.stdin.write(answer.encode() + b"\n")
                process.stdin.flush()
        assert process.wait(timeout=20) == 0
    assert site.entry()["cut_short"] is True
    assert asterisk.set["CALLYARD_FAILSAFE_DONE"] == "1"
