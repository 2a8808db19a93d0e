"""Slips: what lies beside a message while it is recorded, and says whose it is and for whom.

Callers end most messages by hanging up. Should no server be there in that moment, the slip is all that the next one
knows of what the flow wanted with the recording. It is written before the recording begins, and removed once the
message is in its queue.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import structlog

from acd.events import Attributes

log = structlog.get_logger(__name__)

_ENDING = ".slip"
_LARGEST = 64 * 1024
#: So many are read at one time; there is one for each caller who is speaking.
_MOST = 2_000


@dataclass(frozen=True, slots=True)
class Slip:
    """The call that leaves the message. `queue`: whose agents get it; empty: supervisors find it."""

    call: str
    caller: str = ""
    dialled: str = ""
    flow: str = ""
    queue: str = ""
    priority: int = 0
    attributes: Attributes = ()


def write(file: Path, slip: Slip) -> None:
    """Lay the slip beside this recording. A call goes on without one."""
    target = file.with_suffix(_ENDING)
    draft = target.with_suffix(".draft")
    try:
        draft.write_bytes(orjson.dumps(asdict(slip)))
        os.replace(draft, target)
    except OSError as error:
        log.error("slip.not_written", file=str(target), error=str(error))


def remove(file: Path) -> None:
    """The message is where it belongs, or there is none."""
    try:
        file.with_suffix(_ENDING).unlink(missing_ok=True)
    except OSError as error:
        log.warning("slip.not_removed", file=str(file), error=str(error))


def read_in(folder: Path) -> Sequence[tuple[Path, Slip]]:
    """The recordings that have slips, with these. What cannot be read is logged and stays where it is."""
    found = []
    for file in sorted(folder.glob(f"*{_ENDING}"))[:_MOST]:
        try:
            found.append((file.with_suffix(".wav"), _read(file)))
        except (OSError, ValueError, TypeError) as error:
            log.error("slip.unread", file=str(file), error=str(error))
    return found


def _read(file: Path) -> Slip:
    if (size := file.stat().st_size) > _LARGEST:
        raise ValueError(f"expected at most {_LARGEST} bytes, came {size}")
    match orjson.loads(file.read_bytes()):
        case {
            "call": str(call),
            "caller": str(caller),
            "dialled": str(dialled),
            "flow": str(flow),
            "queue": str(queue),
            "priority": int(priority),
            "attributes": list(attributes),
        }:
            told = tuple((str(name), str(value)) for name, value in attributes)
            return Slip(call, caller, dialled, flow, queue, priority, told)
        case other:
            raise ValueError(f"expected a call and a queue, came {other!r:.60}")
