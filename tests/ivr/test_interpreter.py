from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr.steps import (
    Answer,
    Cause,
    End,
    Ending,
    Enqueue,
    LookUpCustomer,
    Play,
    Prompt,
    ReadDigits,
)
from tests.ivr.sites import Ride, site_with

DESIGNED = End(Ending.DESIGNED)


def said(*texts: str, language: str = "en") -> tuple[Prompt, ...]:
    return tuple(Prompt(text=text, language=language) for text in texts)


# --- saying and ending ------------------------------------------------------------------------------------


def test_a_node_that_runs_off_its_end_ends_the_flow_as_designed(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, "- answer\n- say: Welcome."))

    assert ride.heard == Answer()
    assert ride.done() == Play(said("Welcome."))
    assert ride.done() == DESIGNED


def test_a_flow_without_steps_ends_at_once(tmp_path: Path) -> None:
    assert Ride(site_with(tmp_path, "[]")).heard == DESIGNED


def test_hangup_ends_as_designed(tmp_path: Path) -> None:
    site = site_with(tmp_path, "- answer\n- if: customer.vip\n  then: [hangup]\n- say: Hello.")

    assert Ride(site, {"customer.vip": "true"}).done() == DESIGNED
    assert Ride(site).done() == Play(said("Hello."))


@pytest.mark.parametrize("cause", ["busy", "closed", "blocked"])
def test_refuse_says_why_and_where(tmp_path: Path, cause: str) -> None:
    ride = Ride(site_with(tmp_path, f"- refuse: {cause}"))

    assert ride.heard == End(Ending.REFUSED, Cause(cause), "main welcome:0")


def test_say_speaks_the_callers_language_and_falls_back_to_the_sites(tmp_path: Path) -> None:
    site = site_with(tmp_path, "- say: { en: Welcome., zh: 欢迎 }\n  barge_in: true\n- say: Only English.")

    assert Ride(site, language="zh").heard == Play(said("欢迎", language="zh"), barge_in=True)
    assert Ride(site, language="fr").heard == Play(said("Welcome."), barge_in=True)
    ride = Ride(site, language="zh")
    assert ride.done() == Play(said("Only English."))


def test_play_names_a_sound_of_the_site(tmp_path: Path) -> None:
    sounds = {"sounds/hello.wav": "RIFF", "sounds/zh/hello.wav": "RIFF"}
    steps = "- play: hello.wav\n- play: { en: hello, zh: zh/hello.wav }"
    ride = Ride(site_with(tmp_path, steps, **sounds), language="zh")

    assert ride.heard == Play((Prompt(sound="hello.wav", language="en"),))
    assert ride.done() == Play((Prompt(sound="zh/hello.wav", language="zh"),))


def test_values_stand_in_texts_whole_or_digit_by_digit(tmp_path: Path) -> None:
    steps = "- say: '{customer.name}, account {account:digits}{account}.'\n- set: { account: x }"
    ride = Ride(site_with(tmp_path, steps), {"account": "12\r\n3", "customer.name": "O'Brien"})

    assert ride.heard == Play(said("O'Brien, account 1 2 312 3."))


# --- menu -------------------------------------------------------------------------------------------------

MENU = """
- menu: Press 1 or star.
  keys:
    1: billing
    star:
      - say: Again.
    hash:
      - queue: support
  wait: 4s
  retries: 1
  invalid: That is no choice.
  otherwise: bye
- say: After the menu.
"""
REST = """
billing:
  - say: Billing.
bye:
  - say: Goodbye.
"""


def test_a_key_leads_where_the_menu_says_and_is_remembered(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, MENU, REST))

    assert ride.heard == ReadDigits(said("Press 1 or star."), most=1, first_s=4.0)
    assert ride.press("1") == Play(said("Billing."))
    assert ride.execution.chosen == (("menu welcome", "1 billing"),)


