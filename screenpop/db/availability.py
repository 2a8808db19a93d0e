"""Beginning while the database is away: a server that is started again meanwhile waits for it instead of ending."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import structlog
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from screenpop.db.store import Store
from screenpop.errors import DatabaseUnavailableError

log = structlog.get_logger(__name__)

AWAY = (OperationalError, InterfaceError, OSError, TimeoutError)
"""How a database that is locked, stopped or out of reach shows itself; a wrong password looks the same."""

_TELL_EVERY = 10


async def open_when_available(
    work: Callable[[AsyncExitStack], Awaitable[None]], *, waits: bool, stop: asyncio.Event, pause_s: float = 1.0
) -> AsyncExitStack:
    """Do `work`, again and again while the database is away, and return what it opened.

    Each try that fails is closed again. Whoever does not wait, or is stopped meanwhile, gets DatabaseUnavailableError.
    """
    tries = 0
    while True:
        async with AsyncExitStack() as attempt:
            try:
                await work(attempt)
                return attempt.pop_all()
            except AWAY as error:
                why = why_of(error)
                if not waits or stop.is_set():
                    raise DatabaseUnavailableError(f"the database does not answer: {why}") from error
        if tries % _TELL_EVERY == 0:
            log.error("database.awaited", why=why, tried=tries + 1)
        tries += 1
        await _rest(stop, pause_s)


async def _rest(stop: asyncio.Event, pause_s: float) -> None:
    try:
        async with asyncio.timeout(pause_s):
            await stop.wait()
    except TimeoutError:
        return


async def trouble_of(store: Store, limit_s: float = 2.0) -> str:
    """What the database says when it is asked something; empty when it answers in time."""
    try:
        async with asyncio.timeout(limit_s), store.read() as connection:
            await connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        return why_of(error)
    return ""


def why_of(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {cause}"[:300]
