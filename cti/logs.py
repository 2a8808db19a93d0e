"""Structured logs: one line per event, ids as fields. Numbers are masked, digits never logged."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from cti.settings import LogSettings
from ivr.errors import one_line

#: Fields that hold telephone numbers: all but the last two digits are masked.
NUMBER_FIELDS = frozenset({"caller", "dialled", "number", "callback"})

_OF_MANY_LINES = frozenset({"exception", "stack"})


def mask_numbers(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: `+4930123456` → `…56`."""
    for name in NUMBER_FIELDS & event.keys():
        text = str(event[name])
        event[name] = f"…{text[-2:]}" if len(text) > 4 else text
    return event


def keep_on_line(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor for text: nothing that came from outside begins a line of its own or moves the cursor."""
    for name, value in event.items():
        if isinstance(value, str) and name not in _OF_MANY_LINES:
            event[name] = one_line(value)
    return event


def set_up_logs(settings: LogSettings) -> None:
    """Send structlog's and the standard library's logs to stderr in one form."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_numbers,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],  # what is added is masked too
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([] if settings.format == "json" else [keep_on_line]),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    # Libraries that tell of every action at info.
    for noisy in ("panoramisk", "uvicorn.access", "alembic", "aiosqlite"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
