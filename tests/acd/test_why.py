"""Why, in words a supervisor can check: each agent with everything that stood in their way, each caller before.

Longer than other files, because one small floor is told in all its words, and each word has its test beside it.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from hypothesis import HealthCheck, settings

from acd.commands import Command, OfferInteraction
from acd.engine import Engine
from acd.errors import AcdError
from acd.events import (
    CallbackFailed,
    CallerLeft,
    ClockReached,
    DesktopChanged,
    Event,
    InteractionArrived,
    InteractionDetached,
    InteractionQueued,
    OfferAccepted,
    OfferRejected,
    PhoneChanged,
    PresenceChosen,
    RoutingPaused,
    RoutingResumed,
    TalkEnded,
)
from acd.model import (
    AgentProfile,
    AgentState,
    CallbackRules,
    Configuration,
    Desktop,
    Phone,
    Presence,
    QueueRules,
    Requirement,
    Ring,
    Stage,
    Strategy,
)
from acd.snapshot import agent_view, board, dump, interaction_view, restore
from acd.why import (
    MOST_TOLD_BEFORE,
    NothingToExplainError,
    RankedLower,
    RungTogether,
    SkillMissing,
    Why,
    explain_offer,
    explain_waiting,
    tell,
)
from tests.acd import test_properties
from tests.acd.desk import SECOND, Desk, every, only
from tests.effort import examples

BILLING = QueueRules("billing", ring_us=60 * SECOND, wrap_up_us=90 * SECOND)
VPN = (Requirement("vpn", 5),)


def site(*profiles: AgentProfile, queues: tuple[QueueRules, ...] = (BILLING, QueueRules("tech"))) -> Configuration:
    return Configuration(queues, profiles)


def person(name: str, queues: tuple[str, ...] = ("billing",), **skills: int) -> AgentProfile:
    return AgentProfile(name, name.title(), queues, tuple(sorted(skills.items())))


class Watched(Desk):
    """A desk that remembers the engine as it was before the last event."""

    before: Engine
    last: Event

    def do(self, event: Event, after: float = 1) -> tuple[Command, ...]:
        self.before, self.last = deepcopy(self.engine), event
        return super().do(event, after)

    def why(self, offer_id: str) -> Why:
        return explain_offer(self.before, self.last, self.now, offer_id)

    def said(self, offer_id: str) -> list[str]:
        return tell(self.why(offer_id))


def test_each_agent_is_told_with_everything_that_stood_in_their_way() -> None:
    names = ("amy", "ben", "cid", "dot", "eve", "fay", "gus", "hal")
    desk = Watched(
        site(
            *(person(name, vpn=7) for name in names),
            person("ida"),
            person("joe", vpn=4),
            person("kim", ("tech",), vpn=9),
            person("leo", ("tech",)),
            person("meg"),
        )
    )
    desk.sign_in("amy")
    desk.talk("i1")
    desk.sign_in("ben")
    talked = desk.talk("i2")
    desk.do(TalkEnded("i2", talked))
    desk.sign_in("cid")
    desk.call("i3")
    desk.sign_in("dot", "eve", "fay", "gus", "hal", "ida", "joe", "kim")
    desk.do(PresenceChosen("dot", Presence.NOT_READY, "lunch"))
    desk.do(PhoneChanged("eve", Phone.BUSY))
    desk.do(DesktopChanged("fay", Desktop.GONE))
    desk.do(PhoneChanged("fay", Phone.GONE))
    desk.do(InteractionArrived("i4"))
    only(OfferInteraction, desk.do(InteractionQueued("i4", "billing", requirements=VPN)))
    assert desk.said("i4/1") == [
        "i4 in queue billing was offered to Gus (gus) on 1970-01-01 at 00:17:28.000 UTC "
        "(offer i4/1, rule longest idle, on InteractionQueued).",
        "Skills needed: vpn 5.",
        "Gus (gus): chosen: idle since 00:17:10.000",
        "Hal (hal): could, but ranks lower: idle since 00:17:13.000, the chosen one's 00:17:10.000",
        "Amy (amy): talking with i1 since 00:16:46.000",
        "Ben (ben): in wrap-up of i2 until 00:18:23.000",
        "Cid (cid): reserved by i3, offered until 00:17:58.000",
        "Dot (dot): not ready (lunch) since 00:17:23.000",
        "Eve (eve): phone busy with something else",
        "Fay (fay): phone gone; desktop gone, not ready from 00:18:25.000 if it stays away",
        "Ida (ida): skill vpn: has none, needs 5",
        "Joe (joe): skill vpn: has 4, needs 5",
        "Meg (meg): signed out since 00:16:40.000; skill vpn: has none, needs 5",
        "Kim (kim): does not serve billing",
    ]


def test_equal_idleness_is_decided_by_id() -> None:
    desk = Watched(site(person("amy"), person("ben")))
    for name in ("ben", "amy"):
        desk.do(PhoneChanged(name, Phone.FREE), 0)
        desk.do(DesktopChanged(name, Desktop.THERE), 0)
        desk.do(PresenceChosen(name, Presence.READY), 0)
    desk.call("i1")
    assert desk.said("i1/1")[-2:] == [
        "Amy (amy): chosen: idle since 00:16:40.000",
        "Ben (ben): could, but ranks lower: agent id ben, the chosen one's amy",
    ]


def test_one_event_may_make_several_offers_and_each_is_told_as_it_was_made() -> None:
    desk = Watched(site(person("amy"), person("ben"), person("cid")))
    desk.do(RoutingPaused("starting"))
    desk.sign_in("amy", "ben", "cid")
    desk.call("i1")
    desk.call("i2")
    assert len(every(OfferInteraction, desk.do(RoutingResumed()))) == 2
    assert [each.split(": ")[0] + ":" + each.split(": ")[1] for each in desk.said("i1/1")[2:]] == [
        "Amy (amy):chosen",
        "Ben (ben):could, but ranks lower",
        "Cid (cid):could, but ranks lower",
    ]
    assert desk.said("i2/1")[2:] == [
        "Ben (ben): chosen: idle since 00:16:47.000",
        "Cid (cid): could, but ranks lower: idle since 00:16:50.000, the chosen one's 00:16:47.000",
        "Amy (amy): reserved by i1, offered until 00:17:55.000",
    ]


def test_asking_changes_nothing_and_answers_the_same_again() -> None:
    desk = Watched(site(person("amy"), person("ben")))
    desk.sign_in("amy", "ben")
    desk.call("i1")
    before = dump(desk.before)
    assert desk.why("i1/1") == desk.why("i1/1")
    assert dump(desk.before) == before


def test_an_offer_of_another_event_is_refused_by_name() -> None:
    desk = Watched(site(person("amy")))
    desk.sign_in("amy")
    desk.call("i1")
    with pytest.raises(NothingToExplainError, match=r"offer 'i1/2'.*InteractionQueued.*\['i1/1'\]"):
        desk.why("i1/2")


def test_who_waits_is_told_with_who_is_before_and_why() -> None:
    desk = Desk(site(person("amy", ("billing", "tech")), person("ben"), person("cid", ("other",)), queues=(
        BILLING, QueueRules("tech"), QueueRules("other"))))  # fmt: skip
    desk.sign_in("amy")
    desk.talk("i1")
    desk.call("vip", priority=3)
    desk.call("it", "tech")
    desk.call("elsewhere", "other")
    desk.call("gone")
    desk.do(InteractionDetached("gone"))
    desk.call("i2")
    assert tell(explain_waiting(desk.engine, "i2")) == [
        "i2 waits in queue billing on 1970-01-01 at 00:16:57.000 UTC: place 3, priority 0, first asked 00:16:57.000.",
        "Before them: vip (priority 3 against 0).",
        "Before them: it (first asked 00:16:50.000, in queue tech, which shares agents).",
        "Before them: gone (first asked 00:16:54.000, out of our hands for a moment).",
        "Skills needed: none.",
        "Amy (amy): talking with i1 since 00:16:46.000",
        "Ben (ben): signed out since 00:16:40.000",
    ]


def test_a_pause_and_a_lost_connection_are_told_and_who_could_take_them() -> None:
    desk = Desk(site(person("amy", vpn=5)))
    desk.sign_in("amy")
    desk.do(RoutingPaused("link lost"))
    desk.call("i1")
    desk.do(InteractionDetached("i1"))
    said = tell(explain_waiting(desk.engine, "i1"))
    assert said[1:3] == [
        "Routing is paused, nobody is offered anything: link lost.",
        "Their connection to us is lost for a moment: they keep their place and are offered when back.",
    ]
    assert said[-1] == "Amy (amy): could take them: idle since 00:16:43.000"


def test_while_a_phone_rings_the_line_says_whose() -> None:
    desk = Desk(site(AgentProfile("amy", "amy", ("billing",))))
    desk.sign_in("amy")
    desk.call("i1")
    desk.do(InteractionArrived("i2"))
    desk.do(InteractionQueued("i2", "billing", first_asked_at=desk.now - SECOND))
    said = tell(explain_waiting(desk.engine, "i1"))
    assert said[1] == "A phone rings for them: offer i1/1 to amy."
    assert said[-1] == "amy: their phone rings for this caller until 00:17:45.000"
    assert tell(explain_waiting(desk.engine, "i2"))[1] == (
        "Before them: i1 (asked at the same instant, smaller id, a phone rings for them)."
    )


def test_a_desktop_gone_for_good_has_no_clock_and_a_long_line_is_counted() -> None:
    desk = Desk(site(person("amy")))
    desk.sign_in("amy")
    desk.talk("i0")
    desk.do(DesktopChanged("amy", Desktop.GONE))
    desk.do(PresenceChosen("amy", Presence.NOT_READY))
    for number in range(MOST_TOLD_BEFORE + 3):
        desk.call(f"w{number:02}")
    desk.call("last")
    said = tell(explain_waiting(desk.engine, "last"))
    assert sum(line.startswith("Before them: w") for line in said) == MOST_TOLD_BEFORE
    assert "Before them: 3 more." in said
    assert said[-1] == "Amy (amy): talking with i0 since 00:16:46.000; not ready; desktop gone"


@pytest.mark.parametrize("found", ["nobody", "in_flow", "talks"])
def test_who_does_not_wait_is_refused_by_name(found: str) -> None:
    desk = Desk(site(person("amy")))
    desk.sign_in("amy")
    desk.do(InteractionArrived("in_flow"))
    desk.talk("talks")
    with pytest.raises(NothingToExplainError, match=f"'{found}': expected it to wait") as caught:
        explain_waiting(desk.engine, found)
    assert isinstance(caught.value, AcdError)


def test_times_are_told_in_the_zone_and_yesterday_by_its_date() -> None:
    desk = Watched(site(person("amy"), person("ben")))
    desk.sign_in("amy", "ben")
    desk.do(InteractionArrived("i1"), 86_000)
    desk.do(InteractionQueued("i1", "billing"))
    said = tell(desk.why("i1/1"), timezone(timedelta(hours=2), "CEST"))
    assert "on 1970-01-02 at 02:10:07.000 CEST" in said[0]
    assert said[2] == "Amy (amy): chosen: idle since 1970-01-01 02:16:43.000"


def test_who_gave_the_caller_back_is_told_as_they_are_when_the_next_is_chosen() -> None:
    desk = Watched(site(person("amy"), person("ben")))
    desk.sign_in("amy", "ben")
    desk.call("i1")
    desk.do(OfferRejected("i1/1"))
    assert desk.said("i1/2")[-2:] == [
        "Ben (ben): chosen: idle since 00:16:46.000",
        "Amy (amy): not ready (rejected) since 00:16:49.000",
    ]


def test_without_a_desktop_where_the_site_does_not_ask_for_one() -> None:
    desk = Watched(Configuration((BILLING,), (person("amy"), person("ben")), offer_without_desktop=True))
    desk.sign_in("amy", "ben")
    desk.do(DesktopChanged("ben", Desktop.GONE))
    desk.call("i1")
    assert desk.said("i1/1")[-1].startswith("Ben (ben): could, but ranks lower: idle since")
    desk.do(OfferAccepted("i1/1"))


@pytest.mark.parametrize(
    ("strategy", "chosen", "other"),
    [
        (Strategy.FEWEST_HANDLED, "Ben: handled 0, idle since 00:16:46.000", "handled 1, {}0"),
        (Strategy.LEAST_OCCUPIED, "Ben: occupied 0.0000 %, idle since 00:16:46.000", "occupied 11.1111 %, {}0.0000 %"),
        (Strategy.ROUND_ROBIN, "Ben: last offered at never, place 1", "last offered at 00:16:48.000, {}never"),
        (Strategy.LINEAR, "Amy: place 0", "place 1, {}0"),
        (Strategy.BEST_SKILL_FIRST, "Amy: skill levels 7, idle since 00:16:50.000", "skill levels 5, {}7"),
    ],
)  # fmt: skip
def test_each_strategy_is_told_by_its_own_key(strategy: Strategy, chosen: str, other: str) -> None:
    queue = replace(BILLING, strategy=strategy, wrap_up_us=0)
    desk = Watched(site(person("amy", vpn=7), person("ben", vpn=5), queues=(queue,)))
    desk.sign_in("amy", "ben")
    desk.do(InteractionArrived("i1"))
    made = only(OfferInteraction, desk.do(InteractionQueued("i1", "billing", requirements=(Requirement("vpn", 6),))))
    desk.do(OfferAccepted(made.offer_id))
    desk.do(TalkEnded("i1", "amy"))
    desk.do(InteractionArrived("i2"))
    desk.do(InteractionQueued("i2", "billing", requirements=(Requirement("vpn", 2),)))
    said = desk.said("i2/1")
    name, _, key = chosen.partition(": ")
    assert said[2] == f"{name} ({name.lower()}): chosen: {key}"
    assert said[3].endswith("could, but ranks lower: " + other.format("the chosen one's "))


def test_two_who_are_offered_at_once_are_told_by_the_turn_they_had_before() -> None:
    queue = replace(BILLING, strategy=Strategy.ROUND_ROBIN)
    desk = Watched(site(person("amy"), person("ben"), queues=(queue,)))
    desk.do(RoutingPaused("starting"))
    desk.sign_in("amy", "ben")
    desk.call("i1")
    desk.call("i2")
    desk.do(RoutingResumed())
    assert desk.said("i1/1")[-1] == "Ben (ben): could, but ranks lower: place 1, the chosen one's 0"


class Explained(test_properties.Floor):
    """Everything that the engine's properties try, with each offer and each waiting caller explained."""

    def do(self, event: Event, step: int = 0) -> None:
        stored, made_before = json.dumps(dump(self.engine)), len(self.offers)
        super().do(event, step)
        offers = self.offers[made_before:]
        if offers:
            before = restore(json.loads(stored))
            for offer in offers:
                self._judge_offer(before, event, offer)
            assert json.dumps(dump(before)) == stored, "asking changed the engine"
        for shown in board(self.engine).interactions:
            if shown.stage in (Stage.QUEUED, Stage.OFFERED):
                self._judge_waiting(shown.id)

    def _judge_offer(self, before: Engine, event: Event, offer: OfferInteraction) -> None:
        why = explain_offer(before, event, self.now, offer.offer_id)
        assert why == explain_offer(before, event, self.now, offer.offer_id)
        chosen, *others = why.agents
        assert (chosen.agent_id, chosen.is_chosen, chosen.obstacles) == (offer.agent_id, True, ())
        assert (chosen.key, why.rule) == (offer.reason.key, offer.reason.rule)
        assert not [each for each in others if each.is_chosen or not each.obstacles]
        rung = {found.offer_id: each for each in others for found in each.obstacles if isinstance(found, RungTogether)}
        assert sorted({offer.offer_id, *rung}) == sorted(offer.together or (offer.offer_id,))
        could = [each for each in others if each.could and each not in rung.values()]
        ranks = [
            tuple(-int(value) if label == "skill_levels" else value for label, value in each.key)
            for each in (chosen, *rung.values(), *could)
        ]
        assert sorted(ranks)[len(rung) + 1 :] == ranks[len(rung) + 1 :], "somebody who could is better ranked"
        assert (could[0].agent_id if could else None) == offer.reason.runner_up
        assert (could[0].key if could else ()) == offer.reason.runner_up_key
        self._judge_list(why)
        assert len(tell(why)) == len(why.agents) + 2

    def _judge_waiting(self, interaction_id: str) -> None:
        why = explain_waiting(self.engine, interaction_id)
        shown = interaction_view(self.engine, interaction_id)
        assert why.waiting is not None
        assert shown is not None
        self._judge_list(why)
        assert why.waiting.position == shown.position
        assert sum(each.queue == why.queue for each in why.waiting.before) == shown.position - 1
        could = [each for each in why.agents if each.could]
        if could and shown.stage is Stage.QUEUED:
            assert why.waiting.paused is not None or not why.waiting.attached, "somebody could take them"
        assert not [each for each in why.agents if any(isinstance(reason, RankedLower) for reason in each.obstacles)]
        assert len(tell(why)) >= len(why.agents) + 2

    def _judge_list(self, why: Why) -> None:
        """Everybody of the queue and everybody who is signed in, once each, with every skill that lacks."""
        listed = [each.agent_id for each in why.agents]
        views = {each: agent_view(self.engine, each) for each in self.mirror.seats}
        wanted = [
            agent_id
            for agent_id, view in views.items()
            if view is not None and (why.queue in view.queues or view.state is not AgentState.LOGGED_OUT)
        ]
        assert sorted(listed) == sorted(wanted)
        for candidate in why.agents:
            view = views[candidate.agent_id]
            assert view is not None
            levels = dict(view.skills)
            assert [each for each in candidate.obstacles if isinstance(each, SkillMissing)] == [
                SkillMissing(skill, levels.get(skill, 0), level)
                for skill, level in why.needs
                if levels.get(skill, 0) < level
            ]


