"""The garbage collector: paused and on again, and set for state that lives long."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from acd.engine import Engine
from acd.model import Configuration
from acd.snapshot import dump
from cti import collector
from cti.journal import Journal, JournalError


@pytest.fixture
def as_before() -> Iterator[None]:
    thresholds, was_on = gc.get_threshold(), gc.isenabled()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    (gc.enable if was_on else gc.disable)()


def test_it_is_on_again_after_a_pause_even_when_the_work_failed(as_before: None) -> None:
    gc.enable()
    seen: list[bool] = []

    def work() -> None:
        with collector.paused():
            seen.append(gc.isenabled())
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        work()
    assert (seen, gc.isenabled()) == ([False], True)


def test_it_stays_off_when_it_was_off(as_before: None) -> None:
    gc.disable()
    with collector.paused():
        pass
    assert not gc.isenabled()


def test_what_is_there_when_the_server_is_ready_is_not_looked_through_again(as_before: None) -> None:
    state = [[number] for number in range(1_000)]
    collector.settle()
    assert gc.get_freeze_count() > len(state)
    assert gc.get_threshold() == collector.THRESHOLDS


def test_a_segment_is_begun_without_collections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_before: None
) -> None:
    gc.enable()
    seen: list[bool] = []

    def watched(engine: Engine) -> object:
        seen.append(gc.isenabled())
        return dump(engine)

    monkeypatch.setattr("cti.journal.dump", watched)
    opened = Journal(tmp_path)
    opened.open()
    opened.begin_segment(Engine(Configuration(), 1), 1)
    opened.close()
    assert (seen, gc.isenabled()) == ([False], True)
    with pytest.raises(JournalError):
        Journal(tmp_path / "away").begin_segment(Engine(Configuration(), 1), 1)
    assert gc.isenabled()
