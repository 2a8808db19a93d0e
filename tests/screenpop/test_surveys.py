"""Recordings and answers in an interaction's detail, and answers counted for supervisors."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from acd.events import (
    ConsentTold,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    PhoneChanged,
    PresenceChosen,
    SurveyAnswered,
    TalkEnded,
)
from acd.model import Phone, Presence
from screenpop.db.store import Store
from tests.screenpop.office import Office, office


@pytest.fixture
async def opened(store: Store) -> AsyncIterator[Office]:
    async with office(store) as running:
        yield running


async def answered(opened: Office, interaction_id: str, value: str) -> None:
    opened.desk.submit(InteractionArrived(interaction_id, "030901820", "+49301234567", "main"))
    opened.desk.submit(SurveyAnswered(interaction_id, "service", "satisfaction", value))
    await opened.records.flush()


async def test_the_detail_holds_consent_and_answers(opened: Office) -> None:
    client = await opened.client("maria")
    await answered(opened, "i1", "4")
    opened.desk.submit(ConsentTold("i1", 1, "yes", "i1-1.wav"))
    opened.desk.submit(ConsentTold("i1", 2, "no"))
    opened.desk.submit(SurveyAnswered("i1", "service", "satisfaction", "2"))
    await opened.records.flush()
    found = (await client.get("/api/interactions/i1")).json()
    assert [(each["question"], each["value"]) for each in found["answers"]] == [("satisfaction", "2")]
    first, second = found["recordings"]
    assert (first["consent"], first["file"], first["ended_at"]) == ("yes", "i1-1.wav", second["started_at"])
    assert (second["consent"], second["file"]) == ("no", "")


async def test_answers_are_counted_by_question_and_queue(opened: Office) -> None:
    client = await opened.client("susi")
    for number, value in enumerate(("1", "5", "5"), start=1):
        await answered(opened, f"i{number}", value)
    [totals] = (await client.get("/api/surveys")).json()
    assert totals == {
        "survey": "service", "question": "satisfaction", "queue": "", "answers": 3, "mean": 3.667,
        "values": {"1": 1, "5": 2},
    }  # fmt: skip
    later = opened.desk.now() + 1
    assert (await client.get(f"/api/surveys?since={later}&until={later + 1}")).json() == []
    assert (await client.get("/api/surveys?since=-1")).status_code == 422


async def test_agents_do_not_read_them(opened: Office) -> None:
    client = await opened.client("maria")
    assert (await client.get("/api/surveys")).json()["code"] == "forbidden"


async def test_answers_belong_to_the_queue_of_the_last_talk(opened: Office) -> None:
    await opened.sit_down("maria")
    opened.desk.submit(PhoneChanged("maria", Phone.FREE))
    opened.desk.submit(PresenceChosen("maria", Presence.READY))
    opened.desk.submit(InteractionArrived("i1", "030901820", "+49301234567", "main"))
    opened.desk.submit(InteractionQueued("i1", "billing"))
    opened.desk.submit(OfferAccepted("i1/1"))
    opened.desk.submit(TalkEnded("i1", "maria"))
    opened.desk.submit(SurveyAnswered("i1", "service", "satisfaction", "5"))
    await opened.records.flush()
    client = await opened.client("susi")
    [totals] = (await client.get("/api/surveys")).json()
    assert (totals["queue"], totals["answers"]) == ("billing", 1)
    [answer] = (await client.get("/api/interactions/i1")).json()["answers"]
    assert (answer["queue"], answer["agent_id"]) == ("billing", "maria")
