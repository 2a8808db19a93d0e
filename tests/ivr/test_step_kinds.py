"""Steps that lead: by a value, through another flow and back, to an end with a cause; and what is heard early."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.progress import FRAMES
from ivr.site import Site
from ivr.steps import Cause, End, Ending, Play, PlayMusic, Prompt
from tests.ivr.sites import Ride, flow, problems_in, site_with

DESIGNED = End(Ending.DESIGNED)


def said(text: str) -> Play:
    return Play((Prompt(text=text, language="en"),))


# --- early ---------------------------------------------------------------------------------------------------


def test_early_says_its_text_then_plays_its_music(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, "- early: Hold on.\n  music: jazz\n  for: 8s"))

    assert ride.heard == said("Hold on.")
    assert ride.done() == PlayMusic("jazz", 8.0)
    assert ride.done() == DESIGNED


def test_early_may_be_only_text_or_only_music(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, "- early: Hold on.\n- early:\n  music: jazz"))

    assert ride.heard == said("Hold on.")
    assert ride.done() == PlayMusic("jazz", 5.0)


# --- switch --------------------------------------------------------------------------------------------------

SWITCH = "- switch: $caller\n  cases:\n    one: [say: First.]\n    two words: other\n  otherwise: [say: None.]"


@pytest.mark.parametrize(("caller", "heard"), [("one", "First."), ("two words", "Other."), ("One", "None.")])
def test_switch_leads_where_the_value_says(tmp_path: Path, caller: str, heard: str) -> None:
    site = site_with(tmp_path, SWITCH, "other:\n  - say: Other.")

    assert Ride(site, {"caller": caller}).heard == said(heard)


def test_switch_goes_on_where_no_case_fits(tmp_path: Path) -> None:
    assert Ride(site_with(tmp_path, "- switch: $caller\n  cases: { one: [hangup] }\n- say: On.")).heard == said("On.")


# --- hangup --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "cause"), [("hangup", Cause.NORMAL), ("hangup: busy", Cause.BUSY)])
def test_hangup_tells_the_network_why(tmp_path: Path, step: str, cause: Cause) -> None:
    assert Ride(site_with(tmp_path, f"- {step}")).heard == End(Ending.DESIGNED, cause)


# --- subflow -------------------------------------------------------------------------------------------------

MAIN = """
- set: { mood: calm, account: "7" }
- subflow: identify
  with: { question: Who? , mood: hurried }
  returns:
    known: greet
    unknown: [say: Stranger.]
- say: "{mood} {question} {account}"
"""
GREET = "greet:\n  - say: Hello {account}."
IDENTIFY = """
start: ask
nodes:
  ask:
    - collect: "{question} {mood}"
      into: account
      digits: 2
      retries: 0
      otherwise: [return: unknown]
    - if: account == "42"
      then: [return: known]
    - if: account == "43"
      then: [return]
