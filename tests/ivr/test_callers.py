"""`callers.yaml`: who is not let in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from ivr.callers import MOST_BLOCKED, Callers, Rate, Turned
from ivr.dialogue import run_test
from ivr.flow_tests import read_tests
from ivr.site import Site
from ivr.steps import Cause
from tests.ivr.sites import NOON, site_with

FILE = """
blocked:
  "+4930901820": Nuisance calls
  "+4930901821": { reason: For a while, until: 2027-03-03 }
  "+49309019*": Fax flood
withheld: { refuse: closed }
rate: 5 in 10m
too_often: { flow: other }
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    other = "start: a\nnodes:\n  a:\n    - say: Call less often.\n"
    return site_with(tmp_path, "- say: Hello.", callers_yaml=FILE, **{"flows/other_yaml": other})


def judged(site: Site, *forms: str, now: datetime = NOON) -> Turned | None:
    return site.callers.turned_away(forms, now, "Europe/Berlin")


@pytest.mark.parametrize(
    ("forms", "why"),
    [
        (("+4930901820",), "blocked: Nuisance calls"),
        (("4930901820",), "blocked: Nuisance calls"),
        (("030901820", "+4930901820"), "blocked: Nuisance calls"),
        (("+493090190",), "blocked: Fax flood"),
        (("+4930901955",), "blocked: Fax flood"),
        (("+49309018201",), None),
        (("+493090182",), None),
        (("+4930123456",), None),
    ],
)
def test_numbers_are_blocked_whole_or_by_how_they_begin(site: Site, forms: tuple[str, ...], why: str | None) -> None:
    found = judged(site, *forms)

    assert (found and found.why) == why
    assert found is None or (found.word, found.cause) == ("blocked", Cause.BLOCKED)


def test_a_block_ends_with_its_last_day_where_the_site_is(site: Site) -> None:
    last_minute = datetime(2027, 3, 3, 22, 59, tzinfo=UTC)  # 23:59 in Berlin

    assert judged(site, "+4930901821", now=last_minute) is not None
    assert judged(site, "+4930901821", now=datetime(2027, 3, 3, 23, 0, tzinfo=UTC)) is None


def test_a_withheld_number_is_refused_where_the_site_says_so(site: Site) -> None:
    assert judged(site) == Turned("withheld", "number withheld", Cause.CLOSED)
    assert Callers().turned_away((), NOON, "UTC") is None


def test_the_rate_is_read_and_everything_may_be_left_out(site: Site) -> None:
    assert site.callers.rate == Rate(5, 600)
    assert list(site.callers.flows()) == [("too_often", "other")]
    assert Callers().rate is None
    assert list(Callers().flows()) == []


def test_flow_tests_meet_the_door_too(site: Site, tmp_path: Path) -> None:
    text = """
blocked:
  given: { number: "+498999998100", caller: "+4930901820", at: 2026-11-23T10:00 }
  dialogue:
    - expects: { refused: blocked }
withheld:
  given: { number: "+498999998100", at: 2026-11-23T10:00 }
  dialogue:
    - expects: { refused: closed }
let in:
  given: { number: "+498999998100", caller: "+4930123456", at: 2026-11-23T10:00 }
  dialogue:
    - hears: Hello.
"""
    tests, problems = read_tests(site, "tests/main.yaml", text.encode())

    assert problems == []
    assert [run_test(site, test) for test in tests] == [None] * 3


def test_a_flow_test_goes_the_way_of_a_withheld_number(tmp_path: Path) -> None:
    other = "start: a\nnodes:\n  a:\n    - say: Please show your number.\n"
    files = {"flows/other_yaml": other}
    site = site_with(tmp_path, "- say: Hello.", callers_yaml="withheld: { flow: other }\n", **files)
    text = """
withheld:
  given: { number: "+498999998100", at: 2026-11-23T10:00 }
  dialogue:
    - hears: Please show your number.
"""
    tests, problems = read_tests(site, "tests/main.yaml", text.encode())

    assert problems == []
    assert [run_test(site, test) for test in tests] == [None]


def test_more_numbers_than_anybody_keeps_by_hand_are_refused() -> None:
    blocked = {f"+4930{number:07d}": "Nuisance" for number in range(MOST_BLOCKED + 1)}

    with pytest.raises(ValidationError, match="10001 numbers: expected at most 10000"):
        Callers.model_validate({"blocked": blocked})
