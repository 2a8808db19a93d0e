"""Who may: the needs of queue and interaction together, against an agent's levels."""

from __future__ import annotations

from acd.matching import levels_met, merged_choices, merged_needs, missing_skill, relaxed
from acd.model import Requirement, Ring


def test_needs_are_merged_by_the_higher_level_and_sorted() -> None:
    queue = (Requirement("vpn", 3), Requirement("french"))
    interaction = (Requirement("french", 7), Requirement("vpn", 2))
    assert merged_needs(queue, interaction) == (("french", 7), ("vpn", 3))
    assert merged_needs((), ()) == ()


def test_a_skill_is_missing_when_absent_or_too_low() -> None:
    needs = (("french", 2), ("vpn", 5))
    assert missing_skill({"french": 2, "vpn": 5}, needs) is None
    assert missing_skill({"french": 2, "vpn": 4}, needs) == "vpn"
    assert missing_skill({"vpn": 9}, needs) == "french"
    assert missing_skill({}, ()) is None


EITHER = Requirement("french", 5, (("vpn", 7), ("french", 3)))


def test_a_choice_is_met_by_any_of_its_skills_and_asks_no_more_than_the_lower_level() -> None:
    choices = merged_choices((EITHER, Requirement("sip")), (EITHER,))
    assert choices == ((("french", 3), ("vpn", 7)),)
    assert merged_needs((EITHER, Requirement("sip"))) == (("sip", 1),)
    assert missing_skill({"french": 3}, (), choices) is None
    assert missing_skill({"vpn": 7}, (), choices) is None
    assert missing_skill({"vpn": 6, "french": 2}, (), choices) == "french or vpn"


def test_levels_met_counts_the_best_of_a_choice_that_is_enough() -> None:
    choices = merged_choices((EITHER,))
    assert levels_met({"sip": 4, "french": 3, "vpn": 9}, (("sip", 1),), choices) == 13
    assert levels_met({"french": 4, "vpn": 6}, (), choices) == 4


def test_rings_lower_drop_and_add_and_keep_what_earlier_rings_gave() -> None:
    needs, choices = (("sip", 6), ("vpn", 8)), ((("french", 5), ("sip", 2)), (("spanish", 3), ("vpn", 2)))
    first = Ring(1, (("vpn", 4), ("sip", 9)), ("sales",))
    second = Ring(2, (("vpn", 6), ("sip", 0)), ("tech", "sales"))
    assert relaxed(needs, choices, (), "billing") == (needs, choices, ("billing",))
    assert relaxed(needs, choices, (first,), "billing") == (
        (("sip", 6), ("vpn", 4)),
        choices,
        ("billing", "sales"),
    )
    assert relaxed(needs, choices, (first, second), "billing") == (
        (("vpn", 4),),
        ((("spanish", 3), ("vpn", 2)),),
        ("billing", "sales", "tech"),
    )
