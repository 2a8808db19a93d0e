"""When people are told of an alarm, when again, and when that it is over."""

from __future__ import annotations

import json

from cti.alarm_book import SECOND, AlarmBook, Condition, Notice, Told

START = 1_700_000_000 * SECOND


def condition(holds: bool, says: str = "3 wait", subject: str = "billing") -> Condition:
    return Condition("crowd", subject, holds, says, for_s=60, repeat_s=600)


def told(book: AlarmBook, holds: bool, at_s: float) -> list[Told]:
    return [each.told for each in book.see([condition(holds)], START + round(at_s * SECOND))]


def test_it_is_told_once_it_has_held_for_long_enough_and_once_it_is_over_for_as_long() -> None:
    book = AlarmBook()
    assert told(book, True, 0) == []
    assert told(book, True, 59) == []
    assert book.standing() == []
    assert told(book, True, 60) == [Told.RAISED]
    assert [key for key, _ in book.standing()] == ["crowd:billing"]
    assert told(book, True, 65) == []
    assert told(book, False, 100) == []
    assert told(book, False, 159) == []
    assert told(book, False, 160) == [Told.OVER]
    assert told(book, False, 170) == []
    assert book.standing() == []


def test_while_it_lasts_it_is_told_again_at_intervals() -> None:
    book = AlarmBook()
    found = [(at, each) for at in range(0, 2000, 5) for each in told(book, True, at)]
    assert found == [(60, Told.RAISED), (660, Told.LASTS), (1260, Told.LASTS), (1860, Told.LASTS)]


def test_what_is_over_before_long_is_never_told() -> None:
    book = AlarmBook()
    assert [told(book, at % 50 < 45, at) for at in range(0, 5000, 5)] == [[]] * 1000


def test_a_condition_that_flutters_does_not_flood() -> None:
    """On for 61 s, off for 61 s, for 10 hours: each time long enough to be an alarm, and long enough to be over."""
    book = AlarmBook()
    found = [each for at in range(36_000) for each in told(book, at % 122 < 61, at)]
    assert found.count(Told.RAISED) <= 36_000 / 600 + 1
    assert len(found) <= 2 * (36_000 / 600 + 1)
    raised = 0
    for each in found:  # each that was raised is over before the next
        raised += {Told.RAISED: 1, Told.OVER: -1, Told.LASTS: 0}[each]
        assert raised in (0, 1)


def test_a_rule_that_is_taken_away_ends_its_alarm() -> None:
    book = AlarmBook()
    told(book, True, 0)
    told(book, True, 60)
    assert book.see([], START + 70 * SECOND) == [Notice(Told.OVER, "crowd:billing", "no longer watched", START)]
    assert book.alarms == {}
    told(book, True, 80)
    assert book.see([], START + 90 * SECOND) == [], "nobody had been told"


def test_a_restart_tells_nothing_twice() -> None:
    book = AlarmBook()
    told(book, True, 0)
    told(book, True, 60)
    kept = json.loads(json.dumps(book.dump()))
    after = AlarmBook.restored(kept, START + 80 * SECOND)
    assert [key for key, _ in after.standing()] == ["crowd:billing"]
    assert told(after, True, 81) == []
    assert told(after, True, 660) == [Told.LASTS]
    assert told(after, False, 700) == []
    assert told(after, False, 760) == [Told.OVER]


def test_what_is_kept_and_makes_no_sense_is_left_out() -> None:
    assert AlarmBook.restored(None, START).alarms == {}
    assert AlarmBook.restored({"a": 1, "b": {"raised_at": "x"}}, START).alarms == {}


def test_what_was_over_before_the_restart_is_not_told_at_once_when_it_comes_back() -> None:
    book = AlarmBook()
    for at, holds in ((0, True), (60, True), (61, False), (121, False)):
        told(book, holds, at)
    after = AlarmBook.restored(book.dump(), START + 130 * SECOND)
    assert after.standing() == []
    told(after, True, 140)
    assert told(after, True, 200) == []
    assert told(after, True, 660) == [Told.RAISED]
