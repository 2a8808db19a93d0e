"""Who may take an interaction: queues and skills. What does not belong here: who is first (`acd.ranking`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from acd.model import Requirement, Ring

Needs = tuple[tuple[str, int], ...]
"""What queue and interaction ask for together: (skill, level) pairs, each skill once, sorted by skill."""

Choices = tuple[Needs, ...]
"""What is asked for besides: of each group one (skill, level) pair at least."""


class Terms(NamedTuple):
    """Who may take an interaction now: agents of one of the `queues` who have all `needs` and one of each choice."""

    needs: Needs
    choices: Choices
    queues: tuple[str, ...]


def merged_needs(*lists: tuple[Requirement, ...]) -> Needs:
    """Requirements of queue and interaction as one; of a skill asked for twice the higher level counts."""
    levels: dict[str, int] = {}
    for requirements in lists:
        for wanted in requirements:
            if not wanted.any_of:
                levels[wanted.skill] = max(wanted.level, levels.get(wanted.skill, 0))
    return tuple(sorted(levels.items()))


def merged_choices(*lists: tuple[Requirement, ...]) -> Choices:
    """The requirements that leave a choice, each once; of a skill named twice in a choice the lower level counts."""
    groups = set()
    for requirements in lists:
        for wanted in requirements:
            if wanted.any_of:
                # Sorted by skill and falling level, so that the lowest stays.
                pairs = sorted(((wanted.skill, wanted.level), *wanted.any_of), key=lambda pair: (pair[0], -pair[1]))
                groups.add(tuple(dict(pairs).items()))
    return tuple(sorted(groups))


def relaxed(needs: Needs, choices: Choices, rings: Iterable[Ring], queue: str) -> Terms:
    """The terms once these rings have been reached: levels lowered (0 drops them), queues added."""
    queues = [queue]
    for ring in rings:
        ceiling = dict(ring.levels)
        needs = _lowered(needs, ceiling)
        lowered = [_lowered(group, ceiling) for group in choices]
        # A group of which one part is asked for no more asks for nothing.
        choices = tuple(
            sorted({after for before, after in zip(choices, lowered, strict=True) if len(after) == len(before)})
        )
        queues += [each for each in ring.queues if each not in queues]
    return Terms(needs, choices, tuple(queues))


def _lowered(needs: Needs, ceiling: Mapping[str, int]) -> Needs:
    lowered = ((skill, min(level, ceiling.get(skill, level))) for skill, level in needs)
    return tuple((skill, level) for skill, level in lowered if level)


def levels_met(skills: Mapping[str, int], needs: Needs, choices: Choices = ()) -> int:
    """The sum of the agent's levels in the skills that are needed; of a choice the best that is enough."""
    met = sum(skills.get(skill, 0) for skill, _ in needs)
    for group in choices:
        met += max(skills.get(skill, 0) for skill, level in group if skills.get(skill, 0) >= level)
    return met


def missing_skill(skills: Mapping[str, int], needs: Needs, choices: Choices = ()) -> str | None:
    """The first needed skill that is absent or too low (`a or b` of a choice), or None when all are there."""
    for skill, level in needs:
        if skills.get(skill, 0) < level:
            return skill
    for group in choices:
        if all(skills.get(skill, 0) < level for skill, level in group):
            return " or ".join(skill for skill, _ in group)
    return None
