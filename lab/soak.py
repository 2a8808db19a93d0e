"""`make soak`: 1,000,000 events through the engine's state machine, each judged by the naive account of its rules; the
property tests, `EFFORT` times what `make test` tries; the engine against theory in full; hostile input (`lab.fuzz`).

`EVENTS=1000000` and `EFFORT=20` choose how long; `MINUTES=20` how long hostile input goes on, or `INPUTS=1000000` how
much there is of it, and `SEED=1` which. Then the simulation of crashes (`lab.simulation`) for as many `MINUTES`.
`python -m lab.soak events`, `… properties`, `… fuzz` and `… simulation` run one part alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

WALK = "tests/acd/test_soak.py"
FILES = ("tests/acd/test_properties.py", "tests/ivr/test_properties.py", "tests/rehearsal/test_cases.py")
LIMIT_S = 4 * 3600


#: Shares of the inputs, and of the time: what is read fastest is read most, what is slowest is given most time.
INPUT_SHARES = {"ami": 0.78, "agi": 0.08, "desk": 0.1, "rest": 0.03, "yaml": 0.01}
TIME_SHARES = {"ami": 0.45, "agi": 0.15, "desk": 0.15, "rest": 0.1, "yaml": 0.15}


def main() -> int:
    usual = (("EVENTS", "1000000"), ("EFFORT", "20"), ("MINUTES", "20"), ("INPUTS", "0"), ("SEED", "1"))
    chosen = {name: os.environ.get(name) or default for name, default in usual}
    for name, number in chosen.items():
        if not number.isdigit() or int(number) < (name != "INPUTS"):
            print(f"{name}: expected a whole number from 1, got {number!r}")
            return 2
    parts = sys.argv[1:] or ["events", "properties", "fuzz", "simulation"]
    status = 0
    if "events" in parts:
        print(f"— {int(chosen['EVENTS']):,} events through the state machine", flush=True)
        status = tests([WALK], CALLYARD_LAB_EVENTS=chosen["EVENTS"])
    if "properties" in parts:
        print(f"— property tests, {chosen['EFFORT']} times what make test tries, and theory", flush=True)
        status = tests(list(FILES), CALLYARD_LAB_EFFORT=chosen["EFFORT"]) or status
    if "fuzz" in parts:
        print("— hostile input", flush=True)
        schema = [sys.executable, "-m", "lab.fuzz_schema", f"--examples={chosen['EFFORT']}", f"--seed={chosen['SEED']}"]
        status = subprocess.run(schema, check=False).returncode or status
        status = fuzz(int(chosen["INPUTS"]), int(chosen["MINUTES"]), int(chosen["SEED"])) or status
    if "simulation" in parts:
        print("— crashes at any instant, simulated", flush=True)
        command = [sys.executable, "-m", "lab.simulation.street", "--minutes", chosen["MINUTES"]]
        status = subprocess.run(command, check=False).returncode or status
    return status


def fuzz(inputs: int, minutes: int, seed: int) -> int:
    """Each subject in a process of its own, so that its memory is its own; the last line counts all together."""
    status = 0
    told: list[dict[str, Any]] = []
    for name in TIME_SHARES:
        share = [f"--inputs={round(inputs * INPUT_SHARES[name])}", f"--minutes={minutes * TIME_SHARES[name]}"]
        command = [sys.executable, "-m", "lab.fuzz", name, f"--seed={seed}", *share]
        ran = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        *lines, last = ran.stdout.splitlines() or [""]
        print("\n".join(lines), flush=True)
        told += json.loads(last)["subjects"] if last.startswith("{") else []
        status = ran.returncode or status
    seconds = sum(each["seconds"] for each in told)
    count = sum(each["inputs"] for each in told)
    failures = sum(each["failures"] for each in told)
    print(json.dumps({"inputs": count, "inputs_a_second": round(count / max(seconds, 1)), "failures": failures}))
    return status


def tests(files: list[str], **environment: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "--timeout", str(LIMIT_S), *files]
    return subprocess.run(command, check=False, env={**os.environ, **environment}).returncode


if __name__ == "__main__":
    sys.exit(main())
