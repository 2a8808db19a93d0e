"""What a process of this machine takes, as Linux accounts for it: processor time and memory."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def processor_s(pid: int) -> float:
    """Seconds of processor time of all its threads so far, user and system (proc(5), stat)."""
    return _seconds(Path(f"/proc/{pid}/stat"))


def threads_s(pid: int) -> dict[str, float]:
    """The same for each thread that lives: name and number → seconds."""
    return {
        f"{(task / 'comm').read_text().strip()} {task.name}": _seconds(task / "stat")
        for task in sorted(Path(f"/proc/{pid}/task").iterdir())
    }


def _seconds(stat: Path) -> float:
    # The second field is the name in parentheses, which may hold blanks and parentheses.
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS_PER_S


@dataclass(frozen=True, slots=True)
class Memory:
    """Kilobytes: in memory (RSS), and the fair share of what is shared with others (PSS)."""

    rss: int
    pss: int


def memory(pid: int) -> Memory:
    """What the process holds now (proc(5), smaps_rollup)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = {name: int(value) for name, value in re.findall(r"^(Rss|Pss):\s+(\d+) kB", text, re.MULTILINE)}
    return Memory(found["Rss"], found["Pss"])
