"""A look-up by PIN, offline: what it asks, where it leads, what flow tests say of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.dialogue import run_test
from ivr.flow_tests import read_tests
from ivr.site import Site
from ivr.steps import CustomerFound, LookUpCustomer, Play, Prompt
from tests.ivr.sites import SMALL, Ride, site_with

STEPS = """
- collect: Account?
  into: account
  digits: 4
  end: none
- collect: PIN?
  into: pin
  digits: 4
  end: none
  retries: 0
  secret: true
- lookup: { account: $account, pin: $pin }
  found: [{ say: "Hello {customer.name}." }, hangup]
  several: [{ say: Several. }, hangup]
  {ways}
- say: Nobody.
"""
WAYS = "wrong: [{ say: Wrong. }, hangup]\n  blocked: [{ say: Blocked. }, hangup]"


def site(folder: Path, ways: str = WAYS) -> Site:
    return site_with(folder, STEPS.replace("{ways}", ways))


def asked(site: Site, pin: str = "2580") -> Ride:
    ride = Ride(site)
    ride.press("4711")
    ride.press(pin)
    return ride


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (CustomerFound(1, {"name": "Anna"}), "Hello Anna."),
        (CustomerFound(2), "Several."),
        (CustomerFound(0), "Nobody."),
        (CustomerFound(0, refused="wrong"), "Wrong."),
        (CustomerFound(0, refused="blocked"), "Blocked."),
    ],
)
def test_a_pin_leads_where_its_answer_says(tmp_path: Path, found: CustomerFound, text: str) -> None:
    ride = asked(site(tmp_path))
    assert ride.heard == LookUpCustomer("account", "4711", "2580")
    assert ride.feed(found) == Play((Prompt(text),))


@pytest.mark.parametrize("refused", ["wrong", "blocked"])
def test_without_a_way_of_its_own_a_refusal_is_as_unknown(tmp_path: Path, refused: str) -> None:
    ride = asked(site(tmp_path, "unknown: continue"))
    assert ride.feed(CustomerFound(0, refused=refused)) == Play((Prompt("Nobody."),))


def test_without_a_pin_nobody_is_asked(tmp_path: Path) -> None:
    assert asked(site(tmp_path), "").heard == Play((Prompt("Wrong."),))


def test_the_pin_is_in_nothing_that_is_written(tmp_path: Path) -> None:
    ride = asked(site(tmp_path))
    assert "2580" not in f"{ride.heard!r} {ride.execution.variables} {ride.execution.chosen}"


def test_a_flow_test_knows_pins_and_blocks_after_as_many_as_the_site_says(tmp_path: Path) -> None:
    steps = STEPS.replace("{ways}", "wrong: welcome\n  blocked: [{ say: Blocked. }, hangup]")
    where = site_with(tmp_path, steps)
    text = """
right:
  given: { number: "+498999998100", at: 2026-11-23T10:00, customers: [{ name: Anna, account: "4711", pin: "2580" }] }
  dialogue:
    - presses: "4711"
    - presses: "2580"
    - hears: Hello Anna.
nobody:
  given: { number: "+498999998100", at: 2026-11-23T10:00, customers: [{ name: Anna, account: "4711" }] }
  dialogue:
    - presses: "47120000"
    - hears: Nobody.
wrong three times:
  given: { number: "+498999998100", at: 2026-11-23T10:00, customers: [{ name: Anna, account: "4711", pin: "2580" }] }
  dialogue:
    - presses: "47110000"
    - hears: Account?
    - presses: "47110000"
    - hears: Account?
    - presses: "47110000"
    - hears: Account?
    - presses: "47112580"
    - hears: Blocked.
no pin is nobody's:
  given: { number: "+498999998100", at: 2026-11-23T10:00, customers: [{ name: Anna, account: "4711" }] }
  dialogue:
    - presses: "47110000"
    - hears: Account?
"""
    tests, problems = read_tests(where, "tests/main.yaml", text.encode())
    assert problems == []
    assert [run_test(where, test) for test in tests] == [None] * 4


def test_a_site_says_how_many_wrong_pins_there_may_be(tmp_path: Path) -> None:
    text = (SMALL / "site.yaml").read_text(encoding="utf-8")
    site = site_with(tmp_path, "- say: Hello.", site_yaml=f"{text}pins: {{ wrong_per_call: 1, wrong_per_hour: 100 }}\n")

    assert (site.settings.pins.wrong_per_call, site.settings.pins.wrong_per_hour) == (1, 100)
