"""The base of every error of `cti`; each module names its own faults on it."""

from __future__ import annotations


class CtiError(Exception):
    """Base of every error of `cti`. `code` is stable: logs, the API and the documentation use it."""

    code = "cti_error"
