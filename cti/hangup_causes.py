"""How calls end, as the telephone network says it."""

from __future__ import annotations

from ivr.steps import Cause

#: A caller of a refused call hears the SIP status of this cause (Q.850).
HANGUP_CAUSES = {
    Cause.NORMAL: 16,
    Cause.BUSY: 17,
    Cause.CLOSED: 31,
    Cause.BLOCKED: 21,
    Cause.UNALLOCATED: 1,
    Cause.CONGESTION: 34,
}
