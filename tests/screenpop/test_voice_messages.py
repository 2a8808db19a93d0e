"""Messages on a desktop and over REST: accepting, putting down, listening in parts, and who may."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from acd.events import (
    ConfigurationChanged,
    FlowEnded,
    InteractionArrived,
    InteractionQueued,
    PhoneChanged,
    PresenceChosen,
)
from acd.model import Configuration, Outcome, Phone, Presence, QueueRules
from screenpop.db.store import Store
from screenpop.db.tables import audit
from tests.screenpop.office import QUEUES, SETTINGS, Desktop, Office, office

CALL, MESSAGE = "lab1-17.1", "lab1-17.1-1"
SOUND = b"RIFF" + bytes(40) + bytes(range(256)) * 125  # two seconds


@pytest.fixture
async def opened(store: Store, tmp_path: Path) -> AsyncIterator[Office]:
    for folder in ("messages", "recordings"):
        (tmp_path / folder).mkdir()
    folders = {f"{name}_dir": tmp_path / name for name in ("messages", "recordings")}
    async with office(store, SETTINGS.model_copy(update=folders)) as running:
        profiles = tuple(
            replace(each, queues=(*each.queues, "messages"), capacity=(("voice", 1), ("message", 1)))
            for each in await running.people.profiles()
        )
        queues = (*QUEUES, QueueRules("messages", "Messages", medium="message", wrap_up_us=10_000_000))
        running.desk.submit(ConfigurationChanged(Configuration(queues, profiles)))
        yield running


def left(opened: Office, folder: Path) -> None:
    (folder / "messages" / f"{MESSAGE}.wav").write_bytes(SOUND)
    opened.desk.submit(InteractionArrived(CALL, "030901820", "+49301234567", "main"))
    opened.desk.submit(FlowEnded(CALL, Outcome.VOICEMAIL, f"{MESSAGE}.wav"))
    opened.desk.submit(InteractionArrived(MESSAGE, "030901820", "+49301234567", "main", "message"))
    opened.desk.submit(InteractionQueued(MESSAGE, "messages"))


async def in_hand(desktop: Desktop, stage: str | None) -> None:
    """Wait until the desktop is told so; that the customer was found comes in between."""
    while ((await desktop.until("work"))["work"] or {}).get("stage") != stage:
        pass


async def test_it_is_offered_accepted_put_down_and_wrapped_up_on_the_desktop(opened: Office, tmp_path: Path) -> None:
    desktop = await opened.sit_down("maria")
    opened.desk.submit(PhoneChanged("maria", Phone.FREE))
    opened.desk.submit(PresenceChosen("maria", Presence.READY))
    left(opened, tmp_path)
    offer = await desktop.until("offer")
    assert (offer["work"]["medium"], offer["work"]["interaction_id"]) == ("message", MESSAGE)
    await desktop.send("done", interaction_id=MESSAGE, id="early")
    assert (await desktop.until("error", reply_to="early"))["code"] == "not_yours"
    client = await opened.client("maria")
    assert (await client.get(f"/api/messages/{MESSAGE}.wav")).status_code == 403, "not before it is accepted"

    await desktop.send("accept", offer_id=f"{MESSAGE}/1", id="a")
    await in_hand(desktop, "talking")
    assert (await client.get(f"/api/messages/{MESSAGE}.wav")).content == SOUND
    await desktop.send("done", interaction_id=MESSAGE, id="d")
    await in_hand(desktop, "wrap_up")
    await desktop.send("finish", interaction_id=MESSAGE, disposition="solved", note="", id="f")
    await in_hand(desktop, None)
    await opened.records.flush()
    closed = (await client.get(f"/api/interactions/{MESSAGE}")).json()
    assert (closed["medium"], closed["outcome"], closed["agent_id"]) == ("message", "served", "maria")
    assert closed["talks"][0]["disposition"] == "solved"
    assert (await client.get(f"/api/messages/{MESSAGE}.wav")).status_code == 200, "who held it may listen again"
    other = await opened.client("jonas")
    assert (await other.get(f"/api/messages/{MESSAGE}.wav")).json()["code"] == "forbidden"


async def test_a_call_is_neither_accepted_nor_ended_on_the_desktop(opened: Office) -> None:
    desktop = await opened.sit_down("maria")
    opened.desk.submit(PhoneChanged("maria", Phone.FREE))
    opened.desk.submit(PresenceChosen("maria", Presence.READY))
    opened.desk.submit(InteractionArrived("i1", "030901820", "+49301234567", "main"))
    opened.desk.submit(InteractionQueued("i1", "billing"))
    await desktop.until("offer")
    await desktop.send("accept", offer_id="i1/1", id="a")
    refused = await desktop.until("error", reply_to="a")
    assert (refused["code"], refused["message"]) == (
        "invalid_request", "a call is taken and ended by the phone; expected something else than a call",
    )  # fmt: skip


async def test_a_supervisor_lists_them_and_listens_in_parts_and_it_is_kept_who_did(
    opened: Office, tmp_path: Path, store: Store
) -> None:
    left(opened, tmp_path)
    plain = tmp_path / "messages" / "lab1-9.9-1.wav"
    plain.write_bytes(SOUND[:44])
    os.utime(plain, (1, 1))
    (tmp_path / "messages" / "notes.txt").write_text("no sound")
    await opened.records.flush()
    client = await opened.client("susi")
    first, second = (await client.get("/api/messages")).json()
    assert (first["file"], first["seconds"], first["call_id"]) == (f"{MESSAGE}.wav", 2.0, CALL)
    assert (first["interaction_id"], first["queue"], first["outcome"]) == (MESSAGE, "messages", "")
    assert first["caller"] == "030901820"
    assert (second["file"], second["call_id"], second["interaction_id"], second["left_at"]) == (
        plain.name, "", "", 1_000_000,
    )  # fmt: skip
    assert len((await client.get("/api/messages?limit=1")).json()) == 1

    part = await client.get(f"/api/messages/{MESSAGE}.wav", headers={"Range": "bytes=44-99"})
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, SOUND[44:100], "audio/wav")
    assert part.headers["content-range"] == f"bytes 44-99/{len(SOUND)}"
    await client.get(f"/api/messages/{MESSAGE}.wav", headers={"Range": "bytes=0-"})
    async with store.read() as connection:
        kept = (await connection.execute(select(audit.c.actor, audit.c.action, audit.c.subject))).all()
    assert [tuple(row) for row in kept if row.action.endswith("heard")] == [("susi", "message.heard", f"{MESSAGE}.wav")]


@pytest.mark.parametrize("file", ["gone.wav", "..%2Fcallyard.db", "%2e%2e%2fsecret.wav", "notes.txt", ".wav"])
async def test_nothing_else_of_the_disk_is_to_be_had(opened: Office, tmp_path: Path, file: str) -> None:
    (tmp_path / "secret.wav").write_bytes(SOUND)
    client = await opened.client("susi")
    assert (await client.get(f"/api/messages/{file}")).status_code == 404
    assert (await client.get(f"/api/recordings/{file}")).status_code == 404


async def test_recordings_are_for_supervisors(opened: Office, tmp_path: Path) -> None:
    (tmp_path / "recordings" / "c-1.wav").write_bytes(SOUND)
    assert (await (await opened.client("susi")).get("/api/recordings/c-1.wav")).content == SOUND
    agent = await opened.client("maria")
    assert (await agent.get("/api/recordings/c-1.wav")).status_code == 403
    assert (await agent.get("/api/messages")).status_code == 403


async def test_who_left_a_message_is_found_again_after_a_restart(opened: Office, tmp_path: Path) -> None:
    desktop = await opened.sit_down("maria")
    opened.desk.submit(PhoneChanged("maria", Phone.FREE))
    opened.desk.submit(PresenceChosen("maria", Presence.READY))
    left(opened, tmp_path)
    offer = await desktop.until("offer")
    if offer["work"]["customer"] is None:
        offer = await desktop.until("work")
    assert offer["work"]["customer"]["id"] == "c1"


async def test_the_customer_of_the_call_is_that_of_the_message(opened: Office) -> None:
    await opened.directory.match_caller("i1", "030901820")
    opened.directory.pass_on("i1", "i1-1")
    opened.directory.pass_on("unknown", "i2-1")
    kept = opened.directory.kept("i1-1")
    assert kept is not None
    assert kept.customers[0].id == "c1"
    assert opened.directory.kept("i2-1") is None
