"""Which part of the server a stack is in: by the innermost module of it that a part is named for."""

from __future__ import annotations

from collections.abc import Sequence

LOOP = "event loop"
#: The longest name that fits decides. What is not here (the standard library, orjson) counts for who called it.
PARTS = {
    "cti.ami": "AMI: reading and actions",
    "cti.ami_events": "AMI: reading and actions",
    "cti.ami_messages": "AMI: reading and actions",
    "cti.ami_protocol": "AMI: reading and actions",
    "panoramisk": "AMI: reading and actions",
    "cti.node": "AMI: reading and actions",
    "cti.calls": "calls: channels and bridges",
    "cti.exchange": "calls: channels and bridges",
    "cti.fastagi": "AGI",
    "cti.agi_conversation": "AGI",
    "cti.agi_reply": "AGI",
    "cti.ivr_session": "flow and sessions",
    "cti.arrivals": "flow and sessions",
    "cti.offers": "flow and sessions",
    "cti.call_state": "flow and sessions",
    "cti.sounds": "flow and sessions",
    "ivr": "flow and sessions",
    "cti.dispatcher": "engine",
    "acd": "engine",
    "cti.journal": "journal",
    "acd.codec": "journal",
    "screenpop.db": "records and database",
    "screenpop.customers": "records and database",
    "sqlalchemy": "records and database",
    "aiosqlite": "records and database",
    "screenpop": "pops and web",
    "uvicorn": "pops and web",
    "starlette": "pops and web",
    "fastapi": "pops and web",
    "websockets": "pops and web",
    "wsproto": "pops and web",
    "structlog": "logs",
    "cti.logs": "logs",
    "cti.story": "logs",
    "asyncio": LOOP,
    "uvloop": LOOP,
    "cti.cli": LOOP,
    "lab": LOOP,
}
_LOOP_MODULES = frozenset(name for name, part in PARTS.items() if part == LOOP)


def part_of(modules: Sequence[str]) -> str:
    """The part of a stack, whose modules come innermost first; the loop only where nothing else is on it."""
    for module in modules:
        name = _known(module)
        if name is not None and name not in _LOOP_MODULES:
            return PARTS[name]
    return LOOP


def _known(module: str) -> str | None:
    while module:
        if module in PARTS:
            return module
        module = module.rpartition(".")[0]
    return None
