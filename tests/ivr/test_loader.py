from __future__ import annotations

from pathlib import Path

import pytest

from ivr.errors import SiteError
from ivr.loader import MOST_FLOWS, load_site
from ivr.site import texts
from ivr.steps import Prompt
from tests.ivr.sites import SMALL, flow, problems_in, site_with, write_site


def test_a_queue_may_ring_several_phones_at_once(tmp_path: Path) -> None:
    queues = "billing: { title: Billing, strategy: ring_all, ring_at_most: 20 }\nsupport: { title: Support }\n"
    site = load_site(write_site(tmp_path, {"queues.yaml": queues}))
    assert [each.ring_at_most for each in site.queues.values()] == [20, 5]


def test_the_small_site_is_fine(tmp_path: Path) -> None:
    site = load_site(write_site(tmp_path, {}))

    assert site.settings.name == "Small"
    assert list(site.flows) == ["main"]
    assert site.queues["billing"].skills == {"billing": 2}
    assert (site.queues["support"].ring_s, site.queues["support"].wrap_up_s) == (20.0, 10.0)
    assert site.hours["office"].time_zone == "Europe/Berlin"
    assert site.reasons.not_ready == ()


def test_the_version_changes_with_any_file_and_with_nothing_else(tmp_path: Path) -> None:
    first = load_site(write_site(tmp_path / "a", {})).version
    again = load_site(write_site(tmp_path / "b", {})).version
    other = load_site(write_site(tmp_path / "c", {"skills.yaml": "billing: Bills\n"})).version

    assert first == again
    assert first != other


def test_an_empty_folder_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(SiteError) as caught:
        load_site(tmp_path)

    assert str(caught.value).splitlines() == [
        "flows:1:1: there is no flow: expected at least one file such as flows/main.yaml",
        "numbers.yaml:1:1: there is no such file",
        "site.yaml:1:1: there is no such file",
    ]


def test_all_problems_of_all_files_come_at_once_and_none_twice(tmp_path: Path) -> None:
    found = problems_in(
        tmp_path,
        {
            "site.yaml": "name: [a",
            "queues.yaml": "- billing\n",
            "skills.yaml": "billing: 7\n",
            "hours.yaml": "office: closed\n",
            "flows/main.yaml": flow("- hours: offic\n- queue: billing\n  skills: { biling: 1 }\n- flow: other"),
            "flows/other.yaml": "start",
        },
    )

    assert found == [
        'flows/main.yaml:4:14: unknown calendar "offic": expected office; did you mean "office"?',
        'flows/main.yaml:6:17: unknown skill "biling": expected billing; did you mean "billing"?',
        'flows/other.yaml:1:1: "start": expected keys and values',
        'hours.yaml:1:9: "closed": expected keys and values',
        "queues.yaml:1:1: expected names with their rules, such as billing:",
        "site.yaml:1:9: not YAML: expected ',' or ']', but got '<stream end>': while parsing a flow sequence",
        'skills.yaml:1:10: 7 without quotes is not text: expected quotes, "7"',
    ]


def test_files_that_would_be_passed_over_are_named(tmp_path: Path) -> None:
    files = {"trunks.yml": "carrier: {}\n", "flows/other.yml": "start: a\n", "flows/Two words.yaml": flow("- answer")}

    assert problems_in(tmp_path, files) == [
        'flows/Two words.yaml:1:1: "Two words" cannot name a flow: '
        "expected small letters, digits, - and _, a letter first, at most 40",
        "flows/other.yml:1:1: this file is not read: expected the ending .yaml",
        "trunks.yml:1:1: this file is not read: expected the ending .yaml",
    ]


def test_names_of_a_file_that_is_not_yaml_are_not_called_unknown(tmp_path: Path) -> None:
    broken = {name: "a: [b\n" for name in ("queues.yaml", "numbers.yaml", "skills.yaml", "hours.yaml")}
    steps = "- hours: any\n- queue: any\n  skills: { any: 1 }"

    found = problems_in(tmp_path, {**broken, "flows/main.yaml": flow(steps)})
    assert [each.partition(":")[0] for each in found] == sorted(broken)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_site(tmp_path, {"skills.yaml": ""})
    (tmp_path / "skills.yaml").mkdir()

    with pytest.raises(SiteError, match=r"^skills.yaml:1:1: the file cannot be read: Is a directory$"):
        load_site(tmp_path)


