"""The dispatcher: journal, decide, hand out; one order for everybody, and nothing acted on that is not written."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from acd.commands import (
    AgentChanged,
    Command,
    Fact,
    InteractionClosed,
    InteractionOpened,
    OfferClosed,
    OfferInteraction,
    Order,
    WithdrawOffer,
)
from acd.events import (
    CallerLeft,
    Event,
    InteractionArrived,
    OfferAccepted,
    OfferRejected,
    PhoneChanged,
    RoutingPaused,
    TalkEnded,
)
from acd.model import OfferOutcome, Phone
from acd.snapshot import dump
from cti.journal import JournalError, read_segment, segment_paths
from tests.fakes.clock import settle
from tests.fakes.office import Office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path / "journal")
    yield made
    made.close()


def journaled(office: Office) -> list[Event]:
    folder = office.journal._folder
    return [entry.event for path in segment_paths(folder) for entry in read_segment(path).entries]


def test_everybody_hears_the_same_facts_and_orders_come_last(office: Office) -> None:
    steps: list[str] = []
    keep, publish = office.records.keep, office.desktops.publish
    office.records.keep = lambda position, facts: (steps.append("records"), keep(position, facts))[1]  # type: ignore[method-assign, func-returns-value]
    office.desktops.publish = lambda facts, now: (steps.append("desktops"), publish(facts, now))[1]  # type: ignore[method-assign, func-returns-value]
    office.dispatcher.watch(lambda commands, now: steps.append("watcher"))
    office.dispatcher.on_order = lambda order: steps.append("order")
    office.sign_in("maria")
    steps.clear()
    office.call("c1")
    assert steps == ["records", "desktops", "watcher"] * 2 + ["order"]
    facts = [command for command in office.heard if not isinstance(command, Order)]
    assert [fact for _, fact in office.records.kept] == office.desktops.published == facts


def test_facts_are_kept_under_the_position_of_their_entry(office: Office) -> None:
    office.sign_in("maria")
    office.call("c1")
    assert office.journal.position == 5
    opened = [(position, fact.interaction_id) for position, fact in office.records.kept if _is_opening(fact)]  # type: ignore[union-attr]
    assert opened == [(4, "c1")]


def _is_opening(fact: Fact) -> bool:
    return isinstance(fact, InteractionOpened)


def test_what_is_submitted_meanwhile_waits_its_turn(office: Office) -> None:
    """A watcher that answers an offer by rejecting it must not be heard before those who come after it."""
    told: list[str] = []

    def first(commands: Sequence[Command], now: int) -> None:
        for command in commands:
            if isinstance(command, OfferInteraction):
                office.dispatcher.submit(OfferRejected(command.offer_id))
                told.append("first heard the offer")
            if isinstance(command, OfferClosed):
                told.append("first heard its end")

    def second(commands: Sequence[Command], now: int) -> None:
        told.extend(
            f"second heard {'the offer' if isinstance(command, OfferInteraction) else 'its end'}"
            for command in commands
            if isinstance(command, OfferInteraction | OfferClosed)
        )

    office.dispatcher.watch(first)
    office.dispatcher.watch(second)
    office.dispatcher.on_order = lambda order: told.append(type(order).__name__)
    office.sign_in("maria")
    office.call("c1")
    assert told == [
        "first heard the offer",
        "second heard the offer",
        "OfferInteraction",
        "first heard its end",
        "second heard its end",
        "WithdrawOffer",
    ]
    assert isinstance(journaled(office)[-1], OfferRejected)


def test_offers_are_open_from_order_to_end(office: Office) -> None:
    office.sign_in("maria")
    office.call("c1")
    [offer] = office.dispatcher.open_offers()
    assert office.dispatcher.is_open(offer.offer_id)
    assert office.dispatcher.open_offer("c1", "maria") == offer
    assert office.dispatcher.open_offer("c1", "jon") is None
    office.dispatcher.submit(OfferAccepted(offer.offer_id))
    assert not office.dispatcher.is_open(offer.offer_id)
    assert office.last(OfferClosed).outcome is OfferOutcome.ACCEPTED


def test_a_withdrawal_is_ordered(office: Office) -> None:
    office.sign_in("maria")
    office.call("c1")
    office.dispatcher.submit(CallerLeft("c1"))
    assert [type(order) for order in office.orders] == [OfferInteraction, WithdrawOffer]


def test_a_watcher_that_fails_keeps_no_phone_from_ringing(office: Office) -> None:
    def fail(commands: Sequence[Command], now: int) -> None:
        raise BrokenPipeError("nobody reads the story any more")

    office.dispatcher.watch(fail)
    office.sign_in("maria")
    office.call("c1")
    assert [type(order) for order in office.orders] == [OfferInteraction]


# --- a journal that cannot be written -------------------------------------------------------------------------


def break_journal(office: Office) -> int:
    """Every write fails from now on; returns what mends it."""
    reading, writing = os.pipe()
    os.close(reading)
    real, office.journal._fd = office.journal._fd, writing
    return real


def mend_journal(office: Office, real: int) -> None:
    os.close(office.journal._fd)
    office.journal._fd = real


def test_what_cannot_be_written_has_not_happened(office: Office) -> None:
    office.sign_in("maria")
    before, heard, kept = dump(office.engine), len(office.heard), len(office.records.kept)
    real = break_journal(office)
    with pytest.raises(JournalError, match="cannot write the journal"):
        office.dispatcher.submit(InteractionArrived("c1"))
    assert dump(office.engine) == before
    assert (len(office.heard), len(office.records.kept), office.orders) == (heard, kept, [])
    assert office.dispatcher.journal_refuses
    mend_journal(office, real)
    office.dispatcher.submit(InteractionArrived("c2"))
    assert not office.dispatcher.journal_refuses


def test_after_a_failure_the_world_is_read_again_before_anything_is_believed(office: Office) -> None:
    asked: list[str] = []
    office.dispatcher.on_stall = lambda: asked.append("read")
    office.sign_in("maria")
    real = break_journal(office)
    for _ in range(3):
        with pytest.raises(JournalError):
            office.dispatcher.submit(CallerLeft("c9"))
    mend_journal(office, real)
    count = len(journaled(office))
    office.dispatcher.submit(PhoneChanged("maria", Phone.BUSY))
    assert journaled(office)[count:] == [RoutingPaused("stalled"), PhoneChanged("maria", Phone.BUSY)]
    assert asked
    office.dispatcher.submit(PhoneChanged("maria", Phone.FREE))
    assert journaled(office)[count + 2 :] == [PhoneChanged("maria", Phone.FREE)]


def test_a_segment_that_cannot_be_begun_is_no_reason_to_stop(tmp_path: Path) -> None:
    office = Office(tmp_path / "journal", bytes_per_segment=1)
    office.sign_in("maria")
    assert len(segment_paths(tmp_path / "journal")) == 4
    blocked = tmp_path / "journal" / "000005.jsonl"
    blocked.symlink_to(tmp_path / "nowhere" / "file")
    office.call("c1")
    assert len(office.orders) == 1
    blocked.unlink()
    office.dispatcher.submit(CallerLeft("c1"))
    assert read_segment(segment_paths(tmp_path / "journal")[-1]).position == office.journal.position == 6
    office.close()


# --- time -------------------------------------------------------------------------------------------------


async def keeping_time(office: Office) -> asyncio.Task[None]:
    task = asyncio.create_task(office.dispatcher.keep_time(heartbeat_s=0.001))
    await settle()
    return task


async def until(claim: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await claim.wait()


async def test_what_is_due_happens_when_the_clock_reaches_it(office: Office) -> None:
    expired = asyncio.Event()

    def watch(commands: Sequence[Command], now: int) -> None:
        if any(isinstance(command, OfferClosed) for command in commands):
            expired.set()

    office.dispatcher.watch(watch)
    office.dispatcher.on_stall = office.dispatcher.release_deadlines  # the fake clock's jumps count as stops
    office.sign_in("maria")
    office.call("c1")
    [offer] = office.dispatcher.open_offers()
    time = await keeping_time(office)
    while office.clock.now() < offer.expires_at - 1_000_000:
        office.clock.advance(seconds=1)
        await settle()
    assert not expired.is_set()
    office.clock.advance(seconds=1)
    await until(expired)
    closed = office.last(OfferClosed)
    assert (closed.outcome, closed.closed_at) == (OfferOutcome.EXPIRED, offer.expires_at)
    time.cancel()
    await asyncio.gather(time, return_exceptions=True)


async def test_an_event_wakes_who_waits_for_the_clock(office: Office) -> None:
    """Without it a wrap-up that begins now would end a whole heartbeat late."""
    ended = asyncio.Event()
    time = asyncio.create_task(office.dispatcher.keep_time(heartbeat_s=60.0))
    await settle()
    office.sign_in("maria")
    office.call("c1")
    office.dispatcher.submit(OfferAccepted("c1/1"))
    office.dispatcher.submit(TalkEnded("c1", "maria"))  # wrap-up of 10 s begins
    office.dispatcher.watch(lambda commands, now: ended.set() if _ends_wrap_up(commands) else None)
    for _ in range(9):
        office.clock.advance(seconds=1)
        office.dispatcher.submit(PhoneChanged("jon", Phone.FREE))
        await settle()
    assert not ended.is_set()
    office.clock.advance(seconds=1)
    office.dispatcher.submit(PhoneChanged("jon", Phone.FREE))
    await until(ended)
    time.cancel()
    await asyncio.gather(time, return_exceptions=True)


def _ends_wrap_up(commands: Sequence[Command]) -> bool:
    return any(
        isinstance(each, AgentChanged) and (each.agent_id, each.state) == ("maria", "ready") for each in commands
    )


async def test_after_a_stop_nothing_is_due_until_the_world_has_been_read(office: Office) -> None:
    office.sign_in("maria")
    office.call("c1")
    [offer] = office.dispatcher.open_offers()
    time = await keeping_time(office)
    stopped = asyncio.Event()
    office.dispatcher.on_stall = stopped.set
    office.clock.advance(offer.expires_at - office.clock.now())
    office.dispatcher.submit(PhoneChanged("maria", Phone.BUSY))
    await until(stopped)
    await settle()
    assert office.dispatcher.is_open(offer.offer_id), "a phone that may have been answered meanwhile"
    expired = asyncio.Event()
    office.dispatcher.watch(lambda commands, now: expired.set())
    office.dispatcher.release_deadlines()
    await until(expired)
    assert not office.dispatcher.is_open(offer.offer_id)
    time.cancel()
    await asyncio.gather(time, return_exceptions=True)


async def test_time_goes_on_after_a_journal_failure(office: Office) -> None:
    office.dispatcher.on_stall = office.dispatcher.release_deadlines  # as above
    office.sign_in("maria")
    office.call("c1")
    [offer] = office.dispatcher.open_offers()
    expired = asyncio.Event()
    office.dispatcher.watch(lambda commands, now: expired.set())
    time = await keeping_time(office)
    real = break_journal(office)
    while office.clock.now() < offer.expires_at:
        office.clock.advance(seconds=1)
        await settle()
    mend_journal(office, real)
    await until(expired)
    assert not time.done()
    time.cancel()
    await asyncio.gather(time, return_exceptions=True)


def test_a_process_that_was_stopped_pauses_routing_before_it_believes_anything(office: Office) -> None:
    asked: list[str] = []
    office.dispatcher.on_stall = lambda: asked.append("read")
    office.sign_in("maria")
    office.clock.advance(seconds=6)
    office.call("c1")
    pause = journaled(office).index(RoutingPaused("stalled"))
    assert isinstance(journaled(office)[pause + 1], InteractionArrived)
    assert asked == ["read"]
    assert office.orders == [], "nobody is offered a call on old knowledge"
    assert office.dispatcher.tally.stalls == 1


async def test_a_stall_is_noticed_without_any_event(office: Office) -> None:
    asked = asyncio.Event()
    office.dispatcher.on_stall = asked.set
    time = await keeping_time(office)
    office.clock.advance(seconds=6)
    await until(asked)
    time.cancel()
    await asyncio.gather(time, return_exceptions=True)


def test_a_slow_but_turning_loop_is_no_stall(office: Office) -> None:
    for _ in range(10):
        office.clock.advance(seconds=4)
        office.dispatcher.submit(PhoneChanged("maria", Phone.FREE))
    assert office.dispatcher.tally.stalls == 0


def test_restored_offers_are_open(office: Office) -> None:
    office.sign_in("maria")
    office.call("c1")
    [offer] = office.dispatcher.open_offers()
    office.dispatcher.submit(CallerLeft("c1"))
    assert office.dispatcher.open_offers() == ()
    office.dispatcher.restore_offers([offer])
    assert office.dispatcher.open_offer("c1", "maria") == offer
    assert office.last(InteractionClosed).interaction_id == "c1"
