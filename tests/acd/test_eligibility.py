"""What other rules would change is told before they hold, and nothing is changed by asking."""

from __future__ import annotations

from dataclasses import replace

import pytest

from acd import eligibility
from acd.commands import OfferInteraction
from acd.eligibility import AgentChange, WaitingChange, compare, compare_stored, tell
from acd.errors import ConfigurationError
from acd.events import ClockReached, ConfigurationChanged, InteractionArrived, InteractionQueued, PresenceChosen
from acd.model import (
    AgentProfile,
    Configuration,
    Overflow,
    OverflowCause,
    Presence,
    PriorityStep,
    QueueRules,
    Requirement,
    Ring,
)
from acd.snapshot import dump
from tests.acd.desk import SECOND, Desk, every

NAMES = {"maria": "Maria", "jon": "Jon", "lena": "Lena", "omar": "Omar"}
ENGLISH = QueueRules(
    "english", requirements=(Requirement("english", 8),), relax=(Ring(60 * SECOND, queues=("sales",)),)
)
SALES = QueueRules("sales")
BILLING = QueueRules("billing")
MARIA = AgentProfile("maria", "Maria", ("english", "billing"), (("english", 9),))
JON = AgentProfile("jon", "Jon", ("english",), (("english", 5),))
LENA = AgentProfile("lena", "Lena", ("sales",))
OMAR = AgentProfile("omar", "Omar", ("billing",))
RULES = Configuration((ENGLISH, SALES, BILLING), (MARIA, JON, LENA, OMAR))


def busy_desk() -> Desk:
    """maria talks with a, omar's phone rings for e; b and c wait in english, d in billing; jon is not ready."""
    desk = Desk(RULES)
    desk.sign_in("maria", "jon", "omar")
    desk.do(PresenceChosen("jon", Presence.NOT_READY))
    desk.talk("a", "english")
    desk.call("e", "billing")
    desk.call("b", "english")
    desk.call("c", "english", priority=1)
    desk.call("d", "billing")
    return desk


def test_the_same_rules_change_nothing_and_asking_changes_nothing() -> None:
    desk = busy_desk()
    stored = dump(desk.engine)
    found = compare(desk.engine, RULES)
    assert dump(desk.engine) == stored
    assert compare_stored(stored, RULES) == found
    assert (found.waiting, found.signed_in, found.talking, found.changes, found.agents) == (4, 3, 1, (), ())
    assert tell(found, NAMES) == [
        "4 wait, something changes for 0",
        "3 agents are signed in, 0 serve other queues or leave",
        "1 talk: nothing changes for them",
    ]


def test_who_may_place_and_priority() -> None:
    desk = busy_desk()
    english = replace(ENGLISH, requirements=(Requirement("english", 4),))
    rules = Configuration(
        (english, SALES, replace(BILLING, priority=2), QueueRules("chat")),
        (MARIA, JON, LENA, replace(OMAR, queues=("billing", "english"), skills=(("english", 4),))),
    )
    found = compare(desk.engine, rules)
    assert found.changes == (
        WaitingChange("c", "english", False, 1, 3, ("jon", "omar"), (), 1, 1, 1, 1),
        WaitingChange("e", "billing", False, 2, 2, (), (), 0, 2, 1, 1),
        WaitingChange("b", "english", False, 1, 3, ("jon", "omar"), (), 0, 0, 2, 2),
        WaitingChange("d", "billing", False, 2, 2, (), (), 0, 2, 2, 2),
    )
    assert found.agents == (AgentChange("omar", "Omar", False, ("english",), (), ("e",)),)
    assert tell(found, NAMES) == [
        "queue chat: new",
        "4 wait, something changes for 4",
        "  c in english: 1 → 3 agents may (+ Jon, Omar)",
        "  e in billing: priority 0 → 2",
        "  b in english: 1 → 3 agents may (+ Jon, Omar)",
        "  d in billing: priority 0 → 2",
        "3 agents are signed in, 1 serve other queues or leave",
        "  Omar: + english",
        "1 talk: nothing changes for them",
    ]


def test_queues_and_agents_that_vanish() -> None:
    desk = busy_desk()
    found = compare(desk.engine, Configuration((ENGLISH, SALES), (replace(JON, queues=("sales",)), LENA)))
    assert tell(found, {}) == [
        "queue billing: is no more",
        "4 wait, something changes for 4",
        "  c in english: 1 → 0 agents may (- maria)",
        "  e in billing: goes back to the flow",
        "  b in english: 1 → 0 agents may (- maria)",
        "  d in billing: goes back to the flow",
        "3 agents are signed in, 3 serve other queues or leave",
        "  maria: leaves, finishes a first",
        "  jon: + sales; - english",
        "  omar: leaves, finishes e first",
        "1 talk: nothing changes for them",
    ]


