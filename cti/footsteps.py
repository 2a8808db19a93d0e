"""One call's way through the steps of its flows, told with times to who counts (`cti.ports.Footfall`).

A call that another process had before goes on at its step: it does not enter it a second time, and the time before
is not known.
"""

from __future__ import annotations

from collections.abc import Callable

from acd.commands import InteractionClosed
from acd.model import Outcome
from cti.ports import Footfall, Spot
from ivr.steps import Enqueue, Instruction, RecordMessage, Transfer
from ivr.trail import Entered, Happening, Left, Missed

#: The way out where the call ended with what the step is for: a talk, a message, a promise to call back.
COMPLETED = "completed"
#: What a caller who hangs up during an instruction has come to, by how the interaction ended.
_COMPLETES = {Enqueue: Outcome.SERVED, Transfer: Outcome.TRANSFERRED_OUT, RecordMessage: Outcome.VOICEMAIL}


class NoFootfall:
    """Nobody counts."""

    def move(self, before: Spot | None, after: Spot | None) -> None: ...
    def enter(self, spot: Spot, at: int) -> None: ...
    def leave(self, spot: Spot, at: int, way: str, stayed_us: int) -> None: ...
    def miss(self, spot: Spot, at: int, *, timed_out: bool) -> None: ...
    def hang_up(self, spot: Spot, at: int, stayed_us: int) -> None: ...


class Footsteps:
    """`now`: microseconds UTC that never run back."""

    def __init__(self, footfall: Footfall, version: str, now: Callable[[], int]) -> None:
        self._footfall = footfall
        self._version = version
        self._now = now
        self._here: Spot | None = None
        self._since = 0
        self._stopped_at = 0

    def follow(self, happenings: list[Happening], *, gone: bool = False) -> None:
        """Tell what happened, and clear it. What a flow does once its caller is `gone` is nothing that a caller does:
        they stay where they were, until `end`."""
        at = self._now()
        for each in () if gone and self._here is not None else happenings:
            spot = (self._version, each.flow, each.step)
            match each:
                case Entered(again=again):
                    if not again:
                        self._footfall.enter(spot, at)
                    self._stand(spot, at)
                case Left(way=way):
                    self._footfall.leave(spot, at, way, self._stayed(spot, at))
                    self._stand(None, at)
                case Missed(timed_out=timed_out):
                    self._footfall.miss(spot, at, timed_out=timed_out)
        happenings.clear()

    def stop(self) -> None:
        """Nothing is asked of the call any more; who follows says whether it is over."""
        self._stopped_at = self._now()

    def end(self, instruction: Instruction | None, closed: InteractionClosed | None, *, is_promised: bool) -> None:
        """The call is over, with this instruction under way."""
        if self._here is None:
            return
        at = self._stopped_at or self._now()
        spot, stayed_us = self._here, self._stayed(self._here, at)
        wanted = _COMPLETES.get(type(instruction)) if instruction is not None else None
        if is_promised or (closed is not None and closed.outcome is wanted):
            self._footfall.leave(spot, at, COMPLETED, stayed_us)
        else:
            self._footfall.hang_up(spot, at, stayed_us)
        self._stand(None, at)

    def vanish(self) -> None:
        """The call is in other hands, or in none: it stands nowhere here."""
        self._stand(None, self._now())

    def _stand(self, spot: Spot | None, at: int) -> None:
        if spot != self._here:
            self._footfall.move(self._here, spot)
        self._here, self._since = spot, at

    def _stayed(self, spot: Spot, at: int) -> int:
        return at - self._since if spot == self._here else 0
