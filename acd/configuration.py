"""Whether a configuration makes sense. The values themselves are in `acd.model`."""

from __future__ import annotations

from collections.abc import Iterable

from acd.errors import ConfigurationError
from acd.model import VOICE, AgentProfile, CallbackRules, Configuration, OverflowCause, QueueRules

LOWEST_LEVEL, HIGHEST_LEVEL = 1, 10
HIGHEST_WEIGHT = 10
HIGHEST_CAPACITY = 20
#: So many phones ring at once for one caller, at most.
MOST_AT_ONCE = 20


def validate(configuration: Configuration) -> None:
    """Raise ConfigurationError at the first contradiction; the message names the id, what was expected, what came."""
    _validate_ids("queue", (rules.id for rules in configuration.queues))
    _validate_ids("agent", (profile.id for profile in configuration.agents))
    if configuration.desktop_grace_us <= 0:
        raise ConfigurationError(f"desktop_grace_us: expected more than 0, got {configuration.desktop_grace_us}")
    queues = {rules.id for rules in configuration.queues}
    for rules in configuration.queues:
        _validate_queue(rules)
        _validate_steps(rules, queues)
        _validate_overflows(rules, queues)
    _validate_media(configuration)
    for profile in configuration.agents:
        _validate_agent(profile, queues)


