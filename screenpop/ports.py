"""What the web side needs of the routing side, as Protocols; `cti.main` hands in the real thing."""

from __future__ import annotations

from typing import Protocol

from acd.events import Event
from acd.snapshot import Board
from acd.why import Why


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


class Inquiry(Protocol):
    """Answers that take a while, because the journal is replayed for them; it is no part of the desk."""

    async def why(self, wanted: str) -> Why | None:
        """Why this offer (`<interaction>/<n>`) was made, or why this interaction waits or was offered last; None
        when the journal does not know it. Raises TimeoutError when too many ask, or when it takes too long."""
        ...
