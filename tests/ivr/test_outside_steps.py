"""Steps that ask other programs, offline: what is asked, what is kept, where it goes on, what tests say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.dialogue import run_test
from ivr.flow_tests import read_tests
from ivr.interpreter import CHOSEN
from ivr.progress import MOST_REQUESTS, REQUESTS
from ivr.site import Site
from ivr.step_kinds.outside import MOST_SENT, MOST_TEXT_CHARACTERS
from ivr.steps import (
    CallWebhook,
    CustomerFound,
    End,
    Ending,
    Enqueue,
    Play,
    Prompt,
    ReadDigits,
    SendText,
    TextSent,
    WebhookEnded,
)
from ivr.walk import Spot, walk
from tests.ivr.sites import NOON, Ride, problems_in, site_with
from tests.ivr.test_walk import Tape

GATEWAY = """
name: Small
country: DE
time_zone: Europe/Berlin
languages: [en, zh]
default_language: en
text_messages: { webhook: crm }
fail_safe: { message: Please call again later. }
"""
ASK = """
- set: { account: 10/2 }
- webhook: crm
  path: /accounts/{account}/lines
  query: { line: $dialled, active: true, most: 3 }
  keep:
    name: customer.name
    balance: { at: account.balance, type: number }
  music: default
  say: One moment.
  ok: told
  not_found: [{ say: Nobody. }, hangup]
  failed: [{ say: "Sorry, {name}." }, hangup]
"""
TOLD = """
told:
  - say: "{name} has {balance:money}"
  - queue: billing
"""
SEND = """
- collect: PIN?
  into: pin
  digits: 4
  secret: true
- webhook: crm
  send: { pin: $pin, line: "line {dialled}", count: 1 }
- webhook: crm
  send: {}
  method: PUT
  idempotent: true
- hangup
"""
TEXT = """
- set: { case: "7", mobile: $caller }
- send_text: { en: "Case {case} is open.", zh: "问题 {case}" }
  to: $mobile
  sent: [{ say: Sent. }, { queue: billing }]
  otherwise: [{ say: Not sent. }, hangup]
