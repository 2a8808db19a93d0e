"""`make test`: checks, then all tests, the quick ones first; ends with pytest's own line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTS = (
    ("format, lint, types, import contracts", ["make", "--no-print-directory", "check"]),
    (
        "acd and ivr, with every branch taken",
        [
            sys.executable, "-m", "pytest", "-q", "tests/acd", "tests/ivr", "-n", "2",
            "--cov=acd", "--cov=ivr", "--cov-branch", "--cov-fail-under=100", "--cov-report=term-missing:skip-covered",
        ],
    ),
    (
        "everything else, with a real Asterisk, a real browser and a real PostgreSQL",
        [
            sys.executable, "-m", "pytest", "-q", "tests", "--ignore=tests/acd", "--ignore=tests/ivr", "--durations=15",
            # Most of their time these tests wait for callers and time limits, not for a processor.
            "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder",
        ],
    ),
)  # fmt: skip

#: Databases and recordings of the tests go to memory where there is plenty: their files are synced and thrown away.
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 4 << 30


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for everything that the tests write; gone afterwards. Its path is short: sockets lie below it."""
    is_roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES
    folder = Path(tempfile.mkdtemp(prefix="cy-", dir=MEMORY if is_roomy else None))
    folder.chmod(0o755)  # PostgreSQL runs as somebody else
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    for title, command in PARTS:
        print(f"— {title}", flush=True)
        with scratch() as folder:
            place = [f"--basetemp={folder}/t"] if "pytest" in command else []
            environment = {**os.environ, "TMPDIR": str(folder)}
            status = subprocess.run([*command, *place], check=False, env=environment).returncode
        if status != 0:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
