"""What a queue has seen, and what a caller may expect from it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from acd.commands import VisitOpened
from acd.errors import SnapshotError
from acd.events import CallerLeft, ConfigurationChanged, PresenceChosen, TalkEnded, WrapUpEnded
from acd.experience import HALVING_US, Seen
from acd.model import Configuration, Estimator, Presence, QueueRules
from acd.snapshot import dump, restore
from tests.acd.desk import BILLING, JON, MARIA, SECOND, TECH, Desk, only

MINUTE = 60 * SECOND
RULES = replace(BILLING, expected_handling_us=3 * MINUTE, estimator=Estimator.STAFFING)


def told(desk: Desk, interaction_id: str) -> VisitOpened:
    return only(VisitOpened, desk.call(interaction_id))


def busy(rules: QueueRules = RULES) -> Desk:
    """Jon talks to i1, Maria's phone rings for i2."""
    desk = Desk(Configuration((rules, TECH), (MARIA, JON)))
    desk.sign_in("jon", "maria")
    desk.talk("i1")
    desk.call("i2")
    return desk


def test_who_is_served_at_once_waits_for_nothing() -> None:
    desk = Desk(Configuration((RULES, TECH), (MARIA, JON)))
    desk.sign_in("jon")
    visit = told(desk, "i1")
    assert (visit.expected_wait_us, visit.expected_most_us) == (0, 0)
    assert desk.interaction("i1").expected_wait_us == 0


def test_only_those_for_whom_no_phone_rings_are_ahead() -> None:
    desk = busy()
    assert told(desk, "i3").expected_wait_us == 90 * SECOND
    assert told(desk, "i4").expected_wait_us == 180 * SECOND
    desk.do(CallerLeft("i3"))
    assert desk.interaction("i4").expected_wait_us == pytest.approx(90 * SECOND)


def test_where_nobody_works_nothing_is_said() -> None:
    desk = Desk(Configuration((RULES, TECH), (MARIA, JON)))
    desk.do(PresenceChosen("jon", Presence.NOT_READY, "lunch"))
    assert told(desk, "i1").expected_wait_us == 0


def test_what_was_seen_moves_the_mean_away_from_the_configured_one() -> None:
    desk = busy()
    desk.do(TalkEnded("i1", "jon"), after=10 * 60)
    seen = desk.engine.floor.seen["billing"]
    assert seen.handled_us == 10 * MINUTE + 3 * SECOND  # from the offer on
    desk.do(WrapUpEnded("jon", "i1"), after=4)
    assert seen.handled_us == 10 * MINUTE + 7 * SECOND
    assert seen.handling_us(RULES) == (10 * 3 * MINUTE + 10 * MINUTE + 7 * SECOND) / 11


def test_patience_is_all_waiting_by_those_who_gave_up() -> None:
    rules = replace(RULES, expected_patience_us=5 * MINUTE)
    seen = Seen("billing", 0, leavers=15 * 1_024, waited_us=40 * MINUTE)
    assert seen.leave_rate(rules) == pytest.approx((5 + 15) / (5 * 5 * MINUTE + 40 * MINUTE))
    assert seen.leave_rate(RULES) == pytest.approx(15 / (40 * MINUTE))


def test_where_nobody_is_said_to_leave_ten_must_before_it_is_believed() -> None:
    assert Seen("billing", 0, leavers=9 * 1_024, waited_us=MINUTE).leave_rate(RULES) == 0
    assert Seen("billing", 0, leavers=10 * 1_024).leave_rate(RULES) == 0


def test_visits_are_counted_however_they_end() -> None:
    desk = busy()
    desk.call("i3")
    desk.do(CallerLeft("i3"), after=30)
    seen = desk.engine.floor.seen["billing"]
    assert (seen.leavers, seen.waited_us) == (1_024, 1 * SECOND + 30 * SECOND)


def test_what_was_seen_counts_half_after_each_hour() -> None:
    seen = Seen("billing", 10, talks=4_096, handled_us=1_000, leavers=1_024, waited_us=900)
    seen.age(10 * HALVING_US + 5)
    assert seen.talks == 4_096
    seen.age(12 * HALVING_US + 5)
    assert seen == Seen("billing", 12, talks=1_024, handled_us=250, leavers=256, waited_us=225)
    seen.age(900 * HALVING_US)
    assert (seen.talks, seen.handled_us, seen.leavers, seen.waited_us) == (0, 0, 0, 0)


def test_looking_changes_nothing_however_late() -> None:
    desk = busy()
    desk.do(TalkEnded("i1", "jon"), after=600)
    desk.do(WrapUpEnded("jon", "i1"))
    assert desk.interaction("i2").agent_id
    desk.do(PresenceChosen("jon", Presence.NOT_READY, "lunch"), after=3 * 3_600)
    desk.call("i3")
    before = dump(desk.engine)
    assert desk.interaction("i3").expected_wait_us > 0
    assert dump(desk.engine) == before


def test_the_head_of_the_line_is_the_first_for_whom_no_phone_rings() -> None:
    desk = busy(replace(RULES, estimator=Estimator.HEAD_OF_LINE))
    assert told(desk, "i3").expected_wait_us == 0
    assert told(desk, "i4").expected_wait_us == 2 * SECOND


def test_patience_shortens_the_estimate() -> None:
    desk = busy(replace(RULES, estimator=Estimator.PATIENCE, expected_patience_us=MINUTE))
    desk.call("i3")
    assert 90 * SECOND < told(desk, "i4").expected_wait_us < 180 * SECOND


def test_what_was_seen_survives_a_restart_and_goes_with_its_queue() -> None:
    desk = busy()
    desk.do(TalkEnded("i1", "jon"), after=60)
    stored = json.loads(json.dumps(dump(desk.engine)))
    assert dump(restore(stored)) == stored
    desk.do(ConfigurationChanged(Configuration((TECH,), (replace(MARIA, queues=("tech",)),))))
    desk.do(WrapUpEnded("jon", "i1"))
    assert "billing" not in desk.engine.floor.seen


@pytest.mark.parametrize("what", ["seen", "regains"])
def test_what_was_stored_of_no_queue_is_refused(what: str) -> None:
    desk = Desk(Configuration((replace(RULES, regain_us=MINUTE), TECH), (MARIA, JON)))
    desk.call("i1")
    desk.engine.floor.interactions["i1"].caller = "+15550100"
    desk.do(CallerLeft("i1"))
    stored = dump(desk.engine)
    stored[what][0]["queue"] = "nowhere"
    with pytest.raises(SnapshotError) as raised:
        restore(stored)
    assert str(raised.value) == f"snapshot.{what}[0].queue: expected a known queue, got 'nowhere'"
