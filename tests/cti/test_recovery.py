"""After a gap the world is read again: the truth wins, nobody is offered before it is known, nobody is lost twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from acd.commands import InteractionClosed, OfferInteraction, TalkOpened
from acd.events import (
    CallerLeft,
    ConnectionFound,
    DesktopChanged,
    Event,
    FlowEnded,
    InteractionArrived,
    InteractionAttached,
    InteractionDetached,
    InteractionQueued,
    OfferAccepted,
    PhoneChanged,
    PresenceChosen,
    RoutingPaused,
    RoutingResumed,
    TalkEnded,
)
from acd.model import Configuration, Desktop, Outcome, Phone, Presence, Stage, Strategy
from cti import exchange as exchange_module
from cti import recovery as recovery_module
from cti.errors import AmiUnavailableError
from cti.journal import read_segment, segment_paths
from cti.node import Node
from cti.recovery import Recovery
from tests.acd.desk import BILLING, SITE, TECH
from tests.fakes.clock import settle
from tests.fakes.link import channel_row, node
from tests.fakes.switchboard import Switchboard

LEG = {"CALLYARD_INTERACTION": "c", "CALLYARD_OFFER": "c/1", "CALLYARD_AGENT": "maria"}


class Scene:
    """A switchboard with a recovery on it. `there`: whose desktop is connected."""

    def __init__(self, folder: Path, settle_s: float = 5.0, configuration: Configuration = SITE) -> None:
        self.board = Switchboard(folder, configuration=configuration)
        self.there = {"maria", "jon"}
        self.imported: list[str] = []
        self.left: dict[str, str] = {}
        self.recovery = Recovery(
            self.board.dispatcher,
            self.board.exchange,
            self.there.__contains__,
            self._import,
            self._prepare,
            settle_s=settle_s,
        )
        self.resumed = asyncio.Event()
        self._submit = self.board.dispatcher.submit
        self.board.dispatcher.submit = self._hear  # type: ignore[method-assign]
        self.task: asyncio.Task[None] | None = None
        self.channels()

    def _hear(self, event: Event) -> None:
        self._submit(event)
        if isinstance(event, RoutingResumed):
            self.resumed.set()

    async def _import(self, node: Node) -> None:
        self.imported.append(node.name)
        for interaction_id, left in self.left.items():
            self.board.dispatcher.submit(FlowEnded(interaction_id, Outcome.VOICEMAIL, left))

    async def _prepare(self, node: Node) -> None:
        self.board.link.actions.append(("prepare", {}))

    def channels(self, *rows: list[tuple[str, str]]) -> None:
        """What Asterisk will say is there."""
        self.board.link.lists["Status"] = [*rows, [("Event", "StatusComplete")]]

    def caller(self, bridge: str = "") -> list[tuple[str, str]]:
        return list(channel_row("c", "PJSIP/trunk-c", bridge, CALLYARD_INTERACTION="c"))

    def leg(self, bridge: str = "") -> list[tuple[str, str]]:
        return list(channel_row("m", "PJSIP/2001-m", bridge, **LEG))

    def start(self) -> None:
        self.recovery.read_again()
        self.task = asyncio.create_task(self.recovery.run())

    async def until_resumed(self) -> None:
        async with asyncio.timeout(5):
            await self.resumed.wait()

    def submitted(self, *kinds: type[Event]) -> list[Event]:
        folder = self.board.office.journal._folder
        events = [entry.event for path in segment_paths(folder) for entry in read_segment(path).entries]
        return [event for event in events if isinstance(event, kinds)]

    def stage(self, interaction_id: str = "c") -> Stage | None:
        view = self.board.dispatcher.interaction(interaction_id)
        return None if view is None else view.stage

    async def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.board.close()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path)
    yield made
    await made.close()


def remember(scene: Scene, stage: Stage) -> None:
    """The engine of a server that has just started remembers interaction `c` and maria, from its journal."""
    submit = scene.board.dispatcher.submit
    scene.board.dispatcher.on_order = lambda order: None  # the server that died carried it out
    submit(PhoneChanged("maria", Phone.FREE))
    submit(DesktopChanged("maria", Desktop.THERE))
    submit(PresenceChosen("maria", Presence.READY))
    if stage is Stage.QUEUED:
        submit(PresenceChosen("maria", Presence.NOT_READY))
    submit(InteractionArrived("c"))
    if stage is not Stage.IN_FLOW:
        submit(InteractionQueued("c", "billing"))
    if stage is Stage.TALKING:
        submit(OfferAccepted("c/1"))
    scene.board.dispatcher.on_order = scene.board.exchange.offers.carry_out


async def test_routing_is_paused_from_the_wish_until_the_world_is_known(scene: Scene) -> None:
    remember(scene, Stage.QUEUED)
    scene.channels(scene.caller())
    scene.board.arrive("c")
    assert scene.recovery.why_not == ("starting",)
    scene.start()
    assert "reading" in scene.recovery.why_not
    await scene.until_resumed()
    assert not scene.recovery.why_not
    assert [type(event) for event in scene.submitted(RoutingPaused, RoutingResumed)] == [RoutingPaused, RoutingResumed]
    assert scene.recovery.world_known.is_set()
    assert scene.imported == ["lab1"]


async def test_phones_are_made_ready_before_the_world_is_read(scene: Scene) -> None:
    scene.start()
    await scene.until_resumed()
    names = [name for name, _ in scene.board.link.actions]
    assert names.index("prepare") < names.index("Getvar") < names.index("Status")


# What the engine remembered, what there is, and what it is told.
CASES: dict[str, tuple[Stage, bool, str, list[Event]]] = {
    "a caller who waited and is gone": (Stage.QUEUED, False, "", [CallerLeft("c", gap=True)]),
    "a caller who waits, out of our hands": (Stage.QUEUED, True, "", [InteractionDetached("c")]),
    "a talk that goes on": (Stage.TALKING, True, "leg talking", []),
    "a talk that ended, the caller is there": (Stage.TALKING, True, "", [TalkEnded("c", "maria", gap=True)]),
    "a talk whose caller is gone": (Stage.TALKING, False, "", [CallerLeft("c", gap=True)]),
    "a phone that goes on ringing": (Stage.OFFERED, True, "leg", []),
    "a phone that was answered meanwhile": (Stage.OFFERED, True, "leg talking", [OfferAccepted("c/1")]),
    "a phone that rings no more": (Stage.OFFERED, True, "", [InteractionDetached("c")]),
}


@pytest.mark.parametrize("case", CASES)
async def test_what_there_is_wins_over_what_was_believed(tmp_path: Path, case: str) -> None:
    stage, lives, others, expected = CASES[case]
    scene = Scene(tmp_path, settle_s=0.0)
    remember(scene, stage)
    told = len(scene.submitted(CallerLeft, InteractionDetached, TalkEnded, OfferAccepted, ConnectionFound))
    bridge = "b" if "talking" in others else ""
    rows = ([scene.caller(bridge)] if lives else []) + ([scene.leg(bridge)] if "leg" in others else [])
    scene.channels(*rows)
    scene.start()
    await scene.until_resumed()
    news = scene.submitted(CallerLeft, InteractionDetached, TalkEnded, OfferAccepted, ConnectionFound)[told:]
    assert list(dict.fromkeys(news)) == expected
    await scene.close()


@pytest.mark.parametrize("is_answered", [True, False])
async def test_of_phones_that_ring_together_any_goes_on(tmp_path: Path, is_answered: bool) -> None:
    billing = replace(BILLING, strategy=Strategy.RING_ALL)
    scene = Scene(tmp_path, settle_s=0.0, configuration=replace(SITE, queues=(billing, TECH)))
    scene.board.office.sign_in("jon")
    scene.board.office.clock.advance(1)
    remember(scene, Stage.OFFERED)
    assert [each.agent_id for each in scene.board.dispatcher.open_offers()] == ["jon", "maria"]
    bridge = "b" if is_answered else ""
    scene.channels(scene.caller(bridge), scene.leg(bridge))
    scene.start()
    await scene.until_resumed()
    news = scene.submitted(InteractionDetached, OfferAccepted, ConnectionFound)
    assert list(dict.fromkeys(news)) == ([OfferAccepted("c/2")] if is_answered else [])
    assert scene.stage() is (Stage.TALKING if is_answered else Stage.OFFERED)
    await scene.close()


async def test_what_a_caller_left_meanwhile_decides_how_it_ended(scene: Scene) -> None:
    """They waited when the server died, went to the fail-safe, and left a number: not an abandoned call."""
    remember(scene, Stage.QUEUED)
    scene.left = {"c": "call back 0301234567"}
    scene.start()
    await scene.until_resumed()
    closed = scene.board.office.last(InteractionClosed)
    assert (closed.outcome, closed.detail) == (Outcome.VOICEMAIL, "call back 0301234567")


async def test_nobody_is_offered_a_call_before_those_who_waited_longer_are_back(scene: Scene) -> None:
    remember(scene, Stage.QUEUED)
    scene.channels(scene.caller(), list(channel_row("d", "PJSIP/trunk-d", CALLYARD_INTERACTION="d")))
    scene.start()
    async with asyncio.timeout(5):
        await scene.recovery.world_known.wait()
    scene.board.queue("d")  # came later
    scene.board.dispatcher.submit(PresenceChosen("maria", Presence.READY))
    await settle()
    assert scene.board.office.every(OfferInteraction) == []
    assert not scene.resumed.is_set()
    scene.board.arrive("c")
    assert not scene.recovery._is_settled(), "their session has begun, but they cannot be offered yet"
    scene.board.dispatcher.submit(InteractionAttached("c"))
    await scene.until_resumed()
    assert [offer.interaction_id for offer in scene.board.office.every(OfferInteraction)] == ["c"]


async def test_who_does_not_come_back_is_waited_for_only_so_long(tmp_path: Path) -> None:
    scene = Scene(tmp_path, settle_s=0.1)
    remember(scene, Stage.QUEUED)
    scene.channels(scene.caller())
    scene.there.clear()
    scene.start()
    await scene.until_resumed()
    assert DesktopChanged("maria", Desktop.GONE) in scene.submitted(DesktopChanged), "no calls on a screen that is gone"
    await scene.close()


async def test_a_desktop_that_was_there_is_waited_for(scene: Scene) -> None:
    remember(scene, Stage.IN_FLOW)
    scene.there.discard("maria")
    scene.start()
    async with asyncio.timeout(5):
        await scene.recovery.world_known.wait()
    await settle()
    assert not scene.resumed.is_set()
    scene.there.add("maria")
    await scene.until_resumed()


async def test_a_link_that_is_lost_pauses_routing_until_the_next_reading(scene: Scene) -> None:
    scene.start()
    await scene.until_resumed()
    scene.resumed.clear()
    scene.recovery.link_lost("lab1", "connection reset")
    assert scene.recovery.why_not == ("link_down",)
    assert scene.submitted(RoutingPaused)[-1] == RoutingPaused("link_down")
    scene.recovery.read_again()
    await scene.until_resumed()
    assert not scene.recovery.why_not


async def test_a_reading_that_fails_is_made_again_and_what_was_held_is_not_lost(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery_module, "RETRY_S", 0.01)
    session = scene.board.arrive("c")
    scene.board.link.fault = AmiUnavailableError("gone again")
    scene.start()
    await scene.board.link.asked("Getvar", 2)
    assert not scene.resumed.is_set()
    scene.board.link.fault = None
    scene.channels(scene.caller())
    scene.board.say("DTMFEnd", Uniqueid="c", Channel="", Digit="3", Direction="Received")
    await scene.until_resumed()
    assert ("digit", "3") in session.told


async def test_events_that_come_while_the_world_is_read_are_taken_after_it(scene: Scene) -> None:
    remember(scene, Stage.QUEUED)
    scene.board.arrive("c")
    scene.channels(scene.caller())
    scene.board.link.holds.add("Status")
    scene.start()
    await scene.board.link.asked("Status")
    scene.board.hang_up("c")
    await settle()
    assert scene.stage() is Stage.QUEUED, "held: the answer that is on its way is older"
    await scene.board.link.let_go("Status")
    await scene.until_resumed()
    assert scene.stage() is None


async def test_a_gap_that_comes_while_the_world_is_read_makes_another_reading_follow(scene: Scene) -> None:
    scene.board.link.holds.add("Status")
    scene.start()
    await scene.board.link.asked("Status")
    scene.recovery.read_again()
    await scene.board.link.let_go("Status")
    await scene.board.link.asked("Status", 2)
    await scene.until_resumed()


async def test_more_news_than_can_be_held_makes_another_reading_follow(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_module, "MOST_HELD_EVENTS", 0)
    scene.board.link.holds.add("Status")
    scene.start()
    await scene.board.link.asked("Status")
    scene.board.say("FullyBooted")
    await scene.board.link.let_go("Status")
    await scene.board.link.asked("Status", 2)
    await scene.until_resumed()


async def test_a_node_that_is_read_first_says_nothing_about_callers_of_another(tmp_path: Path) -> None:
    scene = Scene(tmp_path, settle_s=0.0)
    scene.board.queue("c")
    scene.board.dispatcher.submit(InteractionArrived("far"))
    second, link = node("lab2")
    link.lists["Status"] = [
        list(channel_row("far", "PJSIP/trunk-9", CALLYARD_INTERACTION="far")),
        [("Event", "StatusComplete")],
    ]
    scene.board.exchange.nodes["lab2"] = second
    scene.channels(scene.caller())
    scene.start()
    await scene.until_resumed()
    assert scene.submitted(CallerLeft) == []
    assert scene.stage("far") is Stage.IN_FLOW
    await scene.close()


async def test_a_phone_that_rings_for_an_offer_that_is_over_is_hung_up(scene: Scene) -> None:
    remember(scene, Stage.QUEUED)
    scene.channels(scene.caller(), scene.leg())
    scene.start()
    assert (await scene.board.link.asked("Hangup"))["Channel"] == "PJSIP/2001-m"


async def test_a_talk_that_nobody_knew_is_adopted(scene: Scene) -> None:
    remember(scene, Stage.IN_FLOW)
    scene.channels(scene.caller("b"), scene.leg("b"))
    scene.start()
    await scene.until_resumed()
    assert scene.submitted(ConnectionFound) == [ConnectionFound("c", "maria")]
    assert scene.board.office.last(TalkOpened).agent_id == "maria"


async def test_a_message_has_no_caller_who_could_be_gone(tmp_path: Path) -> None:
    scene = Scene(tmp_path, settle_s=0.0)
    scene.board.dispatcher.submit(InteractionArrived("c-1.wav", "+4930123456", medium="message"))
    scene.board.dispatcher.submit(InteractionArrived("c", "+4930123456"))
    scene.channels()
    scene.start()
    await scene.until_resumed()

    assert scene.submitted(CallerLeft) == [CallerLeft("c", gap=True)]
    assert scene.stage("c-1.wav") is not None
    await scene.close()


async def test_a_journal_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.start()
    await scene.until_resumed()
    scene.board.dispatcher.journal_refuses = True
    assert scene.recovery.why_not == ("journal",)
    await scene.close()
