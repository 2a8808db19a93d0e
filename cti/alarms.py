"""Alarms to people: looks every few seconds at what the rules of `alarms.yaml` watch, and tells who is to know.

What stands is kept in a file, so that a server that is started again and again does not tell it again and again.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import orjson
import structlog

from acd.snapshot import QueueView
from cti.alarm_book import AlarmBook, Notice
from cti.alarm_conditions import LOST_LATELY_S, Seen, conditions
from cti.alarm_messages import Message, Outbox, message_of, send_mail, send_to_program
from cti.errors import CtiError
from cti.metrics import Recorder
from cti.node import Node
from cti.webhooks import Webhooks
from ivr.site import Site

log = structlog.get_logger(__name__)

EVERY_S = 5.0
#: What has to be asked of others is asked every so many looks.
_ASK_EVERY = 6
MOST_SHOWN = 50


class Floor(Protocol):
    """Where callers wait."""

    def now(self) -> int: ...
    def queues(self) -> Sequence[QueueView]: ...


@dataclass(frozen=True, slots=True)
class Sight:
    """Where is looked. `ask_database`: what it says, empty when it answers."""

    dispatcher: Floor
    why_not: Callable[[], tuple[str, ...]]
    nodes: Mapping[str, Node]
    records: Recorder
    ask_database: Callable[[], Awaitable[str]]
    data_dir: Path


@dataclass(frozen=True, slots=True)
class _Asked:
    """What others have answered last."""

    trunks: Mapping[str, str] = field(default_factory=dict)
    clocks_off_s: Mapping[str, float] = field(default_factory=dict)
    database: str = ""
    disk_free_mb: float = float("inf")


class Alarms:
    """`run` it. `site`: whose rules hold now; `secrets_dir`: where files of secrets are looked for."""

    def __init__(
        self, site: Callable[[], Site], sight: Sight, webhooks: Webhooks, secrets_dir: Callable[[], Path]
    ) -> None:
        self._site = site
        self._sight = sight
        self._webhooks = webhooks
        self._secrets_dir = secrets_dir
        self._file = sight.data_dir / "alarms.json"
        self._kept = b""
        self.book = self._read()
        self.outboxes = {"mail": Outbox("mail"), "hook": Outbox("hook")}
        self._looks = 0
        self._asked = _Asked()
        self._lost = sight.records.left_out + sight.records.refused
        self._lost_rows = 0
        self._lost_at = 0

    def shown(self) -> list[dict[str, object]]:
        """Alarms that stand, the oldest first, for `GET /api/health` and `callyard status`."""
        return [
            {"alarm": key, "says": each.says, "since": each.raised_at}
            for key, each in self.book.standing()[:MOST_SHOWN]
        ]

    async def run(self) -> None:
        """Look and tell until cancelled."""
        try:
            while True:
                try:
                    await self.look()
                except Exception:  # whatever cannot be looked at, the next look comes
                    log.exception("alarm.look_failed")
                await asyncio.sleep(EVERY_S)
        finally:
            for outbox in self.outboxes.values():
                await outbox.close()

    async def look(self) -> None:
        """One look at everything, and what follows from it."""
        if self._looks % _ASK_EVERY == 0:
            self._asked = await self._ask()
        self._looks += 1
        seen = self._see()
        for notice in self.book.see(conditions(self._site().alarms, seen), seen.at):
            log.warning("alarm.noticed", told=notice.told.value, alarm=notice.key, says=notice.says)
            self._tell(notice)
        self._send()
        await self._keep()

    def _see(self) -> Seen:
        sight = self._sight
        now = sight.dispatcher.now()
        lost = sight.records.left_out + sight.records.refused
        if lost > self._lost:
            self._lost_rows += lost - self._lost
            self._lost, self._lost_at = lost, now
        elif now - self._lost_at > LOST_LATELY_S * 1_000_000:
            self._lost_rows = 0
        return Seen(
            at=now,
            queues=sight.dispatcher.queues(),
            why_not=sight.why_not(),
            links={name: node.link.is_up for name, node in sight.nodes.items()},
            trunks=self._asked.trunks,
            clocks_off_s=self._asked.clocks_off_s,
            database=self._asked.database,
            lost_rows=self._lost_rows,
            disk_free_mb=self._asked.disk_free_mb,
        )

    # --- what has to be asked ------------------------------------------------------------------------------------

    async def _ask(self) -> _Asked:
        sight = self._sight
        disk = await asyncio.to_thread(shutil.disk_usage, sight.data_dir)
        trunks: dict[str, str] = {}
        clocks: dict[str, float] = {}
        for name, node in sight.nodes.items():
            try:
                for trunk in self._site().trunks:
                    trunks[trunk] = trunks.get(trunk, "") or await node.trunk_trouble(trunk)
                clocks[name] = abs(await node.clock_ahead_us(sight.dispatcher.now)) / 1_000_000
            except CtiError:
                continue  # the link is down, which is another alarm
        return _Asked(trunks, clocks, await sight.ask_database(), disk.free / 1024**2)

    # --- telling -------------------------------------------------------------------------------------------------

    def _tell(self, notice: Notice) -> None:
        rules = self._site().alarms
        if rules.mail is not None:
            self.outboxes["mail"].put(notice)
        if rules.hook is not None:
            self.outboxes["hook"].put(notice)

    def _send(self) -> None:
        now_s = self._sight.dispatcher.now() / 1_000_000
        settings = self._site().settings
        for name, outbox in self.outboxes.items():
            if outbox.is_due(now_s):
                message = message_of(outbox.pending.values(), settings.name, ZoneInfo(settings.time_zone))
                outbox.begin(message, self._by_mail if name == "mail" else self._by_hook, now_s)

    async def _by_mail(self, message: Message) -> None:
        mail = self._site().alarms.mail
        if mail is not None:  # else it has been taken out meanwhile
            await send_mail(mail, message, self._secrets_dir())

    async def _by_hook(self, message: Message) -> None:
        hook = self._site().alarms.hook
        if hook is not None:
            endpoint = self._site().webhooks.get(hook.webhook)
            await send_to_program(self._webhooks, endpoint, hook, message, f"alarm/{self._sight.dispatcher.now()}")

    # --- kept over a restart -------------------------------------------------------------------------------------

    def _read(self) -> AlarmBook:
        try:
            kept = orjson.loads(self._file.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            kept = None
        return AlarmBook.restored(kept, self._sight.dispatcher.now())

    async def _keep(self) -> None:
        text = orjson.dumps(self.book.dump())
        if text == self._kept:
            return
        try:
            await asyncio.to_thread(_write, self._file, text)
            self._kept = text
        except OSError as error:
            log.warning("alarm.not_kept", error=str(error))


def _write(file: Path, text: bytes) -> None:
    new = file.with_suffix(".new")
    new.write_bytes(text)
    new.replace(file)
