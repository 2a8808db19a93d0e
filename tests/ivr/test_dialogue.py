"""Tests of flows pass when a call goes as they say, and otherwise say what came, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.dialogue import run_test
from ivr.flow_tests import files_of_tests, read_tests
from ivr.loader import load_site
from ivr.site import Site
from tests.ivr.sites import site_with

EXAMPLE = Path(__file__).parents[2] / "site"
STEPS = """
- if: dialled == "2"
  then: around
- answer
- say: Welcome.
- lookup: { number: $caller }
  several:
    - say: There are several of you.
- menu: For billing, press 1. For a message, press 2.
  retries: 0
  keys:
    1:
      - set: { topic: Billing }
      - if: customer.vip
        then:
          - queue: billing
            priority: 5
            skills: { billing: 3 }
            then: parting
      - queue: support
        attributes: { who: $customer.name }
        then: parting
    2:
      - voicemail: Speak after the tone.
        queue: notes
        priority: 2
        attributes: { why: busy }
        otherwise:
          - say: You said nothing.
      - say: Thank you.
      - hangup
    3: around
"""
REST = """
parting:
  - say: Goodbye.
around:
  - if: dialled == "1"
    then: parting
  - refuse: busy
"""
QUEUES = """
billing: { title: Billing }
support: { title: Support }
notes: { title: Notes, medium: message }
other: { title: Other, medium: message }
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_with(tmp_path_factory.mktemp("site"), STEPS, REST, queues_yaml=QUEUES)


def outcome(site: Site, *entries: str, given: str = "") -> str | None:
    """What is wrong with a call that goes as the entries say; they stand in lines 4 and on."""
    head = f'a call:\n  given: {{ number: "+498999998100", at: 2027-03-03T12:00{given} }}\n  dialogue:\n'
    lines = "".join(f"    - {entry}\n" for entry in entries)
    (test,), problems = read_tests(site, "tests/main.yaml", (head + lines).encode())
    assert problems == []
    failure = run_test(site, test)
    return None if failure is None else str(failure)


ANNA = ', caller: "+4930901820", customer: { name: Anna, vip: yes }'
BEN = ', caller: "+4930901820", customer: { name: Ben, vip: false }'
TWO = ', caller: "+49301", customer: { name: Ann }, customers: [{ name: Bo, number: "+49 301" }]'


@pytest.mark.parametrize(
    ("given", "entries"),
    [
        ("", ["hears: Welcome.", "presses: 1", "expects: { queue: support, priority: 0, skills: {} }"]),
        ("", ["presses: 1", "queue: served", "hears: Goodbye", "expects: { ended: normal }"]),
        ("", ["presses: nothing", "expects: { ended: normal }"]),
        ("", ["presses: 3", "expects: { refused: busy }"]),
        ("", ["presses: 2", "hears: Speak", "message: left", "hears: Thank", "expects: { ended: normal }"]),
        ("", ["presses: 2", "expects: { message: notes, priority: 2, attributes: { why: busy } }", "message: left"]),
        ("", ["presses: 2", "expects: { message: notes, language: en }", "message: none", "hears: You said nothing."]),
        ("", ["presses: 2", "message: none", "hears: You said nothing."]),
        ("", ["presses: 2", "hangs_up"]),
        ("", ["presses: 1", "hangs_up"]),
        ("", ["hangs_up"]),
        (ANNA, ["presses: 1", "expects: { queue: billing, priority: 5, skills: { billing: 3 } }", "hangs_up"]),
        (ANNA, ["presses: 1", "expects: { queue: billing }", "expects: { queue: billing, language: en }"]),
        (BEN, ["presses: 1", "expects: { queue: support, attributes: { who: Ben, topic: Billing } }"]),
        (TWO, ["hears: several", "presses: 1", "expects: { queue: support }"]),
    ],
)
def test_a_call_that_goes_as_it_is_told_passes(site: Site, given: str, entries: list[str]) -> None:
    assert outcome(site, *entries, given=given) is None


MENU = "a question waits for keys at main welcome:4 (menu)"
HEARD = 'having heard "Welcome.", "For billing, press 1. For a message, press 2."'


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (["hears: Good morning"], f'4:7: a call: expected to hear "Good morning"; came: {MENU}, {HEARD}'),
        (["queue: served"], f"4:7: a call: expected a wait in a queue, which ends served; came: {MENU}, {HEARD}"),
        (["message: left"], f"expected a recording of a message; came: {MENU}, {HEARD}"),
        (["expects: { queue: billing }"], f"expected a wait in queue billing; came: {MENU}, {HEARD}"),
        (["expects: { ended: normal }"], f"expected the end, normal; came: {MENU}, {HEARD}"),
        (["expects: { refused: busy }"], f"expected refused busy; came: {MENU}, {HEARD}"),
        (
            ["presses: 1", "presses: 2"],
            "5:7: a call: expected a question for the keys 2; came: the caller waits in queue support at "
            f"main welcome:4.1:2 (queue), {HEARD}",
        ),
        (
            ["presses: 1", "expects: { queue: billing, priority: 1, skills: { billing: 2 } }"],
            "5:7: a call: expected queue billing, came support; expected priority 1, came 0; "
            "expected skills billing 2, came none at main welcome:4.1:2 (queue)",
        ),
        (
            ["presses: 1", "expects: { queue: support, language: zh, attributes: { topic: Help, more: x } }"],
            'expected topic "Help", came "Billing"; expected more "x", came none; expected language zh, came en',
        ),
        (["presses: 1", "hears: Please hold"], "came: the caller waits in queue support at main welcome:4.1:2 (queue)"),
        (
            ["presses: 2", "expects: { message: other, priority: 3, attributes: { why: late }, language: zh }"],
            "expected message for queue other, came notes; expected priority 3, came 2; "
            'expected why "late", came "busy"; expected language zh, came en at main welcome:4.2:0 (voicemail)',
        ),
        (["expects: { message: notes }"], f"expected a message for queue notes; came: {MENU}, {HEARD}"),
        (["presses: 2", "presses: 1"], "came: a message is recorded for queue notes at main welcome:4.2:0 (voicemail)"),
        (
            ["presses: 3", "hears: Goodbye"],
            '5:7: a call: expected to hear "Goodbye"; came: the call is over: refused (busy) at main around:1',
        ),
        (["presses: 3", "expects: { refused: closed }"], "expected refused closed; came: the call is over: refused"),
        (["presses: nothing", "expects: { refused: busy }"], "the call is over: ended as designed (normal) at main"),
        (["presses: nothing", "presses: nothing"], "expected a question for the keys that are not pressed; came: the"),
        (
            ["presses: 1", "queue: served", "hangs_up"],
            'expected a question, a wait, a transfer or a recording to hang up at; came: the call is over: ended',
        ),
        (["presses: 3", "expects: { ended: broken }"], "expected the end, broken; came: the call is over: refused"),
        (["hangs_up", "expects: { ended: normal }"], "came: the call is over: the caller hung up at main welcome:4 (m"),
    ],
)  # fmt: skip
def test_a_call_that_goes_otherwise_says_what_came_and_where(site: Site, entries: list[str], said: str) -> None:
    failure = outcome(site, *entries)

    assert failure is not None
    assert failure.startswith("tests/main.yaml:")
    assert said in failure