def _validate_ids(what: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for each in ids:
        if not each:
            raise ConfigurationError(f"{what}: expected an id, got an empty one")
        if each in seen:
            raise ConfigurationError(f"{what} {each!r}: expected one of this id, got two")
        seen.add(each)


def _validate_queue(rules: QueueRules) -> None:
    if rules.ring_us <= 0:
        raise ConfigurationError(f"queue {rules.id!r}: ring_us: expected more than 0, got {rules.ring_us}")
    if rules.expected_handling_us <= 0:
        raise ConfigurationError(
            f"queue {rules.id!r}: expected_handling_us: expected more than 0, got {rules.expected_handling_us}"
        )
    for name, value in (
        ("wrap_up_us", rules.wrap_up_us),
        ("wrap_up_most_us", rules.wrap_up_most_us),
        ("short_abandon_us", rules.short_abandon_us),
        ("regain_us", rules.regain_us),
        ("expected_patience_us", rules.expected_patience_us),
    ):
        if value < 0:
            raise ConfigurationError(f"queue {rules.id!r}: {name}: expected 0 or more, got {value}")
    if not 1 <= rules.ring_at_most <= MOST_AT_ONCE:
        got = rules.ring_at_most
        raise ConfigurationError(f"queue {rules.id!r}: ring_at_most: expected 1 to {MOST_AT_ONCE}, got {got}")
    if rules.callback is not None:
        _validate_callback(rules.id, rules.callback)
    for wanted in rules.requirements:
        for skill, level in ((wanted.skill, wanted.level), *wanted.any_of):
            _validate_level(f"queue {rules.id!r}", skill, level)


def _validate_callback(queue: str, rules: CallbackRules) -> None:
    for name, value in (
        ("attempts", rules.attempts),
        ("every_us", rules.every_us),
        ("reserve_us", rules.reserve_us),
        ("lasts_us", rules.lasts_us),
    ):
        if value <= 0:
            raise ConfigurationError(f"queue {queue!r}: callback: {name}: expected more than 0, got {value}")


def _validate_steps(rules: QueueRules, queues: set[str]) -> None:
    """Rings and steps come one after the other, name known queues, and change something."""
    who = f"queue {rules.id!r}"
    _validate_order(f"{who}: relax", [ring.after_us for ring in rules.relax])
    _validate_order(f"{who}: raise_priority", [step.after_us for step in rules.raise_priority])
    for ring in rules.relax:
        for skill, level in ring.levels:
            if level:
                _validate_level(f"{who}: relax", skill, level)
        for queue in ring.queues:
            if queue not in queues or queue == rules.id:
                raise ConfigurationError(f"{who}: relax: expected another known queue, got {queue!r}")
    for step in rules.raise_priority:
        if step.by <= 0:
            raise ConfigurationError(f"{who}: raise_priority: by: expected more than 0, got {step.by}")


def _validate_overflows(rules: QueueRules, queues: set[str]) -> None:
    who = f"queue {rules.id!r}: overflow"
    for each in rules.overflow:
        if each.cause is OverflowCause.CLOSED:
            raise ConfigurationError(f"{who}: expected a cause that has a limit, got {each.cause.value}")
        if each.at <= 0:
            raise ConfigurationError(f"{who}: {each.cause.value}: at: expected more than 0, got {each.at}")
        if each.queue and (each.queue not in queues or each.queue == rules.id):
            raise ConfigurationError(f"{who}: {each.cause.value}: expected another known queue, got {each.queue!r}")


def _validate_media(configuration: Configuration) -> None:
    """Who waits stays with their medium, wherever rings and overflow lead."""
    media = {rules.id: rules.medium for rules in configuration.queues}
    for rules in configuration.queues:
        if not rules.medium:
            raise ConfigurationError(f"queue {rules.id!r}: medium: expected one, got none")
        if rules.callback is not None and rules.medium != VOICE:
            raise ConfigurationError(
                f"queue {rules.id!r}: callback: expected a queue of medium {VOICE!r}, got {rules.medium!r}"
            )
        rings = [("relax", queue) for ring in rules.relax for queue in ring.queues]
        for where, queue in (*rings, *(("overflow", each.queue) for each in rules.overflow if each.queue)):
            if media[queue] != rules.medium:
                raise ConfigurationError(
                    f"queue {rules.id!r}: {where}: expected a queue of medium {rules.medium!r}, "
                    f"{queue!r} is of {media[queue]!r}"
                )


def _validate_order(where: str, instants: list[int]) -> None:
    before = 0
    for after in instants:
        if after <= before:
            raise ConfigurationError(f"{where}: after_us: expected more than {before}, got {after}")
        before = after


def _validate_agent(profile: AgentProfile, queues: set[str]) -> None:
    named: set[str] = set()
    for queue in profile.queues:
        if queue not in queues:
            raise ConfigurationError(f"agent {profile.id!r}: expected a known queue, got {queue!r}")
        if queue in named:
            raise ConfigurationError(f"agent {profile.id!r}: queue {queue!r}: expected once, got twice")
        named.add(queue)
    _validate_queue_levels(profile, queues)
    _validate_capacity(profile)
    if not 1 <= profile.weight <= HIGHEST_WEIGHT:
        raise ConfigurationError(f"agent {profile.id!r}: weight: expected 1 to {HIGHEST_WEIGHT}, got {profile.weight}")
    skills: set[str] = set()
    for skill, level in profile.skills:
        if skill in skills:
            raise ConfigurationError(f"agent {profile.id!r}: skill {skill!r}: expected once, got twice")
        skills.add(skill)
        _validate_level(f"agent {profile.id!r}", skill, level)


def _validate_capacity(profile: AgentProfile) -> None:
    named: set[str] = set()
    for medium, most in profile.capacity:
        if not medium or medium in named:
            raise ConfigurationError(f"agent {profile.id!r}: capacity: expected each medium once, got {medium!r}")
        named.add(medium)
        highest = 1 if medium == VOICE else HIGHEST_CAPACITY
        if not 0 <= most <= highest:
            raise ConfigurationError(
                f"agent {profile.id!r}: capacity for {medium!r}: expected 0 to {highest}, got {most}"
            )


def _validate_queue_levels(profile: AgentProfile, queues: set[str]) -> None:
    """Each queue once, and known; also one that the agent does not serve, but may be moved to."""
    named: set[str] = set()
    for queue, level in profile.queue_levels:
        who = f"agent {profile.id!r}: level in queue {queue!r}"
        if queue not in queues or queue in named:
            raise ConfigurationError(f"{who}: expected known queues, each once, got {queue!r}")
        named.add(queue)
        if not LOWEST_LEVEL <= level <= HIGHEST_LEVEL:
            raise ConfigurationError(f"{who}: expected {LOWEST_LEVEL} to {HIGHEST_LEVEL}, got {level}")


def _validate_level(who: str, skill: str, level: int) -> None:
    if not LOWEST_LEVEL <= level <= HIGHEST_LEVEL:
        raise ConfigurationError(
            f"{who}: skill {skill!r}: expected a level from {LOWEST_LEVEL} to {HIGHEST_LEVEL}, got {level}"
        )
