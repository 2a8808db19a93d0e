"""What Asterisk kept while we were away is imported once, and nothing that a caller left is thrown away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from acd.commands import InteractionClosed, InteractionOpened
from acd.events import FlowEnded, InteractionArrived, InteractionQueued
from acd.model import Outcome
from cti import gaps as gaps_module
from cti.errors import AmiUnavailableError
from cti.failsafe import make_spool
from cti.gaps import GapImport
from cti.settings import Settings
from tests.fakes.link import FakeLink, database_row, node
from tests.fakes.office import Office

START = 1_699_999_000


class Scene:
    def __init__(self, folder: Path) -> None:
        self.office = Office(folder / "journal")
        self.settings = Settings(data_dir=folder)
        make_spool(self.settings.spool_dir)
        self.node, self.link = node()
        self.alive: set[str] = set()
        self.gaps = GapImport(self.office.dispatcher, self.settings, self.alive.__contains__)

    def left(self, name: str, **changes: object) -> Path:
        """The fail-safe script leaves an entry."""
        entry = {
            "version": 1, "id": name, "interaction": name, "caller": "+4930123456", "dialled": "100",
            "started": START, "ended": START + 60, "number": "0301234567", "confirmed": True, "recording": "",
        } | changes  # fmt: skip
        file = self.settings.spool_dir / f"{name}.json"
        file.write_text(json.dumps(entry))
        return file

    def row(self, family: str, uniqueid: str, text: str) -> None:
        """The dialplan leaves a row in Asterisk's database."""
        rows = self.link.lists.setdefault(f"DBGetTree {family}", [])
        rows.append(database_row(f"/{family}/{uniqueid}", text))

    def outcomes(self) -> list[tuple[str, Outcome, str]]:
        facts = self.office.every(InteractionClosed)
        return [(fact.interaction_id, fact.outcome, fact.detail) for fact in facts]

    def deleted(self) -> list[tuple[str, str]]:
        return [(each["Family"], each["Key"]) for each in self.link.named("DBDel")]


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(gaps_module, "LATE_ENTRY_S", 0.01)
    monkeypatch.setattr(gaps_module, "GATHER_S", 0.05)
    made = Scene(tmp_path)
    yield made
    await made.gaps.close()
    made.office.close()


async def test_a_caller_who_came_and_went_is_one_abandoned_interaction_of_their_time(scene: Scene) -> None:
    scene.row("callyard-gap", "lab1-1.9", f"{START}|{START + 5}|100|+4930123456|lab1-1.9|")
    await scene.gaps.import_from(scene.node)
    opened = scene.office.last(InteractionOpened)
    assert (opened.interaction_id, opened.caller, opened.dialled) == ("lab1-1.9", "+4930123456", "100")
    assert (opened.gap, opened.arrived_at) == (True, START * 1_000_000)
    assert scene.outcomes() == [("lab1-1.9", Outcome.ABANDONED_IN_FLOW, "")]
    assert scene.deleted() == [("callyard-gap", "lab1-1.9")]
    assert scene.gaps.imported == 1


async def test_a_number_to_call_back_is_a_message_that_says_it(scene: Scene) -> None:
    file = scene.left("lab1-1.5")
    scene.row("callyard-failsafe", "lab1-1.6", f"{START}|{START + 5}|100|+49891|lab1-1.6|08912345")
    await scene.gaps.import_from(scene.node)
    assert scene.outcomes() == [
        ("lab1-1.5", Outcome.VOICEMAIL, "call back 0301234567"),
        ("lab1-1.6", Outcome.VOICEMAIL, "call back 08912345"),
    ]
    assert not file.exists()


async def test_a_recording_is_named(scene: Scene) -> None:
    scene.left("lab1-1.5", number="", confirmed=False, recording="lab1-1.5.wav")
    await scene.gaps.import_from(scene.node)
    [(_, outcome, detail)] = scene.outcomes()
    assert (outcome, detail) in [(Outcome.VOICEMAIL, "recording lab1-1.5.wav"), (Outcome.ABANDONED_IN_FLOW, "")]


async def test_several_records_of_one_call_are_one_interaction_and_what_was_left_counts(scene: Scene) -> None:
    scene.row("callyard-gap", "lab1-1.5", f"{START}|{START + 60}|100|+4930123456|lab1-1.5|failsafe")
    scene.left("lab1-1.5")
    await scene.gaps.import_from(scene.node)
    assert scene.outcomes() == [("lab1-1.5", Outcome.VOICEMAIL, "call back 0301234567")]
    assert scene.gaps.imported == 1


async def test_a_call_that_the_dialplan_refused_is_refused(scene: Scene) -> None:
    scene.row("callyard-gap", "lab1-1.9", f"{START}|{START}|100|+4930123456|lab1-1.9|overload")
    await scene.gaps.import_from(scene.node)
    assert scene.outcomes() == [("lab1-1.9", Outcome.REFUSED, "overload")]


