"""What may stand in a file of flow tests, and what is said of what may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.flow_tests import ReadTest, files_of_tests, read_tests
from ivr.loader import load_site
from ivr.site import Site
from ivr.turns import Presses
from tests.ivr.sites import write_site

GIVEN = 'given: { number: "+498999998100", at: 2027-03-03T12:00 }'
QUEUES = """
billing: { title: Billing }
notes: { title: Notes, medium: message }
support: { title: Support }
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return load_site(write_site(tmp_path, {"tests/main.yaml": "", "queues.yaml": QUEUES}))


def read(site: Site, text: str) -> tuple[list[ReadTest], list[str]]:
    tests, problems = read_tests(site, "tests/main.yaml", text.encode())
    return tests, [str(each) for each in problems]


def dialogue(site: Site, *entries: str) -> tuple[list[ReadTest], list[str]]:
    """A test with this dialogue, whose entries stand in lines 4 and on."""
    lines = "".join(f"    - {entry}\n" for entry in entries)
    return read(site, f"a call:\n  {GIVEN}\n  dialogue:\n{lines}")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            "heers: Hello",
            '4:7: unknown entry "heers": expected hears, presses, expects, queue, callback, message, records, '
            'keeps, transfer, webhook, send_text or hangs_up; did you mean "hears"?',
        ),
        ("hello", "4:7: expected an entry such as - hears: Welcome, expected hears, presses, expects, queue, call"),
        ("hears:", "4:7: nothing stands here: expected text"),
        ("hears: 5", '4:14: 5 without quotes is not text: expected quotes, "5"'),
        ("{ hears: Hello, twice: 1 }", '4:23: unknown key "twice": expected hears'),
        ("presses: 12a", '4:16: "12a" are not keys: expected keys such as 1, 123456# or "*", or the word nothing'),
        ("presses: #", "4:7: nothing stands here: expected keys such as"),
        (f"presses: '{'1' * 65}'", "are not keys"),
        ("queue: servd", '4:14: unknown word "servd": expected served, timed_out'),
        ("message: kept", '4:16: unknown word "kept": expected left or none'),
        ("hangs_up: 1", '4:17: "1": expected nothing after the colon'),
        ("expects: {}", "4:16: expected exactly one of queue, callback, message, transfer, ended or refused, got none"),
        ("expects: { queue: billing, ended: normal }", "got queue and ended"),
        (
            "expects: { ended: normal, priority: 3 }",
            "4:16: priority can only be expected together with queue, callback or message",
        ),
        ("expects: { callback: billing, skills: { billing: 1 } }", "skills can only be expected together with queue"),
        ("expects: { message: notes, skills: { billing: 1 } }", "skills can only be expected together with queue"),
        ("expects: { message: note }", '4:27: unknown queue "note": expected billing, notes or support; did you mean'),
        (
            "expects: { message: billing }",
            '4:27: queue "billing" takes no messages: expected medium: message in queues',
        ),
        ("expects: { message: notes, queue: billing }", "got queue and message"),
        ("expects: { callback: bill }", '4:28: unknown queue "bill": expected billing, notes or support'),
        ("expects: { quee: billing }", '4:18: unknown key "quee": expected queue, callback, message, transfer, '),
        (
            "expects: { queue: biling }",
            '4:25: unknown queue "biling": expected billing, notes or support; did you mean',
        ),
        ("expects: { queue: billing, skills: { bill: 1 } }", '4:44: unknown skill "bill": expected billing; did you'),
        ("expects: { queue: billing, language: fr }", '4:44: unknown language "fr": expected en or zh'),
        ("expects: { refused: bussy }", '4:27: unknown word "bussy": expected busy, closed, blocked or unallocated'),
    ],
)
def test_a_wrong_entry_is_named_at_its_place(site: Site, entry: str, said: str) -> None:
    tests, problems = dialogue(site, entry)

    assert tests == []
    assert len(problems) == 1
    assert said in problems[0]
    assert problems[0].startswith("tests/main.yaml:4:")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            'number: "1", at: 2027-13-03T12:00',
            '2:29: "2027-13-03T12:00" is not a time: expected a date and a time such',
        ),
        ('number: "1", at: noon', '2:29: "noon" is not a time'),
        ('number: "1", at: 12', '2:29: "12" is not a time'),
        ('number: "1"', '2:10: "at" is missing'),
        ("number: 498999998100, at: 2027-03-03T12:00", "without quotes is not text"),
        (
            'number: "1", at: 2027-03-03T12:00, customer: { nmae: Anna }',
            '2:59: unknown field "nmae": expected account,',
        ),
        ('number: "1", at: 2027-03-03T12:00, customer: { vip: maybe }', '2:57: vip "maybe": expected yes or no'),
        (
            'number: "1", at: 2027-03-03T12:00, customers: [{ acount: "1" }]',
            'unknown field "acount": expected account, company, id, language, name, note, number, pin or vip; did you',
        ),
    ],
)
def test_what_is_given_is_checked(site: Site, given: str, said: str) -> None:
    tests, problems = read(site, f"a call:\n  given: {{ {given} }}\n  dialogue: [hangs_up]\n")

    assert tests == []
    assert len(problems) == 1
    assert said in problems[0]


