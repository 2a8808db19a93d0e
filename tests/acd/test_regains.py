"""Who gave up and comes back in time gets the old place, once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from acd import regains
from acd.commands import Command, VisitOpened
from acd.events import CallerLeft, ClockReached, ConfigurationChanged, InteractionArrived, InteractionQueued
from acd.model import Configuration, Overflow, OverflowCause
from acd.snapshot import dump, restore
from tests.acd.desk import BILLING, JON, MARIA, SECOND, TECH, Desk, every, only

RULES = replace(BILLING, regain_us=60 * SECOND)
SITE = Configuration((RULES, TECH), (MARIA, JON))


def ask(desk: Desk, interaction_id: str, caller: str, queue: str = "billing") -> Sequence[Command]:
    desk.do(InteractionArrived(interaction_id, caller))
    return desk.do(InteractionQueued(interaction_id, queue))


def given_up(site: Configuration = SITE, caller: str = "+15550100") -> tuple[Desk, int]:
    """Somebody asked and gave up after 30 s; when they had asked."""
    desk = Desk(site)
    ask(desk, "old", caller)
    asked = desk.now
    desk.do(CallerLeft("old"), after=30)
    return desk, asked


def test_who_comes_back_stands_where_they_stood() -> None:
    desk, asked = given_up()
    ask(desk, "other", "+15550199")
    visit = only(VisitOpened, ask(desk, "new", "+15550100"))
    assert (visit.regained, visit.first_asked_at, visit.position) == ("old", asked, 1)


def test_a_number_is_the_same_however_a_trunk_writes_it() -> None:
    desk, asked = given_up(caller="+493012345")
    desk.do(InteractionArrived("new", "03012345", number="+493012345"))
    visit = only(VisitOpened, desk.do(InteractionQueued("new", "billing")))
    assert (visit.regained, visit.first_asked_at) == ("old", asked)


def test_a_place_is_given_once() -> None:
    desk, _ = given_up()
    ask(desk, "new", "+15550100")
    assert only(VisitOpened, ask(desk, "third", "+15550100")).regained == ""


def test_who_gives_up_again_keeps_the_first_place() -> None:
    desk, asked = given_up()
    ask(desk, "new", "+15550100")
    desk.do(CallerLeft("new"))
    visit = only(VisitOpened, ask(desk, "third", "+15550100"))
    assert (visit.regained, visit.first_asked_at) == ("new", asked)


@pytest.mark.parametrize(
    ("caller", "queue", "after"),
    [("+15550100", "billing", 59), ("+15550100", "tech", 1), ("+15550101", "billing", 1)],
)
def test_too_late_elsewhere_or_somebody_else_is_new(caller: str, queue: str, after: int) -> None:
    desk, _ = given_up()
    desk.do(InteractionArrived("new", caller), after=after)
    visit = only(VisitOpened, desk.do(InteractionQueued("new", queue)))
    assert (visit.regained, visit.first_asked_at) == ("", desk.now)


def test_a_withheld_number_is_nobody() -> None:
    desk, _ = given_up(caller="")
    assert only(VisitOpened, ask(desk, "new", "")).regained == ""


def test_without_the_rule_nobody_is_remembered() -> None:
    desk, _ = given_up(Configuration((BILLING, TECH), (MARIA, JON)))
    assert desk.engine.floor.regains == {}


def test_where_overflow_led_counts_as_what_was_asked_for() -> None:
    away = (Overflow(OverflowCause.TIMED_OUT, 10 * SECOND, "tech"),)
    desk = Desk(Configuration((replace(RULES, overflow=away), TECH), (MARIA, JON)))
    ask(desk, "old", "+15550100")
    asked = desk.now
    due = desk.engine.next_due()
    assert due == asked + 10 * SECOND
    desk.do(ClockReached(), after=10)
    assert desk.interaction("old").queue == "tech"
    desk.do(CallerLeft("old"))
    assert only(VisitOpened, ask(desk, "new", "+15550100")).first_asked_at == asked


def test_the_oldest_of_too_many_and_the_expired_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regains, "REMEMBERED", 2)
    desk = Desk(SITE)
    for number in range(3):
        ask(desk, f"i{number}", f"+1555010{number}")
        desk.do(CallerLeft(f"i{number}"))
    assert list(desk.engine.floor.regains["billing"]) == ["+15550101", "+15550102"]
    ask(desk, "late", "+15550108")
    desk.do(CallerLeft("late"), after=70)
    assert list(desk.engine.floor.regains["billing"]) == ["+15550108"]
    assert every(VisitOpened, ask(desk, "new", "+15550108"))[0].regained == "late"
    assert desk.engine.floor.regains == {}


def test_a_place_survives_a_restart_and_goes_with_its_queue() -> None:
    desk, asked = given_up()
    stored = json.loads(json.dumps(dump(desk.engine)))
    again = Desk(engine=restore(stored))
    assert dump(again.engine) == stored
    assert only(VisitOpened, ask(again, "new", "+15550100")).first_asked_at == asked
    desk.do(ConfigurationChanged(Configuration((TECH,), ())))
    desk.do(ConfigurationChanged(SITE))
    assert only(VisitOpened, ask(desk, "new", "+15550100")).regained == ""
