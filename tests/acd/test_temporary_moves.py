"""Moves that the table does not show: bounds, restarts, profiles that change, rings that are looked at again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from acd import temporary_moves
from acd.commands import AgentMoveChanged, OfferInteraction, VisitStepped
from acd.engine import Engine
from acd.errors import SnapshotError
from acd.events import AgentMoveCancelled, AgentMoved, ClockReached, ConfigurationChanged, PresenceChosen
from acd.model import AgentProfile, Configuration, Move, MoveState, Presence, QueueRules, Ring
from acd.snapshot import board, dump, restore
from tests.acd.desk import BILLING, SECOND, SITE, TECH, Desk, every, only


def test_a_move_is_planned_active_and_over_by_the_clock() -> None:
    desk = Desk()
    begins, ends = desk.now + 60 * SECOND, desk.now + 90 * SECOND
    moved = AgentMoved("m1", "jon", ("tech",), ("billing",), begins, ends, "sue", "ill colleague")
    assert only(AgentMoveChanged, desk.do(moved)) == AgentMoveChanged(
        "m1", "jon", ("tech",), ("billing",), begins, ends, MoveState.PLANNED, "sue", "ill colleague", desk.now
    )
    assert (desk.agent("jon").queues, desk.engine.next_due()) == (("billing",), begins)
    assert desk.agent("jon").moves == (
        Move("m1", ("tech",), ("billing",), begins, ends, MoveState.PLANNED, "sue", "ill colleague"),
    )
    desk.now = begins
    assert only(AgentMoveChanged, desk.do(ClockReached(), after=0)).state is MoveState.ACTIVE
    assert (desk.agent("jon").queues, desk.engine.next_due()) == (("tech",), ends)
    desk.now = ends
    assert only(AgentMoveChanged, desk.do(ClockReached(), after=0)).state is MoveState.OVER
    assert (desk.agent("jon").queues, desk.agent("jon").moves, desk.engine.next_due()) == (("billing",), (), None)


def test_a_clock_that_comes_late_begins_and_ends_it_at_once() -> None:
    desk = Desk()
    desk.do(AgentMoved("m1", "jon", ("tech",), from_at=desk.now + 5 * SECOND, until_at=desk.now + 9 * SECOND))
    told = every(AgentMoveChanged, desk.do(ClockReached(), after=60))
    assert [each.state for each in told] == [MoveState.ACTIVE, MoveState.OVER]


def test_moves_survive_a_restart_and_a_new_profile() -> None:
    desk = Desk()
    desk.sign_in("jon")
    desk.do(AgentMoved("m1", "jon", ("tech",), until_at=desk.now + 60 * SECOND))
    desk.do(AgentMoved("m2", "jon", remove=("billing",), from_at=desk.now + 30 * SECOND))
    again = restore(json.loads(json.dumps(dump(desk.engine))))
    assert board(again) == board(desk.engine)
    assert again.next_due() == desk.engine.next_due()
    jon = AgentProfile("jon", "Jon", (), (("vpn", 9),))
    answer = desk.do(ConfigurationChanged(Configuration((BILLING, TECH), (jon,))))
    assert every(AgentMoveChanged, answer) == []
    assert (desk.agent("jon").queues, len(desk.agent("jon").moves)) == (("tech",), 2)
    assert only(OfferInteraction, desk.call("i1", "tech")).agent_id == "jon"


@pytest.mark.parametrize("what", ["add", "remove"])
def test_a_stored_move_to_a_queue_that_is_not_there_is_refused(what: str) -> None:
    desk = Desk()
    desk.do(AgentMoved("m1", "jon", ("tech",), ("billing",)))
    stored = dump(desk.engine)
    stored["agents"][1]["moves"][0][what] = ["sales"]
    with pytest.raises(SnapshotError, match=r"^snapshot.agents\[1\].moves: expected known ones, got 'sales'$"):
        restore(stored)


def test_so_many_moves_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary_moves, "MOST_MOVES", 2)
    desk = Desk()
    for number in range(4):
        desk.do(AgentMoved(f"m{number}", "jon", ("tech",)))
    assert (desk.engine.counts["AgentMoved:too_many"], len(desk.agent("jon").moves)) == (2, 2)


def test_who_leaves_is_moved_nowhere() -> None:
    desk = Desk()
    desk.sign_in("jon")
    desk.talk("i1")
    desk.do(AgentMoved("m1", "jon", ("tech",)))
    answer = desk.do(ConfigurationChanged(replace(SITE, agents=())))
    assert only(AgentMoveChanged, answer).state is MoveState.OVER
    desk.do(AgentMoved("m2", "jon", ("tech",)))
    assert desk.engine.counts["AgentMoved:leaving"] == 1


def test_a_queue_that_loses_the_last_who_could_lets_others_in_at_once() -> None:
    rules = (QueueRules("billing", relax=(Ring(60 * SECOND, queues=("tech",)),)), QueueRules("tech"))
    desk = Desk(Configuration(rules, (AgentProfile("jon", queues=("billing",)), AgentProfile("maria", queues=()))))
    desk.sign_in("jon", "maria")
    desk.do(AgentMoved("m1", "maria", ("tech",)))
    desk.do(PresenceChosen("jon", Presence.NOT_READY, "lunch"))
    assert every(OfferInteraction, desk.call("i1")) == []
    answer = desk.do(AgentMoved("m2", "jon", remove=("billing",)))
    assert only(VisitStepped, answer).cause == "nobody"
    assert only(OfferInteraction, answer).agent_id == "maria"


def test_one_who_is_signed_out_may_be_moved_and_others_wait_on() -> None:
    desk = Desk()
    desk.do(AgentMoved("m1", "jon", ("tech",)))
    assert desk.call("i1", "tech")[-1:] != ()
    desk.sign_in("jon")
    assert desk.interaction("i1").agent_id == "jon"


def test_an_offer_goes_on_when_the_agent_loses_its_queue_and_also_when_the_move_is_cancelled() -> None:
    desk = Desk()
    desk.sign_in("jon")
    desk.call("i1")
    assert every(AgentMoveChanged, desk.do(AgentMoved("m1", "jon", remove=("billing",))))
    assert desk.interaction("i1").agent_id == "jon"
    cancelled = only(AgentMoveChanged, desk.do(AgentMoveCancelled("m1", "jon", "max")))
    assert (cancelled.state, cancelled.by) == (MoveState.CANCELLED, "max")
    assert desk.interaction("i1").agent_id == "jon"


def test_the_same_moves_give_the_same_bytes() -> None:
    first, second = Engine(SITE, 0), Engine(SITE, 0)
    for at in range(1, 40):
        event = AgentMoved(f"m{at}", "jon" if at % 2 else "maria", ("tech",), from_at=at * 3, until_at=at * 5)
        for engine in (first, second):
            engine.handle(event, at)
            engine.handle(ClockReached(), at)
        second = restore(json.loads(json.dumps(dump(second))))
    assert dump(first) == dump(second)
