"""Recordings and answers to surveys: ids, whose they are, and that nothing is lost or doubled."""

from __future__ import annotations

from acd.commands import RecordingClosed, RecordingOpened, SurveyAnswerKept
from acd.events import (
    CallerLeft,
    ConsentTold,
    InteractionArrived,
    InteractionQueued,
    RecordingEnded,
    SurveyAnswered,
    TalkEnded,
)
from acd.snapshot import dump, restore
from tests.acd.desk import Desk, every, only
from tests.acd.test_callbacks import CALLING_BACK, NUMBER


def arrived() -> Desk:
    desk = Desk()
    desk.do(InteractionArrived("c"))
    return desk


def test_a_recording_runs_until_the_call_ends() -> None:
    desk = arrived()
    opened = only(RecordingOpened, desk.do(ConsentTold("c", 1, "yes", "c-1.wav")))
    assert opened == RecordingOpened("c/1", "c", "yes", "c-1.wav", "", "", "", desk.now)
    assert desk.interaction("c").is_recorded
    closed = only(RecordingClosed, desk.do(CallerLeft("c")))
    assert closed == RecordingClosed("c/1", "c", "", desk.now)


def test_a_recording_that_was_stopped_is_not_ended_twice() -> None:
    desk = arrived()
    desk.do(ConsentTold("c", 1, "notice", "c-1.wav"))
    assert only(RecordingClosed, desk.do(RecordingEnded("c", 1, "not written"))).detail == "not written"
    desk.do(RecordingEnded("c", 1))
    assert every(RecordingClosed, desk.do(CallerLeft("c"))) == []
    assert desk.engine.counts["RecordingEnded:not_running"] == 1


def test_who_says_no_is_not_recorded_and_that_is_kept() -> None:
    desk = arrived()
    opened = only(RecordingOpened, desk.do(ConsentTold("c", 1, "no")))
    assert (opened.consent, opened.file) == ("no", "")
    assert not desk.interaction("c").is_recorded
    assert desk.interaction("c").recordings == 1


def test_the_next_recording_ends_the_one_before_and_one_told_twice_is_one() -> None:
    desk = arrived()
    desk.do(ConsentTold("c", 1, "yes", "c-1.wav"))
    assert desk.do(ConsentTold("c", 1, "yes", "c-1.wav")) == ()
    answer = desk.do(ConsentTold("c", 2, "yes", "c-2.wav"))
    assert [type(each) for each in answer] == [RecordingClosed, RecordingOpened]
    assert desk.engine.counts["ConsentTold:doubled"] == 1


def test_answers_belong_to_who_served_last_and_later_ones_replace() -> None:
    desk = Desk()
    desk.sign_in("maria")
    agent = desk.talk("c", "tech")
    desk.do(TalkEnded("c", agent))
    kept = only(SurveyAnswerKept, desk.do(SurveyAnswered("c", "service", "satisfaction", "5")))
    assert kept == SurveyAnswerKept(
        "c/service/satisfaction", "c", "service", "satisfaction", "5", "tech", "maria", desk.now
    )
    again = only(SurveyAnswerKept, desk.do(SurveyAnswered("c", "service", "satisfaction", "2")))
    assert (again.answer_id, again.value) == (kept.answer_id, "2")


def test_of_calls_that_are_over_nothing_is_kept() -> None:
    desk = Desk()
    for event in (ConsentTold("c", 1, "yes"), RecordingEnded("c", 1), SurveyAnswered("c", "s", "q", "1")):
        assert desk.do(event) == ()
        assert desk.engine.counts[f"{type(event).__name__}:unknown"] == 1


def test_a_restart_knows_what_runs() -> None:
    desk = arrived()
    desk.do(ConsentTold("c", 1, "yes", "c-1.wav"))
    later = Desk(engine=restore(dump(desk.engine)))
    assert only(RecordingClosed, later.do(CallerLeft("c"))).recording_id == "c/1"


def test_who_goes_home_with_a_promise_is_recorded_no_more() -> None:
    desk = Desk(CALLING_BACK)
    desk.do(InteractionArrived("c", NUMBER))
    desk.do(ConsentTold("c", 1, "yes", "c-1.wav"))
    desk.do(InteractionQueued("c", "billing", callback_number=NUMBER))
    assert only(RecordingClosed, desk.do(CallerLeft("c"))).recording_id == "c/1"
