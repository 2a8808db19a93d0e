"""Several phones ring at once for one caller: who has them, what the others keep, and what is told of it."""

from __future__ import annotations

import json

import pytest

from acd.commands import OfferClosed, OfferInteraction, StageChanged, TalkOpened, WithdrawOffer
from acd.errors import ConfigurationError, SnapshotError
from acd.events import (
    ClockReached,
    ConfigurationChanged,
    ConnectionFound,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    OfferRejected,
    PresenceChosen,
    QueueLeft,
)
from acd.explain import RUNG_TOGETHER
from acd.invariants import check
from acd.model import (
    ANSWERED_BY_COLLEAGUE,
    AgentProfile,
    AgentState,
    Configuration,
    OfferOutcome,
    Presence,
    QueueRules,
    Requirement,
    Stage,
    Strategy,
)
from acd.snapshot import dump, restore
from acd.why import explain_offer, explain_waiting, tell
from tests.acd.desk import SECOND, Desk, every, only

PEOPLE = ("amy", "ben", "cid", "dot")


def rules(**changes: object) -> QueueRules:
    return QueueRules("sales", ring_us=20 * SECOND, strategy=Strategy.RING_ALL, **changes)  # type: ignore[arg-type]


def site(queue: QueueRules) -> Configuration:
    return Configuration((queue,), tuple(AgentProfile(each, each.title(), ("sales",)) for each in PEOPLE))


@pytest.fixture
def desk() -> Desk:
    desk = Desk(site(rules(ring_at_most=3)))
    desk.sign_in(*PEOPLE)
    return desk


def closed(answer: object) -> list[tuple[str, OfferOutcome]]:
    return [(each.agent_id, each.outcome) for each in every(OfferClosed, answer)]  # type: ignore[arg-type]


def test_as_many_phones_ring_as_the_queue_says_the_longest_idle_first(desk: Desk) -> None:
    made = every(OfferInteraction, desk.call("c", "sales"))
    assert [(each.offer_id, each.agent_id) for each in made] == [("c/1", "amy"), ("c/2", "ben"), ("c/3", "cid")]
    assert {each.together for each in made} == {("c/1", "c/2", "c/3")}
    assert {each.expires_at for each in made} == {desk.now + 20 * SECOND}
    assert [each.offer_id for each in desk.interaction("c").open_offers] == ["c/1", "c/2", "c/3"]


def test_one_who_is_ready_alone_is_offered_as_by_any_other_strategy() -> None:
    desk = Desk(site(rules()))
    desk.sign_in("ben")
    assert only(OfferInteraction, desk.call("c", "sales")).together == ()
    assert desk.interaction("c").beside == ()


def test_who_answers_first_has_the_caller_and_the_others_lose_nothing(desk: Desk) -> None:
    desk.call("c", "sales")
    idle = {each: desk.agent(each).idle_since for each in PEOPLE}
    answer = desk.do(OfferAccepted("c/2"))
    assert closed(answer) == [
        ("amy", OfferOutcome.WITHDRAWN), ("cid", OfferOutcome.WITHDRAWN), ("ben", OfferOutcome.ACCEPTED),
    ]  # fmt: skip
    assert [each.agent_id for each in every(WithdrawOffer, answer)] == ["amy", "cid"]
    details = {each.agent_id: each.detail for each in every(OfferClosed, answer)}
    assert details == {"amy": ANSWERED_BY_COLLEAGUE, "cid": ANSWERED_BY_COLLEAGUE, "ben": ""}
    assert only(TalkOpened, answer).talk_id == "c/2"
    for each in ("amy", "cid"):
        assert (desk.agent(each).state, desk.agent(each).idle_since) == (AgentState.READY, idle[each])
    desk.do(OfferAccepted("c/1"))
    assert desk.engine.counts == {"OfferAccepted:closed": 1}


def test_who_declines_is_not_ready_and_the_others_ring_on(desk: Desk) -> None:
    desk.call("c", "sales")
    answer = desk.do(OfferRejected("c/1"))
    assert closed(answer) == [("amy", OfferOutcome.REJECTED)]
    assert every(OfferInteraction, answer) == []
    assert only(StageChanged, answer).agent_id == "ben"
    assert (desk.interaction("c").stage, desk.interaction("c").offer_id) == (Stage.OFFERED, "c/2")
    assert every(StageChanged, desk.do(OfferRejected("c/3"))) == []
    made = only(OfferInteraction, desk.do(OfferRejected("c/2")))
    assert (made.offer_id, made.agent_id) == ("c/4", "dot"), "when all have declined the next round begins at once"