def test_all_mistakes_of_a_file_are_told_at_once(site: Site) -> None:
    wrong = f"first:\n  {GIVEN}\n  dialogue:\n    - presses: one\n    - hears: 5\n"
    short = f"second:\n  {GIVEN}\nthird:\n  {GIVEN}\n  dialogue: []\n"
    right = f"fourth:\n  {GIVEN}\n  dialogue: [hangs_up]\n"

    tests, problems = read(site, wrong + short + right)

    assert [test.name for test in tests] == ["fourth"]
    assert problems == [
        'tests/main.yaml:4:16: "one" are not keys: expected keys such as 1, 123456# or "*", or the word nothing',
        'tests/main.yaml:5:14: 5 without quotes is not text: expected quotes, "5"',
        'tests/main.yaml:7:3: "dialogue" is missing',
        "tests/main.yaml:10:13: the dialogue is empty: expected at least one entry, such as - hears: Welcome",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- hears: Hello\n", "tests/main.yaml:1:1: expected tests by name, such as billing by key:"),
        ("a: [\n", "tests/main.yaml:2:1: not YAML:"),
        ("a:\n", 'tests/main.yaml:1:1: "given" is missing'),
    ],
)
def test_a_file_that_holds_no_tests_says_why(site: Site, text: str, said: str) -> None:
    tests, problems = read(site, text)

    assert tests == []
    assert problems[0].startswith(said)


def test_an_empty_file_has_no_tests(site: Site) -> None:
    assert read(site, "# nothing yet\n") == ([], [])


@pytest.mark.parametrize(
    ("written", "keys"),
    [("1", "1"), ("012#", "012#"), ("007", "007"), ("star", "*"), ("hash", "#"), ('"*"', "*"), ("nothing", "")],
)
def test_keys_are_taken_as_they_are_written(site: Site, written: str, keys: str) -> None:
    (test,), problems = dialogue(site, f"presses: {written}")

    assert problems == []
    assert [turn for _, turn in test.turns] == [Presses(presses=keys or "nothing")]
    assert isinstance(test.turns[0][1], Presses)
    assert test.turns[0][1].presses == keys


def test_a_file_with_another_ending_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    site = load_site(write_site(tmp_path, {"tests/b.yaml": "#\n", "tests/a.yaml": "#\n", "tests/c.yml": "#\n"}))

    files, stray = files_of_tests(site)

    assert [file.name for file in files] == ["a.yaml", "b.yaml"]
    assert [str(each) for each in stray] == [
        "tests/c.yml:1:1: this file is not read: expected the ending .yaml",
    ]


def test_tests_are_no_flows_and_change_no_version(tmp_path: Path) -> None:
    before = load_site(write_site(tmp_path, {}))
    after = load_site(write_site(tmp_path, {"tests/main.yaml": f"a call:\n  {GIVEN}\n  dialogue: [hangs_up]\n"}))

    assert after.flows.keys() == before.flows.keys()
    assert after.version == before.version
