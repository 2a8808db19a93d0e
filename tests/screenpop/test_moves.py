"""Temporary moves: ordered over REST or by a command, kept in the table, told to the engine once, and ended."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from acd.events import AgentMoveCancelled, AgentMoved, ClockReached, ConfigurationChanged, Event
from acd.model import AgentProfile, Configuration, MoveState, QueueRules
from acd.snapshot import board
from screenpop.db.store import Store
from screenpop.db.tables import audit
from screenpop.errors import InvalidRequestError
from screenpop.moves import KIND, Moves, MovesHeeded, WantedMove
from screenpop.orders import NewOrder, Order, OrderBook
from tests.acd.desk import SITE, Desk
from tests.screenpop.office import START, Office, office

HOUR = 3_600_000_000
MOVE = {"agent": "maria", "add": ["support"], "remove": ["billing"], "ends_at": START + HOUR, "reason": "ill"}


@pytest.fixture
async def opened(sqlite_store: Store) -> AsyncIterator[Office]:
    async with office(sqlite_store) as running:
        yield running


def queues_of(opened: Office, agent_id: str) -> tuple[str, ...]:
    (found,) = [agent.queues for agent in opened.desk.board().agents if agent.id == agent_id]
    return found


async def test_a_supervisor_moves_an_agent_and_takes_it_back(opened: Office, sqlite_store: Store) -> None:
    client = await opened.client("susi")
    answer = await client.post("/api/moves", json=MOVE)
    assert answer.status_code == 201
    given = answer.json()
    assert (given["agent"], given["add"], given["remove"]) == ("maria", ["support"], ["billing"])
    assert (given["given_by"], given["reason"], given["ends_at"], given["ended_at"]) == ("susi", "ill", START + HOUR, 0)
    assert queues_of(opened, "maria") == ("support",)
    assert (await client.get("/api/moves")).json() == [given]
    (shown,) = [agent for agent in (await client.get("/api/agents")).json() if agent["id"] == "maria"]
    assert shown["queues"] == ["support"]
    ended = await client.delete(f"/api/moves/{given['id']}")
    assert (ended.status_code, ended.json()["ended_by"]) == (200, "susi")
    assert queues_of(opened, "maria") == ("billing",)
    assert (await client.get("/api/moves")).json() == []
    assert (await client.get("/api/moves?all=true")).json() == [ended.json()]
    assert (await client.delete(f"/api/moves/{given['id']}")).status_code == 404
    assert (await client.delete("/api/moves/0")).status_code == 404
    async with sqlite_store.read() as connection:
        noted = [(row.actor, row.action, row.subject) for row in await connection.execute(select(audit))]
    assert ("susi", "order_agent_move", "maria") in noted
    assert ("susi", "order_ended", "maria") in noted


async def test_agents_may_not_and_nobody_without_signing_in(opened: Office) -> None:
    for username, status in (("maria", 403), ("", 401)):
        client = await opened.client(username)
        assert (await client.post("/api/moves", json=MOVE)).status_code == status
        assert (await client.get("/api/moves")).status_code == status
        assert (await client.delete("/api/moves/1")).status_code == status


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"agent": "nobody"}, "agent 'nobody': expected somebody with the role agent"),
        ({"agent": "susi"}, "agent 'susi': expected somebody with the role agent"),
        ({"add": ["sales"]}, "queue 'sales': expected one of billing, support"),
        ({"add": [], "remove": []}, "add, remove: expected a queue, got none"),
        ({"add": ["billing"]}, "queue 'billing': expected it once, in add or in remove"),
        ({"ends_at": START - 1}, "until: expected a time to come, after the beginning"),
        ({"begins_at": START + 2 * HOUR}, "until: expected a time to come, after the beginning"),
        ({"ends_at": -1}, "body.ends_at"),
        ({"reason": "x" * 201}, "body.reason"),
        ({"by": "somebody else"}, "body.by"),
    ],
)
async def test_what_cannot_be_names_the_field(opened: Office, changed: dict[str, object], said: str) -> None:
    answer = await (await opened.client("susi")).post("/api/moves", json={**MOVE, **changed})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["message"].startswith(said)


async def test_a_plan_is_handed_over_whole_and_the_engine_makes_it_at_its_time(opened: Office) -> None:
    client = await opened.client("susi")
    await client.post("/api/moves", json={**MOVE, "begins_at": START + HOUR, "ends_at": START + 2 * HOUR})
    assert queues_of(opened, "maria") == ("billing",)
    opened.desk.advance(3_600)
    opened.desk.submit(ClockReached())
    assert queues_of(opened, "maria") == ("support",)
    opened.desk.advance(3_600)
    opened.desk.submit(ClockReached())
    assert queues_of(opened, "maria") == ("billing",)
    await opened.standing.read()
    assert len([event for event in opened.desk.events if isinstance(event, AgentMoved | AgentMoveCancelled)]) == 1


async def test_what_a_command_ordered_is_heeded_when_the_table_is_read(opened: Office, sqlite_store: Store) -> None:
    book = OrderBook(sqlite_store, opened.desk.now)
    detail = {"add": ["support"], "remove": []}
    (order,) = await book.give([NewOrder(KIND, "maria", detail)], "root")
    await opened.standing.read()
    assert queues_of(opened, "maria") == ("billing", "support")
    await book.end(order.id, "root")
    await opened.standing.read()
    assert queues_of(opened, "maria") == ("billing",)


# --- the server's side, by itself ------------------------------------------------------------------------


def order(number: int, *, ends_at: int = 0, ended_by: str = "", add: tuple[str, ...] = ("tech",)) -> Order:
    detail = {"add": list(add), "remove": []}
    return Order(number, KIND, "jon", detail, 1, ends_at, "sue", "", 1, ended_by, 2 if ended_by else 0)


class Heeding:
    """The real engine, told by `MovesHeeded`."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.trouble = ""
        self.again()

    def again(self) -> None:
        """A server that has just been started on the same engine."""
        self.heeded = MovesHeeded(self.submit, lambda: board(self.desk.engine), lambda: self.trouble)

    def submit(self, event: Event) -> None:
        self.desk.do(event)

    def states(self) -> list[tuple[str, MoveState]]:
        return [(move.id, move.state) for move in self.desk.agent("jon").moves]


