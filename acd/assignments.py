"""One interaction in one agent's hands: offered, connected, wrap-up, each with its own deadline."""

from __future__ import annotations

from dataclasses import dataclass

from acd.model import AssignmentState


@dataclass(slots=True)
class Assignment:
    """Mutable, private to the engine.

    `talk_id` is the offer's id, or the id of an adopted talk. `since`: when the present state began.
    `deadline`: when an offer expires or a wrap-up times out; 0 during a talk.
    `wrap_up_us` and `wrap_up_most_us` are what the queue asked for when the offer was made, `most` how many of the
    medium the agent could hold then: new rules touch nobody who talks.
    """

    interaction_id: str
    talk_id: str
    queue: str
    medium: str
    state: AssignmentState
    since: int
    deadline: int
    wrap_up_us: int
    wrap_up_most_us: int = 0
    most: int = 1

    def connect(self, now: int) -> None:
        """Agent and caller share a bridge."""
        self.state, self.since, self.deadline = AssignmentState.CONNECTED, now, 0

    def wrap_up(self, now: int) -> None:
        """The bridge ended; the work after the call begins."""
        self.state, self.since, self.deadline = AssignmentState.WRAP_UP, now, now + self.wrap_up_us

    @property
    def latest(self) -> int:
        """How late a wrap-up may end, extended as far as it goes; 0 when this is none."""
        if self.state is not AssignmentState.WRAP_UP:
            return 0
        return max(self.deadline, self.since + self.wrap_up_most_us)

    def extend(self, by_us: int) -> bool:
        """Move the end of the wrap-up, no further than the most; False when it cannot move."""
        latest = min(self.deadline + by_us, self.latest)
        if latest <= self.deadline:
            return False
        self.deadline = latest
        return True
