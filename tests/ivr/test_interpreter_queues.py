"""How a flow queues a caller and goes on by how the wait ended; and how it takes a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.step_kinds.agents import QUEUE_EXITS
from ivr.steps import (
    End,
    Ending,
    Enqueue,
    MessageRecorded,
    Play,
    Prompt,
    RecordMessage,
    Waiting,
)
from tests.ivr.sites import Ride, site_with

DESIGNED = End(Ending.DESIGNED)


def said(*texts: str, language: str = "en") -> tuple[Prompt, ...]:
    return tuple(Prompt(text=text, language=language) for text in texts)


# --- queue ------------------------------------------------------------------------------------------------


def test_a_queue_step_takes_its_rules_from_the_queue_and_from_itself(tmp_path: Path) -> None:
    queues = """
billing: { title: Billing, announcement: Please wait., announce_every: 15s, max_wait: 2m, music: calm }
support: { title: Support }
"""
    steps = """
    - queue: billing
    - queue: billing
      priority: 5
      skills: { billing: 3 }
      any_skill: [{ billing: 2, technical: 4 }]
      prefer: [$dialled, last, $customer.note, maria]
      prefer_for: 10s
      attributes: { reason: "typed {caller}" }
      announcement: { en: Still busy., zh: 忙 }
      announce_every: 1m
      max_wait: 30s
      music: jazz
    - queue: support
    """
    skills = "billing: Billing\ntechnical: Technical help\n"
    site = site_with(tmp_path, steps, queues_yaml=queues, skills_yaml=skills)
    ride = Ride(site, {"caller": "7", "dialled": "maria"}, language="zh")

    assert ride.heard == Enqueue(
        Waiting("billing", "calm", comfort=said("Please wait."), announce_every_s=15.0, tell_every_s=60.0),
        max_wait_s=120.0,
    )
    assert ride.leave_queue("timed_out") == Enqueue(
        Waiting("billing", "jazz", comfort=said("忙", language="zh"), announce_every_s=60.0, tell_every_s=60.0),
        priority=5,
        skills=(("billing", 3),),
        any_skill=((("billing", 2), ("technical", 4)),),
        attributes=(("reason", "typed 7"),),
        max_wait_s=30.0,
        preferred=("maria", "last"),
        preferred_s=10.0,
    )
    assert ride.leave_queue("served") == Enqueue(Waiting("support", announce_every_s=30.0, tell_every_s=60.0))
    assert ride.leave_queue("served") == DESIGNED


def test_a_message_for_agents_names_its_queue_and_tells_what_was_set(tmp_path: Path) -> None:
    queues = "messages: { title: Messages, medium: message }\n"
    steps = """
    - set: { topic: Invoice }
    - voicemail: Speak.
      queue: messages
      priority: 3
      attributes: { who: $caller }
    """
    ride = Ride(site_with(tmp_path, steps, queues_yaml=queues), {"caller": "7"})
    told = (("topic", "Invoice"), ("who", "7"))
    assert ride.heard == RecordMessage(said("Speak."), 120.0, 5.0, "messages", 3, told)


@pytest.mark.parametrize(
    ("outcome", "words"), [("served", "Bye."), ("timed_out", "Sorry."), ("closed", "Bye."), ("something new", "Bye.")]
)
def test_a_queue_step_goes_on_by_how_the_wait_ended(tmp_path: Path, outcome: str, words: str) -> None:
    site = site_with(tmp_path, "- queue: billing\n  timed_out: [say: Sorry.]\n  then: [say: Bye.]")

    assert Ride(site).leave_queue(outcome) == Play(said(words))


def test_each_outcome_may_have_its_own_way(tmp_path: Path) -> None:
    steps = "- queue: billing" + "".join(f"\n  {way}: [say: Way {way}.]" for way in QUEUE_EXITS)
    site = site_with(tmp_path, steps)

    heard = [Ride(site).leave_queue(outcome) for outcome in (*QUEUE_EXITS, "something new")]
    assert heard == [*(Play(said(f"Way {way}.")) for way in QUEUE_EXITS), DESIGNED]


def test_the_agent_is_told_what_was_chosen_typed_and_set(tmp_path: Path) -> None:
    steps = """
    - menu: Press 1.
      keys: { 1: next }
    """
    rest = """
    next:
      - collect: Account.
        into: account
        digits: 2
      - set: { topic: Billing, language: zh }
      - queue: billing
        attributes: { note: Careful }
    """
    ride = Ride(site_with(tmp_path, steps, rest), {"caller": "1"})
    ride.press("1")
    queued = ride.press("42")

    assert isinstance(queued, Enqueue)
    assert queued.attributes == (
        ("menu welcome", "1 next"), ("account", "42"), ("topic", "Billing"), ("note", "Careful"),
    )  # fmt: skip


# --- voicemail --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "words"), [("c-1.wav", "Thanks."), ("", "Nothing.")])
def test_a_message_is_recorded_or_nothing_was_said(tmp_path: Path, file: str, words: str) -> None:
    steps = """
    - voicemail: { en: Speak., zh: 请讲 }
      at_most: 1m
      silence: 2s
      otherwise: [say: Nothing., hangup]
    - say: Thanks.
    """
    ride = Ride(site_with(tmp_path, steps), language="zh")

    assert ride.heard == RecordMessage(said("请讲", language="zh"), 60.0, 2.0)
    assert ride.feed(MessageRecorded(file)) == Play(said(words))
