"""A snapshot is the whole state, exactly; views are what screens need of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from acd.errors import SnapshotError
from acd.events import (
    InteractionArrived,
    InteractionDetached,
    InteractionQueued,
    OfferAccepted,
    RoutingPaused,
    RoutingResumed,
    TalkEnded,
)
from acd.model import AgentState, Requirement, Stage, Strategy
from acd.snapshot import (
    AgentView,
    QueueView,
    agent_view,
    board,
    dump,
    head_count,
    interaction_view,
    queue_view,
    restore,
    stage_of,
)
from tests.acd.desk import SECOND, Desk


def busy_desk() -> Desk:
    """jon talks with i1, maria is offered i2, i3 and i4 wait (i4 detached, before i3), i5 is in the flow."""
    desk = Desk()
    desk.sign_in("jon", "maria")
    desk.talk("i1")
    desk.call("i2")
    desk.call("i3")
    desk.call("i4", priority=3)
    desk.do(InteractionDetached("i4"))
    desk.do(InteractionArrived("i5", caller="+4989123", dialled="+498999", flow="main"))
    return desk


def stored(desk: Desk) -> Any:
    return json.loads(json.dumps(dump(desk.engine)))


def test_dump_after_restore_is_the_same() -> None:
    data = stored(busy_desk())
    assert dump(restore(data)) == data


def test_a_restored_engine_goes_on_as_the_first() -> None:
    desk = busy_desk()
    desk.do(RoutingPaused("restart"))
    other = Desk(engine=restore(stored(desk)))
    for event in (TalkEnded("i1", "jon"), OfferAccepted("i2/1"), TalkEnded("i2", "maria"), RoutingResumed()):
        assert desk.do(event, after=9) == other.do(event, after=9)
    assert dump(desk.engine) == dump(other.engine)
    assert desk.engine.next_due() == other.engine.next_due()


def test_a_state_from_before_shifts_were_kept_is_still_read() -> None:
    """What came later gets its defaults; a shift that was not kept begins with the tile that is open."""
    data = stored(busy_desk())
    for agent in data["agents"]:
        for name in ("signed_in_at", "handled", "busy_us", "offered_at"):
            del agent[name]
        del agent["profile"]["weight"]
    for queue in data["configuration"]["queues"]:
        for name in ("strategy", "relax", "raise_priority", "wrap_up_most_us"):
            del queue[name]
    for interaction in data["interactions"]:
        for name in ("ring", "raised", "preferred", "preferred_until"):
            del interaction[name]
    for held in [each for agent in data["agents"] for each in agent["assignments"]]:
        del held["wrap_up_most_us"]
    floor = restore(data).floor
    maria = floor.agents["maria"]
    assert (maria.handled, maria.busy_us, maria.offered_at, maria.signed_in_at) == (0, 0, 0, maria.tile_at)
    assert floor.queues["billing"].rules.strategy is Strategy.LONGEST_IDLE


def change(path: str, value: Any) -> Callable[[Any], None]:
    """Sets one place of the stored state; `path` as in the message."""

    def set_it(data: Any) -> None:
        *way, last = path.replace("[", ".").replace("]", "").split(".")
        for each in way:
            data = data[int(each) if each.isdigit() else each]
        data[int(last) if last.isdigit() else last] = value

    return set_it


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("version", 2, "snapshot.version: expected 1, got 2"),
        ("now", None, "snapshot.now: expected int, got NoneType None"),
        ("agents[0].phone", "off", "snapshot.agents[0].phone: expected one of free, busy, gone, got str 'off'"),
        ("agents[0].mood", "good", "snapshot.agents[0].mood: expected no such field"),
        ("counts", [["x"]], "snapshot.counts[0]: expected 2 values, got 1"),
        (
            "configuration.queues[0].ring_us",
            0,
            "snapshot.configuration: queue 'billing': ring_us: expected more than 0, got 0",
        ),
        ("agents[1].profile.id", "maria", "snapshot.agents: expected every id once, got one twice"),
        ("interactions[1].id", "i1", "snapshot.interactions: expected every id once, got one twice"),
        (
            "agents[0].profile.queues",
            ["billing", "sales"],
            "snapshot.agents[0].profile.queues: expected known ones, got 'sales'",
        ),
        ("interactions[2].queue", "sales", "snapshot.interactions[2].queue: expected a known queue, got 'sales'"),
        (
            "interactions[0].agent_id",
            "lena",
            "snapshot.interactions[0].agent_id: expected a known agent, got 'lena'",
        ),
    ],
)
def test_what_cannot_be_read_back_is_refused_by_name(path: str, value: Any, message: str) -> None:
    data = stored(busy_desk())
    change(path, value)(data)
    with pytest.raises(SnapshotError) as raised:
        restore(data)
    assert str(raised.value) == message


def test_something_else_is_no_snapshot() -> None:
    with pytest.raises(SnapshotError, match=r"snapshot\.version: expected 1, got None"):
        restore([])


def test_the_board_shows_everything_in_order() -> None:
    desk = busy_desk()
    shown = board(desk.engine)
    assert (shown.at, shown.paused) == (desk.now, None)
    assert [(each.id, each.state) for each in shown.agents] == [
        ("maria", AgentState.RESERVED),
        ("jon", AgentState.TALKING),
    ]
    assert [(each.id, each.waiting) for each in shown.queues] == [("billing", 3), ("tech", 0)]
    assert [(each.id, each.stage, each.position) for each in shown.interactions] == [
        ("i1", Stage.TALKING, 0),
        ("i2", Stage.OFFERED, 2),
        ("i3", Stage.QUEUED, 3),
        ("i4", Stage.QUEUED, 1),
        ("i5", Stage.IN_FLOW, 0),
    ]
    desk.do(RoutingPaused("link lost"))
    assert board(desk.engine).paused == "link lost"


def test_views_are_frozen() -> None:
    shown = board(busy_desk().engine)
    with pytest.raises(FrozenInstanceError):
        shown.agents[0].state = AgentState.READY  # type: ignore[misc]


def test_an_agent_view() -> None:
    desk = busy_desk()
    view = agent_view(desk.engine, "maria")
    assert isinstance(view, AgentView)
    assert (view.name, view.interaction_id, view.queues, view.skills) == (
        "Maria",
        "i2",
        ("billing", "tech"),
        (("vpn", 5),),
    )
    assert view.deadline == view.since + 20 * SECOND
    assert agent_view(desk.engine, "nobody") is None


def test_a_queue_view() -> None:
    desk = busy_desk()
    view = queue_view(desk.engine, "billing")
    assert view == QueueView("billing", "", 3, desk.interaction("i2").first_asked_at, 0, 2)
    with pytest.raises(KeyError):
        queue_view(desk.engine, "nowhere")


def test_an_interaction_view_while_ringing() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.do(InteractionArrived("i1", "+4989123", "+498999", "main"))
    arrived_at = desk.now
    desk.do(InteractionQueued("i1", "tech", 2, (Requirement("vpn", 2),), (("why", "vpn"),)))
    view = desk.interaction("i1")
    assert (view.caller, view.dialled, view.flow, view.arrived_at) == ("+4989123", "+498999", "main", arrived_at)
    assert (view.queue, view.priority, view.attributes) == ("tech", 2, (("why", "vpn"),))
    assert (view.visit_id, view.offer_id, view.agent_id, view.served_by) == ("i1#1", "i1/1", "maria", "")
    assert view.first_asked_at == view.entered_at == view.offered_at == desk.now
    assert view.talk_started_at == 0
    assert view.reason is not None
    assert view.reason.rule == "longest_idle"


def test_an_interaction_view_while_talking_and_after() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.talk("i1")
    view = desk.interaction("i1")
    assert (view.visit_id, view.offer_id, view.talk_started_at) == ("", "i1/1", desk.now)
    assert (view.position, view.entered_at, view.served_by) == (0, 0, "maria")
    desk.do(TalkEnded("i1", "maria"))
    view = desk.interaction("i1")
    assert (view.stage, view.queue, view.offer_id, view.offered_at, view.priority) == (Stage.IN_FLOW, "", "", 0, 0)
    assert interaction_view(desk.engine, "nobody") is None


def test_heads_are_counted_as_the_board_shows_them() -> None:
    desk = busy_desk()
    shown = board(desk.engine)
    agents, stages = head_count(desk.engine)
    assert agents == Counter(agent.state for agent in shown.agents)
    assert stages == Counter(each.stage for each in shown.interactions)
    assert agents
    assert stages


def test_the_stage_alone_is_that_of_the_view() -> None:
    desk = busy_desk()
    for interaction_id in ("i1", "i2", "i3", "i4", "i5"):
        view = interaction_view(desk.engine, interaction_id)
        assert view is not None
        assert stage_of(desk.engine, interaction_id) is view.stage
    assert stage_of(desk.engine, "nobody") is None
