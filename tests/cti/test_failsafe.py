from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cti.failsafe import (
    SOUND_FILES,
    FailsafeError,
    GapRecord,
    GapSource,
    done,
    make_spool,
    parse_row,
    prepare_failsafe_sounds,
    read_spool,
    write_failsafe,
)
from cti.failsafe_texts import TEXTS, texts_in
from cti.settings import FailsafeSettings, FailsafeTexts, Settings
from cti.sounds import SoundCache, with_ending

ENTRY: dict[str, Any] = {
    "version": 1,
    "id": "one-1700000000.12",
    "interaction": "one-1700000000.10",
    "caller": "+4930123456",
    "dialled": "4950",
    "started": 1_700_000_000,
    "ended": 1_700_000_060,
    "number": "0301234567",
    "confirmed": True,
    "recording": "one-1700000000.12.wav",
}


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    make_spool(tmp_path / "spool")
    return tmp_path / "spool"


def left(spool: Path, name: str = "a.json", **changes: object) -> Path:
    file = spool / name
    file.write_text(json.dumps({**ENTRY, **changes}))
    return file


def test_an_entry_says_who_is_to_be_called_back(spool: Path) -> None:
    left(spool)
    (entry,) = read_spool(spool)
    assert entry.record == GapRecord(
        source=GapSource.SCRIPT,
        uniqueid="one-1700000000.12",
        interaction="one-1700000000.10",
        started_at=1_700_000_000_000_000,
        ended_at=1_700_000_060_000_000,
        dialled="4950",
        caller="+4930123456",
        callback="0301234567",
        confirmed=True,
        recording=spool / "recordings/one-1700000000.12.wav",
    )


def test_an_entry_is_handed_over_until_it_is_done(spool: Path) -> None:
    left(spool)
    recording = spool / "recordings/one-1700000000.12.wav"
    recording.write_bytes(b"sound")
    (first,) = read_spool(spool)
    (again,) = read_spool(spool)
    assert first == again
    done(first)
    done(again)
    assert read_spool(spool) == []
    assert recording.read_bytes() == b"sound"


def test_entries_come_in_the_order_of_the_calls(spool: Path) -> None:
    left(spool, "a.json", id="later", started=200)
    left(spool, "b.json", id="earlier", started=100)
    assert [entry.record.uniqueid for entry in read_spool(spool)] == ["earlier", "later"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "not JSON"),
        (b'{"version": 1, "id": "x"', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 10_000, "not JSON"),
        (b"[]", "expected an object of version 1"),
        (b'{"version": 2}', "expected an object of version 1"),
        (b" " * 20_000, "expected at most 16384 bytes, came 20000"),
        (json.dumps({**ENTRY, "id": ""}).encode(), "id: expected the channel's uniqueid"),
        (json.dumps({**ENTRY, "started": "now"}).encode(), "started: expected seconds since 1970, came 'now'"),
        (json.dumps({**ENTRY, "ended": 10**15}).encode(), "ended: expected seconds since 1970"),
        (json.dumps({**ENTRY, "number": 7}).encode(), "number: expected text of at most 128 characters, came 7"),
        (json.dumps({**ENTRY, "caller": "1" * 129}).encode(), "caller: expected text"),
        (json.dumps({**ENTRY, "recording": "../../etc/passwd"}).encode(), "recording: expected a name"),
    ],
)
def test_a_broken_entry_is_moved_aside_and_said(
    spool: Path, content: bytes, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    (spool / "bad.json").write_bytes(content)
    left(spool, "good.json")
    with caplog.at_level(logging.ERROR):
        assert [entry.file.name for entry in read_spool(spool)] == ["good.json"]
    assert (spool / "broken/bad.json").read_bytes() == content
    assert fault in vars(caplog.records[0])["fault"]


def test_broken_entries_of_one_name_do_not_overwrite_each_other(spool: Path) -> None:
    for content in (b"1", b"2", b"3"):
        (spool / "bad.json").write_bytes(content)
        assert read_spool(spool) == []
    assert sorted(file.read_bytes() for file in (spool / "broken").iterdir()) == [b"1", b"2", b"3"]


def test_half_written_files_links_and_a_missing_spool_are_no_entries(spool: Path, tmp_path: Path) -> None:
    left(spool, "a.json.17.tmp")
    outside = tmp_path / "outside.json"
    outside.write_text(json.dumps(ENTRY))
    (spool / "link.json").symlink_to(outside)
    assert read_spool(spool) == []
    assert outside.exists()
    assert read_spool(tmp_path / "nowhere") == []


def test_a_row_of_the_hangup_handler() -> None:
    row = parse_row("/callyard-gap/one-17.5", "1700000000|1700000009|4950|0301234567|one-17.4|overload")
    assert row == GapRecord(
        source=GapSource.GAP,
        uniqueid="one-17.5",
        interaction="one-17.4",
        started_at=1_700_000_000_000_000,
        ended_at=1_700_000_009_000_000,
        dialled="4950",
        caller="0301234567",
        note="overload",
    )


def test_a_row_of_the_dialplans_failsafe_holds_the_number_to_call() -> None:
    row = parse_row("/callyard-failsafe/one-17.5", "1700000000|1700000009|4950|030|one-17.4|0307654321")
    assert row is not None
    assert (row.source, row.callback, row.note) == (GapSource.DIALPLAN, "0307654321", "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ("u", 0, 0, "", "", "")),
        ("x|y", ("u", 0, 0, "", "", "")),
        ("-5|99999999999999|1", ("u", 0, 0, "1", "", "")),
        ("1|2|3|4", ("u", 1_000_000, 2_000_000, "3", "4", "")),
        ("1|2|3|4|5|a|b", ("5", 1_000_000, 2_000_000, "3", "4", "a|b")),
        ("1|2|\x00\r\n3|4|5|\x07", ("5", 1_000_000, 2_000_000, "3", "4", "")),
        ("١|2|3|4|5|6", ("5", 0, 2_000_000, "3", "4", "6")),
    ],
)
def test_a_damaged_row_is_read_as_far_as_it_goes(value: str, expected: tuple[object, ...]) -> None:
    row = parse_row("/callyard-gap/u", value)
    assert row is not None
    assert (row.interaction, row.started_at, row.ended_at, row.dialled, row.caller, row.note) == expected