TestExplained = Explained.TestCase
TestExplained.settings = settings(
    max_examples=examples(40),
    stateful_step_count=30,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_choices_and_preferences_that_stand_in_the_way_are_told() -> None:
    desk = Watched(site(person("amy"), person("ben", vpn=2), person("cid", french=4)))
    desk.sign_in("amy", "ben", "cid")
    desk.do(PresenceChosen("ben", Presence.NOT_READY, "lunch"))
    desk.do(InteractionArrived("i1"))
    choice = (Requirement("vpn", 2, (("french", 5),)),)
    desk.do(InteractionQueued("i1", "billing", requirements=choice, preferred=("ben",), preferred_us=30 * SECOND))
    waits = tell(explain_waiting(desk.engine, "i1"))[-3:]
    assert waits == [
        "Amy (amy): not preferred: only preferred agents may until 00:17:22.000; skill: needs french 5 or vpn 2",
        "Ben (ben): not ready (lunch) since 00:16:50.000",
        "Cid (cid): not preferred: only preferred agents may until 00:17:22.000; skill: needs french 5 or vpn 2",
    ]
    desk.do(PresenceChosen("ben", Presence.READY))
    assert desk.said("i1/1")[-3:][0] == "Ben (ben): chosen: preference 0"


def test_who_is_asked_after_an_earlier_level_is_told_so() -> None:
    early, late = person("amy"), replace(person("ben"), queue_levels=(("billing", 2),))
    desk = Watched(site(early, late))
    desk.sign_in("ben", "amy")
    desk.call("i1")
    assert desk.said("i1/1")[-2:] == [
        "Amy (amy): chosen: level 1, idle since 00:16:46.000",
        "Ben (ben): could, but is asked after level 1: has level 2",
    ]


def test_whom_a_later_ring_lets_in_is_told_which_and_when() -> None:
    wide = Ring(30 * SECOND, levels=(("vpn", 0),))
    rules = replace(BILLING, relax=(Ring(15 * SECOND, levels=(("vpn", 3),)), replace(wide, queues=("tech",))))
    people = (person("amy", vpn=9), person("ben", vpn=4), person("cid"), person("dot", ("tech",)), person("eve", ()))
    desk = Watched(site(*people, queues=(rules, QueueRules("tech"))))
    desk.sign_in("amy", "ben", "cid", "dot", "eve")
    desk.do(PresenceChosen("amy", Presence.NOT_READY))
    desk.do(InteractionArrived("i1"))
    desk.do(InteractionQueued("i1", "billing", requirements=VPN))
    assert tell(explain_waiting(desk.engine, "i1"))[-5:] == [
        "Amy (amy): not ready since 00:16:56.000",
        "Ben (ben): skill vpn: has 4, needs 5; ring not reached: ring 1 at 00:17:13.000 lets them",
        "Cid (cid): skill vpn: has none, needs 5; ring not reached: ring 2 at 00:17:28.000 lets them",
        "Dot (dot): does not serve billing; skill vpn: has none, needs 5; "
        "ring not reached: ring 2 at 00:17:28.000 lets them",
        "Eve (eve): does not serve billing; skill vpn: has none, needs 5",
    ]
    desk.do(PresenceChosen("ben", Presence.NOT_READY))
    desk.do(ClockReached(), after=15)
    desk.do(PresenceChosen("ben", Presence.READY))
    said = desk.said("i1/1")
    assert said[2] == "Ben (ben): chosen: idle since 00:17:15.000"
    assert said[4].endswith("needs 3; ring not reached: ring 2 at 00:17:28.000 lets them")


def test_a_promise_to_call_back_is_told_as_it_stands() -> None:
    queue = replace(BILLING, callback=CallbackRules(attempts=3, every_us=300 * SECOND))
    desk = Desk(site(AgentProfile("maria", "Maria", queues=("billing",)), queues=(queue,)))
    desk.do(InteractionArrived("anna"))
    desk.do(InteractionQueued("anna", "billing", callback_number="+4930111"))
    desk.do(CallerLeft("anna"))
    desk.do(InteractionArrived("bert"))
    desk.do(InteractionQueued("bert", "billing"))

    def told(interaction_id: str) -> list[str]:
        return tell(explain_waiting(desk.engine, interaction_id))

    assert "They are to be called back." in told("anna")
    assert not any("lost for a moment" in line for line in told("anna"))
    assert any(line.startswith("Before them: anna (first asked") for line in told("bert"))
    assert any(line.endswith(", to be called back).") for line in told("bert"))

    desk.sign_in("maria")
    assert "They are being called back: offer anna/1 to Maria (maria)." in told("anna")
    assert any(line.endswith(", being called back).") for line in told("bert"))

    desk.do(CallbackFailed("anna/1", "busy"))
    later = desk.interaction("anna").not_before
    waiting = explain_waiting(desk.engine, "anna").waiting
    assert waiting is not None
    assert (waiting.promised, waiting.not_before, waiting.offer_id) == (True, later, "")
    assert any(line.startswith("They are to be called back, not before ") for line in told("anna"))
