"""Logs: one line per event in one form, telephone numbers masked, also those that libraries log."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest
import structlog

from cti.logs import NUMBER_FIELDS, mask_numbers, set_up_logs
from cti.settings import LogSettings


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is the whole process's: put back what was there."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    noisy = {name: logging.getLogger(name).level for name in ("panoramisk", "uvicorn.access", "alembic", "aiosqlite")}
    configured = structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, was in noisy.items():
        logging.getLogger(name).setLevel(was)
    structlog.configure(**configured)


def lines(settings: LogSettings) -> list[str]:
    """What stands on stderr after a call was logged by us and by a library."""
    with redirect_stderr(io.StringIO()) as stderr:
        set_up_logs(settings)
        log = structlog.get_logger("cti.test")
        with structlog.contextvars.bound_contextvars(interaction_id="lab1-1.1"):
            log.info("arrival.taken", caller="+4930123456", dialled="100", agent_id="maria")
        log.debug("not.shown")
        logging.getLogger("library").warning("from %s", "elsewhere", extra={"number": "+4930123456"})
        logging.getLogger("panoramisk").info("too much")
        try:
            raise ValueError("a fault")
        except ValueError:
            log.exception("it.failed")
    return stderr.getvalue().splitlines()


def test_lines_are_json_with_ids_as_fields_and_numbers_masked() -> None:
    taken, library, failed = [json.loads(line) for line in lines(LogSettings())]
    assert taken["event"] == "arrival.taken"
    assert (taken["interaction_id"], taken["agent_id"], taken["level"]) == ("lab1-1.1", "maria", "info")
    assert (taken["caller"], taken["dialled"]) == ("…56", "100")
    assert taken["timestamp"].endswith("Z")
    assert (library["event"], library["number"], library["logger"]) == ("from elsewhere", "…56", "library")
    assert "ValueError: a fault" in failed["exception"]


def test_text_is_for_people_and_masked_too() -> None:
    text = "\n".join(lines(LogSettings(format="text")))
    assert "arrival.taken" in text
    assert "…56" in text
    assert "30123456" not in text


def test_the_level_is_kept() -> None:
    assert len(lines(LogSettings(level="error"))) == 1


@pytest.mark.parametrize("field", sorted(NUMBER_FIELDS))
def test_every_field_of_a_number_is_masked(field: str) -> None:
    assert mask_numbers(None, "info", {field: "+4930123456"}) == {field: "…56"}
    assert mask_numbers(None, "info", {field: "112"}) == {field: "112"}
    assert mask_numbers(None, "info", {field: ""}) == {field: ""}
