from __future__ import annotations

import os
import resource
import socket
from pathlib import Path

import pytest

from cti.doctor_machine import (
    examine_disk,
    examine_failsafe,
    examine_folders,
    examine_host_name,
    examine_open_files,
    examine_port,
    examine_programs,
    examine_python,
    examine_secret,
    examine_site,
)
from cti.findings import Finding, Level
from cti.settings import AmiNode, Settings
from cti.sounds import Speech
from tests.fakes.site import small_site


def levels(findings: list[Finding]) -> list[Level]:
    return [finding.level for finding in findings]


def test_an_old_python_is_an_error() -> None:
    assert levels(examine_python()) == [Level.OK]
    (finding,) = examine_python((3, 10))
    assert finding.what == "Python 3.10, expected 3.11 or newer"


def test_missing_programs_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert levels(examine_programs(Speech("sh")))[0] is Level.OK
    monkeypatch.setenv("PATH", str(tmp_path))
    assert levels(examine_programs(Speech())) == [Level.ERROR, Level.WARNING]


def test_a_host_name_must_resolve() -> None:
    assert levels(examine_host_name("localhost")) == [Level.OK]
    (finding,) = examine_host_name("no-such-host.invalid")
    assert finding.advice == "add a line `127.0.1.1 no-such-host.invalid` to /etc/hosts"


def test_few_open_files_are_a_warning() -> None:
    assert levels(examine_open_files(60_000)) == [Level.OK]
    (finding,) = examine_open_files(256)
    assert (finding.level, finding.what) == (
        Level.WARNING,
        "open files: at most 256, enough for about 42 waiting calls",
    )
    assert len(examine_open_files(resource.RLIM_INFINITY)) == 1


def test_folders_must_be_writable_and_the_spool_private(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    assert levels(examine_folders(settings)) == [Level.OK] * 3
    assert not settings.data_dir.exists()
    settings.spool_dir.mkdir(parents=True)
    settings.spool_dir.chmod(0o755)
    assert levels(examine_folders(settings)) == [Level.OK] * 3 + [Level.WARNING]
    (tmp_path / "file").touch()
    blocked = Settings(data_dir=tmp_path / "file" / "data")
    assert levels(examine_folders(blocked))[0] is Level.ERROR


@pytest.mark.parametrize(
    ("free", "level"), [(50 * 2**20, Level.ERROR), (500 * 2**20, Level.WARNING), (2**40, Level.OK)]
)
def test_disk_space_is_looked_at(tmp_path: Path, free: int, level: Level) -> None:
    assert levels(examine_disk(tmp_path / "not/yet", free)) == [level]
    assert len(examine_disk(tmp_path)) == 1


def test_a_secret_must_be_readable_by_us_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    node = AmiNode(name="one", secret_file=file)
    assert levels(examine_secret(node)) == [Level.ERROR]
    file.write_text("long-enough-secret\n")
    file.chmod(0o600)
    assert levels(examine_secret(node)) == [Level.OK]
    file.write_text("short")
    file.chmod(0o644)
    assert levels(examine_secret(node)) == [Level.OK, Level.WARNING, Level.WARNING]
    assert not any("short" == word for finding in examine_secret(node) for word in finding.what.split("'"))


def test_a_port_is_free_answering_or_stuck() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        (answering,) = examine_port("web", "127.0.0.1", port)
        assert answering.what == f"web 127.0.0.1:{port}: answers"
        (everywhere,) = examine_port("web", "0.0.0.0", port)
        assert everywhere.level is Level.OK
    (free,) = examine_port("web", "127.0.0.1", port)
    assert free.what.endswith("free; the server is not running")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        (stuck,) = examine_port("web", "127.0.0.1", bound.getsockname()[1])
        assert stuck.level is Level.ERROR
    assert levels(examine_port("web", "192.0.2.1", 8080)) == [Level.ERROR]
    assert levels(examine_port("web", "127.0.0.1", 0)) == [Level.OK]


def test_every_problem_of_the_site_is_a_finding(tmp_path: Path) -> None:
    assert levels(examine_site(Path(__file__).parents[2] / "site")) == [Level.OK]
    findings = examine_site(tmp_path)
    assert findings
    assert set(levels(findings)) == {Level.ERROR}


def test_secrets_of_endpoints_that_flows_use_are_looked_for(tmp_path: Path) -> None:
    secret = "secret_headers: { Authorization: { file: token } }"
    small_site(
        tmp_path,
        "  door:\n    - webhook: crm\n",
        site="name: Test\ncountry: DE\ntime_zone: Europe/Berlin\nlanguages: [en]\ndefault_language: en\n"
        "text_messages: { webhook: sms }\nfail_safe: { message: Nobody is there. }\n",
        webhooks="".join(
            f"{name}: {{ url: 'https://{name}.example.com', {secret} }}\n" for name in ("crm", "sms", "erp")
        ),
    )
    missing = [finding.what for finding in examine_site(tmp_path) if finding.level is Level.ERROR]
    assert missing == [
        f"webhook {name}: the secret of Authorization cannot be read from {tmp_path / 'token'}: FileNotFoundError"
        for name in ("crm", "sms")
    ]
    (tmp_path / "token").write_text("Bearer abc")
    assert levels(examine_site(tmp_path)) == [Level.OK]


def test_the_failsafes_sounds_are_looked_for(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    settings.sounds_dir.mkdir()
    (settings.sounds_dir / "a.wav").touch()
    assert levels(examine_failsafe(settings, ["a"])) == [Level.OK]
    (finding,) = examine_failsafe(settings, ["a", "b"])
    assert finding.what == f"fail-safe: 1 of 2 sounds are not in {settings.sounds_dir}"
    assert os.fspath(settings.sounds_dir) in finding.what