def test_only_where_nobody_answered_all_who_rang_on_are_not_ready(desk: Desk) -> None:
    desk.call("c", "sales")
    desk.do(OfferRejected("c/2"))
    answer = desk.do(ClockReached(), 19)
    assert closed(answer) == [("amy", OfferOutcome.EXPIRED), ("cid", OfferOutcome.EXPIRED)]
    assert [desk.agent(each).reason for each in PEOPLE] == ["no_answer", "rejected", "no_answer", ""]
    assert only(OfferInteraction, answer).agent_id == "dot"


def test_who_becomes_ready_meanwhile_waits_for_the_next_round() -> None:
    desk = Desk(site(rules()))
    desk.sign_in("amy", "ben")
    desk.call("c", "sales")
    desk.sign_in("cid")
    assert desk.agent("cid").state is AgentState.READY
    desk.do(OfferRejected("c/1"))
    assert desk.agent("cid").state is AgentState.READY
    assert only(OfferInteraction, desk.do(OfferRejected("c/2"))).agent_id == "cid"


def test_the_next_caller_has_the_rest(desk: Desk) -> None:
    desk.call("c", "sales")
    made = only(OfferInteraction, desk.call("d", "sales"))
    assert (made.agent_id, made.together) == ("dot", ())


def test_one_who_is_no_longer_ready_is_let_go_alone(desk: Desk) -> None:
    desk.call("c", "sales")
    answer = desk.do(PresenceChosen("cid", Presence.NOT_READY, "lunch"))
    assert closed(answer) == [("cid", OfferOutcome.WITHDRAWN)]
    assert [each.agent_id for each in desk.interaction("c").open_offers] == ["amy", "ben"]


def test_a_caller_whom_the_flow_takes_out_rings_nowhere(desk: Desk) -> None:
    desk.call("c", "sales")
    assert len(closed(desk.do(QueueLeft("c")))) == 3
    assert [desk.agent(each).state for each in PEOPLE] == [AgentState.READY] * 4


@pytest.mark.parametrize("agent_id", ["amy", "ben", "cid"])
def test_a_talk_that_is_found_is_the_answer_of_any_leg(desk: Desk, agent_id: str) -> None:
    desk.call("c", "sales")
    answer = desk.do(ConnectionFound("c", agent_id))
    assert only(TalkOpened, answer).talk_id == f"c/{PEOPLE.index(agent_id) + 1}"
    assert sorted(closed(answer))[0][0] == "amy"
    assert len(closed(answer)) == 3


def test_a_talk_with_somebody_else_stops_all_phones(desk: Desk) -> None:
    desk.call("c", "sales")
    answer = desk.do(ConnectionFound("c", "dot"))
    assert closed(answer) == [(each, OfferOutcome.WITHDRAWN) for each in ("amy", "ben", "cid")]
    assert desk.agent("dot").state is AgentState.TALKING


def test_an_agent_found_in_another_talk_leaves_the_round(desk: Desk) -> None:
    desk.call("c", "sales")
    desk.do(InteractionArrived("d"))
    desk.do(ConnectionFound("d", "ben"))
    assert [each.agent_id for each in desk.interaction("c").open_offers] == ["amy", "cid"]


def test_a_round_goes_on_after_a_snapshot(desk: Desk) -> None:
    desk.call("c", "sales")
    again = Desk(engine=restore(json.loads(json.dumps(dump(desk.engine)))))
    assert again.interaction("c") == desk.interaction("c")
    assert again.do(OfferAccepted("c/3")) == desk.do(OfferAccepted("c/3"))


def test_a_view_is_told_to_each_who_rings_as_theirs(desk: Desk) -> None:
    desk.call("c", "sales")
    view = desk.interaction("c")
    assert view.held_by("amy") is view
    theirs = view.held_by("cid")
    assert theirs is not None
    assert (theirs.agent_id, theirs.offer_id, dict(theirs.reason.key)["agent_id"]) == ("cid", "c/3", "cid")  # type: ignore[union-attr]
    assert view.held_by("dot") is None


def test_a_snapshot_that_names_an_unknown_agent_beside_is_refused(desk: Desk) -> None:
    desk.call("c", "sales")
    stored = json.loads(json.dumps(dump(desk.engine)))
    stored["interactions"][0]["beside"][-1]["agent_id"] = "nobody"
    with pytest.raises(SnapshotError, match="expected a known agent, got 'nobody'"):
        restore(stored)


# --- told ----------------------------------------------------------------------------------------------------


def test_the_reason_of_each_counts_those_who_ring_too() -> None:
    desk = Desk(site(rules(ring_at_most=2)))
    desk.sign_in("amy", "ben", "cid")
    first, second = every(OfferInteraction, desk.call("c", "sales"))
    for made in (first, second):
        assert (made.reason.rule, made.reason.runner_up) == ("ring_all", "cid")
        assert dict(made.reason.passed_over) == {RUNG_TOGETHER: 1, "less_idle": 1, "logged_out": 1}
    assert first.reason.key[1] == ("agent_id", "amy")
    assert second.reason.key[1] == ("agent_id", "ben")


