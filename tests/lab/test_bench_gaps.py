"""The arithmetic of the bench: which gaps count, and what follows from them."""

from __future__ import annotations

import pytest

from lab.bench_gaps import (
    Round,
    Sighting,
    Summary,
    endpoint_of,
    gaps_of,
    percentile,
    read_messages,
    summary,
    verdict,
)

AGENTS = ("PJSIP/2001", "PJSIP/2002")


class Tape:
    """Events one after another, each with its own stamp; they arrive a millisecond after it."""

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []

    def _add(self, at_ms: float, name: str, **headers: str) -> None:
        at_us = int(at_ms * 1000)
        self.sightings.append(Sighting(name, at_us, (at_us + 1000) * 1000, headers))

    def waits(self, at_ms: float, caller: str) -> None:
        self._add(at_ms, "MusicOnHoldStart", Channel=f"PJSIP/carrier-{caller}", Uniqueid=caller)

    def rings(self, at_ms: float, caller: str, agent: str, leg: str) -> None:
        self._add(at_ms, "DialBegin", Uniqueid=caller, DestChannel=f"PJSIP/{agent}-{leg}", DestUniqueid=leg)

    def dial_ends(self, at_ms: float, caller: str, agent: str, leg: str, status: str = "ANSWER") -> None:
        headers = {"Uniqueid": caller, "DestChannel": f"PJSIP/{agent}-{leg}", "DestUniqueid": leg}
        self._add(at_ms, "DialEnd", DialStatus=status, **headers)

    def agent_hangs_up(self, at_ms: float, agent: str, leg: str) -> None:
        self._add(at_ms, "Hangup", Channel=f"PJSIP/{agent}-{leg}", Uniqueid=leg)

    def caller_hangs_up(self, at_ms: float, caller: str) -> None:
        self._add(at_ms, "Hangup", Channel=f"PJSIP/carrier-{caller}", Uniqueid=caller)

    def talk(self, at_ms: float, caller: str, agent: str, leg: str) -> None:
        self.rings(at_ms, caller, agent, leg)
        self.dial_ends(at_ms + 1, caller, agent, leg)

    def found(self) -> Round:
        return gaps_of(self.sightings, AGENTS)


def stamped(tape: Tape) -> list[tuple[str, float]]:
    return [(gap.agent, gap.stamped_ms) for gap in tape.found().gaps]


def test_a_gap_runs_from_the_agents_hangup_to_the_next_ring_of_the_same_phone() -> None:
    tape = Tape()
    for caller in ("c1", "c2"):
        tape.waits(0, caller)
    tape.talk(10, "c1", "2001", "l1")
    tape.agent_hangs_up(2010, "2001", "l1")
    tape.rings(2013.5, "c2", "2001", "l2")
    found = tape.found()
    assert [(gap.agent, gap.stamped_ms, gap.arrived_ms) for gap in found.gaps] == [("PJSIP/2001", 3.5, 3.5)]
    assert (found.rings, found.unserved) == (2, 0)


def test_the_first_ring_of_an_agent_is_no_gap() -> None:
    tape = Tape()
    tape.waits(0, "c1")
    tape.talk(10, "c1", "2001", "l1")
    assert stamped(tape) == []


def test_a_gap_in_which_nobody_waited_does_not_count() -> None:
    tape = Tape()
    tape.waits(0, "c1")
    tape.talk(10, "c1", "2001", "l1")
    tape.agent_hangs_up(2010, "2001", "l1")
    tape.waits(5000, "c2")
    tape.rings(5001, "c2", "2001", "l2")
    found = tape.found()
    assert (found.gaps, found.unserved) == ((), 0)


def test_of_two_idle_agents_only_as_many_count_as_callers_wait() -> None:
    tape = Tape()
    for caller in ("c1", "c2", "c3"):
        tape.waits(0, caller)
    tape.talk(10, "c1", "2001", "l1")
    tape.talk(11, "c2", "2002", "l2")
    tape.agent_hangs_up(2010, "2001", "l1")
    tape.agent_hangs_up(2011, "2002", "l2")
    tape.rings(2500, "c3", "2001", "l3")
    tape.waits(3000, "c4")
    tape.rings(3001, "c4", "2002", "l4")
    assert stamped(tape) == [("PJSIP/2001", 490.0)]


def test_an_agent_for_whom_somebody_waited_and_who_never_rang_again_is_told() -> None:
    tape = Tape()
    for caller in ("c1", "c2"):
        tape.waits(0, caller)
    tape.talk(10, "c1", "2001", "l1")
    tape.agent_hangs_up(2010, "2001", "l1")
    tape.caller_hangs_up(2020, "c2")
    found = tape.found()
    assert (found.gaps, found.unserved) == ((), 1)


