"""What an operator sees: a table and a verdict; and a faulty engine is not told to be good."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from cti.cli import app
from rehearsal import selfcheck as checked
from rehearsal.cases import wrap_up_case
from tests.rehearsal.faults import WrapUpSkipped


@pytest.fixture
def one_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "cases", lambda: (wrap_up_case(4, 50, 180, 0.3),))


@pytest.mark.usefixtures("one_case")
def test_a_good_engine() -> None:
    told: list[str] = []
    assert checked.selfcheck(told.append)
    assert "theory" in told[0]
    assert told[1].startswith("wrap-up ended by hand, 4 agents · Erlang C (M/M/n) · ")
    assert [line.split()[-1] for line in told[2:-1]] == ["ok"] * 4
    assert told[2].split()[:4] == ["mean", "wait,", "s", "38.4"]
    assert told[-1] == "The engine does what theory says."


@pytest.mark.usefixtures("one_case")
def test_a_faulty_engine() -> None:
    told: list[str] = []
    assert not checked.selfcheck(told.append, WrapUpSkipped)
    assert any(line.endswith("NOT OK") for line in told)
    assert told[-1] == "The engine does NOT do what theory says: see above."


def test_what_an_operator_checks() -> None:
    assert [case.name for case in checked.cases()] == [
        "Erlang A, 9 agents",
        "wrap-up ended by hand, 4 agents",
        "2 priorities, 4 agents",
        "overflow, all wait 60 s, 6 agents",
        "N design with patience, 2+2 agents",
    ]


@pytest.mark.usefixtures("one_case")
def test_the_command_prints_it_and_its_status_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(app, ["selfcheck"])
    assert result.exit_code == 0
    assert result.output.endswith("The engine does what theory says.\n")
    good = checked.selfcheck
    monkeypatch.setattr(checked, "selfcheck", lambda tell: good(tell, WrapUpSkipped))
    result = CliRunner().invoke(app, ["selfcheck"])
    assert result.exit_code == 1
    assert "NOT OK" in result.output
