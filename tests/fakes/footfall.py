"""Counts what calls do at the steps of flows, in memory (cti.ports.Footfall)."""

from __future__ import annotations

from collections import Counter

from cti.ports import Spot


class FakeFootfall:
    """`told`: (what, step, way out or how a key was missed) in order; `standing`: step → callers there now."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.stayed: list[tuple[str, int]] = []
        self.standing: Counter[str] = Counter()
        self.spots: set[tuple[str, str]] = set()

    def move(self, before: Spot | None, after: Spot | None) -> None:
        if before is not None:
            self.standing[before[2]] -= 1
        if after is not None:
            self.standing[after[2]] += 1
            self.spots.add(after[:2])
        self.standing += Counter()

    def enter(self, spot: Spot, at: int) -> None:
        self.told.append(("entered", spot[2], ""))

    def leave(self, spot: Spot, at: int, way: str, stayed_us: int) -> None:
        self.told.append(("left", spot[2], way))
        self.stayed.append((spot[2], stayed_us))

    def miss(self, spot: Spot, at: int, *, timed_out: bool) -> None:
        self.told.append(("missed", spot[2], "timed out" if timed_out else "invalid"))

    def hang_up(self, spot: Spot, at: int, stayed_us: int) -> None:
        self.told.append(("hung up", spot[2], ""))
        self.stayed.append((spot[2], stayed_us))
