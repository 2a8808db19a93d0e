"""What a waiting caller is told: when, in which words, and never worse than before without a cause."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.settings import Queue, TellRules
from ivr.steps import KeyOffer, Prompt, Waiting
from ivr.waiting import NEVER, Seen, Told, begin, figures, positions, resume, say, wait_told, waiting_in, waits
from ivr.waiting_texts import MINUTES, OURS, PLACES, WAITS, TellTexts, counted, placed, words

MINUTE = 60_000_000


def heard(prompts: tuple[Prompt, ...]) -> list[str]:
    return [prompt.text for prompt in prompts]


def line(**changes: object) -> Waiting:
    """A queue that tells everything, in English."""
    tell = TellRules(position=True, position_at_most=3, wait=True)
    waiting = waiting_in(Queue(id="billing", title="Billing", tell=tell), "en", "en", {})
    return replace(waiting, **changes)  # type: ignore[arg-type]


def seen(position: int = 1, minutes: float = 0, agents: int = 4, queue: str = "billing") -> Seen:
    return Seen(queue, position, round(minutes * MINUTE), agents)


# --- words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "told"),
    [(0, 0), (-1, 0), (0.99, 1), (1, 2), (1.49, 2), (1.5, 3), (2.5, 4), (3.9, 4), (4, 5), (5, 5), (6, 6), (8.4, 6),
     (8.5, 7), (12.4, 7), (12.5, 8), (17.5, 9), (25, 10), (37.4, 10), (37.5, 11), (52.5, 12), (60, 12), (60.01, 13)],
)  # fmt: skip
def test_a_wait_is_told_as_the_nearest_of_a_few(minutes: float, told: int) -> None:
    assert wait_told(round(minutes * MINUTE)) == told


def test_every_wait_has_words() -> None:
    assert len(waits(TellRules(wait=True), "en", "en")) == WAITS == len(MINUTES) + 2


def test_words_in_english() -> None:
    tell = TellRules(position=True, position_at_most=2, wait=True)
    assert heard(positions(tell, "en", "en")) == [
        "You are number 1 in the line.", "You are number 2 in the line.", "There are at least 2 callers before you.",
    ]  # fmt: skip
    assert heard(waits(tell, "en", "en"))[:3] == [
        "The expected wait is less than a minute.",
        "The expected wait is about one minute.",
        "The expected wait is about 2 minutes.",
    ]
    assert heard(waits(tell, "en", "en"))[-2:] == [
        "The expected wait is about 60 minutes.",
        "The expected wait is more than an hour.",
    ]


def test_words_in_chinese_say_two_of_something_and_the_second_each_in_its_way() -> None:
    tell = TellRules(position=True, position_at_most=2, wait=True)
    assert heard(positions(tell, "zh", "en")) == ["您排在第一位。", "您排在第二位。", "您前面至少还有两位来电者。"]
    assert heard(waits(tell, "zh", "en"))[2] == "预计等候时间约两分钟。"
    assert heard(waits(tell, "zh", "en"))[-2] == "预计等候时间约六十分钟。"
    assert {prompt.language for prompt in figures(tell, "zh", "en")} == {"zh"}


@pytest.mark.parametrize(
    ("number", "spoken"), [(0, "零"), (2, "二"), (10, "十"), (12, "十二"), (20, "二十"), (45, "四十五")]
)
def test_chinese_numbers(number: int, spoken: str) -> None:
    assert placed(number, "zh-TW") == spoken
    assert counted(2, "zh") == "两"
    assert counted(12, "zh") == "十二"
    assert placed(number, "de") == counted(number, "de") == str(number)


def test_words_of_the_site_stand_in_place_of_ours() -> None:
    texts = TellTexts(position="Place {number}.", soon={"zh": "很快。"})
    tell = TellRules(position=True, position_at_most=1, wait=True, texts=texts)
    assert heard(positions(tell, "en", "en"))[0] == "Place 1."
    assert heard(positions(tell, "zh", "en"))[0] == "您排在第一位。"
    assert (heard(waits(tell, "zh", "en"))[0], heard(waits(tell, "en", "en"))[0]) == ("很快。", OURS["soon"]["en"])


def test_a_language_without_words_hears_the_default_one() -> None:
    told = positions(TellRules(position=True, position_at_most=1), "fr", "zh")
    assert [prompt.language for prompt in told] == ["zh", "zh"]


def test_what_is_not_told_has_no_words() -> None:
    assert figures(TellRules(), "en", "en") == ()
    assert [prompt.text for prompt in figures(TellRules(position=True, position_at_most=1), "en", "en")][-1:] == [
        "Thank you for waiting."
    ]


def test_ours_are_there_in_both_languages_for_every_text() -> None:
    assert list(OURS) == list(PLACES) == list(TellTexts.model_fields)
    assert all(set(words(None, OURS[which], "en")) == {"en", "zh"} for which in PLACES)


def test_how_a_queue_treats_who_waits() -> None:
    queue = Queue(id="billing", title="Billing", announcement=("Wait, {caller}.", {"en": "Still.", "zh": "还在。"}))
    waiting = waiting_in(queue, "zh", "en", {"caller": "7"})
    assert waiting == Waiting(
        "billing", comfort=(Prompt("Wait, 7."), Prompt("还在。", "zh")), announce_every_s=30.0, tell_every_s=60.0
    )
    assert (waiting.announces, waiting.tells) == (True, False)


# --- when ------------------------------------------------------------------------------------------------------


def test_nothing_is_due_where_there_is_nothing_to_say() -> None:
    assert begin(Waiting("billing", announce_every_s=20.0, tell_every_s=60.0), 5.0).due_at == NEVER
    assert begin(line(tell_every_s=0.0), 5.0).due_at == NEVER


def test_comfort_messages_come_in_turn_and_pauses_count_from_their_end() -> None:
    waiting = line(positions=(), waits=(), comfort=(Prompt("A"), Prompt("B")), announce_every_s=20.0)
    told = begin(waiting, 0.0)
    assert told.due_at == 1.0
    said = []
    for _ in range(3):
        at = told.due_at
        prompts, told = say(waiting, told, seen(), at)
        told = told.after(4.0)
        said.append((at, heard(prompts)))
    assert said == [(1.0, ["A"]), (25.0, ["B"]), (49.0, ["A"])]


def test_nothing_is_said_before_it_is_due() -> None:
    told = begin(line(), 0.0)
    assert say(line(), told, seen(2, 3), 0.5) == ((), told)


def test_place_and_wait_are_told_after_the_comfort_message() -> None:
    waiting = line(comfort=(Prompt("A"),), announce_every_s=20.0)
    prompts, told = say(waiting, begin(waiting, 0.0), seen(2, 3), 1.0)
    assert heard(prompts) == ["A", "You are number 2 in the line.", "The expected wait is about 3 minutes."]
    assert (told.announce_at, told.tell_at) == (21.0, 61.0)


def test_an_unknown_wait_is_not_told() -> None:
    prompts, _ = say(line(), begin(line(), 0.0), seen(1, 0), 1.0)
    assert heard(prompts) == ["You are number 1 in the line."]


def test_far_behind_is_told_as_such() -> None:
    prompts, _ = say(line(), begin(line(), 0.0), seen(99), 1.0)
    assert heard(prompts) == ["There are at least 3 callers before you."]


def second(first: Seen, then: Seen) -> list[str]:
    """What is said the second time."""
    _, told = say(line(), begin(line(), 0.0), first, 1.0)
    return heard(say(line(), told, then, told.due_at)[0])


def test_a_worse_place_and_a_longer_wait_are_not_told() -> None:
    assert second(seen(1, 3), seen(2, 5)) == ["Thank you for waiting."]
    assert second(seen(2, 3), seen(1, 5)) == ["You are number 1 in the line."]
    assert second(seen(1, 5), seen(2, 3)) == ["The expected wait is about 3 minutes."]


def test_with_fewer_agents_they_may_be_told_and_count_from_then_on() -> None:
    assert second(seen(1, 3), seen(2, 5, agents=3)) == [
        "You are number 2 in the line.",
        "The expected wait is about 5 minutes.",
    ]
    _, told = say(line(), begin(line(), 0.0), seen(1, 3), 1.0)
    _, told = say(line(), told, seen(2, 5, agents=3), told.due_at)
    assert heard(say(line(), told, seen(3, 7, agents=3), told.due_at)[0]) == ["Thank you for waiting."]


def test_in_another_queue_everything_is_told_anew() -> None:
    moved = line(queue="sales")
    prompts, _ = say(moved, begin(moved, 100.0), seen(3, 20, queue="sales"), 101.0)
    assert heard(prompts) == ["You are number 3 in the line.", "The expected wait is about 20 minutes."]


def test_thanks_are_not_said_beside_a_comfort_message_nor_the_first_time() -> None:
    waiting = line(comfort=(Prompt("A"),), announce_every_s=60.0)
    _, told = say(waiting, begin(waiting, 0.0), seen(1, 3), 1.0)
    assert heard(say(waiting, told, seen(2, 5), told.due_at)[0]) == ["A"]
    only_wait = line(positions=())
    assert say(only_wait, begin(only_wait, 0.0), seen(), 1.0)[0] == ()


@pytest.mark.parametrize(
    ("over_s", "minutes", "is_offered"), [(0, 0, True), (180, 0, False), (180, 3, False), (180, 3.1, True)]
)
def test_a_callback_is_offered_with_the_announcements(over_s: float, minutes: float, is_offered: bool) -> None:
    offer = KeyOffer("1", (Prompt("Press 1."),), over_s)
    waiting = Waiting("billing", announce_every_s=20.0, offer=offer)
    prompts, told = say(waiting, begin(waiting, 0.0), seen(1, minutes), 1.0)
    assert heard(prompts) == (["Press 1."] if is_offered else [])
    assert told.due_at == 21.0


def test_a_key_without_words_is_not_announced() -> None:
    assert not Waiting("billing", announce_every_s=20.0, offer=KeyOffer("1")).announces


# --- coming back -----------------------------------------------------------------------------------------------


def test_what_was_told_holds_for_who_comes_back() -> None:
    _, told = say(line(), begin(line(), 0.0), seen(2, 3), 1.0)
    back = resume(line(), told.pack(), 500.0)
    assert back.due_at == 560.0, "they hear no prompt again at once"
    assert heard(say(line(), back, seen(3, 5), 560.0)[0]) == ["Thank you for waiting."]


@pytest.mark.parametrize(
    "carried",
    ["", "billing", "sales|1|1|1|1", "billing|1|1|1", "billing|x|1|1|1", "billing|-1|1|1|1", "billing|²|1|1|1"],
)
def test_what_is_carried_from_elsewhere_or_broken_counts_as_nothing(carried: str) -> None:
    assert resume(line(), carried, 0.0) == Told("billing", tell_at=60.0, has_told=True)


def test_who_comes_back_hears_comfort_after_its_pause() -> None:
    waiting = Waiting("billing", comfort=(Prompt("A"), Prompt("B")), announce_every_s=20.0)
    back = resume(waiting, "billing|0|0|0|1", 0.0)
    assert (back.due_at, heard(say(waiting, back, seen(), 20.0)[0])) == (20.0, ["B"])


# --- never worse without a cause -------------------------------------------------------------------------------

glances = st.lists(
    st.builds(
        seen,
        position=st.integers(0, 6),
        minutes=st.sampled_from([0, 0.5, 1, 2, 3, 4, 5, 8, 30, 59, 61, 600]),
        agents=st.integers(0, 3),
    ),
    min_size=1,
    max_size=12,
)


def figure(prompts: tuple[Prompt, ...], among: tuple[Prompt, ...]) -> int | None:
    return next((among.index(prompt) for prompt in prompts if prompt in among), None)


@given(glances, st.booleans())
def test_nobody_is_told_a_worse_figure_than_before_unless_agents_left(what: list[Seen], comes_back: bool) -> None:
    waiting = line()
    told = begin(waiting, 0.0)
    said: list[tuple[int, int | None, int | None]] = []
    for each in what:
        if comes_back:
            told = resume(waiting, told.pack(), told.due_at - 60.0)
        prompts, told = say(waiting, told, each, told.due_at)
        said.append((each.agents, figure(prompts, waiting.positions), figure(prompts, waiting.waits)))
    for which in (1, 2):
        last: int | None = None
        for before, now in pairwise([said[0], *said]):
            if now[0] < before[0]:
                last = None
            if now[which] is not None:
                assert last is None or now[which] <= last  # type: ignore[operator]
                last = now[which]


@given(glances)
def test_a_figure_that_is_no_worse_is_told_every_time(what: list[Seen]) -> None:
    waiting = line()
    told = begin(waiting, 0.0)
    best = sorted(what, key=lambda each: (-each.position, -each.expected_wait_us))
    for each in best:
        prompts, told = say(waiting, told, replace(each, agents=1), told.due_at)
        assert (figure(prompts, waiting.positions) is None) == (each.position == 0)
