"""Messages that callers left: the files, and what the records know of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from screenpop.db.tables import audit, interaction, queue_visit, talk

MOST_LISTED = 200
_BYTES_PER_S = 16_000
_WAV_HEADER = 44


@dataclass(frozen=True, slots=True)
class Sound:
    """A WAV file as Asterisk writes it: 8 kHz, 16 bit. `left_at`: microseconds UTC."""

    file: str
    left_at: int
    seconds: float


def files_in(folder: Path, limit: int) -> list[Sound]:
    """The newest files of the folder, newest first; none where it cannot be read."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".wav"):
                    facts = entry.stat()
                    length = max(0, facts.st_size - _WAV_HEADER) / _BYTES_PER_S
                    found.append(Sound(entry.name, facts.st_mtime_ns // 1_000, round(length, 1)))
    except OSError:
        return []
    return sorted(found, key=lambda sound: (-sound.left_at, sound.file))[:limit]


async def told(connection: AsyncConnection, files: Sequence[Sound]) -> list[dict[str, Any]]:
    """Each file with its call and, where agents get it, the message's own interaction."""
    stems = [sound.file.removesuffix(".wav") for sound in files]
    calls = [stem.rpartition("-")[0] for stem in stems]
    rows = await connection.execute(select(interaction).where(interaction.c.id.in_([*stems, *calls])))
    known = {row["id"]: row for row in rows.mappings()}
    queues = await connection.execute(
        select(queue_visit.c.interaction_id, queue_visit.c.queue)
        .where(queue_visit.c.interaction_id.in_(stems))
        .order_by(queue_visit.c.entered_at)
    )
    queue_of = {row.interaction_id: row.queue for row in queues}
    talks = await connection.execute(
        select(talk.c.interaction_id, talk.c.agent_id, talk.c.disposition)
        .where(talk.c.interaction_id.in_(stems))
        .order_by(talk.c.started_at)
    )
    talk_of = {row.interaction_id: row for row in talks}
    return [
        _row(sound, stem, call, known.get(call), known.get(stem), queue_of.get(stem), talk_of.get(stem))
        for sound, stem, call in zip(files, stems, calls, strict=True)
    ]


def _row(sound: Sound, stem: str, call_id: str, call: Any, message: Any, queue: Any, held: Any) -> dict[str, Any]:
    return {
        "file": sound.file,
        "left_at": sound.left_at,
        "seconds": sound.seconds,
        "call_id": call_id if call is not None else "",
        "interaction_id": stem if message is not None else "",
        "caller": next((each["caller"] for each in (message, call) if each is not None and each["caller"]), ""),
        "queue": queue or "",
        "outcome": (message["outcome"] or "") if message is not None else "",
        "agent_id": (held.agent_id or "") if held is not None else "",
        "disposition": (held.disposition or "") if held is not None else "",
    }


async def was_held(connection: AsyncConnection, interaction_id: str, agent_id: str) -> bool:
    """Whether this agent has dealt with the message."""
    found = await connection.scalar(
        select(talk.c.id)
        .join(interaction, interaction.c.id == talk.c.interaction_id)
        .where(interaction.c.id == interaction_id, interaction.c.medium == "message", talk.c.agent_id == agent_id)
        .limit(1)
    )
    return found is not None


async def note_heard(connection: AsyncConnection, action: str, file: str, actor: str, at: int) -> None:
    """Keep who has listened to what."""
    await connection.execute(insert(audit).values(at=at, actor=actor, action=action, subject=file, detail={}))
