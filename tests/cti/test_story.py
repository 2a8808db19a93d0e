"""The story of each call in words: what a person at a terminal reads, from commands of a real engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from acd.events import (
    AgentMoveCancelled,
    AgentMoved,
    CallbackAnswered,
    CallbackCancelled,
    CallbackFailed,
    CallerLeft,
    ClockReached,
    ConfigurationChanged,
    FlowEnded,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    OfferFailed,
    OfferRejected,
    PresenceChosen,
    QueueClosed,
    QueueOpened,
    TalkEnded,
    WrapUpEnded,
)
from acd.model import (
    AgentProfile,
    CallbackRules,
    Configuration,
    Outcome,
    OverflowCause,
    Presence,
    PriorityStep,
    QueueRules,
    Reason,
    Ring,
    Strategy,
)
from cti.story import _CAUSES, Story, explain, ordinal, seconds
from tests.acd.desk import BILLING, SITE, TECH
from tests.fakes.office import Office


class Scene:
    def __init__(self, folder: Path, configuration: Configuration = SITE) -> None:
        self.office = Office(folder, configuration)
        self.lines: list[str] = []
        self.story = Story(self.lines.append, lambda: {"maria": "Maria Alvarez", "jon": "Jon"})
        self.office.dispatcher.watch(self.story.watch)

    def told(self) -> list[str]:
        """The lines without the caller in front."""
        return [line.split(None, 1)[1] for line in self.lines]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_call_from_its_arrival_to_its_end(scene: Scene) -> None:
    submit = scene.office.dispatcher.submit
    submit(InteractionArrived("c", "+4930123456", "100"))
    scene.story.note("c", "chose 1 billing at menu main")
    submit(InteractionQueued("c", "billing"))
    scene.office.clock.advance(seconds=4)
    scene.office.sign_in("maria")
    submit(OfferAccepted("c/1"))
    scene.office.clock.advance(seconds=4.5)
    submit(TalkEnded("c", "maria"))
    submit(WrapUpEnded("maria", "c", "solved"))
    submit(FlowEnded("c", Outcome.SERVED))
    assert all(line.startswith("+4930123456 ") for line in scene.lines)
    assert scene.told() == [
        "arrived on 100",
        "chose 1 billing at menu main",
        "queued for billing as 1st",
        "offered to Maria Alvarez because longest idle, the only one free (1 logged out)",
        "answered by Maria Alvarez after 4.0 s",
        "talked 4.5 s with Maria Alvarez; wrap-up begins",
        "Maria Alvarez: wrap-up done: solved",
        "done: served",
    ]


def test_rings_steps_of_priority_and_preferences_that_end(scene: Scene) -> None:
    submit, clock = scene.office.dispatcher.submit, scene.office.clock
    second = 1_000_000
    rules = QueueRules(
        "billing",
        relax=(Ring(15 * second, queues=("tech",)), Ring(20 * second)),
        raise_priority=(PriorityStep(20 * second),),
    )
    people = (AgentProfile("maria", "Maria", ("billing",)), AgentProfile("jon", "Jon", ("tech",)))
    submit(ConfigurationChanged(Configuration((rules, QueueRules("tech")), people)))
    scene.office.sign_in("maria")
    submit(InteractionArrived("busy"))
    submit(InteractionQueued("busy", "billing"))
    submit(OfferAccepted("busy/1"))
    submit(InteractionArrived("c"))
    submit(InteractionQueued("c", "billing", preferred=("maria",), preferred_us=5 * second))
    for waited in (5, 10, 5):
        clock.advance(seconds=waited)
        submit(ClockReached())
    assert scene.told()[-3:] == [
        "no longer only preferred agents may, after 5.0 s",
        "ring 1: more agents may, after 15 s",
        "ring 2: more agents may; priority 1, after 20 s",
    ]
    submit(CallerLeft("c"))
    submit(PresenceChosen("maria", Presence.LOGGED_OUT))
    submit(TalkEnded("busy", "maria"))
    submit(WrapUpEnded("maria", "busy"))
    submit(PresenceChosen("jon", Presence.NOT_READY))
    submit(InteractionArrived("d"))
    submit(InteractionQueued("d", "billing"))
    assert scene.told()[-1] == "ring 1: more agents may, at once: nobody signed in could take them"


def test_a_move_of_an_agent(scene: Scene) -> None:
    submit = scene.office.dispatcher.submit
    submit(AgentMoved("m1", "jon", ("tech",), ("billing",), by="sue"))
    submit(AgentMoved("m2", "jon", remove=("tech",), from_at=2**60))
    submit(AgentMoveCancelled("m1", "jon"))
    assert scene.lines == [
        "Jon              move to tech and away from billing by sue: active",
        "Jon              move away from tech: planned",
        "Jon              move to tech and away from billing by sue: cancelled",
    ]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (OfferRejected("c/1", "busy"), "Maria Alvarez rejected it; the caller keeps their place"),
        (
            OfferFailed("c/1", "CHANUNAVAIL"),
            "the phone of Maria Alvarez could not be rung (CHANUNAVAIL); the caller keeps their place",
        ),
        (CallerLeft("c"), "taken back from Maria Alvarez"),
        (CallerLeft("c"), "gave up while a phone rang"),
    ],
)
def test_an_offer_that_ends(scene: Scene, event: OfferRejected | OfferFailed | CallerLeft, line: str) -> None:
    scene.office.sign_in("maria")
    scene.office.call("c")
    scene.office.dispatcher.submit(event)
    assert line in scene.told()


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (Outcome.SELF_SERVED, "done: served by the flow itself"),
        (Outcome.VOICEMAIL, "done: left a message"),
        (Outcome.REFUSED, "refused (closed)"),
        (Outcome.LOST, "LOST (closed)"),
        (Outcome.TRANSFERRED_OUT, "transferred out"),
    ],
)
def test_an_interaction_that_ends_without_an_agent(scene: Scene, outcome: Outcome, line: str) -> None:
    scene.office.dispatcher.submit(InteractionArrived("c"))
    scene.office.dispatcher.submit(FlowEnded("c", outcome, "closed"))
    assert scene.lines[0].startswith("(withheld) ")
    assert scene.lines[-1].endswith(line)


def test_every_outcome_has_words(scene: Scene) -> None:
    for number, outcome in enumerate(Outcome):
        scene.office.dispatcher.submit(InteractionArrived(f"c{number}", "+49"))
        scene.office.dispatcher.submit(FlowEnded(f"c{number}", outcome))
    assert len(scene.lines) == 2 * len(Outcome)


def test_a_call_of_a_gap_says_so(scene: Scene) -> None:
    scene.office.dispatcher.submit(InteractionArrived("c", "+49", "100", gap=True))
    assert scene.told() == ["arrived on 100 while the server was away"]


def test_what_a_story_keeps_is_bounded(scene: Scene) -> None:
    for number in range(20_050):
        scene.story._callers[f"old{number}"] = "+49"
        scene.story._asked_at[f"old{number}"] = 0
    for number in range(60):
        scene.office.dispatcher.submit(InteractionArrived(f"c{number}", "+49"))
    assert len(scene.story._callers) <= 20_052


def test_presence_alone_tells_nothing(scene: Scene) -> None:
    scene.office.dispatcher.submit(PresenceChosen("maria", Presence.READY))
    assert scene.lines == []


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st"),
     (111, "111th"), (122, "122nd")],
)  # fmt: skip
def test_places_in_words(number: int, text: str) -> None:
    assert ordinal(number) == text


@pytest.mark.parametrize(
    ("length", "text"), [(0, "0.0"), (1_240_000, "1.2"), (9_400_000, "9.4"), (9_500_000, "10"), (75_000_000, "75")]
)
def test_lengths_in_words(length: int, text: str) -> None:
    assert seconds(length) == text


def test_phones_that_ring_together_and_the_one_that_is_answered(tmp_path: Path) -> None:
    rules = replace(BILLING, strategy=Strategy.RING_ALL)
    scene = Scene(tmp_path, replace(SITE, queues=(rules, TECH)))
    scene.office.sign_in("jon", "maria")
    scene.office.call("c")
    scene.office.dispatcher.submit(OfferAccepted("c/2"))
    assert scene.told()[2:5] == [
        "offered to Jon because ring all (1 rung together)",
        "offered to Maria Alvarez because ring all (1 rung together)",
        "no longer rings at Jon",
    ]


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason("longest_idle", ()), "longest idle"),
        (Reason("longest_idle", (), "jon"), "longest idle, before Jon"),
        (Reason("longest_idle", (), passed_over=(("not_ready", 2),)), "longest idle, the only one free (2 not ready)"),
        (Reason("ring_all", (), passed_over=(("rung_together", 2),)), "ring all (2 rung together)"),
        (
            Reason("best_skill", (), "x", (), (("talking", 1), ("phone_gone", 3))),
            "best skill, before x (1 talking, 3 phone gone)",
        ),
    ],
)  # fmt: skip
def test_reasons_in_words(reason: Reason, text: str) -> None:
    assert explain(reason, {"jon": "Jon"}) == text


def test_a_queue_that_is_closed_gives_its_callers_away(scene: Scene) -> None:
    submit = scene.office.dispatcher.submit
    submit(InteractionArrived("c", "+4930123456", "100"))
    submit(InteractionQueued("c", "billing"))
    submit(QueueClosed("billing", by="lena"))
    submit(QueueOpened("billing"))
    assert scene.told() == [
        "arrived on 100",
        "queued for billing as 1st",
        "closed by lena",
        "given away by billing: it is closed",
        "open again",
    ]


def test_who_waits_is_told_how_long(scene: Scene) -> None:
    submit = scene.office.dispatcher.submit
    scene.office.sign_in("maria")
    for caller in ("a", "b"):
        submit(InteractionArrived(caller, "+4930123456", "100"))
        submit(InteractionQueued(caller, "billing"))
    assert "queued for billing as 2nd, expected to wait 180 s" in scene.told()


def test_every_cause_has_words() -> None:
    assert set(_CAUSES) == set(OverflowCause)


def test_a_promise_to_call_back_is_told_step_by_step(tmp_path: Path) -> None:
    scene = Scene(tmp_path, replace(SITE, queues=(replace(BILLING, callback=CallbackRules()), TECH)))
    submit = scene.office.dispatcher.submit
    submit(InteractionArrived("c1", "+4930123456", "100", "main"))
    submit(InteractionQueued("c1", "billing", callback_number="+4930123456"))
    submit(CallerLeft("c1"))
    scene.office.sign_in("maria")
    submit(CallbackFailed("c1/1", "no_answer"))
    submit(InteractionQueued("c1", "billing", callback_number="+4930123457"))
    submit(CallbackAnswered("c1/2"))
    told = [line for line in scene.told() if "call" in line or "line" in line]
    assert told == [
        "to be called back; they need not stay on the line",
        "calling them back, 1st call",
        "not reached (no answer); to be called again",
        "nobody is to call them back any more (callback)",
        "to be called back; they need not stay on the line",
        "calling them back, 1st call",
        "they are on the line; the agent's phone rings",
    ]
    submit(OfferRejected("c1/2"))
    submit(FlowEnded("c1", Outcome.LOST))
    submit(CallbackCancelled("c1", "boss"))
    assert scene.told()[-2:] == ["nobody is to call them back any more (boss)", "the callback failed"]
