"""Importing what Asterisk kept while nobody of ours was there: callers who came and went, and what they left.

Each record is handed to the engine before it is removed, and carries the interaction's id: a record that comes
twice, because the server died in between, changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from acd.events import CallerLeft, FlowEnded, InteractionArrived
from acd.model import Outcome
from cti.dispatcher import Dispatcher
from cti.errors import CtiError
from cti.failsafe import FAILSAFE_FAMILY, GAP_FAMILY, GapRecord, SpoolEntry, done, parse_row, read_spool
from cti.node import Node
from cti.settings import Settings

log = structlog.get_logger(__name__)

#: What the dialplan notes of a call that it refused because there were too many.
OVERLOAD = "overload"
#: Refused calls are imported together, this long after the first.
GATHER_S = 5.0
#: How long the fail-safe script may still write after its caller has hung up.
LATE_ENTRY_S = 1.0


class GapImport:
    """Imports the spool and the records in Asterisk's database. `is_alive` says whether a caller is still there;
    `collect` hands over the messages that callers were leaving."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        settings: Settings,
        is_alive: Callable[[str], bool],
        collect: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._spool = settings.spool_dir
        self._is_alive = is_alive
        self._collect = collect
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_gathering = False
        self.imported = 0

    def settle(self, interaction_id: str, node: Node) -> None:
        """A caller who was out of our hands is gone: see what they left, then close the interaction."""
        task = asyncio.get_running_loop().create_task(self._settle(interaction_id, node))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, interaction_id: str, node: Node) -> None:
        await asyncio.sleep(LATE_ENTRY_S)
        try:
            await self.import_from(node)
        except CtiError as error:
            log.warning("gaps.unread", node=node.name, error=str(error))
        self._dispatcher.submit(CallerLeft(interaction_id, gap=True))

    def gather(self, node: Node) -> None:
        """The dialplan refused a call by itself: import it, with others that follow, in a moment."""
        if not self._is_gathering:
            self._is_gathering = True
            task = asyncio.get_running_loop().create_task(self._gather(node))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _gather(self, node: Node) -> None:
        await asyncio.sleep(GATHER_S)
        self._is_gathering = False
        try:
            await self.import_from(node)
        except CtiError as error:
            log.warning("gaps.unread", node=node.name, error=str(error))

    async def import_from(self, node: Node) -> None:
        """Import everything that is there. Raises the AMI errors of `Node`; what was not imported stays."""
        async with self._one_at_a_time:
            if self._collect is not None:  # first of all: the records say that these callers left nothing
                await self._collect()
            entries = await asyncio.to_thread(read_spool, self._spool)
            rows = [row for family in (GAP_FAMILY, FAILSAFE_FAMILY) for row in await node.read_family(family)]
            records = {key: record for key, value in rows if (record := parse_row(key, value)) is not None}
            self._hand_over([*(entry.record for entry in entries), *records.values()])
            await self._remove(entries, records, node)

    def _hand_over(self, records: Iterable[GapRecord]) -> None:
        calls: dict[str, list[GapRecord]] = {}
        for record in records:
            if not self._is_alive(record.interaction):
                calls.setdefault(record.interaction, []).append(record)
        for interaction_id in sorted(calls, key=lambda each: (calls[each][0].started_at, each)):
            self._close(interaction_id, calls[interaction_id])

    def _close(self, interaction_id: str, records: list[GapRecord]) -> None:
        first = records[0]
        if self._dispatcher.interaction(interaction_id) is None:
            self._dispatcher.submit(
                InteractionArrived(interaction_id, first.caller, first.dialled, gap=True, arrived_at=first.started_at)
            )
        left = next((detail for record in records if (detail := what_was_left(record))), "")
        if any(record.note == OVERLOAD for record in records):
            self._dispatcher.submit(FlowEnded(interaction_id, Outcome.REFUSED, OVERLOAD))
        elif left:
            self._dispatcher.submit(FlowEnded(interaction_id, Outcome.VOICEMAIL, left))
        else:
            self._dispatcher.submit(CallerLeft(interaction_id, gap=True))
        self.imported += 1
        log.info("gaps.imported", interaction_id=interaction_id, left=left or "nothing")

    async def _remove(self, entries: Iterable[SpoolEntry], records: dict[str, GapRecord], node: Node) -> None:
        for entry in entries:
            if not self._is_alive(entry.record.interaction):
                done(entry)
        for key, record in records.items():
            if not self._is_alive(record.interaction):
                family, _, uniqueid = key.lstrip("/").partition("/")
                await node.delete(family, uniqueid)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def what_was_left(record: GapRecord) -> str:
    """What a caller left with the fail-safe, in words for the record; empty for nothing."""
    if record.callback:
        return f"call back {record.callback}"
    return f"recording {record.recording.name}" if record.recording else ""
