"""What commands that give orders share: whose name stands on an order, and how a command fails."""

from __future__ import annotations

import getpass
import os
import sys
from typing import NoReturn
from zoneinfo import ZoneInfo

import typer

from ivr.site import Site


def giver() -> str:
    """Who types, as records name them."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        name = str(os.getuid())
    return f"{name} (command)"


def fail(message: str) -> NoReturn:
    """Say what is wrong on standard error, and end with status 1."""
    print(message, file=sys.stderr)
    raise typer.Exit(1)


def zone_of(site: Site) -> ZoneInfo:
    """In which times are typed and told."""
    return ZoneInfo(site.settings.time_zone)
