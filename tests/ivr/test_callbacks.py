"""`callback` of a queue: the line by which its customers are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.site import texts
from tests.ivr.sites import problems_in, site_with

TRUNK = "carrier: { host: 192.0.2.7 }\n"
QUEUES = (
    "billing:\n  title: Billing\n  callback: { greeting: { en: This is us. }, lasts: 8h, attempts: 5, trunk: %s }\n"
)


def test_a_queue_that_calls_back_by_a_known_line(tmp_path: Path) -> None:
    site = site_with(tmp_path, "- answer", trunks_yaml=TRUNK, queues_yaml=QUEUES % "carrier")
    rules = site.queues["billing"].callback
    assert rules is not None
    assert (rules.attempts, rules.every_s, rules.lasts_s, rules.confirm, rules.trunk) == (
        5,
        300,
        28_800,
        True,
        "carrier",
    )
    assert "This is us." in [prompt.text for prompt in texts(site)]


@pytest.mark.parametrize(
    ("trunks", "expected"),
    [
        (TRUNK, ['queues.yaml:3:77: unknown trunk "carier": expected carrier; did you mean "carrier"?']),
        ("- carrier\n", ["trunks.yaml:1:1: expected names with their rules, such as billing:"]),
    ],
)
def test_a_line_that_is_not_there(tmp_path: Path, trunks: str, expected: list[str]) -> None:
    assert problems_in(tmp_path, {"trunks.yaml": trunks, "queues.yaml": QUEUES % "carier"}) == expected