def test_files_that_need_not_be_there_may_be_empty(tmp_path: Path) -> None:
    files = {"trunks.yaml": "# none yet\n", "reasons.yaml": "", "hours.yaml": "", "queues.yaml": "", "skills.yaml": ""}
    site = load_site(write_site(tmp_path, {**files, "flows/main.yaml": flow("- answer")}))

    assert (site.trunks, site.queues, site.hours, site.skills) == ({}, {}, {}, {})


def test_too_many_flows_are_refused(tmp_path: Path) -> None:
    flows = {f"flows/z{index}.yaml": flow("- answer") for index in range(MOST_FLOWS)}

    assert problems_in(tmp_path, flows) == [f"flows:1:1: {MOST_FLOWS + 1} flows: expected at most {MOST_FLOWS}"]


# --- numbers ----------------------------------------------------------------------------------------------

NUMBERS = """
"+498999998100": { flow: main, labels: { line: Main } }
"+4989999981xx": { flow: main, language: zh }
"+49899999810x": { flow: main, labels: { line: Ten } }
"+4989*": { flow: main, labels: { line: Munich } }
"+49*": { flow: main, labels: { line: Germany } }
"112": { flow: main, labels: { line: Short } }
"""


@pytest.mark.parametrize(
    ("dialled", "number"),
    [
        ("+498999998100", "+498999998100"),
        ("498999998100", "+498999998100"),
        ("+49 (89) 99998-100", "+498999998100"),
        ("+498999998101", "+49899999810x"),
        ("+498999998111", "+4989999981xx"),
        ("+4989123", "+4989*"),
        ("+4989", "+4989*"),
        ("+4930123", "+49*"),
        ("112", "112"),
        ("1124", None),
        ("+33123", None),
        ("", None),
        ("+49٣", None),
    ],
)
def test_the_most_exact_rule_answers_a_number(tmp_path: Path, dialled: str, number: str | None) -> None:
    rule = site_with(tmp_path, "- answer", numbers_yaml=NUMBERS).route(dialled)

    assert (rule.number if rule else None) == number


def test_a_number_speaks_the_sites_language_unless_it_says_another(tmp_path: Path) -> None:
    site = site_with(tmp_path, "- answer", numbers_yaml=NUMBERS)

    assert {rule.number: rule.language for rule in site.numbers}["+4989999981xx"] == "zh"
    assert {rule.language for rule in site.numbers} == {"zh", "en"}
    assert site.numbers[0].is_pattern is False
    assert site.numbers[-1].is_pattern is True


# --- other files ------------------------------------------------------------------------------------------


def test_a_trunk_has_all_its_rules(tmp_path: Path) -> None:
    trunks = """
by-address: { host: 192.0.2.1, match: ["192.0.2.0/24", "[2001:db8::1]:5062", "2001:db8::2"] }
registered:
  host: sip.example.net
  transport: tls
  srtp: true
  register: true
  username: northwind
  secret: { env: TRUNK_SECRET }
  caller_id: "+498999998100"
  emergency: true
"""
    site = site_with(tmp_path, "- answer", trunks_yaml=trunks)

    first, second = site.trunks["by-address"], site.trunks["registered"]
    assert (first.name, first.port, first.transport, first.register_) == ("by-address", 5060, "udp", False)
    assert first.match == ("192.0.2.0/24", "[2001:db8::1]:5062", "2001:db8::2")
    assert second.secret is not None
    assert (second.secret.env, second.secret.file, second.srtp) == ("TRUNK_SECRET", None, True)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("{ host: 'a b' }", '18: "a b" is not a host: expected a name or an address'),
        ("{ host: a, codecs: [alaw, alaw] }", "expected at least one codec, each once"),
        ("{ host: a, secret: { env: small } }", '"small" is not an environment variable'),
        ("{ host: a, secret: { env: A, file: b } }", "a secret comes from one place"),
        ("{ host: a, srtp: true, transport: carrier-pigeon }", 'unknown word "carrier-pigeon"'),
        ("{ host: a, register: true, username: 7, secret: { env: A } }", "7 without quotes is not text"),
    ],
)
def test_a_wrong_trunk_is_one_problem(tmp_path: Path, rules: str, message: str) -> None:
    found = problems_in(tmp_path, {"trunks.yaml": f"carrier: {rules}\n"})

    assert len(found) == 1
    assert message in found[0]


@pytest.mark.parametrize("languages", ["[]", "[en, en]", "[english]"])
def test_languages_are_codes_each_once(tmp_path: Path, languages: str) -> None:
    site = (SMALL / "site.yaml").read_text().replace("[en, zh]", languages)

    assert len(problems_in(tmp_path, {"site.yaml": site})) == 1


