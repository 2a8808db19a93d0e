"""`callyard flow numbers`, and the flows as screens ask for them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cti.cli import app
from cti.site_flows import SiteFlows, midnight
from tests.fakes.site import small_site, write_site

DOOR = "\n  door:\n    - menu: One?\n      keys: { 1: end }\n  end: [hangup]\n"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_site(tmp_path / "site", DOOR)
    (tmp_path / "callyard.yaml").write_text("site_dir: site\ndata_dir: data\n", encoding="utf-8")
    monkeypatch.setenv("CALLYARD_CONFIG", str(tmp_path / "callyard.yaml"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("since", ["", "7", "7w", "-3h", "0d", "99999d", "²d"])
def test_a_span_that_is_none_is_told(installed: Path, since: str) -> None:
    done = CliRunner().invoke(app, ["flow", "numbers", "main", "--since", since])
    assert done.exit_code == 1
    assert "since: expected hours or days back, as in 8h or 7d" in done.output


def test_an_unknown_flow_is_told_with_what_was_meant(installed: Path) -> None:
    done = CliRunner().invoke(app, ["flow", "numbers", "mian"])
    assert done.exit_code == 1
    assert 'unknown flow "mian"' in done.output
    assert "main" in done.output


def test_a_flow_that_nobody_called(installed: Path) -> None:
    done = CliRunner().invoke(app, ["flow", "numbers", "main", "--since", "8h"])
    assert (done.exit_code, done.output) == (0, "main: 0 calls over\n")


def test_flows_as_screens_ask_for_them(tmp_path: Path) -> None:
    first = small_site(tmp_path / "one", DOOR)
    second = small_site(tmp_path / "two", "\n  door: [hangup]\n")
    site, now = first, round(datetime(2026, 11, 23, 23, 30, tzinfo=UTC).timestamp()) * 1_000_000
    flows = SiteFlows(lambda: site, lambda: now)
    assert (flows.titles(), flows.size("main"), flows.version) == ({"main": "Main"}, 2, first.version[:12])
    assert [box.id for box in flows.graph("main")] == ["door", "end"]
    assert flows.graph("main") is flows.graph("main")
    site = second
    assert [box.id for box in flows.graph("main")] == ["door"]
    assert flows.today() == round(datetime(2026, 11, 23, 23, tzinfo=UTC).timestamp()) * 1_000_000, "0:00 in Berlin"


def test_midnight_of_a_day_when_the_clock_changes() -> None:
    at = round(datetime(2026, 10, 25, 20, tzinfo=UTC).timestamp()) * 1_000_000
    assert midnight(at, "Europe/Berlin") == round(datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp()) * 1_000_000
