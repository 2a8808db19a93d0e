"""What callers left to be heard, and recordings of calls: lists and the sound itself."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse

from screenpop.auth import Session
from screenpop.db import messages
from screenpop.errors import ForbiddenError, NotFoundError
from screenpop.model import Value
from screenpop.routes.services import Services, SignedIn, WithServices, refuse_agents

router = APIRouter(tags=["messages"])

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}\.wav", re.ASCII)


class VoiceMessage(Value):
    """A file in the folder of messages. `call_id`: who left it; `interaction_id`: the message as agents get it,
    empty where no queue does. `outcome` and `agent_id` are those of the message. Instants are microseconds UTC."""

    file: str
    left_at: int
    seconds: float
    call_id: str
    interaction_id: str
    caller: str
    queue: str
    outcome: str
    agent_id: str
    disposition: str


@router.get("/messages", summary="What callers left, newest first; for supervisors and admins")
async def several(
    session: SignedIn,
    services: WithServices,
    limit: Annotated[int, Query(ge=1, le=messages.MOST_LISTED)] = messages.MOST_LISTED,
) -> list[VoiceMessage]:
    refuse_agents(session)
    folder = services.settings.messages_dir
    files = await asyncio.to_thread(messages.files_in, folder, limit) if folder is not None else []
    async with services.store.read() as connection:
        return [VoiceMessage.model_validate(each) for each in await messages.told(connection, files)]


@router.get(
    "/messages/{file}",
    summary="The sound of one, in parts where asked; for who holds or held it",
    response_class=FileResponse,
)
async def one(file: str, session: SignedIn, services: WithServices, request: Request) -> FileResponse:
    if not (session.person.sees_everything or await _has_held(session, services, file.removesuffix(".wav"))):
        raise ForbiddenError("this message is not yours: expected one that you hold or held")
    return await _sound(services.settings.messages_dir, file, "message", session, services, request)


@router.get(
    "/recordings/{file}",
    summary="The sound of a recorded call; for supervisors and admins",
    response_class=FileResponse,
)
async def recording(file: str, session: SignedIn, services: WithServices, request: Request) -> FileResponse:
    refuse_agents(session)
    return await _sound(services.settings.recordings_dir, file, "recording", session, services, request)


async def _has_held(session: Session, services: Services, interaction_id: str) -> bool:
    """Whether this agent has accepted the message: now, as their desktop shows, or before, as the records say."""
    work = services.live.work_of(session.person.username)
    if work is not None and work.interaction_id == interaction_id and work.stage != "offered":
        return True
    async with services.store.read() as connection:
        return await messages.was_held(connection, interaction_id, session.person.username)


async def _sound(
    folder: Path | None, file: str, what: str, session: Session, services: Services, request: Request
) -> FileResponse:
    path = folder / file if folder is not None and _NAME.fullmatch(file) else None
    if path is None or not await asyncio.to_thread(path.is_file):
        raise NotFoundError(f"{what} {file[:80]!r}: expected one that exists; old ones are removed")
    if request.headers.get("range", "bytes=0-").startswith("bytes=0-"):  # once for each hearing, not for each part
        async with services.store.write() as connection:
            await messages.note_heard(connection, f"{what}.heard", file, session.person.username, services.desk.now())
    return FileResponse(path, media_type="audio/wav", filename=file, content_disposition_type="inline")
