"""What the commands that play on a whole world share: how they are stopped, and what may go wrong."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from lab.asterisk import AsteriskError
from lab.sipp import SippError
from lab.system import MissingProgramError

Result = TypeVar("Result")

#: What a world, SIPp or a missing program raises; a command says it and ends.
FAULTS = (AsteriskError, MissingProgramError, RuntimeError, SippError, TimeoutError)


async def cancelled_by_signals(work: Coroutine[Any, Any, Result]) -> Result:
    """Do the work; Ctrl-C and SIGTERM cancel it, so that everything is stopped in order."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    return await work
