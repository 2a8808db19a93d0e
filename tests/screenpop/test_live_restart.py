"""What screens know after the server started anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from acd.commands import TalkOpened
from acd.events import CallerLeft, ConfigurationChanged, DesktopChanged, OfferAccepted, TalkEnded
from acd.model import Desktop as DesktopWord
from acd.model import Strategy
from screenpop.auth import Session, Sessions
from screenpop.customers import CustomerDirectory
from screenpop.db.records import Records
from screenpop.db.store import Store
from screenpop.live import Live
from screenpop.model import Person, Role
from screenpop.numbers import NumberPlan
from tests.screenpop.office import QUEUES, SETTINGS, START, Office, office

MARIA_GONE = DesktopChanged("maria", DesktopWord.GONE)


@asynccontextmanager
async def restarted(opened: Office, store: Store, *, settle_s: float = 60) -> AsyncIterator[Live]:
    """A second web side that knows nothing, on the same engine and database."""
    async with CustomerDirectory(store, NumberPlan("DE"), opened.records) as directory:
        live = Live(directory, SETTINGS, settle_s=settle_s)
        async with live.open(opened.desk, Sessions(store, opened.people, opened.desk.now)):
            yield live


class Reader:
    """A socket that keeps what it is sent."""

    def __init__(self) -> None:
        self._got: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(self, frame: str) -> None:
        self._got.put_nowait(json.loads(frame))

    async def until(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while True:
                message = await self._got.get()
                if message["type"] == kind:
                    return message


def join(live: Live, username: str) -> Reader:
    reader = Reader()
    person = Person(username=username, name=username.title(), roles=(Role.AGENT,), queues=("billing",))
    live.join(Session("s", person, 2**62), reader.send)
    return reader


async def test_desktops_that_do_not_come_back_are_gone(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        # As a restart finds it: the engine remembers two desktops, nobody is connected.
        for agent_id in ("maria", "jonas"):
            opened.desk.submit(DesktopChanged(agent_id, DesktopWord.THERE))
        async with restarted(opened, sqlite_store, settle_s=0) as live:
            join(live, "jonas")
            await opened.desk.until(MARIA_GONE)
        assert DesktopChanged("jonas", DesktopWord.GONE) not in opened.desk.events


async def test_a_talk_in_progress_is_taken_up(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.sit_down("maria")
        await opened.make_ready("maria", desktop)
        await opened.call("i1", "+4930901820", choice="billing")
        opened.desk.submit(OfferAccepted("i1/1"))
        await opened.records.flush()
        async with restarted(opened, sqlite_store) as live:
            reader = join(live, "maria")
            work = (await reader.until("snapshot"))["work"]
            assert (work["stage"], work["offer_id"], work["attributes"]) == ("talking", "i1/1", {"choice": "billing"})
            assert work["match"] == "unavailable"
            found = (await reader.until("work"))["work"]
            assert (found["match"], found["customer"]["id"]) == ("one", "c1")


async def test_a_wrap_up_whose_call_is_over_is_taken_up(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.sit_down("maria")
        await opened.make_ready("maria", desktop)
        await opened.call("i1", "+4930901820", choice="billing")
        opened.desk.submit(OfferAccepted("i1/1"))
        opened.desk.submit(TalkEnded("i1", "maria"))
        opened.desk.submit(CallerLeft("i1"))
        before = opened.live.work_of("maria")
        assert before is not None
        await opened.records.flush()
        async with restarted(opened, sqlite_store) as live:
            reader = join(live, "maria")
            assert (await reader.until("snapshot"))["work"] is None
            await reader.until("work")
            taken_up = live.work_of("maria")
    assert taken_up is not None
    assert taken_up.model_copy(update={"reason": before.reason}) == before


async def test_what_is_published_before_anybody_listens_does_no_harm(sqlite_store: Store) -> None:
    async with (
        Records(sqlite_store) as records,
        CustomerDirectory(sqlite_store, NumberPlan("DE"), records) as directory,
    ):
        live = Live(directory, SETTINGS)
        live.publish([TalkOpened("i1/1", "i1", "maria", "billing", START)], START)
        assert live.work_of("maria") is None
        assert not live.is_there("maria")


async def test_each_of_those_who_ring_together_has_their_own_offer_back(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        queues = (replace(QUEUES[0], strategy=Strategy.RING_ALL), QUEUES[1])
        opened.desk.submit(ConfigurationChanged(replace(opened.desk.engine.configuration, queues=queues)))
        for agent_id in ("maria", "jonas"):
            await opened.make_ready(agent_id, await opened.sit_down(agent_id))
        await opened.call("i1", "+4930901820")
        assert [offer.agent_id for offer in opened.desk.offers] == ["maria", "jonas"]
        await opened.records.flush()
        async with restarted(opened, sqlite_store) as live:
            for agent_id, offer_id in (("maria", "i1/1"), ("jonas", "i1/2")):
                work = (await join(live, agent_id).until("snapshot"))["work"]
                assert (work["stage"], work["offer_id"]) == ("offered", offer_id)
                assert ["agent_id", agent_id] in work["reason"]["key"]
