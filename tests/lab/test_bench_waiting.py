"""The order that the waiting bench sees: who was answered when, who was served when, and who was overtaken."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from lab.bench_gaps import Sighting
from lab.bench_waiting import Asked, Round, asked, deepest_skip_ms, order_of, overtaken, told
from lab.process import Memory

MS = 1_000
DEVICES = ("PJSIP/2001",)


def seen(name: str, at_us: int, **headers: str) -> Sighting:
    return Sighting(name, at_us, at_us * 1000, headers)


def up(at_us: int, caller: str, channel: str = "PJSIP/carrier-1") -> Sighting:
    return seen("Newstate", at_us, ChannelStateDesc="Up", Channel=channel, Uniqueid=caller)


def rung(at_us: int, caller: str, channel: str = "PJSIP/2001-1") -> Sighting:
    return seen("DialBegin", at_us, Uniqueid=caller, DestChannel=channel)


def test_callers_are_ordered_by_answer_and_by_the_first_phone_that_rings_for_them() -> None:
    sightings = [
        seen("Newstate", 1, ChannelStateDesc="Ring", Channel="PJSIP/carrier-1", Uniqueid="a"),
        up(2, "b"), up(3, "a"), up(4, "leg", "PJSIP/2001-1"), rung(5, "b"), rung(6, "a"), rung(7, "b"),
        rung(8, "a", "PJSIP/carrier-2"), seen("DialBegin", 9, DestChannel="PJSIP/2001-2"),
    ]  # fmt: skip
    assert order_of(sightings, DEVICES) == ({"b": 2, "a": 3}, {"b": 5, "a": 6})


def test_who_was_answered_clearly_later_and_served_clearly_sooner_has_overtaken() -> None:
    arrived = {"first": 0, "second": 300 * MS}
    assert overtaken(arrived, {"second": 0, "first": 600 * MS}) == 1
    assert overtaken(arrived, {"first": 0, "second": 600 * MS}) == 0


def test_what_a_slow_machine_does_to_the_order_counts_as_nothing() -> None:
    assert overtaken({"first": 0, "second": 200 * MS}, {"second": 0, "first": 600 * MS}) == 0
    assert overtaken({"first": 0, "second": 300 * MS}, {"second": 0, "first": 400 * MS}) == 0


def test_a_line_that_is_served_from_its_end_is_seen() -> None:
    arrived = {f"c{at}": at * 20 * MS for at in range(100)}
    backwards = {f"c{99 - at}": at * 50 * MS for at in range(100)}
    assert overtaken(arrived, backwards) > 80


def a_round(waiting_kb: int, served: tuple[str, ...] = ("a", "b"), late: int = 0) -> Round:
    before, after = Memory(1_000, 900), Memory(1_010, 905)
    return Round(before, Memory(1_000 + waiting_kb, 900 + waiting_kb), after, ("a", "b"), served, late)


def test_the_verdict_is_of_memory_and_order() -> None:
    assert told([a_round(78), a_round(20)], 2)["bars_hold"] is True
    assert told([a_round(80), a_round(20)], 2)["bars_hold"] is False
    assert told([a_round(20), a_round(20, ("a",))], 2)["bars_hold"] is False
    assert told([a_round(20), a_round(20, late=1)], 2)["bars_hold"] is False
    assert a_round(78, ("b", "a")).in_place == 0
    assert (a_round(78).rss_kb, a_round(78).pss_kb, a_round(78).in_place) == (39.0, 39.0, 2)


def test_the_deepest_skip_is_measured_without_slack() -> None:
    arrived = {"a": 0, "b": 5 * MS, "c": 30 * MS}

    assert deepest_skip_ms(arrived, {"a": 100, "b": 200, "c": 300}) == 0
    assert deepest_skip_ms(arrived, {"c": 100, "a": 200, "b": 300}) == 30


def test_our_records_tell_who_was_offered_out_of_order(tmp_path: Path) -> None:
    file = tmp_path / "callyard.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE queue_visit (interaction_id, first_asked_at)")
        connection.execute("CREATE TABLE offer (interaction_id, offered_at)")
        connection.executemany(
            "INSERT INTO queue_visit VALUES (?, ?)", [("a", 2 * MS), ("b", 9 * MS), ("c", 8 * MS), ("old", 1)]
        )
        connection.executemany(
            "INSERT INTO offer VALUES (?, ?)", [("a", 50), ("a", 90), ("b", 60), ("c", 70), ("old", 1)]
        )
    connection.close()

    assert asked(file, {"a": 0, "b": 5 * MS, "c": 6 * MS}) == Asked(2.0, 4.0, 1)