def test_steps_written_in_place_go_on_after_the_menu(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, MENU, REST))

    assert ride.press("*") == Play(said("Again."))
    assert ride.execution.node == "welcome:0.*:0"
    assert ride.execution.chosen == (("menu welcome", "star"),)
    assert ride.done() == Play(said("After the menu."))


def test_a_choice_of_steps_is_named_by_where_they_lead(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, MENU, REST))

    ride.press("#")
    assert ride.execution.chosen == (("menu welcome", "hash support"),)


def test_a_wrong_key_is_told_and_asked_again_then_the_other_way_out_is_taken(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, MENU, REST))

    assert ride.press("7") == ReadDigits(said("That is no choice.", "Press 1 or star."), most=1, first_s=4.0)
    assert ride.press("8") == Play(said("Goodbye."))
    assert ride.execution.chosen == ()


def test_silence_is_asked_again_without_reproach(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, MENU, REST))

    assert ride.silence() == ReadDigits(said("Press 1 or star."), most=1, first_s=4.0)
    assert ride.silence() == Play(said("Goodbye."))


def test_without_words_for_a_wrong_key_the_menu_is_just_repeated(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, "- menu: Press 1.\n  keys: { 1: welcome }\n  barge_in: false\n- say: Well."))

    again = ReadDigits(said("Press 1."), most=1, barge_in=False)
    assert [ride.heard, ride.press("2"), ride.silence(), ride.press("3")] == [again, again, again, Play(said("Well."))]


# --- collect ----------------------------------------------------------------------------------------------

COLLECT = """
- collect: Your account, please.
  into: account
  digits: 4-6
  wait: 6s
  between: 2s
  retries: 1
  invalid: Four to six digits.
  otherwise: bye
- say: Thank you, {account}.
"""


def test_digits_go_into_the_variable_and_leave_room_for_the_ending_key(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, COLLECT, REST.replace("billing:\n  - say: Billing.", "")))

    asked = ReadDigits(said("Your account, please."), most=7, terminator="#", first_s=6.0, between_s=2.0)
    assert ride.heard == asked
    assert ride.press("123456") == Play(said("Thank you, 123456."))
    assert ride.execution.chosen == (("account", "123456"),)


@pytest.mark.parametrize("wrong", ["123", "1234567", "12*4"])
def test_a_wrong_count_is_told_and_asked_again(tmp_path: Path, wrong: str) -> None:
    ride = Ride(site_with(tmp_path, COLLECT, "bye:\n  - say: Goodbye."))

    asked = ride.press(wrong)
    assert isinstance(asked, ReadDigits)
    assert asked.prompts == said("Four to six digits.", "Your account, please.")
    assert ride.silence() == Play(said("Goodbye."))
    assert "account" not in ride.execution.variables


def test_without_an_ending_key_exactly_the_wanted_digits_are_read(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, "- collect: Two.\n  into: two\n  digits: 2\n  end: none"))

    assert ride.heard == ReadDigits(said("Two."), most=2)


def test_secrets_are_used_but_neither_carried_nor_told(tmp_path: Path) -> None:
    steps = """
    - collect: Your code, please.
      into: code
      digits: 4
      end: star
      secret: true
    - if: code == "4711"
      then:
        - queue: billing
    """
    ride = Ride(site_with(tmp_path, steps), {"code": "0000"})

    assert isinstance(ride.heard, ReadDigits)
    assert (ride.heard.secret, ride.heard.terminator) == (True, "*")
    queued = ride.press("4711")
    assert isinstance(queued, Enqueue)
    assert queued.attributes == ()
    assert "code" not in ride.execution.variables
    assert ride.execution.chosen == ()


# --- hours, lookup, set, if -------------------------------------------------------------------------------


def test_hours_go_by_the_time_of_the_call(tmp_path: Path) -> None:
    steps = "- hours: office\n  open:\n    - say: Open.\n  closed:\n    - refuse: closed"
    site = site_with(tmp_path, steps)

    assert Ride(site).heard == Play(said("Open."))
    at_night = Ride(site, now=datetime(2027, 3, 3, 22, tzinfo=UTC)).heard
    assert at_night == End(Ending.REFUSED, Cause.CLOSED, "main welcome:0.closed:0")


