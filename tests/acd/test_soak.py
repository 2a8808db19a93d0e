"""Long walks of the state machine: the same rules and the same judge as `test_properties`, four times as many steps
in a row, until so many events were handled: 10,000 in `make test`, 1,000,000 in `make soak`.
"""

from __future__ import annotations

import os
import sys
import time
from itertools import count

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from acd.events import Event
from tests.acd.test_properties import Floor

EVENTS = int(os.environ.get("CALLYARD_LAB_EVENTS", "10000"))
LIMIT_S = max(300, EVENTS // 50)
WALKS, STEPS = 20, 200


class Walk(Floor):
    """Counts what it does, over all walks."""

    walked = 0

    def do(self, event: Event, step: int = 0) -> None:
        Walk.walked += 1
        super().do(event, step)


@pytest.mark.timeout(LIMIT_S)
def test_so_many_events(capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty walks for each seed, from 1 on, until the events are reached."""
    began, Walk.walked = time.process_time(), 0
    for number in count(1):
        walks = settings(
            max_examples=WALKS,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(seed(number)(Walk), settings=walks)
        if Walk.walked >= EVENTS:
            break
        assert number <= EVENTS, "a seed that walks nowhere"
    taken = time.process_time() - began
    with capsys.disabled():
        sys.stdout.write(f"\n  {Walk.walked:,} events, {number} seeds, {taken:.0f} s of a processor ")
