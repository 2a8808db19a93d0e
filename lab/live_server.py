"""The server as `callyard serve` runs it, but flows take the time that stands in a file for now.

`python -m lab.live_server serve`: the file is named by LAB_FLOW_TIME and holds an instant such as
2026-11-23T10:00:00+01:00; it is read whenever a flow asks.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from cti.config import load_settings
from cti.main import serve_until_stopped


def flow_time() -> datetime:
    """What stands in the file."""
    return datetime.fromisoformat(Path(os.environ["LAB_FLOW_TIME"]).read_text()).astimezone(UTC)


if __name__ == "__main__":
    uvloop.run(serve_until_stopped(load_settings(), flow_time=flow_time))
