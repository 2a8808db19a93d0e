"""Unpacks Debian's packages of Asterisk into a folder of our own, without root.

What belongs here: talking to apt and dpkg, and making the unpacked tree usable. Which Asterisk is used is
decided in `lab.asterisk`. The mirror, its credentials and proxies are those of the machine's own apt.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["FINISHED", "AsteriskError", "fetch", "locked", "version_of"]

Progress = Callable[[str], None]

OLDEST_MAJOR = 20
SUITE = "forky"
"""The Debian release whose archive has Asterisk 22; bookworm and trixie ship none."""
PACKAGES = ("asterisk", "asterisk-core-sounds-en")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DOWNLOAD_LIMIT_S = 900.0
FINISHED = "callyard-asterisk.json"
"""The file that stands in a folder which is complete."""


class AsteriskError(Exception):
    """No usable Asterisk, or an instance that does not do what was asked; the text says what to do."""


def version_of(program: tuple[str, ...]) -> str:
    """Return what `-V` prints, or a text that begins with `none`."""
    try:
        done = subprocess.run([*program, "-V"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        return f"none: {fault}"
    return done.stdout.strip()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
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


def fetch(base: Path, progress: Progress) -> None:
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
    version = version_of(program)
    if not version.startswith("Asterisk "):
        raise AsteriskError(f"the unpacked Asterisk does not tell its version: {version!r}")
    known = {
        "version": version,
        "loader": str(loaders[0].relative_to(root)),
        "libraries": str(libraries.relative_to(root)),
        "modules": str(modules[0].relative_to(root)),
    }
    (root / FINISHED).write_text(json.dumps(known, indent=2) + "\n")
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
