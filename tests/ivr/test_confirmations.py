"""What was typed is read back one by one and confirmed; a step asks for yes or no."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.dialogue import run_test
from ivr.flow_tests import read_tests
from ivr.site import Site
from ivr.steps import End, Ending, Play, Prompt, ReadDigits
from tests.ivr.sites import Ride, flow, problems_in, site_with

COLLECT = """
- collect: Your account number?
  into: account
  digits: 4-6
  retries: 1
  invalid: Four to six digits.
  {confirm}
  otherwise: [{{ say: Nothing came. }}, hangup]
- say: Account {{account}}.
"""
OURS = "You entered 1 2 3 4. Press 1 if that is right, 2 to enter it again."


def site(folder: Path, confirm: str = "confirm: true") -> Site:
    return site_with(folder, COLLECT.format(confirm=confirm))


def asked(ride: Ride) -> list[str]:
    assert isinstance(ride.heard, ReadDigits)
    return [prompt.text for prompt in ride.heard.prompts]


def said(text: str) -> Play:
    return Play((Prompt(text),))


def test_what_was_typed_is_read_back_digit_by_digit_and_kept_once_it_is_right(tmp_path: Path) -> None:
    ride = Ride(site(tmp_path))
    ride.press("1234")

    assert asked(ride) == [OURS]
    assert isinstance(ride.heard, ReadDigits)
    assert ride.heard.most == 1
    assert "account" not in ride.execution.variables, "nobody has said yet that it is right"
    assert ride.press("1") == said("Account 1234.")
    assert ride.execution.chosen == (("account", "1234"),)


def test_who_says_no_is_asked_again_and_not_told_that_it_was_wrong(tmp_path: Path) -> None:
    ride = Ride(site(tmp_path))
    ride.press("1234")
    ride.press("2")

    assert asked(ride) == ["Your account number?"]
    ride.press("4321")
    assert ride.press("1") == said("Account 4321.")


def test_a_no_uses_up_a_try(tmp_path: Path) -> None:
    ride = Ride(site(tmp_path))
    for keys in ("1234", "2", "1234"):
        ride.press(keys)

    assert ride.press("2") == said("Nothing came.")
    assert "account" not in ride.execution.variables


def test_silence_and_other_keys_repeat_the_question_and_then_it_is_not_confirmed(tmp_path: Path) -> None:
    ride = Ride(site(tmp_path))
    ride.press("1234")
    ride.press("7")

    assert asked(ride) == [OURS]
    assert ride.press("") == said("Nothing came.")


def test_a_wrong_count_is_told_and_never_read_back(tmp_path: Path) -> None:
    ride = Ride(site(tmp_path))
    ride.press("123")

    assert asked(ride) == ["Four to six digits.", "Your account number?"]


@pytest.mark.parametrize("form", ["{account:digits}", "{account}"])
def test_words_and_keys_of_the_site_read_back_one_by_one_in_any_form(tmp_path: Path, form: str) -> None:
    confirm = f'confirm: "It is {form}, star for yes?"\n  confirm_keys: {{ yes: star, no: 9 }}'
    ride = Ride(site(tmp_path, confirm))
    ride.press("1234")

    assert asked(ride) == ["It is 1 2 3 4, star for yes?"]
    assert ride.press("*") == said("Account 1234.")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "You entered 1 2 3 4. Press star if that is right, hash to enter it again."),
        ("zh", "您输入的是1 2 3 4。正确请按星号，重新输入请按井号。"),
    ],
)
def test_our_words_name_the_keys_in_the_callers_language(tmp_path: Path, language: str, words: str) -> None:
    ride = Ride(site(tmp_path, "confirm: true\n  confirm_keys: { yes: star, no: hash }"), {"language": language})
    ride.press("1234")

    assert asked(ride) == [words]
    assert isinstance(ride.heard, ReadDigits)
    assert ride.heard.prompts[0].language == language


# --- the step confirm ----------------------------------------------------------------------------------------

CONFIRM = """
- confirm: Do you want billing, {caller:digits}?
  retries: 1
  invalid: One or two, please.
  yes: [{ say: Billing. }, hangup]
  no: [{ say: Not billing. }, hangup]
  otherwise: [{ say: Nothing came. }, hangup]
"""


@pytest.mark.parametrize(
    ("keys", "heard", "told"),
    [("1", "Billing.", "yes"), ("2", "Not billing.", "no")],
)
def test_a_caller_says_yes_or_no(tmp_path: Path, keys: str, heard: str, told: str) -> None:
    ride = Ride(site_with(tmp_path, CONFIRM), {"caller": "42"})

    assert asked(ride) == ["Do you want billing, 4 2?"]
    assert ride.press(keys) == said(heard)
    assert ride.execution.chosen == (("confirm welcome", told),)


def test_who_says_neither_is_asked_again_and_goes_on_otherwise(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, CONFIRM))
    ride.press("5")

    assert asked(ride)[0] == "One or two, please."
    assert ride.press("") == said("Nothing came.")
    assert ride.execution.chosen == ()


def test_keys_can_be_others_and_ways_left_out_go_on(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, "- confirm: Sure?\n  keys: { yes: 0 }\n  no: [hangup]\n- say: On."))
    assert ride.press("0") == said("On.")
    ride = Ride(site_with(tmp_path, "- confirm: Sure?\n  keys: { yes: 0 }\n  no: [hangup]\n- say: On."))
    assert ride.press("2") == End(Ending.DESIGNED)


def test_a_flow_test_types_and_confirms_in_one_breath(tmp_path: Path) -> None:
    text = """
one breath:
  given: { number: "+498999998100", at: 2026-11-23T10:00 }
  dialogue:
    - presses: "1234#1"
    - hears: Account 1234.
on second thoughts:
  given: { number: "+498999998100", at: 2026-11-23T10:00 }
  dialogue:
    - presses: 1234#
    - hears: You entered 1 2 3 4.
    - presses: 2
    - presses: 9876#
    - hears: You entered 9 8 7 6.
    - presses: 1
    - hears: Account 9876.
"""
    where = site(tmp_path)
    tests, problems = read_tests(where, "tests/main.yaml", text.encode())

    assert problems == []
    assert [run_test(where, test) for test in tests] == [None, None]


GERMAN = "name: Klein\ncountry: DE\ntime_zone: Europe/Berlin\nlanguages: [de, en]\ndefault_language: de\n"


def test_a_site_in_another_language_gives_its_own_words(tmp_path: Path) -> None:
    files = {
        "site.yaml": GERMAN + "fail_safe: { message: Bitte rufen Sie wieder an. }\n",
        "flows/main.yaml": flow(COLLECT.format(confirm="confirm: true")),
    }

    assert problems_in(tmp_path, files) == ["flows/main.yaml:9:16: no words of our own in de: expected a text"]