def test_an_agent_who_leaves_with_nothing_in_hand() -> None:
    desk = Desk(RULES)
    desk.sign_in("jon")
    found = compare(desk.engine, replace(RULES, agents=()))
    assert tell(found, NAMES)[-2] == "  Jon: leaves"


def test_one_whose_queue_is_lost_while_they_hold_something_finishes_it() -> None:
    desk = busy_desk()
    found = compare(desk.engine, replace(RULES, agents=(replace(MARIA, queues=("billing",)), JON, LENA, OMAR)))
    assert tell(found, NAMES)[-2] == "  Maria: - english, finishes a first"


def test_preferences_count_and_a_ring_that_holds_at_once_too() -> None:
    desk = Desk(RULES)
    desk.sign_in("maria", "omar", "lena")
    for name in ("maria", "omar", "lena"):
        desk.do(PresenceChosen(name, Presence.NOT_READY))
    desk.do(InteractionArrived("p"))
    desk.do(InteractionQueued("p", "billing", preferred=("maria",), preferred_us=60 * SECOND))
    desk.call("q", "english")
    found = compare(desk.engine, replace(RULES, agents=(replace(MARIA, queues=()), LENA, replace(OMAR, skills=()))))
    assert [(each.interaction_id, each.won, each.lost) for each in found.changes] == [
        ("p", ("omar",), ("maria",)),
        ("q", (), ("maria",)),
    ]
    wide = replace(ENGLISH, requirements=())
    found = compare(desk.engine, Configuration((wide, SALES, BILLING), (replace(MARIA, queues=()), LENA, OMAR)))
    assert [(each.interaction_id, each.won, each.lost) for each in found.changes][1] == ("q", ("lena",), ("maria",))


def test_places_change_where_the_order_does() -> None:
    rising = replace(SALES, raise_priority=(PriorityStep(10 * SECOND, 2),))
    desk = Desk(Configuration((rising,), ()))
    desk.call("a", "sales")
    desk.do(ClockReached(), after=10)
    desk.call("b", "sales", priority=1)
    assert tell(compare(desk.engine, Configuration((SALES,), ())), NAMES)[1:3] == [
        "  a in sales: priority 2 → 0, place 1 → 2",
        "  b in sales: place 2 → 1",
    ]


def test_an_overflow_that_new_rules_bring_is_told() -> None:
    desk = Desk(RULES)
    desk.sign_in("omar")
    desk.call("a", "sales")
    rule = Overflow(OverflowCause.FEW_SIGNED_IN, 1, queue="billing", waiting=True)
    rules = replace(RULES, queues=(ENGLISH, replace(SALES, overflow=(rule,)), BILLING))
    assert tell(compare(desk.engine, rules), NAMES)[1] == "  a in sales: goes to billing, 0 → 1 agents may (+ Omar)"
    back = replace(rules, queues=(ENGLISH, replace(SALES, overflow=(replace(rule, queue=""),)), BILLING))
    assert tell(compare(desk.engine, back), NAMES)[1] == "  a in sales: goes back to the flow"


def test_what_is_told_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eligibility, "MOST_TOLD", 1)
    monkeypatch.setattr(eligibility, "MOST_NAMED", 1)
    desk = busy_desk()
    easy = replace(ENGLISH, requirements=())
    told = tell(
        compare(
            desk.engine,
            Configuration(
                (easy, SALES, BILLING),
                (MARIA, replace(JON, queues=("english", "billing")), LENA, replace(OMAR, queues=("english",))),
            ),
        ),
        NAMES,
    )
    assert told[1:3] == ["  c in english: 1 → 3 agents may (+ Jon and 1 more)", "  … and 3 more"]


def test_rules_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        compare(Desk(RULES).engine, Configuration((SALES, SALES)))


def test_what_was_told_is_what_happens() -> None:
    desk = busy_desk()
    rules = Configuration((replace(ENGLISH, requirements=()), SALES, BILLING), (MARIA, JON, LENA, OMAR))
    told = {each.interaction_id: set(each.won) for each in compare(desk.engine, rules).changes}
    desk.do(ConfigurationChanged(rules))
    offered = every(OfferInteraction, desk.do(PresenceChosen("jon", Presence.READY)))
    assert [(each.interaction_id, each.agent_id) for each in offered] == [("c", "jon")]
    assert told["c"] == {"jon"}
