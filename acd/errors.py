"""What can be wrong with the engine's inputs beyond normal life."""

from __future__ import annotations


class AcdError(Exception):
    """Base of every error of `acd`."""

    code = "acd_error"


class ConfigurationError(AcdError):
    """The configuration contradicts itself (doubled ids, an agent in an unknown queue, a level out of 1–10)."""

    code = "acd_configuration"


class SnapshotError(AcdError):
    """A stored engine state cannot be read back."""

    code = "acd_snapshot"


class TimeOrderError(AcdError):
    """`now` went backwards; the driver's clock must never run back."""

    code = "acd_time_order"
