"""Questions to the journal of a running server: answered one at a time, off the loop, and never for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from acd.events import InteractionArrived, InteractionQueued
from acd.why import Why
from cti import inquiry, replay
from cti.inquiry import MOST_WAITING, JournalInquiry
from cti.main import with_store
from cti.replay import Answer, Pause
from screenpop.entries import entry_from_words
from tests.cti.test_main import HELLO, serving, settings_for
from tests.fakes.office import Office
from tests.fakes.site import write_site


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path / "journal")
    made.sign_in("maria")
    made.call("c1")
    yield made
    made.close()


async def test_a_running_journal_answers(office: Office, tmp_path: Path) -> None:
    asked = JournalInquiry(tmp_path / "journal")
    for wanted in ("c1", "c1/1"):
        found = await asked.why(wanted)
        assert isinstance(found, Why)
        assert found.agent_id == "maria"
    office.call("c2")
    found = await asked.why("c2")
    assert found is not None
    assert found.waiting is not None


@pytest.mark.parametrize("wanted", ["c9", "c1/9", "c1/adopted-1", ""])
async def test_what_the_journal_does_not_know_is_none(office: Office, tmp_path: Path, wanted: str) -> None:
    assert await JournalInquiry(tmp_path / "journal").why(wanted) is None
    assert await JournalInquiry(tmp_path / "nowhere").why(wanted) is None


class Slow:
    """A replay that goes on until it is told to give up, and counts how many run at once."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.loop = asyncio.get_running_loop()
        self.started = asyncio.Event()
        self.ended = asyncio.Event()
        self._lock = threading.Lock()

    def __call__(self, place: Path, wanted: str, pause: Pause) -> Answer:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.loop.call_soon_threadsafe(self.started.set)
        try:
            while True:
                pause()
        finally:
            with self._lock:
                self.running -= 1
            self.loop.call_soon_threadsafe(self.ended.set)


async def test_a_question_that_takes_too_long_ends_and_so_does_its_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow()
    monkeypatch.setattr(inquiry, "explain", slow)
    with pytest.raises(TimeoutError):
        await JournalInquiry(tmp_path, limit_s=0.05).why("c1")
    async with asyncio.timeout(5):
        await slow.ended.wait()
    assert slow.running == 0


async def test_one_is_answered_at_a_time_and_too_many_are_turned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow()
    monkeypatch.setattr(inquiry, "explain", slow)
    asked = JournalInquiry(tmp_path)
    asking = [asyncio.create_task(asked.why(f"c{number}")) for number in range(MOST_WAITING + 1)]
    async with asyncio.timeout(5):
        await slow.started.wait()
    with pytest.raises(TimeoutError, match="ask already"):
        await asked.why("one too many")
    assert slow.most == 1
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    async with asyncio.timeout(5):
        await slow.ended.wait()
    monkeypatch.setattr(inquiry, "explain", replay.explain)
    assert await asked.why("c1") is None, "the turn is free again"


async def test_the_server_hands_it_to_its_supervisors(tmp_path: Path) -> None:
    write_site(tmp_path / "site", HELLO)
    settings = settings_for(tmp_path, None)
    async with with_store(settings) as (_, people, _plan):
        await people.add(entry_from_words("susi", "Susi", "supervisor", "", "", ""))
        await people.set_password("susi", "correct horse 1")
    async with serving(settings) as server:
        server.dispatcher.submit(InteractionArrived("lab1-1.1"))
        server.dispatcher.submit(InteractionQueued("lab1-1.1", "billing"))
        address = f"http://127.0.0.1:{server.web_port}"
        async with httpx.AsyncClient(base_url=address, headers={"X-Callyard": "1"}, trust_env=False) as client:
            await client.post("/api/session", json={"username": "susi", "password": "correct horse 1"})
            told = (await client.get("/api/interactions/lab1-1.1/why")).json()["told"]
        assert told[0].startswith("lab1-1.1 waits in queue billing")
        assert told[1].startswith("Routing is paused, nobody is offered anything")
