"""Damage done to the engine's private state is found, counted and repaired by the smallest means."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from acd import engine as engine_module
from acd.assignments import Assignment
from acd.commands import InteractionClosed, OfferClosed, OfferInteraction, TalkClosed, WithdrawOffer
from acd.engine import Engine
from acd.events import (
    CallerLeft,
    ClockReached,
    DesktopChanged,
    InteractionArrived,
    InteractionDetached,
    OfferAccepted,
    PhoneChanged,
    PresenceChosen,
)
from acd.floor import Floor
from acd.invariants import check, repair_touched
from acd.model import AgentState, AssignmentState, Desktop, Move, MoveState, Phone, Presence, Stage
from acd.ranking import Standing, longest_idle
from acd.showing import publish
from acd.strategies import standing
from tests.acd.desk import SECOND, Desk, every, only


@pytest.fixture
def full_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The full check after every event."""
    monkeypatch.setattr(engine_module, "FULL_CHECK_EVERY", 1)


def busy_desk() -> Desk:
    """maria is offered i1, jon talks with i2, i3 waits."""
    desk = Desk()
    desk.sign_in("jon", "maria")
    desk.talk("i2")
    desk.call("i1")
    desk.call("i3")
    return desk


def stray(interaction_id: str, state: AssignmentState) -> Assignment:
    return Assignment(interaction_id, f"{interaction_id}/9", "billing", "voice", state, 0, 5_000 * SECOND, 0)


def hold_two(floor: Floor) -> None:
    floor.agents["maria"].assignments.append(stray("i3", AssignmentState.OFFERED))


def hold_a_closed_one(floor: Floor) -> None:
    floor.agents["maria"].assignments.append(stray("gone", AssignmentState.CONNECTED))


def hold_none(floor: Floor) -> None:
    floor.agents["maria"].assignments.clear()


def talk_unheld(floor: Floor) -> None:
    floor.agents["jon"].assignments.clear()


def forget_the_agent(floor: Floor) -> None:
    del floor.agents["jon"]
    for queue in floor.queues.values():
        queue.states[AgentState.TALKING] = 0
        queue.agents.pop("jon", None)


def leave_the_line(floor: Floor) -> None:
    floor.queues["billing"].line.discard(floor.interactions["i3"].rank)


def leave_the_offerable(floor: Floor) -> None:
    floor.queues["billing"].offerable.clear()


def wait_nowhere(floor: Floor) -> None:
    interaction = floor.interactions["i3"]
    interaction.stage = Stage.IN_FLOW
    floor.file(interaction)
    interaction.stage, interaction.queue = Stage.QUEUED, "nowhere"


def be_ready_while_reserved(floor: Floor) -> None:
    floor.queues["billing"].ready.add(longest_idle(standing(floor.agents["maria"])))


def be_ready_under_a_wrong_key(floor: Floor) -> None:
    floor.agents["maria"].standing = Standing(7, 0, 0, 0, "maria")
    floor.queues["billing"].ready.add((7, "maria"))


def serve_as_if_not_moved(floor: Floor) -> None:
    active = Move("m1", (), ("tech",), 1, 0, MoveState.ACTIVE)
    floor.agents["maria"].moves.append(active)


def show_a_wrong_state(floor: Floor) -> None:
    floor.agents["maria"].state = AgentState.NOT_READY


def end_twice(floor: Floor) -> None:
    floor.closed["i1"] = None


def end_twice_waiting(floor: Floor) -> None:
    floor.closed["i3"] = None


def count_states_wrong(floor: Floor) -> None:
    floor.queues["billing"].states[AgentState.READY] += 1


Damage = Callable[[Floor], None]


@pytest.mark.usefixtures("full_checks")
@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (hold_two, {"capacity": 1, "assignment": 1}),
        (hold_a_closed_one, {"capacity": 1, "assignment": 1, "ready": 1}),
        (hold_none, {"holder": 1, "ready": 1}),
        (talk_unheld, {"holder": 1, "ready": 1}),
        (forget_the_agent, {"holder": 1}),
        (leave_the_line, {"waiting": 1}),
        (leave_the_offerable, {"waiting": 1}),
        (wait_nowhere, {"waiting": 1}),
        (be_ready_while_reserved, {"ready": 1}),
        (be_ready_under_a_wrong_key, {"ready": 1}),
        (serve_as_if_not_moved, {"ready": 1}),
        (show_a_wrong_state, {"ready": 1, "index": 2}),
        (end_twice, {"outcome": 1}),
        (end_twice_waiting, {"outcome": 1}),
        (count_states_wrong, {"index": 1}),
    ],
)
def test_damage_is_found_counted_and_repaired(damage: Damage, found: dict[str, int]) -> None:
    desk = busy_desk()
    damage(desk.engine.floor)
    assert {each.split(":")[0] for each in check(desk.engine)} >= found.keys()
    desk.engine.handle(ClockReached(), desk.now)
    counts = {key: value for key, value in desk.engine.counts.items() if not key.startswith("ClockReached")}
    assert counts == {f"{kind}:{key}": found[key] for key in found for kind in ("violation", "repair")}
    assert check(desk.engine) == ()