"""
CALLER = {"caller": "+491711234567", "dialled": "+4989100", "interaction_id": "lab1-1.1"}


@pytest.fixture
def asking(tmp_path: Path) -> Site:
    return site_with(tmp_path / "ask", ASK, TOLD)


def text_site(folder: Path, steps: str = TEXT) -> Site:
    return site_with(folder, steps, site_yaml=GATEWAY)


def asked(ride: Ride) -> CallWebhook:
    assert isinstance(ride.heard, CallWebhook)
    return ride.heard


def test_a_webhook_is_asked_what_the_step_says(asking: Site) -> None:
    ride = Ride(asking, CALLER)
    assert ride.heard == Play((Prompt("One moment."),), barge_in=True)
    ride.done()
    wanted = asked(ride)
    assert (wanted.endpoint.name, wanted.method, wanted.path) == ("crm", "GET", "/accounts/10%2F2/lines")
    assert wanted.query == (("line", "+4989100"), ("active", "true"), ("most", "3"))
    assert (wanted.send, wanted.music, wanted.is_idempotent) == (None, "default", False)
    assert wanted.key == "lab1-1.1/main/welcome:1/0"


def test_what_it_answers_is_kept_said_and_told_to_agents(asking: Site) -> None:
    ride = Ride(asking, CALLER)
    ride.done()
    ride.feed(WebhookEnded("ok", {"name": "Anna", "balance": "12.50"}))
    assert ride.heard == Play((Prompt("Anna has twelve euros and fifty cents"),), barge_in=False)
    queued = ride.done()
    assert isinstance(queued, Enqueue)
    assert dict(queued.attributes)["name"] == "Anna"


@pytest.mark.parametrize(("outcome", "text"), [("not_found", "Nobody."), ("failed", "Sorry, .")])
def test_what_was_known_before_is_not_taken_for_an_answer(asking: Site, outcome: str, text: str) -> None:
    ride = Ride(asking, {**CALLER, "name": "Omar"})
    ride.done()
    assert ride.feed(WebhookEnded(outcome, {"name": "Ann"})) == Play((Prompt(text),), barge_in=False)
    assert ride.done() == End(Ending.DESIGNED)


def test_what_is_not_found_has_failed_where_the_step_does_not_tell_them_apart(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, "- webhook: crm\n  failed: [{ say: No. }, hangup]\n- hangup"))
    assert ride.feed(WebhookEnded("not_found")) == Play((Prompt("No."),), barge_in=False)


def test_each_request_has_a_key_of_its_own_that_is_the_same_after_a_restart(tmp_path: Path) -> None:
    site = site_with(tmp_path, SEND)
    ride = Ride(site, CALLER)
    ride.press("4711")
    first = asked(ride)
    assert first.method == "POST"
    assert first.send == {"pin": "4711", "line": "line +4989100", "count": 1}
    assert "4711" not in repr(first)
    ride.feed(WebhookEnded("ok"))
    second = asked(ride)
    assert (second.method, second.send, second.is_idempotent) == ("PUT", {}, True)
    assert second.key != first.key
    again = asked(Ride(site, dict(ride.execution.variables), at=ride.execution.node))
    assert again.key == second.key


def test_a_step_that_is_come_to_again_asks_another_request(tmp_path: Path) -> None:
    ride = Ride(site_with(tmp_path, "- webhook: crm\n- menu: Again?\n  keys: { 1: welcome, 2: [hangup] }"), CALLER)
    first = asked(ride).key
    ride.feed(WebhookEnded("failed"))
    ride.press("1")
    assert (first, asked(ride).key) == ("lab1-1.1/main/welcome:0/0", "lab1-1.1/main/welcome:0/1")


def test_a_call_that_asks_without_end_is_stopped(tmp_path: Path) -> None:
    site = site_with(tmp_path, "- webhook: crm\n  keep: { a: a }\n  failed: [{ say: No. }, hangup]\n- hangup")
    ride = Ride(site, {**CALLER, REQUESTS: str(MOST_REQUESTS), "a": "1"})
    assert ride.heard == Play((Prompt("No."),), barge_in=False)
    assert ride.execution.notes == ["main welcome:0: too many requests in one call"]
    assert ride.execution.variables["a"] == ""
    assert asked(Ride(site, {**CALLER, REQUESTS: "many"})).key.endswith("/0")


@pytest.mark.parametrize("value", ["..", ".", "../..", "%2e%2e", "a/b?c#d", "{caller}"])
def test_a_value_stays_one_part_of_the_path(tmp_path: Path, value: str) -> None:
    site = site_with(tmp_path, "- webhook: crm\n  path: /a/{account}/b\n- set: { account: x }\n- hangup")
    path = asked(Ride(site, {"account": value})).path
    assert path.count("/") == 3
    assert not {"..", ".", ""} & set(path.split("/")[1:])
    assert not set(path) & set("?#{}")


def test_a_request_has_few_fields(tmp_path: Path) -> None:
    fields = ", ".join(f"f{at}: 1" for at in range(MOST_SENT + 1))
    steps = f"start: a\nnodes:\n  a:\n    - webhook: crm\n      send: {{ {fields} }}\n"
    assert problems_in(tmp_path, {"flows/main.yaml": steps}) == [
        f"flows/main.yaml:5:13: {MOST_SENT + 1} fields: expected at most {MOST_SENT}"
    ]


def test_what_is_sent_with_get_stands_in_the_query(tmp_path: Path) -> None:
    steps = "start: a\nnodes:\n  a:\n    - webhook: crm\n      send: { a: 1 }\n      method: GET\n"
    (said,) = problems_in(tmp_path, {"flows/main.yaml": steps})
    assert said.endswith("GET sends no body: expected query instead of send, or method: POST")


# --- text messages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "text"), [("en", "Case 7 is open."), ("zh", "问题 7")])
def test_a_text_message_is_sent_in_the_callers_language(tmp_path: Path, language: str, text: str) -> None:
    ride = Ride(text_site(tmp_path), CALLER, language=language)
    assert ride.heard == SendText("lab1-1.1/main/welcome:1/0", "+491711234567", Prompt(text, language))
    assert isinstance(ride.feed(TextSent()), Play)
    queued = ride.done()
    assert isinstance(queued, Enqueue)
    assert ("text message", "sent") in queued.attributes


def test_one_that_nobody_took_leads_elsewhere(tmp_path: Path) -> None:
    ride = Ride(text_site(tmp_path), CALLER)
    assert ride.feed(TextSent("failed")) == Play((Prompt("Not sent."),), barge_in=False)
    assert '"not sent"' in ride.execution.variables[CHOSEN]


@pytest.mark.parametrize(
    ("variables", "text", "note"),
    [
        ({"caller": ""}, "Hello", "no number to send a text message to"),
        ({}, "{note}" * 5, f"a text message of more than {MOST_TEXT_CHARACTERS} characters"),
        ({REQUESTS: str(MOST_REQUESTS)}, "Hello", "too many requests in one call"),
    ],
)
def test_what_cannot_be_sent_is_not_tried(tmp_path: Path, variables: dict[str, str], text: str, note: str) -> None:
    steps = f'- set: {{ note: "{"x" * 250}" }}\n- send_text: "{text}"\n  otherwise: [{{ say: Not sent. }}, hangup]'
    site = text_site(tmp_path, steps)
    ride = Ride(site, {**CALLER, **variables})
    assert ride.heard == Play((Prompt("Not sent."),), barge_in=False)
    assert ride.execution.notes == [f"main welcome:1: {note}"]


# --- walks and flow tests ----------------------------------------------------------------------------------------


class Clerk(Tape):
    def answers(self, spot: Spot, wanted: CallWebhook) -> WebhookEnded | None:
        self.heard.append(f"{wanted.method} {wanted.path}")
        return WebhookEnded(self.lines.pop(0)) if self.lines else None

    def sends(self, spot: Spot, wanted: SendText) -> str | None:
        self.heard.append(wanted.prompt.text)
        return self.lines.pop(0) if self.lines else None

    def finds(self, spot: Spot, wanted: object) -> CustomerFound:
        raise AssertionError

    def presses(self, spot: Spot, wanted: ReadDigits) -> str | None:
        raise AssertionError


def test_a_walk_asks_what_others_answer(asking: Site, tmp_path: Path) -> None:
    clerk = Clerk("not_found")
    assert str(walk(asking, "+498999998100", "", clerk, NOON)).startswith("ended as designed")
    assert clerk.heard == ["One moment.", "GET /accounts/10%2F2/lines", "Nobody."]
    assert walk(asking, "+498999998100", "", Clerk(), NOON).end is None
    site = text_site(tmp_path / "text")
    clerk = Clerk("failed")
    assert str(walk(site, "+498999998100", "+49301", clerk, NOON)).startswith("ended as designed")
    assert clerk.heard == ["Case 7 is open.", "Not sent."]
    assert walk(site, "+498999998100", "+49301", Clerk(), NOON).end is None


def outcome(site: Site, *entries: str) -> str | None:
    head = 'a call:\n  given: { number: "+498999998100", caller: "+49301", at: 2027-03-03T12:00 }\n  dialogue:\n'
    lines = "".join(f"    - {entry}\n" for entry in entries)
    (test,), problems = read_tests(site, "tests/main.yaml", (head + lines).encode())
    assert problems == []
    failure = run_test(site, test)
    return None if failure is None else str(failure)


def test_a_test_says_what_a_webhook_answers_and_what_it_was_sent(asking: Site) -> None:
    answer = 'webhook: { name: Anna, balance: 12.5 }\n      sends: { line: "+498999998100", active: true, most: 3 }'
    assert outcome(asking, "hears: One moment", answer, "hears: Anna has twelve", "expects: { queue: billing }") is None
    assert outcome(asking, "webhook: not_found", "hears: Nobody", "expects: { ended: normal }") is None
    assert outcome(asking, "webhook: failed", "hears: Sorry", "expects: { ended: normal }") is None
    assert outcome(asking, "webhook: ok", "hears: has") is None
    assert outcome(asking, "hangs_up") is None


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (["webhook: { nam: Anna }"], 'unknown value "nam": expected balance or name; did you mean "name"? at main'),
        (["webhook: { balance: much }"], 'balance "much": expected a number such as 12.50 at main welcome:1 (webhook)'),
        (["webhook: ok\n      sends: { lin: 1 }"], "expected lin to be sent, came none at main welcome:1 (webhook)"),
        (["webhook: ok\n      sends: { most: 4 }"], 'expected most "4", came "3" at main welcome:1 (webhook)'),
        (["presses: 1"], "came: webhook crm is called at main welcome:1 (webhook)"),
        (["webhook: failed", "webhook: failed"], "expected a webhook, which ends failed; came: the call is over"),
        (["webhook: failed", "webhook: { name: A }"], "expected a webhook, which answers; came: the call is over"),
    ],
)
def test_a_test_says_what_a_webhook_did_otherwise(asking: Site, entries: list[str], said: str) -> None:
    failure = outcome(asking, *entries)
    assert failure is not None
    assert said in failure


def test_a_test_says_what_is_sent_to_whom(tmp_path: Path) -> None:
    site = text_site(tmp_path)
    sent = 'send_text: sent\n      says: Case 7\n      to: "+49301"'
    assert outcome(site, sent, "hears: Sent", "expects: { queue: billing }") is None
    assert outcome(site, "send_text: otherwise", "hears: Not sent", "expects: { ended: normal }") is None
    assert outcome(site, "hangs_up") is None
    wrong = outcome(site, 'send_text: sent\n      says: Case 8\n      to: "+49302"')
    assert wrong is not None
    assert 'expected a message with "Case 8", came "Case 7 is open."' in wrong
    assert "expected a message to +49302, came +49301 at main welcome:1 (send_text)" in wrong
    other = outcome(site, "presses: 1")
    assert other is not None
    assert "came: a text message is sent to +49301 at main welcome:1 (send_text)" in other
    late = outcome(site, "send_text: otherwise", "send_text: sent")
    assert late is not None
    assert "expected a text message: sent; came: the call is over" in late
