"""Questions to the journal while the server runs: one at a time, in a thread that keeps out of the loop's way."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import structlog

from acd.why import Why
from cti.errors import CtiError
from cti.replay import explain

log = structlog.get_logger(__name__)

#: So many may wait for their turn; more are turned away.
MOST_WAITING = 4
#: A pause between pieces of a replay, in which the loop has the interpreter for itself.
BREATH_S = 0.002


class JournalInquiry:
    """Why, from the server's own journal (`screenpop.ports.Inquiry`); `limit_s` bounds a question with its turn."""

    def __init__(self, folder: Path, *, limit_s: float = 30.0) -> None:
        self._folder = folder
        self._limit_s = limit_s
        self._turn = asyncio.Lock()
        self._asking = 0

    async def why(self, wanted: str) -> Why | None:
        """None for what the journal does not know; TimeoutError when too many ask or it takes too long."""
        if self._asking > MOST_WAITING:
            raise TimeoutError(f"{self._asking} ask already")
        self._asking += 1
        gave_up = threading.Event()
        try:
            async with asyncio.timeout(self._limit_s), self._turn:
                return await asyncio.to_thread(self._explain, wanted, gave_up)
        finally:
            gave_up.set()
            self._asking -= 1

    def _explain(self, wanted: str, gave_up: threading.Event) -> Why | None:
        def breathe() -> None:
            if gave_up.is_set():
                raise TimeoutError
            time.sleep(BREATH_S)

        try:
            return explain(self._folder, wanted, breathe).why
        except CtiError as error:
            log.info("why.not_told", error=str(error))
            return None
