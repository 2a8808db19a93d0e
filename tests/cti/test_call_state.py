"""What a call carries on its channel: it fits into one AGI command, and comes back as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.agi_reply import command_line
from cti.call_state import MOST_BYTES, CallState
from ivr.progress import FRAMES, REQUESTS

NAME = st.text(max_size=40)
TEXT = st.text(max_size=300)


@given(flow=NAME, node=NAME, variables=st.dictionaries(TEXT, TEXT, max_size=5))
def test_a_state_comes_back_or_comes_back_with_less(flow: str, node: str, variables: dict[str, str]) -> None:
    state = CallState(flow, node, variables)
    packed = state.pack()
    found = CallState.unpack(packed)
    assert found is not None
    assert (found.flow, found.node) == (flow, node)
    assert found.variables.items() <= variables.items()
    assert len(command_line(("SET", "VARIABLE", "CALLYARD_STATE", packed))) < 2048


def test_customers_fields_go_first_then_the_longest_values() -> None:
    big = "x" * (MOST_BYTES - 200)
    assert _carried({"account": "42", "customer.note": big}) == {"account": "42", "customer.note": big}
    assert _carried({"account": "42", "customer.note": big * 2}) == {"account": "42"}
    assert _carried({"account": big * 2, "customer.name": "Zoe", "topic": "Bill"}) == {"topic": "Bill"}


def test_where_the_call_comes_back_to_and_its_language_go_last() -> None:
    frames = json.dumps([["main", "welcome:3", {}]])
    kept = {"language": "zh", FRAMES: frames}

    assert _carried({**kept, "topic": "x" * MOST_BYTES, "account": "y" * 90}) == {**kept, "account": "y" * 90}
    assert _carried({"topic": "x" * 900, "note": "y" * 950, **kept}) == {**kept, "topic": "x" * 900}


def test_what_names_the_calls_requests_goes_last_too() -> None:
    kept = {"interaction_id": "lab1-1.1", REQUESTS: "3"}

    assert _carried({**kept, "topic": "x" * MOST_BYTES}) == kept


def _carried(variables: dict[str, str]) -> dict[str, str]:
    found = CallState.unpack(CallState("main", "door:0", variables).pack())
    assert found is not None
    return found.variables


@pytest.mark.parametrize("character", ['"', "\\", "a", "张"])
def test_the_command_that_writes_it_is_one_that_asterisk_reads_whole(character: str) -> None:
    state = CallState("main", "door:0", {"account": character * 400, "customer.note": character * 300})
    assert len(command_line(("SET", "VARIABLE", "CALLYARD_STATE", state.pack()))) < 2048


@pytest.mark.parametrize(
    "packed", ["", "no", "{}", "[]", '["a","b"]', '["a",1,{}]', '["a","b",{},1]', "null", "[" * 9999]
)
def test_what_is_no_state_of_ours_is_none(packed: str) -> None:
    assert CallState.unpack(packed) is None


def test_the_version_that_a_call_began_on_is_carried_and_states_without_it_are_read() -> None:
    state = CallState("main", "door:0", {"a": "b"}, "0123456789abcdef")

    assert CallState.unpack(state.pack()) == state
    assert CallState.unpack('["main","door:0",{"a":"b"}]') == CallState("main", "door:0", {"a": "b"})
