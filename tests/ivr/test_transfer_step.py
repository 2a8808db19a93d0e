"""How a flow gives a caller to somebody outside the queues, offline: what it asks, where it goes on, what tests say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.dialogue import run_test
from ivr.flow_tests import read_tests
from ivr.site import Site
from ivr.steps import End, Ending, Play, Prompt, Transfer, TransferEnded
from ivr.walk import walk
from tests.ivr.sites import NOON, Ride, problems_in, site_with
from tests.ivr.test_walk import Tape

TRUNKS = "carrier: { host: 192.0.2.7 }\n"
WAYS = """
    - transfer: { number: $dialled }
      ring: 20s
      trunk: carrier
      caller_id: "+49 89 1234567"
      busy: [{ say: Busy. }, hangup]
      otherwise: [{ say: Not now. }, hangup]
      then: [{ say: Goodbye. }, hangup]
"""


def said(text: str) -> Play:
    return Play((Prompt(text),))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_with(tmp_path, WAYS, trunks_yaml=TRUNKS)


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        ("answered", "Goodbye."),
        ("busy", "Busy."),
        ("no_answer", "Not now."),
        ("failed", "Not now."),
        ("refused", "Not now."),
    ],
)
def test_the_call_goes_on_by_how_the_transfer_ended(site: Site, outcome: str, text: str) -> None:
    ride = Ride(site, {"dialled": "+493012345,6&x"})
    assert ride.heard == Transfer("number", "+493012345,6&x", 20.0, "carrier", "+49 89 1234567")
    assert ride.feed(TransferEnded(outcome)) == said(text)


def test_without_a_way_the_call_ends_with_the_talk_and_goes_on_otherwise(tmp_path: Path) -> None:
    site = site_with(tmp_path, '- transfer: { extension: "2001" }\n- transfer: { agent: "{caller}" }\n- say: Nobody.')
    assert Ride(site).feed(TransferEnded("answered")) == End(Ending.DESIGNED)
    ride = Ride(site, {"caller": "maria"})
    assert ride.heard == Transfer("extension", "2001", 30.0)
    assert ride.feed(TransferEnded("busy")) == Transfer("agent", "maria", 30.0)
    assert ride.feed(TransferEnded("no_answer")) == said("Nobody.")


def test_all_ways_named_leave_no_other(tmp_path: Path) -> None:
    ways = "".join(f"  {way}: welcome\n" for way in ("busy", "no_answer", "failed", "refused"))
    steps = f'- transfer: {{ extension: "2001" }}\n{ways}- say: Never heard.'
    wrong = problems_in(tmp_path, {"flows/main.yaml": "start: welcome\nnodes:\n  welcome:\n" + _indented(steps)})
    assert any("this step is never reached" in each for each in wrong)
    assert any("a loop without end" in each for each in wrong), "calling out again and again waits for nobody"


def test_a_number_goes_by_whatever_trunk_there_is(tmp_path: Path) -> None:
    steps = '- transfer: { number: "030 901820" }'
    assert Ride(site_with(tmp_path, steps, trunks_yaml=TRUNKS)).heard == Transfer("number", "030 901820", 30.0)


def _indented(steps: str) -> str:
    return "".join(f"    {line}\n" for line in steps.splitlines())


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("transfer: { number: $dialled }", "no number can be called without a trunk: expected one in trunks.yaml"),
        ("transfer: {}", "expected exactly one of number, extension or agent, got none"),
        (
            'transfer: { number: "+4930123456", agent: maria }',
            "expected exactly one of number, extension or agent, got number and agent",
        ),
        ('transfer: { extension: "2001&2002" }', '"2001&2002" is not an extension: expected 2 to 8 digits'),
        ('transfer: { number: "112" }', '"112" is too short to be called: expected a whole number such as'),
        ('transfer: { number: "+4930123456,1" }', '"+4930123456,1" is not a telephone number: expected for example'),
        ("transfer: { agent: $nobody }", 'unknown variable "nobody"'),
        ('transfer: { agent: "maria" }\n      ring: 3s', "3s of ringing: expected 5s to 2m"),
        ('transfer: { agent: "maria" }\n      trunk: carrier', 'unknown trunk "carrier"'),
    ],
)
def test_what_is_wrong_with_a_transfer_is_said(tmp_path: Path, step: str, said: str) -> None:
    found = problems_in(tmp_path, {"flows/main.yaml": f"start: door\nnodes:\n  door:\n    - {step}\n"})
    assert any(said in each for each in found), found


class Operator(Tape):
    def transfers(self, spot: object, wanted: Transfer) -> str | None:
        self.heard.append(f"{wanted.kind} {wanted.to}")
        return self.lines.pop(0) if self.lines else None


def test_a_walk_asks_how_it_ends(site: Site) -> None:
    party = Operator("busy")
    assert str(walk(site, "+498999998100", "", party, NOON)).startswith("ended as designed")
    assert party.heard == ["number +498999998100", "Busy."]
    assert walk(site, "+498999998100", "", Operator(), NOON).end is None


def outcome(site: Site, *entries: str) -> str | None:
    text = 'a call:\n  given: { number: "+498999998100", at: 2027-03-03T12:00 }\n  dialogue:\n'
    (test,), problems = read_tests(site, "tests/main.yaml", (text + "".join(f"    - {e}\n" for e in entries)).encode())
    assert problems == []
    failure = run_test(site, test)
    return None if failure is None else str(failure)


def test_a_test_says_to_whom_and_how_it_ends(site: Site) -> None:
    expected = 'expects: { transfer: "+498999998100" }'
    assert outcome(site, expected, "transfer: answered", "hears: Goodbye", "expects: { ended: normal }") is None
    assert outcome(site, "transfer: busy", "hears: Busy") is None
    assert outcome(site, "hangs_up") is None
    assert outcome(site, 'expects: { transfer: "+49301" }', "transfer: busy") == (
        "tests/main.yaml:4:7: a call: expected transfer to +49301, came +498999998100 at main welcome:0 (transfer)"
    )
    other = outcome(site, "queue: served")
    assert other is not None
    assert "came: the caller is transferred to number +498999998100 at main welcome:0 (transfer)" in other
    late = outcome(site, "transfer: busy", "transfer: busy")
    assert late is not None
    assert "expected a transfer, which ends busy; came: the call is over" in late
    never = outcome(site, "transfer: busy", 'expects: { transfer: "1" }')
    assert never is not None
    assert "expected a transfer to 1; came: the call is over" in never
