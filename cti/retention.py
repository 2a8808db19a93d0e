"""Recordings and messages are kept for so many days, and then removed: once a day, some at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

EVERY_S = 24 * 3600.0
#: Soon after the start, so that a server that is restarted every night removes too.
FIRST_AFTER_S = 60.0
#: At one time; the rest goes the next day, oldest first.
MOST_REMOVED = 20_000
_DAY_S = 24 * 3600


def remove_old(folder: Path, days: int, now_s: float, *, most: int = MOST_REMOVED) -> int:
    """Remove the WAV files of the folder that are older than so many days (0: none is); how many those were."""
    if not days:
        return 0
    until = now_s - days * _DAY_S
    old: list[tuple[float, Path]] = []
    for file in folder.glob("*.wav"):
        try:
            changed = file.stat().st_mtime
        except OSError:
            continue  # somebody else was faster
        if changed < until:
            old.append((changed, file))
    removed = 0
    for _, file in sorted(old)[:most]:
        try:
            file.unlink(missing_ok=True)
            removed += 1
        except OSError as error:
            log.warning("retention.not_removed", file=str(file), error=str(error))
    return removed


async def keep_retention(
    folders: Mapping[Path, int],
    now_s: Callable[[], float],
    *,
    first_after_s: float = FIRST_AFTER_S,
    every_s: float = EVERY_S,
) -> None:
    """Remove what is too old (folder → days), every day, until cancelled."""
    wait_s = first_after_s
    while True:
        await asyncio.sleep(wait_s)
        wait_s = every_s
        for folder, days in folders.items():
            removed = await asyncio.to_thread(remove_old, folder, days, now_s())
            if removed:
                log.info("retention.removed", folder=folder.name, files=removed, days=days)
