"""Whole conversations of one caller against a scripted Asterisk: the flows, and what tests of them ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from acd.commands import InteractionClosed
from acd.model import Outcome, Stage
from cti import arrivals as arrivals_module
from cti import queue_wait as queue_wait_module
from cti.journal import read_segment, segment_paths
from ivr import waiting as waiting_module
from tests.fakes.call import FakeCall
from tests.fakes.reception import Reception

C = "lab1-1.1"

MENU = """
  door:
    - answer
    - menu: Press one or two
      keys: { 1: one, 2: two }
      wait: 20ms
      retries: 1
      invalid: That is no choice
      otherwise: none
  one:
    - say: You chose one
    - hangup
  two:
    - say: You chose two
    - hangup
  none:
    - say: You chose nothing
    - hangup
"""

QUEUE = """
  door:
    - queue: billing
      timed_out: gone
      closed: gone
      then: thanks
  gone:
    - say: Nobody came
    - hangup
  thanks:
    - say: Thank you
    - hangup
"""


@pytest.fixture
def short_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long AMI may lag is a constant of seconds; here it does not lag."""
    monkeypatch.setattr(queue_wait_module, "LEG_LAG_S", 0.05)
    monkeypatch.setattr(waiting_module, "FIRST_S", 0.02)
    monkeypatch.setattr(arrivals_module, "HANGUP_LAG_S", 0.2)


@asynccontextmanager
async def one_call(tmp_path: Path, nodes: str, **options: object) -> AsyncIterator[tuple[Reception, FakeCall]]:
    """A reception with this flow, and one caller in it."""
    mine = {name: options.pop(name) for name in ("prompts_end", "variables", "ends_at") if name in options}
    async with (
        Reception(tmp_path, nodes, **options) as reception,  # type: ignore[arg-type]
        reception.call(**mine) as call,  # type: ignore[arg-type]
    ):
        yield reception, call


def outcome(reception: Reception) -> tuple[Outcome, str]:
    closed = reception.board.office.last(InteractionClosed)
    return closed.outcome, closed.detail


def submitted(reception: Reception, *kinds: type[object]) -> list[object]:
    folder = reception.board.office.journal._folder
    entries = [entry.event for path in segment_paths(folder) for entry in read_segment(path).entries]
    return [event for event in entries if isinstance(event, kinds)]


async def serve(reception: Reception, call: FakeCall, talk: bool = True) -> None:
    """Maria is rung, answers, talks and hangs up; the Dial returns."""
    board = reception.board
    await call.logged("dial /1")
    board.dial(call.id, "m")
    if talk:
        board.bridge("b", "m", call.id)
        assert reception.view() is None or reception.view().stage is Stage.TALKING  # type: ignore[union-attr]
        board.unbridge("b", "m", call.id)
    board.hang_up("m")
