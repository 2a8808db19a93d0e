"""How a flow asks for consent and asks questions, offline: what is kept, where it goes on, what tests say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.dialogue import run_test
from ivr.flow_tests import read_tests
from ivr.site import Site
from ivr.steps import Done, End, Ending, KeepAnswer, Play, Prompt, ReadDigits, RecordCall
from ivr.walk import walk
from tests.ivr.sites import NOON, Ride, problems_in, site_with
from tests.ivr.test_walk import Tape

ASK = """
- record: ask
  text: May we record?
  wait: 3s
  retries: 1
  agreed: [{ say: Thanks. }, hangup]
  declined: [{ say: As you like. }, hangup]
"""
SURVEY = """
- survey: service
  questions:
    - { ask: Satisfied?, id: satisfaction, keys: 1-5 }
    - { ask: "Again, {satisfaction}?", id: again, keys: 1 }
  invalid: No.
  done: [{ say: Thanks. }, hangup]
"""


def said(text: str) -> tuple[Prompt, ...]:
    return (Prompt(text),)


@pytest.fixture
def asking(tmp_path: Path) -> Site:
    return site_with(tmp_path / "ask", ASK)


@pytest.fixture
def survey(tmp_path: Path) -> Site:
    return site_with(tmp_path / "survey", SURVEY)


@pytest.mark.parametrize(
    ("keys", "consent", "text", "told"),
    [
        (["1"], "yes", "Thanks.", "agreed"),
        (["2"], "no", "As you like.", "declined"),
        (["7", "1"], "yes", "Thanks.", "agreed"),
        (["7", "7"], "no", "As you like.", "declined"),
        (["", ""], "no", "As you like.", "declined"),
    ],
)
def test_only_a_yes_is_a_yes(asking: Site, keys: list[str], consent: str, text: str, told: str) -> None:
    ride = Ride(asking)
    assert ride.heard == ReadDigits(said("May we record?"), most=1, first_s=3.0)
    *_, last = [ride.press(key) for key in keys]
    assert last == RecordCall(consent)
    assert ride.done() == Play(said(text))
    assert ride.execution.chosen == (("recording", told),)


def test_a_notice_is_heard_before_it_is_recorded_and_stop_ends_it(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, "- record: notice\n  text: This is recorded.\n- record: stop"))
    assert ride.heard == Play(said("This is recorded."))
    assert ride.done() == RecordCall("notice")
    assert ride.done() == RecordCall("")
    assert ride.execution.chosen == (("recording", "announced"),)
    assert ride.done() == End(Ending.DESIGNED)


def test_each_answer_is_kept_at_once_and_the_flow_knows_it(survey: Site) -> None:
    ride = Ride(survey)
    assert ride.heard == ReadDigits(said("Satisfied?"), most=1, first_s=5.0)
    assert ride.press("9") == ReadDigits((Prompt("No."), Prompt("Satisfied?")), most=1, first_s=5.0)
    assert ride.press("4") == KeepAnswer("service", "satisfaction", "4")
    assert ride.feed(Done()) == ReadDigits(said("Again, 4?"), most=1, first_s=5.0)
    assert ride.press("1") == KeepAnswer("service", "again", "1")
    assert ride.done() == Play(said("Thanks."))


def test_a_question_that_is_not_answered_ends_the_survey(survey: Site) -> None:
    ride = Ride(survey)
    ride.press("4")
    ride.done()
    ride.silence()
    assert ride.silence() == End(Ending.DESIGNED)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("record: ask", "record: ask needs text: expected what the caller hears before it is recorded"),
        ("record: stop\n      text: Over.", "record: stop says nothing: expected no text"),
        (
            "record: notice\n      text: So.\n      agreed: door",
            "wait, retries, agreed and declined go with record: ask",
        ),
        ("record: maybe", 'unknown word "maybe": expected ask, notice or stop'),
        ("survey: s\n      questions: []", "expected 1 to 20 questions, each with an id of its own"),
        (
            "survey: s\n      questions: [{ ask: A?, id: a }, { ask: B?, id: a }]",
            "expected 1 to 20 questions, each with an id of its own",
        ),
        ("survey: s\n      questions: [{ ask: A?, id: a, keys: 5-1 }]", '"5-1" are not keys that answer'),
        ("survey: s\n      questions: [{ ask: A?, id: a, keys: true }]", "are not keys that answer"),
        ("survey: s\n      questions: [{ ask: A?, id: a, keys: [1] }]", "are not keys that answer"),
        ("survey: s\n      questions: [{ ask: A?, id: caller }]", '"caller" is taken: expected a name of your own'),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, step: str, said: str) -> None:
    found = problems_in(tmp_path, {"flows/main.yaml": f"start: door\nnodes:\n  door:\n    - {step}\n"})
    assert any(said in each for each in found), found


def outcome(site: Site, *entries: str) -> str | None:
    text = 'a call:\n  given: { number: "+498999998100", at: 2027-03-03T12:00 }\n  dialogue:\n'
    (test,), problems = read_tests(site, "tests/main.yaml", (text + "".join(f"    - {e}\n" for e in entries)).encode())
    assert problems == []
    failure = run_test(site, test)
    return None if failure is None else str(failure)


def test_tests_say_what_is_recorded_and_kept(asking: Site, survey: Site) -> None:
    assert outcome(asking, "presses: 1", "records: yes", "hears: Thanks") is None
    declined = outcome(asking, "presses: 2", "records: yes", "hears: As you like")
    assert declined is not None
    assert "expected the call to be recorded: yes; came: the call is over" in declined
    answers = ("presses: 4", "keeps: { satisfaction: 4 }", "presses: 1", "keeps: { again: 1 }", "hears: Thanks")
    assert outcome(survey, *answers) is None
    other = outcome(survey, "presses: 4", "keeps: { satisfaction: 5 }", "presses: 1")
    assert other is not None
    assert "expected the answer satisfaction 5 to be kept; came: a question waits for keys" in other
    assert outcome(survey, "hangs_up") is None


@pytest.mark.parametrize("entry", ["keeps: {}", "keeps: { a: 1, b: 2 }"])
def test_a_test_names_one_answer(survey: Site, entry: str) -> None:
    text = f'a call:\n  given: {{ number: "+498999998100", at: 2027-03-03T12:00 }}\n  dialogue:\n    - {entry}\n'
    _, (problem,) = read_tests(survey, "tests/main.yaml", text.encode())
    assert "expected exactly one answer, such as { satisfaction: 5 }" in str(problem)


def test_a_walk_tells_what_is_kept(survey: Site) -> None:
    party = Tape("4", "1")
    walk(survey, "+498999998100", "", party, NOON)
    assert repr(KeepAnswer("service", "satisfaction", "4")) in party.heard