"""


def house(folder: Path, main: str = MAIN, identify: str = IDENTIFY) -> Site:
    return site_with(folder, main, GREET, **{"flows/identify_yaml": identify})


def test_a_subflow_gets_its_arguments_and_comes_back_by_its_word(tmp_path: Path) -> None:
    ride = Ride(house(tmp_path))

    assert ride.heard.prompts == (Prompt(text="Who? hurried", language="en"),)  # type: ignore[union-attr]
    assert ride.execution.flow == "identify"
    assert ride.press("42") == said("Hello 42.")
    assert ride.execution.flow == "main"


@pytest.mark.parametrize(("keys", "heard"), [("43", "calm  43"), ("44", "calm  44")])
def test_a_subflow_comes_back_without_a_word_at_return_and_at_its_end(tmp_path: Path, keys: str, heard: str) -> None:
    assert Ride(house(tmp_path)).press(keys) == said(heard)


def test_what_stood_under_an_argument_stands_there_again_and_what_was_set_stays(tmp_path: Path) -> None:
    ride = Ride(house(tmp_path))

    assert ride.press("") == said("Stranger.")
    assert ride.done() == said("calm  7")


def test_a_jump_in_a_subflow_comes_back_from_there(tmp_path: Path) -> None:
    site = site_with(
        tmp_path,
        "- subflow: first\n  returns: { far: [say: Far.] }",
        **{
            "flows/first_yaml": "start: a\nnodes:\n  a: [flow: second]\n",
            "flows/second_yaml": "start: a\nnodes:\n  a: [return: far]\n",
        },
    )

    assert Ride(site).heard == said("Far.")


def test_a_subflow_of_a_subflow_comes_back_through_both(tmp_path: Path) -> None:
    site = site_with(
        tmp_path,
        "- subflow: first\n- say: Out.",
        **{
            "flows/first_yaml": "start: a\nnodes:\n  a: [subflow: second, say: Middle.]\n",
            "flows/second_yaml": "start: a\nnodes:\n  a: [say: Deep.]\n",
        },
    )
    ride = Ride(site)

    assert ride.heard == said("Deep.")
    assert ride.done() == said("Middle.")
    assert ride.done() == said("Out.")
    assert ride.done() == DESIGNED


def test_return_where_nothing_was_entered_ends_the_call(tmp_path: Path) -> None:
    assert Ride(house(tmp_path), flow="identify").press("42") == DESIGNED


def test_an_empty_subflow_comes_back_at_once(tmp_path: Path) -> None:
    site = site_with(tmp_path, "- subflow: empty\n- say: On.", **{"flows/empty_yaml": "start: a\nnodes:\n  a: []\n"})

    assert Ride(site).heard == said("On.")


def test_a_call_that_is_taken_up_in_a_subflow_still_comes_back(tmp_path: Path) -> None:
    site = house(tmp_path)
    before = Ride(site)
    carried = dict(before.execution.variables)

    after = Ride(site, carried, flow="identify", at=before.execution.node)

    assert after.press("44") == said("calm  44")
    assert FRAMES not in after.execution.variables


def test_a_call_whose_way_back_is_gone_goes_on_at_the_beginning_of_that_node(tmp_path: Path) -> None:
    carried = dict(Ride(house(tmp_path / "old")).execution.variables)
    anew = "- say: Anew.\n- say: More.\n- subflow: identify\n  with: { question: A, mood: B }\n- goto: greet"
    new = house(tmp_path / "new", anew)

    assert Ride(new, carried, flow="identify").press("44") == said("Anew.")


def test_a_call_whose_flow_to_come_back_to_is_gone_ends(tmp_path: Path) -> None:
    carried = {FRAMES: '[["gone", "a:0", {}]]'}

    assert Ride(house(tmp_path), carried, flow="identify").press("44") == DESIGNED


@pytest.mark.parametrize("text", ["no", "[[1]]", "{}", '[["a", "b", 7]]', "[7]"])
def test_a_way_back_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    assert Ride(house(tmp_path), {FRAMES: text}, flow="identify").press("44") == DESIGNED


# --- what the checks say -------------------------------------------------------------------------------------


def test_subflows_that_lead_back_into_themselves_are_refused(tmp_path: Path) -> None:
    found = problems_in(
        tmp_path,
        {
            "flows/main.yaml": "start: a\nnodes:\n  a:\n    - subflow: other\n",
            "flows/other.yaml": "start: a\nnodes:\n  a:\n    - flow: main\n",
        },
    )

    assert found == ['flows/main.yaml:4:16: flow "other" leads back into "main": expected no circle']


def test_words_that_a_subflow_never_returns_are_refused(tmp_path: Path) -> None:
    main = MAIN.replace("unknown:", "unkown:")
    other = "start: a\nnodes:\n  a: [hangup]\n"
    dull = "- subflow: identify\n  returns:\n    done: []"

    assert problems_in(tmp_path / "1", {"flows/main.yaml": flow(main, GREET), "flows/identify.yaml": IDENTIFY}) == [
        'flows/main.yaml:9:9: flow "identify" never returns "unkown": expected known or unknown; '
        'did you mean "unknown"?'
    ]
    assert problems_in(tmp_path / "2", {"flows/main.yaml": flow(dull), "flows/identify.yaml": other}) == [
        'flows/main.yaml:6:9: flow "identify" never returns "done": expected a return there with this word'
    ]


def test_subflows_nested_too_deeply_are_refused(tmp_path: Path) -> None:
    nested = {f"flows/f{n}.yaml": f"start: a\nnodes:\n  a: [subflow: f{n + 1}]\n" for n in range(8)}
    last = {"flows/f8.yaml": "start: a\nnodes:\n  a: [hangup]\n"}
    main = {"flows/main.yaml": "start: a\nnodes:\n  a:\n    - subflow: f0\n"}

    found = problems_in(tmp_path / "deep", {**nested, **last, **main})

    assert found == ["flows/main.yaml:4:16: sub-flows are nested deeper than 8 levels: expected fewer"]
    flat = {"flows/main.yaml": "start: a\nnodes:\n  a:\n    - subflow: f1\n    - subflow: f5\n"}
    assert problems_in(tmp_path / "flat", {**nested, **last, **flat, "flows/f0.yaml": ""}) == []


def test_a_loop_through_a_subflow_that_waits_is_fine_and_through_another_is_not(tmp_path: Path) -> None:
    waits = "start: a\nnodes:\n  a:\n    - menu: A.\n      keys: { 1: b, 2: [hangup] }\n  b: [subflow: dull]\n"
    dull = "start: a\nnodes:\n  a:\n    - if: customer.vip\n      then: [return]\n    - hangup\n"
    silent = "start: a\nnodes:\n  a:\n    - if: customer.vip\n      then: b\n      else: b\n  b: [hangup]\n"
    files = {"flows/waits.yaml": waits, "flows/dull.yaml": dull, "flows/silent.yaml": silent}
    loop = "start: a\nnodes:\n  a:\n    - subflow: {}\n    - goto: a\n"
    end = "start: a\nnodes:\n  a:\n    - subflow: silent\n      then: a\n"

    assert problems_in(tmp_path / "1", {**files, "flows/main.yaml": loop.format("dull")})[0].startswith(
        "flows/main.yaml:5:7: a loop without end"
    )
    fine = "start: a\nnodes:\n  a:\n    - subflow: waits\n    - subflow: silent\n    - queue: billing\n"
    assert problems_in(tmp_path / "2", {**files, "flows/main.yaml": fine}) == []
    assert problems_in(tmp_path / "3", {**files, "flows/main.yaml": end})[0].endswith(
        "expected a way that ends, or leads to an agent"
    )


# --- language --------------------------------------------------------------------------------------------------

CHOOSE = "- language: { en: English press 1., zh: 中文请按二 }\n  keys: { 2: zh, 1: en }\n  otherwise: [say: Nothing.]"
OFFER = (Prompt(text="中文请按二", language="zh"), Prompt(text="English press 1.", language="en"))


def test_each_language_is_offered_in_itself_and_the_choice_is_heard_from_then_on(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, f"{CHOOSE}\n- say: {{ en: Hello., zh: 你好 }}"))

    assert ride.heard.prompts == OFFER  # type: ignore[union-attr]
    assert ride.press("2") == Play((Prompt(text="你好", language="zh"),))
    assert ride.execution.language == "zh"


def test_who_chooses_no_language_keeps_theirs(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, CHOOSE))

    assert ride.press("7").prompts == OFFER  # type: ignore[union-attr]
    assert ride.press("") == said("Nothing.")
    assert ride.execution.language == "en"
