"""The scenarios of the bench: that both sides are the same but for who does the queueing."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from ivr.loader import load_site
from lab import bench_throughput
from lab.bench_scenarios import (
    ANNOUNCED_EVERY_S,
    ANNOUNCEMENT,
    EXTENSIONS,
    SCENARIOS,
    SITE,
    Scenario,
    dialplan,
    queues_conf,
)
from lab.bench_throughput import Step, Throughput


def sections(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if name := re.fullmatch(r"\[(.+)\]", line):
            found[name[1]] = {}
        elif " = " in line:
            key, _, value = line.partition(" = ")
            found[list(found)[-1]][key] = value
    return found


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_our_site_serves_each_queue_with_the_same_agents(scenario: Scenario) -> None:
    site = load_site(SITE)
    flows = {rule.number: rule.flow for rule in site.numbers}
    assert [flows[number] for number in scenario.numbers["ours"]] == list(scenario.queues)
    with (SITE / "people.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for queue in scenario.queues:
        assert tuple(row["username"] for row in rows if queue in row["queues"].split(";")) == scenario.usernames
    assert {row["username"]: row["extension"] for row in rows} == EXTENSIONS


def test_both_sides_say_the_same_as_often() -> None:
    queues = {queue.id: queue for queue in load_site(SITE).queues.values()}
    theirs = sections(queues_conf(Path("/sounds/wait")))
    for name, queue in queues.items():
        announces = "periodic-announce" in theirs[name]
        assert queue.announcement == ((ANNOUNCEMENT,) if announces else ())
        if announces:
            assert queue.announce_every_s == ANNOUNCED_EVERY_S == int(theirs[name]["periodic-announce-frequency"])
            assert theirs[name]["periodic-announce"] == "/sounds/wait"
        assert (queue.wrap_up_s, queue.music) == (0, theirs[name]["musicclass"])


def test_every_number_of_app_queue_leads_to_its_queue() -> None:
    text = dialplan()
    for scenario in SCENARIOS:
        assert not set(scenario.numbers["ours"]) & set(scenario.numbers["app_queue"])
        for number, queue in zip(scenario.numbers["app_queue"], scenario.queues, strict=True):
            assert f"exten => {number},1,Goto(bench-{queue},s,1)\n" in text
            assert f"[bench-{queue}]\nexten => s,1,Answer()\n same => n,Queue({queue},t)\n" in text


def test_the_throughput_site_has_its_numbers_agents_and_customers() -> None:
    site = load_site(bench_throughput.SITE)
    flows = {rule.number: rule.flow for rule in site.numbers}
    assert flows == {bench_throughput.NUMBERS["short"]: "short", bench_throughput.NUMBERS["full"]: "full"}
    with (bench_throughput.SITE / "customers.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == bench_throughput.CUSTOMERS
    with (bench_throughput.SITE / "people.csv").open(encoding="utf-8") as file:
        assert {row["username"]: row["extension"] for row in csv.DictReader(file)} == bench_throughput.EXTENSIONS


@pytest.mark.parametrize(
    ("short_failed", "full_rate", "full_failed", "cpu_ms", "holds"),
    [
        (0, 42, 0, 4.0, True),
        (1, 42, 0, 3.0, False),
        (0, 42, 1, 3.0, False),
        (0, 41, 0, 3.0, False),
        (0, 42, 0, 4.1, False),
    ],
)
def test_the_verdict_of_the_throughput(
    short_failed: int, full_rate: float, full_failed: int, cpu_ms: float, holds: bool
) -> None:
    short = Step("short", 60, 480, short_failed, 2.0)
    full = Step("full", full_rate, 336, full_failed, cpu_ms)
    assert Throughput(60, short, full, (short, full), 1.0).bars_hold is holds
