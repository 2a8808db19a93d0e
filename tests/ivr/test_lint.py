"""What the files mean together; most of it is in the table of broken files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ivr.sites import flow, problems_in, site_with

LOOP = "a loop without end: no step on it waits for the caller, such as menu, collect or queue"


def test_a_loop_through_another_flow_is_found(tmp_path: Path) -> None:
    other = "start: a\nnodes:\n  a:\n    - say: Hello.\n    - flow: main\n"

    assert problems_in(tmp_path, {"flows/main.yaml": flow("- flow: other"), "flows/other.yaml": other}) == [
        f"flows/other.yaml:5:7: {LOOP}"
    ]


def test_a_loop_that_only_one_branch_closes_is_found(tmp_path: Path) -> None:
    steps = "- if: customer.vip\n  then: welcome\n- queue: billing"

    assert problems_in(tmp_path, {"flows/main.yaml": flow(steps)}) == [f"flows/main.yaml:4:7: {LOOP}"]


@pytest.mark.parametrize(
    "step",
    [
        "menu: Again?\n  keys: { 1: welcome, 2: [hangup] }",
        "queue: billing",
        "collect: A.\n  into: a\n  digits: 1\n  otherwise: [hangup]",
    ],
)
def test_a_loop_that_waits_is_fine(tmp_path: Path, step: str) -> None:
    site_with(tmp_path, f"- {step}\n- goto: welcome")


def test_two_ways_to_one_step_are_no_loop(tmp_path: Path) -> None:
    rest = "a:\n  - goto: c\nb:\n  - goto: c\nc:\n  - hangup"

    site_with(tmp_path, "- if: customer.vip\n  then: a\n  else: b", rest)


def test_a_flow_that_is_wrong_itself_breaks_no_other(tmp_path: Path) -> None:
    found = problems_in(tmp_path, {"flows/main.yaml": flow("- flow: other"), "flows/other.yaml": "start: a\n"})

    assert found == ['flows/other.yaml:1:1: "nodes" is missing']


def test_a_flow_that_hands_over_to_an_empty_one_is_fine(tmp_path: Path) -> None:
    site_with(tmp_path, "- flow: other", **{"flows/other_yaml": "start: a\nnodes:\n  a: []\n"})


def test_empty_nodes_may_be_reached_or_not(tmp_path: Path) -> None:
    site_with(tmp_path, "- hours: office\n  open: done\n  closed: []\n- answer", "done: []")


def test_a_target_that_is_missing_hides_what_is_not_reached(tmp_path: Path) -> None:
    found = problems_in(tmp_path, {"flows/main.yaml": flow("- goto: lost", "other:\n  - hangup")})

    assert found == ['flows/main.yaml:4:13: unknown node "lost": expected other or welcome']


def test_a_step_after_a_menu_whose_every_way_leads_elsewhere_is_not_reached(tmp_path: Path) -> None:
    steps = "- menu: Press 1.\n  keys: { 1: welcome, 2: [hangup] }\n  otherwise: welcome\n- say: Never."

    assert problems_in(tmp_path, {"flows/main.yaml": flow(steps)}) == [
        "flows/main.yaml:7:7: this step is never reached: the step before it always leads elsewhere"
    ]


def test_variables_of_labels_customers_and_earlier_flows_are_known(tmp_path: Path) -> None:
    numbers = '"100":\n  flow: main\n  labels: { line: Sales }\n'
    site = (
        "name: S\ncountry: DE\ntime_zone: UTC\nlanguages: [en]\ndefault_language: en\n"
        "customer_fields: [region]\nfail_safe: { message: Sorry. }\n"
    )
    other = "start: a\nnodes:\n  a:\n    - say: '{topic} {line} {customer.region} {customer.matches}'\n"
    steps = "- set: { topic: Sales }\n- flow: other"

    site_with(tmp_path, steps, numbers_yaml=numbers, site_yaml=site, **{"flows/other_yaml": other})


def test_variables_of_a_flow_that_never_leads_here_are_not_known(tmp_path: Path) -> None:
    other = "start: a\nnodes:\n  a:\n    - say: '{topic}'\n"
    found = problems_in(tmp_path, {"flows/main.yaml": flow("- set: { topic: Sales }"), "flows/other.yaml": other})

    assert len(found) == 1
    assert found[0].startswith('flows/other.yaml:4:12: unknown variable "topic"')


def test_a_problem_in_a_text_of_several_lines_stands_at_its_beginning(tmp_path: Path) -> None:
    steps = "- if: |\n    customer.vip\n    || custmer.vip\n  then: [hangup]\n- say: { en: 'Hi {you}.', zh: x }"
    found = problems_in(tmp_path, {"flows/main.yaml": flow(steps)})

    assert [each.split(":")[1:3] for each in found] == [["4", "11"], ["8", "18"]]


def test_a_language_is_not_checked_while_the_site_is_unknown(tmp_path: Path) -> None:
    files = {"site.yaml": "", "flows/main.yaml": flow("- set: { language: fr }\n- say: { fr: Bonjour. }")}

    assert problems_in(tmp_path, files) == ["site.yaml:1:1: there is no such file"]


def test_attributes_use_known_variables(tmp_path: Path) -> None:
    found = problems_in(
        tmp_path, {"flows/main.yaml": flow("- queue: billing\n  attributes: { a: 'x {b:digits} {c:digit}' }")}
    )

    assert [each.split(": expected")[0] for each in found] == [
        'flows/main.yaml:5:24: unknown form "digit"',
        'flows/main.yaml:5:24: unknown variable "b"',
        'flows/main.yaml:5:24: unknown variable "c"',
    ]


def test_a_language_without_words_of_ours_needs_those_of_the_site(tmp_path: Path) -> None:
    site = """
name: Petit
country: FR
time_zone: Europe/Paris
languages: [fr, en]
default_language: fr
fail_safe: { message: Rappelez plus tard. }
"""
    queues = """
billing:
  title: Billing
  tell: { position: true, wait: true, texts: { soon: Bientôt., thanks: { fr: Merci. }, beyond: { en: Many. } } }
support: { title: Support }
"""
    assert problems_in(tmp_path, {"site.yaml": site, "queues.yaml": queues}) == [
        f'queues.yaml:4:{column}: no words of our own in fr: expected "{which}"'
        for column, which in [(46, "long"), (46, "minute"), (46, "minutes"), (46, "position"), (96, "beyond")]
    ]


def test_a_flow_of_calls_leads_to_queues_of_calls_only(tmp_path: Path) -> None:
    queues = "billing: { title: Billing }\nsupport: { title: Support, medium: chat }\n"
    files = {"flows/main.yaml": flow("- queue: billing\n- queue: support"), "queues.yaml": queues}

    assert problems_in(tmp_path, files) == [
        'flows/main.yaml:5:14: queue "support" takes no calls: expected medium: voice in queues.yaml'
    ]
