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
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import paths

__all__ = ["AsteriskError", "AsteriskInstance", "Installation", "find", "obtain"]

Progress = Callable[[str], None]

OLDEST_MAJOR = 20
SUITE = "forky"
"""The Debian release whose archive has Asterisk 22; bookworm and trixie ship none."""
PACKAGES = ("asterisk", "asterisk-core-sounds-en")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DOWNLOAD_LIMIT_S = 900.0
FILES_PER_WAITING_CALL = 6

_FINISHED = "callyard-asterisk.json"


class AsteriskError(Exception):
    """No usable Asterisk, or an instance that does not do what was asked; the text says what to do."""


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
    with _locked(base / "asterisk.lock"):
        found = find(base)
        if found is None:
            _fetch(base, progress)
            found = find(base)
    if found is None:
        raise AsteriskError(f"the Asterisk just unpacked into {base / 'asterisk'} does not run")
    return found


def _on_path() -> Installation | None:
    program = shutil.which("asterisk")
    if program is None:
        return None
    version = _version_of((program,))
    major = re.match(r"Asterisk (\d+)\.", version)
    if major is None or int(major.group(1)) < OLDEST_MAJOR:
        return None
    return Installation((program,), version)


def _in_folder(folder: Path) -> Installation | None:
    marker = folder / _FINISHED
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


def _version_of(program: tuple[str, ...]) -> str:
    try:
        done = subprocess.run([*program, "-V"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        return f"none: {fault}"
    return done.stdout.strip()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold `path` for this process; another holder is waited for no longer than a download may take."""
    deadline = time.monotonic() + DOWNLOAD_LIMIT_S
    with path.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise AsteriskError(f"another process holds {path} since {DOWNLOAD_LIMIT_S} s") from None
                time.sleep(0.2)
        yield


def _fetch(base: Path, progress: Progress) -> None:
    """Unpack the Debian packages into `base`/asterisk; the folder gets its name only when complete."""
    for left_over in base.glob("asterisk.partial-*"):
        shutil.rmtree(left_over)
    work = base / f"asterisk.partial-{os.getpid()}"
    try:
        _download(work / "apt", progress)
        root = work / "root"
        packages = sorted((work / "apt/cache/archives").glob("*.deb"))
        progress(f"Asterisk: unpacking {len(packages)} packages")
        root.mkdir()
        for package in packages:
            _run(["dpkg", "-x", str(package), str(root)], limit_s=60)
        progress(f"Asterisk: {_finish(root)} is ready")
        target = base / "asterisk"
        if target.exists():
            shutil.rmtree(target)
        root.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _download(apt: Path, progress: Progress) -> None:
    missing = [name for name in ("apt-get", "dpkg") if shutil.which(name) is None]
    if missing or not KEYRING.is_file():
        lacking = ", ".join(missing) or f"{KEYRING} (package debian-archive-keyring)"
        raise AsteriskError(
            f"no asterisk {OLDEST_MAJOR} or newer on PATH, and none can be fetched: {lacking} is missing. "
            f"Install Asterisk {OLDEST_MAJOR}, 21 or 22 with your system's means so that `asterisk -V` answers."
        )
    for folder in ("lists/partial", "cache/archives/partial", "log", "sources.d", "preferences.d"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "preferences").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_debian_site()} {SUITE} main\n")
    progress(f"Asterisk: reading the package list of Debian {SUITE}")
    _run([*_apt_get(apt), "update"], limit_s=DOWNLOAD_LIMIT_S / 3)
    progress("Asterisk: downloading about 160 packages (80 MB)")
    _run([*_apt_get(apt), "--yes", "--download-only", "install", *PACKAGES], limit_s=DOWNLOAD_LIMIT_S)


def _apt_get(apt: Path) -> list[str]:
    """apt-get with a state of its own; proxies and credentials stay those of the machine."""
    options = {
        "Dir::State": apt,
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
        "Dir::Log": apt / "log",
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": apt / "sources.d",
        "Dir::Etc::preferences": apt / "preferences",
        "Dir::Etc::preferencesparts": apt / "preferences.d",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Acquire::Check-Valid-Until": "false",  # the machine's mirror may be a frozen copy
    }
    return ["apt-get", "-q", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]


def _debian_site() -> str:
    """Return the mirror that the machine's own apt uses for Debian's main archive."""
    shown = _run(["apt-get", "indextargets", "--format", "$(SITE)|$(CODENAME)|$(COMPONENT)"], limit_s=30)
    rows = [line.split("|") for line in shown.splitlines() if line.count("|") == 2]
    codename = _codename()
    sites = [site for site, suite, component in rows if suite == codename and component == "main"]
    sites += [site for site, _, component in rows if component == "main" and site.endswith("/debian")]
    if not sites:
        raise AsteriskError(
            "the machine's apt configuration names no Debian archive (component main), so there is no mirror "
            f"to fetch Asterisk from. Install Asterisk {OLDEST_MAJOR} or newer so that `asterisk -V` answers."
        )
    return sites[0]


def _codename() -> str:
    release = Path("/etc/os-release")
    found = re.search(r"^VERSION_CODENAME=(\S+)$", release.read_text() if release.is_file() else "", re.M)
    return found.group(1) if found else "stable"


def _finish(root: Path) -> str:
    """Make the unpacked tree usable and mark it as complete; return the version."""
    loaders = sorted(root.glob("usr/lib*/ld-linux*.so.*")) or sorted(root.glob("usr/lib/*/ld-linux*.so.*"))
    modules = sorted(root.glob("usr/lib/*/asterisk/modules"))
    if not loaders or not modules:
        raise AsteriskError(f"the packages hold no loader or no modules: {loaders} {modules}")
    sounds = root / "usr/share/asterisk/sounds"
    # No maintainer script has run, so nobody made the link from the language to the voice.
    if not (sounds / "en").exists():
        (sounds / "en").symlink_to("en_US_f_Allison")
    libraries = modules[0].parent.parent
    program = (str(loaders[0]), "--library-path", str(libraries), str(root / "usr/sbin/asterisk"))
    version = _version_of(program)
    if not version.startswith("Asterisk "):
        raise AsteriskError(f"the unpacked Asterisk does not tell its version: {version!r}")
    known = {
        "version": version,
        "loader": str(loaders[0].relative_to(root)),
        "libraries": str(libraries.relative_to(root)),
        "modules": str(modules[0].relative_to(root)),
    }
    (root / _FINISHED).write_text(json.dumps(known, indent=2) + "\n")
    return version


def _run(command: list[str], limit_s: float) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise AsteriskError(f"`{' '.join(command)}` did not end within {limit_s:.0f} s") from None
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise AsteriskError(f"`{' '.join(command)}` ended with {done.returncode}:\n{last}")
    return done.stdout


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
