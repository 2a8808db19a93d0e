"""A walked call hears, types ahead and ends as a real one does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ivr.errors import UnknownPlaceError
from ivr.steps import (
    CallWebhook,
    Cause,
    CustomerFound,
    End,
    Ending,
    Enqueue,
    KeepAnswer,
    LookUpCustomer,
    PlayMusic,
    Promise,
    Prompt,
    ReadDigits,
    RecordCall,
    RecordMessage,
    SendText,
    Transfer,
    WebhookEnded,
)
from ivr.walk import Over, Spot, walk, walk_flow
from tests.ivr.sites import NOON, site_with

STEPS = """
- say: Welcome.
  barge_in: true
- collect: Your number?
  into: account
  digits: 2-3
  retries: 1
  invalid: Two or three digits.
- say: You may go on.
  barge_in: true
- say: This is always heard.
- menu: Press 1.
  keys: { 1: welcome, 2: [hangup] }
  barge_in: false
  retries: 0
"""


class Tape:
    """Presses what it is given, line by line, then hangs up; keeps what was heard."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.heard: list[str] = []
        self.spots: list[Spot] = []

    def hears(self, spot: Spot, prompt: Prompt) -> None:
        self.heard.append(prompt.text)

    def hears_music(self, spot: Spot, wanted: PlayMusic) -> None:
        self.heard.append(f"music {wanted.music}")

    def presses(self, spot: Spot, wanted: ReadDigits) -> str | None:
        self.spots.append(spot)
        return self.lines.pop(0) if self.lines else None

    def finds(self, spot: Spot, wanted: LookUpCustomer) -> CustomerFound:
        return CustomerFound(0)

    def leaves_queue(self, spot: Spot, wanted: Enqueue) -> str | None:
        return None

    def promises(self, spot: Spot, wanted: Promise) -> str | None:
        return None

    def leaves_message(self, spot: Spot, wanted: RecordMessage) -> bool | None:
        return None

    def sees(self, spot: Spot, kept: RecordCall | KeepAnswer) -> None:
        self.heard.append(repr(kept))

    def transfers(self, spot: Spot, wanted: Transfer) -> str | None:
        return None

    def answers(self, spot: Spot, wanted: CallWebhook) -> WebhookEnded | None:
        return None

    def sends(self, spot: Spot, wanted: SendText) -> str | None:
        return None


def heard(folder: Path, *lines: str) -> tuple[Sequence[str], Over]:
    tape = Tape(*lines)
    over = walk(site_with(folder, STEPS), "+498999998100", "", tape, NOON)
    return tape.heard, over


@pytest.mark.parametrize(
    ("lines", "texts"),
    [
        (["12#"], ["Welcome.", "Your number?", "You may go on.", "This is always heard.", "Press 1."]),
        (["123#1"], ["Welcome.", "Your number?", "This is always heard.", "Press 1.", "Welcome.", "Your number?"]),
        (["1", "12"], ["Welcome.", "Your number?", "Two or three digits.", "Your number?", "You may go on."]),
        (["", "12#"], ["Welcome.", "Your number?", "Your number?", "You may go on."]),
        (["1#12#"], ["Welcome.", "Your number?", "You may go on."]),
    ],
)
def test_keys_pressed_ahead_cut_what_may_be_cut_and_answer_what_comes(
    tmp_path: Path, lines: list[str], texts: list[str]
) -> None:
    assert heard(tmp_path, *lines)[0][: len(texts)] == texts


def test_a_caller_who_hangs_up_leaves_the_walk_where_it_is(tmp_path: Path) -> None:
    over = heard(tmp_path)[1]

    assert over == Over(None, Spot("main", "welcome:1", "collect", "en"))
    assert str(over) == "the caller hung up at main welcome:1 (collect)"


def test_a_number_that_is_not_listed_is_refused_before_any_step(tmp_path: Path) -> None:
    over = walk(site_with(tmp_path, STEPS), "+49111", "", Tape(), NOON)

    assert over == Over(End(Ending.REFUSED, Cause.UNALLOCATED, "unlisted number"), None)
    assert str(over) == "refused (unallocated)"


def test_a_flow_can_be_walked_without_a_number_and_in_another_language(tmp_path: Path) -> None:
    site = site_with(
        tmp_path, "- say: { en: Hello, zh: 你好 }\n- if: dialled == '' && caller == '42'\n  then: more", "more: []"
    )
    tape = Tape()

    over = walk_flow(site, "main", "42", tape, NOON, language="zh")

    assert tape.heard == ["你好"]
    assert str(over) == "ended as designed (normal) at main welcome:1 (if)"
    with pytest.raises(UnknownPlaceError, match="there is no flow mian"):
        walk_flow(site, "mian", "", tape, NOON)


def test_a_flow_whose_first_node_is_empty_ends_at_once(tmp_path: Path) -> None:
    site = site_with(tmp_path, "- hangup", flows_yaml="", **{"flows/empty.yaml": "start: a\nnodes: { a: [] }\n"})

    assert str(walk_flow(site, "empty", "", Tape(), NOON)) == "ended as designed (normal)"


def test_music_before_the_answer_is_heard(tmp_path: Path) -> None:
    tape = Tape()

    walk(site_with(tmp_path, "- early: Hold on.\n  music: jazz"), "+498999998100", "", tape, NOON)

    assert tape.heard == ["Hold on.", "music jazz"]
