"""A real Asterisk for demo, bench and tests: obtained without root, run as a private process.

What belongs here: finding or fetching the program, starting and stopping instances of it.
What does not: what stands in its configuration (`cti.provisioning`).

An `asterisk` on PATH that is 20 or newer is used as a program; the system's service is never started,
stopped or configured. Else the Debian packages are unpacked into a folder of our own, by means of the
machine's own apt configuration and keyring; no maintainer script runs, nothing is installed.
"""

import argparse
import asyncio
import contextlib
import json
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import paths
from lab.asterisk_packages import FINISHED, OLDEST_MAJOR, AsteriskError, Progress, fetch, locked, version_of

__all__ = ["AsteriskError", "AsteriskInstance", "Installation", "find", "obtain"]

FILES_PER_WAITING_CALL = 6


@dataclass(frozen=True, slots=True)
class Installation:
    """An Asterisk program and where its own files lie; None means the program's compiled-in place."""

    program: tuple[str, ...]
    version: str
    module_dir: Path | None = None
    data_dir: Path | None = None


# --- finding and fetching ---------------------------------------------------------------------------


def find(home: Path | None = None) -> Installation | None:
    """Return the Asterisk on PATH if it is new enough, else the one fetched into `home`, else None."""
    return _on_path() or _in_folder((home or paths.home()) / "asterisk")


def obtain(home: Path | None = None, progress: Progress = print) -> Installation:
    """Return a usable Asterisk, fetching one into `home`/asterisk when there is none yet.

    Safe to repeat and safe to interrupt: a folder that is not finished is never taken for one that is.
    Two processes that ask at once wait for each other.
    """
    found = find(home)
    if found is not None:
        return found
    base = home or paths.home()
    base.mkdir(parents=True, exist_ok=True)
    with locked(base / "asterisk.lock"):
        found = find(base)
        if found is None:
            fetch(base, progress)
            found = find(base)
    if found is None:
        raise AsteriskError(f"the Asterisk just unpacked into {base / 'asterisk'} does not run")
    return found


def _on_path() -> Installation | None:
    program = shutil.which("asterisk")
    if program is None:
        return None
    version = version_of((program,))
    major = re.match(r"Asterisk (\d+)\.", version)
    if major is None or int(major.group(1)) < OLDEST_MAJOR:
        return None
    return Installation((program,), version)


def _in_folder(folder: Path) -> Installation | None:
    marker = folder / FINISHED
    if not marker.is_file():
        return None
    known = json.loads(marker.read_text())
    modules = folder / known["modules"]
    program = (
        str(folder / known["loader"]),
        "--library-path",
        str(folder / known["libraries"]),
        str(folder / "usr/sbin/asterisk"),
    )
    return Installation(program, known["version"], modules, folder / "usr/share/asterisk")


# --- running ----------------------------------------------------------------------------------------


class AsteriskInstance:
    """One private Asterisk process on a rendered configuration (a folder with `etc/asterisk.conf`).

    Bound to no event loop: it may be started in one and stopped in another. The kernel kills the process
    when the thread that started it ends, so that nothing is left behind by a killed parent.
    """

    def __init__(self, installation: Installation, directory: Path) -> None:
        self.installation = installation
        self.directory = directory
        self.log_path = directory / "log" / "messages.log"
        self.output_path = directory / "log" / "console.log"
        self._config = directory / "etc" / "asterisk.conf"
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """The process id of the running instance."""
        if self._process is None:
            raise AsteriskError(f"the Asterisk in {self.directory} is not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def waiting_calls_allowed(self) -> int:
        """How many waiting calls the limit on open files allows."""
        return int(resource.getrlimit(resource.RLIMIT_NOFILE)[1] // FILES_PER_WAITING_CALL)

    async def start(self, ready_s: float = 30.0) -> None:
        """Start the process and return when it is fully booted; raise AsteriskError after `ready_s`."""
        if self.is_running:
            raise AsteriskError(f"the Asterisk in {self.directory} already runs as {self.pid}")
        await _check_own_name()
        self._process = self._spawn()
        try:
            async with asyncio.timeout(ready_s):
                await self._booted()
        except BaseException as fault:
            self.kill()
            if isinstance(fault, TimeoutError):
                raise AsteriskError(self._complaint(f"was not ready within {ready_s:.0f} s")) from None
            raise

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.output_path.parent.mkdir(parents=True, exist_ok=True)
        with self.output_path.open("ab") as output:
            process = subprocess.Popen(
                [*_dying_with_parent(), *self.installation.program, "-C", str(self._config), "-f"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                start_new_session=True,  # Ctrl-C in the terminal is for the parent, which stops us in order
            )
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (hard, hard))
        return process

    async def _booted(self) -> None:
        while self.is_running:
            answer = await self._console("core waitfullybooted", limit_s=30)
            if "fully booted" in answer:
                return
            await asyncio.sleep(0.05)
        raise AsteriskError(self._complaint("ended while it started"))

    async def cli(self, command: str, limit_s: float = 10.0) -> str:
        """Return what the console command prints."""
        if not self.is_running:
            raise AsteriskError(self._complaint(f"is not running, so it cannot do {command!r}"))
        return await self._console(command, limit_s)

    async def _console(self, command: str, limit_s: float) -> str:
        console = await asyncio.create_subprocess_exec(
            *self.installation.program, "-C", str(self._config), "-rx", command,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(limit_s):
                output, _ = await console.communicate()
        except TimeoutError:
            raise AsteriskError(self._complaint(f"did not answer {command!r} in {limit_s:.0f} s")) from None
        finally:
            if console.returncode is None:
                console.kill()
                await console.wait()
        return output.decode(errors="replace")

    async def stop(self, patience_s: float = 3.0) -> None:
        """Stop at once, calls or not; a process that hangs in its own shutdown is killed."""
        if self.is_running:
            with contextlib.suppress(AsteriskError):
                await self._console("core stop now", limit_s=patience_s)
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._wait, patience_s)
        self.kill()

    def kill(self) -> None:
        """End the process with SIGKILL and reap it; harmless when it has ended."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(timeout=10)

    def _wait(self, limit_s: float) -> None:
        if self._process is not None:
            self._process.wait(timeout=limit_s)

    def _complaint(self, what: str) -> str:
        told = [path.read_text(errors="replace") for path in (self.output_path, self.log_path) if path.exists()]
        last = "\n".join("\n".join(told).strip().splitlines()[-15:])
        return f"the Asterisk in {self.directory} {what}; it said:\n{last}"


async def _check_own_name() -> None:
    """Refuse to start where the host's own name does not resolve: Asterisk then blocks on every call."""
    name = socket.gethostname()
    try:
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().getaddrinfo(name, None)
    except (OSError, TimeoutError):
        raise AsteriskError(
            f"the host's own name {name!r} does not resolve; Asterisk would block in DNS on every call. "
            f"Add a line `127.0.1.1 {name}` to /etc/hosts."
        ) from None


def _dying_with_parent() -> list[str]:
    """A prefix (util-linux) that makes the kernel kill a process when the thread that started it ends."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def main() -> int:
    """Fetch the private Asterisk: `python -m lab.asterisk fetch`."""
    parser = argparse.ArgumentParser(prog="python -m lab.asterisk", description=main.__doc__)
    parser.add_argument("order", choices=["fetch"])
    parser.add_argument("--home", type=Path, default=None, help="folder to keep it in")
    chosen = parser.parse_args()
    try:
        found = obtain(chosen.home)
    except AsteriskError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1
    print(f"{found.version}: {found.program[-1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
