"""Installing what is missing; apt-get is played by a script that writes down what it was asked."""

import os
from pathlib import Path

import pytest

from lab import system
from lab.system import MissingProgramError, ensure


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that holds nothing but an apt-get which installs an empty sipp and notes its arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()
    write_apt(folder, f": > {folder}/sipp; /bin/chmod 755 {folder}/sipp")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(system, "_LISTS", tmp_path / "lists")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "mirror_Packages").touch()
    return folder


def write_apt(folder: Path, action: str) -> None:
    program = folder / "apt-get"
    program.write_text(f'#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >> {folder}/asked\n{action}\n')
    program.chmod(0o755)


def asked(folder: Path) -> list[str]:
    path = folder / "asked"
    return path.read_text().splitlines() if path.exists() else []


def test_what_is_missing_is_installed_without_questions_and_without_extras(apt: Path) -> None:
    ensure(["sipp"], lambda _: None)
    [order] = asked(apt)
    assert order.startswith("noninteractive -q -o DPkg::Lock::Timeout=")
    assert order.endswith("install --yes --no-install-recommends sip-tester")


def test_nothing_is_asked_when_all_is_there(apt: Path) -> None:
    write_apt(apt, "")
    (apt / "sipp").touch()
    (apt / "sipp").chmod(0o755)
    ensure(["sipp"], pytest.fail)
    assert asked(apt) == []


def test_a_machine_without_package_lists_gets_them_first(apt: Path, tmp_path: Path) -> None:
    (tmp_path / "lists" / "mirror_Packages").unlink()
    ensure(["sipp"], lambda _: None)
    assert [order.split("=", 1)[1].split()[1] for order in asked(apt)] == ["update", "install"]


def test_old_package_lists_are_read_again_once(apt: Path) -> None:
    write_apt(apt, "echo 'E: 404 Not Found' >&2; exit 100")
    with pytest.raises(MissingProgramError, match=r"(?s)Run as root: apt-get install .* sip-tester\n.*404 Not Found"):
        ensure(["sipp"], lambda _: None)
    assert [order.split("=", 1)[1].split()[1] for order in asked(apt)] == ["install", "update"]


def test_a_lock_that_stays_is_not_waited_for_without_end(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "LOCK_WAIT_S", -1)
    write_apt(apt, "echo 'E: Could not get lock /var/lib/apt/lists/lock' >&2; exit 100")
    with pytest.raises(MissingProgramError, match="Could not get lock"):
        ensure(["sipp"], lambda _: None)


def test_without_root_the_command_is_named(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(
        MissingProgramError, match=r"Run as root: apt-get install --yes --no-install-recommends sip-tester"
    ):
        ensure(["sipp"], lambda _: None)
    assert asked(apt) == []


def test_an_unknown_program_is_an_error(apt: Path) -> None:
    with pytest.raises(MissingProgramError, match="unknown program nmap, expected some of"):
        ensure(["nmap"], lambda _: None)
