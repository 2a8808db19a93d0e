"""Which faults a run of chaos has, and when: drawn from a seed, so that a run can be repeated."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

KILLS, STOPS, LINK_FAULTS, RELOADS = 22, 6, 54, 3
DATABASE_AWAY_S = 60.0
#: The first and the last part of a run have no faults of their own: calls begin, and what is left is told.
_BEGIN_S, _END_S = 10.0, 20.0


class FaultKind(StrEnum):
    """What is done to the server, its link, its database, or to Asterisk's configuration."""

    KILL = "kill"
    STOP = "stop"
    CUT = "cut"
    DROP = "drop"
    DEAF = "deaf"
    STALL = "stall"
    TRUNCATE = "truncate"
    STAMMER = "stammer"
    FLOOD = "flood"
    DATABASE = "database"
    RELOAD = "reload"


#: The faults of the link, by how long they last.
_LINK_S: dict[FaultKind, tuple[float, float]] = {
    FaultKind.CUT: (0.2, 5.0),
    FaultKind.DROP: (0.0, 0.0),
    FaultKind.DEAF: (2.0, 12.0),
    FaultKind.STALL: (2.0, 10.0),
    FaultKind.TRUNCATE: (0.0, 0.0),
    FaultKind.STAMMER: (1.0, 10.0),
    FaultKind.FLOOD: (0.0, 0.0),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: seconds since the first call, how long it lasts (a kill: until the server is started again)."""

    at_s: float
    kind: FaultKind
    lasts_s: float


def draw_faults(seed: int, minutes: float) -> dict[str, list[Fault]]:
    """The faults of each lane (`server`, `link`, `database`, `asterisk`), by time; lanes overlap, a lane never does.

    The counts are those of 15 minutes, and shrink with shorter runs; a run shorter than four minutes has its database
    away for a quarter of it.
    """
    chance = random.Random(seed)
    length_s = minutes * 60 - _BEGIN_S - _END_S
    share = min(1.0, minutes / 15)

    def spread(kinds: list[FaultKind]) -> list[Fault]:
        chance.shuffle(kinds)
        slot_s = length_s / max(1, len(kinds))
        return [
            Fault(_BEGIN_S + (place + chance.random() * 0.4) * slot_s, kind, _lasts(chance, kind, slot_s * 0.55))
            for place, kind in enumerate(kinds)
        ]

    def shrunk(count: int) -> int:
        return max(1, round(count * share))

    links = [kind for kind in _LINK_S for _ in range(-(-shrunk(LINK_FAULTS) // len(_LINK_S)))]
    away_s = min(DATABASE_AWAY_S, length_s / 4)
    return {
        "server": spread([FaultKind.KILL] * shrunk(KILLS) + [FaultKind.STOP] * shrunk(STOPS)),
        "link": spread(links),
        "database": [Fault(_BEGIN_S + chance.random() * (length_s - away_s), FaultKind.DATABASE, away_s)],
        "asterisk": spread([FaultKind.RELOAD] * shrunk(RELOADS)),
    }


def _lasts(chance: random.Random, kind: FaultKind, most_s: float) -> float:
    match kind:
        case FaultKind.KILL:
            return min(most_s, chance.choice((0.0, 0.0, chance.uniform(0.2, 4.0))))
        case FaultKind.STOP:
            return min(most_s, chance.uniform(2.0, 9.0))
        case FaultKind.DATABASE | FaultKind.RELOAD:
            return 0.0
        case _:
            return min(most_s, chance.uniform(*_LINK_S[kind]))
