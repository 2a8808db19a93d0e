"""Obtaining an Asterisk, and a process that is always stopped; apt and old Asterisks are played by scripts."""

import asyncio
import os
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cti.provisioning import NodeSettings, Provisioned, render
from lab import asterisk_packages
from lab.asterisk import AsteriskError, AsteriskInstance, Installation, find, obtain
from lab.ports import free_block, free_ports


def put_program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_an_asterisk_on_path_is_used_when_it_is_new_enough(programs: Path, tmp_path: Path) -> None:
    put_program(programs, "asterisk", "echo Asterisk 21.4.0")
    found = find(tmp_path)
    assert found is not None
    assert (found.program, found.version, found.module_dir) == (
        (str(programs / "asterisk"),),
        "Asterisk 21.4.0",
        None,
    )


@pytest.mark.parametrize("answer", ["echo Asterisk 18.26.2", "echo hello", "exit 1", "echo 'Asterisk GIT-master'"])
def test_an_old_or_strange_asterisk_on_path_is_left_alone(programs: Path, tmp_path: Path, answer: str) -> None:
    put_program(programs, "asterisk", answer)
    assert find(tmp_path) is None


def test_a_fetch_that_fails_leaves_nothing_that_looks_finished(programs: Path, tmp_path: Path) -> None:
    put_program(programs, "asterisk", "echo Asterisk 16.0.0")
    put_program(
        programs,
        "apt-get",
        'case "$*" in *indextargets*) echo "http://mirror.invalid/debian|bookworm|main";;'
        ' *update*) ;; *) echo "E: no network" >&2; exit 100;; esac',
    )
    home = tmp_path / "home"
    said: list[str] = []
    with pytest.raises(AsteriskError, match=r"(?s)--download-only install asterisk .* ended with 100:\nE: no network"):
        obtain(home, said.append)
    assert len(said) == 2
    assert [path.name for path in home.iterdir()] == ["asterisk.lock"]
    assert find(home) is None


def test_what_an_interrupted_fetch_left_is_removed(programs: Path, tmp_path: Path) -> None:
    put_program(programs, "asterisk", "echo Asterisk 16.0.0")
    put_program(programs, "apt-get", "exit 1")
    (tmp_path / "asterisk.partial-1" / "root").mkdir(parents=True)
    with pytest.raises(AsteriskError):
        obtain(tmp_path, lambda _: None)
    assert not (tmp_path / "asterisk.partial-1").exists()


def test_without_a_debian_keyring_it_says_what_to_install(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_program(programs, "asterisk", "echo Asterisk 16.0.0")
    monkeypatch.setattr(asterisk_packages, "KEYRING", tmp_path / "none.gpg")
    with pytest.raises(AsteriskError, match=r"none\.gpg .* is missing\. Install Asterisk 20, 21 or 22"):
        obtain(tmp_path, lambda _: None)


def test_the_mirror_is_the_machines_own(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ["http://s.invalid/sec|bookworm-security|main", "http://m.invalid/deb|bookworm|main"]
    put_program(programs, "apt-get", "".join(f"echo '{row}';" for row in rows))
    monkeypatch.setattr(asterisk_packages, "_codename", lambda: "bookworm")
    assert asterisk_packages._debian_site() == "http://m.invalid/deb"
    put_program(programs, "apt-get", "echo 'http://x.invalid/tools|nodistro|main'")
    with pytest.raises(AsteriskError, match="names no Debian archive"):
        asterisk_packages._debian_site()


@pytest.fixture(scope="session")
def installation() -> Installation:
    return obtain()


@pytest.fixture
def provisioned(installation: Installation, tmp_path: Path) -> Provisioned:
    sip, http, ami, agi = free_ports(4)
    first = free_block(20)
    settings = NodeSettings(
        "lab1", sip, http, ami, agi, first, first + 19, "DE",
        module_dir=installation.module_dir, data_dir=installation.data_dir,
    )  # fmt: skip
    return render(settings, [], tmp_path / "ast")


@pytest.mark.asterisk
def test_what_is_there_is_not_fetched_again(installation: Installation, programs: Path) -> None:
    put_program(programs, "apt-get", "exit 1")
    put_program(programs, "dpkg", "exit 1")
    assert obtain(progress=pytest.fail) == installation


@pytest.mark.asterisk
async def test_an_instance_starts_answers_and_stops(installation: Installation, provisioned: Provisioned) -> None:
    async with AsteriskInstance(installation, provisioned.directory) as instance:
        assert installation.version.split()[1] in await instance.cli("core show version")
        pid = instance.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        assert soft == hard
        assert instance.waiting_calls_allowed == hard // 6
    assert not is_alive(pid)
    with pytest.raises(AsteriskError, match="is not running, so it cannot do 'core show version'"):
        await instance.cli("core show version")


@pytest.mark.asterisk
async def test_an_instance_that_hangs_is_killed(installation: Installation, provisioned: Provisioned) -> None:
    instance = AsteriskInstance(installation, provisioned.directory)
    await instance.start()
    pid = instance.pid
    os.kill(pid, signal.SIGSTOP)
    async with asyncio.timeout(10):
        await instance.stop(patience_s=0.5)
    assert not is_alive(pid)


@pytest.mark.asterisk
async def test_an_instance_that_cannot_start_says_why(installation: Installation, provisioned: Provisioned) -> None:
    (provisioned.directory / "etc" / "modules.conf").write_text("[modules]\nautoload = no\nrequire = no_such.so\n")
    with pytest.raises(AsteriskError, match=r"(?s)ended while it started; it said:.*no_such"):
        await AsteriskInstance(installation, provisioned.directory).start()


@pytest.mark.asterisk
def test_an_instance_dies_with_a_parent_that_is_killed(provisioned: Provisioned) -> None:
    script = (
        "import asyncio, sys; from pathlib import Path; from lab.asterisk import *\n"
        "async def main():\n"
        "    instance = AsteriskInstance(obtain(), Path(sys.argv[1])); await instance.start()\n"
        "    print(instance.pid, flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(provisioned.directory)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        watched = os.pidfd_open(pid)
        parent.kill()
    ended, _, _ = select.select([watched], [], [], 10)
    os.close(watched)
    assert ended, f"Asterisk {pid} outlived its parent"
