"""`make soak`: the property tests, `EFFORT` times what `make test` tries, and the engine against theory in full."""

from __future__ import annotations

import os
import subprocess
import sys

FILES = ("tests/acd/test_properties.py", "tests/ivr/test_properties.py", "tests/rehearsal/test_cases.py")
LIMIT_S = 4 * 3600


def main() -> int:
    effort = os.environ.get("EFFORT", "20")
    if not effort.isdigit() or int(effort) < 1:
        print(f"EFFORT: expected a whole number from 1, got {effort!r}")
        return 2
    command = [sys.executable, "-m", "pytest", "-q", "--timeout", str(LIMIT_S), *FILES]
    print(f"— property tests, {effort} times what make test tries", flush=True)
    return subprocess.run(command, check=False, env={**os.environ, "CALLYARD_LAB_EFFORT": effort}).returncode


if __name__ == "__main__":
    sys.exit(main())