@pytest.mark.usefixtures("full_checks")
def test_an_offer_that_nobody_holds_is_withdrawn_and_made_again() -> None:
    desk = busy_desk()
    desk.engine.floor.agents["maria"].assignments.clear()
    answer = desk.do(ClockReached())
    assert only(WithdrawOffer, answer).offer_id == "i1/1"
    assert only(OfferClosed, answer).detail == "repaired"
    assert only(OfferInteraction, answer).offer_id == "i1/2"


@pytest.mark.usefixtures("full_checks")
def test_a_talk_that_nobody_holds_is_closed_as_a_gap() -> None:
    desk = busy_desk()
    desk.engine.floor.agents["jon"].assignments.clear()
    answer = desk.do(ClockReached())
    assert only(TalkClosed, answer).gap
    assert desk.interaction("i2").stage is Stage.IN_FLOW


@pytest.mark.usefixtures("full_checks")
def test_whose_outcome_was_told_is_not_told_again() -> None:
    desk = busy_desk()
    desk.engine.floor.closed["i1"] = None
    answer = desk.do(ClockReached())
    assert every(InteractionClosed, answer) == []
    assert only(OfferInteraction, answer).interaction_id == "i3"
    desk.do(CallerLeft("i1"))
    assert desk.engine.counts["CallerLeft:closed"] == 1


def test_what_an_event_touches_is_checked_at_once() -> None:
    desk = busy_desk()
    desk.engine.floor.agents["maria"].assignments.append(stray("i3", AssignmentState.OFFERED))
    desk.do(PhoneChanged("maria", Phone.BUSY))
    assert desk.engine.counts["repair:capacity"] == 1
    assert desk.interaction("i1").agent_id == "maria"


def test_a_talk_accepted_without_a_holder_is_repaired_in_the_same_event() -> None:
    desk = busy_desk()
    desk.engine.floor.agents["maria"].assignments.clear()
    desk.do(OfferAccepted("i1/1"))
    assert desk.engine.counts["repair:holder"] == 1
    assert desk.interaction("i1").stage is Stage.IN_FLOW


def test_a_talk_accepted_by_who_holds_another_is_repaired_in_the_same_event() -> None:
    desk = busy_desk()
    desk.engine.floor.agents["maria"].assignments[:] = [stray("i3", AssignmentState.WRAP_UP)]
    desk.do(OfferAccepted("i1/1"))
    assert desk.engine.counts["repair:holder"] == 1
    assert desk.agent("maria").state == "wrap_up"


def test_what_was_touched_and_is_gone_needs_no_repair() -> None:
    floor = busy_desk().engine.floor
    floor.touched_agents.add("nobody")
    floor.touched_interactions.add("i9")
    assert repair_touched(floor) == 0
    publish(floor)
    assert not floor.touched_agents


def test_a_talk_ends_although_the_agent_does_not_hold_it() -> None:
    desk = busy_desk()
    desk.engine.floor.agents["jon"].assignments.clear()
    answer = desk.do(CallerLeft("i2"))
    assert only(TalkClosed, answer).wrap_up_until == 0


@pytest.mark.parametrize("event", [ClockReached(), PresenceChosen("maria", Presence.NOT_READY)])
def test_an_offer_that_leads_nowhere_is_dropped_when_it_is_due_or_withdrawn(
    event: ClockReached | PresenceChosen,
) -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.call("i1")
    desk.engine.floor.interactions["i1"].offer_id = "i1/7"
    desk.do(event, after=30)
    assert desk.engine.counts["repair:assignment"] == 1
    assert desk.agent("maria").interaction_id == ("i1" if isinstance(event, ClockReached) else "")


def test_the_full_check_comes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "FULL_CHECK_EVERY", 3)
    desk = Desk()
    desk.engine.floor.queues["billing"].states[AgentState.READY] += 1
    for number in range(3):
        assert "repair:index" not in desk.engine.counts
        desk.engine.handle(InteractionArrived(f"i{number}"), desk.now)
    assert desk.engine.counts["repair:index"] == 1


def test_nothing_is_wrong_with_an_ordinary_day() -> None:
    desk = busy_desk()
    desk.do(InteractionDetached("i1"))
    desk.do(DesktopChanged("maria", Desktop.GONE))
    assert check(desk.engine) == ()
    assert isinstance(desk.engine, Engine)
    assert not any(key.startswith("violation") for key in desk.engine.counts)
