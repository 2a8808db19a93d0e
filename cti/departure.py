"""Ending in time: whoever stops us must not wait for a thread that asks a database which does not answer.

A process that is told to end closes everything in order. What hangs then (a locked database, a program that renders
speech, a proxy that does not close) keeps nothing that matters: every input stands in the journal, records are
written again from there, calls stay in Asterisk. So after a while the process just goes.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


def leave_within(seconds: float, go: Callable[[], None] | None = None) -> threading.Timer:
    """End the process, as if all were closed, unless it has ended by itself by then. `go`: else `os._exit(0)`."""
    timer = threading.Timer(seconds, go or _go)
    timer.daemon = True
    timer.start()
    return timer


def _go() -> None:
    # What else runs: it says what was waited for.
    hanging = sorted(thread.name for thread in threading.enumerate() if thread is not threading.current_thread())
    log.warning("server.left_in_time", hanging=hanging[:20])
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)
