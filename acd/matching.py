"""Who may take an interaction: queues and skills. What does not belong here: who is first (`acd.ranking`)."""

from __future__ import annotations

from collections.abc import Mapping

from acd.model import Requirement

Needs = tuple[tuple[str, int], ...]
"""What queue and interaction ask for together: (skill, level) pairs, each skill once, sorted by skill."""


def merged_needs(*lists: tuple[Requirement, ...]) -> Needs:
    """Requirements of queue and interaction as one; of a skill asked for twice the higher level counts."""
    levels: dict[str, int] = {}
    for requirements in lists:
        for wanted in requirements:
            levels[wanted.skill] = max(wanted.level, levels.get(wanted.skill, 0))
    return tuple(sorted(levels.items()))


def levels_met(skills: Mapping[str, int], needs: Needs) -> int:
    """The sum of the agent's levels in the skills that are needed."""
    return sum(skills.get(skill, 0) for skill, _ in needs)


def missing_skill(skills: Mapping[str, int], needs: Needs) -> str | None:
    """The first needed skill that is absent or too low, or None when all are there."""
    for skill, level in needs:
        if skills.get(skill, 0) < level:
            return skill
    return None
