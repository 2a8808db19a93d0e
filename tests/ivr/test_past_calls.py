"""What a flow knows of the caller's earlier calls, and goes on by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from acd.model import Outcome
from ivr.dialogue import run_test
from ivr.flow_tests import read_tests
from ivr.past_calls import NO_HISTORY, OUTCOMES, history_of
from ivr.steps import Play, Prompt
from tests.ivr.sites import Ride, problems_in, site_with

NOW = datetime(2027, 3, 28, 8, 30, tzinfo=UTC)  # 10:30 in Berlin, where the clocks went forward at 2


@dataclass(frozen=True)
class Call:
    at: int
    queue: str = "billing"
    outcome: str = "served"
    disposition: str = ""
    promised: bool = False


def ago(minutes: float, **said: object) -> Call:
    return Call(int((NOW - timedelta(minutes=minutes)).timestamp() * 1e6), **said)  # type: ignore[arg-type]


def of(*calls: Call) -> dict[str, str]:
    return {
        name.removeprefix("history."): value
        for name, value in history_of(calls, {"later"}, NOW, "Europe/Berlin").items()
    }


def test_who_has_never_called_has_no_history() -> None:
    assert history_of((), {"later"}, NOW, "Europe/Berlin") == NO_HISTORY


def test_the_last_call_is_told_and_those_of_today_are_counted_from_the_sites_midnight() -> None:
    # 570 minutes before 10:30 is the last minute of the day before, because the clocks went forward meanwhile.
    told = of(ago(12, queue="support", outcome="abandoned_in_queue"), ago(569), ago(571))

    assert told == {
        "calls_today": "2",
        "last_queue": "support",
        "last_outcome": "abandoned_in_queue",
        "minutes_since_last": "12",
        "open_case": "false",
    }


def test_today_begins_at_midnight_where_the_site_is() -> None:
    night = datetime(2027, 3, 3, 23, 30, tzinfo=UTC)  # 00:30 in Berlin
    calls = [Call(int((night - timedelta(minutes=minutes)).timestamp() * 1e6)) for minutes in (10, 20, 40)]

    assert history_of(calls, (), night, "Europe/Berlin")["history.calls_today"] == "2"


@pytest.mark.parametrize(
    ("calls", "is_open"),
    [
        ((ago(5, disposition="later"),), "true"),
        ((ago(5), ago(50, disposition="later")), "true"),
        ((ago(5, disposition="done"), ago(50, disposition="later")), "false"),
        ((ago(5, promised=True), ago(50, disposition="done")), "true"),
        ((ago(5, disposition="done"),), "false"),
    ],
)
def test_a_case_is_open_by_the_last_disposition_or_a_promise(calls: tuple[Call, ...], is_open: str) -> None:
    assert of(*calls)["open_case"] == is_open


def test_a_call_from_the_future_was_just_now_and_a_very_old_one_is_as_none() -> None:
    assert of(ago(-5))["minutes_since_last"] == "0"
    assert of(ago(2_000_000))["minutes_since_last"] == "999999"


SKIP = """
- if: history.open_case || (history.last_outcome == "abandoned_in_queue" && history.minutes_since_last < 30)
  then: [{ say: "Welcome back, call {history.calls_today}." }, hangup]
- say: The menu.
"""


@pytest.mark.parametrize(
    ("history", "text"),
    [
        ({}, "The menu."),
        ({"open_case": "true", "calls_today": "3"}, "Welcome back, call 3."),
        ({"last_outcome": "abandoned_in_queue", "minutes_since_last": "29"}, "Welcome back, call 0."),
        ({"last_outcome": "abandoned_in_queue", "minutes_since_last": "30"}, "The menu."),
        ({"last_outcome": "abandoned_in_queue"}, "The menu."),
    ],
)
def test_a_flow_skips_its_menu_by_what_was_before(tmp_path: Path, history: dict[str, str], text: str) -> None:
    variables = {f"history.{name}": value for name, value in history.items()}

    assert Ride(site_with(tmp_path, SKIP), variables).heard == Play((Prompt(text),))


def test_what_is_remembered_before_the_first_step_is_carried_along(tmp_path: Path) -> None:
    site = site_with(tmp_path, SKIP)
    ride = Ride(site)
    ride.execution.remember(of_all := history_of([ago(5, promised=True)], (), NOW, "UTC"))

    assert of_all.items() <= dict(ride.execution.variables).items()


TESTS = """
comes back:
  given: { number: "+498999998100", at: 2026-11-23T10:00, history: { calls_today: 2, open_case: yes } }
  dialogue:
    - hears: Welcome back, call 2.
comes for the first time:
  given: { number: "+498999998100", at: 2026-11-23T10:00 }
  dialogue:
    - hears: The menu.
"""


def test_a_flow_test_gives_the_history(tmp_path: Path) -> None:
    site = site_with(tmp_path, SKIP)
    tests, problems = read_tests(site, "tests/main.yaml", TESTS.encode())

    assert problems == []
    assert [run_test(site, test) for test in tests] == [None, None]


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (
            "{ calls: 2 }",
            'unknown word "calls" of history: expected calls_today, last_queue, last_outcome, minutes_since_last or'
            " open_case",
        ),
        ("{ calls_today: many }", 'calls_today "many": expected a number'),
        ("{ open_case: perhaps }", 'open_case "perhaps": expected yes or no'),
        ("often", '"often": expected a name and a value, such as name: value'),
    ],
)
def test_a_history_that_cannot_be_is_told(tmp_path: Path, history: str, said: str) -> None:
    given = f'{{ number: "+498999998100", at: 2026-11-23T10:00, history: {history} }}'
    text = f"a:\n  given: {given}\n  dialogue: [hangs_up]\n"
    _, problems = read_tests(site_with(tmp_path, SKIP), "tests/main.yaml", text.encode())

    assert len(problems) == 1
    assert said in problems[0].message


def test_names_of_the_history_are_known_and_cannot_be_set(tmp_path: Path) -> None:
    text = """start: welcome
nodes:
  welcome:
    - if: history.call_today > 1
      then: [hangup]
    - set: { history: Long }
    - if: history.calls_today < 0
      then: [hangup]
    - if: history.last_outcome == "abandoned"
      then: [hangup]
    - switch: $history.open_case
      cases: { perhaps: [hangup] }
"""
    found = problems_in(tmp_path, {"flows/main.yaml": text})

    assert [each.split(": ", 1)[1].split(":")[0] for each in found] == [
        'unknown variable "history.call_today"',
        '"history" is taken',
        "the condition can never hold",
        "the condition can never hold",
        '"history.open_case" is never "perhaps"',
    ]


def test_dispositions_that_leave_a_case_open(tmp_path: Path) -> None:
    reasons = "dispositions:\n  solved: Solved\n  later: { title: Later, open: true }\n  soon: { title: Soon }\n"
    site = site_with(tmp_path, "- hangup", reasons_yaml=reasons)

    assert site.reasons.open == {"later"}
    assert [(each.code, each.title) for each in site.reasons.dispositions] == [
        ("solved", "Solved"),
        ("later", "Later"),
        ("soon", "Soon"),
    ]


def test_outcomes_are_those_that_the_engine_knows() -> None:
    assert set(OUTCOMES) == {str(each) for each in Outcome}
