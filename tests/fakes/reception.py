"""Arrivals on a real FastAGI socket and a real site, with a switchboard behind them: a whole call without Asterisk."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from acd.model import Configuration
from acd.snapshot import InteractionView
from cti.arrivals import Arrivals
from cti.fastagi import AgiServer
from cti.messages import Messages
from cti.outbound import Outbound
from cti.ports import Measures, TextMessages
from cti.recordings import Recordings
from cti.session_ports import SessionPorts
from cti.transfers import Reach
from cti.webhooks import Webhooks
from ivr.site import Site
from tests.acd.desk import SITE
from tests.fakes.call import FakeCall
from tests.fakes.directory import FakeDirectory
from tests.fakes.footfall import FakeFootfall
from tests.fakes.site import FakeSounds, small_site
from tests.fakes.switchboard import Switchboard

EPOCH = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Reception:
    """`async with Reception(tmp_path, nodes) as reception`; `nodes` is the flow that callers enter.

    `versions`: published ones, by the name of their folder; without them, calls carry none."""

    def __init__(
        self,
        folder: Path,
        nodes: str,
        *,
        pop_wait_s: float = 5.0,
        renew_every_s: float = 60.0,
        wait_for_world_s: float = 5.0,
        configuration: Configuration = SITE,
        measures: Measures | None = None,
        reach: Reach | None = None,
        recordings: Recordings | None = None,
        text_messages: TextMessages | None = None,
        versions: Mapping[str, Callable[[], Site]] | None = None,
        **files: str,
    ) -> None:
        self.site: Site = small_site(folder / "site", nodes, **files)
        self.board = Switchboard(folder, pop_wait_s=pop_wait_s, configuration=configuration)
        self.dispatcher = self.board.dispatcher
        self.directory = FakeDirectory()
        self.sounds = FakeSounds()
        self.footfall = FakeFootfall()
        self.messages = Messages(folder / "messages")
        self.messages.make()
        self.recordings = recordings or Recordings(folder / "recordings", begun_s=0.05)
        self.recordings.make()
        self.webhooks = Webhooks(lambda: folder, environment={})
        self.story: list[tuple[str, str]] = []
        self.world_known = asyncio.Event()
        self.world_known.set()
        self.in_version: Counter[str] = Counter()

        async def find_version(key: str) -> Site | None:
            return (versions or {})[key]() if key in (versions or {}) else None

        ports = SessionPorts(
            dispatcher=self.dispatcher,
            directory=self.directory,
            sounds=self.sounds,
            story=self,
            dial_string=self.board.exchange.dial_string,
            utc=lambda: EPOCH,
            messages=self.messages,
            recordings=self.recordings,
            outbound=lambda: Outbound("DE"),
            reach=lambda: reach or Reach(),
            webhooks=self.webhooks,
            text_messages=text_messages,
            give=self.board.exchange.calls.give,
            footfall=self.footfall,
            version_of=(lambda site: site.folder.name) if versions else (lambda site: ""),
            dead_man_s=60,
            renew_every_s=renew_every_s,
        )
        self.arrivals = Arrivals(
            lambda: self.site,
            ports,
            self.dispatcher,
            self.board.exchange,
            self.world_known,
            wait_for_world_s=wait_for_world_s,
            measures=measures,
            find_version=find_version,
            in_version=self.in_version,
        )
        self.agi = AgiServer(self.arrivals.take)
        self.port = 0

    def note(self, interaction_id: str, text: str) -> None:
        """The story."""
        self.story.append((interaction_id, text))

    async def __aenter__(self) -> Self:
        self.port = await self.agi.start("127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.agi.stop(0.5)
        self.webhooks.close()
        await self.recordings.close()
        await self.board.close()

    def call(
        self,
        *,
        uniqueid: str = "lab1-1.1",
        number: str = "+4989100",
        caller: str = "+4930123456",
        variables: Mapping[str, str] | None = None,
        prompts_end: bool = False,
        ends_at: str = "",
    ) -> FakeCall:
        """A caller who dials the number."""
        return FakeCall(
            self.board, self.port, uniqueid=uniqueid, number=number, caller=caller, variables=variables,
            prompts_end=prompts_end, ends_at=ends_at,
        )  # fmt: skip

    def view(self, interaction_id: str = "lab1-1.1") -> InteractionView | None:
        return self.dispatcher.interaction(interaction_id)
