"""The call model when events come late, doubled or not at all: nothing raises, and a reading repairs all."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from cti.ami_events import ChannelEvent, ChannelFound
from cti.calls import Calls, Change, PhoneUse, TalkBegan, TalkOver, endpoint_of
from tests.cti.test_calls import PHONES, N, created, dial, enter, found, hung_up, leave, picture


@dataclass
class Leg:
    uniqueid: str
    channel: str
    variables: dict[str, str]
    bridge: str = ""
    partner: str = ""


@dataclass
class Exchange:
    """A small switch that does what a seed says and tells of it as Asterisk does. `truth` is what there is."""

    chance: random.Random
    truth: dict[str, Leg] = field(default_factory=dict)
    events: list[ChannelEvent] = field(default_factory=list)
    claims: dict[int, str] = field(default_factory=dict)
    count: int = 0

    def run(self, steps: int) -> None:
        acts = (self._call, self._ring, self._answer, self._move, self._hang_up, self._chat)
        for _ in range(steps):
            self.chance.choices(acts, weights=(3, 3, 3, 2, 1, 1))[0]()

    def _new(self, endpoint: str, linkedid: str = "", **variables: str) -> Leg:
        self.count += 1
        leg = Leg(f"u{self.count}", f"{endpoint}-{self.count}", variables)
        self.truth[leg.uniqueid] = leg
        self.events.append(created(leg.uniqueid, leg.channel, linkedid))
        return leg

    def _callers(self) -> list[Leg]:
        return [leg for leg in self.truth.values() if "trunk" in leg.channel]

    def _call(self) -> None:
        if len(self._callers()) < 3:
            leg = self._new("PJSIP/trunk")
            leg.variables["CALLYARD_INTERACTION"] = leg.uniqueid
            self.claims[len(self.events)] = leg.uniqueid

    def _free_phone(self) -> str | None:
        taken = {endpoint_of(leg.channel) for leg in self.truth.values()}
        return next((phone for phone in sorted(PHONES, key=lambda _: self.chance.random()) if phone not in taken), None)

    def _ring(self) -> None:
        idle = [leg for leg in self._callers() if not leg.partner and not leg.bridge]
        phone = self._free_phone()
        if idle and phone:
            caller = self.chance.choice(idle)
            leg = self._new(
                phone, caller.uniqueid, CALLYARD_INTERACTION=caller.uniqueid, CALLYARD_OFFER="o",
                CALLYARD_AGENT=PHONES[phone],
            )  # fmt: skip
            caller.partner, leg.partner = leg.uniqueid, caller.uniqueid
            self.events.append(dial(caller.uniqueid, leg.uniqueid))

    def _answer(self) -> None:
        rung = [leg for leg in self._callers() if leg.partner and not leg.bridge]
        if rung:
            caller = self.chance.choice(rung)
            self._bridge(self.truth[caller.partner], caller)

    def _bridge(self, *legs: Leg) -> None:
        self.count += 1
        for leg in legs:
            leg.bridge = f"b{self.count}"
            self.events.append(enter(leg.uniqueid, leg.bridge))

    def _unbridge(self, leg: Leg) -> None:
        if leg.bridge:
            self.events.append(leave(leg.uniqueid, leg.bridge))
            leg.bridge = ""

    def _hang_up(self) -> None:
        if self.truth:
            leg = self.chance.choice(list(self.truth.values()))
            partner = self.truth.get(leg.partner)
            self._unbridge(leg)
            if partner is not None:
                self._unbridge(partner)
                partner.partner = ""
            del self.truth[leg.uniqueid]
            self.events.append(hung_up(leg.uniqueid, self.chance.choice((16, 17, 21, 0))))

    def _chat(self) -> None:
        phone = self._free_phone()
        if phone:
            self._new(phone)

    def _move(self) -> None:
        """Both into another bridge, as a Redirect does."""
        talking = [leg for leg in self._callers() if leg.partner and leg.bridge]
        if talking:
            caller = self.chance.choice(talking)
            pair = [self.truth[caller.partner], caller]
            for leg in pair:
                self._unbridge(leg)
            self._bridge(*pair)

    def channels(self) -> list[ChannelFound]:
        return [found(leg.uniqueid, leg.channel, leg.bridge, **leg.variables) for leg in self.truth.values()]

    def talks(self) -> set[tuple[str, str]]:
        """Who shares a bridge, counted naively."""
        return {
            (caller.uniqueid, PHONES[endpoint_of(leg.channel)])
            for caller in self._callers()
            for leg in self.truth.values()
            if caller.bridge and caller.bridge == leg.bridge and endpoint_of(leg.channel) in PHONES
        }

    def used(self) -> set[str]:
        """Whose phone has a leg that does not belong to a caller who is there, counted naively."""
        phones = [leg for leg in self.truth.values() if endpoint_of(leg.channel) in PHONES]
        return {PHONES[endpoint_of(leg.channel)] for leg in phones if leg.partner not in self.truth}


class Listener:
    """What somebody believes who hears only of changes."""

    def __init__(self) -> None:
        self.talks: set[tuple[str, str]] = set()
        self.used: set[str] = set()

    def hear(self, changes: Iterable[Change]) -> None:
        for change in changes:
            match change:
                case TalkBegan():
                    assert (change.interaction_id, change.agent_id) not in self.talks
                    self.talks.add((change.interaction_id, change.agent_id))
                case TalkOver():
                    self.talks.remove((change.interaction_id, change.agent_id))
                case PhoneUse():
                    assert change.used is (change.agent_id not in self.used)
                    (self.used.add if change.used else self.used.remove)(change.agent_id)

    def agrees(self, calls: Calls) -> bool:
        return self.talks == set(calls.talks()) and self.used == {a for a in PHONES.values() if calls.is_used(a)}


@given(seed=st.integers(0, 2**32), steps=st.integers(0, 40))
def test_events_in_order_give_the_truth(seed: int, steps: int) -> None:
    world, calls, listener = Exchange(random.Random(seed)), Calls(PHONES), Listener()
    told = 0
    for _ in range(steps):
        world.run(1)
        for event in world.events[told:]:
            listener.hear(calls.apply(event))
            told += 1
            if told in world.claims:
                calls.claim_caller(N, world.claims[told], "", world.claims[told])
        assert set(calls.talks()) == world.talks()
        assert {agent for agent in PHONES.values() if calls.is_used(agent)} == world.used()
        assert listener.agrees(calls)
        assert set(calls.callers()) == {leg.uniqueid for leg in world._callers()}
    assert len(calls) == len(world.truth)


@given(seed=st.integers(0, 2**32), steps=st.integers(1, 40), disorder=st.data())
def test_no_disorder_raises_and_a_reading_repairs_all(seed: int, steps: int, disorder: st.DataObject) -> None:
    world, calls, listener = Exchange(random.Random(seed)), Calls(PHONES), Listener()
    world.run(steps)
    indexes = st.lists(st.integers(0, max(0, len(world.events) - 1)), max_size=80)
    for index in disorder.draw(indexes) if world.events else ():  # dropped, doubled, late and early ones
        listener.hear(calls.apply(world.events[index]))
        if index + 1 in world.claims:
            calls.claim_caller(N, world.claims[index + 1], "", world.claims[index + 1])
        if disorder.draw(st.integers(0, 9)) == 0:
            for interaction_id, agent_id in list(calls.talks()):
                listener.hear(calls.disown_leg(interaction_id, agent_id))
        assert listener.agrees(calls)
    listener.hear(calls.reconcile(N, world.channels()))
    fresh = Calls(PHONES)
    fresh.reconcile(N, world.channels())
    assert picture(calls) == picture(fresh)
    assert set(calls.talks()) == world.talks()
    assert listener.agrees(calls)
