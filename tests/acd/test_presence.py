"""The one word that a supervisor sees, for every combination; and what holds an agent back from it."""

from __future__ import annotations

from itertools import product

import pytest

from acd.assignments import Assignment
from acd.model import AgentProfile, AgentState, AssignmentState, Desktop, Phone, Presence
from acd.presence import Agent, agent_changed, agent_state, state_reason


def agent(presence: Presence, phone: Phone = Phone.FREE, desktop: Desktop = Desktop.THERE) -> Agent:
    return Agent(AgentProfile("maria"), 0, 0, presence=presence, phone=phone, desktop=desktop)


@pytest.mark.parametrize(("phone", "desktop"), list(product(Phone, Desktop)))
def test_who_is_not_ready_is_just_that(phone: Phone, desktop: Desktop) -> None:
    assert agent_state(agent(Presence.LOGGED_OUT, phone, desktop), False) is AgentState.LOGGED_OUT
    assert agent_state(agent(Presence.NOT_READY, phone, desktop), False) is AgentState.NOT_READY


@pytest.mark.parametrize(
    ("phone", "desktop", "without_desktop", "state"),
    [
        (Phone.FREE, Desktop.THERE, False, AgentState.READY),
        (Phone.FREE, Desktop.GONE, True, AgentState.READY),
        (Phone.FREE, Desktop.GONE, False, AgentState.DESKTOP_GONE),
        (Phone.BUSY, Desktop.GONE, False, AgentState.PHONE_BUSY),
        (Phone.GONE, Desktop.THERE, True, AgentState.PHONE_GONE),
    ],
)
def test_what_keeps_a_ready_agent_from_work(
    phone: Phone, desktop: Desktop, without_desktop: bool, state: AgentState
) -> None:
    assert agent_state(agent(Presence.READY, phone, desktop), without_desktop) is state


@pytest.mark.parametrize(
    ("held", "state"),
    [
        (AssignmentState.OFFERED, AgentState.RESERVED),
        (AssignmentState.CONNECTED, AgentState.TALKING),
        (AssignmentState.WRAP_UP, AgentState.WRAP_UP),
    ],
)
@pytest.mark.parametrize("presence", list(Presence))
def test_what_they_hold_comes_first(held: AssignmentState, state: AgentState, presence: Presence) -> None:
    busy = agent(presence, Phone.GONE, Desktop.GONE)
    busy.assignments = [Assignment("i1", "i1/1", "billing", "voice", held, 0, 9, 0)]
    assert agent_state(busy, False) is state


def test_a_reason_is_shown_only_where_it_belongs() -> None:
    lunch = agent(Presence.NOT_READY)
    lunch.presence_reason, lunch.state = "lunch", AgentState.NOT_READY
    assert state_reason(lunch) == "lunch"
    lunch.state = AgentState.TALKING
    assert state_reason(lunch) == ""
    assert agent_changed(lunch).presence_reason == "lunch"


def test_what_an_agent_holds_is_found_by_interaction() -> None:
    busy = agent(Presence.READY)
    first, second = (
        Assignment(each, f"{each}/1", "billing", "voice", AssignmentState.OFFERED, 0, 9, 0) for each in ("i1", "i2")
    )
    busy.assignments = [first, second]
    assert busy.holding("i2") is busy.held("i2") is second
    assert busy.holding("i3") is None
    with pytest.raises(KeyError, match="agent 'maria' does not hold 'i3'"):
        busy.held("i3")
