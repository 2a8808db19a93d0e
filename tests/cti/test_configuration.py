"""From site files and people to what the engine and Asterisk get; what does not fit together is said by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from acd.engine import Engine
from acd.model import (
    AgentProfile,
    Estimator,
    Overflow,
    OverflowCause,
    PriorityStep,
    QueueRules,
    Requirement,
    Ring,
    Strategy,
)
from cti.configuration import (
    ConfigurationMismatchError,
    engine_configuration,
    phone_settings,
    phones_for_asterisk,
    trunks,
)
from cti.provisioning import PhoneKind, Transport
from tests.fakes.site import small_site

HELLO = "\n  door:\n    - hangup\n"
QUEUES = """billing:
  title: Billing questions
  ring: 12s
  wrap_up: 500ms
  short_abandon: 2s
  priority: 3
  skills: { billing: 4 }
tech:
  title: Tech
  strategy: round_robin
  any_skill: [{ tech: 3, billing: 8 }]
  relax: [{ after: 30s, skills: { tech: 1 } }, { after: 1m, skills: { tech: 0 }, queues: [billing] }]
  raise_priority: [{ after: 45s }]
sales:
  title: Sales
  strategy: ring_all
  ring_at_most: 3
"""
TRUNKS = """carrier:
  host: sip.example.com
  port: 5070
  transport: tcp
  match: ["192.0.2.7"]
  username: us
  secret: { env: CARRIER_SECRET }
  max_calls: 30
"""


@dataclass(frozen=True)
class Phone:
    extension: str = "2001"
    kind: str = "sip"
    secret: str = "a-long-secret"
    address: str = ""


def test_queues_become_rules_in_microseconds(tmp_path: Path) -> None:
    site = small_site(tmp_path, HELLO, queues=QUEUES, skills="billing: Billing\ntech: Tech\n")
    found = engine_configuration(site, [AgentProfile("maria", "Maria", ("billing",))], seed=7)
    assert found.queues[0] == QueueRules(
        "billing", "Billing questions", 12_000_000, 500_000, 2_000_000, 3, (Requirement("billing", 4),)
    )
    assert (found.seed, found.desktop_grace_us, found.offer_without_desktop) == (7, 60_000_000, False)
    assert [each.strategy for each in found.queues] == [
        Strategy.LONGEST_IDLE, Strategy.ROUND_ROBIN, Strategy.RING_ALL,
    ]  # fmt: skip
    assert [each.ring_at_most for each in found.queues] == [5, 5, 3]
    assert found.queues[1].requirements == (Requirement("tech", 3, (("billing", 8),)),)
    assert found.queues[1].relax == (
        Ring(30_000_000, (("tech", 1),)),
        Ring(60_000_000, (("tech", 0),), ("billing",)),
    )
    assert found.queues[1].raise_priority == (PriorityStep(45_000_000, 1),)
    Engine(found, 0)


def test_a_queue_is_of_its_medium_and_of_calls_if_nothing_is_said(tmp_path: Path) -> None:
    queues = "billing: { title: Billing }\nchats: { title: Chats, medium: chat }\n"
    profile = AgentProfile("maria", "Maria", ("billing", "chats"), capacity=(("voice", 1), ("chat", 3)))
    found = engine_configuration(small_site(tmp_path, HELLO, queues=queues), [profile], seed=7)
    assert [(each.id, each.medium) for each in found.queues] == [("billing", "voice"), ("chats", "chat")]
    Engine(found, 0)


OVERFLOWS = """billing:
  title: Billing
  overflow:
    - { after: 60s, to: support }
    - { longer_than: 20, to: flow }
    - { expected_over: 10m }
    - { signed_in_below: 1, when: [joining, waiting] }
    - { ready_below: 2, to: support }
  regain: 5m
  estimator: staffing
  expected_handling: 4m
  expected_patience: 5m
support:
  title: Support
  overflow: [{ expected_over: 90s, when: [waiting] }]