def test_a_caller_whose_ring_came_to_nothing_waits_again() -> None:
    tape = Tape()
    for caller in ("c1", "c2"):
        tape.waits(0, caller)
    tape.talk(10, "c1", "2001", "l1")
    tape.rings(20, "c2", "2002", "l2")
    tape.dial_ends(500, "c2", "2002", "l2", "NOANSWER")
    tape.agent_hangs_up(501, "2002", "l2")
    tape.agent_hangs_up(2010, "2001", "l1")
    tape.rings(2015, "c2", "2001", "l3")
    assert stamped(tape) == [("PJSIP/2001", 5.0)]


def test_a_leg_that_was_not_answered_begins_no_gap() -> None:
    tape = Tape()
    for caller in ("c1", "c2"):
        tape.waits(0, caller)
    tape.rings(10, "c1", "2001", "l1")
    tape.dial_ends(500, "c1", "2001", "l1", "NOANSWER")
    tape.agent_hangs_up(501, "2001", "l1")
    tape.rings(510, "c1", "2001", "l2")
    assert stamped(tape) == []


def test_a_caller_who_gave_up_does_not_wait() -> None:
    tape = Tape()
    for caller in ("c1", "c2"):
        tape.waits(0, caller)
    tape.talk(10, "c1", "2001", "l1")
    tape.caller_hangs_up(1000, "c2")
    tape.agent_hangs_up(2010, "2001", "l1")
    tape.waits(2500, "c3")
    tape.rings(2501, "c3", "2001", "l2")
    assert stamped(tape) == []


def test_music_while_a_phone_rings_or_at_the_agents_side_is_no_waiting() -> None:
    tape = Tape()
    tape.waits(0, "c1")
    tape.rings(10, "c1", "2001", "l1")
    tape.waits(11, "c1")
    tape.sightings.append(
        Sighting("MusicOnHoldStart", 12_000, 0, {"Channel": "PJSIP/2002-l9", "Uniqueid": "l9"}),
    )
    tape.dial_ends(20, "c1", "2001", "l1")
    tape.agent_hangs_up(2010, "2001", "l1")
    tape.rings(2500, "c9", "2001", "l2")
    assert stamped(tape) == []


def test_calls_to_others_are_not_rings_of_agents() -> None:
    tape = Tape()
    tape.rings(10, "c1", "2099", "l1")
    assert tape.found().rings == 0


HANGUP = b"Event: Hangup\r\nTimestamp: 1700000000.123456\r\nChannel: PJSIP/2001-1\r\nUniqueid: l1\r\n\r\n"


def test_an_event_in_two_pieces_arrives_with_its_last_byte() -> None:
    sightings, rest = read_messages([(5, HANGUP[:40]), (9, HANGUP[40:] + b"Event: Dial")])
    assert [(each.name, each.at_us, each.arrived_ns) for each in sightings] == [("Hangup", 1_700_000_000_123_456, 9)]
    assert sightings[0].headers["Channel"] == "PJSIP/2001-1"
    assert rest == b"Event: Dial"


def test_answers_and_other_events_are_left_out() -> None:
    data = b"Response: Success\r\nMessage: ok\r\n\r\nEvent: FullyBooted\r\nStatus: x\r\n\r\n"
    assert read_messages([(1, data)]) == ([], b"")
    assert read_messages([]) == ([], b"")


def test_an_event_without_asterisks_stamp_is_an_error() -> None:
    with pytest.raises(ValueError, match="event Hangup: expected a Timestamp of seconds, came ''"):
        read_messages([(1, b"Event: Hangup\r\nUniqueid: l1\r\n\r\n")])


def test_the_endpoint_of_a_channel() -> None:
    assert endpoint_of("PJSIP/trunk-carrier-0000002a") == "PJSIP/trunk-carrier"


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([7.0], 0.5, 7.0), ([3.0, 1.0, 2.0], 0.5, 2.0), ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0), (list(range(1, 101)), 0.95, 95)],
)
def test_percentiles_are_by_nearest_rank(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.1)])
def test_no_percentile_of_nothing(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="expected values and a share"):
        percentile(values, share)


def test_the_verdict_is_of_medians_and_our_tail() -> None:
    ours, theirs = summary([5.0] * 19 + [80.0]), summary([400.0, 500.0, 600.0])
    assert ours == Summary(20, 5.0, 5.0, 80.0)
    found = verdict(ours, theirs)
    assert (found.ratio, found.share) == (100.0, 0.01)
    assert (found.ratio_holds, found.share_holds) == (True, True)


def test_the_verdict_says_what_does_not_hold() -> None:
    found = verdict(Summary(10, 10.0, 120.0, 130.0), Summary(10, 500.0, 600.0, 700.0))
    assert (found.ratio, found.share) == (50.0, 0.24)
    assert (found.ratio_holds, found.share_holds) == (False, False)
