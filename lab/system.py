"""Programs of the system that demo and tests need, installed by apt where they are missing.

What belongs here: Debian's package for each program, and asking apt for it. Asterisk is not among them
(`lab.asterisk`): it is unpacked into a folder of our own.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["MissingProgramError", "ensure", "missing"]

PACKAGES = {
    "chromium": "chromium",
    "espeak-ng": "espeak-ng",
    "sipp": "sip-tester",
    "sox": "sox",
}
LOCK_WAIT_S = 180
INSTALL_LIMIT_S = 900.0
_LISTS = Path("/var/lib/apt/lists")


class MissingProgramError(Exception):
    """A program is missing and could not be installed; the text names the command to run."""


def missing(programs: Sequence[str]) -> list[str]:
    """Return those of `programs` that are not on PATH; an unknown name is an error."""
    unknown = [name for name in programs if name not in PACKAGES]
    if unknown:
        raise MissingProgramError(f"unknown program {', '.join(unknown)}, expected some of {', '.join(PACKAGES)}")
    return [name for name in programs if shutil.which(name) is None]


def ensure(programs: Sequence[str], progress: Callable[[str], None] = print) -> None:
    """Install what is missing of `programs` with apt-get; nothing is done when all are there.

    Needs root and apt-get; else MissingProgramError names the command. A lock held by another apt or dpkg is
    waited for, at most LOCK_WAIT_S seconds.
    """
    lacking = missing(programs)
    if not lacking:
        return
    packages = [PACKAGES[name] for name in lacking]
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    wish = f"missing: {', '.join(lacking)}. Run as root: {' '.join(command)}"
    if shutil.which("apt-get") is None:
        raise MissingProgramError(f"missing: {', '.join(lacking)}, and there is no apt-get to install it with")
    if os.geteuid() != 0:
        raise MissingProgramError(wish)
    if not any(_LISTS.glob("*_Packages*")):
        progress("apt: reading the package lists")
        _apt_get(["update"], wish)
    progress(f"apt: installing {', '.join(packages)}")
    try:
        _apt_get(command[1:], wish)
    except MissingProgramError:
        # Lists older than the mirror name packages that it no longer has.
        progress("apt: reading the package lists again")
        _apt_get(["update"], wish)
        _apt_get(command[1:], wish)
    left = missing(programs)
    if left:
        raise MissingProgramError(f"apt-get installed {', '.join(packages)}, but {', '.join(left)} is not on PATH")


def _apt_get(arguments: Sequence[str], wish: str) -> None:
    command = ["apt-get", "-q", "-o", f"DPkg::Lock::Timeout={LOCK_WAIT_S}", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise MissingProgramError(f"{wish}\n(it did not end within {INSTALL_LIMIT_S:.0f} s)") from None
        if done.returncode == 0:
            return
        # DPkg::Lock::Timeout does not cover the lock on the package lists that `update` takes.
        if "Could not get lock" not in done.stderr or time.monotonic() > deadline:
            break
        time.sleep(1)
    told = "\n".join((done.stdout + done.stderr).strip().splitlines()[-6:])
    raise MissingProgramError(f"{wish}\napt-get said:\n{told}")


def main() -> int:
    """Install missing programs: `python -m lab.system ensure sipp chromium`."""
    parser = argparse.ArgumentParser(prog="python -m lab.system", description=main.__doc__)
    parser.add_argument("order", choices=["ensure"])
    parser.add_argument("programs", nargs="+")
    chosen = parser.parse_args()
    try:
        ensure(chosen.programs)
    except MissingProgramError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
