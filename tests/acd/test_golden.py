"""Days whose rows are known: what a report must have of each, to the second, judged from facts only.

The scenarios are those of Cisco's record tables (UCCX Report Developer Guide 12.5, p. 13 ff.: per scenario the rows
written to each table) and of Wazo's relaxation of skills (skillbasedrouting.rst, scenarios 1 and 2), in our own terms
and with our own answers. Each day ends with everybody signed out, so that every tile is closed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from acd.commands import Command, OfferInteraction
from acd.engine import Engine
from acd.invariants import check
from tests.acd.records import HEADS, read, rows, text
from tests.acd.table import SECOND, START, configuration, events, load

TABLES = sorted((Path(__file__).parent / "golden").glob("*.yaml"))


def played(path: Path) -> list[Command]:
    day = load(path)
    engine = Engine(configuration(day), START)
    told: list[Command] = []
    for row in day["steps"]:
        for event in events(row):
            told += engine.handle(event, START + round(row["at"] * SECOND))
            assert check(engine) == ()
    assert dict(engine.counts) == day.get("counted", {})
    return told


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_rows(path: Path) -> None:
    day = load(path)
    found = rows(played(path), START)
    for name, head in HEADS.items():
        written = read(day["rows"].get(name, " ".join(head)))
        assert written[0] == head, f"{path.name}: {name}"
        assert found[name] == written[1:], f"{path.name}: {name}: the day gave\n{text(name, found[name])}"
    assert set(day["rows"]) <= set(HEADS)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_sums(path: Path) -> None:
    """What every report adds up: visits of an interaction follow each other, each answered visit has one accepted
    offer and one talk, and each agent's tiles leave no gap."""
    told = played(path)
    found = rows(told, START)
    visits = {row[0]: row for row in found["visits"]}
    accepted = [row for row in found["offers"] if row[6] == "accepted"]
    answered = [row for row in found["visits"] if row[5] == "answered"]
    assert len(answered) == len(accepted) == len(found["talks"])
    for row in found["offers"]:
        visit = visits[row[1]]
        assert float(visit[3]) <= float(row[4]) <= float(row[5]) <= float(visit[4])
    for row in found["visits"]:
        assert row[0].partition("#")[0] in {each[0] for each in found["interactions"]}
    ends: dict[str, str] = {}
    for agent, _, _, start, end in found["tiles"]:
        assert ends.get(agent, "0") == start
        ends[agent] = end
    assert sum(isinstance(each, OfferInteraction) for each in told) == len(found["offers"])


def test_there_are_days() -> None:
    assert len(TABLES) >= 14
