"""`make test`: checks, then all tests, the quick ones first; ends with pytest's own line."""

from __future__ import annotations

import subprocess
import sys

PARTS = (
    ("format, lint, types, import contracts", ["make", "--no-print-directory", "check"]),
    (
        "acd and ivr, with every branch taken",
        [
            sys.executable, "-m", "pytest", "-q", "tests/acd", "tests/ivr",
            "--cov=acd", "--cov=ivr", "--cov-branch", "--cov-fail-under=100", "--cov-report=term-missing:skip-covered",
        ],
    ),
    (
        "everything else, with a real Asterisk, a real browser and a real PostgreSQL",
        [
            sys.executable, "-m", "pytest", "-q", "tests", "--ignore=tests/acd", "--ignore=tests/ivr", "--durations=15",
            # Most of their time these tests wait for callers and time limits, not for a processor.
            "-n", "3", "--dist", "loadfile",
        ],
    ),
)  # fmt: skip


def main() -> int:
    for title, command in PARTS:
        print(f"— {title}", flush=True)
        status = subprocess.run(command, check=False).returncode
        if status != 0:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
