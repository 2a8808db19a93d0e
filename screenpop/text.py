"""Text from outside, made storable: callers' names, typed digits, notes."""

from __future__ import annotations

import re

#: PostgreSQL stores no NUL, UTF-8 has no lone surrogates; both come from broken telephony equipment.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """`text` with each character that no database takes replaced by U+FFFD; everything else stays as it is."""
    return _UNSTORABLE.sub("�", text)