def test_why_tells_who_rang_too(desk: Desk) -> None:
    before = restore(dump(desk.engine))
    before.handle(InteractionArrived("c"), desk.now + SECOND)
    desk.call("c", "sales")
    why = explain_offer(before, InteractionQueued("c", "sales"), desk.now, "c/2")
    told = [each.partition(": ")[2] for each in tell(why)[2:]]
    assert [each.agent_id for each in why.agents] == ["ben", "amy", "cid", "dot"]
    assert told[1] == "rung together with the chosen one (offer c/1)"
    assert told[2] == "rung together with the chosen one (offer c/3)"
    assert told[3].startswith("could, but ranks lower: idle since")
    assert "Rings with it: offer c/3 to Cid (cid)." in tell(explain_waiting(desk.engine, "c"))


# --- repairs and rules ---------------------------------------------------------------------------------------


def test_an_offer_that_nobody_holds_ends_and_the_others_ring_on(desk: Desk) -> None:
    desk.call("c", "sales")
    desk.engine.floor.agents["amy"].assignments.clear()
    desk.engine.floor.refresh(desk.engine.floor.agents["amy"])
    assert check(desk.engine) == ("holder:c",)
    desk.engine.floor.touched_interactions.add("c")
    answer = desk.do(ClockReached())
    assert closed(answer) == [("amy", OfferOutcome.WITHDRAWN)]
    assert [each.agent_id for each in desk.interaction("c").open_offers] == ["ben", "cid"]
    assert desk.engine.counts["repair:holder"] == 1


def test_one_whose_outcome_was_told_before_frees_all_whom_it_rings(desk: Desk) -> None:
    desk.call("c", "sales")
    desk.engine.floor.closed["c"] = None
    desk.engine.floor.touched_interactions.add("c")
    desk.do(ClockReached())
    assert [desk.agent(each).state for each in PEOPLE] == [AgentState.READY] * 4


@pytest.mark.parametrize("most", [0, 21])
def test_so_many_phones_at_once_are_refused(most: int) -> None:
    with pytest.raises(ConfigurationError, match=f"queue 'sales': ring_at_most: expected 1 to 20, got {most}"):
        Desk(site(rules(ring_at_most=most)))


def test_new_rules_leave_a_round_as_it_is(desk: Desk) -> None:
    desk.call("c", "sales")
    desk.do(ConfigurationChanged(site(rules(ring_at_most=1))))
    assert len(desk.interaction("c").open_offers) == 3


def test_only_those_ring_who_may() -> None:
    people = tuple(
        AgentProfile(each, "", ("sales",), (("vpn", level),)) for each, level in zip(PEOPLE, (3, 1, 4, 5), strict=True)
    )
    desk = Desk(Configuration((rules(requirements=(Requirement("vpn", 3),), ring_at_most=2),), people))
    desk.sign_in(*PEOPLE)
    made = every(OfferInteraction, desk.call("c", "sales"))
    assert [each.agent_id for each in made] == ["amy", "cid"]
    assert dict(made[0].reason.passed_over) == {RUNG_TOGETHER: 1, "skill:vpn": 1, "less_idle": 1}


def test_only_those_of_the_first_level_ring_together() -> None:
    levels = {"ben": 1, "amy": 2, "cid": 1, "dot": 2}
    people = tuple(
        AgentProfile(each, "", ("sales",), queue_levels=(("sales", level),)) for each, level in levels.items()
    )
    desk = Desk(Configuration((rules(),), people))
    desk.sign_in(*PEOPLE)
    made = every(OfferInteraction, desk.call("c", "sales"))
    assert [each.agent_id for each in made] == ["ben", "cid"]
    assert made[0].reason.runner_up == "amy"
    assert dict(made[0].reason.passed_over) == {RUNG_TOGETHER: 1, "later_level": 2}
    desk.do(OfferRejected("c/1"))
    assert [each.agent_id for each in every(OfferInteraction, desk.do(OfferRejected("c/2")))] == ["amy", "dot"]


def test_preferred_agents_ring_together_first(desk: Desk) -> None:
    desk.do(InteractionArrived("c"))
    asked = InteractionQueued("c", "sales", preferred=("dot", "ben"), preferred_us=30 * SECOND)
    made = every(OfferInteraction, desk.do(asked))
    assert [each.agent_id for each in made] == ["dot", "ben"]
    assert made[0].reason.rule == "preferred_agent"
    assert dict(made[0].reason.passed_over) == {RUNG_TOGETHER: 1, "not_preferred": 2}