def test_a_server_that_starts_knows_the_moves_that_the_engine_has() -> None:
    scene = Heeding()
    scene.heeded.heed([order(1), order(2, ends_at=2**60)], scene.desk.now)
    assert scene.states() == [("order-1", MoveState.ACTIVE), ("order-2", MoveState.ACTIVE)]
    scene.again()
    scene.heeded.heed([order(1), order(2, ends_at=2**60)], scene.desk.now)
    assert dict(scene.desk.engine.counts) == {}


def test_what_was_ended_while_the_server_was_away_is_cancelled_unless_the_table_cannot_be_read() -> None:
    scene = Heeding()
    scene.heeded.heed([order(1), order(2)], scene.desk.now)
    scene.desk.do(AgentMoved("by-hand", "jon", ("tech",)))
    scene.trouble = "OperationalError"
    scene.heeded.heed([], scene.desk.now)
    assert len(scene.states()) == 3
    scene.trouble = ""
    scene.heeded.heed([order(2)], scene.desk.now)
    assert [move for move, _ in scene.states()] == ["order-2", "by-hand"]


def test_the_end_at_its_time_is_the_engines_own() -> None:
    scene = Heeding()
    ends_at = scene.desk.now + 10_000_000
    scene.heeded.heed([order(1, ends_at=ends_at)], scene.desk.now)
    scene.heeded.heed([], ends_at)
    assert scene.states() == [("order-1", MoveState.ACTIVE)]


def test_a_move_that_the_rules_do_not_allow_yet_is_told_again_when_they_change() -> None:
    scene = Heeding()
    for _ in range(3):
        scene.heeded.heed([order(1, add=("sales",))], scene.desk.now)
    assert dict(scene.desk.engine.counts) == {"AgentMoved:unknown_queue": 1}
    rules = Configuration((*SITE.queues, QueueRules("sales")), (AgentProfile("jon", "Jon", ("billing",)),))
    scene.desk.do(ConfigurationChanged(rules))
    scene.heeded.tell_again(scene.desk.now)
    assert scene.states() == [("order-1", MoveState.ACTIVE)]


async def test_more_queues_than_a_move_may_name_are_refused(opened: Office, sqlite_store: Store) -> None:
    now = opened.desk.now
    moves = Moves(OrderBook(sqlite_store, now), opened.people, lambda: ["support"], now)
    with pytest.raises(InvalidRequestError, match="expected at most 50 queues, got 51"):
        await moves.give(WantedMove("maria", tuple(f"q{number}" for number in range(51))), "susi")
    with pytest.raises(InvalidRequestError, match="reason: expected at most 200 characters, got 201"):
        await moves.give(WantedMove("maria", ("support",), reason="x" * 201), "susi")
