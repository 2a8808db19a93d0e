"""What may be ordered, and what orders mean for callers, queues and screens."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest

from acd.events import Event, QueueClosed, QueueOpened
from screenpop.db.store import Store
from screenpop.emergencies import MOST_NOTICES, Emergencies, Kind, Wanted
from screenpop.errors import InvalidRequestError, NotFoundError
from screenpop.measures import Measures
from screenpop.messages import Emergency
from screenpop.orders import NewOrder, Order, OrderBook

START = 1_700_000_000_000_000
SECOND = 1_000_000
MAIN, PATTERN = "498999998100", "49899999888x"


class FakePlace:
    """A site with two queues, a number and a pattern; English and Chinese. `mute`: a text that cannot be spoken."""

    def __init__(self) -> None:
        self.spoken: list[tuple[str, str]] = []
        self.mute = ""

    def queues(self) -> Collection[str]:
        return ("billing", "support")

    def number(self, text: str) -> str | None:
        wanted = text.removeprefix("+")
        return wanted if wanted in (MAIN, PATTERN) else None

    def languages(self) -> Sequence[str]:
        return ("en", "zh")

    async def speak(self, text: str, language: str) -> str:
        if text == self.mute:
            return "espeak-ng: no such voice"
        self.spoken.append((language, text))
        return ""


class Switch:
    """The whole switch: what is given is heeded at once, as in the server."""

    def __init__(self, store: Store) -> None:
        self.at = START
        self.place = FakePlace()
        self.book = OrderBook(store, self.now)
        self.events: list[Event] = []
        self.screens: list[tuple[Emergency, ...]] = []
        self.measures = self.measured()
        self.switch = Emergencies(self.book, self.place, self.now, self.heed)

    def now(self) -> int:
        return self.at

    def measured(self, closed: Collection[str] = ()) -> Measures:
        return Measures(
            self.events.append, self.now, closed=closed, show=lambda shown: self.screens.append(tuple(shown))
        )

    async def heed(self) -> None:
        self.measures.heed(await self.book.open(self.measures.kinds), self.at)

    async def pass_by(self, seconds: float) -> None:
        self.at += round(seconds * SECOND)
        await self.heed()

    async def give(self, kind: Kind, *targets: str, by: str = "susi", lasts_s: float = 60, **more: object) -> Order:
        ends_at = self.at + round(lasts_s * SECOND) if lasts_s else 0
        wanted = Wanted(kind, targets, ends_at=ends_at, **more)  # type: ignore[arg-type]
        return (await self.switch.give(wanted, by))[0]

    def told(self) -> list[Event]:
        events, self.events[:] = list(self.events), []
        return events


@pytest.fixture
def switch(sqlite_store: Store) -> Switch:
    return Switch(sqlite_store)


# --- what may be ordered --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(Kind.CLOSE_QUEUE), "queue: expected which, got none"),
        (Wanted(Kind.CLOSE_NUMBER), "number: expected which, got none"),
        (Wanted(Kind.CLOSE_QUEUE, ("sales",)), "queue 'sales': expected one of billing, support"),
        (Wanted(Kind.CLOSE_NUMBER, ("+491",)), "number '+491': expected one that numbers.yaml has a rule for"),
        (Wanted(Kind.NOTICE, ("+491",), {"en": "Hi"}), "number '+491': expected one that numbers.yaml has a rule for"),
        (Wanted(Kind.NOTICE), "text: expected what callers hear, got none"),
        (Wanted(Kind.CLOSE_QUEUE, ("billing",), {"en": "Hi"}), "text: expected none"),
        (Wanted(Kind.NOTICE, (), {"zh": "您好"}), "text: expected one in 'en' too"),
        (Wanted(Kind.NOTICE, (), {"en": "Hi", "fr": "Salut"}), "text in 'fr': expected one of en, zh"),
        (Wanted(Kind.NOTICE, (), {"en": "  "}), "text in 'en': expected 1 to 1000 characters"),
        (Wanted(Kind.NOTICE, (), {"en": "x" * 1001}), "text in 'en': expected 1 to 1000 characters"),
        (Wanted(Kind.NOTICE, (), {"en": "mute"}), "text in 'en': cannot be spoken: espeak-ng: no such voice"),
        (Wanted(Kind.NOTICE, (), {"en": "Hi"}, keep_waiting=True), "keep_waiting: expected for a queue only"),
        (Wanted(Kind.NOTICE, (), {"en": "Hi"}, reason="x" * 201), "reason: expected at most 200 characters, got 201"),
        (Wanted(Kind.NOTICE, (), {"en": "Hi"}, ends_at=START), "until: expected a time to come"),
        (
            Wanted(Kind.NOTICE, (), {"en": "Hi"}, begins_at=START + 9, ends_at=START + 9),
            "until: expected a time to come, after the beginning",
        ),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_written(switch: Switch, wanted: Wanted, said: str) -> None:
    switch.place.mute = "mute"
    with pytest.raises(InvalidRequestError) as refused:
        await switch.switch.give(wanted, "susi")
    assert str(refused.value).startswith(said)
    assert await switch.switch.newest() == []


async def test_sounds_are_made_before_anything_is_ordered(switch: Switch) -> None:
    await switch.give(Kind.NOTICE, texts={"en": "Hi", "zh": "您好"})
    assert switch.place.spoken == [("en", "Hi"), ("zh", "您好")]


async def test_several_targets_are_several_orders_each_once(switch: Switch) -> None:
    wanted = Wanted(Kind.CLOSE_QUEUE, ("billing", "support", "billing"))
    given = await switch.switch.give(wanted, "susi")
    assert [order.target for order in given] == ["billing", "support"]
    assert await switch.switch.open() == given


async def test_callers_never_hear_more_than_a_few_notices(switch: Switch) -> None:
    for _ in range(MOST_NOTICES):
        await switch.give(Kind.NOTICE, texts={"en": "Hi"})
    with pytest.raises(InvalidRequestError, match="at most 5 at once, 5 stand"):
        await switch.give(Kind.NOTICE, texts={"en": "Hi"})
    await switch.pass_by(60)
    await switch.give(Kind.NOTICE, texts={"en": "Hi"})


async def test_only_emergency_orders_are_ended_here(switch: Switch) -> None:
    [other] = await switch.book.give([NewOrder("move", "maria")], "susi")
    with pytest.raises(NotFoundError):
        await switch.switch.end(other.id, "susi")
    assert await switch.switch.open() == []


# --- callers --------------------------------------------------------------------------------------------


async def test_a_notice_is_heard_from_its_beginning_to_its_end(switch: Switch) -> None:
    await switch.give(Kind.NOTICE, texts={"en": "one"}, begins_at=START + 10 * SECOND)
    await switch.give(Kind.NOTICE, PATTERN, texts={"en": "two"}, lasts_s=0)
    await switch.give(Kind.NOTICE, MAIN, texts={"en": "three"})

    def heard(*numbers: str) -> list[str]:
        return [notice.texts["en"] for notice in switch.measures.notices(numbers)]

    assert heard("498999998885", PATTERN) == ["two"]
    switch.at += 10 * SECOND  # nobody has to tell that it begins
    assert heard("498999998885", PATTERN) == ["one", "two"]
    assert heard(MAIN, MAIN) == ["one", "three"]
    switch.at = START + 60 * SECOND
    assert heard(MAIN, MAIN) == []
    assert heard("498999998885", PATTERN) == ["two"]


async def test_a_closed_number_is_closed_until_its_end_and_says_which_order(switch: Switch) -> None:
    assert switch.measures.closed((MAIN, MAIN)) is None
    first = await switch.give(Kind.CLOSE_NUMBER, "+" + MAIN, reason="flood")
    closed = switch.measures.closed((MAIN, MAIN))
    assert closed is not None
    assert (closed.why, closed.texts) == (f"emergency {first.id}: flood", {})
    assert switch.measures.closed((PATTERN,)) is None
    second = await switch.give(Kind.CLOSE_NUMBER, MAIN, texts={"en": "Closed."})
    await switch.give(Kind.CLOSE_NUMBER, MAIN)
    closed = switch.measures.closed((MAIN, MAIN))
    assert closed is not None
    assert (closed.why, closed.texts) == (f"emergency {second.id}", {"en": "Closed."})  # a text is kinder than none
    switch.at += 60 * SECOND
    assert switch.measures.closed((MAIN, MAIN)) is None


# --- queues ---------------------------------------------------------------------------------------------


async def test_a_queue_is_closed_once_with_its_end_and_opens_by_itself(switch: Switch) -> None:
    await switch.give(Kind.CLOSE_QUEUE, "billing", reason="drill")
    assert switch.told() == [QueueClosed("billing", START + 60 * SECOND, False, "susi", "drill")]
    await switch.pass_by(59)
    assert switch.told() == []
    await switch.pass_by(1)
    assert switch.told() == []  # the engine knew until when
    await switch.give(Kind.CLOSE_QUEUE, "billing", reason="again")
    assert [type(event) for event in switch.told()] == [QueueClosed]


async def test_a_queue_that_is_opened_before_its_time_is_told_with_who(switch: Switch) -> None:
    order = await switch.give(Kind.CLOSE_QUEUE, "billing", lasts_s=0, keep_waiting=True)
    assert switch.told() == [QueueClosed("billing", 0, True, "susi", "")]
    await switch.switch.end(order.id, "root")
    assert switch.told() == [QueueOpened("billing", "root")]
    await switch.pass_by(120)
    assert switch.told() == []


async def test_two_orders_close_a_queue_until_the_later_end(switch: Switch) -> None:
    first = await switch.give(Kind.CLOSE_QUEUE, "billing", lasts_s=100, keep_waiting=True)
    second = await switch.give(Kind.CLOSE_QUEUE, "billing", lasts_s=50, reason="fire", by="root")
    assert switch.told()[-1] == QueueClosed("billing", START + 100 * SECOND, False, "root", "fire")
    await switch.switch.end(second.id, "root")
    assert switch.told() == [QueueClosed("billing", START + 100 * SECOND, True, "susi", "")]
    await switch.give(Kind.CLOSE_QUEUE, "billing", lasts_s=0)
    assert switch.told() == [QueueClosed("billing", 0, False, "susi", "")]
    await switch.switch.end(first.id, "root")
    assert switch.told() == []


async def test_after_a_start_what_holds_is_told_and_what_was_ended_meanwhile_is_opened(switch: Switch) -> None:
    await switch.give(Kind.CLOSE_QUEUE, "billing")
    switch.told()
    later = START + 60 * SECOND
    switch.measures = switch.measured(["billing", "support"])
    await switch.heed()
    assert switch.told() == [QueueClosed("billing", later, False, "susi", ""), QueueOpened("support", "")]


async def test_after_new_rules_a_closed_queue_is_told_again(switch: Switch) -> None:
    await switch.give(Kind.CLOSE_QUEUE, "billing")
    [closed] = switch.told()
    switch.measures.tell_again()
    assert switch.told() == [closed]


async def test_an_engine_that_cannot_be_told_is_told_again(switch: Switch) -> None:
    await switch.give(Kind.CLOSE_QUEUE, "billing", lasts_s=0)
    [order] = await switch.switch.open()
    switch.told()
    refusing = True

    def submit(event: Event) -> None:
        if refusing:
            raise OSError("disk full")
        switch.events.append(event)

    measures = Measures(submit, switch.now, closed=["support"])
    for _ in range(2):
        with pytest.raises(OSError, match="disk full"):
            measures.heed([order], switch.at)
    refusing = False
    measures.heed([order], switch.at)
    assert switch.told() == [QueueClosed("billing", 0, False, "susi", ""), QueueOpened("support", "")]


# --- screens --------------------------------------------------------------------------------------------


async def test_screens_show_what_holds_now(switch: Switch) -> None:
    order = await switch.give(Kind.CLOSE_QUEUE, "billing", reason="drill")
    [shown] = switch.screens[-1]
    assert (shown.id, shown.kind, shown.target, shown.reason) == (order.id, "close_queue", "billing", "drill")
    assert (shown.begins_at, shown.ends_at, shown.given_by) == (START, START + 60 * SECOND, "susi")
    await switch.pass_by(60)
    assert switch.screens[-1] == ()
