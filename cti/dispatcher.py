"""The one owner of the engine: takes events, journals them, lets the engine decide, and hands out what it said.

`submit` is synchronous and runs on the event loop: journal, decide, then facts to records, screens and sessions,
and orders to whoever carries them out. An event that arrives while another is being handed out waits its turn, so
that everybody sees one order. There is no lock, because there is one loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import get_args

import structlog

from acd.codec import Plain
from acd.commands import Command, Fact, OfferClosed, OfferInteraction, Order, WithdrawOffer
from acd.engine import Engine
from acd.events import ClockReached, ConnectionFound, Event, RoutingPaused, TalkEnded
from acd.model import AgentState, Stage
from acd.snapshot import (
    Board,
    InteractionView,
    QueueView,
    board,
    dump,
    head_count,
    interaction_view,
    is_promised,
    queue_view,
    stage_of,
)
from cti.clock import Clock
from cti.journal import Journal, JournalError
from cti.ports import Desktops, Records

log = structlog.get_logger(__name__)

#: A loop that has not turned for this long was stopped (SIGSTOP, a suspended machine): what it believes is old.
STALL_US = 5_000_000
#: So long deadlines wait, at most, for the world to be read after a gap.
MOST_HOLD_US = 10_000_000
_FACTS = get_args(Fact)


def facts_of(commands: Sequence[Command]) -> list[Fact]:
    """What became true, without the orders."""
    return [command for command in commands if isinstance(command, _FACTS)]


@dataclass(slots=True)
class Tally:
    """What has been counted since the start."""

    events: int = 0
    offers: int = 0
    pops_shown: int = 0
    pop_late: int = 0
    stalls: int = 0
    offers_closed: Counter[str] = field(default_factory=Counter)


class Dispatcher:
    """Owns engine and journal. `on_order` carries orders out; `watch` hears facts; `on_stall` reads the world again."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        clock: Clock,
        records: Records,
        desktops: Desktops,
        *,
        bytes_per_segment: int = 8 << 20,
        stall_us: int = STALL_US,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._clock = clock
        self._records = records
        self._desktops = desktops
        self._bytes_per_segment = bytes_per_segment
        self._stall_us = stall_us
        self._waiting: deque[Event] = deque()
        self._busy = False
        self._has_missed = False
        self._held_until = 0
        self._wake = asyncio.Event()
        self._last_turn = clock.now()
        self._offers: dict[str, OfferInteraction] = {}
        self._offers_of: dict[str, dict[str, OfferInteraction]] = {}
        self._watchers: list[Callable[[Sequence[Command], int], None]] = []
        self.on_order: Callable[[Order], None] = lambda order: log.error("dispatcher.order_unheard", order=repr(order))
        self.on_stall: Callable[[], None] = lambda: None
        self.tally = Tally()
        #: The journal could not be written when it was last tried: nothing is decided.
        self.journal_refuses = False

    # --- what others ask -------------------------------------------------------------------------------

    def now(self) -> int:
        return self._clock.now()

    def board(self) -> Board:
        return board(self._engine)

    def interaction(self, interaction_id: str) -> InteractionView | None:
        """The open interaction, or None when there is none of that id."""
        return interaction_view(self._engine, interaction_id)

    def stage(self, interaction_id: str) -> Stage | None:
        """Where the open interaction is, which costs less than to see all of it; None when there is none of that id."""
        return stage_of(self._engine, interaction_id)

    def is_promised(self, interaction_id: str) -> bool:
        """Whether it is to be called back, and not on the line."""
        return is_promised(self._engine, interaction_id)

    def queue(self, queue_id: str) -> QueueView | None:
        """The queue, or None when the rules have none of that id."""
        try:
            return queue_view(self._engine, queue_id)
        except KeyError:
            return None

    def queues(self) -> tuple[QueueView, ...]:
        return tuple(queue_view(self._engine, queue_id) for queue_id in self._engine.floor.queues)

    def head_count(self) -> tuple[Counter[AgentState], Counter[Stage]]:
        """How many agents are in each state, and interactions in each stage."""
        return head_count(self._engine)

    def open_offer(self, interaction_id: str, agent_id: str) -> OfferInteraction | None:
        """The offer by which this agent's phone rings for this interaction, or None."""
        return self._offers_of.get(interaction_id, {}).get(agent_id)

    def open_offers_of(self, interaction_id: str) -> tuple[OfferInteraction, ...]:
        """All phones that ring for this interaction."""
        return tuple(self._offers_of.get(interaction_id, {}).values())

    def offer(self, offer_id: str) -> OfferInteraction | None:
        """The open offer of this id."""
        return self._offers.get(offer_id)

    def is_open(self, offer_id: str) -> bool:
        return offer_id in self._offers

    def open_offers(self) -> tuple[OfferInteraction, ...]:
        return tuple(self._offers.values())

    @property
    def counts(self) -> dict[str, int]:
        return dict(self._engine.counts)

    def watch(self, watcher: Callable[[Sequence[Command], int], None]) -> None:
        """Hear every command, orders too, in order, on the loop; must not wait."""
        self._watchers.append(watcher)

    def restore_offers(self, offers: Sequence[OfferInteraction]) -> None:
        """Offers that were open when the journal ended."""
        for offer in offers:
            self._open(offer)

    def _open(self, offer: OfferInteraction) -> None:
        self._offers[offer.offer_id] = offer
        self._offers_of.setdefault(offer.interaction_id, {})[offer.agent_id] = offer

    def _close(self, fact: OfferClosed) -> None:
        self._offers.pop(fact.offer_id, None)
        beside = self._offers_of.get(fact.interaction_id, {})
        if fact.agent_id in beside and beside[fact.agent_id].offer_id == fact.offer_id:
            del beside[fact.agent_id]
            if not beside:
                del self._offers_of[fact.interaction_id]

    # --- events in -------------------------------------------------------------------------------------

    def submit(self, event: Event) -> None:
        """Journal the event, let the engine decide, hand out the commands. Raises `JournalError` if nothing may be
        acted on because it cannot be written."""
        self._note_stall()
        self._waiting.append(event)
        self._decide_all()

    def recall_talk(self, interaction_id: str, agent_id: str) -> bool:
        """A talk that began and ended while nobody heard: tell it, where the caller still counts as waiting.

        Whether it was told.
        """
        if self.stage(interaction_id) not in (Stage.QUEUED, Stage.OFFERED):
            return False
        self.submit(ConnectionFound(interaction_id, agent_id))
        self.submit(TalkEnded(interaction_id, agent_id, gap=True))
        return True

    def _decide_all(self) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            while self._waiting:
                self._decide(self._waiting.popleft())
        except JournalError:
            # What could not be written has not happened: nobody waits for it, the world is read again instead.
            self._waiting.clear()
            self._has_missed = True
            raise
        finally:
            self._busy = False
        self._wake.set()

    def _note_stall(self) -> None:
        now = self._clock.now()
        stalled, self._last_turn = now - self._last_turn > self._stall_us, now
        if stalled or self._has_missed:
            self._has_missed = False
            # First of all, before any event that has piled up meanwhile is believed: no offers on old knowledge.
            self.tally.stalls += 1
            log.warning("dispatcher.stalled", journal_missed=not stalled)
            self.hold_deadlines()
            self._waiting.appendleft(RoutingPaused("stalled"))
            self.on_stall()

    def _decide(self, event: Event) -> None:
        now = self._clock.now()
        self.journal_refuses = True
        position = self._journal.append(event, now)
        self.journal_refuses = False
        self.tally.events += 1
        commands = self._engine.handle(event, now)
        if commands:
            self._hand_out(position, now, commands)
        if self._journal.bytes_in_segment >= self._bytes_per_segment:
            self._begin_segment(now)

    def _begin_segment(self, now: int) -> None:
        try:
            self._journal.begin_segment(self._engine, now)
        except JournalError as error:
            # Everything stands in the old segment; a longer one is no reason to stop.
            log.error("dispatcher.segment_not_begun", error=str(error))

    def _hand_out(self, position: int, now: int, commands: Sequence[Command]) -> None:
        for command in commands:
            if isinstance(command, OfferInteraction):
                self._open(command)
                self.tally.offers += 1
            elif isinstance(command, OfferClosed):
                self._close(command)
                self.tally.offers_closed[command.outcome] += 1
        facts = facts_of(commands)
        if facts:
            self._records.keep(position, facts)
            self._desktops.publish(facts, now)
        for watcher in self._watchers:
            try:
                watcher(commands, now)
            except Exception:
                # Who looks on must not keep a phone from ringing.
                log.exception("dispatcher.watcher_failed")
        for command in commands:
            if isinstance(command, OfferInteraction | WithdrawOffer):
                self.on_order(command)

    # --- time ------------------------------------------------------------------------------------------

    def state(self) -> Plain:
        """The engine's whole state now, as plain values (`acd.snapshot`)."""
        return dump(self._engine)

    async def keep_time(self, heartbeat_s: float = 1.0) -> None:
        """Tell the engine when something is due; runs until cancelled."""
        while True:
            try:
                self._note_turn()
                await self._wait_until_due(heartbeat_s)
            except JournalError as error:
                log.error("dispatcher.journal_refuses", error=str(error))
                await asyncio.sleep(heartbeat_s)

    async def _wait_until_due(self, heartbeat_s: float) -> None:
        due = self._next_due()
        wait_s = heartbeat_s if due is None else min(heartbeat_s, max(0.0, (due - self._clock.now()) / 1e6))
        self._wake.clear()
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._note_turn()  # before anything counts as due: this wait may have been a stop
        due = self._next_due()
        if due is not None and due <= self._clock.now():
            self.submit(ClockReached())

    def _next_due(self) -> int | None:
        due = self._engine.next_due()
        return None if due is None else max(due, self._held_until)

    def _note_turn(self) -> None:
        self._note_stall()
        self._decide_all()

    def hold_deadlines(self) -> None:
        """After a gap: what is due now may have happened in time. Deadlines wait until the world has been read, at
        most `MOST_HOLD_US`: a talk that began meanwhile must not be cut as a phone that nobody answered."""
        self._held_until = self._clock.now() + MOST_HOLD_US

    def release_deadlines(self) -> None:
        """The world has been read: what is due is due."""
        self._held_until = 0
        self._wake.set()
