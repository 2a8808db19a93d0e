"""Tiles and totals: told when they change, never twice, without a gap."""

from __future__ import annotations

from acd.commands import AgentChanged, AgentIntervalClosed, QueueChanged
from acd.events import CallerLeft, PhoneChanged, PresenceChosen
from acd.model import Phone, Presence
from tests.acd.desk import Desk, every, only


def test_tiles_that_begin_in_one_microsecond_have_ids_of_their_own() -> None:
    desk = Desk()
    start = desk.now
    tiles = [
        only(AgentIntervalClosed, desk.do(PresenceChosen("maria", presence, reason), after=0))
        for presence, reason in (
            (Presence.NOT_READY, "a"),
            (Presence.NOT_READY, "b"),
            (Presence.LOGGED_OUT, ""),
        )
    ]
    assert [tile.interval_id for tile in tiles] == [f"maria@{start}", f"maria@{start}.2", f"maria@{start}.3"]
    later = only(AgentIntervalClosed, desk.do(PresenceChosen("maria", Presence.NOT_READY, "c")))
    assert later.interval_id == f"maria@{start}.4"
    last = only(AgentIntervalClosed, desk.do(PresenceChosen("maria", Presence.LOGGED_OUT)))
    assert last.interval_id == f"maria@{later.to_at}"


def test_a_change_that_alters_no_tile_is_still_shown() -> None:
    desk = Desk()
    answer = desk.do(PhoneChanged("maria", Phone.FREE))
    assert every(AgentIntervalClosed, answer) == []
    assert only(AgentChanged, answer).phone is Phone.FREE


def test_another_interaction_begins_another_tile() -> None:
    desk = Desk()
    desk.sign_in("maria")
    desk.call("i1")
    desk.call("i2")
    answer = desk.do(CallerLeft("i1"))
    assert only(AgentIntervalClosed, answer).state == "reserved"
    shown = only(AgentChanged, answer)
    assert (shown.state, shown.interaction_id, shown.since) == ("reserved", "i2", desk.now)


def test_totals_are_told_once_per_change() -> None:
    desk = Desk()
    totals = only(QueueChanged, desk.call("i1"))
    assert (totals.queue, totals.waiting, totals.oldest_asked_at) == ("billing", 1, desk.now)
    assert every(QueueChanged, desk.do(PhoneChanged("maria", Phone.FREE))) == []
