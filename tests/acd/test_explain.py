"""The reason names the keys that decided and adds up to everybody else of the queue."""

from __future__ import annotations

from acd.commands import OfferInteraction
from acd.events import InteractionArrived, InteractionQueued, PhoneChanged, PresenceChosen
from acd.model import AgentProfile, Configuration, Phone, Presence, QueueRules, Requirement
from tests.acd.desk import Desk, only

NAMES = ("amy", "ben", "cid", "dot", "eve", "fay", "gus")


def site() -> Configuration:
    skills = {"cid": (("vpn", 5),), "eve": (("vpn", 9),)}
    agents = tuple(AgentProfile(name, name, ("tech",), skills.get(name, ())) for name in NAMES)
    return Configuration((QueueRules("tech"),), agents)


def test_everybody_is_accounted_for() -> None:
    desk = Desk(site())
    desk.sign_in("amy", "ben", "cid", "dot", "eve", "fay")
    desk.do(PhoneChanged("fay", Phone.GONE))
    desk.do(PresenceChosen("ben", Presence.NOT_READY, "lunch"))
    desk.do(InteractionArrived("i1"))
    answer = desk.do(InteractionQueued("i1", "tech", requirements=(Requirement("vpn", 2),)))
    reason = only(OfferInteraction, answer).reason
    assert reason.rule == "longest_idle"
    assert reason.key == (("idle_since", desk.agent("cid").idle_since), ("agent_id", "cid"))
    assert reason.runner_up == "eve"
    assert reason.runner_up_key == (("idle_since", desk.agent("eve").idle_since), ("agent_id", "eve"))
    assert dict(reason.passed_over) == {
        "skill:vpn": 1,
        "less_idle": 2,
        "logged_out": 1,
        "not_ready": 1,
        "phone_gone": 1,
    }
    assert sum(count for _, count in reason.passed_over) == len(NAMES) - 1


def test_alone_means_no_runner_up() -> None:
    desk = Desk(Configuration((QueueRules("tech"),), (AgentProfile("amy", queues=("tech",)),)))
    desk.sign_in("amy")
    reason = only(OfferInteraction, desk.call("i1", "tech")).reason
    assert (reason.runner_up, reason.runner_up_key, reason.passed_over) == (None, (), ())