CALLBACK = """
- callback: billing
  priority: 3
  promised: [say: Until later.]
  otherwise: [hangup]
"""


@pytest.fixture(scope="module")
def calling_back(tmp_path_factory: pytest.TempPathFactory) -> Site:
    queues = "billing: { title: Billing, callback: { greeting: This is us. } }\n"
    trunks = "carrier: { host: carrier.example }\n"
    return site_with(tmp_path_factory.mktemp("site"), CALLBACK, queues_yaml=queues, trunks_yaml=trunks)


@pytest.mark.parametrize(
    "entries",
    [
        ["expects: { callback: billing, priority: 3, language: en }", "callback: promised", "hears: Until later."],
        ["callback: refused", "presses: 0301#1", "callback: promised", "hears: Until later."],
        ["callback: never", "expects: { ended: normal }"],
        ["hangs_up"],
    ],
)
def test_a_caller_may_ask_to_be_called_back(calling_back: Site, entries: list[str]) -> None:
    assert outcome(calling_back, *entries, given=BEN) is None


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (["presses: 1"], "came: the caller asks to be called back by queue billing at main welcome:0 (callback)"),
        (["expects: { callback: billing, priority: 4 }"], "expected priority 4, came 3 at main welcome:0 (callback)"),
        (["callback: never", "expects: { callback: billing }"], "expected a wish to be called back by queue billing; "),
        (["callback: never", "callback: never"], "expected a wish to be called back, which is never; came: the call"),
    ],
)
def test_a_callback_that_goes_otherwise_says_so(calling_back: Site, entries: list[str], said: str) -> None:
    failure = outcome(calling_back, *entries, given=BEN)

    assert failure is not None
    assert said in failure


def test_a_runaway_flow_is_expected_as_broken(tmp_path: Path) -> None:
    steps = "- collect: Your code?\n  into: code\n  digits: 1\n  retries: 0\n  wait: 1s\n  otherwise: welcome"
    site = site_with(tmp_path, steps)
    silent = ["presses: nothing"] * 1000

    assert outcome(site, *silent, "expects: { ended: broken }") is None
    failure = outcome(site, *silent, "expects: { ended: normal }")
    assert failure is not None
    assert "broken at main welcome:0 (collect): main welcome:0: 1000 steps without the caller" in failure


def test_before_anything_is_heard_only_the_place_is_told(tmp_path: Path) -> None:
    site = site_with(tmp_path, "- play: beep.wav\n- queue: billing", sounds_yaml="", **{"sounds/beep.wav": "RIFF"})

    assert outcome(site, "hears: beep.wav", "expects: { queue: billing }") is None
    failure = outcome(site_with(tmp_path, "- queue: billing"), "presses: 1")
    assert failure is not None
    assert failure.endswith("came: the caller waits in queue billing at main welcome:0 (queue)")


EXAMPLE_SITE = load_site(EXAMPLE)
EXAMPLES = [
    (file, test)
    for file in files_of_tests(EXAMPLE_SITE)[0]
    for test in read_tests(EXAMPLE_SITE, f"tests/{file.name}", file.read_bytes())[0]
]


@pytest.mark.parametrize(("file", "test"), EXAMPLES, ids=[test.name for _, test in EXAMPLES])
def test_the_example_site_passes_its_own_tests(file: Path, test: object) -> None:
    failure = run_test(EXAMPLE_SITE, test)  # type: ignore[arg-type]

    assert failure is None, str(failure)


def test_the_example_site_has_tests_without_mistakes() -> None:
    files, stray = files_of_tests(EXAMPLE_SITE)

    assert stray == []
    for file in files:
        assert read_tests(EXAMPLE_SITE, file.name, file.read_bytes())[1] == []
    assert len(EXAMPLES) >= 15


def test_a_message_for_nobody_is_for_no_queue(tmp_path: Path) -> None:
    nobody = site_with(tmp_path, "- voicemail: Speak.\n- hangup", queues_yaml=QUEUES)

    assert outcome(nobody, "message: left", "expects: { ended: normal }") is None
    assert "expected message for queue notes, came none at" in str(outcome(nobody, "expects: { message: notes }"))
    assert "came: a message is recorded at main welcome:0" in str(outcome(nobody, "presses: 1"))