@pytest.mark.parametrize("key", ["", "/", "/callyard-gap", "/callyard-gap/", "/ps/auth", "/other/callyard-gap"])
def test_rows_of_others_are_not_ours(key: str) -> None:
    assert parse_row(key, "1|2|3|4|5|6") is None


def test_what_asterisk_needs_is_written_and_runs_without_us(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "my data")
    wrapper = write_failsafe(settings, tmp_path / "out", language="de", take="voice")
    assert stat.S_IMODE(wrapper.stat().st_mode) == 0o755
    snapshot = json.loads((tmp_path / "out/failsafe.json").read_text())
    assert snapshot["spool"] == str(settings.spool_dir)
    assert (snapshot["take"], snapshot["language"]) == ("voice", "de")
    assert sys.executable in wrapper.read_text()
    assert not list((tmp_path / "out").glob(".*"))
    # With no caller there is nobody to serve: it ends at once and says so.
    ended = subprocess.run([wrapper], stdin=subprocess.DEVNULL, capture_output=True, cwd="/", env={}, timeout=30)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_writing_again_replaces_files_as_a_whole(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    wrapper = write_failsafe(settings, tmp_path / "out")
    before = os.stat(wrapper).st_ino
    assert write_failsafe(settings, tmp_path / "out") == wrapper
    assert os.stat(wrapper).st_ino != before


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(FailsafeError, match="out: the fail-safe cannot be written"):
        write_failsafe(Settings(data_dir=tmp_path), tmp_path / "out")


def test_the_settings_stand_above_the_site(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, failsafe=FailsafeSettings(language="fr", take="number"))
    write_failsafe(settings, tmp_path / "out", language="de", take="voice")
    snapshot = json.loads((tmp_path / "out/failsafe.json").read_text())
    assert (snapshot["take"], snapshot["language"]) == ("number", "fr")


def test_every_language_says_everything() -> None:
    assert set(FailsafeTexts.model_fields) == set(SOUND_FILES)
    for language, texts in TEXTS.items():
        assert all(text for _, text in texts), language
    assert texts_in("de-CH") == (TEXTS["de"], "de-CH")
    assert texts_in("ja") == (TEXTS["en"], "en")


async def test_every_text_gets_its_sound_the_sites_message_in_the_sites_language(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, failsafe=FailsafeSettings(texts=FailsafeTexts(thanks="Tschüss")))
    cache = SoundCache(settings.sounds_dir)
    await prepare_failsafe_sounds(settings, cache, language="de", message="Wir sind gleich zurück.")
    expected = {
        "failsafe": "Wir sind gleich zurück.",
        "failsafe-thanks": "Tschüss",
        "failsafe-confirm": TEXTS["de"].confirm,
    }
    for name in SOUND_FILES.values():
        assert_sound(settings.sounds_dir / f"{name}.wav")
    for name, text in expected.items():
        rendered = with_ending(await cache.path(text, "de"))
        assert same(rendered, settings.sounds_dir / f"{name}.wav")


def assert_sound(file: Path) -> None:
    assert file.read_bytes()[:4] == b"RIFF"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()