LOOKUP = """
- lookup: { account: $account }
  found:
    - say: Hello {customer.name}.
  several:
    - say: Several.
  unknown:
    - say: Unknown {customer.name}.
- if: customer.matches > 1 || customer.vip
  then:
    - say: Yes.
  else:
    - say: No.
- set: { account: x }
"""


def test_one_customer_becomes_variables(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, LOOKUP), {"account": "17"})

    assert ride.heard == LookUpCustomer("account", "17")
    assert ride.found(1, name="Ada", vip="true") == Play(said("Hello Ada."))
    assert ride.done() == Play(said("Yes."))


def test_several_customers_are_not_guessed_among(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, LOOKUP), {"account": "17"})

    assert ride.found(2) == Play(said("Several."))
    assert ride.done() == Play(said("Yes."))


def test_a_lookup_that_finds_nobody_leaves_what_was_known(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, LOOKUP), {"account": "17", "customer.name": "Ada", "customer.vip": "false"})

    assert ride.found(0) == Play(said("Unknown Ada."))
    assert ride.done() == Play(said("No."))


def test_a_found_record_replaces_the_one_before(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, LOOKUP), {"account": "17", "customer.name": "Ada", "customer.vip": "true"})

    ride.found(1, name="Ben")
    assert ride.done() == Play(said("No."))
    assert "customer.vip" not in ride.execution.variables


def test_nothing_to_look_up_by_finds_nobody_without_asking(tmp_path: Path) -> None:
    assert Ride(site_with(tmp_path, LOOKUP)).heard == Play(said("Unknown ."))


def test_set_keeps_values_and_changes_the_language(tmp_path: Path) -> None:
    steps = """
    - set: { topic: "Call of {caller}", copy: $caller, language: zh }
    - say: { en: Hello., zh: 你好 }
    - set: { language: $customer.language }
    - say: { en: Hello., zh: 你好 }
    """
    ride = Ride(site_with(tmp_path, steps), {"caller": "+4989", "customer.language": "fr"})

    assert ride.heard == Play(said("你好", language="zh"))
    carried = ride.execution.variables
    assert (carried["topic"], carried["copy"], carried["language"]) == ("Call of +4989", "+4989", "zh")
    assert ride.done() == Play(said("你好", language="zh"))


def test_a_condition_that_fails_on_a_value_does_not_hold_and_is_noted(tmp_path: Path) -> None:
    site = site_with(tmp_path, "- if: int(caller) > 5\n  then: [hangup]\n- say: On we go.")
    ride = Ride(site, {"caller": "anonymous"})

    assert ride.heard == Play(said("On we go."))
    assert len(ride.execution.notes) == 1
    assert ride.execution.notes[0].startswith("main welcome:0: the condition cannot be evaluated")


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("[queue: support]", "1 support"),
        ("[goto: other]", "1 other"),
        ("[flow: second]", "1 second"),
        ("[hangup]", "1"),
        ("other", "1 other"),
    ],
)
def test_what_was_chosen_is_told_with_the_place_it_leads_to(tmp_path: Path, steps: str, told: str) -> None:
    menu = f"- menu: Press 1 or 2.\n  keys:\n    1: {steps}\n    2: other\n    3: [flow: second]"
    second = "start: only\nnodes:\n  only: [hangup]\n"
    site = site_with(tmp_path, menu, "other: [hangup]", **{"flows/second_yaml": second})
    ride = Ride(site)

    ride.press("1")

    assert ride.execution.chosen == (("menu welcome", told),)


def test_a_call_stays_with_the_site_that_it_began_on(tmp_path: Path) -> None:
    site = site_with(tmp_path, "- say: Hello.")

    assert Ride(site).execution.site is site
