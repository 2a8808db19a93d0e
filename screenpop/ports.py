"""What the web side needs of the routing side, as Protocols; `cti.main` hands in the real thing."""

from __future__ import annotations

from typing import Protocol

from acd.events import Event
from acd.snapshot import Board


class Desk(Protocol):
    """The routing engine as a screen sees it. Both calls run on the event loop and never wait."""

    def submit(self, event: Event) -> None:
        """Hand an event to the engine; its facts come back through `Live.publish`."""
        ...

    def board(self) -> Board:
        """Queues, agents and open interactions now."""
        ...

    def now(self) -> int:
        """The engine's clock: microseconds UTC."""
        ...

    def health(self) -> dict[str, object]:
        """`ready` (bool), `why_not` (list of words) and details of the links."""
        ...
