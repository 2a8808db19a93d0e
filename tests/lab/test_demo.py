"""The demo's verdict: what callers, phones and desktops saw, and when it is not good enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.caller import CallRecord
from lab.demo import MAIN_LINE, UNLISTED, Ledger, Part, is_good

HEARD = CallRecord(
    number="+49301", dialled=MAIN_LINE, invite_ns=1, provisional_ns=None, answer_ns=2, first_audio_ns=3,
    agent_heard_ns=4, end_ns=5, ended_by="remote", status=200, reason="", gave_up=False, pressed="1",
)  # fmt: skip
GAVE_UP = replace(HEARD, agent_heard_ns=None, ended_by="caller", gave_up=True)
DROPPED = replace(HEARD, agent_heard_ns=None)
CALLER = Part("+49301", "", ())


def _ledger() -> Ledger:
    """A demo in which everything went well."""
    ledger = Ledger()
    ledger.calls = [(CALLER, HEARD)] * 40 + [(CALLER, GAVE_UP)] * 3
    for number in range(40):
        offer = f"lab1-{number}/1"
        work = {
            "attributes": {"menu main-menu": "1 billing" if number % 2 else "2 support"},
            "match": ("none", "several", "one")[number % 3],
        }
        ledger.pops_ns[offer], ledger.rings_ns[offer] = 10 * number, 10 * number + 5
        ledger.pops[offer] = work
    ledger.endings = {"lab1-0/1": "expired"}
    return ledger


def test_a_good_demo_is_good() -> None:
    summary = _ledger().sum_up(pop_late=0)
    assert is_good(summary)
    assert summary["offered"] == 43
    assert summary["answered"] == 40
    assert summary["abandoned"] == 3
    assert summary["lost"] == 0
    assert summary["offers"] == summary["pops_shown_before_ring"] == 40


def test_a_caller_who_was_dropped_before_an_agent_is_lost() -> None:
    ledger = _ledger()
    ledger.calls.append((CALLER, DROPPED))
    summary = ledger.sum_up(pop_late=0)
    assert summary["lost"] == 1
    assert not is_good(summary)


def test_a_refused_number_is_neither_offered_nor_lost() -> None:
    ledger = _ledger()
    refused = replace(DROPPED, dialled=UNLISTED, answer_ns=None, status=404)
    ledger.calls.append((replace(CALLER, dialled=UNLISTED), refused))
    summary = ledger.sum_up(pop_late=0)
    assert summary["refused"] == 1
    assert summary["offered"] == 43
    assert is_good(summary)


@pytest.mark.parametrize("pop_ns", [6, None], ids=["after the ring", "never"])
def test_a_pop_that_is_not_there_before_the_ring_is_seen(pop_ns: int | None) -> None:
    ledger = _ledger()
    if pop_ns is None:
        del ledger.pops_ns["lab1-0/1"]
    else:
        ledger.pops_ns["lab1-0/1"] = pop_ns
    summary = ledger.sum_up(pop_late=0)
    assert summary["pops_shown_before_ring"] == summary["offers"] - 1
    assert not is_good(summary)


@pytest.mark.parametrize(
    "change",
    [
        {"offered": 39}, {"answered": 24}, {"abandoned": 2}, {"expired": 0}, {"pop_late": 1},
        {"choices": ["1 billing"]}, {"unknown_callers": 0}, {"ambiguous_callers": 0},
    ],
)  # fmt: skip
def test_too_little_is_not_good(change: dict[str, Any]) -> None:
    assert not is_good({**_ledger().sum_up(pop_late=0), **change})
