"""The copy of a site on which flow tests are played: short waits, and queues that refuse callers only when told to."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ivr.loader import load_site
from ivr.site import Site
from lab.live_site import AGENT, can_end, copy_site, number_to_fill, set_queues
from lab.paths import repository

QUEUES = """
first:
  title: First
  max_wait: 0s
  overflow: [{ longer_than: 20, to: second }, { after: 60s }]
second:
  title: Second
  max_wait: 90s
  overflow: [{ expected_over: 5m }]
"""
FLOW = """
start: door
nodes:
  door:
    - answer
    - menu: Press one.
      keys: { 1: [{ queue: first, max_wait: 10m }] }
      wait: 500ms
    - collect: Your number?
      into: typed
      digits: 4
    - set: { menu: typed, wait: 9s }
    - transfer: { number: "+4930901820" }
      otherwise: continue
    - voicemail: Speak.
    - queue: second
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    site = copy_site(repository() / "site", tmp_path)  # any copy will do to begin with
    (site / "queues.yaml").write_text(QUEUES)
    (site / "numbers.yaml").write_text('"+498999998100": { flow: main }\n')
    (site / "callers.yaml").write_text("rate: 5 in 10m\ntoo_often: { refuse: busy }\n")
    for file in [*(site / "flows").glob("*.yaml"), *(site / "tests").glob("*.yaml")]:
        file.unlink()
    (site / "flows" / "main.yaml").write_text(FLOW)
    return site


@pytest.fixture
def copied(source: Path, tmp_path: Path) -> Site:
    (tmp_path / "stage").mkdir()
    return load_site(copy_site(source, tmp_path / "stage"))


def test_nobody_waits_long(copied: Site) -> None:
    steps = [placed.step for placed in copied.layouts["main"].steps.values()]
    by_word = {step.word: step for step in steps if step.word != "queue"}

    assert by_word["menu"].wait_s == 0.5  # type: ignore[attr-defined]
    assert by_word["collect"].wait_s == 3  # type: ignore[attr-defined]
    assert by_word["transfer"].ring_s == 5  # type: ignore[attr-defined]
    assert by_word["voicemail"].silence_s == 3  # type: ignore[attr-defined]
    assert by_word["set"].set == {"menu": "typed", "wait": "9s"}  # type: ignore[attr-defined]
    assert [step.max_wait_s for step in steps if step.word == "queue"] == [6, None]  # type: ignore[attr-defined]


def test_queues_give_nobody_away_and_are_as_patient_as_a_test_can_wait(copied: Site) -> None:
    assert [queue.overflow for queue in copied.queues.values()] == [(), ()]
    assert [queue.max_wait_s for queue in copied.queues.values()] == [0, 6]


def test_a_test_may_call_as_often_as_it_likes(copied: Site) -> None:
    assert copied.callers.rate is None


def test_somebody_serves_every_queue(copied: Site) -> None:
    with (copied.folder / "people.csv").open(newline="") as file:
        people = {row["username"]: row for row in csv.DictReader(file)}

    assert people[AGENT]["queues"] == "first;second"
    assert people["maria"]["extension"] == "1001"
    assert people["maria"]["queues"] == ""


def test_a_queue_is_full_when_a_test_says_so_and_no_longer(source: Path, copied: Site) -> None:
    set_queues(source, copied.folder, {"first": "full", "second": "nobody"})
    forced = load_site(copied.folder)
    set_queues(source, copied.folder, {})
    again = load_site(copied.folder)

    assert [rule.condition for queue in forced.queues.values() for rule in queue.overflow] == [
        "longer_than",
        "ready_below",
    ]
    assert forced.route(number_to_fill("first")) is not None
    assert [queue.overflow for queue in again.queues.values()] == [(), ()]
    assert again.route(number_to_fill("first")) is None


@pytest.mark.parametrize(
    ("queue", "outcome", "can"),
    [
        ("first", "long_wait", True),  # by the queue that it gives callers to
        ("first", "full", False),  # they go on waiting elsewhere
        ("second", "long_wait", True),
        ("second", "full", False),
        ("second", "nobody", False),
    ],
)
def test_how_a_wait_can_end_is_in_the_rules(source: Path, queue: str, outcome: str, can: bool) -> None:
    assert can_end(load_site(source), queue, outcome) is can
