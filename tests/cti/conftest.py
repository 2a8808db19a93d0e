from __future__ import annotations

from tests.cti.conversations import short_lags

__all__ = ["short_lags"]
