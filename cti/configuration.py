"""From the site's files and the table of people to the engine's configuration and Asterisk's provisioning values."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import structlog

from acd.model import (
    AgentProfile,
    CallbackRules,
    Configuration,
    Estimator,
    Overflow,
    OverflowCause,
    PriorityStep,
    QueueRules,
    Requirement,
    Ring,
    Strategy,
)
from cti.callbacks import Line
from cti.errors import CtiError
from cti.ports import PhoneRecord
from cti.provisioning import PhoneKind, PhoneSettings, ProvisioningError, Transport, Trunk, phone_objects
from ivr.callbacks import Callback
from ivr.overflow import FLOW, OverflowRule
from ivr.settings import Queue
from ivr.settings import Trunk as TrunkRule
from ivr.site import Site

log = structlog.get_logger(__name__)


class ConfigurationMismatchError(CtiError):
    """People and site files do not fit together; the message names the person and the name that is not known."""

    code = "configuration_mismatch"


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)


def engine_configuration(site: Site, profiles: Sequence[AgentProfile], seed: int) -> Configuration:
    """The rules that the engine decides by. Raises `ConfigurationMismatchError` for a person in an unknown queue."""
    for profile in profiles:
        for queue in (*profile.queues, *(queue for queue, _ in profile.queue_levels)):
            if queue not in site.queues:
                known = ", ".join(sorted(site.queues))
                raise ConfigurationMismatchError(
                    f"person {profile.id}: queue {queue!r} is not in queues.yaml; known: {known}"
                )
    return Configuration(
        queues=tuple(_queue_rules(queue) for queue in site.queues.values()),
        agents=tuple(profiles),
        seed=seed,
        desktop_grace_us=_us(site.settings.agents.desktop_grace_s),
        offer_without_desktop=site.settings.agents.offer_without_desktop,
    )


def _queue_rules(queue: Queue) -> QueueRules:
    return QueueRules(
        id=queue.id,
        title=queue.title,
        medium=queue.medium,
        ring_us=_us(queue.ring_s),
        wrap_up_us=_us(queue.wrap_up_s),
        short_abandon_us=_us(queue.short_abandon_s),
        priority=queue.priority,
        requirements=(
            *(Requirement(skill, level) for skill, level in queue.skills.items()),
            *(_choice(tuple(choice.items())) for choice in queue.any_skill),
        ),
        strategy=Strategy(queue.strategy),
        ring_at_most=queue.ring_at_most,
        relax=tuple(Ring(_us(ring.after_s), tuple(ring.skills.items()), ring.queues) for ring in queue.relax),
        wrap_up_most_us=_us(queue.wrap_up_most_s),
        raise_priority=tuple(PriorityStep(_us(step.after_s), step.by) for step in queue.raise_priority),
        overflow=tuple(map(_overflow, queue.overflow)),
        regain_us=_us(queue.regain_s),
        estimator=Estimator(queue.estimator),
        expected_handling_us=_us(queue.expected_handling_s),
        expected_patience_us=_us(queue.expected_patience_s),
        callback=_callback_rules(queue.callback) if queue.callback is not None else None,
    )


def _callback_rules(rules: Callback) -> CallbackRules:
    return CallbackRules(rules.attempts, _us(rules.every_s), _us(rules.reserve_s), _us(rules.lasts_s))


def callback_line(site: Site, queue: str) -> Line | None:
    """How customers of this queue are called: by the trunk that it names, else by the site's first; None if by none."""
    rules = site.queues[queue].callback if queue in site.queues else None
    rules = rules or Callback(greeting={})
    trunk = site.trunks.get(rules.trunk or next(iter(site.trunks), ""))
    return None if trunk is None else Line(trunk.name, trunk.caller_id or "", rules.ring_s)


def _choice(skills: tuple[tuple[str, int], ...]) -> Requirement:
    (skill, level), *others = skills
    return Requirement(skill, level, tuple(others))


def _overflow(rule: OverflowRule) -> Overflow:
    limits = {
        OverflowCause.TIMED_OUT: _us(rule.after_s or 0),
        OverflowCause.FULL: rule.longer_than,
        OverflowCause.LONG_WAIT: _us(rule.expected_over_s or 0),
        OverflowCause.FEW_SIGNED_IN: rule.signed_in_below,
        OverflowCause.FEW_READY: rule.ready_below,
    }
    ((cause, limit),) = [(cause, limit) for cause, limit in limits.items() if limit]
    queue = "" if rule.to == FLOW else rule.to
    return Overflow(cause, limit, queue, "joining" in rule.moments, "waiting" in rule.moments)


def phone_settings(phone: PhoneRecord) -> PhoneSettings:
    """The phone as Asterisk needs it; an address `host:port` becomes the URI of its extension there."""
    return PhoneSettings(
        extension=phone.extension,
        secret=phone.secret,
        kind=PhoneKind.WEBRTC if phone.kind == PhoneKind.WEBRTC else PhoneKind.HARD,
        address=f"sip:{phone.extension}@{phone.address}" if phone.address else "",
    )


def phones_for_asterisk(phones: Mapping[str, PhoneRecord]) -> list[tuple[str, str, str]]:
    """The rows that make these phones usable (agent id → phone). One that cannot be written is logged and left out:
    its owner is not there, everybody else is."""
    rows: list[tuple[str, str, str]] = []
    for agent_id, phone in phones.items():
        try:
            rows += phone_objects(phone_settings(phone))
        except ProvisioningError as error:
            log.error("phone.refused", agent_id=agent_id, error=str(error))
    return rows


def trunks(site: Site, environment: Mapping[str, str] | None = None) -> list[Trunk]:
    """The site's trunks for provisioning, their secrets read from where the files say."""
    return [_trunk(rule, site, os.environ if environment is None else environment) for rule in site.trunks.values()]


def _trunk(rule: TrunkRule, site: Site, environment: Mapping[str, str]) -> Trunk:
    return Trunk(
        name=rule.name,
        host=rule.host,
        port=rule.port,
        transport=Transport(rule.transport),
        match=rule.match,
        register=rule.register_,
        username=rule.username or "",
        secret=_secret(rule, site, environment),
        codecs=rule.codecs,
        max_calls=rule.max_calls,
        caller_id=rule.caller_id or "",
        srtp=rule.srtp,
        emergency=rule.emergency,
    )


def _secret(rule: TrunkRule, site: Site, environment: Mapping[str, str]) -> str:
    if rule.secret is None:
        return ""
    if rule.secret.env is not None:
        if rule.secret.env not in environment:
            raise ConfigurationMismatchError(
                f"trunk {rule.name}: its secret is expected in the environment variable {rule.secret.env}, not set"
            )
        return environment[rule.secret.env]
    file = site.folder / (rule.secret.file or "")
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationMismatchError(f"trunk {rule.name}: cannot read its secret from {file}: {error}") from error
