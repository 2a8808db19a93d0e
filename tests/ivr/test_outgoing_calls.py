"""`outgoing_calls` of `site.yaml`: whom a site lets be called, and what is said of mistakes in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cti.outbound import Outbound, outbound_of
from ivr.loader import load_site
from tests.ivr.sites import SMALL, problems_in, write_site

SITE = (SMALL / "site.yaml").read_text()


def test_a_site_that_says_nothing_calls_its_own_country(tmp_path: Path) -> None:
    assert outbound_of(load_site(write_site(tmp_path, {}))) == Outbound("DE")


def test_countries_and_beginnings_reach_the_guard(tmp_path: Path) -> None:
    rules = 'outgoing_calls: { countries: [DE, AT], allow: ["+49800"], deny: ["+43664"] }\n'
    site = load_site(write_site(tmp_path, {"site.yaml": SITE + rules}))
    assert outbound_of(site) == Outbound("DE", ("DE", "AT"), ("+49800",), ("+43664",))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("{ countries: [Germany] }", '"Germany" is not a country'),
        ('{ allow: ["0049"] }', '"0049" is no beginning of numbers: expected + and 2 to 15 digits'),
        ('{ deny: [""] }', "is no beginning of numbers"),
        ('{ allow: ["+"] }', "is no beginning of numbers"),
        ('{ alow: ["+49"] }', "alow"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, rules: str, said: str) -> None:
    found = problems_in(tmp_path, {"site.yaml": f"{SITE}outgoing_calls: {rules}\n"})
    assert len(found) == 1
    assert found[0].startswith("site.yaml:")
    assert said in found[0]
