"""Who may: the needs of queue and interaction together, against an agent's levels."""

from __future__ import annotations

from acd.matching import merged_needs, missing_skill
from acd.model import Requirement


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
