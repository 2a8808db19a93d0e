"""What systemd is told of us, over the socket that it names (`Type=notify`, `WatchdogSec=`).

Only what is true: READY once calls can be taken, WATCHDOG from the event loop itself, so that a loop which does not
turn sends none and systemd starts us anew. Without `NOTIFY_SOCKET` nothing is told.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping

import structlog

log = structlog.get_logger(__name__)

#: Without a watchdog the status is told this often.
_STATUS_EVERY_S = 10.0


class ServiceManager:
    """`environment`: where systemd says what it expects. A socket that cannot be reached is logged once."""

    def __init__(self, environment: Mapping[str, str] | None = None, pid: int | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog_s = watchdog_s(environment, os.getpid() if pid is None else pid)
        self._has_complained = False

    @property
    def listens(self) -> bool:
        return bool(self._address)

    @property
    def every_s(self) -> float:
        """How often it is told that the loop turns: twice in the time after which it would lose patience."""
        return self._watchdog_s / 2 if self._watchdog_s else _STATUS_EVERY_S

    def tell(self, **words: str | int) -> None:
        """Send `WORD=value` lines in one message; never waits."""
        if not self._address:
            return
        message = "\n".join(f"{word.upper()}={' '.join(str(value).split())}" for word, value in words.items())
        # A first sign of @ stands for the abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            ) as sender:
                sender.sendto(message.encode(), address)
        except OSError as error:
            if not self._has_complained:
                log.warning("service_manager.unreachable", error=str(error))
            self._has_complained = True

    def ready(self) -> None:
        self.tell(ready=1, status="serving")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        self.tell(reloading=1, monotonic_usec=time.monotonic_ns() // 1000, status="reading people and site")

    def stopping(self) -> None:
        self.tell(stopping=1, status="calls stay in Asterisk")

    async def keep_told(self, status: Callable[[], str]) -> None:
        """Say again and again that the loop turns, and what `status()` says, until cancelled."""
        while self.listens:
            self.tell(watchdog=1, status=status())
            await asyncio.sleep(self.every_s)


def watchdog_s(environment: Mapping[str, str], pid: int) -> float:
    """How long systemd waits for a sign of life; 0: it does not, or waits for another process."""
    told = environment.get("WATCHDOG_USEC", "")
    if not told.isascii() or not told.isdecimal() or environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    return int(told) / 1_000_000
