"""`make soak`: 1,000,000 events through the engine's state machine, each judged by the naive account of its rules; the
property tests, `EFFORT` times what `make test` tries; and the engine against theory in full.

`EVENTS=1000000` and `EFFORT=20` choose how long; `python -m lab.soak events` runs the first part alone.
"""

from __future__ import annotations

import os
import subprocess
import sys

WALK = "tests/acd/test_soak.py"
FILES = ("tests/acd/test_properties.py", "tests/ivr/test_properties.py", "tests/rehearsal/test_cases.py")
LIMIT_S = 4 * 3600


def main() -> int:
    chosen = {name: os.environ.get(name, usual) for name, usual in (("EVENTS", "1000000"), ("EFFORT", "20"))}
    for name, number in chosen.items():
        if not number.isdigit() or int(number) < 1:
            print(f"{name}: expected a whole number from 1, got {number!r}")
            return 2
    print(f"— {int(chosen['EVENTS']):,} events through the state machine", flush=True)
    status = tests([WALK], CALLYARD_LAB_EVENTS=chosen["EVENTS"])
    if "events" not in sys.argv[1:]:
        print(f"— property tests, {chosen['EFFORT']} times what make test tries, and theory", flush=True)
        status = tests(list(FILES), CALLYARD_LAB_EFFORT=chosen["EFFORT"]) or status
    return status


def tests(files: list[str], **environment: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "--timeout", str(LIMIT_S), *files]
    return subprocess.run(command, check=False, env={**os.environ, **environment}).returncode


if __name__ == "__main__":
    sys.exit(main())
