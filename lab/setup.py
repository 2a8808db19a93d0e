"""What `make` sets up: Debian packages, a private Asterisk, the built page. Each step does nothing when it is done."""

from __future__ import annotations

import sys
import time

from lab import asterisk, system, web

PROGRAMS = {"demo": ("espeak-ng", "sox"), "all": ("espeak-ng", "sox", "sipp", "chromium")}


def set_up(what: str) -> None:
    started = time.monotonic()
    print("— Programs")
    system.ensure(PROGRAMS[what])
    print("— Asterisk")
    asterisk.obtain()
    print("— The agents' page")
    web.build()
    print(f"— Ready after {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    set_up(sys.argv[1] if len(sys.argv) > 1 else "all")
