"""Numbers of flows for people: containment, nodes, words, and over REST."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from acd.events import FlowEnded, InteractionArrived
from acd.model import Outcome
from screenpop.db.flow_numbers import Sums
from screenpop.db.store import Store
from screenpop.flow_numbers import FlowNumbers, by_node, by_number, containment, told
from screenpop.footfall import Footfall
from tests.screenpop.office import START, Office, office

S = 1_000_000
VERSION = "0123456789ab"


def test_containment_is_self_served_of_all_that_are_over_and_were_not_refused() -> None:
    found = containment(
        [
            ("main", "+1", "self_served", 6),
            ("main", "+1", "served", 2),
            ("main", "+2", "abandoned_in_flow", 1),
            ("main", "+2", "voicemail", 1),
            ("main", "+2", "lost", 2),
            ("main", "+2", "refused", 50),
        ]
    )
    assert (found.calls, found.contained, found.rate) == (12, 6, 0.5)
    assert containment([("main", "+1", "refused", 3)]).rate is None


def test_containment_of_each_number() -> None:
    endings = [("main", "+1", "self_served", 1), ("main", "+2", "served", 3), ("main", "+3", "refused", 9)]
    endings.append(("main", "+1", "served", 1))
    assert [(each.number, each.calls, each.rate) for each in by_number(endings)] == [("+2", 3, 0.0), ("+1", 2, 0.5)]


def test_a_node_is_the_sum_of_its_steps_and_entered_where_it_begins() -> None:
    sums = {
        ("main", "door:10"): Sums(entered=1, hung_up=1, stayed_us=4),
        ("main", "door:2.1:0"): Sums(entered=2, timed_out=1),
        ("main", "door:0"): Sums(entered=5, left=4, invalid=2, stayed_us=6, ways={"next": 4}),
        ("other", "door:0"): Sums(entered=99),
    }
    (door, gone) = by_node("main", sums, {("main", "gone:1"): 2, ("other", "x:0"): 9, ("main", "door:0"): 1})
    assert [step.step for step in door.steps] == ["door:0", "door:2.1:0", "door:10"]
    assert (door.entered, door.hung_up, door.timed_out, door.invalid, door.stayed_us, door.now) == (5, 1, 1, 2, 10, 1)
    assert (gone.node, gone.entered, gone.now) == ("gone", 0, 2)


def test_words_for_people() -> None:
    endings = [("main", "+49", "self_served", 1), ("main", "+49", "served", 3)]
    numbers = FlowNumbers(
        flow="main",
        since=0,
        until=1,
        version="",
        versions=(),
        containment=containment(endings),
        numbers=by_number(endings),
        nodes=by_node("main", {("main", "door:0"): Sums(4, 3, 1, 2, 5, 10 * S, {"keys.1": 3})}, {}),
    )
    assert told(numbers) == [
        "main: 4 calls over, 25.0% self-served without an agent",
        "  called as +49: 4 calls over, 25.0% self-served without an agent",
        "door: entered 4, 2.5 s each, hung up here 1, time-outs 2, invalid keys 5",
        "  door:0: entered 4, 2.5 s each, hung up here 1, time-outs 2, invalid keys 5",
        "    keys.1: 3",
    ]
    empty = numbers.model_copy(update={"containment": containment([]), "numbers": (), "nodes": by_node("main", {}, {})})
    assert told(empty) == ["main: 0 calls over"]


# --- over REST --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    depth: int
    text: str
    leads: bool
    step: str


@dataclass(frozen=True)
class Arrow:
    labels: tuple[str, ...]
    target: str
    ways: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Box:
    id: str
    title: str
    is_other: bool = False
    lines: tuple[Line, ...] = ()
    arrows: tuple[Arrow, ...] = ()


class OneFlow:
    """One flow with one menu."""

    version = VERSION

    def titles(self) -> Mapping[str, str]:
        return {"main": "Front <door>"}

    def size(self, flow: str) -> int:
        return 1

    def graph(self, flow: str) -> Sequence[Box]:
        arrow = Arrow(("1",), "flow other", (("door:0", "keys.1"),))
        return (
            Box("door", "door", lines=(Line(0, "menu: Hello", False, "door:0"),), arrows=(arrow,)),
            Box("flow other", "flow other", is_other=True),
        )

    def today(self) -> int:
        return START - START % (24 * 3_600 * S)


@pytest.fixture
async def counted(sqlite_store: Store) -> AsyncIterator[tuple[Office, Footfall]]:
    async with Footfall(sqlite_store, lambda: START, interval_s=0.0) as footfall:
        async with office(sqlite_store, flows=OneFlow(), footfall=footfall) as opened:
            yield opened, footfall


async def test_a_supervisor_sees_flows_graph_and_numbers(counted: tuple[Office, Footfall]) -> None:
    opened, footfall = counted
    for name, outcome in (("i1", Outcome.SELF_SERVED), ("i2", Outcome.LOST)):
        opened.desk.submit(InteractionArrived(name, "+4930901820", "+49301234567", "main"))
        opened.desk.submit(FlowEnded(name, outcome))
    spot = (VERSION + "cdef", "main", "door:0")
    footfall.enter(spot, START)
    footfall.move(None, spot)
    footfall.leave(spot, START, "keys.1", 2 * S)
    await footfall.flush()
    await opened.records.flush()
    client = await opened.client("susi")
    contained = {"calls": 2, "contained": 1, "rate": 0.5}
    assert (await client.get("/api/flows")).json() == [
        {
            "flow": "main", "title": "Front <door>", "version": VERSION, "nodes": 1, "now": 1,
            "containment": contained,
        }
    ]  # fmt: skip
    graph = (await client.get("/api/flows/main/graph")).json()
    assert [(node["id"], node["is_start"], node["is_flow"]) for node in graph["nodes"]] == [
        ("door", True, False),
        ("flow other", False, True),
    ]
    assert graph["nodes"][0]["lines"] == [{"step": "door:0", "depth": 0, "text": "menu: Hello", "leads": False}]
    assert graph["edges"] == [
        {
            "source": "door", "target": "flow other", "labels": ["1"], "ways": [{"step": "door:0", "way": "keys.1"}],
        }
    ]  # fmt: skip
    numbers = (await client.get("/api/flows/main/numbers")).json()
    assert numbers["containment"] == contained
    assert numbers["numbers"] == [{"number": "+49301234567", **contained}]
    assert (numbers["versions"], numbers["version"], numbers["since"]) == ([VERSION], "", OneFlow().today())
    (door,) = numbers["nodes"]
    assert (door["entered"], door["now"], door["stayed_us"]) == (1, 1, 2 * S)
    assert door["steps"][0]["left"] == {"keys.1": 1}


async def test_the_time_asked_for_is_drawn_to_the_quarter_of_an_hour(counted: tuple[Office, Footfall]) -> None:
    opened, footfall = counted
    footfall.enter((VERSION, "main", "door:0"), START)
    await footfall.flush()
    client = await opened.client("susi")
    within = (await client.get(f"/api/flows/main/numbers?since={START + 1}")).json()
    assert within["nodes"][0]["entered"] == 1
    before = (await client.get(f"/api/flows/main/numbers?since=0&until={START - 900 * S}")).json()
    assert before["nodes"] == []
    other = (await client.get("/api/flows/main/numbers?version=ffffffffffff")).json()
    assert other["nodes"] == []


async def test_unknown_flows_and_wrong_values_are_told(counted: tuple[Office, Footfall]) -> None:
    opened, _ = counted
    client = await opened.client("susi")
    for place in ("graph", "numbers"):
        answer = await client.get(f"/api/flows/mian/{place}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "expected one of main" in answer.text
    for query in ("since=-1", "since=yesterday", "version=../x"):
        assert (await client.get(f"/api/flows/main/numbers?{query}")).status_code == 422


async def test_agents_may_not_and_nobody_without_signing_in(counted: tuple[Office, Footfall]) -> None:
    opened, _ = counted
    agent, stranger = await opened.client("maria"), await opened.client()
    for place in ("/api/flows", "/api/flows/main/graph", "/api/flows/main/numbers"):
        assert (await agent.get(place)).status_code == 403
        assert (await stranger.get(place)).status_code == 401


async def test_a_server_without_flows_says_so(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        client = await opened.client("susi")
        assert (await client.get("/api/flows")).status_code == 404
