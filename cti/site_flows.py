"""The site's flows as screens ask for them (`screenpop.ports.Flows`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from cti.clock import utc
from ivr.graph import Box, graph
from ivr.site import Site

#: As much of a version as people are shown.
_SIGNS = 12


class SiteFlows:
    """`site`: as it is for new calls; `now`: microseconds UTC."""

    def __init__(self, site: Callable[[], Site], now: Callable[[], int]) -> None:
        self._site = site
        self._now = now
        self._drawn: dict[str, Sequence[Box]] = {}
        self._drawn_of = ""

    @property
    def version(self) -> str:
        return self._site().version[:_SIGNS]

    def titles(self) -> Mapping[str, str]:
        return {name: flow.title or "" for name, flow in self._site().flows.items()}

    def size(self, flow: str) -> int:
        return len(self._site().flows[flow].nodes)

    def graph(self, flow: str) -> Sequence[Box]:
        """Drawn once for each version."""
        site = self._site()
        if site.version != self._drawn_of:
            self._drawn, self._drawn_of = {}, site.version
        if flow not in self._drawn:
            self._drawn[flow] = graph(site, flow)
        return self._drawn[flow]

    def today(self) -> int:
        return midnight(self._now(), self._site().settings.time_zone)


def midnight(now: int, time_zone: str) -> int:
    """When the day of `now` began in a zone."""
    here = utc(now).astimezone(ZoneInfo(time_zone))
    began = datetime(here.year, here.month, here.day, tzinfo=here.tzinfo)
    return round(began.timestamp()) * 1_000_000
