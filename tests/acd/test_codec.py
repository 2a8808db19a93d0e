"""Events, commands and configuration survive JSON exactly; anything else is refused by name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd import codec
from acd.commands import Command, OfferInteraction
from acd.errors import SnapshotError
from acd.events import ConfigurationChanged, Event, InteractionQueued, OfferAccepted, PresenceChosen
from acd.model import AgentProfile, Configuration, Presence, QueueRules, Reason, Requirement


def through_json(data: Any) -> Any:
    return json.loads(json.dumps(data))


@settings(max_examples=150, deadline=None, database=None)
@given(st.one_of([st.from_type(cls) for cls in get_args(Event)]))
def test_every_event_comes_back(event: Event) -> None:
    assert codec.decode_event(through_json(codec.encode_event(event))) == event


@settings(max_examples=150, deadline=None, database=None)
@given(st.one_of([st.from_type(cls) for cls in get_args(Command)]))
def test_every_command_comes_back(command: Command) -> None:
    assert codec.decode_command(through_json(codec.encode_command(command))) == command


@settings(max_examples=50, deadline=None, database=None)
@given(st.from_type(Configuration))
def test_every_configuration_comes_back(configuration: Configuration) -> None:
    assert codec.decode_configuration(through_json(codec.encode_configuration(configuration))) == configuration


def test_the_form_is_readable_and_stable() -> None:
    event = InteractionQueued("i1", "billing", 2, (Requirement("vpn", 3),), (("account", "7"),))
    assert codec.encode_event(event) == {
        "type": "InteractionQueued",
        "interaction_id": "i1",
        "queue": "billing",
        "priority": 2,
        "requirements": [{"type": "Requirement", "skill": "vpn", "level": 3, "any_of": []}],
        "attributes": [["account", "7"]],
        "first_asked_at": None,
        "preferred": [],
        "preferred_us": 0,
        "max_wait_us": 0,
        "callback_number": "",
        "carried": "",
    }


def test_enumerations_become_plain_text() -> None:
    assert type(codec.encode_event(PresenceChosen("maria", Presence.READY))["presence"]) is str


def test_a_reason_keeps_numbers_and_texts_apart() -> None:
    reason = Reason("longest_idle", (("idle_since", 5), ("agent_id", "5")))
    made = OfferInteraction("i1/1", "i1", "5", "billing", 6, 7, reason)
    assert codec.decode_command(through_json(codec.encode_command(made))) == made


def altered(event: Event, **fields: Any) -> dict[str, Any]:
    return {**codec.encode_event(event), **fields}


QUEUED = InteractionQueued("i1", "billing", 0, (Requirement("vpn"),))
RULES = ConfigurationChanged(Configuration(queues=(QueueRules("billing"),)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "event: expected an object, got list []"),
        ({}, "event.type: expected the name of a known event, got NoneType None"),
        ({"type": "Nonsense"}, "event.type: expected the name of a known event, got str 'Nonsense'"),
        ({"type": ["OfferAccepted"]}, "event.type: expected the name of a known event, got list ['OfferAccepted']"),
        ({"type": "OfferAccepted"}, "OfferAccepted.offer_id: expected a value, got none"),
        (altered(OfferAccepted("i1/1"), offer_id=3), "OfferAccepted.offer_id: expected str, got int 3"),
        (altered(OfferAccepted("i1/1"), extra=1), "OfferAccepted.extra: expected no such field"),
        (altered(QUEUED, priority=True), "InteractionQueued.priority: expected int, got bool True"),
        (altered(QUEUED, priority=1.0), "InteractionQueued.priority: expected int, got float 1.0"),
        (
            altered(QUEUED, first_asked_at="now"),
            "InteractionQueued.first_asked_at: expected int or null, got str 'now'",
        ),
        (altered(QUEUED, attributes="x"), "InteractionQueued.attributes: expected a list, got str 'x'"),
        (altered(QUEUED, attributes=[["a"]]), "InteractionQueued.attributes[0]: expected 2 values, got 1"),
        (
            altered(QUEUED, attributes=[["a", "b"], ["c", None]]),
            "InteractionQueued.attributes[1][1]: expected str, got NoneType None",
        ),
        (altered(QUEUED, requirements=[7]), "InteractionQueued.requirements[0]: expected an object, got int 7"),
        (
            altered(QUEUED, requirements=[{"type": "Skill"}]),
            "InteractionQueued.requirements[0].type: expected Requirement, got str 'Skill'",
        ),
        (
            altered(PresenceChosen("maria", Presence.READY), presence="asleep"),
            "PresenceChosen.presence: expected one of logged_out, not_ready, ready, got str 'asleep'",
        ),
        (
            altered(PresenceChosen("maria", Presence.READY), presence=1),
            "PresenceChosen.presence: expected one of logged_out, not_ready, ready, got int 1",
        ),
        (
            altered(RULES, configuration="x" * 80),
            f"ConfigurationChanged.configuration: expected an object, got str '{'x' * 56}...",
        ),
    ],
)
def test_what_is_refused(data: Any, message: str) -> None:
    with pytest.raises(SnapshotError) as raised:
        codec.decode_event(data)
    assert str(raised.value) == message


def test_what_was_written_before_a_field_came_is_still_read() -> None:
    """Lines of a journal of 2026, from before queues had strategies and rings."""
    queue = {
        "type": "QueueRules", "id": "billing", "title": "Billing", "ring_us": 12, "wrap_up_us": 15,
        "short_abandon_us": 5, "priority": 0, "requirements": [{"type": "Requirement", "skill": "vpn", "level": 3}],
    }  # fmt: skip
    agent = {"type": "AgentProfile", "id": "maria", "name": "Maria", "queues": ["billing"], "skills": [["vpn", 5]]}
    line = {
        "type": "ConfigurationChanged",
        "configuration": {
            "type": "Configuration", "queues": [queue], "agents": [agent], "seed": 1, "desktop_grace_us": 60,
            "offer_without_desktop": False,
        },
    }  # fmt: skip
    queued = {
        "type": "InteractionQueued", "interaction_id": "i1", "queue": "billing", "priority": 2, "requirements": [],
        "attributes": [["account", "7"]], "first_asked_at": None,
    }  # fmt: skip
    assert codec.decode_event(queued) == InteractionQueued("i1", "billing", 2, (), (("account", "7"),))
    rules = QueueRules("billing", "Billing", 12, 15, 5, 0, (Requirement("vpn", 3),))
    maria = AgentProfile("maria", "Maria", ("billing",), (("vpn", 5),))
    assert codec.decode_event(line) == ConfigurationChanged(Configuration((rules,), (maria,), 1, 60))


def test_a_command_is_no_event() -> None:
    with pytest.raises(SnapshotError, match=r"event\.type: expected the name of a known event, got str 'StageChanged'"):
        codec.decode_event({"type": "StageChanged"})


def test_a_type_without_a_plain_form_is_a_mistake_of_ours() -> None:
    @dataclass
    class Measured:
        value: float

    Measured.__annotations__["value"] = float
    with pytest.raises(TypeError, match="no plain form for <class 'float'>"):
        codec.encode(Measured(1.5))
