"""A running AmiLink with everything it said, in order; stopped at the end whatever the test did."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from cti.ami import AmiEvent, AmiLink, AmiSettings
from tests.fakes.ami import FakeAmi

_LIMIT_S = 10.0


def settings_for(ami: FakeAmi, **changes: Any) -> AmiSettings:
    """Settings that reach the fake, with short pauses and a watchdog that stays out of the way."""
    values: dict[str, Any] = {
        "node": "a",
        "host": "127.0.0.1",
        "port": ami.port,
        "username": ami.username,
        "secret": ami.secret,
        "ping_every_s": 60.0,
        "backoff_min_s": 0.01,
        "backoff_max_s": 0.05,
    }
    return AmiSettings(**(values | changes))


class RunningLink:
    """`said` holds "up", ("down", reason) and events in the order in which they came."""

    def __init__(
        self,
        ami: FakeAmi,
        *,
        on_event: Callable[[AmiEvent], None] | None = None,
        jitter: random.Random | None = None,
        **changes: Any,
    ) -> None:
        self.said: list[Any] = []
        self._on_event = on_event
        self._changed = asyncio.Event()
        self.link = AmiLink(
            settings_for(ami, **changes),
            on_event=self._hear,
            on_up=lambda: self._note("up"),
            on_down=lambda reason: self._note(("down", reason)),
            jitter=jitter,
        )
        self.task: asyncio.Task[None] | None = None

    @property
    def events(self) -> list[AmiEvent]:
        return [one for one in self.said if isinstance(one, AmiEvent)]

    @property
    def downs(self) -> list[str]:
        return [one[1] for one in self.said if isinstance(one, tuple)]

    def named(self, name: str) -> list[AmiEvent]:
        return [event for event in self.events if event.name == name]

    def _note(self, what: object) -> None:
        self.said.append(what)
        self._changed.set()

    def _hear(self, event: AmiEvent) -> None:
        self._note(event)
        if self._on_event is not None:
            self._on_event(event)

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait until `claim` is true; it is looked at whenever the link says something."""
        async with asyncio.timeout(_LIMIT_S):
            while not claim():
                self._changed.clear()
                await self._changed.wait()

    async def up(self, epoch: int = 1) -> None:
        """Wait for the `epoch`-th login."""
        await self.until(lambda: self.said.count("up") >= epoch)

    def start(self) -> None:
        self.task = asyncio.create_task(self.link.run())

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