async def test_a_caller_whom_the_engine_remembers_is_not_opened_again(scene: Scene) -> None:
    scene.office.dispatcher.submit(InteractionArrived("lab1-1.5"))
    scene.office.dispatcher.submit(InteractionQueued("lab1-1.5", "billing"))
    scene.left("lab1-1.5")
    await scene.gaps.import_from(scene.node)
    assert len(scene.office.every(InteractionOpened)) == 1
    assert scene.outcomes() == [("lab1-1.5", Outcome.VOICEMAIL, "call back 0301234567")]


async def test_a_caller_who_still_lives_keeps_their_records_until_they_are_gone(scene: Scene) -> None:
    file = scene.left("lab1-1.5")
    scene.row("callyard-gap", "lab1-1.5", f"{START}|{START}|100|+49|lab1-1.5|failsafe")
    scene.alive.add("lab1-1.5")
    await scene.gaps.import_from(scene.node)
    assert (scene.outcomes(), scene.deleted(), file.exists()) == ([], [], True)
    scene.alive.clear()
    await scene.gaps.import_from(scene.node)
    assert [each[1] for each in scene.outcomes()] == [Outcome.VOICEMAIL]
    assert not file.exists()


async def test_messages_are_collected_before_a_record_says_that_nothing_was_left(scene: Scene) -> None:
    async def collect() -> None:
        scene.office.dispatcher.submit(FlowEnded("lab1-1.5", Outcome.VOICEMAIL, "lab1-1.5-1.wav"))

    scene.gaps = GapImport(scene.office.dispatcher, scene.settings, scene.alive.__contains__, collect)
    scene.office.dispatcher.submit(InteractionArrived("lab1-1.5"))
    scene.row("callyard-gap", "lab1-1.5", f"{START}|{START}|100|+49|lab1-1.5|")
    await scene.gaps.import_from(scene.node)
    assert scene.outcomes() == [("lab1-1.5", Outcome.VOICEMAIL, "lab1-1.5-1.wav")]


async def test_a_record_that_comes_twice_changes_nothing(scene: Scene) -> None:
    """The server died between handing over and removing."""
    scene.row("callyard-gap", "lab1-1.9", f"{START}|{START}|100|+49|lab1-1.9|")
    await scene.gaps.import_from(scene.node)
    await scene.gaps.import_from(scene.node)
    assert len(scene.outcomes()) == 1


async def test_calls_are_imported_in_the_order_in_which_they_began(scene: Scene) -> None:
    scene.row("callyard-gap", "lab1-1.2", f"{START + 9}|{START + 9}|1||lab1-1.2|")
    scene.row("callyard-gap", "lab1-1.3", f"{START + 1}|{START + 1}|1||lab1-1.3|")
    scene.left("lab1-1.1", started=START + 5)
    await scene.gaps.import_from(scene.node)
    assert [each[0] for each in scene.outcomes()] == ["lab1-1.3", "lab1-1.1", "lab1-1.2"]


async def test_what_cannot_be_read_stays_and_the_caller_is_closed_all_the_same(scene: Scene) -> None:
    file = scene.left("lab1-1.5")
    scene.office.dispatcher.submit(InteractionArrived("lab1-1.5"))
    scene.link.fault = AmiUnavailableError("down")
    scene.gaps.settle("lab1-1.5", scene.node)
    await _closed(scene)
    assert scene.outcomes() == [("lab1-1.5", Outcome.ABANDONED_IN_FLOW, "")]
    assert file.exists()


async def test_a_caller_out_of_our_hands_is_closed_by_what_they_left(scene: Scene) -> None:
    scene.office.dispatcher.submit(InteractionArrived("lab1-1.5"))
    scene.gaps.settle("lab1-1.5", scene.node)
    scene.left("lab1-1.5")  # the script writes a moment after the hang-up
    await _closed(scene)
    assert scene.outcomes() == [("lab1-1.5", Outcome.VOICEMAIL, "call back 0301234567")]


async def _closed(scene: Scene) -> None:
    closed = asyncio.Event()
    scene.office.dispatcher.watch(
        lambda commands, now: closed.set() if any(isinstance(c, InteractionClosed) for c in commands) else None
    )
    async with asyncio.timeout(5):
        await closed.wait()


async def test_refused_calls_are_gathered(scene: Scene) -> None:
    for _ in range(5):
        scene.gaps.gather(scene.node)
    await scene.link.asked("DBGetTree", 2)
    await scene.gaps.close()
    assert len(scene.link.named("DBGetTree")) == 2, "one import, of both families"
    assert isinstance(scene.link, FakeLink)


async def test_closing_ends_what_waits(scene: Scene) -> None:
    scene.gaps.settle("lab1-1.5", scene.node)
    await scene.gaps.close()
    assert scene.link.actions == []
