"""What differs between two versions of the site's files, for people to read: file by file, and flow by flow as the
text of its graph (`ivr.graph`), where only what calls notice shows."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from ivr.graph import as_text
from ivr.site import Site

_CONTEXT = 3
_MOST_LINES = 5_000


@dataclass(frozen=True, slots=True)
class FlowDifference:
    """A flow whose graph differs. `what`: `added`, `removed` or `changed`; `diff` as `diff -u` tells it."""

    flow: str
    what: str
    diff: str


def flow_differences(old: Site, new: Site) -> Sequence[FlowDifference]:
    """The flows that differ, by name; a flow that reads otherwise but does the same is not among them."""
    found = []
    for flow in sorted({*old.flows, *new.flows}):
        before = _lines(old, flow)
        after = _lines(new, flow)
        if before == after:
            continue
        what = "added" if not before else "removed" if not after else "changed"
        names = f"a/{flow}", f"b/{flow}"
        lines = list(difflib.unified_diff(before, after, *names, n=_CONTEXT, lineterm=""))
        if len(lines) > _MOST_LINES:
            lines = [*lines[:_MOST_LINES], f"… {len(lines) - _MOST_LINES} more lines"]
        found.append(FlowDifference(flow, what, "\n".join(lines)))
    return found


def _lines(site: Site, flow: str) -> list[str]:
    return as_text(site, flow).splitlines() if flow in site.flows else []