def test_reasons_keep_their_order(tmp_path: Path) -> None:
    reasons = "not_ready: { lunch: Lunch, break: Break }\ndispositions: { solved: Solved }\n"
    site = site_with(tmp_path, "- answer", reasons_yaml=reasons)

    assert [(each.code, each.title) for each in site.reasons.not_ready] == [("lunch", "Lunch"), ("break", "Break")]
    assert [each.code for each in site.reasons.dispositions] == ["solved"]


# --- prompts ----------------------------------------------------------------------------------------------


def test_texts_are_all_that_can_be_rendered_in_advance(tmp_path: Path) -> None:
    steps = """
    - say: Welcome.
    - say: Welcome.
    - say: "Hello {caller}."
    - play: tune.wav
    - menu: { en: Press 1., zh: 请按一 }
      keys: { 1: welcome }
      invalid: Wrong.
    - collect: Account.
      into: account
      digits: 1
      invalid: Too short.
    - queue: billing
      announcement: Wait.
    """
    queues = "billing: { title: Billing, announcement: Please wait. }\nsupport: { title: Support }\n"
    site = site_with(tmp_path, steps, queues_yaml=queues, **{"sounds/tune.wav": "RIFF"})

    assert texts(site) == [
        Prompt("Welcome.", "en"),
        Prompt("Press 1.", "en"),
        Prompt("请按一", "zh"),
        Prompt("Wrong.", "en"),
        Prompt("Account.", "en"),
        Prompt("Too short.", "en"),
        Prompt("Wait.", "en"),
        Prompt("Please wait.", "en"),
        Prompt("Please call again later.", "en"),
    ]


def test_texts_without_a_callers_language_are_listed_but_not_wrong(tmp_path: Path) -> None:
    numbers = '"+498999998100": { flow: main, language: zh }\n"200": { flow: quiet }\n'
    quiet = "start: a\nnodes:\n  a:\n    - say: English only.\n"
    other = "start: a\nnodes:\n  a:\n    - say: Other.\n"
    steps = "- say: { en: Hi., zh: 你好 }\n- say: { en: Bye. }\n- flow: other"
    site = site_with(tmp_path, steps, numbers_yaml=numbers, **{"flows/quiet_yaml": quiet, "flows/other_yaml": other})

    assert [str(each) for each in site.untranslated] == [
        "flows/main.yaml:5:12: no text in zh: callers hear en",
        "flows/other.yaml:4:12: no text in zh: callers hear en",
    ]


def test_a_language_that_a_flow_sets_is_heard_too(tmp_path: Path) -> None:
    site = site_with(tmp_path, "- set: { language: zh }\n- say: Hello.")

    assert [str(each) for each in site.untranslated] == ["flows/main.yaml:5:12: no text in zh: callers hear en"]


def test_a_queue_may_relax_raise_and_leave_a_choice(tmp_path: Path) -> None:
    queues = """
billing:
  title: Billing
  any_skill: [{ billing: 3, french: 7 }]
  relax:
    - { after: 30s, skills: { french: 0 } }
    - { after: 1m, queues: [support] }
  raise_priority: [{ after: 60s, by: 2 }, { after: 2m }]
support: { title: Support }
"""
    site = site_with(tmp_path, "- queue: billing", queues_yaml=queues, skills_yaml="billing: B\nfrench: F\n")
    queue = site.queues["billing"]
    assert queue.any_skill == ({"billing": 3, "french": 7},)
    assert [(ring.after_s, ring.skills, ring.queues) for ring in queue.relax] == [
        (30, {"french": 0}, ()),
        (60, {}, ("support",)),
    ]
    assert [(step.after_s, step.by) for step in queue.raise_priority] == [(60, 2), (120, 1)]


def test_a_queue_may_give_callers_away(tmp_path: Path) -> None:
    queues = """
billing:
  title: Billing
  overflow:
    - { signed_in_below: 1, when: [joining, waiting], to: support }
    - { expected_over: 90s }
    - { after: 2m }
  regain: 5m
  estimator: head_of_line
support: { title: Support }
"""
    queue = site_with(tmp_path, "- queue: billing", queues_yaml=queues).queues["billing"]
    assert [(rule.condition, rule.to, rule.moments) for rule in queue.overflow] == [
        ("signed_in_below", "support", ("joining", "waiting")),
        ("expected_over", "flow", ("joining",)),
        ("after", "flow", ("waiting",)),
    ]
    assert (queue.regain_s, queue.estimator, queue.expected_handling_s) == (300, "head_of_line", 180)
