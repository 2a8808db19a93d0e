"""The judge of a run of chaos finds what it must: each kind of fault is planted once."""

from lab.chaos_judge import PhoneLook, doubled, lost, order_violations, phone_stories, records, wrong_states
from lab.sipp import SippLine


def call(caller: str, at_ms: int, extension: str = "2001", *, answers: bool = True, offer: int = 1) -> list[SippLine]:
    """A call at a phone: rings 300 ms, talks 4 s."""
    own = (caller, extension, f"{caller}/{offer}")
    lines = [SippLine(at_ms, "ringing", *own)]
    if answers:
        lines += [SippLine(at_ms + 300, "answered", *own), SippLine(at_ms + 4_300, "hung_up", *own)]
    return lines


def test_who_was_served_once_and_in_order_is_no_fault() -> None:
    stories = phone_stories(
        [*call("a", 0), *call("b", 5_000), *call("c", 9_000, answers=False), *call("c", 15_000, offer=2)]
    )
    came = [SippLine(at, "answered", who) for at, who in ((0, "a"), (2_000, "b"), (4_000, "c"))]
    assert lost("abc", stories) == []
    assert doubled(stories) == []
    assert order_violations(came, stories) == []


def test_whom_nobody_answered_is_lost() -> None:
    assert lost("ab", phone_stories([*call("a", 0), *call("b", 10, "2002", answers=False)])) == ["b"]


def test_whom_two_answered_is_doubled() -> None:
    assert doubled(phone_stories([*call("a", 0), *call("a", 60_000, "2002", offer=2)])) == ["a"]


def test_for_whom_a_second_phone_rings_while_the_first_talks_is_doubled() -> None:
    assert doubled(phone_stories([*call("a", 0), *call("a", 2_000, "2002", answers=False, offer=2)])) == ["a"]


def test_who_is_overtaken_is_named_with_who_overtook() -> None:
    stories = phone_stories([*call("b", 0), *call("a", 5_000)])
    assert order_violations([SippLine(0, "answered", "a"), SippLine(2_000, "answered", "b")], stories) == [("a", "b")]
    at_once = [SippLine(0, "answered", "a"), SippLine(900, "answered", "b")]
    assert order_violations(at_once, stories) == [], "who came at the same time has no order"
    side_by_side = phone_stories([*call("b", 0), *call("a", 200, "2002")])
    came = [SippLine(0, "answered", "a"), SippLine(2_000, "answered", "b")]
    assert order_violations(came, side_by_side) == [], "two agents were free at once"


def look(state: str, since_s: float = 1.0) -> dict[str, PhoneLook]:
    return {"2001": PhoneLook(since_s, state)}


def test_a_state_that_asterisk_does_not_know_is_wrong() -> None:
    assert wrong_states(look("talking"), look("talking"), {"2001": "talking"}, 5.0) == []
    for state, told in (("talking", "ready"), ("idle", "talking"), ("ringing", "ready"), ("ringing", "talking")):
        assert len(wrong_states(look(state), look(state), {"2001": told}, 5.0)) == 1, (state, told)


def test_a_state_that_changes_meanwhile_is_not_judged() -> None:
    assert wrong_states(look("talking"), look("idle", 2.0), {"2001": "ready"}, 5.0) == []
    assert wrong_states(look("talking", 4.0), look("talking", 4.0), {"2001": "ready"}, 3.0) == []
    assert wrong_states({}, look("talking"), {"2001": "ready"}, 5.0) == []


def test_records_that_are_missing_doubled_or_of_another_end_are_named() -> None:
    rows = [("a", "served"), ("b", "served"), ("b", "served"), ("d", "abandoned_in_queue")]
    assert records("abcd", rows) == (["c"], ["b"], ["d: abandoned_in_queue"])
