"""A process that cannot end by itself ends all the same, in time and with 0."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from cti.departure import leave_within

HANGS = """
import threading
from cti.departure import leave_within
leave_within(0.3)
print("told", flush=True)
threading.Thread(target=threading.Event().wait, name="asks for ever").start()
"""


def test_a_process_that_hangs_goes_in_time_and_says_on_what() -> None:
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0
    assert time.monotonic() - began < 10
    assert "asks for ever" in done.stdout + done.stderr
    assert done.stdout.startswith("told\n")


def test_it_may_be_called_off() -> None:
    gone = threading.Event()
    timer = leave_within(0.01, gone.set)
    assert gone.wait(5)
    timer = leave_within(60, gone.set)
    assert timer.daemon, "it never keeps the process itself"
    timer.cancel()
    timer.join(5)
    assert not timer.is_alive()
