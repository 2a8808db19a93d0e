"""A configuration that contradicts itself is refused with the id, what was expected and what came."""

from __future__ import annotations

import pytest

from acd.configuration import validate
from acd.errors import ConfigurationError
from acd.model import (
    AgentProfile,
    CallbackRules,
    Configuration,
    Overflow,
    OverflowCause,
    PriorityStep,
    QueueRules,
    Requirement,
    Ring,
)

Q = QueueRules("billing")
CHATS = QueueRules("chats", medium="chat")
FULL = OverflowCause.FULL


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        (Configuration(queues=(Q, Q)), "queue 'billing': expected one of this id, got two"),
        (Configuration(queues=(QueueRules(""),)), "queue: expected an id, got an empty one"),
        (Configuration(queues=(QueueRules("billing", medium=""),)), "queue 'billing': medium: expected one, got none"),
        (
            Configuration(queues=(QueueRules("chats", medium="chat", callback=CallbackRules()),)),
            "queue 'chats': callback: expected a queue of medium 'voice', got 'chat'",
        ),
        (
            Configuration(queues=(Q, QueueRules("chats", medium="chat", relax=(Ring(1, queues=("billing",)),)))),
            "queue 'chats': relax: expected a queue of medium 'chat', 'billing' is of 'voice'",
        ),
        (
            Configuration(queues=(QueueRules("sales", overflow=(Overflow(FULL, 1, "chats"),)), CHATS)),
            "queue 'sales': overflow: expected a queue of medium 'voice', 'chats' is of 'chat'",
        ),
        (
            Configuration(agents=(AgentProfile("amy", capacity=(("chat", 1), ("chat", 2))),)),
            "agent 'amy': capacity: expected each medium once, got 'chat'",
        ),
        (
            Configuration(agents=(AgentProfile("amy", capacity=(("voice", 2),)),)),
            "agent 'amy': capacity for 'voice': expected 0 to 1, got 2",
        ),
        (
            Configuration(agents=(AgentProfile("amy", capacity=(("chat", 21),)),)),
            "agent 'amy': capacity for 'chat': expected 0 to 20, got 21",
        ),
        (
            Configuration(agents=(AgentProfile("amy"), AgentProfile("amy"))),
            "agent 'amy': expected one of this id, got two",
        ),
        (Configuration(desktop_grace_us=0), "desktop_grace_us: expected more than 0, got 0"),
        (
            Configuration(queues=(QueueRules("billing", ring_us=0),)),
            "queue 'billing': ring_us: expected more than 0, got 0",
        ),
        (
            Configuration(queues=(QueueRules("billing", wrap_up_us=-1),)),
            "queue 'billing': wrap_up_us: expected 0 or more, got -1",
        ),
        (
            Configuration(queues=(QueueRules("billing", short_abandon_us=-2),)),
            "queue 'billing': short_abandon_us: expected 0 or more, got -2",
        ),
        (
            Configuration(queues=(QueueRules("billing", requirements=(Requirement("vpn", 11),)),)),
            "queue 'billing': skill 'vpn': expected a level from 1 to 10, got 11",
        ),
        (
            Configuration(queues=(Q,), agents=(AgentProfile("amy", queues=("sales",)),)),
            "agent 'amy': expected a known queue, got 'sales'",
        ),
        (
            Configuration(queues=(Q,), agents=(AgentProfile("amy", queues=("billing", "billing")),)),
            "agent 'amy': queue 'billing': expected once, got twice",
        ),
        (
            Configuration(agents=(AgentProfile("amy", skills=(("vpn", 1), ("vpn", 2))),)),
            "agent 'amy': skill 'vpn': expected once, got twice",
        ),
        (
            Configuration(agents=(AgentProfile("amy", skills=(("vpn", 0),)),)),
            "agent 'amy': skill 'vpn': expected a level from 1 to 10, got 0",
        ),
        (
            Configuration(queues=(QueueRules("billing", requirements=(Requirement("vpn", 1, (("sip", 0),)),)),)),
            "queue 'billing': skill 'sip': expected a level from 1 to 10, got 0",
        ),
        (
            Configuration(queues=(QueueRules("billing", relax=(Ring(5), Ring(5))),)),
            "queue 'billing': relax: after_us: expected more than 5, got 5",
        ),
        (
            Configuration(queues=(QueueRules("billing", relax=(Ring(5, (("vpn", 0), ("sip", 11))),)),)),
            "queue 'billing': relax: skill 'sip': expected a level from 1 to 10, got 11",
        ),
        (
            Configuration(queues=(QueueRules("billing", relax=(Ring(5, queues=("billing",)),)),)),
            "queue 'billing': relax: expected another known queue, got 'billing'",
        ),
        (
            Configuration(queues=(QueueRules("billing", relax=(Ring(5, queues=("sales",)),)),)),
            "queue 'billing': relax: expected another known queue, got 'sales'",
        ),
        (
            Configuration(queues=(QueueRules("billing", raise_priority=(PriorityStep(5, 0),)),)),
            "queue 'billing': raise_priority: by: expected more than 0, got 0",
        ),
        (
            Configuration(queues=(QueueRules("billing", raise_priority=(PriorityStep(0),)),)),
            "queue 'billing': raise_priority: after_us: expected more than 0, got 0",
        ),
        (
            Configuration(queues=(QueueRules("billing", wrap_up_most_us=-1),)),
            "queue 'billing': wrap_up_most_us: expected 0 or more, got -1",
        ),
        (
            Configuration((Q,), (AgentProfile("amy", queue_levels=(("billing", 1), ("sales", 1))),)),
            "agent 'amy': level in queue 'sales': expected known queues, each once, got 'sales'",
        ),
        (
            Configuration((Q,), (AgentProfile("amy", queue_levels=(("billing", 1), ("billing", 2))),)),
            "agent 'amy': level in queue 'billing': expected known queues, each once, got 'billing'",
        ),
        (
            Configuration((Q,), (AgentProfile("amy", queue_levels=(("billing", 11),)),)),
            "agent 'amy': level in queue 'billing': expected 1 to 10, got 11",
        ),
        (
            Configuration(agents=(AgentProfile("amy", weight=0),)),
            "agent 'amy': weight: expected 1 to 10, got 0",
        ),
    ],
)
def test_contradictions(configuration: Configuration, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        validate(configuration)
    assert str(raised.value) == message


def test_what_makes_sense_passes() -> None:
    validate(Configuration())
    rules = QueueRules("billing", wrap_up_us=0, short_abandon_us=0, requirements=(Requirement("vpn", 10),))
    validate(Configuration((rules,), (AgentProfile("amy", "Amy", ("billing",), (("vpn", 1),)),)))
