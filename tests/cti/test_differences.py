"""Differences of flows are those of their graphs: what calls notice, and nothing of how files are written."""

from __future__ import annotations

from pathlib import Path

from cti.differences import flow_differences
from ivr.loader import load_site
from tests.ivr.sites import flow, write_site


def test_flows_that_changed_came_and_went(tmp_path: Path) -> None:
    one, two = {"flows/main.yaml": flow("- say: One.")}, {"flows/main.yaml": flow("- say: Two.")}
    old = load_site(write_site(tmp_path / "old", {**one, "flows/b.yaml": flow("- say: B.")}))
    new = load_site(write_site(tmp_path / "new", {**two, "flows/c.yaml": flow("- say: C.")}))

    found = flow_differences(old, new)

    assert [(each.flow, each.what) for each in found] == [("b", "removed"), ("c", "added"), ("main", "changed")]
    assert found[2].diff.splitlines()[:2] == ["--- a/main", "+++ b/main"]
    assert "-  say: One.\n+  say: Two." in found[2].diff
    assert "+  say: C." in found[1].diff


def test_what_calls_do_not_notice_is_no_difference(tmp_path: Path) -> None:
    old = load_site(write_site(tmp_path / "old", {"flows/main.yaml": flow("- say: One.")}))
    new = load_site(write_site(tmp_path / "new", {"flows/main.yaml": "# a comment\n" + flow("- say: 'One.'")}))

    assert flow_differences(old, new) == []