"""


def test_overflows_and_estimates_become_rules(tmp_path: Path) -> None:
    found = engine_configuration(small_site(tmp_path, HELLO, queues=OVERFLOWS), [], seed=7)
    billing, support = found.queues
    assert billing.overflow == (
        Overflow(OverflowCause.TIMED_OUT, 60_000_000, "support", joining=False, waiting=True),
        Overflow(OverflowCause.FULL, 20),
        Overflow(OverflowCause.LONG_WAIT, 600_000_000),
        Overflow(OverflowCause.FEW_SIGNED_IN, 1, "", joining=True, waiting=True),
        Overflow(OverflowCause.FEW_READY, 2, "support"),
    )
    assert support.overflow == (Overflow(OverflowCause.LONG_WAIT, 90_000_000, "", joining=False, waiting=True),)
    assert (billing.regain_us, billing.estimator) == (300_000_000, Estimator.STAFFING)
    assert (billing.expected_handling_us, billing.expected_patience_us) == (240_000_000, 300_000_000)
    assert (support.regain_us, support.estimator) == (0, Estimator.PATIENCE)
    assert (support.expected_handling_us, support.expected_patience_us) == (180_000_000, 0)
    Engine(found, 0)


def test_what_the_site_says_of_agents_is_taken(tmp_path: Path) -> None:
    text = (
        "name: Test\ncountry: DE\ntime_zone: Europe/Berlin\nlanguages: [en]\ndefault_language: en\n"
        "agents: { offer_without_desktop: true, desktop_grace: 5s }\n"
        "fail_safe: { message: Nobody is there., take: number }\n"
    )
    found = engine_configuration(small_site(tmp_path, HELLO, site=text), [], 1)
    assert (found.desktop_grace_us, found.offer_without_desktop) == (5_000_000, True)


def test_a_person_in_a_queue_that_is_gone_is_named(tmp_path: Path) -> None:
    site = small_site(tmp_path, HELLO)
    with pytest.raises(ConfigurationMismatchError, match=r"person maria: queue 'sales' .*known: billing, tech"):
        engine_configuration(site, [AgentProfile("maria", queues=("billing", "sales"))], 1)


@pytest.mark.parametrize(("kind", "expected"), [("sip", PhoneKind.HARD), ("webrtc", PhoneKind.WEBRTC)])
def test_a_phone_for_asterisk(kind: str, expected: PhoneKind) -> None:
    made = phone_settings(Phone(kind=kind))
    assert (made.extension, made.kind, made.secret, made.address) == ("2001", expected, "a-long-secret", "")


def test_a_phone_with_a_fixed_address_is_found_there() -> None:
    assert phone_settings(Phone(address="192.0.2.9:5060")).address == "sip:2001@192.0.2.9:5060"


def test_trunks_and_their_secrets(tmp_path: Path) -> None:
    site = small_site(tmp_path, HELLO, trunks=TRUNKS)
    [trunk] = trunks(site, {"CARRIER_SECRET": "from-environment"})
    assert (trunk.name, trunk.host, trunk.port, trunk.transport) == ("carrier", "sip.example.com", 5070, Transport.TCP)
    assert (trunk.secret, trunk.username, trunk.max_calls) == ("from-environment", "us", 30)
    with pytest.raises(ConfigurationMismatchError, match=r"trunk carrier: .*CARRIER_SECRET, not set"):
        trunks(site, {})


def test_a_secret_in_a_file(tmp_path: Path) -> None:
    site = small_site(tmp_path, HELLO, trunks=TRUNKS.replace("env: CARRIER_SECRET", "file: carrier.secret"))
    with pytest.raises(ConfigurationMismatchError, match=r"trunk carrier: cannot read .*carrier\.secret"):
        trunks(site, {})
    (tmp_path / "carrier.secret").write_text("from-file\n")
    [trunk] = trunks(site, {})
    assert trunk.secret == "from-file"


def test_one_phone_that_asterisk_cannot_take_keeps_no_other_from_working() -> None:
    rows = phones_for_asterisk({"ann": Phone(secret="short"), "ben": Phone()})
    assert {key for _, key, _ in rows} == {Phone().extension}
    assert len(rows) == 3
