"""Reading a site's files within bounds: only files, and no more of them than is looked at."""

from __future__ import annotations

import errno
import stat
from pathlib import Path


def read_file(file: Path, most: int) -> bytes:
    """What a file says; of one that is larger than `most`, one byte more than that. Raises OSError.

    A pipe or a device in a file's place would be waited for, or never end.
    """
    mode = file.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is no file")
    with file.open("rb") as opened:
        return opened.read(most + 1)
